"""``params/tuned.yaml``: what random search chose for each network size, task and arm, and from which trials."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Self

import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from lstmstudy import paths
from lstmstudy.arms import BASELINE
from lstmstudy.params.search import Range, Settings, entry_key
from lstmstudy.parsing.sections import LIST, Section, explained, unknown
from lstmstudy.parsing.strict_yaml import ParamsError, read_mapping, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_FILE = "tuned.yaml"
_SIZE = re.compile(r"([1-9]\d*)x([1-9]\d*)")
_COMMAND = "`python -m lstmstudy tune --profile <name>` writes it. "
_HEADER = """\
# Learning rates and strengths by random search, for each network size (layers x width), task and arm:
# `best` is the trial with the lowest validation metric, a mean over seeds that no comparison uses.
# Written by `python -m lstmstudy tune --profile <name>`, which replaces what it searched anew and keeps
# the rest. `search` is what was drawn from; a trial of which a seed diverged has the metric .inf.
"""


class Trial(Section):
    """One draw, and the validation metric that it reached: a mean over seeds, infinite after a divergence."""

    learning_rate: float = Field(gt=0, le=1, description="a number above 0 and up to 1, Adam's step size")
    settings: Settings = Field(description="a mapping with the settings of the technique")
    validation: float = Field(ge=0, allow_inf_nan=True, description="a number of at least 0, or .inf")


class Trained(Section):
    """How every trial was trained."""

    epochs: int = Field(ge=1, description="a positive integer, the length of training")
    batch_size: int = Field(ge=1, description="a positive integer, samples in one update")
    seeds: Annotated[tuple[int, ...], *LIST] = Field(description="a list of integers, each once")


class Found(Section):
    """What the search for one arm on one task found.

    Attributes:
        best: The first of the trials with the lowest validation metric.
        trained: How every trial was trained.
        search: The ranges of the learning rate and of the settings that were drawn.
        trials: Everything that was drawn, in order.
    """

    best: Trial = Field(description="a mapping with the keys learning_rate, settings, validation")
    trained: Trained = Field(description="a mapping with the keys epochs, batch_size, seeds")
    search: dict[str, Range] = Field(
        description="for learning_rate and each setting that was drawn its range"
    )
    trials: list[Trial] = Field(min_length=1, description="a list of mappings such as `best`")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if "learning_rate" not in self.search:
            msg = "`search` lacks learning_rate. "
            raise ValueError(msg)
        for trial in self.trials:
            numbers = {**trial.settings, "learning_rate": trial.learning_rate}
            for key, drawn in self.search.items():
                if not drawn.holds(numbers.get(key)):
                    raise ValueError(
                        f"a trial has {key}={shown(numbers.get(key))}, which `search` excludes. "
                    )
        if self.best != best_of(self.trials):
            msg = "`best` is none of `trials`, or not the first with the lowest validation metric. "
            raise ValueError(msg)
        return self


@dataclass(frozen=True)
class Best:
    """The learning rate and all settings of a tuned arm on one task.

    Attributes:
        learning_rate: Adam's step size.
        settings: The settings of the technique by name; none for the baseline.
        note: Where they come from if that task was not tuned at that size: sentences, else "".
        trials: From how many draws they were chosen, on each task.
    """

    learning_rate: float
    settings: dict[str, Any]
    note: str = ""
    trials: int = 0


_Sizes = dict[str, dict[str, dict[str, Found]]]


@dataclass(frozen=True)
class Tuned:
    """What was found: by size such as ``"2x32"``, then by task, then by key of the arm."""

    sizes: Mapping[str, Mapping[str, Mapping[str, Found]]]

    def best(self, key: str, task: str, *, layers: int, width: int) -> Best:
        """Return what was chosen for an arm on a task, at a size of the network.

        A size that was not tuned takes the nearest one's, measured by the logarithm of layers times
        width. A task that was not tuned there takes the median winner: the median over the tuned tasks
        of the learning rate and of every drawn setting, on the scale on which it was drawn.

        Args:
            key: ``"baseline"``, or what `lstmstudy.params.search.entry_key` returns.
            task: Name of the task.
            layers: Number of LSTM layers.
            width: Units of each layer.

        Raises:
            ParamsError: If no such arm was tuned.
        """
        size = self._nearest(key, layers, width)
        found = {name: arms[key] for name, arms in self.sizes[size].items() if key in arms}
        elsewhere = "" if size == f"{layers}x{width}" else f"Tuned at {size}, the nearest size."
        if task in found:
            chosen = found[task].best
            return Best(chosen.learning_rate, dict(chosen.settings), elsewhere, len(found[task].trials))
        median = f"The median winner over {', '.join(sorted(found))}."
        return replace(_median(list(found.values())), note=f"{median} {elsewhere}".rstrip())

    def gain(self, key: str, task: str, *, layers: int, width: int) -> float:
        """Return ln(best validation metric of an arm / that of the baseline), sections as in `best`.

        For a task that was not tuned it is the mean over the tuned tasks.
        """
        arms = self.sizes[self._nearest(key, layers, width)]
        gains = {
            name: math.log(found[key].best.validation / found[BASELINE].best.validation)
            for name, found in arms.items()
            if key in found and BASELINE in found
        }
        return gains[task] if task in gains else sum(gains.values()) / len(gains)

    def _nearest(self, key: str, layers: int, width: int) -> str:
        """Return the size, of those at which an arm was tuned, that is most like a network."""

        def distance(size: str) -> tuple[float, int]:
            its_layers, its_width = map(int, size.split("x"))
            return abs(math.log(its_layers * its_width / (layers * width))), abs(its_layers - layers)

        keys = {size: {key for arms in tasks.values() for key in arms} for size, tasks in self.sizes.items()}
        sizes = [size for size in sorted(keys) if key in keys[size]]
        if not sizes:
            valid = sorted(set().union(*keys.values())) or ["none so far"]
            raise ParamsError(unknown("arm", key, valid, _COMMAND, f"params/{_FILE}"))
        return min(sizes, key=distance)

    def adding(self, size: str, found: Mapping[str, Mapping[str, Found]]) -> Tuned:
        """Return this with more, by task and key, at one size; what is there under the same names gives way."""
        old = self.sizes.get(size, {})
        tasks = {task: {**old.get(task, {}), **found.get(task, {})} for task in {**old, **found}}
        return Tuned({**self.sizes, size: tasks})


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the first trial with the lowest validation metric, or None if all diverged."""
    best = min(trials, key=lambda trial: trial.validation)
    return best if math.isfinite(best.validation) else None


