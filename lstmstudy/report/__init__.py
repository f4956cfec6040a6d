"""From executed notebooks to one HTML file that needs no network."""

from lstmstudy.report.build import LIMIT, About, build_pages, build_report
from lstmstudy.report.chapters import Chapter, said

__all__ = ["LIMIT", "About", "Chapter", "build_pages", "build_report", "said"]
