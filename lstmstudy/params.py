"""The parameters of a study: profiles and the grids of techniques, all checked before anything starts."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lstmstudy import paths
from lstmstudy.strict_yaml import ParamsError as ParamsError
from lstmstudy.strict_yaml import hint, read_mapping, shown
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from lstmstudy.techniques import Technique

_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TAKEN = ("store", "tuned")  # reports/store/ holds the runs, params/tuned.yaml the tuned strengths


def _as_tuple(value: object) -> object:
    """Return a list of YAML as a tuple; everything else is left for the schema to refuse."""
    return tuple(value) if isinstance(value, list) else value


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return `values`, unless one of them is there twice."""
    for value in values:
        if values.count(value) > 1:
            msg = f"{shown(value)} is there twice. "
            raise ValueError(msg)
    return values


def _plain(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return `values`, unless one of them is more than a number or a text."""
    if not all(isinstance(value, (str, int, float, bool)) for value in values):
        raise ValueError
    return values


_List = (BeforeValidator(_as_tuple), Field(min_length=1), AfterValidator(_each_once))
_Names = Annotated[tuple[str, ...], *_List]
_Values = Annotated[tuple[Any, ...], *_List, AfterValidator(_plain)]
_Grid = Annotated[dict[str, _Values], Field(min_length=1)]
_VALUES = "for each setting a list of numbers or texts, at least one, each once"


class _Section(BaseModel):
    """A part of a parameter file. The description of a field says what is expected there."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Network(_Section):
    """Size of the network."""

    layers: int = Field(ge=1, le=8, description="an integer from 1 to 8, the number of LSTM layers")
    width: int = Field(ge=1, le=2048, description="an integer from 1 to 2048, the units of each LSTM layer")


class Training(_Section):
    """How every arm is trained."""

    epochs: int = Field(ge=1, le=10_000, description="an integer from 1 to 10000, the length of training")
    batch_size: int = Field(ge=1, le=65536, description="an integer from 1 to 65536, samples in one update")
    learning_rate: float = Field(gt=0, le=1, description="a number above 0 and up to 1, Adam's step size")


class Profile(_Section):
    """How big a study is: tasks, techniques, units of each comparison, network and training.

    `name` is the stem of the file. `grids` has, by technique and setting, the values that replace
    those of the technique's own file.
    """

    name: str
    tasks: _Names = Field(description="a list of names of tasks, at least one, each once")
    techniques: _Names = Field(description="a list of names of techniques, at least one, each once")
    units: int = Field(ge=1, le=1000, description="an integer from 1 to 1000, units for each task")
    network: Network = Field(description="a mapping with the keys layers, width")
    training: Training = Field(description="a mapping with the keys epochs, batch_size, learning_rate")
    grids: dict[str, _Grid] = Field(default={}, description=_VALUES)


class TechniqueParams(_Section):
    """Which settings of one technique a study tries: the product of the values of each."""

    name: str
    notebook: str = Field(pattern=r"^\d\d_[a-z0-9_]+$", description="a name such as 01_dropout")
    grid: _Grid = Field(description=_VALUES)


_Model = TypeVar("_Model", Profile, TechniqueParams)


def profile_names(folder: Path = paths.PARAMS) -> tuple[str, ...]:
    """Return the names of the profiles in `folder`, sorted."""
    stems = (path.stem for path in folder.glob("*.yaml"))
    return tuple(sorted(stem for stem in stems if _PROFILE_NAME.fullmatch(stem) and stem not in _TAKEN))


def load_profile(name: str, folder: Path = paths.PARAMS) -> Profile:
    """Return the named profile, with every technique file that it names checked as well.

    Args:
        name: Stem of a file in `folder`.
        folder: Where profiles lie; its folder ``techniques`` has one file for each technique.

    Raises:
        ParamsError: If anything is wrong: one line with file, key, what was expected and what came.
    """
    from lstmstudy.data import TASK_NAMES

    if not _PROFILE_NAME.fullmatch(name) or name in _TAKEN:
        msg = (
            "The name of a profile is the stem of a file in params/. Expected up to 64 ASCII letters, digits, `_` and `-` "
            f"(not {' or '.join(_TAKEN)}), such as mine for params/mine.yaml. Received: profile={shown(name)}"
        )
        raise ParamsError(msg)
    path = folder / f"{name}.yaml"
    where = paths.relative(path)
    names = profile_names(folder)
    if name not in names:
        note = f"A file params/{name}.yaml would create it. "
        raise ParamsError(_unknown("profile", name, names, note, where))
    profile = _load(Profile, path)
    for task in profile.tasks:
        if task not in TASK_NAMES:
            raise ParamsError(_unknown("task", task, TASK_NAMES, "", f"{where}: tasks"))
    for technique in profile.techniques:
        if technique not in TECHNIQUES:
            raise ParamsError(_unknown("technique", technique, TECHNIQUES, "", f"{where}: techniques"))
    for technique in profile.grids:
        if technique not in profile.techniques:
            note = "Only techniques of this profile have grids here. "
            raise ParamsError(_unknown("technique", technique, profile.techniques, note, f"{where}: grids"))
    for technique in profile.techniques:
        grid_of(profile, technique, folder)
    return profile


def load_technique(name: str, folder: Path = paths.PARAMS) -> TechniqueParams:
    """Return the parameters of one technique, with each of its arms checked.

    Raises:
        ParamsError: As `load_profile`.
    """
    path = folder / "techniques" / f"{name}.yaml"
    where = paths.relative(path)
    if name not in TECHNIQUES:
        raise ParamsError(_unknown("technique", name, TECHNIQUES, "", where))
    params = _load(TechniqueParams, path)
    _arms(TECHNIQUES[name], {f"{where}: grid": params.grid})
    return params


def grid_of(profile: Profile, technique: str, folder: Path = paths.PARAMS) -> tuple[Technique, ...]:
    """Return the technique in each of its settings: the product of the values of its grid.

    Values in the profile's own `grids` replace those of the technique's file, setting by setting. The
    baseline is not among the arms.

    Raises:
        ParamsError: As `load_profile`.
    """
    params = load_technique(technique, folder)
    own = paths.relative(folder / "techniques" / f"{technique}.yaml")
    profiles = paths.relative(folder / f"{profile.name}.yaml")
    grids = {f"{own}: grid": params.grid, f"{profiles}: grids.{technique}": profile.grids.get(technique, {})}
    return _arms(TECHNIQUES[technique], grids)


def _load(model: type[_Model], path: Path) -> _Model:
    """Return the content of a file as its model."""
    content = read_mapping(path)
    where = paths.relative(path)
    if "name" in content:  # the stem of the file is the name
        raise ParamsError(_unknown("key", "name", _keys(model), "", where, content["name"]))
    try:
        return model.model_validate({**content, "name": path.stem})
    except ValidationError as error:
        errors = error.errors(include_url=False)
        # A mistyped key is missing under its right name too; the typo is the one to tell.
        first = min(errors, key=lambda item: item["type"] != "extra_forbidden")
        raise _explained(model, where, first) from None


def _keys(model: type[BaseModel]) -> list[str]:
    """Return the keys that a file, or a part of it, may have."""
    return [key for key in model.model_fields if key != "name"]


def _explained(model: type[BaseModel], where: str, error: ErrorDetails) -> ParamsError:
    """Return what pydantic found as one line with key, what was expected, and what came."""
    loc = error["loc"]
    section = model
    depth = 0
    while depth + 1 < len(loc):
        inner = section.model_fields[str(loc[depth])].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        section, depth = inner, depth + 1
    names = [part for part in loc if not isinstance(part, int)]
    key, leaf = ".".join(map(str, names)), str(names[-1])
    if error["type"] == "extra_forbidden":
        return ParamsError(_unknown("key", key, _keys(section), "", where, error["input"]))
    expected = section.model_fields[str(loc[depth])].description
    if error["type"] == "missing":
        keys = [name for name in error["input"] if name != "name"]
        return ParamsError(f"{where}: missing key `{key}`. Expected {expected}. Received: keys={shown(keys)}")
    reason = str(error["ctx"]["error"]) if error["type"] == "value_error" else ""
    item = "".join(f"[{part}]" for part in loc if isinstance(part, int))
    value = error["input"]
    received = f"{leaf}{item}={shown(value)}"
    return ParamsError(f"{where}: {key}: {reason}Expected {expected}. {hint(value)}Received: {received}")


def _unknown(what: str, name: str, valid: Iterable[str], note: str, where: str, *value: object) -> str:
    """Return the message for a name that is none of `valid`, with the nearest of these."""
    leaf = name.rpartition(".")[2] if value else name  # a key comes with its path
    by_fold = {valid_name.casefold().replace("-", "_"): valid_name for valid_name in valid}
    near = difflib.get_close_matches(leaf.casefold().replace("-", "_"), by_fold, n=2)
    mean = f"Did you mean {' or '.join(f'`{by_fold[item]}`' for item in near)}? " if near else ""
    received = f"{leaf}={shown(value[0])}" if value else f"{what}={shown(name)}"
    expected = f"Expected one of: {', '.join(by_fold.values())}. "
    return f"{where}: unknown {what} `{name}`. {expected}{note}{mean}Received: {received}"


def _arms(technique: type[Technique], grids: Mapping[str, _Grid]) -> tuple[Technique, ...]:
    """Return an instance for each combination; of `grids`, by place in a file, a later one wins."""
    settings = {field.name: field for field in dataclasses.fields(technique)}
    place = {}
    for start, grid in grids.items():
        for key, values in grid.items():
            if key not in settings:
                where, _, prefix = start.rpartition(": ")
                raise ParamsError(_unknown("key", f"{prefix}.{key}", settings, "", where, values))
            place[key] = f"{start}.{key}"
    values_of = {key: values for grid in grids.values() for key, values in grid.items()}
    for key, field in settings.items():
        if key not in values_of and field.default is dataclasses.MISSING:
            where, _, prefix = next(iter(grids)).rpartition(": ")
            msg = f"{where}: missing key `{prefix}.{key}`. Expected {_VALUES}. Received: keys={shown(list(values_of))}"
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
