"""A user's own table as a task of the study: what a profile says about it, and the readers that make arrays of it."""

from lstmstudy.data.own.section import OwnTask
from lstmstudy.data.own.sequences import OwnSequences, read_sequences
from lstmstudy.data.own.series import OwnSeries, read_series, rows_needed

__all__ = ["OwnSequences", "OwnSeries", "OwnTask", "read_sequences", "read_series", "rows_needed"]
