"""What `make bench` runs: every figure of speed in one run, as ratios to what was measured beside it.

Sections can be named to run only those: grid, torch, rate, workers, memory, scaling, builds, study.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from grid import CACHE, GRID, PYTHON_CELLS, SEEDS, TASKS, flops_of_epoch, run_of, task_of
from peer import Peer
from table import Row, machine, written

from lstmstudy import paths
from lstmstudy.runs import ENGINE
from lstmstudy.store.outcomes import RunStore
from lstmstudy.workers.pool import local_lanes, train_all, train_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

TORCH = Path(__file__).resolve().parent / ".venv" / "bin" / "python"
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "XLA_FLAGS": str(ENGINE["xla_flags"]),
}
BEST = ("none", "recurrent dropout")  # arms of which the options of `fit` are measured
CELLS = [(task, arm) for task in TASKS for arm in GRID]


class _Kept(Executor):
    """A worker that outlives the trainings that it is lent to."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def submit(self, *work: Any, **arguments: Any) -> Future[Any]:
        """Pass the work on."""
        return self.executor.submit(*work, **arguments)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stay."""


def main(sections: Sequence[str]) -> None:
    """Measure, print and write ``reports/bench.json`` and ``reports/bench.md``."""
    began = time.perf_counter()
    paths.REPORTS.mkdir(exist_ok=True)
    work = paths.REPORTS / "bench"
    for task in TASKS:
        task_of(task)
    rows: list[Row] = []
    for name in sections or SECTIONS:
        print(f"{(time.perf_counter() - began) / 60:5.1f} min  {name}", file=sys.stderr)
        for row in SECTIONS[name](work):
            rows.append(row)
            print(f"           {row}", file=sys.stderr)
            written(rows, machine(), time.perf_counter() - began)
    print((paths.REPORTS / "bench.md").read_text(encoding="utf-8"))


def grid(work: Path) -> Iterator[Row]:
    """The reference grid against plain Keras, both on all cores: 40 runs warm, cold, and as `fit` loops.

    `fit` trains two of the five seeds, which take the same time but for noise; its seconds are scaled to five.
    """
    study = Peer("with_study.py", **ONE_THREAD)
    for task in TASKS:
        for seed in SEEDS:
            study.ask(verb="work", task=task, seed=seed, path=_file(work, task, seed))
    study.close()
    runs = [run_of(task, arm, seed) for task, arm in CELLS for seed in SEEDS]
    lanes = [_Kept(lane()) for lane in local_lanes()]
    for one in [run_of(task, arm, SEEDS[0]) for task, arm in CELLS]:
        for future in [lane.submit(train_here, one, CACHE) for lane in lanes]:
            future.result()
    losses: dict[tuple[str, str, str], list[float]] = {}

    def trained(**given: Any) -> float:
        def keep(outcome: Any) -> None:
            ((task, arm),) = [key for key, one in names.items() if outcome.identity in one]
            metric = outcome.result.metric
            losses.setdefault(("study", task, arm), []).append(
                float(outcome.result.curves[f"test/{metric}"].min())
            )

        began = time.perf_counter()
        failures = train_all(runs, CACHE, keep=keep, **given)
        if failures:
            raise RuntimeError(failures[0].reason)
        return time.perf_counter() - began

    names = {(task, arm): {run_of(task, arm, seed).identity for seed in SEEDS} for task, arm in CELLS}
    keras = Peer("with_keras.py", TF_ENABLE_ONEDNN_OPTS="1")  # TensorFlow as it comes, with all cores
    plain: dict[tuple[str, str], list[float]] = {}
    best: dict[str, list[float]] = {"jit_compile": [], "jit_compile, one call an epoch": []}
    warm, cold = [], []
    for seed in SEEDS[:2]:
        for task, arm in CELLS:
            given = {"verb": "run", "work": _file(work, task, seed), "arm": arm}
            answer = keras.ask(**given)
            plain.setdefault((task, arm), []).append(answer["seconds"])
            losses.setdefault(("keras", task, arm), []).append(answer["test"])
            if seed == SEEDS[0] and arm in BEST:
                best["jit_compile"].append(keras.ask(**given, jit=True)["seconds"])
                whole = keras.ask(**given, jit=True, whole_epochs=True)
                best["jit_compile, one call an epoch"].append(whole["seconds"])
            if arm == GRID[-1]:
                warm.append(trained(lanes=[lambda lane=lane: lane for lane in lanes]))
        cold.append(trained())
    keras.close()
    for lane in lanes:
        lane.executor.shutdown()
    by_seed = [sum(each) * len(SEEDS) for each in zip(*plain.values(), strict=True)]
    usual = sum(plain[task, arm][0] for task in TASKS for arm in BEST)
    unit = "s for 40 runs"
    yield Row("grid, structures compiled, against Keras `fit`", warm, by_seed, unit, at_least=15)
    yield Row("grid, cold, against Keras `fit`", cold, by_seed, unit, at_least=8)
    for name, seconds in best.items():
        total = [each * sum(seconds) / usual for each in by_seed]
        yield Row(f"grid, structures compiled, against `fit` with {name}", warm, total, unit)
    for task, arm in CELLS:
        mine, theirs = losses["study", task, arm], losses["keras", task, arm]
        yield Row(f"least test loss, {task}, {arm}: study and Keras", mine, theirs, "", is_check=True)


def torch(work: Path) -> Iterator[Row]:
    """Seconds of a run on one thread against PyTorch, taking turns."""
    study, other = Peer("with_study.py", **ONE_THREAD), Peer("with_torch.py", str(TORCH), **ONE_THREAD)
    for task in TASKS:
        path = _file(work, task, 1)
        study.ask(verb="work", task=task, seed=1, path=path)
        for arm in dict.fromkeys((*GRID, *PYTHON_CELLS)):
            own = arm not in PYTHON_CELLS
            study.ask(verb="run", task=task, arm=arm, seed=1)
            mine, eager, compiled = [], [], []
            for _ in range(5 if own else 3):
                mine.append(study.ask(verb="run", task=task, arm=arm, seed=1))
                eager.append(other.ask(verb="run", work=path, arm=arm))
            if not own:
                other.ask(verb="run", work=path, arm=arm, compiled=True)  # compiles every size of batch
                compiled.append(other.ask(verb="run", work=path, arm=arm, compiled=True))
            variants = {"eager": eager, **({"torch.compile": compiled} if compiled else {})}
            name = min(variants, key=lambda each: median(_seconds(variants[each])))
            how = "own LSTM" if own else f"cell in Python, {name}"
            yield Row(
                f"{task}, {arm}, against PyTorch ({how})",
                _seconds(mine),
                _seconds(variants[name]),
                "s for a run",
                at_least=1 if own else 3,
            )
            yield Row(
                f"loss after training, {task}, {arm}: study and PyTorch",
                [each["loss"] for each in mine],
                [each["loss"] for each in eager],
                "",
                is_check=True,
            )
    study.close()
    other.close()


def rate(work: Path) -> Iterator[Row]:
    """Operations per second in training beside those of one product, on one thread."""
    del work
    study = Peer("with_study.py", **ONE_THREAD)
    products: dict[str, list[float]] = {"compiled": [], "numpy": []}
    shares: dict[str, list[float]] = {task: [] for task in TASKS}
    for _ in range(3):
        for name, values in study.ask(verb="product").items():
            products[name] += values
        for task in TASKS:
            seconds = study.ask(verb="epochs", task=task, width=64)["seconds"]
            shares[task] += [flops_of_epoch(task) / each / 1e9 for each in seconds]
    study.close()
    fastest = [each / 1e9 for each in max(products.values(), key=median)]
    for task, values in shares.items():
        yield Row(f"{task}: training beside one product", fastest, values, "GFLOP/s", at_least=0.4)


def workers(work: Path) -> Iterator[Row]:
    """Two workers of one pool beside two processes that know nothing of each other."""
    del work
    lanes = [_Kept(lane()) for lane in local_lanes()[:2]]
    copies = [Peer("with_study.py", **ONE_THREAD) for _ in range(2)]
    warming = run_of("sunspots", "none", 1)
    for future in [lane.submit(train_here, warming, CACHE) for lane in lanes]:
        future.result()
    for copy in copies:
        copy.ask(verb="run", task="sunspots", arm="none", seed=1)
    together, apart, alone = [], [], []
    runs = [run_of("sunspots", "none", seed) for seed in range(20)]
    for _ in range(3):
        began = time.perf_counter()
        train_all(runs, CACHE, keep=lambda _: None, lanes=[lambda lane=lane: lane for lane in lanes])
        together.append(time.perf_counter() - began)
        began = time.perf_counter()
        for seed in range(10):
            for copy in copies:
                copy.send(verb="run", task="sunspots", arm="none", seed=seed)
        for _ in range(10):
            for copy in copies:
                copy.receive()
        apart.append(time.perf_counter() - began)
        began = time.perf_counter()
        for seed in range(10):
            copies[0].ask(verb="run", task="sunspots", arm="none", seed=seed)
        alone.append(time.perf_counter() - began)
    for lane in lanes:
        lane.executor.shutdown()
    for copy in copies:
        copy.close()
    yield Row("two workers against two independent copies", together, apart, "s for 20 runs", at_least=0.9)
    yield Row("two workers against one", together, [2 * each for each in alone], "s for 20 runs")


def memory(work: Path) -> Iterator[Row]:
    """Memory of one worker after the grid's structures are compiled, and after 200 more runs."""
    del work
    study = Peer("with_study.py", **ONE_THREAD)
    small = {"width": 8, "epochs": 5}
    for task, arm in CELLS:
        before = study.ask(verb="run", task=task, arm=arm, seed=1, **small)["mib"]
    for place in range(200):
        task, arm = CELLS[place % len(CELLS)]
        after = study.ask(verb="run", task=task, arm=arm, seed=place, **small)["mib"]
    study.close()
    yield Row("memory after 200 more runs of 8 structures", [after], [before], "MiB", at_least=1 / 1.1)


