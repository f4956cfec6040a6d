"""The luck of the search in the test errors of a study, from the runs of arms that do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.stats.effects import TINY
from lstmstudy.stats.luck import FEWEST, Luck, luck_between
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.study.ablation import Ablation
from lstmstudy.techniques import Sham

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run


def search_luck(plan: Plan, outcome: Callable[[Run], Outcome]) -> dict[str, Luck]:
    """Return the luck by task; none of a study with fewer than five sham techniques, or of a task that lacks their runs.

    Args:
        plan: The study.
        outcome: Returns the outcome of a run, or raises MissingRunsError.
    """
    shams = plan.tuned(Sham.name) if Sham.name in plan.profile.techniques else ()
    if len(shams) + 1 < FEWEST:
        return {}
    ablation, control, found = Ablation(plan, outcome, shams), plan.tuned_baseline, {}
    for task in plan.profile.tasks:
        try:
            errors = [ablation.paired(arm, control, task)[0] for arm in (control, *shams)]
        except MissingRunsError:
            continue
        if len(errors[0]) > 1:
            found[task] = luck_between(np.log(np.maximum(errors, TINY)))
    return found
