"""Findings in words: effects, verdicts, and the table of claims as lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmstudy.verdicts.document import ContrastFound, Findings, Secondary, TaskEffect

MINUS, NONE = "\N{MINUS SIGN}", "not available"


def amount(value: float | None, scale: str, digits: int = 1) -> str:
    """Return a number of a contrast: a log ratio as a change in percent, a difference as it is."""
    if value is None:
        return NONE
    if scale == "log ratio":
        text, unit = f"{100 * math.expm1(value):+.{digits}f}", " %"
    else:
        text, unit = f"{value:+.{digits + 2}f}", ""
    return (text[1:] if float(text) == 0 else text).replace("-", MINUS) + unit


def effect(found: ContrastFound | TaskEffect | Secondary, scale: str) -> str:
    """Return an estimate with its interval in brackets; without one where there are too few units."""
    return f"{amount(found.estimate, scale)} {ends(found, scale)}".rstrip()


def ends(found: ContrastFound | TaskEffect | Secondary, scale: str) -> str:
    """Return the interval of an estimate in brackets; nothing where there are too few units."""
    if found.low is None or found.high is None:
        return ""
    low, high = (amount(end, scale).removesuffix(" %") for end in (found.low, found.high))
    return f"[{low}, {high}]"


def contrast_name(found: ContrastFound) -> str:
    """Return what is compared with what."""
    what = "" if found.quantity == "test error" else f"{found.quantity}: "
    return f"{what}{found.arm} against {found.control}"


def verdict_lines(findings: Findings) -> list[str]:
    """Return the table of claims, one line each: id, verdict, effect of the first contrast, claim."""
    rows = []
    for claim in findings.claims:
        first = claim.contrasts[0] if claim.contrasts else None
        seen = effect(first, first.scale) if first else ""
        more = f" (+{len(claim.contrasts) - 1})" if len(claim.contrasts) > 1 else ""
        mark = "*" if claim.marks else ""
        rows.append((claim.id, f"{claim.verdict}{mark}", f"{seen}{more}", claim.words))
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    lines = ["  ".join([*(row[k].ljust(widths[k]) for k in range(3)), row[3]]) for row in rows]
    if any(claim.marks for claim in findings.claims):
        lines.append(
            "* hangs on the metric or the reading, or does not count the luck of the search: the report says which"
        )
    return lines
