"""What `make torture` runs: a small study is disturbed in every way that we could think of, and built again.

It prints, for each fault, how often it was tried, how many finished runs were lost or trained twice, how many pages
or findings differ from those of an undisturbed build, whether somebody was told, and whether the next build was well.
Faults can be named to try only those. The random moments follow from a seed that is printed: SEED=0 of the environment.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from checkout import wait_until
from faults import (
    CLOCK,
    REPORT,
    Small,
    damages,
    emptied,
    flipped,
    may_mount,
    mount,
    mounted,
    replaced_by_folder,
    small,
    stopped,
    truncated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KILLS = {"build": 12, "worker": 20, "kernel": 18}
TRAIN = "    return _trainer()(run, task)\n"
UNLUCKY = "    if run.seed == 1 and not run.recipe.techniques and run.recipe.learning_rate == 0.003:\n"
HUNGRY = {
    "numpy": "        import numpy as np\n        np.ones(1 << 50)\n",
    "TensorFlow": "        import tensorflow as tf\n        tf.zeros([1 << 45])\n",
    "a limit": "        import resource\n        resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))\n"
    "        hoard = [bytearray(1 << 28) for _ in range(99)]\n",
}


@dataclass
class Tried:
    """One disturbance.

    Attributes:
        copy: The checkout in which it was; None where its build is disturbed again before it is judged.
        whole: What was stored then and not damaged: times by name of file.
        said: What the disturbed build said.
        told: What somebody must have been told, as a regular expression.
        well: Whether the disturbed build ended as it should.
    """

    copy: Small | None
    whole: dict[str, int]
    said: str
    told: str
    well: bool = True


class Torture:
    """A study that was built undisturbed, and copies of it to disturb.

    Args:
        folder: Where the copies lie.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng, self.number = folder, rng, 0
        self.planned = small(folder / "planned")
        assert self.planned.missing("small")["all"] > 0
        self.built = self.planned.copy(folder / "built")
        began = time.monotonic()
        finished = self.built.report()
        self.seconds = time.monotonic() - began
        assert finished.returncode == 0, finished.stderr
        self.found = self.built.found()

    def fresh(self, source: Small | None = None) -> Small:
        """Return a copy of the study, planned only unless another is given."""
        self.number += 1
        return (source or self.planned).copy(self.folder / str(self.number))

    def wait_for(self, building, seconds: float) -> None:
        """Wait for the end of a build, at most some seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            building.wait(seconds)

    def begun(self, copy: Small, outcomes: int):
        """Start a build and return it once it has stored some outcomes."""
        building = copy.begin()
        assert wait_until(lambda: len(copy.outcomes()) >= outcomes or building.poll() is not None)
        return building

    def killed_build(self) -> Iterator[Tried]:
        """SIGKILL at any moment; every sixth time the study is built to its end."""
        copy = self.fresh()
        for number in range(KILLS["build"]):
            before, building = copy.outcomes(), copy.begin()
            self.wait_for(building, self.rng.uniform(0.5, self.seconds))
            building.kill()
            building.communicate()
            well = copy.quiet() and before.items() <= copy.outcomes().items()
            last = number % 6 == 5
            yield Tried(copy if last else None, copy.outcomes(), "", "runs: " if last else "", well)
            copy = self.fresh() if last else copy

    def killed(self, kind: str, source: Small) -> Iterator[Tried]:
        """SIGKILL of any process of a kind, again and again while it builds."""
        kills = 0
        while kills < KILLS[kind]:
            copy = self.fresh(source)
            if kind == "kernel":
                shutil.rmtree(copy.root / REPORT)
            building, here = copy.begin(), 0
            while building.poll() is None:
                time.sleep(self.rng.uniform(0.5, 6))
                found = copy.workers() if kind == "worker" else copy.kernels()
                if found and kills < KILLS[kind]:
                    self.rng.choice(found).kill()
                    kills, here = kills + 1, here + 1
            said = "".join(building.communicate())
            told = (
                "runs: "
                if building.returncode == 0
                else r"missing: .* ended twice|failed in .*(Kernel|BrokenProcess)"
            )
            yield from [Tried(None, {}, "", "")] * (here - 1)
            yield Tried(copy, copy.outcomes(), said, told)

    def stopped(self, *signals: signal.Signals) -> Iterator[Tried]:
        """Signals to one build after another, each time a little later: one line, exit code 130, and no process left."""
        copy = self.fresh()
        for number in range(3):
            before = copy.outcomes()
            building = self.begun(copy, 4 * number)
            time.sleep(self.rng.uniform(1, 3))
            code, _, error = stopped(building, *signals, pause=self.rng.uniform(0, 0.2))
            well = code == 130 and error.count("\n") == 1 and copy.quiet()
            well = well and before.items() <= copy.outcomes().items() and not list(copy.store.glob("*.tmp"))
            told = "stopped: .*the same command goes on"
            yield Tried(copy if number == 2 else None, copy.outcomes(), error, told, well)

    def disk_full(self, options: str, *, freed: str, reports: bool = False) -> Iterator[Tried]:
        """A small disk under the store while it trains, or under all reports while they are written."""
        copy = self.fresh(self.built if reports else None)
        place = copy.root / "reports" if reports else copy.store
        kept = self.folder / f"{self.number} kept"
        if reports:
            shutil.rmtree(copy.root / REPORT)
        place.rename(kept)
        pages = sum(-(-path.stat().st_size // 4096) for path in kept.rglob("*") if path.is_file())
        room = 4 * pages + 60
        with mounted(place, options.format(room=room)):
            shutil.copytree(kept, place, dirs_exist_ok=True)
            finished = copy.report()
            well = finished.returncode in (1, 2) and "Traceback" not in finished.stderr
            whole = copy.outcomes()
            assert mount("-o", f"remount,{freed}", str(place)) == 0
            yield Tried(copy, whole, finished.stderr, "No space left on device", well)

    def read_only(self) -> Iterator[Tried]:
        """A store that becomes read-only while it trains, and stays so for the next build."""
        copy = self.fresh()
        kept = self.folder / f"{self.number} kept"
        copy.store.rename(kept)
        with mounted(copy.store, "size=64m"):
            shutil.copytree(kept, copy.store, dirs_exist_ok=True)
            building = self.begun(copy, 3)
            wait_until(lambda: mount("-o", "remount,ro", str(copy.store)) == 0, seconds=20)
            _, error = building.communicate(timeout=300)
            again = copy.report()
            well = (building.returncode, again.returncode) == (2, 2) and len(again.stderr.splitlines()) == 1
            mount("-o", "remount,rw", str(copy.store))
            yield Tried(copy, copy.outcomes(), error, "Read-only file system", well)

    def deleted_store(self) -> Iterator[Tried]:
        """The store deleted while it trains."""
        copy = self.fresh()
        building = self.begun(copy, 5)
        shutil.rmtree(copy.store, ignore_errors=True)
        _, error = building.communicate(timeout=300)
        yield Tried(copy, copy.outcomes(), error, "vanished from reports/store", building.returncode == 1)

    def two_builds(self) -> Iterator[Tried]:
        """Two builds of one study at the same time."""
        copy = self.fresh()
        builds = [copy.begin(), copy.begin()]
        said = "".join(building.communicate(timeout=300)[1] for building in builds)
        well = [building.returncode for building in builds] == [0, 0]
        well = well and len(copy.outcomes()) == len(self.built.outcomes())
        yield Tried(copy, copy.outcomes(), said, "another build writes", well)

    def unlucky(self, lines: str, told: str) -> Iterator[Tried]:
        """One run that does not end, or wants too much memory; all others are trained."""
        copy = self.fresh()
        path = copy.root / "lstmstudy" / "workers.py"
        sound = path.read_text(encoding="utf-8")
        copy.edit("lstmstudy/workers/pool.py", TRAIN, f"{UNLUCKY}{lines}{TRAIN}")
        copy.edit("lstmstudy/workers/limits.py", "_LEAST = 600.0", "_LEAST = 60.0")
        finished = copy.report()
        path.write_text(sound, encoding="utf-8")
        missing = [line for line in finished.stderr.splitlines() if line.startswith("missing: ")]
        well = finished.returncode == 1 and len(missing) == 1
        well = well and len(copy.outcomes()) == len(self.built.outcomes()) - 1
        yield Tried(copy, copy.outcomes(), finished.stderr, told, well)

    def damaged_store(self) -> Iterator[Tried]:
        """Files of the store truncated, emptied, altered, exchanged, misplaced, or no files at all."""
        copy = self.fresh(self.built)
        files = sorted(copy.store.glob("*.npz"))
        self.rng.shuffle(files)
        harmed = damages(files)
        whole = {name: when for name, when in self.built.outcomes().items() if name not in harmed}
        yield from [Tried(None, {}, "", "")] * (len(harmed) - 1)
        yield Tried(copy, whole, "", rf"(?:.+ is damaged: it was set aside .+\n){{{len(harmed)}}}")

    def damaged_task(self, harm: Callable[[Path], None]) -> Iterator[Tried]:
        """The prepared task damaged."""
        copy = self.fresh(self.built)
        (path,) = (copy.store / "tasks").glob("sunspots-*.npz")
        harm(path)
        yield Tried(copy, copy.outcomes(), "", r"sunspots-\w+\.npz is damaged")

    def damaged_report(self, name: str, harm: Callable[[Path], None], told: str) -> Iterator[Tried]:
        """A file of the report damaged."""
        copy = self.fresh(self.built)
        harm(copy.root / REPORT / name)
        yield Tried(copy, copy.outcomes(), "", told)

    def clock(self) -> Iterator[Tried]:
        """A clock that goes backwards while everything is built."""
        copy = self.fresh()
        clock = copy.root / "sitecustomize.py"
        clock.write_text(CLOCK, encoding="utf-8")
        finished = copy.report()
        clock.unlink()
        yield Tried(copy, copy.outcomes(), finished.stderr, "", finished.returncode == 0)


def another_number(path: Path) -> None:
    """Change a number in a document that stays valid, as that of another study is."""
    text = path.read_text(encoding="utf-8")
    path.write_text(
        re.sub(r"0\.(\d)", lambda number: f"0.{9 - int(number[1])}", text, count=3), encoding="utf-8"
    )


def a_line_less(path: Path) -> None:
    """Take the last line away."""
    path.write_text(
        "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8"
    )


def of_another_chapter(path: Path) -> None:
    """Put the executed notebook of another chapter in the place."""
    shutil.copy(path.with_name("98_methods.ipynb"), path)


def faults(torture: Torture) -> dict[str, Callable[[], Iterator[Tried]]]:
    """Return every fault by name."""
    altered = "findings or tables were altered"
    notebook, executed = "notebooks/01_dropout.ipynb", "the executed notebook was altered"
    mounts = {
        "the disk full while it trains": lambda: torture.disk_full("size={room}k", freed="size=64m"),
        "the disk full while the report is written": lambda: torture.disk_full(
            "size={room}k", freed="size=64m", reports=True
        ),
        "no inodes left": lambda: torture.disk_full("size=64m,nr_inodes=9", freed="nr_inodes=9999"),
        "the store read-only": torture.read_only,
    }
    if not may_mount(torture.folder / "disk"):
        print("skipped, as this user may not mount a small disk: " + ", ".join(mounts))
        mounts = {}
    return {
        "SIGKILL of the build": torture.killed_build,
        "SIGKILL of a worker": lambda: torture.killed("worker", torture.planned),
        "SIGKILL of a kernel": lambda: torture.killed("kernel", torture.built),
        "SIGINT": lambda: torture.stopped(signal.SIGINT),
        "SIGINT twice": lambda: torture.stopped(signal.SIGINT, signal.SIGINT),
        "SIGTERM": lambda: torture.stopped(signal.SIGTERM),
        **mounts,
        "the store deleted while it trains": torture.deleted_store,
        "two builds at once": torture.two_builds,
        "a run that hangs": lambda: torture.unlucky(
            "        import time\n        time.sleep(10**6)\n", "missing: baseline on .*its worker hung"
        ),
        **{
            f"a run that wants too much memory: {name}": lambda lines=lines: torture.unlucky(
                lines, r"missing: baseline on .*its worker ended twice \((MemoryError|BrokenProcessPool)\)"
            )
            for name, lines in HUNGRY.items()
        },
        "files of the store damaged": torture.damaged_store,
        "the prepared task truncated": lambda: torture.damaged_task(truncated),
        "the prepared task altered": lambda: torture.damaged_task(flipped),
        "a folder as prepared task": lambda: torture.damaged_task(replaced_by_folder),
        "findings truncated": lambda: torture.damaged_report("findings.json", truncated, altered),
        "findings of another study": lambda: torture.damaged_report("findings.json", another_number, altered),
        "units.csv emptied": lambda: torture.damaged_report("units.csv", emptied, altered),
        "runs.csv with a run less": lambda: torture.damaged_report("runs.csv", a_line_less, altered),
        "an executed notebook truncated": lambda: torture.damaged_report(notebook, truncated, executed),
        "that of another chapter": lambda: torture.damaged_report(notebook, of_another_chapter, executed),
        "a recommended network altered": lambda: torture.damaged_report(
            "recommended/sunspots/model.keras", flipped, r"recommended/sunspots/: model\.keras altered"
        ),
        "the report truncated": lambda: torture.damaged_report("report.html", truncated, ""),
        "a clock that goes backwards": torture.clock,
    }


def judged(torture: Torture, tried: Tried) -> list[int]:
    """Build again and return lost or doubled runs, what differs, and whether it was told, and went well; 1 if not."""
    if tried.copy is None:
        if not tried.well:
            print(f"  unwell: {tried.said}")
        return [0, 0, int(re.search(tried.told, tried.said) is None), int(not tried.well)]
    finished = tried.copy.report()
    now, found = tried.copy.outcomes(), tried.copy.found()
    lost = sum(now.get(name) != when for name, when in tried.whole.items())
    doubled = len(now) - len({name.partition("-")[0] for name in now})
    wrong = [name for name, data in torture.found.items() if found.get(name) != data]
    told = re.search(tried.told, tried.said + finished.stderr + finished.stdout)
    well = tried.well and finished.returncode == 0 and "Traceback" not in tried.said + finished.stderr
    if wrong or not (told and well):
        print(
            f"  {tried.copy.root}: {wrong=} {tried.well=}\n{tried.said}\n{finished.stdout}\n{finished.stderr}"
        )
    else:
        shutil.rmtree(tried.copy.root, ignore_errors=True)
    return [lost + doubled, len(wrong), int(told is None), int(not well)]


def main(wanted: list[str]) -> int:
    """Try faults, print the table, and return 0 if nothing was lost or wrong, and everything told."""
    seed = int(os.environ.get("SEED", "0"))
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    torture, bad = Torture(folder, random.Random(seed)), 0  # noqa: S311 - moments of faults
    print(
        f"seed {seed}, {torture.seconds:.0f} s for an undisturbed build of {len(torture.built.outcomes())} runs",
        flush=True,
    )
    print(
        f"{'fault':50} {'tried':>6} {'lost':>6} {'wrong':>6} {'untold':>7} {'unwell':>7} {'seconds':>8}",
        flush=True,
    )
    for name, fault in faults(torture).items():
        if wanted and not any(word in name for word in wanted):
            continue
        began, counts = time.monotonic(), [0] * 5
        for tried in fault():
            counts = [a + b for a, b in zip(counts, [1, *judged(torture, tried)], strict=True)]
        bad += sum(counts[1:])
        tries, lost, wrong, untold, unwell = counts
        seconds = time.monotonic() - began
        print(f"{name:50} {tries:6} {lost:6} {wrong:6} {untold:7} {unwell:7} {seconds:8.0f}", flush=True)
    if not bad:
        shutil.rmtree(folder)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
