"""Executes notebooks by papermill, each in a process of its own, and says which are stale and why."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import multiprocessing
import os
import random
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.source import code_digest, module_path, package_modules
from lstmstudy.store.atomic import write_whole
from lstmstudy.workers.processes import end_with_parent, interrupts_held, kill_processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_STARTS = 3  # a kernel that does not start is tried again
_NOT_READ = (  # code that no notebook reaches
    "__main__",
    "about",
    "build",
    "execution",
    "export",
    "gaps",
    "proposal",
    "provenance",
    "report",
    "store.sharing",
    "store.turns",
    "tuning",
    "verification",
    "workers.pace",
)


@dataclass(frozen=True)
class Execution:
    """One notebook to execute.

    Attributes:
        source: The notebook without outputs.
        target: Where the executed notebook goes.
        parameters: What papermill sets.
        inputs: All that its outputs depend on: a name for readers -> a hash.
    """

    source: Path
    target: Path
    parameters: dict[str, str]
    inputs: dict[str, str]

    def stale(self) -> list[str]:
        """Return the names of the inputs that changed since the last successful execution."""
        try:
            stamp = json.loads(self._stamp.read_text(encoding="utf-8"))
            before: dict[str, str] = dict(stamp["inputs"])
            if stamp["output"] != _hash(self.target.read_bytes()):
                return ["the executed notebook was altered"]
        except FileNotFoundError:
            return ["the lack of a whole execution"]
        except (ValueError, KeyError, TypeError):
            return ["its stamp is damaged"]
        return [name for name in {**before, **self.inputs} if before.get(name) != self.inputs.get(name)]

    @property
    def _stamp(self) -> Path:
        return self.target.with_suffix(".stamp.json")

    def stamp(self) -> None:
        """Note what the executed notebook was made from."""
        content = {"inputs": self.inputs, "output": _hash(self.target.read_bytes())}
        write_whole(self._stamp, json.dumps(content, indent=1).encode())

    def forget(self) -> None:
        """Take the stamp away, so that the next build executes the notebook again."""
        self._stamp.unlink(missing_ok=True)


def code_inputs() -> dict[str, str]:
    """Return the syntax hash of every module that a notebook can reach, by its file in the package."""
    names = package_modules(without=_NOT_READ)
    return {
        f"{name.replace('.', '/')}.py": code_digest(module_path(name).read_text(encoding="utf-8"))
        for name in names
    }


def installed() -> list[str]:
    """Return the name and version of every installed distribution."""
    return sorted({f"{found.name} {found.version}" for found in importlib.metadata.distributions()})


def file_inputs(files: Sequence[Path]) -> dict[str, str]:
    """Return the hash of each file's bytes, by its path."""
    return {paths.relative(path): _hash(path.read_bytes()) for path in files}


def text_hash(lines: Sequence[str]) -> str:
    """Return the hash of some lines."""
    return _hash("\n".join(lines).encode())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def execute_all(executions: Mapping[str, Execution]) -> Iterator[tuple[str, str | None]]:
    """Execute notebooks in parallel and yield each name as it ends, with what stopped it or None.

    A notebook that fails leaves its outputs so far in place; the others go on. Those whose process dies, which takes
    its neighbours with it, are executed once more. An interruption ends all of them at once.
    """
    broken = dict[str, Execution]()
    for name, error in _executed_once(executions):
        if isinstance(error, BrokenExecutor):
            broken[name] = executions[name]
        else:
            yield name, _noted(executions[name], error)
    for name, error in _executed_once(broken):
        yield name, _noted(broken[name], error)


def _noted(execution: Execution, error: BaseException | str | None) -> str | None:
    """Stamp what was executed without an error, and return the error as text."""
    if error is None:
        execution.stamp()
        return None
    execution.forget()
    return error if isinstance(error, str) else f"{type(error).__name__}: {error}".splitlines()[0]


def _executed_once(executions: Mapping[str, Execution]) -> Iterator[tuple[str, BaseException | str | None]]:
    """Execute notebooks in parallel and yield each name as it ends, with what stopped it, its process even, or None."""
    if not executions:
        return
    workers = min(len(executions), max(os.cpu_count() or 1, 1))
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=end_with_parent)
    try:
        with interrupts_held():
            futures = {
                pool.submit(_execute, each.source, each.target, each.parameters): name
                for name, each in executions.items()
            }
        for future in as_completed(futures):
            yield futures[future], future.exception() or future.result()
    except BaseException:
        kill_processes(pool)  # a kernel ends with the process that started it
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _execute(source: Path, target: Path, parameters: dict[str, str]) -> str | None:
    """Execute one notebook in this process; return what stopped it, or None."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, not one in the user's home
    os.environ["JUPYTER_PLATFORM_DIRS"] = "1"  # else jupyter_core warns about its own migration
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(paths.ROOT), known] if known else [str(paths.ROOT)])
    import papermill
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft, said = target.with_suffix(".draft.ipynb"), target.with_suffix(".log")
    for old in (draft, said):
        old.unlink(missing_ok=True)  # a link that lies there would lead elsewhere
    with said.open("x", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)  # what kernels and libraries say while they start, out of the build's lines
    target.unlink(missing_ok=True)  # if this fails, older outputs must not pass for its own
    error: str | None = None
    for attempt in range(1, _STARTS + 1):
        try:
            papermill.execute_notebook(
                source,
                draft,
                parameters=parameters,
                kernel_name="python3",
                cwd=source.parent,
                progress_bar=False,
                log_output=False,
            )
        except PapermillExecutionError as failure:
            error = f"cell {failure.exec_count}: {failure.ename}: {failure.evalue}"
        except RuntimeError as failure:
            if attempt < _STARTS and "Kernel" in str(failure):
                time.sleep(random.uniform(1, 3) * attempt)  # noqa: S311 - only spreads retries
                continue
            error = f"RuntimeError: {failure}"
        break
    if draft.exists():
        draft.replace(target)
    return error
