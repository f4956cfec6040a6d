"""The face for notebooks: open a study and set arms side by side."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.ablation import Ablation
from lstmstudy.claims.table import load_claims
from lstmstudy.data import open_task
from lstmstudy.missing import train_missing
from lstmstudy.plan import make_plan, task_cache
from lstmstudy.store import MissingRunsError, RunStore
from lstmstudy.verdicts.findings import study_findings

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.arms import Arm
    from lstmstudy.claims.table import Claim
    from lstmstudy.data import Fold, TaskInfo
    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run
    from lstmstudy.techniques import Technique
    from lstmstudy.verdicts.document import Findings


def open_study(profile: str = "default", *, store: Path = paths.STORE, folder: Path = paths.PARAMS) -> Study:
    """Return the study of a profile; nothing is trained before an arm is asked for.

    Raises:
        ParamsError: If the profile or anything that it names is wrong.
    """
    return Study(make_plan(profile, store=store, folder=folder), RunStore(store))


class Study:
    """The arms, tasks and outcomes of one profile.

    Args:
        plan: What the profile asks for.
        store: Where outcomes are kept.
    """

    def __init__(self, plan: Plan, store: RunStore) -> None:
        self.plan = plan
        self.store = store
        self.profile = plan.profile
        self._loaded: dict[str, Outcome] = {}

    @property
    def tasks(self) -> tuple[TaskInfo, ...]:
        """The facts about each task on which tuned arms are compared."""
        return tuple(self.plan.tasks[name].info for name in self.profile.tasks)

    @property
    def baseline(self) -> Arm:
        """The arm with every technique off."""
        return self.plan.baseline

    def arm(self, technique: Technique) -> Arm:
        """Return the arm that switches one technique on, in the profile or not."""
        return self.plan.arm(technique)

    def arms(self, technique: str) -> tuple[Arm, ...]:
        """Return the arms of a technique's grid: they describe how its strength acts.

        There are none if the profile lacks the technique; `arm` gives one all the same.
        """
        return self.plan.arms(technique) if technique in self.profile.techniques else ()

    def tuned(self, technique: str) -> tuple[Arm, ...]:
        """Return the tuned arms of a technique that the profile compares on every task with the tuned baseline."""
        return self.plan.tuned(technique) if technique in self.profile.techniques else ()

    def design(self, name: str) -> tuple[Arm, ...]:
        """Return the arms of a design, such as combinations or batch sizes; none if the profile lacks it."""
        return self.plan.design(name) if name in self.profile.designs else ()

    @property
    def all_arms(self) -> tuple[Arm, ...]:
        """The arms of every technique that are compared on every task, but for those that do nothing."""
        return self.plan.compared_arms

    def fold(self, task: str, number: int = 0) -> Fold:
        """Return one fold of any task of the catalog, in the profile or not."""
        return open_task(task, task_cache(self.store.folder)).folds[number]

    def outcome(self, run: Run) -> Outcome:
        """Return a stored outcome, read once per study.

        Raises:
            MissingRunsError: If the run has none.
        """
        if run.identity not in self._loaded:
            outcome = self.store.load(run.identity)
            if outcome is None:
                raise MissingRunsError(f"A run has no outcome; `make report` trains it. Received: {run=}")
            self._loaded[run.identity] = outcome
        return self._loaded[run.identity]

    @property
    def claims(self) -> dict[str, Claim]:
        """The guide's claims by id, as ``params/claims.yaml`` has them."""
        return load_claims(self.plan.folder)

    def findings(self) -> Findings:
        """Return the verdicts on all claims, from the runs that are stored; nothing is trained.

        They are computed once, and kept with their tables beside the report until something that they
        rest on changes.
        """
        folder = self.store.folder.parent / self.profile.name
        return study_findings(self.plan, self.store, self.outcome, folder)

    def ablate(self, *arms: Arm) -> Ablation:
        """Return `arms` beside their controls, training only runs that are not stored; without arms, the baseline.

        A run that cannot be trained is named on stderr; its unit enters no number.
        """
        arms = arms or (self.baseline,)
        runs = self.plan.runs(arms)
        stored = self.store.check(runs)
        missing = [run for identity, run in runs.items() if identity not in stored]
        for failure in train_missing(missing, self.store, task_cache(self.store.folder)):
            print(f"missing: {failure.run.task}, seed {failure.run.seed}: {failure.reason}", file=sys.stderr)
        return Ablation(self.plan, self.outcome, arms)
