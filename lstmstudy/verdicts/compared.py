"""The arms that are compared on every task: their effects, and what they cost, from the tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.claims.table import Contrast
from lstmstudy.params.grids import load_technique
from lstmstudy.plan import COMPARISON
from lstmstudy.stats.sign_flips import ALPHA
from lstmstudy.verdicts.contrasts import contrast_found, finite_or_none, sample_of
from lstmstudy.verdicts.document import Advice, ArmCost, TaskEffect, TechniqueFound
from lstmstudy.verdicts.measures import DECLARED, VALIDATION
from lstmstudy.verdicts.rows import TECHNIQUE, contrast_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.plan import Plan
    from lstmstudy.stats.tested import Tested
    from lstmstudy.verdicts.contrasts import Judgement
    from lstmstudy.verdicts.rows import Row
    from lstmstudy.verdicts.tables import Tables

MARGIN = 0.05  # of no practical difference, as of the claims
_AGAINST = Contrast(arm="one arm", control="another", expect="lower")  # in the test error


def techniques_found(plan: Plan, rows: Sequence[Row], judgement: Judgement) -> list[TechniqueFound]:
    """Return every compared technique against its control; of the ways to read, the one that validation chooses."""
    found = dict[str, tuple[float, TechniqueFound]]()
    for number, arm in enumerate(plan.compared_arms):
        own = contrast_rows(rows, TECHNIQUE, number, DECLARED)
        if arm.technique is None or arm.control is None or not own:
            continue
        words, control = in_words(arm), in_words(arm.control)
        reading = "last" if arm.control.reading == "last" and "last" not in control else None
        contrast = Contrast(arm=words, control=control, expect="lower", control_reading=reading)
        judged = judgement.judged(contrast, MARGIN, own)
        technique = TechniqueFound(
            arm=words,
            technique=arm.technique.name,
            chapter=load_technique(arm.technique.name, plan.folder).notebook,
            effect=contrast_found(judged, judged.whole.p),
        )
        rank = _on_validation(rows, number)
        key = arm.technique.name if arm.technique.is_reading else words
        if key not in found or rank < found[key][0]:
            found[key] = (rank, technique)
    return [technique for _, technique in found.values()]


def in_words(arm: Arm) -> str:
    """Return the name of a compared arm; that it was tuned goes without saying."""
    return arm.name.replace(", tuned", "")


def _on_validation(rows: Sequence[Row], number: int, task: str | None = None) -> float:
    """Return the mean log ratio of an arm's validation errors over its control's, on a task or over all."""
    own = contrast_rows(rows, TECHNIQUE, number, VALIDATION)
    own = [row for row in own if task in (None, row.task)]
    return sample_of(own).estimate if own else float("inf")


def advice_found(
    plan: Plan, rows: Sequence[Row], costs: Sequence[ArmCost], judgement: Judgement
) -> list[Advice]:
    """Return what to use on each task: what has the lowest validation error, techniques and the baseline alike.

    Ways to stop are left out, as every arm keeps the epoch with its lowest validation error anyway.
    """
    arms = {
        number: arm
        for number, arm in enumerate(plan.compared_arms)
        if arm.technique is not None and not arm.technique.is_reading
    }
    cost = {each.arm: each.updates_to_best or np.inf for each in costs}
    found = []
    for task in plan.profile.tasks:
        ranks = {number: _on_validation(rows, number, task) for number in arms}
        ranks = {number: rank for number, rank in ranks.items() if np.isfinite(rank)}
        if not ranks:
            continue
        best = min(ranks, key=lambda number: ranks[number])
        tests = {number: _on_task(rows, number, task) for number in ranks}
        helps = ranks[best] < 0
        chosen = tests[best] if helps else ()
        arm = arms[best] if helps else plan.tuned_baseline
        apart = judgement.judged(_AGAINST, MARGIN, tests[best]).whole
        same = [
            (cost.get(arms[number].name, np.inf), in_words(arms[number]))
            for number in ranks
            if (number != best or not helps) and _same(tests[number], chosen, judgement)
        ]
        if helps and _same(chosen, (), judgement):
            same.append((1.0, in_words(plan.tuned_baseline)))  # costs are told in those of the baseline
        technique = arm.technique
        errors = [row.arm if helps else row.control for row in tests[best]]
        found.append(
            Advice(
                task=task,
                arm=in_words(arm),
                chapter=load_technique(technique.name, plan.folder).notebook if technique else "",
                recipe=arm.on(task)[0].describe(),
                effect=_task_effect(task, tests[best], apart) if helps else None,
                error=finite_or_none(finite_mean(np.array(errors))),
                same=tuple(name for _, name in sorted(same)),
                compared=len(ranks),
                units_needed=finite_or_none(apart.units_needed),
            )
        )
    return found


def _on_task(rows: Sequence[Row], number: int, task: str) -> list[Row]:
    return [row for row in contrast_rows(rows, TECHNIQUE, number, DECLARED) if row.task == task]


def _same(arm: Sequence[Row], other: Sequence[Row], judgement: Judgement) -> bool:
    """Whether an arm is shown to lie within the margin of another, or of the baseline if there is none, unit by unit."""
    known = {(row.fold, row.seed): row for row in other}
    rows = [
        _less(row, known[row.fold, row.seed]) if other else row
        for row in arm
        if not other or (row.fold, row.seed) in known
    ]
    if not rows:
        return False
    return judgement.judged(_AGAINST, MARGIN, rows).whole.p_equivalence < ALPHA


def _less(row: Row, other: Row) -> Row:
    """Return an arm against another, from the rows of both against the baseline; one search apart from it is enough."""
    apart = row.searched_apart or other.searched_apart
    return replace(row, number=row.number - other.number, searched_apart=apart)


def _task_effect(task: str, rows: Sequence[Row], tests: Tested) -> TaskEffect:
    numbers = {
        key: finite_or_none(getattr(tests, key)) for key in ("estimate", "low", "high", "p", "improvement")
    }
    return TaskEffect(task=task, n=tests.n[0], failed=sum(row.failed for row in rows), **numbers)


def costs_found(tables: Tables, control: str) -> list[ArmCost]:
    """Return what each arm of the comparison costs beside the baseline, on the tasks that have both."""
    runs = {row["run"]: row for row in tables.runs}
    arms = [row for row in tables.arms if row["chapter"] == COMPARISON]
    names = list(dict.fromkeys(row["arm"] for row in arms))
    baseline = {
        task: _means(arms, runs, control, task)
        for task in dict.fromkeys(row["task"] for row in arms if row["arm"] == control)
    }
    costs = []
    for name in names:
        own = [row for row in arms if row["arm"] == name]
        tasks = [task for task in dict.fromkeys(row["task"] for row in own) if task in baseline]
        if not tasks:
            continue
        ratios = np.array([_means(arms, runs, name, task) / baseline[task] for task in tasks])
        failed = [bool(runs[run]["diverged"]) for row in own for run in row["runs"].split()]
        parameters, updates = (finite_mean(column) for column in ratios.T)
        costs.append(
            ArmCost(
                arm=name,
                parameters=finite_or_none(parameters),
                updates_to_best=finite_or_none(updates),
                failed=sum(failed),
                runs=len(failed),
            )
        )
    return costs


def _means(
    arms: Sequence[dict[str, str]], runs: dict[str, dict[str, str]], name: str, task: str
) -> np.ndarray:
    """Return parameters, and updates up to the epoch that is read, as means over the units of an arm on a task."""
    found = []
    for row in arms:
        if (row["arm"], row["task"]) != (name, task):
            continue
        models = [runs[run] for run in row["runs"].split()]
        kept = [model.get(f"{row['reading']} epoch", "") for model in models]
        updates = [
            float(epoch) * float(model["updates"]) if epoch else np.nan
            for epoch, model in zip(kept, models, strict=True)
        ]
        found.append((sum(float(model["parameters"] or "nan") for model in models), sum(updates)))
    return np.array([finite_mean(column) for column in np.array(found).T])


def finite_mean(values: np.ndarray) -> float:
    """Return the mean of the finite values; NaN if there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
