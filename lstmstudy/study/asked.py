"""What a cell asks for, checked: a mistyped name or a thing of another kind ends in one line that says what to do."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.arms import Arm
from lstmstudy.data.task import PARTS
from lstmstudy.parsing.sections import unknown
from lstmstudy.parsing.strict_yaml import ParamsError, shown
from lstmstudy.readings import Validation, read
from lstmstudy.recipe import Technique
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from lstmstudy.data import Task, TaskInfo

_NEAREST = 4  # names that a message proposes


class UnknownArmError(ParamsError, KeyError):
    """A name that no arm of the study has."""

    __str__ = ValueError.__str__  # a KeyError would show its message in quotes


def find_arm(name: object, arms: Mapping[str, Arm], others: Mapping[str, Arm]) -> Arm:
    """Return the arm of a name in a study.

    Args:
        name: What was asked for.
        arms: The arms by name.
        others: The same arms by other names, such as those that parameter files use.

    Raises:
        UnknownArmError: If no arm has the name.
    """
    known = {**others, **arms}
    if isinstance(name, str) and name in known:
        return known[name]
    by_fold = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(str(name).casefold(), by_fold, n=_NEAREST, cutoff=0.5)
    mean = f"Did you mean {_either([f'`{by_fold[each]}`' for each in near])}? " if near else ""
    raise UnknownArmError(
        f"No arm of this study has that name. {mean}Expected one of the names in list(study), which the Tab key "
        f"completes in study[...]; any other arm is made by study.arm(Dropout(0.3)). Received: arm={shown(name)}"
    )


def check_name(call: str, what: str, name: object, valid: Collection[str], arms: Iterable[str]) -> None:
    """Raise a ParamsError unless `name` is one of the valid names, whether the profile has it or not.

    Args:
        call: The method that was called, such as ``"study.arms"``.
        what: What it takes: ``"technique"`` or ``"design"``.
        name: What was asked for.
        valid: All names that exist.
        arms: Names of arms, which are asked for in another way.
    """
    if not isinstance(name, str):
        example = getattr(name, "name", next(iter(valid), ""))  # a technique was given instead of its name
        raise ParamsError(
            f"{call}: Expected the name of a {what}, a text such as {example!r}. Received: {what}={shown(name)}"
        )
    if name not in valid:
        note = f"An arm is asked for by study[{name!r}]. " if name in set(arms) else ""
        raise ParamsError(unknown(what, name, sorted(valid), note, call))


def check_technique(technique: object) -> None:
    """Raise a ParamsError unless `technique` is one with its settings."""
    if isinstance(technique, Technique):
        return
    if isinstance(technique, type) and issubclass(technique, Technique):
        found, note = technique.__name__, f"Its settings are missing: {technique.__name__}(...). "
    elif isinstance(technique, str):
        found = repr(technique)
        several = f"study.arms({technique!r})" if technique in TECHNIQUES else "study.arms(...)"
        note = f"By name there are study[...] for one arm and {several} for those of a technique. "
    else:
        found, note = shown(technique), ""
    raise ParamsError(
        f"study.arm: Expected a technique with its settings, such as Dropout(0.3). {note}Received: technique={found}"
    )


def check_arms(call: str, arms: Sequence[object], tasks: Collection[str]) -> None:
    """Raise a ParamsError unless these can be trained side by side: arms, with names of their own, on tasks that are open.

    Args:
        call: The method that was called, such as ``"study.ablate"``.
        arms: What was asked for.
        tasks: Names of the tasks that the study has opened.
    """
    named = dict[str, Arm]()
    for arm in arms:
        if not isinstance(arm, Arm):
            raise ParamsError(_no_arm(call, arm))
        lacking = [task for task in arm.tasks if task not in tasks]
        if lacking:
            raise ParamsError(
                f"{call}: {arm.name!r} is an arm of another study: its tasks are not open here. Expected tasks "
                f"among {', '.join(tasks)}. Received: tasks={shown(lacking)}"
            )
        if named.setdefault(arm.name, arm) != arm:
            raise ParamsError(
                f"{call}: two arms that differ have one name, and a comparison tells arms apart by name. Expected "
                f"them in a call each. Received: arm={arm.name!r}"
            )


def check_arm(arm: object) -> None:
    """Raise a ParamsError unless `arm` is an arm."""
    if not isinstance(arm, Arm):
        raise ParamsError(_no_arm("ablation", arm))


def _no_arm(call: str, value: object) -> str:
    """Return the message for what is no arm."""
    note, found = "", shown(value)
    if isinstance(value, str):
        note = f"By name it is study[{value!r}]; all arms of a technique are *study.arms('dropout'). "
        if value in TECHNIQUES:
            note = f"Its arms are *study.arms({value!r}), the tuned ones *study.tuned({value!r}). "
    elif isinstance(value, (list, tuple)):
        note, found = (
            "Several are given one by one: put a star in front, as in *arms. ",
            f"{len(value)} in a ",
        )
        found += type(value).__name__
    elif isinstance(value, Technique):
        note = f"Put it in study.arm(...): study.arm({value!r}). "
    elif isinstance(value, type):
        note, found = f"Its settings are missing: study.arm({value.__name__}(...)). ", value.__name__
    return f"{call}: Expected an arm, such as study['baseline'] or study.arm(Dropout(0.3)). {note}Received: arm={found}"


def check_task(task: object, tasks: Mapping[str, Task]) -> None:
    """Raise a ParamsError unless `task` is the name of a task that is open."""
    if isinstance(task, str) and task in tasks:
        return
    if not isinstance(task, str):
        raise ParamsError(
            f"Expected the name of a task, one of: {', '.join(tasks)}. Received: task={shown(task)}"
        )
    raise ParamsError(unknown("task", task, tasks, "", "the tasks of this study"))


def check_curve(part: str, metric: str, info: TaskInfo) -> None:
    """Raise a ParamsError unless every run on a task has this metric on this part."""
    if part not in PARTS:
        raise ParamsError(unknown("part", part, PARTS, "", info.name))
    metrics = (info.metric, info.secondary)
    if metric not in metrics:
        raise ParamsError(unknown("metric", metric, metrics, "", info.name))


def check_reading(reading: str | None) -> None:
    """Raise a ParamsError unless a trajectory can be read in this way; None is as the arm says."""
    if reading is None:
        return
    try:
        read(Validation(np.zeros(1)), reading)
    except (ValueError, AttributeError) as error:
        raise ParamsError(f"reading: {error}") from None


def _either(words: Sequence[str]) -> str:
    """Return words as a choice between them."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
