"""The table of units: every number that a claim is judged by, and the runs behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lstmstudy.arms import BASELINE
from lstmstudy.claims.arms import trained_units
from lstmstudy.claims.table import Contrast, load_claims
from lstmstudy.params.search import rounded as significant
from lstmstudy.runs import short
from lstmstudy.stats.effects import log_ratio
from lstmstudy.stats.luck import FEWEST
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.study.ablation import ALL_TASKS
from lstmstudy.verdicts.bench import Bench, measured
from lstmstudy.verdicts.measures import DECLARED, LAST, SECONDARY, VALIDATION, measures_of, views_of
from lstmstudy.verdicts.quantities import QUANTITIES, error_on_test

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lstmstudy.arms import Arm, Unit
    from lstmstudy.plan import Plan
    from lstmstudy.verdicts.bench import Measured
    from lstmstudy.verdicts.quantities import Scale

SHAM = "sham"  # stands for a claim in the rows of techniques that do nothing
TECHNIQUE = "technique"  # ... and in those of all others against their controls
DIGITS = 6  # significant ones of every number that a report is drawn from


@dataclass(frozen=True)
class Row:
    """One unit of one contrast.

    Attributes:
        claim: Id of the claim.
        contrast: Place of the contrast in the claim, from 0.
        view: ``"declared"``, or how else the contrast is looked at: ``"last"`` reads both arms at the last
            epoch, ``"secondary"`` takes the secondary metric, ``"validation"`` the validation part,
            ``"width 64"`` other networks; of a technique that does nothing, another measure than the test error.
        task: Name of the task, or ``"all tasks"``.
        fold: Fold of the unit.
        seed: Its seed.
        arm: The quantity of the arm.
        control: The quantity of the control.
        number: Their log ratio or difference, as `scale` says.
        scale: ``"log ratio"`` or ``"difference"``.
        failed: Whether a run of the unit diverged.
        searched_apart: Whether arm and control learn at different rates: the sign that the luck of two searches is in it.
        arm_runs: Identities of the arm's runs, shortened, apart by a space; none where many runs make a number.
        control_runs: The same of the control.
    """

    claim: str
    contrast: int
    view: str
    task: str
    fold: int
    seed: int
    arm: float
    control: float
    number: float
    scale: Literal["log ratio", "difference"]
    failed: bool
    searched_apart: bool
    arm_runs: str
    control_runs: str


def rounded(value: float) -> float:
    """Return a number with six significant digits."""
    return significant(value, DIGITS)


def unit_rows(bench: Bench) -> tuple[list[Row], list[str]]:
    """Return the table of units of a study, and what could not be measured, one line each.

    A unit in which a run is missing has no row; neither has one whose quantity a diverged run leaves
    without a value.
    """
    rows, problems = list[Row](), list[str]()
    parts = (*_claim_parts(bench), *_sham_parts(bench), *_technique_parts(bench))
    for name, part in parts:
        try:
            rows += list(part)  # all of a contrast or nothing of it: fewer tasks would be another claim
        except MissingRunsError as error:
            problems.append(f"{name}: {error}")
    return rows, problems


def _claim_parts(bench: Bench) -> Iterator[tuple[str, Iterator[Row]]]:
    """Return the rows of each contrast of each claim in each view, with their name."""
    claims = load_claims(bench.plan.folder)
    widths = (Bench(bench.plan.at_width(width), bench.outcome) for width in bench.plan.profile.widths)
    for place in (bench, *widths):
        declared = DECLARED if place is bench else f"width {place.plan.profile.network.width}"
        for name, claim in claims.items():
            if not trained_units(place.plan.profile, claims, name, place.plan.folder):
                continue
            for number, contrast in enumerate(claim.contrasts):
                for view in (declared, *(views_of(contrast) if place is bench else ())):
                    words = f"{name}, {contrast.arm} against {contrast.control}, {view}"
                    yield words, _rows(place, name, number, contrast, view)


def _sham_parts(bench: Bench) -> Iterator[tuple[str, Iterator[Row]]]:
    """Return the rows of each technique that does nothing, in every measure whose luck is wanted, with its name."""
    shams = sham_contrasts(bench.plan)
    measures = measures_of(bench.plan) if len(shams) + 1 >= FEWEST else ()
    for number, contrast in enumerate(shams):
        yield contrast.arm, _rows(bench, SHAM, number, contrast, DECLARED)
        for each in measures:
            yield f"{contrast.arm}, {each.view}", _rows(bench, SHAM, number, each.of(contrast), each.view)


def _technique_parts(bench: Bench) -> Iterator[tuple[str, Iterator[Row]]]:
    """Return the rows of each compared arm on each task, with their name."""
    for number, arm in enumerate(bench.plan.compared_arms):
        for task in arm.tasks:
            yield f"{arm.name} on {task}", _technique_rows(bench, number, arm, task)


def _technique_rows(bench: Bench, number: int, arm: Arm, task: str) -> Iterator[Row]:
    """Return the test errors of a compared arm and its control on a task, and the validation errors, which choose."""
    control = arm.control
    if control is None or arm.technique is None or arm.unfit(bench.plan.tasks[task].info):
        return
    ablation = bench.ablation(arm)
    units = {(unit.fold, unit.seed): unit for unit in ablation.units(task)}
    for view, part in ((DECLARED, "test"), (VALIDATION, "validation")):
        errors = ablation.paired(arm, control, task, part=part)
        found = measured(ablation, task, [arm, control], *errors)
        runs = {
            place: tuple(_named(bench, each, unit) for each in (arm, control))
            for place, unit in units.items()
        }
        apart = arm.searched_apart(control, task)
        yield from _measured_rows(
            (TECHNIQUE, number, view, task), found, "log ratio", runs, searched_apart=apart
        )


def sham_contrasts(plan: Plan) -> list[Contrast]:
    """Return each technique that does nothing against the baseline, as a claim would have it."""
    keys = plan.tuned_arms(SHAM) if SHAM in plan.profile.techniques else ()
    return [Contrast(arm=key, control=BASELINE, expect="lower") for key in keys]


def _rows(bench: Bench, claim: str, number: int, contrast: Contrast, view: str) -> Iterator[Row]:
    quantity = QUANTITIES[contrast.quantity]
    seen = contrast
    if view == LAST:
        seen = contrast.model_copy(update={"reading": LAST, "control_reading": LAST})
        if bench.pair(seen, bench.tasks(seen)[0])[0] == bench.pair(seen, bench.tasks(seen)[0])[1]:
            return  # the same runs, read in the same way
    for task in bench.tasks(seen) if contrast.quantity != "gain and spread" else [ALL_TASKS]:
        scale = quantity.scale
        if view == SECONDARY:
            metric = bench.plan.tasks[task].info.secondary
            scale = "difference" if metric == "error_rate" else scale
            found = error_on_test(bench, seen, task, metric)
        else:
            found = quantity.measure(bench, seen, task)
        runs = _runs(bench, seen, task)
        arm, control = bench.pair(seen, task)
        searched_apart = task != ALL_TASKS and arm.searched_apart(control, task)
        place = claim, number, view, task
        yield from _measured_rows(place, found, scale, runs, searched_apart=searched_apart)


def _measured_rows(
    place: tuple[str, int, str, str],
    found: Measured,
    scale: Scale,
    runs: Mapping[tuple[int, int], tuple[str, ...]],
    *,
    searched_apart: bool,
) -> Iterator[Row]:
    """Return a row for each unit that has both values; `place` is claim, contrast, view and task, `runs` by fold and seed."""
    for fold, seed, own, other, failed in _units(found):
        apart = float(log_ratio(np.array(own), np.array(other))) if scale == "log ratio" else own - other
        named = runs.get((fold, seed), ("", ""))
        yield Row(*place, fold, seed, own, other, rounded(apart), scale, failed, searched_apart, *named)


def _units(measured: Measured) -> Iterator[tuple[int, int, float, float, bool]]:
    """Return fold, seed, both values at six digits, and whether a run failed, of each unit that has both."""
    for own, other, failed, fold, seed in zip(*measured, strict=True):
        if np.isfinite(own) and np.isfinite(other):
            yield int(fold), int(seed), rounded(own), rounded(other), bool(failed)


def _runs(bench: Bench, contrast: Contrast, task: str) -> dict[tuple[int, int], tuple[str, str]]:
    """Return the runs of arm and control by fold and seed of the unit, where a number comes from one unit's runs."""
    if contrast.quantity in ("miss", "gain and spread") or contrast.beyond is not None:
        return {}
    pair = bench.pair(contrast, task)
    units = bench.ablation(*dict.fromkeys(reversed(pair))).units(task)
    return {
        (unit.fold, unit.seed): (_named(bench, pair[0], unit), _named(bench, pair[1], unit)) for unit in units
    }


def _named(bench: Bench, arm: Arm, unit: Unit) -> str:
    return " ".join(short(bench.plan.run(recipe, unit).identity) for recipe in arm.on(unit.task))


def contrast_rows(rows: Sequence[Row], claim: str, contrast: int, view: str = DECLARED) -> list[Row]:
    """Return the rows of one contrast in one view."""
    return [row for row in rows if (row.claim, row.contrast, row.view) == (claim, contrast, view)]
