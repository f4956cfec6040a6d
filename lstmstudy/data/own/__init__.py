"""A user's own table as a task of the study: what a profile says about it, and the readers that make arrays of it."""

from lstmstudy.data.own.section import OwnTask as OwnTask
from lstmstudy.data.own.sequences import OwnSequences as OwnSequences
from lstmstudy.data.own.sequences import read_sequences as read_sequences
from lstmstudy.data.own.series import OwnSeries as OwnSeries
from lstmstudy.data.own.series import read_series as read_series
from lstmstudy.data.own.series import rows_needed as rows_needed
