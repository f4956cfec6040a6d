"""Arms that do nothing, in the table of units, and the luck of the search that they tell, for every measure of a claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.stats.effects import TINY
from lstmstudy.stats.luck import FEWEST, luck_between
from lstmstudy.verdicts.measures import DECLARED, measure_of
from lstmstudy.verdicts.rows import SHAM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.claims.table import Contrast
    from lstmstudy.stats.luck import Luck
    from lstmstudy.verdicts.rows import Row


class Alike(NamedTuple):
    """Arms that do the same on one task, in the units that all of them have; the baseline is the first.

    Attributes:
        numbers: (n_arms, n_units), on the scale of contrasts.
        folds: The fold of each unit, (n_units,).
    """

    numbers: np.ndarray
    folds: np.ndarray


def alike(rows: Sequence[Row], view: str = DECLARED) -> dict[str, Alike]:
    """Return the baseline and all arms that do nothing by task, in one view of these arms' rows."""
    own = [row for row in rows if row.claim == SHAM and row.view == view]
    found = {}
    for task in dict.fromkeys(row.task for row in own):
        by_arm = [
            {row.seed: row for row in own if (row.task, row.contrast) == (task, arm)}
            for arm in dict.fromkeys(row.contrast for row in own)
        ]
        seeds = sorted(set.intersection(*(set(each) for each in by_arm)))
        if not seeds:
            continue
        first = by_arm[0]
        numbers = np.array(
            [[first[seed].control for seed in seeds]]
            + [[each[seed].arm for seed in seeds] for each in by_arm]
        )
        logarithmic = first[seeds[0]].scale == "log ratio"
        found[task] = Alike(
            np.log(np.maximum(numbers, TINY)) if logarithmic else numbers,
            np.array([first[seed].fold for seed in seeds]),
        )
    return found


@dataclass(frozen=True)
class KnownLuck:
    """The luck of the search, as far as enough arms that do nothing tell it.

    Attributes:
        by_view: By view of these arms' rows, then by task.
    """

    by_view: Mapping[str, Mapping[str, Luck]]

    def __bool__(self) -> bool:
        """Whether any luck is known."""
        return any(self.by_view.values())

    def on(self, contrast: Contrast, rows: Sequence[Row]) -> Mapping[str, Luck]:
        """Return the luck in the rows of a contrast, by task: where its arms were searched apart and it is known."""
        measure = measure_of(contrast, rows[0].view)
        known = self.by_view.get(measure.view, {}) if measure else {}
        apart = {row.task for row in rows if row.searched_apart}
        return {task: luck for task, luck in known.items() if task in apart}


def known_luck(rows: Sequence[Row]) -> KnownLuck:
    """Return the luck that the table of units tells: none with fewer than `FEWEST` arms that do nothing."""
    views = dict.fromkeys(row.view for row in rows if row.claim == SHAM)
    return KnownLuck(
        {
            view: {
                task: luck_between(each.numbers)
                for task, each in alike(rows, view).items()
                if len(each.numbers) >= FEWEST and each.numbers.shape[1] > 1
            }
            for view in views
        }
    )
