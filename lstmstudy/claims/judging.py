"""From the table of units to a verdict on every claim; nothing else is read."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.claims.arms import trained_units
from lstmstudy.claims.document import (
    DESCRIBED,
    ELSEWHERE,
    MISSING,
    NOWHERE,
    ClaimFound,
    ContrastFound,
    Secondary,
    TaskEffect,
    Variation,
)
from lstmstudy.claims.quantities import QUANTITIES
from lstmstudy.claims.rows import DECLARED, LAST, SECONDARY, contrast_rows, rounded
from lstmstudy.claims.table import load_claims
from lstmstudy.params import ParamsError, load_profile, profile_names
from lstmstudy.stats import rule
from lstmstudy.stats.calibration import Question
from lstmstudy.stats.sample import Sample, bootstrap_interval
from lstmstudy.stats.sign_flips import holm
from lstmstudy.stats.tested import Tested, evidence, tested

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lstmstudy.claims.rows import Row
    from lstmstudy.claims.table import Claim, Contrast
    from lstmstudy.params import Profile

SHOWN = {
    rule.LOWER: "lower",
    rule.HIGHER: "higher",
    rule.SAME: rule.NO_DIFFERENCE,
    rule.DEPENDS: rule.BY_TASK,
    rule.INCONCLUSIVE: rule.OPEN,
}


@dataclass(frozen=True)
class Judged:
    """One contrast as it is judged: its rows, its tests over all tasks and on each.

    A contrast that must hold on every task is one of these for each task.
    """

    contrast: Contrast
    rows: tuple[Row, ...]
    sample: Sample
    whole: Tested
    tasks: tuple[Tested, ...]

    def shows(self, p: float) -> int:
        """Return what it shows, the p being adjusted."""
        return int(rule.shown(evidence(self.whole, list(self.tasks), p)))


@dataclass(frozen=True)
class Judgement:
    """Tests of contrasts, from rows: what a study's verdicts are made of.

    Attributes:
        overlap: By task, test targets over training targets where training parts of the units overlap.
    """

    overlap: Mapping[str, float]

    def judged(self, contrast: Contrast, margin: float, rows: Sequence[Row]) -> Judged:
        """Return one contrast, tested."""
        sample, bound = sample_of(rows), bound_of(margin, rows[0].scale)
        tasks = tuple(tested(sample.on(task), bound, self.overlap) for task in sample.tasks)
        whole = tasks[0] if len(tasks) == 1 else tested(sample, bound, self.overlap)
        return Judged(contrast, tuple(rows), sample, whole, tasks)

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


def ordered(rows: Sequence[Row], profile: Profile) -> list[Row]:
    """Return rows in the order in which a study makes them, so that their order in a table does not count."""
    places = {task: place for place, task in enumerate(profile.tasks)}
    return sorted(
        rows,
        key=lambda row: (
            row.claim,
            row.contrast,
            row.view,
            places.get(row.task, len(places)),
            row.task,
            row.seed,
            row.fold,
        ),
    )


def sample_of(rows: Sequence[Row]) -> Sample:
    """Return the numbers of some rows."""
    tasks = dict.fromkeys(row.task for row in rows)
    values = {task: [row.number for row in rows if row.task == task] for task in tasks}
    return Sample.of(values, {task: [row.fold for row in rows if row.task == task] for task in tasks})


def bound_of(margin: float, scale: str) -> float:
    """Return a margin on the scale of the numbers."""
    return math.log1p(margin) if scale == "log ratio" else margin


def claims_found(
    profile: Profile, folder: Path, rows: Sequence[Row], overlap: Mapping[str, float]
) -> list[ClaimFound]:
    """Return every claim with its verdict, or with the profile that judges it.

    The family, within which Holm adjusts, is made of the claims that are judged: those of which this
    profile trains all arms, with as many units of each task as the claim asks for.

    Args:
        profile: What was trained.
        folder: Where the parameters lie.
        rows: The table of units.
        overlap: As in `Judgement`.
    """
    claims, bench, rows = load_claims(folder), Judgement(overlap), ordered(rows, profile)
    by_claim = {name: _by_contrast(rows, name, DECLARED) for name in claims}
    tests = {name: bench.contrasts(claim, by_claim[name]) for name, claim in claims.items()}
    where = judging_profiles(claims, profile, folder)
    # A claim whose runs are missing stays in the family: what was not seen is no reason to adjust less.
    family = [name for name, (judges, _) in where.items() if judges == profile.name]
    complete = {name: enough(claims[name], tests[name]) for name in claims}
    ps = {name: max(each.whole.p for each in tests[name]) if complete[name] else 1.0 for name in family}
    found = []
    for name, claim in claims.items():
        judged = name in family and complete[name]
        own = [adjusted(ps, name, each.whole.p) if judged else 1.0 for each in tests[name]]
        verdict, reason = (
            (_verdict(tests[name], own), "")
            if judged
            else _unjudged(name, claims, tests[name], profile, where)
        )
        variations = _variations(bench, name, tests[name], rows, ps, claim=claim) if judged else []
        secondary = _secondary(rows, name)
        found.append(
            ClaimFound(
                id=name,
                words=claim.words,
                chapter=claim.chapter,
                verdict=verdict,
                judged=judged,
                reason=reason,
                equal=claim.equal,
                margin=claim.margin,
                units=claim.units,
                p=rounded(ps[name]) if judged else None,
                p_adjusted=rounded(max(own)) if judged else None,
                contrasts=tuple(contrast_found(each, p) for each, p in zip(tests[name], own, strict=True)),
                secondary=tuple(secondary),
                robustness=tuple(variations),
                marks=tuple(_marks(verdict, tests[name], secondary, variations)),
            )
        )
    return found


def _by_contrast(rows: Sequence[Row], claim: str, view: str) -> dict[int, list[Row]]:
    numbers = dict.fromkeys(row.contrast for row in rows if row.claim == claim)
    found = {number: contrast_rows(rows, claim, number, view) for number in numbers}
    return {number: own for number, own in found.items() if own}


def enough(claim: Claim, tests: Sequence[Judged]) -> bool:
    """Whether every contrast of a claim has as many units of each task as the claim asks for."""
    return bool(tests) and all(each.sample.fewest >= claim.units for each in tests)


def adjusted(ps: Mapping[str, float], name: str, p: float) -> float:
    """Return the p of a claim after Holm, the other claims of the family having theirs."""
    family = list(ps)
    return float(holm([p if each == name else ps[each] for each in family])[family.index(name)])


def _verdict(tests: Sequence[Judged], ps: Sequence[float]) -> str:
    """Return the verdict; that all contrasts are below .05 after Holm is that the largest p is."""
    shows = [each.shows(p) for each, p in zip(tests, ps, strict=True)]
    return rule.verdict(shows, [each.contrast.expect for each in tests])


def _unjudged(
    name: str,
    claims: dict[str, Claim],
    tests: Sequence[Judged],
    profile: Profile,
    where: Mapping[str, tuple[str, int]],
) -> tuple[str, str]:
    """Return what stands in place of a verdict, and why."""
    claim = claims[name]
    if claim.described:
        return DESCRIBED, claim.described
    judges, units = where[name]
    if profile.name == judges:
        fewest = min((each.sample.fewest for each in tests), default=0)
        return MISSING, f"{fewest} of the {claim.units} units of each task that a verdict needs are there."
    there = f"{ELSEWHERE} {judges}" if judges else NOWHERE
    if not units:
        return there, f"This profile does not train its arms; {judges or 'no profile'} does."
    return there, f"A verdict needs {claim.units} units of each task; this profile has {units}."


def judging_profiles(claims: dict[str, Claim], profile: Profile, folder: Path) -> dict[str, tuple[str, int]]:
    """Return by claim the profile that judges it, "" if none, and the units with which `profile` trains it.

    It is `profile` itself, or that with the fewest units; one whose file is wrong judges nothing.
    """
    others = []
    for name in profile_names(folder):
        with contextlib.suppress(ParamsError):
            others.append(load_profile(name, folder))
    ranked = [profile, *sorted(others, key=lambda each: each.units)]
    found = {}
    for name, claim in claims.items():
        units = [trained_units(each, claims, name, folder) for each in ranked]
        judges = (each.name for each, n in zip(ranked, units, strict=True) if n >= claim.units)
        found[name] = next(judges, ""), units[0]
    return found


def contrast_found(each: Judged, p: float) -> ContrastFound:
    """Return one contrast as the document has it."""
    contrast, whole, rows = each.contrast, each.whole, each.rows
    return ContrastFound(
        arm=_read(contrast.arm, contrast.reading or contrast.scheme),
        control=_read(contrast.control, contrast.control_reading or contrast.control_scheme),
        quantity=f"{contrast.quantity} {contrast.noise:g} sd" if contrast.noise else contrast.quantity,
        unit=QUANTITIES[contrast.quantity].unit,
        scale=rows[0].scale,
        expect=contrast.expect,
        shown=SHOWN[each.shows(p)],
        **{key: _finite(value) for key, value in dataclasses.asdict(whole).items() if key != "n"},
        tasks=tuple(
            TaskEffect(
                task=task,
                n=tests.n[0],
                **{
                    key: _finite(getattr(tests, key))
                    for key in ("estimate", "low", "high", "p", "improvement")
                },
                failed=sum(row.failed for row in rows if row.task == task),
            )
            for task, tests in zip(each.sample.tasks, each.tasks, strict=True)
        ),
    )


def _read(name: str, reading: str | None) -> str:
    return f"{name}, {reading}" if reading else name


def _finite(value: float) -> float | None:
    return rounded(value) if math.isfinite(value) else None


def _variations(
    bench: Judgement,
    name: str,
    tests: Sequence[Judged],
    rows: Sequence[Row],
    ps: Mapping[str, float],
    *,
    claim: Claim,
) -> list[Variation]:
    """Return the verdict if one choice were another, for each choice that can be."""

    def again(change: str, of: Mapping[int, Sequence[Row]]) -> Iterable[Variation]:
        varied = bench.contrasts(claim, of)
        if len(varied) == len(tests) or (varied and not claim.each_task):
            own = [adjusted(ps, name, each.whole.p) for each in varied]
            yield Variation(change=change, verdict=_verdict(varied, own))

    declared = _by_contrast(rows, name, DECLARED)
    found = list(again("read at the last epoch", _by_contrast(rows, name, LAST)))
    tasks = list(dict.fromkeys(row.task for own in declared.values() for row in own))
    for task in tasks if len(tasks) > 1 and not claim.each_task else ():
        left = {number: [row for row in own if row.task != task] for number, own in declared.items()}
        found += again(f"without {task}", left)
    if any(row.failed for own in declared.values() for row in own):
        whole = {number: [row for row in own if not row.failed] for number, own in declared.items()}
        found += again("without failed runs", whole)
    widths = dict.fromkeys(row.view for row in rows if row.claim == name and row.view.startswith("width "))
    for view in widths:
        found += again(view, _by_contrast(rows, name, view))
    return found


def _secondary(rows: Sequence[Row], claim: str) -> list[Secondary]:
    """Return the first contrast in the secondary metrics: absolute errors as log ratios, error rates as differences."""
    own = contrast_rows(rows, claim, 0, SECONDARY)
    found = []
    for metric, scale in (("mae", "log ratio"), ("error_rate", "difference")):
        part = [row for row in own if row.scale == scale]
        if part:
            sample = sample_of(part)
            low, high = bootstrap_interval(sample)
            found.append(
                Secondary(
                    metric=metric,
                    scale=part[0].scale,
                    estimate=rounded(sample.estimate),
                    low=_finite(low),
                    high=_finite(high),
                )
            )
    return found


def _marks(
    verdict: str, tests: Sequence[Judged], secondary: Sequence[Secondary], variations: Sequence[Variation]
) -> Iterable[str]:
    """Return on which of our choices a verdict hangs."""
    if verdict in (rule.SUPPORTED, rule.CONTRADICTED):
        lower = tests[0].whole.estimate < 0
        against = (
            each.low is not None and each.low > 0 if lower else each.high is not None and each.high < 0
            for each in secondary
        )
        if any(against):
            yield "metric-dependent"
    if any(each.change == "read at the last epoch" and each.verdict != verdict for each in variations):
        yield "reading-dependent"


def questions(
    folder: Path, rows: Sequence[Row], family: Sequence[str], overlap: Mapping[str, float]
) -> list[Question]:
    """Return the claims of the family as the rule sees them, for replays."""
    claims, bench = load_claims(folder), Judgement(overlap)
    found = []
    for name in family:
        tests = bench.contrasts(claims[name], _by_contrast(rows, name, DECLARED))
        found.append(
            Question(
                tuple(each.sample for each in tests),
                tuple(
                    tuple(
                        np.array([row.seed for row in each.rows if row.task == task])
                        for task in each.sample.tasks
                    )
                    for each in tests
                ),
                tuple(each.contrast.expect for each in tests),
                tuple(bound_of(claims[name].margin, each.rows[0].scale) for each in tests),
            )
        )
    return found
