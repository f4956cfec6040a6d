"""The profiles of a study, all checked before anything starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from lstmstudy import paths
from lstmstudy.claims.table import load_claims
from lstmstudy.data.own import OwnTask
from lstmstudy.params.design import DesignScope, arm_names, load_design
from lstmstudy.params.grids import load_technique, technique_grid
from lstmstudy.params.search import Tuning, entry_key
from lstmstudy.parsing.sections import LIST, VALUES, Grid, Names, Section, load, unknown
from lstmstudy.parsing.strict_yaml import ParamsError, shown
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.techniques import Technique

PUBLISHED, PUBLISHED_FROM = "published", "full"  # the profile whose runs are read, and the file that it is
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# reports/store/ holds the runs, params/tuned.yaml the tuned strengths, params/claims.yaml the claims
_TAKEN = ("store", "tuned", "claims")


class Network(Section):
    """Size of the network."""

    layers: int = Field(ge=1, le=8, description="an integer from 1 to 8, the number of LSTM layers")
    width: int = Field(ge=1, le=2048, description="an integer from 1 to 2048, the units of each LSTM layer")


class Training(Section):
    """How every arm is trained."""

    epochs: int = Field(ge=1, le=10_000, description="an integer from 1 to 10000, the length of training")
    batch_size: int = Field(ge=1, le=65536, description="an integer from 1 to 65536, samples in one update")
    learning_rate: float = Field(gt=0, le=1, description="a number above 0 and up to 1, Adam's step size")


class Description(Section):
    """Where and how often the grids are trained: they describe how a strength acts, and judge nothing.

    Without `tasks` these are the profile's own, one's own data included.
    """

    tasks: Names = Field(default=(), description="a list of names of tasks, at least one, each once")
    units: int = Field(ge=1, le=1000, description="an integer from 1 to 1000, units for each task")


Widths = Annotated[tuple[Annotated[int, Field(ge=1, le=2048)], ...], *LIST]


class Profile(Section):
    """How big a study is: tasks, techniques, units of each comparison, network and training.

    `name` is the stem of the file. `task` is one of the user's own data and `ucr` one from the archives, both beside
    or instead of `tasks`. Tuned arms are compared on `tasks` with `units` units each: those in
    `compared`, by name such as ``"dropout per=step"`` or by technique, or all if it is left out. Grids are
    trained as `description` says, or else just so; designs as `designs` says by name. `grids` has, by technique and
    setting, the values that replace those of the technique's own file. `unjudged` names claims whose arms are left
    to a larger profile; `widths` are further ones at which the verdicts are computed again.
    """

    name: str
    tasks: Names = Field(default=(), description="a list of names of tasks, at least one, each once")
    task: OwnTask | None = Field(
        default=None, description="a mapping with the keys csv or parquet, kind and what it needs"
    )
    ucr: str | None = Field(
        default=None, description="the name of a problem of the UCR and UEA archives, such as GunPoint"
    )
    techniques: Names = Field(description="a list of names of techniques, at least one, each once")
    compared: Names | None = Field(
        default=None, description="a list of tuned arms or techniques, at least one, each once"
    )
    unjudged: Names | None = Field(
        default=None, description="a list of ids of claims in params/claims.yaml, at least one, each once"
    )
    units: int = Field(ge=1, le=1000, description="an integer from 1 to 1000, units for each task")
    widths: Widths = Field(default=(), description="a list of widths, at least one, each once")
    network: Network = Field(description="a mapping with the keys layers, width")
    training: Training = Field(description="a mapping with the keys epochs, batch_size, learning_rate")
    description: Description | None = Field(default=None, description="a mapping with the keys tasks, units")
    designs: dict[str, DesignScope] = Field(
        default={}, description="for each design a mapping with the keys tasks, units"
    )
    tuning: Tuning = Field(
        default=Tuning(), description="a mapping with the keys trials, units, learning_rate"
    )
    grids: dict[str, Grid] = Field(default={}, description=VALUES)

    @property
    def described(self) -> Description:
        """Where and how often the grids are trained."""
        scope = self.description or Description(units=self.units)
        return scope if scope.tasks else scope.model_copy(update={"tasks": self.tasks})

    def compares(self, technique: str, key: str) -> bool:
        """Whether the tuned arm of this key, as `lstmstudy.params.search.entry_key` names it, is compared."""
        return self.compared is None or not {technique, key}.isdisjoint(self.compared)


def profile_names(folder: Path = paths.PARAMS) -> tuple[str, ...]:
    """Return the names of the profiles in `folder`, sorted."""
    stems = (path.stem for path in folder.glob("*.yaml"))
    return tuple(sorted(stem for stem in stems if _PROFILE_NAME.fullmatch(stem) and stem not in _TAKEN))


def check_profile_name(name: str) -> None:
    """Raise a ParamsError unless a profile can have this name."""
    if not _PROFILE_NAME.fullmatch(name) or name in _TAKEN:
        msg = (
            "The name of a profile is the stem of a file in params/. Expected up to 64 ASCII letters, digits, `_` and `-` "
            f"(not {' or '.join(_TAKEN)}), such as mine for params/mine.yaml. Received: profile={shown(name)}"
        )
        raise ParamsError(msg)


def load_profile(name: str, folder: Path = paths.PARAMS) -> Profile:
    """Return the named profile, with every technique file that it names checked as well.

    Args:
        name: Stem of a file in `folder`.
        folder: Where profiles lie; its folder ``techniques`` has one file for each technique.

    Raises:
        ParamsError: If anything is wrong: one line with file, key, what was expected and what came.
    """
    check_profile_name(name)
    stem = PUBLISHED_FROM if name == PUBLISHED else name
    path = folder / f"{stem}.yaml"
    where = paths.relative(path)
    names = profile_names(folder)
    if not names:
        raise ParamsError(
            f"{paths.relative(folder)}/ has no profile. Expected to work where params/ and notebooks/ lie, as in a checkout; "
            f"`python -m lstmstudy start study` writes both into a new folder. Received: folder={shown(str(folder.parent))}"
        )
    if stem not in names:
        note = f"A file params/{name}.yaml would create it. "
        raise ParamsError(unknown("profile", name, names, note, where))
    profile = load(Profile, path).model_copy(update={"name": name})
    if not profile.tasks and profile.task is None and profile.ucr is None:
        given = sorted(profile.model_fields_set - {"name"})
        raise ParamsError(
            f"{where}: missing key `tasks`. Expected a list of names of tasks, at least one, each once; or a `task` "
            f"of your own, or `ucr`. Received: keys={shown(given)}"
        )
    _check_names(profile, where)
    for technique in profile.techniques:
        grid_of(profile, technique, folder)
    _check_compared(profile, where, folder)
    for claim in profile.unjudged or ():
        if claim not in (claims := load_claims(folder)):
            raise ParamsError(unknown("claim", claim, claims, "", f"{where}: unjudged"))
    for design, scope in profile.designs.items():
        valid = arm_names(load_design(design, folder), folder)
        for arm in scope.arms or ():
            if arm not in valid:
                raise ParamsError(unknown("arm", arm, valid, "", f"{where}: designs.{design}.arms"))
    return profile


def _check_names(profile: Profile, where: str) -> None:
    """Raise a ParamsError for a task or technique that does not exist."""
    from lstmstudy.data import TASK_NAMES

    scopes = {f"designs.{name}.tasks": scope.tasks or () for name, scope in profile.designs.items()}
    named = {"tasks": profile.tasks, "description.tasks": profile.described.tasks, **scopes}
    for key, tasks in named.items():
        for task in tasks:
            if task not in TASK_NAMES:
                raise ParamsError(unknown("task", task, TASK_NAMES, "", f"{where}: {key}"))
    for technique in profile.techniques:
        if technique not in TECHNIQUES:
            raise ParamsError(unknown("technique", technique, TECHNIQUES, "", f"{where}: techniques"))
    for technique in profile.grids:
        if technique not in profile.techniques:
            note = "Only techniques of this profile have grids here. "
            raise ParamsError(unknown("technique", technique, profile.techniques, note, f"{where}: grids"))


def _check_compared(profile: Profile, where: str, folder: Path) -> None:
    """Raise a ParamsError for a tuned arm that no technique of the profile has."""
    valid = {
        name: None
        for technique in profile.techniques
        for entry in load_technique(technique, folder).tuned
        for name in (technique, entry_key(technique, entry))
    }
    for name in profile.compared or ():
        if name not in valid:
            note = "Only tuned arms of this profile can be compared. "
            raise ParamsError(unknown("arm", name, valid, note, f"{where}: compared"))


def grid_of(profile: Profile, technique: str, folder: Path = paths.PARAMS) -> tuple[Technique, ...]:
    """Return the technique in each of its settings; values in the profile's own `grids` come first.

    Raises:
        ParamsError: As `load_profile`.
    """
    where = f"{paths.relative(folder / f'{profile.name}.yaml')}: grids.{technique}"
    return technique_grid(technique, folder, {where: profile.grids.get(technique, {})})
