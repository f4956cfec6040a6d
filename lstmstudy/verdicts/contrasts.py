"""Contrasts, tested: from rows of the table of units to what each of them shows."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmstudy.stats import rule
from lstmstudy.stats.sample import Sample
from lstmstudy.stats.sign_flips import holm
from lstmstudy.stats.tested import Tested, evidence, tested
from lstmstudy.verdicts.document import ContrastFound, TaskEffect
from lstmstudy.verdicts.quantities import QUANTITIES
from lstmstudy.verdicts.rows import contrast_rows, rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lstmstudy.claims.table import Claim, Contrast
    from lstmstudy.stats.luck import Luck
    from lstmstudy.verdicts.rows import Row
    from lstmstudy.verdicts.shams import KnownLuck

SHOWN = {
    rule.LOWER: "lower",
    rule.HIGHER: "higher",
    rule.SAME: rule.NO_DIFFERENCE,
    rule.DEPENDS: rule.BY_TASK,
    rule.INCONCLUSIVE: rule.OPEN,
}


@dataclass(frozen=True)
class Judged:
    """One contrast as it is judged: its rows, its tests over all tasks and on each, and the luck that is in them.

    A contrast that must hold on every task is one of these for each task.
    """

    contrast: Contrast
    rows: tuple[Row, ...]
    sample: Sample
    whole: Tested
    tasks: tuple[Tested, ...]
    luck: Mapping[str, Luck]

    @property
    def lacks_luck(self) -> bool:
        """Whether its arms were searched apart on a task, and how much luck that is in this quantity is not known."""
        return any(row.searched_apart and row.task not in self.luck for row in self.rows)

    def shows(self, p: float) -> int:
        """Return what it shows, the p being adjusted."""
        return int(rule.shown(evidence(self.whole, list(self.tasks), p)))


@dataclass(frozen=True)
class Judgement:
    """Tests of contrasts, from rows: what a study's verdicts are made of.

    Attributes:
        overlap: By task, the ratio of test to training targets, where training parts of the units overlap.
        luck: Of the search.
    """

    overlap: Mapping[str, float]
    luck: KnownLuck

    def judged(self, contrast: Contrast, margin: float, rows: Sequence[Row]) -> Judged:
        """Return one contrast, tested."""
        sample, bound = sample_of(rows), bound_of(margin, rows[0].scale)
        luck = self.luck.on(contrast, rows)
        tasks = tuple(tested(sample.on(task), bound, self.overlap, luck) for task in sample.tasks)
        whole = tasks[0] if len(tasks) == 1 else tested(sample, bound, self.overlap, luck)
        return Judged(contrast, tuple(rows), sample, whole, tasks, luck)

    def contrasts(self, claim: Claim, rows: Mapping[int, Sequence[Row]]) -> list[Judged]:
        """Return the contrasts of a claim, tested: all of them, or none if one has no rows."""
        found = []
        for number, contrast in enumerate(claim.contrasts):
            own = rows.get(number, ())
            if not own:
                return []
            parts = [
                [row for row in own if row.task == task] for task in dict.fromkeys(row.task for row in own)
            ]
            found += [
                self.judged(contrast, claim.margin, part) for part in (parts if claim.each_task else [own])
            ]
        return found


def sample_of(rows: Sequence[Row]) -> Sample:
    """Return the numbers of some rows."""
    tasks = dict.fromkeys(row.task for row in rows)
    values = {task: [row.number for row in rows if row.task == task] for task in tasks}
    return Sample.of(values, {task: [row.fold for row in rows if row.task == task] for task in tasks})


def bound_of(margin: float, scale: str) -> float:
    """Return a margin on the scale of the numbers."""
    return math.log1p(margin) if scale == "log ratio" else margin


def by_contrast(rows: Sequence[Row], claim: str, view: str) -> dict[int, list[Row]]:
    """Return the rows of a claim in one view, by contrast; a contrast without rows is left out."""
    numbers = dict.fromkeys(row.contrast for row in rows if row.claim == claim)
    found = {number: contrast_rows(rows, claim, number, view) for number in numbers}
    return {number: own for number, own in found.items() if own}


def adjusted(ps: Mapping[str, float], name: str, p: float) -> float:
    """Return the p of a claim after Holm, the other claims of the family having theirs."""
    family = list(ps)
    return float(holm([p if each == name else ps[each] for each in family])[family.index(name)])


def verdict_of(tests: Sequence[Judged], ps: Sequence[float]) -> str:
    """Return the verdict; that all contrasts are below .05 after Holm is that the largest p is."""
    shows = [each.shows(p) for each, p in zip(tests, ps, strict=True)]
    return rule.verdict(shows, [each.contrast.expect for each in tests])


def contrast_found(each: Judged, p: float, words: Callable[[str], str] = str) -> ContrastFound:
    """Return one contrast as the document has it.

    Args:
        each: The contrast.
        p: Its p, adjusted.
        words: Returns the name of an arm as readers know it.
    """
    contrast, whole, rows = each.contrast, each.whole, each.rows
    return ContrastFound(
        arm=_read(words(contrast.arm), contrast.reading or contrast.scheme),
        control=_read(words(contrast.control), contrast.control_reading or contrast.control_scheme),
        quantity=f"{contrast.quantity} {contrast.noise:g} sd" if contrast.noise else contrast.quantity,
        unit=QUANTITIES[contrast.quantity].unit,
        scale=rows[0].scale,
        expect=contrast.expect,
        shown=SHOWN[each.shows(p)],
        **{key: finite_or_none(value) for key, value in dataclasses.asdict(whole).items() if key != "n"},
        tasks=tuple(
            TaskEffect(
                task=task,
                n=tests.n[0],
                **{
                    key: finite_or_none(getattr(tests, key))
                    for key in ("estimate", "low", "high", "p", "improvement")
                },
                failed=sum(row.failed for row in rows if row.task == task),
            )
            for task, tests in zip(each.sample.tasks, each.tasks, strict=True)
        ),
    )


def _read(name: str, reading: str | None) -> str:
    return f"{name}, {reading}" if reading else name


def finite_or_none(value: float) -> float | None:
    """Return a number as the document has it."""
    return rounded(value) if math.isfinite(value) else None
