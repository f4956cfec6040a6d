"""Contrasts as a table, for notebooks and for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmstudy.figures.tables import Cell
from lstmstudy.verdicts.words import contrast_name, effect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from lstmstudy.verdicts.document import ClaimFound, ContrastFound, TaskEffect


def contrast_frame(claims: Sequence[ClaimFound], titles: Mapping[str, str]) -> pd.DataFrame:
    """Return every contrast of some claims as a row, over all tasks and on each.

    Args:
        claims: The claims.
        titles: The tasks' names as readers know them, by name.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for claim in claims:
        for contrast in claim.contrasts:
            by_task = {
                titles.get(each.task, each.task): effect_cell(each, contrast.scale) for each in contrast.tasks
            }
            rows.append(
                {
                    "claim": claim.id,
                    "contrast": f"{contrast_name(contrast)}, expected {contrast.expect}",
                    "shown": contrast.shown if claim.judged else "not judged here",
                    "p": p_cell(contrast.p),
                    "all tasks": effect_cell(contrast, contrast.scale),
                    **by_task,
                    "units lower": Cell(f"{100 * contrast.improvement:.0f} %", contrast.improvement),
                    "p of no difference": p_cell(contrast.p_equivalence),
                }
            )
    frame, last = pd.DataFrame(rows).fillna(""), ["units lower", "p of no difference"]
    return frame[[column for column in frame.columns if column not in last] + last] if rows else frame


def effect_cell(found: ContrastFound | TaskEffect, scale: str) -> Cell:
    """Return an effect with its interval, sorted by its size."""
    return Cell(effect(found, scale), found.estimate)


def p_cell(value: float) -> Cell:
    """Return a p value to two digits."""
    return Cell(f"{value:.2g}", value)
