"""What a report lacks: runs without an outcome, and runs that ended early."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmstudy.runs import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lstmstudy.plan import Plan
    from lstmstudy.runs import Run
    from lstmstudy.workers.pool import Failure

EVERY = "every recipe"
UNKNOWN = "not trained"  # by an interrupted build, or in another profile's place


@dataclass(frozen=True)
class Gap:
    """Runs of one recipe on one task that are missing or diverged.

    Attributes:
        recipe: The techniques and their strengths.
        task: Title of the task.
        runs: How many they are.
        of: How many runs of this recipe and task the study plans.
        reason: Why; of several the first.
    """

    recipe: str
    task: str
    runs: int
    of: int
    reason: str


def missing_runs(
    plan: Plan, runs: Mapping[str, Run], stored: Iterable[str], failures: Sequence[Failure]
) -> list[Gap]:
    """Return which of some runs have no outcome, and why.

    Args:
        plan: Names the tasks.
        runs: The runs that were wanted, by identity.
        stored: Identities of those that have an outcome.
        failures: What training said of those that have none.
    """
    there, reasons = set(stored), {failure.run.identity: failure.reason for failure in failures}
    lacking = {identity: reasons.get(identity, UNKNOWN) for identity in runs if identity not in there}
    return _grouped(plan, runs, lacking)


def diverged_runs(plan: Plan, runs: Mapping[str, Run], rows: Iterable[Mapping[str, str]]) -> list[Gap]:
    """Return which of some runs ended early, from the rows of the table of runs, and why."""
    reasons = {row["run"]: row["diverged"] for row in rows if row["diverged"]}
    ended = {identity: reasons[short(identity)] for identity in runs if short(identity) in reasons}
    return _grouped(plan, runs, ended)


def _grouped(plan: Plan, runs: Mapping[str, Run], reasons: Mapping[str, str]) -> list[Gap]:
    """Return runs with their reasons by recipe and task, in the order of the plan; a task that is wholly gone once."""
    everywhere = Counter(run.task for run in runs.values())
    gone = Counter(runs[identity].task for identity in reasons)

    def key(run: Run) -> tuple[str, str]:
        return (EVERY if gone[run.task] == everywhere[run.task] else recipe_name(run), run.task)

    planned = Counter(key(run) for run in runs.values())
    found = dict[tuple[str, str], list[str]]()
    for identity, reason in reasons.items():
        found.setdefault(key(runs[identity]), []).append(reason)
    return [
        Gap(name, plan.tasks[task].info.title, len(why), planned[name, task], why[0])
        for (name, task), why in found.items()
    ]


def recipe_name(run: Run) -> str:
    """Return what a run trains, in words."""
    return " + ".join(technique.label for technique in run.recipe.techniques) or "baseline"
