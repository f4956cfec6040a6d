"""What a worker of a cluster does with a run that is sent to it."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmstudy.runs import CORE
from lstmstudy.source import source_digest
from lstmstudy.workers.pool import ENVIRONMENT, prepare_engine, train_on

if TYPE_CHECKING:
    from lstmstudy.data import Task
    from lstmstudy.runs import Outcome, Run

_ALONE = threading.Lock()  # runs share what a process compiled, so that it trains one at a time


@dataclass(frozen=True)
class Reply:
    """What came of a run.

    Attributes:
        worker: Address of the worker that answers.
        outcome: The outcome, if it was trained.
        refusal: Why this worker trains nothing for the one who asks, as far as "Received: ...".
        failure: What training raised, in a line.
    """

    worker: str
    outcome: Outcome | None = None
    refusal: str = ""
    failure: str = ""


def train_there(run: Run, decisive: dict[str, Any], task: Task) -> Reply:
    """Train a run in this worker process, if its identity is the same here.

    Args:
        run: What to train.
        decisive: What its identity counts where it comes from.
        task: The data.

    Raises:
        MemoryError: If there is too little memory for it.
    """
    from distributed import get_worker

    worker = get_worker().address
    with _ALONE:
        run = dataclasses.replace(run)  # the identity that came along was computed elsewhere
        _note_code()
        if differing := _differing(decisive, run.decisive):
            return Reply(worker, refusal=f"{_ONE_CODE} Received: {', '.join(differing)}")
        if strange := _prepare():
            return Reply(worker, refusal=f"{_ENGINE_FIRST} Received: {', '.join(strange)}")
        try:
            return Reply(worker, train_on(run, task))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever one run raises, the others go on
            return Reply(worker, failure=f"{type(error).__name__}: {error}".splitlines()[0])


_ONE_CODE = (
    "A worker trains what was planned with its own code and versions alone. Expected the same commit and "
    "requirements.lock on every machine, and workers started after the last change."
)
_ENGINE_FIRST = "A worker has imported TensorFlow with other settings than those of the study. Expected workers that do nothing else."


def _modules() -> list[str]:
    """Return every module that an identity may count."""
    from lstmstudy.techniques import TECHNIQUES

    return [*CORE, *(module for technique in TECHNIQUES.values() for module in technique.modules)]


@functools.cache
def _note_code() -> None:
    """Read all code that counts once, when this process begins to use it: a file that changes later changes no identity."""
    source_digest(_modules())


@functools.cache
def _prepare() -> tuple[str, ...]:
    """Set up the engine of this process and import all code that counts; return settings that it is too late for."""
    if "tensorflow" in sys.modules:
        strange = tuple(
            f"{name}={os.environ.get(name)}"
            for name in ENVIRONMENT
            if os.environ.get(name) != ENVIRONMENT[name]
        )
        if strange:
            return strange
    prepare_engine()
    for module in _modules():
        importlib.import_module(module)
    return ()


def _differing(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Return what an identity counts differently here than where the run comes from, by name."""
    versions = {name: here["versions"].get(name) for name in there["versions"]}
    told = [
        f"{name} {versions[name]} instead of {version}"
        for name, version in there["versions"].items()
        if versions[name] != version
    ]
    names = {"code": "other code of lstmstudy", "engine": "another engine"}
    told += [
        names.get(key, f"another {key}") for key in there if key != "versions" and here.get(key) != there[key]
    ]
    return told
