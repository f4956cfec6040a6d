"""Numbers that are taken from predictions and weights, so that a run can be published without these.

Predictions and weights are nine tenths of what a run leaves, and no table shows them: comparisons take a few numbers
from them. `taken` computes such a number while they are there, notes it where somebody publishes, and gives it back
where they are not.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy.runs import short
from lstmstudy.store.outcomes import MissingRunsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lstmstudy.runs import Outcome

_NOTES = "LSTMSTUDY_NUMBERS"  # environment variable: the folder where numbers are noted as they are taken
Noted = dict[str, dict[str, Any]]  # by identity of the first run, and name


def taken(what: str, outcomes: Sequence[Outcome], compute: Callable[[], Any]) -> np.ndarray:
    """Return what is computed from the predictions or weights of some runs; of published ones, what was then.

    Args:
        what: Says what it is, with everything that it depends on beside the runs, their folds and their seeds.
        outcomes: The runs, in the order that counts.
        compute: Returns a number, or numbers in any shape.

    Raises:
        MissingRunsError: If one of the runs is published, and the number is not.
    """
    first, *others = outcomes
    name = " ".join([what, *(short(each.identity) for each in others)])
    if any(each.numbers is not None for each in outcomes):
        known = first.numbers or {}
        if name not in known:
            raise MissingRunsError(
                f"A published run lacks a number. Expected one of: {', '.join(known)}. Received: {name!r}"
            )
        return np.asarray(known[name], float)
    value = np.asarray(compute(), float)
    if folder := os.environ.get(_NOTES):
        line = json.dumps([first.identity, name, value.tolist()])
        with (Path(folder) / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as notes:
            notes.write(f"{line}\n")
    return value


@contextlib.contextmanager
def noting() -> Iterator[Callable[[], Noted]]:
    """Note every number that this process, or one that it starts, takes meanwhile; yield what returns them."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get(_NOTES)
        os.environ[_NOTES] = folder
        try:
            yield lambda: _noted(Path(folder))
        finally:
            if before is None:
                del os.environ[_NOTES]
            else:
                os.environ[_NOTES] = before


def _noted(folder: Path) -> Noted:
    found: Noted = {}
    for path in sorted(folder.iterdir()):
        for line in path.read_text(encoding="utf-8").splitlines():
            run, name, value = json.loads(line)
            found.setdefault(run, {})[name] = value
    return found
