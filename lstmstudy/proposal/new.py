"""``make new``: from a table to ``params/<name>.yaml``, with a size that fits ten minutes on this machine."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lstmstudy import paths
from lstmstudy.data import open_task
from lstmstudy.data.cache import task_cache
from lstmstudy.data.own.task import prepare_own
from lstmstudy.params.profile import PUBLISHED, Profile, check_profile_name
from lstmstudy.parsing.strict_yaml import ParamsError, printable, shown
from lstmstudy.plan import Plan
from lstmstudy.proposal.measuring import Measured
from lstmstudy.proposal.size import BUDGET, JUDGED, LIMIT, choose, sizes
from lstmstudy.proposal.table import propose_task
from lstmstudy.proposal.text import profile_text
from lstmstudy.store.atomic import write_whole
from lstmstudy.workers.pool import local_lanes

if TYPE_CHECKING:
    from lstmstudy.data import Task
    from lstmstudy.proposal.measuring import Pace
    from lstmstudy.proposal.size import Size
    from lstmstudy.proposal.task import ProposedTask
    from lstmstudy.runs import Run


@dataclass(frozen=True)
class Proposal:
    """A profile that was not written yet.

    Attributes:
        text: The file.
        size: How large the study is.
        seconds: How long its report will take.
        runs: How many there are.
    """

    text: str
    size: Size
    seconds: float
    runs: int


def new_profile(
    data: Path, name: str, *, target: str | None = None, label: str | None = None, store: Path = paths.STORE
) -> Path:
    """Look at a table, measure how fast it is trained here, write the profile of a study and say what it is.

    Args:
        data: The table, CSV or Parquet.
        name: Of the profile.
        target: The column to forecast; None leaves it to the table.
        label: The column with the class of each sequence; the same.
        store: Where prepared tasks lie.

    Returns:
        The file.

    Raises:
        ParamsError: If anything is wrong with the table, or the file is there already: one line.
    """
    if data == Path():
        raise ParamsError(
            "A table is looked at. Expected its file, as in `make new DATA=data.csv`. Received: DATA=''"
        )
    path = _free(name)
    task = propose_task(data, paths.ROOT, target=target, label=label)
    print(f"{printable(data.name)}: {printable(task.seen)}")
    cache = task_cache(store)
    prepared = open_task(prepare_own(task.own(), paths.ROOT, cache), cache)
    print(f"measuring how long a run takes on {_cores()} cores ...", flush=True)
    found = propose(name, task, prepared, Measured(prepared))
    write_whole(_free(name), found.text.encode())
    print(
        f"{paths.relative(path)}: {found.runs} runs. Next: make report PROFILE={name}, "
        f"about {_minutes(found.seconds)}"
    )
    return path


def propose(name: str, task: ProposedTask, prepared: Task, measured: Measured) -> Proposal:
    """Return the largest profile of a task that fits the time.

    Args:
        name: Of the profile.
        task: Its section `task`.
        prepared: The same as the study opens it.
        measured: How fast it is trained.
    """
    n_train, cores = max(len(fold.train.y) for fold in prepared.folds), _cores()

    @functools.cache
    def runs(size: Size) -> dict[str, Run]:
        content: dict[str, Any] = yaml.safe_load(profile_text([], task, size, 0))
        profile = Profile.model_validate({**content, "name": name})
        named = profile.model_copy(update={"tasks": (prepared.info.name,)})
        return Plan(named, {prepared.info.name: prepared}).all_runs

    def pace(size: Size) -> Pace:
        return measured.pace(size.width, size.batch_size)

    candidates = sizes(n_train)
    rest = pace(candidates[0]).reporting(cores)
    room = max(BUDGET - rest, BUDGET / 4)  # where the report itself takes long, fewer runs would save little
    size = choose(candidates, lambda each: pace(each).training(runs(each).values(), cores), room)
    planned = list(runs(size).values())
    expected = pace(size).training(planned, cores) + rest
    head = [
        f"The study of {shown(task.own().path(paths.ROOT).name)}, as `make new` proposed it; change whatever you know better.",
        f"About {_minutes(expected)} on {cores} cores: {len(planned)} runs of {pace(size).epoch * size.epochs:.2g} s, measured on this machine.",
    ]
    if expected > LIMIT:
        head.append(_too_long(n_train, expected - rest, room))
    if size.units < JUDGED:
        head.append(
            f"More units than {size.units} would not fit, so that nothing is judged: effects are shown without verdicts."
        )
    updates = size.epochs * -(-n_train // size.batch_size)
    return Proposal(profile_text(head, task, size, updates), size, expected, len(planned))


def _too_long(samples: int, training: float, room: float) -> str:
    """Return what to do where even the smallest study takes more than ten minutes."""
    if training > room:
        fitting = int(samples * room / training)
        return f"That is more than ten minutes: with the last {fitting} of {samples} training samples it would fit."
    return "That is more than ten minutes, as the machine is slow or busy: fewer runs would change little."


def _free(name: str) -> Path:
    """Return the file of a profile that is not there yet."""
    check_profile_name(name)
    path = paths.PARAMS / f"{name}.yaml"
    if name == PUBLISHED:
        raise ParamsError(
            f"`{PUBLISHED}` is the study whose runs lie in {paths.relative(paths.PUBLISHED)}/. Expected another name, such "
            f"as NAME=mine. Received: NAME={shown(name)}"
        )
    if path.exists() or path.is_symlink():
        raise ParamsError(
            f"{paths.relative(path)}: the file is there already, and nothing is overwritten. Expected a new name: take "
            f"NAME=another, or delete the file. Received: NAME={shown(name)}"
        )
    return path


def _cores() -> int:
    return len(local_lanes())


def _minutes(seconds: float) -> str:
    """Return a duration in whole minutes, rounded up."""
    number = max(1, math.ceil(seconds / 60))
    return f"{number} minute{'' if number == 1 else 's'}"
