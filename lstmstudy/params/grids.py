"""The settings that a study tries of each technique: the grid and the search of its file."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lstmstudy import paths
from lstmstudy.params.search import Entries, ends, fixed
from lstmstudy.parsing.sections import VALUES, Grid, Section, load, unknown
from lstmstudy.parsing.strict_yaml import ParamsError, hint, shown
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lstmstudy.params.search import Entry
    from lstmstudy.techniques import Technique

_VALUE = "a number or a text for each setting"


class TechniqueParams(Section):
    """Which settings of one technique a study tries: the product of the values of each."""

    name: str
    notebook: str = Field(pattern=r"^\d\d_[a-z0-9_]+$", description="a name such as 01_dropout")
    grid: Grid = Field(description=VALUES)
    tuned: Entries = Field(default=(), description="a list of searches: a value or a range for each setting")


def load_technique(name: str, folder: Path = paths.PARAMS) -> TechniqueParams:
    """Return the parameters of one technique, with each of its arms and both ends of each search checked.

    Raises:
        ParamsError: As `load_profile`.
    """
    path = folder / "techniques" / f"{name}.yaml"
    where = paths.relative(path)
    if name not in TECHNIQUES:
        raise ParamsError(unknown("technique", name, TECHNIQUES, "", where))
    params = load(TechniqueParams, path)
    _arms(TECHNIQUES[name], {f"{where}: grid": params.grid})
    for entry in params.tuned:
        for end in ends(entry):
            _arms(TECHNIQUES[name], {f"{where}: tuned": _single(end)}, _VALUE)
    return params


def search_title(name: str, entry: Entry) -> str:
    """Return a technique as a search names it: with its variant, where fixed settings and none that is drawn make it."""
    variants = {TECHNIQUES[name](**settings).variant for settings in ends(entry)}
    variant = variants.pop() if fixed(entry) and len(variants) == 1 else ""
    return f"{TECHNIQUES[name].title} {variant}".strip()


def technique_grid(
    name: str, folder: Path = paths.PARAMS, overrides: Mapping[str, Grid] | None = None
) -> tuple[Technique, ...]:
    """Return a technique in each of its settings: the product of the values of its grid.

    Args:
        name: The technique.
        folder: Where profiles lie.
        overrides: By place in a file, values that replace those of the technique's file, setting by setting.

    Raises:
        ParamsError: As `load_profile`.
    """
    own = paths.relative(folder / "techniques" / f"{name}.yaml")
    return _arms(TECHNIQUES[name], {f"{own}: grid": load_technique(name, folder).grid, **(overrides or {})})


def settings_of(name: str, settings: Mapping[str, Any], where: str) -> Technique:
    """Return a technique with the settings that stand at `where` in a file.

    Raises:
        ParamsError: If the technique is unknown, or a setting is wrong or missing, or switches it off.
    """
    if name not in TECHNIQUES:
        raise ParamsError(unknown("technique", name, TECHNIQUES, "", where))
    (technique,) = _arms(TECHNIQUES[name], {f"{where}.{name}": _single(settings)}, _VALUE)
    return technique


def _single(settings: Mapping[str, Any]) -> Grid:
    """Return a grid of one point."""
    return {key: (value,) for key, value in settings.items()}


def _arms(
    technique: type[Technique], grids: Mapping[str, Grid], expected: str = VALUES
) -> tuple[Technique, ...]:
    """Return an instance for each combination; of `grids`, by place in a file, a later one wins."""
    settings = {field.name: field for field in dataclasses.fields(technique)}
    place = {}
    for start, grid in grids.items():
        for key, values in grid.items():
            if key not in settings:
                where, _, prefix = start.rpartition(": ")
                raise ParamsError(unknown("key", f"{prefix}.{key}", settings, "", where, values))
            place[key] = f"{start}.{key}"
    values_of = {key: values for grid in grids.values() for key, values in grid.items()}
    for key, field in settings.items():
        if key not in values_of and field.default is dataclasses.MISSING:
            where, _, prefix = next(iter(grids)).rpartition(": ")
            msg = f"{where}: missing key `{prefix}.{key}`. Expected {expected}. Received: keys={shown(list(values_of))}"
            raise ParamsError(msg)
    keys = [key for key in settings if key in values_of]
    combinations = itertools.product(*(values_of[key] for key in keys))
    return tuple(_arm(technique, dict(zip(keys, values, strict=True)), place) for values in combinations)


def _arm(technique: type[Technique], settings: dict[str, Any], place: Mapping[str, str]) -> Technique:
    """Return one instance; an error of its own names the file and key of the value that is wrong."""
    try:
        arm = technique(**settings)
    except (TypeError, ValueError) as error:
        expected, _, received = str(error).rpartition("Received: ")
        key = received.partition("=")[0]
        if key not in settings:  # the technique does not say which
            key, expected, received = next(iter(settings)), f"{error}. ", shown(settings)
        msg = f"{place[key]}: {expected}{hint(settings[key])}Received: {received}"
        raise ParamsError(msg) from None
    if arm.is_off:
        key = next((key for key, value in settings.items() if not value), next(iter(settings)))
        msg = (
            f"{place[key]}: this switches the technique off. Expected values that leave it on; the baseline is always "
            f"there. Received: {key}={shown(settings[key])}"
        )
        raise ParamsError(msg)
    return arm
