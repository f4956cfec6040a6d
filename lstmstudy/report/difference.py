"""Two reports side by side: a page with what changed from one to the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from lstmstudy import paths
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.parsing.untrusted import open_plain
from lstmstudy.provenance import FILE as PROVENANCE
from lstmstudy.store.atomic import write_whole
from lstmstudy.verdicts.difference import difference
from lstmstudy.verdicts.kept import FINDINGS, read_findings

if TYPE_CHECKING:
    from lstmstudy.verdicts.difference import Difference
    from lstmstudy.verdicts.document import Findings

_TEMPLATE = Path(__file__).resolve().parent / "template"


def write_difference(old: Path, new: Path, out: Path) -> Difference:
    """Write a page with what differs between two reports, and return it.

    Args:
        old: Folder of the first report, such as ``reports/default``, or its ``findings.json``.
        new: The same of the second.
        out: Where to write the page; its folder exists.

    Raises:
        ParamsError: If a report has no findings, or such as this version cannot read.
    """
    reports = [_read(each) for each in (old, new)]
    (before, origin), (after, later) = reports
    found = difference(before, after, origin, later)
    loader = jinja2.FileSystemLoader(_TEMPLATE)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("difference.html.j2").render(
        old=paths.relative(old),
        new=paths.relative(new),
        profiles=[each.profile for each, _ in reports],
        found=found,
        css=Markup((_TEMPLATE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 (ours)
    )
    write_whole(out, page.encode())
    return found


def _read(place: Path) -> tuple[Findings, dict[str, Any]]:
    """Return what a report found and where its numbers come from."""
    folder = place.parent if place.name == FINDINGS else place
    try:
        findings = read_findings(folder)
    except OSError as error:
        raise ParamsError(
            f"{paths.relative(folder)}/{FINDINGS}: {error.strerror}. "
            f"Expected the folder of a report, such as reports/default. Received: {place}"
        ) from None
    except ValueError as error:
        raise ParamsError(
            f"{paths.relative(folder)}/{FINDINGS} is not what this version reads: {str(error).splitlines()[0]}. "
            f"Build that report again with this version. Received: {place}"
        ) from None
    try:
        with open_plain(folder / PROVENANCE) as file:
            origin = dict(json.loads(file.read()))
    except (OSError, ValueError, TypeError, RecursionError):
        origin = {}  # findings alone were shared
    return findings, origin
