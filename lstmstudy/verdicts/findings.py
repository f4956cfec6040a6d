"""Everything that a study found, from its tables alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.plan import COMPARISON
from lstmstudy.verdicts.compared import advice_found, costs_found, finite_mean, techniques_found
from lstmstudy.verdicts.contrasts import Judgement, finite_or_none
from lstmstudy.verdicts.document import Findings, RunCount, TaskFacts
from lstmstudy.verdicts.honesty import calibration_found
from lstmstudy.verdicts.judging import claims_found, ordered
from lstmstudy.verdicts.shams import known_luck

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.plan import Plan
    from lstmstudy.verdicts.tables import Tables


def findings_of(plan: Plan, tables: Tables, problems: Sequence[str]) -> Findings:
    """Return the findings of a study.

    Args:
        plan: Which claims there are, and the facts about tasks and search.
        tables: Every number that a finding rests on.
        problems: What could not be measured, one line each.
    """
    rows = ordered(tables.units, plan.profile)
    judgement = Judgement(_overlap(plan), known_luck(rows))
    claims = claims_found(plan.profile, plan.folder, rows, judgement)
    family = [claim.id for claim in claims if claim.judged]
    costs = costs_found(tables, plan.tuned_baseline.name)
    return Findings(
        profile=plan.profile.name,
        trials=plan.n_trials,
        tuned=plan.tuned_notes,
        tasks=tuple(_facts(plan, tables, name) for name in plan.profile.tasks),
        claims=tuple(claims),
        techniques=tuple(techniques_found(plan, rows, judgement)),
        advice=tuple(advice_found(plan, rows, costs, judgement)),
        runs=RunCount(
            planned=len(plan.all_runs),
            stored=len(tables.runs),
            diverged=sum(bool(row["diverged"]) for row in tables.runs),
        ),
        calibration=calibration_found(plan, rows, family, judgement),
        arms=tuple(costs),
        problems=tuple(problems),
    )


def _overlap(plan: Plan) -> dict[str, float]:
    """Return the ratio of test to training targets by task, where units share data: not where series are made afresh."""
    return {
        name: float(np.mean([len(fold.test.y) / len(fold.train.y) for fold in task.folds]))
        for name, task in plan.tasks.items()
        if task.floor is None
    }


def _facts(plan: Plan, tables: Tables, name: str) -> TaskFacts:
    task = plan.tasks[name]
    units = plan.units(name, plan.profile.units)
    errors = {row["run"]: float(row["selected test"] or "nan") for row in tables.runs}
    own = [
        row
        for row in tables.arms
        if (row["chapter"], row["arm"], row["task"]) == (COMPARISON, plan.tuned_baseline.name, name)
    ]
    rivals = [task.references[int(row["fold"])] for row in own] or [task.references[0]]
    simple = {
        method: float(np.mean([each[method][task.info.metric] for each in rivals])) for method in rivals[0]
    }
    best = min(simple, key=lambda method: simple[method])
    return TaskFacts(
        name=name,
        title=task.info.title,
        kind=task.info.kind,
        metric=task.info.metric,
        units=len(units),
        folds=len({unit.fold for unit in units}),
        training=round(np.mean([len(fold.train.y) for fold in task.folds])),
        test=round(np.mean([len(fold.test.y) for fold in task.folds])),
        baseline=finite_or_none(finite_mean(np.array([errors[row["runs"]] for row in own]))),
        simple=best,
        simple_error=finite_or_none(simple[best]),
    )
