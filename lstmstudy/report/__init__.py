"""From executed notebooks to one HTML file that needs no network."""

from lstmstudy.report.build import LIMIT as LIMIT
from lstmstudy.report.build import About as About
from lstmstudy.report.build import build_pages as build_pages
from lstmstudy.report.build import build_report as build_report
from lstmstudy.report.chapters import Chapter as Chapter
from lstmstudy.report.chapters import findings as findings
