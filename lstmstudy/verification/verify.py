"""Whether stored runs are what they say: every checksum, and some runs trained again."""

from __future__ import annotations

import json
import random
import sys
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.data.cache import task_cache
from lstmstudy.gaps import recipe_name
from lstmstudy.parsing.strict_yaml import ParamsError, shown
from lstmstudy.plan import make_plan
from lstmstudy.store.outcomes import RunStore, is_whole
from lstmstudy.verification.retraining import retrained

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run
    from lstmstudy.verification.retraining import Retrained


def verify(profile: str, sample: int, *, store: Path = paths.STORE, folder: Path = paths.PARAMS) -> int:
    """Check every stored file, train a random sample of a profile's runs again, and say what differs.

    Nothing in the store is changed: `make report` sets damaged files aside and trains their runs again.

    Args:
        profile: Name of the profile.
        sample: How many of its stored runs are trained again; all if there are fewer.
        store: Where outcomes lie.
        folder: Where parameters lie.

    Returns:
        0, or 1 if a file is damaged, a run differs or cannot be trained, or nothing is stored.

    Raises:
        ParamsError: If the profile is wrong, or `sample` is negative.
    """
    if sample < 0:
        raise ParamsError(f"A sample has 0 or more runs. Expected SAMPLE=3. Received: SAMPLE={sample}")
    plan = make_plan(profile, store=store, folder=folder)
    files = sorted(path for path in store.glob("*.npz") if path.is_file())
    damaged = {path for path in files if not is_whole(path.name, path.read_bytes())}
    for path in sorted(damaged):
        print(f"damaged: {paths.relative(path)}", file=sys.stderr)
    print(f"files: {len(files)} runs, {len(damaged)} damaged")

    whole = {path.name.partition("-")[0] for path in files if path not in damaged}
    there = [run for identity, run in plan.all_runs.items() if identity in whole]
    print(f"profile {profile}: {len(there)} of {len(plan.all_runs)} runs are stored")
    if not there:
        print("nothing to train again: `make report` trains the runs of the profile", file=sys.stderr)
        return 1
    chosen = random.SystemRandom().sample(there, min(sample, len(there)))
    found, failures = retrained(chosen, _stored(chosen, store), task_cache(store))
    for each in found:
        print(f"trained again: {describe(each.run)}: {_compared(each)}")
    for failure in failures:
        print(f"not trained again: {describe(failure.run)}: {failure.reason}", file=sys.stderr)
    wrong = sum(not each.same for each in found)
    print(f"trained again: {len(found)} of {len(chosen)}, {wrong} with another result")
    return 1 if damaged or failures or wrong else 0


def rerun(start: str, profile: str, *, store: Path = paths.STORE, folder: Path = paths.PARAMS) -> int:
    """Train one run of a profile again, say what it is and whether it gives the stored bits.

    Args:
        start: The beginning of its identity, as tables and `study.results()` name runs.
        profile: Name of the profile.
        store: Where outcomes lie.
        folder: Where parameters lie.

    Returns:
        0, or 1 if the result differs from the stored one or there is none.

    Raises:
        ParamsError: If no run of the profile, or more than one, begins so.
    """
    plan = make_plan(profile, store=store, folder=folder)
    run = _named(plan, start)
    print(f"run {run.identity}\n{describe(run)}")
    print(json.dumps(run.recipe.describe(), indent=1, sort_keys=True))
    found, failures = retrained([run], _stored([run], store), task_cache(store))
    for failure in failures:
        print(f"not trained: {failure.reason}", file=sys.stderr)
    for each in found:
        result, record = each.outcome.result, each.outcome.record
        versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        print(f"{record['seconds']:.2f} s on {record['machine']['processor']}, with {versions}")
        if result.diverged is not None:
            print(f"diverged: {result.diverged}")
        else:
            kept = result.keeps("selected").epoch + 1
            errors = {part: result.error("selected", part) for part in ("train", "validation", "test")}
            words = ", ".join(f"{part} {error:.6g}" for part, error in errors.items())
            print(f"{result.metric} at the selected epoch {kept}: {words}")
        print(f"beside the stored outcome: {_compared(each)}")
    return 0 if found and found[0].same else 1


def describe(run: Run) -> str:
    """Return what a run is, in a line."""
    return f"{recipe_name(run)} on {run.task}, fold {run.fold}, seed {run.seed}"


def _compared(each: Retrained) -> str:
    if each.same is None:
        return "nothing is stored"
    if each.same:
        return "the same bits"
    return f"differs by up to {each.apart:.2g} relative, in {each.where or 'words alone'}"


def _stored(runs: list[Run], store: Path) -> dict[str, Outcome]:
    outcomes = ((run.identity, RunStore(store).load(run.identity)) for run in runs)
    return {identity: outcome for identity, outcome in outcomes if outcome is not None}


def _named(plan: Plan, start: str) -> Run:
    """Return the one run of a plan whose identity begins so."""
    found = [run for identity, run in plan.all_runs.items() if start and identity.startswith(start)]
    if len(found) != 1:
        raise ParamsError(
            f"{len(found) or 'No'} runs of the profile {plan.profile.name} begin so. Expected the first 16 characters of "
            "one, as in the column `run` of runs.csv, or `runs` of arms.csv; PROFILE names another study. "
            f"Received: run={shown(start)}"
        )
    return found[0]