def load_tuned(folder: Path = paths.PARAMS) -> Tuned:
    """Return what ``tuned.yaml`` in `folder` holds; nothing if there is no such file.

    Raises:
        ParamsError: If anything in it is wrong: one line with file, key, what was expected and what came.
    """
    path = folder / _FILE
    if not path.exists():
        return Tuned({})
    where = paths.relative(path)
    content = read_mapping(path)
    for size in content:
        if not _SIZE.fullmatch(size):
            msg = f"{where}: a section is named by its size. Expected layers x width, such as 2x32. Received: key={shown(size)}"
            raise ParamsError(msg)
    try:
        sizes = TypeAdapter(_Sizes).validate_python(content)
    except ValidationError as error:
        raise explained(_Sizes, where, error) from None
    for size, tasks in sizes.items():
        for task, arms in tasks.items():
            for key, found in arms.items():
                _check_key(key, found, f"{where}: {size}.{task}.{key}")
    return Tuned(sizes)


def _check_key(key: str, found: Found, place: str) -> None:
    """Raise a ParamsError unless the settings that were not drawn are those that the key of the arm names."""
    for trial in found.trials:
        held = {name: value for name, value in trial.settings.items() if name not in found.search}
        named = entry_key(key.partition(" ")[0], held)
        if named != key:
            msg = f"{place}: a trial has other settings than the name of the arm. Expected {key}. Received: arm={shown(named)}"
            raise ParamsError(msg)


def save_tuned(tuned: Tuned, folder: Path = paths.PARAMS) -> Path:
    """Write ``tuned.yaml`` in `folder`, whole or not at all, and return its path."""
    path = folder / _FILE
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(_text(tuned))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _median(found: Sequence[Found]) -> Best:
    """Return the median over tasks of each number that was drawn."""
    first = found[0]
    drawn = {
        key: chosen.median([each.best.settings[key] for each in found])
        for key, chosen in first.search.items()
        if key != "learning_rate"
    }
    rate = first.search["learning_rate"].median([each.best.learning_rate for each in found])
    return Best(rate, {**first.best.settings, **drawn}, trials=min(len(each.trials) for each in found))


class _Line(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes a `_Line` on one line."""


_Dumper.add_representer(
    _Line, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)


def _text(tuned: Tuned) -> str:
    """Return the file: sizes by size, tasks and arms by name, the baseline first."""
    content = {
        size: {
            task: {key: _block(arms[key]) for key in sorted(arms, key=lambda key: (key != BASELINE, key))}
            for task, arms in sorted(tuned.sizes[size].items())
        }
        for size in sorted(tuned.sizes, key=lambda size: tuple(map(int, size.split("x"))))
    }
    body = yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=math.inf, allow_unicode=True)
    return _HEADER + body


def _block(found: Found) -> dict[str, Any]:
    return {
        "best": _Line(found.best.model_dump()),
        "trained": _Line({**found.trained.model_dump(), "seeds": list(found.trained.seeds)}),
        "search": _Line({key: drawn.describe() for key, drawn in found.search.items()}),
        "trials": [_Line(trial.model_dump()) for trial in found.trials],
    }