def scaling(work: Path) -> Iterator[Row]:
    """How time grows when something doubles: units and steps (an epoch), seeds and tasks (a study)."""
    del work
    study = Peer("with_study.py", **ONE_THREAD)
    for name, settings in {
        "units": [{"width": width} for width in (16, 32, 64, 128)],
        "steps": [{"width": 32, "steps": steps} for steps in (8, 16, 32, 64)],
    }.items():
        times = [
            [each * 1000 for each in study.ask(verb="epochs", task="sunspots", **given)["seconds"]]
            for given in settings
        ]
        values = [given.get("steps", given["width"]) for given in settings]
        for (small, a), (large, b) in pairwise(zip(values, times, strict=True)):
            yield Row(f"{name} from {small} to {large}", b, a, "ms for an epoch")
    study.close()
    lanes = [_Kept(lane()) for lane in local_lanes()]
    every = ("sunspots", "digits_rows", "mackey_glass", "japanese_vowels")
    for task in every:
        for future in [
            lane.submit(train_here, run_of(task, "none", 1, width=32, epochs=40), CACHE) for lane in lanes
        ]:
            future.result()

    def taken(tasks: Sequence[str], seeds: int) -> list[float]:
        runs = [run_of(task, "none", seed, width=32, epochs=40) for task in tasks for seed in range(seeds)]
        times = []
        for _ in range(3):
            began = time.perf_counter()
            train_all(runs, CACHE, keep=lambda _: None, lanes=[lambda lane=lane: lane for lane in lanes])
            times.append(time.perf_counter() - began)
        return times

    seeds = {n: taken(every[:1], n) for n in (8, 16, 32)}
    tasks = {n: taken(every[:n], 8) for n in (1, 2, 4)}
    for lane in lanes:
        lane.executor.shutdown()
    for name, times in {"seeds": seeds, "tasks": tasks}.items():
        counts = list(times)
        for small, large in pairwise(counts):
            yield Row(f"{name} from {small} to {large}", times[large], times[small], "s, structures compiled")


