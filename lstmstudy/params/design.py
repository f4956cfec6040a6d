"""Designs: sets of arms that one technique's grid cannot say, such as combinations and batch sizes."""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from lstmstudy import paths
from lstmstudy.arms import Arm
from lstmstudy.params.grids import settings_of
from lstmstudy.parsing.sections import LIST, Names, Section, load, placed, unknown
from lstmstudy.parsing.strict_yaml import ParamsError, hint, shown

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.recipe import Recipe
    from lstmstudy.techniques import Technique

_ARMS = "a mapping from the name of each arm to its techniques with their settings; {} is none"
_OWN = ("reading", "epochs_factor")  # keys of an arm that are no technique
_READING = "selected, last or patience <k>"
_READINGS = r"^(selected|last|patience [1-9]\d*)$"
_Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], *LIST]


class DesignScope(Section):
    """Where and how often a profile trains a design; a design with tasks of its own needs none here.

    `batch_size` replaces that of a design which has some; `arms` leaves out all others but the control.
    """

    tasks: Names | None = Field(default=None, description="a list of names of tasks, at least one, each once")
    units: int = Field(ge=1, le=1000, description="an integer from 1 to 1000, units for each task")
    batch_size: _Counts | None = Field(default=None, description="a list of positive integers, each once")
    arms: Names | None = Field(
        default=None, description="a list of names of its arms, at least one, each once"
    )


class Design(Section):
    """Arms by name; the first is the control of the others unless `control` names another.

    Attributes:
        name: Stem of the file.
        notebook: The chapter that shows it.
        control: Name of the control.
        tasks: Tasks of its own, where the question asks for them.
        batch_size: Every arm at each of these, with as many updates as the baseline has.
        layers: Number of LSTM layers, where it differs from the profile's.
        width: Units of each layer, where it differs from the profile's.
        epochs: Length of training, where it differs from the profile's.
        arms: Techniques with their settings by arm; beside them `reading` says how the arm is read and
            `epochs_factor` multiplies the length of training.
        factors: Techniques with their settings by factor: every combination of them is an arm.
    """

    name: str
    notebook: str = Field(pattern=r"^\d\d_[a-z0-9_]+$", description="a name such as 10_combined")
    control: str | None = Field(default=None, description="the name of an arm")
    tasks: Names | None = Field(default=None, description="a list of names of tasks, at least one, each once")
    batch_size: _Counts | None = Field(default=None, description="a list of positive integers, each once")
    layers: int | None = Field(default=None, ge=1, description="a positive integer, the number of layers")
    width: int | None = Field(default=None, ge=1, description="a positive integer, units of each layer")
    epochs: int | None = Field(default=None, ge=1, description="a positive integer, length of training")
    reading: str = Field(default="selected", pattern=_READINGS, description=_READING)
    arms: dict[str, dict[str, Any]] = Field(default={}, description=_ARMS)
    factors: dict[str, dict[str, Any]] = Field(default={}, description=_ARMS)


def design_names(folder: Path = paths.PARAMS) -> tuple[str, ...]:
    """Return the names of the designs in `folder`, sorted."""
    return tuple(sorted(path.stem for path in (folder / "designs").glob("*.yaml")))


def load_design(name: str, folder: Path = paths.PARAMS) -> Design:
    """Return a design, with each of its arms checked.

    Raises:
        ParamsError: If anything in its file is wrong.
    """
    path = folder / "designs" / f"{name}.yaml"
    known = design_names(folder)
    if name not in known:
        raise ParamsError(unknown("design", name, known, "", paths.relative(path)))
    design = load(Design, path)
    where = paths.relative(path)
    cells = _cells(design, where)
    if not cells:
        raise ParamsError(f"{where}: no arm. Expected {_ARMS}. Received: arms={{}}")
    if design.control is not None and design.control not in cells:
        raise ParamsError(unknown("arm", design.control, cells, "", f"{where}: control"))
    from lstmstudy.data import TASK_NAMES

    for task in design.tasks or ():
        if task not in TASK_NAMES:
            raise ParamsError(unknown("task", task, TASK_NAMES, "", f"{where}: tasks"))
    return design


def arm_names(design: Design, folder: Path = paths.PARAMS) -> tuple[str, ...]:
    """Return the names of a design's arms."""
    return tuple(_cells(design, paths.relative(folder / "designs" / f"{design.name}.yaml")))


