"""Published runs: all that comparisons need of them, in files that are small enough to stand beside the code.

A part is a text compressed by xz with one JSON object a line: how it was written (the first line), then runs with their
curves, their record and the numbers that were taken from predictions and weights, which are left away. Numbers have six
significant digits. A later part adds runs and numbers, and none is ever rewritten. Nothing read is executed.
"""

from __future__ import annotations

import functools
import json
import lzma
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy import paths
from lstmstudy.params.profile import PUBLISHED, PUBLISHED_FROM
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.parsing.untrusted import open_plain
from lstmstudy.runs import Outcome, Result
from lstmstudy.store.atomic import write_whole
from lstmstudy.store.outcomes import RunStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lstmstudy.plan import Plan
    from lstmstudy.runs import Run
    from lstmstudy.store.numbers import Noted

_DIGITS = 6
_PART = "part-{:02}.jsonl.xz"
_LARGEST = 1 << 30  # bytes that a part may unpack to


class PublishedRuns:
    """The runs in the parts of a folder.

    Attributes:
        written: How the newest part was written: commit, Python and versions of libraries; empty without parts.
        outcomes: The runs by identity; they have curves and numbers, and no predictions or weights.
        files: The part of each run, by identity.
        by_question: The identity of each run by what it asks: code and versions that answered do not count.

    Raises:
        ParamsError: If a part is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.written: dict[str, Any] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.files: dict[str, Path] = {}
        self.by_question: dict[str, str] = {}
        for path in sorted(folder.glob("part-*.jsonl.xz")):
            try:
                self.written, *lines = map(json.loads, _text(path).splitlines())
                for line in lines:
                    self._add(path, line)
            except (
                OSError,
                EOFError,
                lzma.LZMAError,
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
            ) as error:
                raise ParamsError(
                    f"{paths.relative(path)} is damaged: {type(error).__name__}: {error}. Expected what `make publish` "
                    f"wrote; git has it. Received: {path.name}"
                ) from None

    def _add(self, path: Path, line: dict[str, Any]) -> None:
        """Take a run, or further numbers of one that came before."""
        identity = line["run"]
        if "result" in line:
            self.outcomes[identity] = _outcome(identity, line)
            self.files[identity] = path
            self.by_question[_question(line["asked"])] = identity
        else:
            known = self.outcomes[identity]
            numbers = {**(known.numbers or {}), **line["numbers"]}
            self.outcomes[identity] = replace(known, numbers=numbers)


class SharedStore(RunStore):
    """The run store, in which published runs of the same identity count as stored.

    Args:
        folder: Where outcomes lie.
        published: Where the parts lie.
    """

    def __init__(self, folder: Path, published: Path) -> None:
        super().__init__(folder)
        self.parts = published_runs(published)

    def files(self) -> dict[str, Path]:
        """Return the file of each identity, or its part."""
        return self.parts.files | super().files()

    def check(self, identities: Iterable[str]) -> dict[str, Path]:
        """Return the whole files among those of `identities`, and of others the part that has them."""
        wanted = list(identities)
        known = {each: self.parts.files[each] for each in wanted if each in self.parts.outcomes}
        return known | super().check(wanted)

    def load(self, identity: str) -> Outcome | None:
        """Return the outcome of a run: whole if it is stored, else as it was published."""
        whole = super().check([identity])
        return super().load(identity) if whole else self.parts.outcomes.get(identity)

    def record(self, identity: str) -> dict[str, Any] | None:
        """Return how a run came about."""
        published = self.parts.outcomes.get(identity)
        return super().record(identity) or (published.record if published else None)


class PublishedStore(RunStore):
    """The published outcomes of a plan, read by what its runs ask; nothing is ever added.

    Args:
        folder: Where the parts lie.
        runs: The runs of the plan.
    """

    takes_runs = False

    def __init__(self, folder: Path, runs: Iterable[Run]) -> None:
        super().__init__()
        self.parts = published_runs(folder)
        self.written = self.parts.written
        asked = {run.identity: _question(_asked(run)) for run in runs}
        known = self.parts.by_question
        self._answers = {identity: known[asked[identity]] for identity in asked if asked[identity] in known}

    def files(self) -> dict[str, Path]:
        """Return the part of each run."""
        return {identity: self.parts.files[answer] for identity, answer in self._answers.items()}

    def check(self, identities: Iterable[str]) -> dict[str, Path]:
        """Return the parts of those runs that are published."""
        files = self.files()
        return {identity: files[identity] for identity in identities if identity in files}

    def load(self, identity: str) -> Outcome | None:
        """Return a published outcome."""
        answer = self._answers.get(identity)
        return None if answer is None else self.parts.outcomes[answer]

    def record(self, identity: str) -> dict[str, Any] | None:
        """Return how a published run came about."""
        found = self.load(identity)
        return None if found is None else found.record


def open_store(plan: Plan, folder: Path = paths.STORE) -> RunStore:
    """Return where the outcomes of a plan are.

    Those of the published profile are in its parts, those of the full study there or in a folder, and those of any other
    one in a folder: whoever builds it sees this machine train.
    """
    if plan.profile.name == PUBLISHED:
        return PublishedStore(paths.PUBLISHED, plan.all_runs.values())
    if plan.profile.name == PUBLISHED_FROM and folder == paths.STORE:
        return SharedStore(folder, paths.PUBLISHED)
    return RunStore(folder)


@functools.cache
def published_runs(folder: Path) -> PublishedRuns:
    """Return the published runs of a folder, read once."""
    return PublishedRuns(folder)


def write_part(
    folder: Path, written: Mapping[str, Any], runs: Iterable[tuple[Run, Outcome]], numbers: Noted
) -> Path | None:
    """Write what is not published yet as one more part; return its file, or None if there is nothing.

    Args:
        folder: Where the parts lie.
        written: Commit, Python and versions of libraries.
        runs: Whole runs.
        numbers: What was taken from their predictions and weights.
    """
    known = PublishedRuns(folder)
    lines = []
    for run, outcome in runs:
        identity = run.identity
        noted = {name: _plain(value) for name, value in numbers.get(identity, {}).items()}
        if identity not in known.outcomes:
            lines.append({"run": identity, **_line(run, outcome), "numbers": noted})
            continue
        new = {k: v for k, v in noted.items() if k not in (known.outcomes[identity].numbers or {})}
        if new:
            lines.append({"run": identity, "numbers": new})
    if not lines:
        return None
    text = "\n".join(json.dumps(line, sort_keys=True) for line in ({**written}, *lines))
    folder.mkdir(parents=True, exist_ok=True)
    last = max((int(path.name[5:-9]) for path in folder.glob("part-*.jsonl.xz")), default=0)
    path = folder / _PART.format(last + 1)
    write_whole(path, lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    return path


def _text(path: Path) -> str:
    """Return the text of a part, unpacked within bounds."""
    with open_plain(path) as file, lzma.open(file) as packed:
        data = packed.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"it unpacks to more than {_LARGEST} bytes")
    return data.decode()


def _asked(run: Run) -> dict[str, Any]:
    return {
        "recipe": run.recipe.describe(),
        "task": run.task,
        "content": run.content,
        "fold": run.fold,
        "seed": run.seed,
    }


def _question(asked: Mapping[str, Any]) -> str:
    return json.dumps(asked, sort_keys=True)


def _line(run: Run, outcome: Outcome) -> dict[str, Any]:
    result = outcome.result
    return {
        "asked": _asked(run),
        "result": {
            "metric": result.metric,
            "epochs": result.epochs.tolist(),
            "diverged": result.diverged,
            "curves": {name: _plain(curve) for name, curve in result.curves.items()},
        },
        "record": _plain(outcome.record),
    }


def _outcome(identity: str, line: Mapping[str, Any]) -> Outcome:
    result = line["result"]
    curves = {name: np.array(curve, dtype=float) for name, curve in result["curves"].items()}
    known = Result(
        metric=result["metric"],
        curves=curves,
        epochs=np.array(result["epochs"], np.int64),
        predictions={},
        weights={},
        pairing={},
        diverged=result["diverged"],
    )
    return Outcome(identity, known, line["record"], line["numbers"])


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, floats with six significant digits; None for what is not finite."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