def builds(work: Path) -> Iterator[Row]:
    """The smoke study in a fresh clone: from nothing, unchanged, a chapter's prose edited, a technique edited."""
    clone = _clone(work)
    yield Row("`make report PROFILE=smoke`", [_made(clone, "smoke")], [180], "s", at_least=1, is_limit=True)
    unchanged = [_made(clone, "smoke") for _ in range(3)]
    yield Row("the same, nothing changed", unchanged, [10], "s", at_least=1, is_limit=True)
    chapter = clone / "notebooks" / "01_dropout.ipynb"
    content = json.loads(chapter.read_text(encoding="utf-8"))
    prose = next(cell for cell in content["cells"] if cell["cell_type"] == "markdown")
    prose["source"].append("\n\nA sentence more.")
    chapter.write_text(json.dumps(content, indent=1), encoding="utf-8")
    yield Row(
        "the same, prose of a chapter changed", [_made(clone, "smoke")], [30], "s", at_least=1, is_limit=True
    )
    technique = clone / "lstmstudy" / "layers" / "zoneout.py"
    technique.write_text(f"{technique.read_text(encoding='utf-8')}\n_EDITED = 1\n", encoding="utf-8")
    yield Row("the same, code of a technique changed", [_made(clone, "smoke")], [180], "s", is_limit=True)


def study(work: Path) -> Iterator[Row]:
    """The default study in a fresh clone, from nothing."""
    clone = _clone(work)
    yield Row("`make report`", [_made(clone, "default") / 60], [20], "min", at_least=1, is_limit=True)
    store = RunStore(clone / "reports" / "store")
    records = [record for identity in store.files() if (record := store.record(identity))]
    peak = max(record["peak_memory_mib"] for record in records)
    yield Row("peak memory of a worker in it", [peak], [peak], "MiB", is_check=True)


def _clone(work: Path) -> Path:
    """Return a fresh clone of this repository, its last commit."""
    work.mkdir(parents=True, exist_ok=True)
    clone = Path(tempfile.mkdtemp(dir=work)) / "clone"
    subprocess.run(["git", "clone", "--quiet", paths.ROOT, clone], check=True)
    return clone


def _made(clone: Path, profile: str) -> float:
    """Return the seconds of `make report` in a clone, with this environment."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MAKEFLAGS")}
    began = time.perf_counter()
    subprocess.run(
        ["make", "report", f"PROFILE={profile}", f"PYTHON={sys.executable}"],
        cwd=clone,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def _file(work: Path, task: str, seed: int) -> str:
    return str(work / f"{task}-{seed}.npz")


def _seconds(answers: Sequence[dict[str, Any]]) -> list[float]:
    return [answer["seconds"] for answer in answers]


SECTIONS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "grid": grid,
    "torch": torch,
    "rate": rate,
    "workers": workers,
    "memory": memory,
    "scaling": scaling,
    "builds": builds,
    "study": study,
}

if __name__ == "__main__":
    main(sys.argv[1:])