def design_arms(
    baseline: Arm, design: Design, scope: DesignScope, folder: Path = paths.PARAMS
) -> tuple[Arm, ...]:
    """Return the arms of a design, each after its control.

    Args:
        baseline: Gives size and training.
        design: What to compare.
        scope: On which tasks, with how many units.
        folder: Where the design came from, for messages.

    Raises:
        ParamsError: If the design has no tasks, here or in the profile, or an arm cannot be trained or read so.
    """
    where = paths.relative(folder / "designs" / f"{design.name}.yaml")
    cells = _cells(design, where)
    tasks = scope.tasks or design.tasks
    if not tasks:
        msg = f"{where}: no task. Expected tasks in the design or in the profile. Received: tasks=[]"
        raise ParamsError(msg)
    size = {
        key: value for key in ("layers", "width", "epochs") if (value := getattr(design, key)) is not None
    }
    recipe = dataclasses.replace(baseline.recipe, **size)
    arms: list[Arm] = []
    control_name = design.control or next(iter(cells))
    sizes = (scope.batch_size or design.batch_size) if design.batch_size else None
    for batch_size in sizes or (recipe.batch_size,):
        at = f", batch {batch_size}" if sizes else ""
        epochs = max(1, round(recipe.epochs * batch_size / recipe.batch_size))
        base = dataclasses.replace(recipe, batch_size=batch_size, epochs=epochs)
        made: dict[str, Arm] = {}
        for name, cell in cells.items():
            if scope.arms and name not in (control_name, *scope.arms):
                continue
            with placed(f"{where}: {name}{at}"):
                arm = _arm(f"{name}{at}", name, base, cell)
            made[name] = dataclasses.replace(arm, tasks=tasks, units=scope.units)
        control = made.pop(control_name)
        arms += [control, *(dataclasses.replace(arm, control=control) for arm in made.values())]
    return tuple(arms)


_Cell = tuple[tuple["Technique", ...], str, int]


def _cells(design: Design, where: str) -> dict[str, _Cell]:
    """Return techniques, reading and factor on the epochs of each arm, by name."""
    cells = {name: _cell(arm, design, f"{where}: arms.{name}") for name, arm in design.arms.items()}
    factors = {
        name: _cell(factor, design, f"{where}: factors.{name}") for name, factor in design.factors.items()
    }
    return {**cells, **_product(factors, design.reading)}


def _product(factors: dict[str, _Cell], reading: str) -> dict[str, _Cell]:
    """Return an arm for each combination of the factors, none of them and all of them included."""
    cells = {}
    for levels in itertools.product((False, True), repeat=len(factors)) if factors else ():
        on = [name for name, level in zip(factors, levels, strict=True) if level]
        techniques = tuple(technique for name in on for technique in factors[name][0])
        cells[" + ".join(on) or "none"] = (techniques, reading, 1)
    return cells


def _cell(arm: dict[str, Any], design: Design, where: str) -> _Cell:
    """Return what an arm, or a factor, is made of."""
    reading, factor = arm.get("reading", design.reading), arm.get("epochs_factor", 1)
    if not isinstance(reading, str) or not re.fullmatch(_READINGS, reading):
        raise ParamsError(_refused(f"{where}.reading", _READING, "reading", reading))
    if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
        raise ParamsError(_refused(f"{where}.epochs_factor", "a positive integer", "epochs_factor", factor))
    chosen = {name: settings for name, settings in arm.items() if name not in _OWN}
    for name, settings in chosen.items():
        if not isinstance(settings, dict):
            expected = "a mapping from each setting to its value; {} is none"
            raise ParamsError(_refused(f"{where}.{name}", expected, name, settings))
    return tuple(settings_of(name, settings, where) for name, settings in chosen.items()), reading, factor


def _refused(place: str, expected: str, name: str, value: object) -> str:
    return f"{place}: Expected {expected}. {hint(value)}Received: {name}={shown(value)}"


def _arm(name: str, group: str, base: Recipe, cell: _Cell) -> Arm:
    techniques, reading, factor = cell
    recipe = dataclasses.replace(base, epochs=base.epochs * factor).adding(*techniques)
    return Arm(name, recipe, reading, group=group)
