"""Random search for the learning rate and the strengths of every arm, equally long for each."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy import paths
from lstmstudy.arms import BASELINE
from lstmstudy.build import writable
from lstmstudy.params.grids import load_technique
from lstmstudy.params.search import FIRST_SEED, draw, drawn, ends, entry_key, rounded
from lstmstudy.params.tuned import Found, Trained, Trial, best_of, load_tuned, save_tuned
from lstmstudy.parsing.sections import placed, unknown
from lstmstudy.parsing.strict_yaml import ParamsError, shown
from lstmstudy.plan import make_plan
from lstmstudy.readings import read
from lstmstudy.store.outcomes import RunStore
from lstmstudy.streams import generator
from lstmstudy.techniques import TECHNIQUES
from lstmstudy.workers.outstanding import state_of, train_announced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lstmstudy.data import TaskInfo
    from lstmstudy.params.search import Entry, SearchRange
    from lstmstudy.plan import Plan
    from lstmstudy.readings import Validation
    from lstmstudy.runs import Run
    from lstmstudy.techniques import Technique

_STREAMS = 0  # the seed from which every search draws
_DIGITS = 6  # significant ones of a validation metric; what a file shows is what was chosen by


@dataclass(frozen=True)
class Draw:
    """A learning rate and settings that were drawn, and the runs that try them."""

    learning_rate: float
    settings: dict[str, Any]
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Search:
    """Random search for one arm on one task.

    Attributes:
        task: Name of the task.
        key: Name of the arm in ``params/tuned.yaml``.
        reading: Which epoch of a trajectory counts.
        ranges: What is drawn from: the range of the learning rate and of each drawn setting.
        draws: The trials, in order; a longer search only appends.
    """

    task: str
    key: str
    reading: str
    ranges: dict[str, SearchRange]
    draws: tuple[Draw, ...]

    @property
    def runs(self) -> dict[str, Run]:
        """The runs of all trials, by identity."""
        return {run.identity: run for each in self.draws for run in each.runs}

    def trials(self, validations: Mapping[str, Validation]) -> list[Trial]:
        """Return the trials, scored.

        Args:
            validations: For each run, by identity, all that a choice may see of its outcome.
        """
        return [
            Trial(
                learning_rate=each.learning_rate,
                settings=each.settings,
                validation=score([validations[run.identity] for run in each.runs], self.reading),
            )
            for each in self.draws
        ]


def score(validations: Sequence[Validation], reading: str) -> float:
    """Return the mean over runs of the validation metric at the epoch that is read; infinite if one diverged."""
    if not all(np.isfinite(validation.metric).all() for validation in validations):
        return float("inf")
    kept = [validation.metric[read(validation, reading).epoch] for validation in validations]
    return rounded(float(np.mean(kept)), _DIGITS)


@dataclass(frozen=True)
class _Arm:
    """The baseline, or a technique with one entry of its search."""

    name: str
    entry: Entry

    @property
    def key(self) -> str:
        return entry_key(self.name, self.entry)

    def techniques(self, settings: dict[str, Any]) -> tuple[Technique, ...]:
        """Return what is switched on with these settings."""
        return () if self.name == BASELINE else (TECHNIQUES[self.name](**settings),)

    @property
    def weakest(self) -> tuple[Technique, ...]:
        """What is switched on at the lower end of every range."""
        return self.techniques(ends(self.entry)[0])

    def unfit(self, info: TaskInfo) -> bool:
        """Whether the arm makes no sense on a task."""
        return any(technique.unfit(info) for technique in self.weakest)


def plan_searches(plan: Plan, only: Sequence[str] = ()) -> list[Search]:
    """Return a search for the baseline and for each tuned arm that the profile compares, on each task.

    Args:
        plan: Tasks, network and length of training; the search itself is the `tuning` of its profile.
        only: Keys of arms, or names of techniques, to search for instead, whether they are compared or not.

    Raises:
        ParamsError: If one of `only` is neither, or a technique has no learning rate of its own.
    """
    arms = [_Arm(BASELINE, {})]
    for name in plan.profile.techniques:
        arms += [_Arm(name, entry) for entry in load_technique(name, plan.folder).tuned]
    for arm in arms:
        for technique in arm.weakest:
            if technique.is_reading or technique.members(plan.baseline.recipe):
                msg = (
                    f"params/techniques/{arm.name}.yaml: tuned: {technique.title} trains no model of its own with it. "
                    f"Expected a technique that is on while one model is trained. Received: tuned={shown(arm.entry)}"
                )
                raise ParamsError(msg)
    valid = dict.fromkeys(name for arm in arms for name in (arm.name, arm.key))
    for wanted in only:
        if wanted not in valid:
            raise ParamsError(unknown("arm", wanted, valid, "", "--only"))
    return [
        _search(plan, task, arm)
        for task in plan.profile.tasks
        for arm in arms
        if _wanted(plan, arm, only) and not arm.unfit(plan.tasks[task].info)
    ]


def _wanted(plan: Plan, arm: _Arm, only: Sequence[str]) -> bool:
    if only:
        return arm.name in only or arm.key in only
    return arm.name == BASELINE or plan.profile.compares(arm.name, arm.key)


def _search(plan: Plan, task: str, arm: _Arm) -> Search:
    """Return the search for one arm on one task."""
    tuning = plan.profile.tuning
    units = plan.units(task, tuning.units, FIRST_SEED)
    rng = generator(_STREAMS, f"tune/{task}/{arm.key}")
    draws = []
    for _ in range(tuning.trials):
        learning_rate, settings = tuning.learning_rate.draw(rng), draw(arm.entry, rng)
        recipe = dataclasses.replace(plan.baseline.recipe, learning_rate=learning_rate)
        with placed(plan.place(arm.name)):
            recipe = recipe.adding(*arm.techniques(settings))
        draws.append(Draw(learning_rate, settings, tuple(plan.run(recipe, unit) for unit in units)))
    reading = next((technique.reading for technique in arm.weakest), "selected")
    return Search(
        task, arm.key, reading, {"learning_rate": tuning.learning_rate, **drawn(arm.entry)}, tuple(draws)
    )


def tune(
    profile: str,
    only: Sequence[str] = (),
    scheduler: str | None = None,
    *,
    folder: Path = paths.PARAMS,
    store: Path = paths.STORE,
) -> int:
    """Search for every arm of a profile, training only what is not stored, and write ``tuned.yaml``.

    Args:
        profile: Name of the profile.
        only: Keys of arms, or names of techniques, to search for; what the profile compares if empty.
        scheduler: Address of a Dask cluster that trains; None for this machine.
        folder: Where the parameters lie.
        store: Where outcomes are kept.

    Returns:
        0, or 1 if a run is missing or all trials of an arm diverged; the other arms are written all the same.

    Raises:
        ParamsError: If anything in the parameters is wrong.
    """
    plan = make_plan(profile, store=writable(store), folder=writable(folder))
    searches = plan_searches(plan, only)
    load_tuned(folder)  # what is wrong with it is said before the training
    runs = RunStore(store)
    runs.sweep()
    state = state_of({key: run for search in searches for key, run in search.runs.items()}, runs)
    train_announced(state, runs, scheduler)
    outcomes = {identity: runs.load(identity) for identity in state.runs}
    validations = {key: outcome.result.validation for key, outcome in outcomes.items() if outcome is not None}

    training = plan.profile.training
    seeds = tuple(range(FIRST_SEED, FIRST_SEED + plan.profile.tuning.units))
    trained = Trained(epochs=training.epochs, batch_size=training.batch_size, seeds=seeds)
    found: dict[str, dict[str, Found]] = {}
    problems = 0
    for search in searches:
        lacking = len(search.runs.keys() - validations.keys())
        trials = [] if lacking else search.trials(validations)
        best = best_of(trials) if trials else None
        if best is None:
            reason = f"{lacking} of its runs are missing" if lacking else f"all {len(trials)} trials diverged"
            print(f"{search.task}, {search.key}: nothing chosen, {reason}", file=sys.stderr)
            problems += 1
            continue
        found.setdefault(search.task, {})[search.key] = Found(
            best=best, trained=trained, search=search.ranges, trials=trials
        )
        print(f"{search.task}, {search.key}: {_words(search, best)}")
    network = plan.profile.network
    path = save_tuned(load_tuned(folder).adding(f"{network.layers}x{network.width}", found), folder)
    print(f"tuned: {paths.relative(path)}")
    return 1 if problems else 0


def _words(search: Search, best: Trial) -> str:
    """Return what was chosen, and how good it is."""
    numbers = {"learning_rate": best.learning_rate, **best.settings}
    chosen = ", ".join(f"{key} {numbers[key]:g}" for key in search.ranges)
    return f"{chosen} (validation {best.validation:g}, the best of {len(search.draws)})"
