"""The face for notebooks: open a study and set arms side by side."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.claims.table import load_claims
from lstmstudy.data import open_task
from lstmstudy.data.cache import task_cache
from lstmstudy.gaps import recipe_name
from lstmstudy.params.design import design_names
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.plan import make_plan
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.store.published import open_store
from lstmstudy.study.ablation import Ablation, search_luck
from lstmstudy.study.asked import check_arms, check_name, check_technique, find_arm
from lstmstudy.study.results import results_frame
from lstmstudy.study.views import study_html, study_text
from lstmstudy.techniques import TECHNIQUES
from lstmstudy.verdicts.kept import study_findings
from lstmstudy.workers.missing import train_missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from lstmstudy.arms import Arm
    from lstmstudy.claims.table import Claim
    from lstmstudy.data import Fold, TaskInfo
    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run
    from lstmstudy.store.outcomes import RunStore
    from lstmstudy.techniques import Technique
    from lstmstudy.verdicts.document import Findings


def open_study(profile: str = "default", *, store: Path = paths.STORE, folder: Path = paths.PARAMS) -> Study:
    """Return the study of a profile; nothing is trained before an arm is asked for.

    Args:
        profile: A file of params/, without .yaml.
        store: Where outcomes are kept.
        folder: Where parameters lie.

    Raises:
        ParamsError: If the profile or anything that it names is wrong.
    """
    if not isinstance(profile, str):
        raise ParamsError(
            f"open_study: Expected the name of a profile, a text such as 'smoke'. Received: profile={profile!r}"
        )
    plan = make_plan(profile, store=store, folder=folder)
    return Study(plan, open_store(plan, store))


class Study:
    """The arms, tasks and outcomes of one profile; ``study["dropout 0.3 per step"]`` is an arm by its name.

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

    @functools.cached_property
    def named_arms(self) -> dict[str, Arm]:
        """Every arm of the profile by its name in the study; that of a design's arm begins with its design."""
        named = {
            arm: f"{name}: {arm.name}" for name in self.profile.designs for arm in self.plan.design(name)
        }
        arms = dict.fromkeys(arm for arms in self.plan.notebooks.values() for arm in arms)
        return {named.get(arm, arm.name): arm for arm in arms}

    @functools.cached_property
    def _tuned_keys(self) -> dict[str, Arm]:
        """The tuned arms by their names in parameter files, such as ``"dropout per=step"``."""
        names = self.profile.techniques
        return {key: arm for name in names for key, arm in self.plan.tuned_arms(name).items()}

    def __getitem__(self, name: str) -> Arm:
        """Return an arm of the profile by its name, or by that which parameter files give a tuned one.

        Raises:
            UnknownArmError: If there is none of that name; it is a KeyError that proposes the nearest.
        """
        return find_arm(name, self.named_arms, self._tuned_keys)

    def __iter__(self) -> Iterator[str]:
        """Return the names of the arms."""
        return iter(self.named_arms)

    def _ipython_key_completions_(self) -> list[str]:
        """Return what the Tab key offers after ``study["``."""
        return list(self.named_arms)

    def __repr__(self) -> str:
        return study_text(self.plan)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: what the study is, and how much of it is stored."""
        return study_html(self.plan, self.store.files())

    def arm(self, technique: Technique) -> Arm:
        """Return the arm that switches one technique on, in the profile or not."""
        check_technique(technique)
        return self.plan.arm(technique)

    def arms(self, technique: str) -> tuple[Arm, ...]:
        """Return the arms of a technique's grid: they describe how its strength acts.

        There are none if the profile lacks the technique; `arm` gives one all the same.

        Raises:
            ParamsError: If no technique has that name.
        """
        check_name("study.arms", "technique", technique, TECHNIQUES, self)
        return self.plan.arms(technique) if technique in self.profile.techniques else ()

    def tuned(self, technique: str) -> tuple[Arm, ...]:
        """Return the tuned arms of a technique that the profile compares on every task with the tuned baseline.

        Raises:
            ParamsError: If no technique has that name.
        """
        check_name("study.tuned", "technique", technique, TECHNIQUES, self)
        return self.plan.tuned(technique) if technique in self.profile.techniques else ()

    def design(self, name: str) -> tuple[Arm, ...]:
        """Return the arms of a design, such as combinations or batch sizes; none if the profile lacks it.

        Raises:
            ParamsError: If no design has that name.
        """
        check_name("study.design", "design", name, design_names(self.plan.folder), self)
        return self.plan.design(name) if name in self.profile.designs else ()

    @property
    def all_arms(self) -> tuple[Arm, ...]:
        """The arms of every technique that are compared on every task, but for those that do nothing."""
        return self.plan.compared_arms

    def fold(self, task: str, number: int = 0) -> Fold:
        """Return one fold of any task of the catalog, in the profile or not.

        Raises:
            ParamsError: If there is no such task, or it has no such fold.
        """
        try:
            folds = open_task(task, task_cache(self.store.folder)).folds
        except ValueError as error:
            raise ParamsError(f"study.fold: {error}") from None
        if number not in range(len(folds)):
            raise ParamsError(
                f"study.fold: {task} has {len(folds)} folds. Expected an integer from 0 to {len(folds) - 1}. "
                f"Received: number={number!r}"
            )
        return folds[number]

    def outcome(self, run: Run) -> Outcome:
        """Return a stored outcome, read once per study.

        Raises:
            MissingRunsError: If the run has none.
        """
        if run.identity not in self._loaded:
            outcome = self.store.load(run.identity)
            if outcome is None:
                where = f"{recipe_name(run)} on {run.task}, fold {run.fold}, seed {run.seed}"
                raise MissingRunsError(
                    f"A run has no outcome; `make report` trains it. Received: run={where}"
                )
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
        return study_findings(self.plan, self.store, self.store.reader(self.plan.all_runs), folder)

    def ablate(self, *arms: Arm) -> Ablation:
        """Return `arms` beside their controls, training only runs that are not stored; without arms, the baseline.

        A run that cannot be trained is named on stderr; its unit enters no number. Intervals of tuned arms have the luck
        of their searches in them, where the runs of five sham techniques are stored to tell it.

        Raises:
            ParamsError: If one of them is no arm, or one of another study.
            TrainingStoppedError: If it is interrupted; what is finished is stored.
        """
        arms = arms or (self.baseline,)
        check_arms("study.ablate", arms, self.plan.tasks)
        runs = self.plan.runs(arms)
        stored = self.store.check(runs)
        missing = [run for identity, run in runs.items() if identity not in stored]
        for failure in train_missing(missing, self.store, task_cache(self.store.folder)):
            print(f"missing: {failure.run.task}, seed {failure.run.seed}: {failure.reason}", file=sys.stderr)
        tuned = any(arm.recipes for arm in arms)
        return Ablation(self.plan, self.outcome, arms, search_luck(self.plan, self.outcome) if tuned else {})

    def results(self, *arms: Arm) -> pd.DataFrame:
        """Return the stored results of `arms` as a tidy table, a row for each arm and unit; nothing is trained.

        Without arms these are all of the profile. ``frame.attrs["columns"]`` says what each column is, as does
        `lstmstudy.study.results.COLUMNS`. Columns have the names that they have in ``runs.csv`` and ``units.csv`` beside
        the report, whose numbers are the same with six digits.

        Raises:
            ParamsError: If one of them is no arm, or one of another study.
        """
        check_arms("study.results", arms, self.plan.tasks)
        known = {arm: name for name, arm in self.named_arms.items()}
        wanted = dict.fromkeys(arms or known)
        outcome = self.store.reader(self.plan.runs(wanted))
        return results_frame(self.plan, outcome, {arm: known.get(arm, arm.name) for arm in wanted})
