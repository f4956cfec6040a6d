"""What can happen to a build: a small study that is quick to build, and ways to disturb it; for tests and `make torture`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, ClassVar

import psutil
from checkout import LEFT_AWAY, LEFT_OUT, Checkout, copy_sources, leave_away, wait_until

from lstmstudy.recipe import Technique

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator
    from pathlib import Path

STUDY = """\
tasks: [sunspots]
techniques: [dropout]
compared: [dropout per=step]
units: 6
network: {layers: 1, width: 4}
training: {epochs: 3, batch_size: 32, learning_rate: 0.003}
grids: {dropout: {rate: [0.3], per: [step]}}
"""
REPORT = "reports/small"  # what the study becomes
CLOCK = """\
import time

_now, _began = time.time, time.time()
time.time = lambda: _began - 3600 - (_now() - _began)  # an hour ago, and on backwards
"""


@dataclasses.dataclass(frozen=True)
class Stuck(Technique):
    """A run that never ends, or that wants more memory than there is.

    Args:
        how: ``"sleep"`` or ``"memory"``; "" is off.
    """

    how: str = ""

    name: ClassVar[str] = "stuck"
    title: ClassVar[str] = "stuck"
    reference: ClassVar[str] = "none"

    @property
    def is_off(self) -> bool:
        """Whether the run ends."""
        return not self.how

    @property
    def strength(self) -> float:
        """Nothing that is measured."""
        return 1.0

    def rows(self, n, info, rng):
        """Do what the name says."""
        del n, info, rng
        if self.how == "memory":
            import tensorflow as tf

            tf.zeros([1 << 45])
        while True:
            time.sleep(60)


class Small(Checkout):
    """A copy of the checkout with the small study."""

    def report(self, *words):
        """Build the report of the small study."""
        return self.study("report", "--profile", "small", *words)

    def begin(self, *words):
        """Start to build it, and keep what it says."""
        return subprocess.Popen(
            [sys.executable, "-m", "lstmstudy", "report", "--profile", "small", *words],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def copy(self, root: Path) -> Small:
        """Return a copy in another place, with all that was built here."""
        shutil.copytree(self.root, root, ignore=LEFT_OUT, symlinks=True)
        return Small(root)

    def found(self):
        """Return what readers see: the findings and every page, by name."""
        folder = self.root / REPORT
        pages = [folder / "findings.json", folder / "report.html", *sorted(folder.glob("notebooks/*.html"))]
        return {path.name: path.read_bytes() for path in pages if path.exists()}

    def workers(self):
        """Return the processes that train, and those of the kernels' executors."""
        return self._with("spawn_main")

    def kernels(self):
        """Return the kernels."""
        return self._with("ipykernel_launcher")

    def _with(self, word):
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if word in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def quiet(self):
        """Return whether no process of it is left, within some seconds."""
        return wait_until(lambda: not self.processes(), seconds=30)

    def end(self):
        """End every process of it."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()


def small(root: Path) -> Small:
    """Return a checkout of the small study in which nothing was trained."""
    copy_sources(root)
    for path in (root / "notebooks").glob("*.ipynb"):
        leave_away(path, *LEFT_AWAY)
    (root / "params" / "small.yaml").write_text(STUDY, encoding="utf-8")
    return Small(root)


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a file system of memory at a folder, with options such as ``size=1m``.

    Raises:
        PermissionError: If this user may not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder)):
        raise PermissionError("no right to mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def mount(*words: str) -> int:
    """Run mount and return its exit code."""
    try:
        return subprocess.run(["mount", *words], check=False, capture_output=True).returncode
    except FileNotFoundError:
        return 127


def may_mount(folder: Path) -> bool:
    """Return whether this user may mount."""
    try:
        with mounted(folder, "size=1m"):
            return True
    except PermissionError:
        return False


def truncated(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    """Leave nothing of a file."""
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def swapped(path: Path, other: Path) -> None:
    """Exchange the contents of two files."""
    data = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(data)


def misplaced(path: Path, other: Path) -> None:
    """Put a copy of a run's file in the place of another run's, under a name that promises its own bytes."""
    data = path.read_bytes()
    other.unlink()
    other.with_name(f"{other.name.partition('-')[0]}-{path.name.partition('-')[2]}").write_bytes(data)


def replaced_by_folder(path: Path) -> None:
    """Put a folder in the place of a file."""
    path.unlink()
    path.mkdir()
    (path / "something").touch()


def replaced_by_pipe(path: Path) -> None:
    """Put a pipe, from which nothing ever comes, in the place of a file."""
    path.unlink()
    os.mkfifo(path)


def replaced_by_link(path: Path) -> None:
    """Put a link to nowhere in the place of a file."""
    path.unlink()
    path.symlink_to("nowhere")


def damages(files: list[Path]) -> list[str]:
    """Damage files of the store, each in another way; return the names of those that are no outcome any more."""
    truncated(files[0])
    emptied(files[1])
    flipped(files[2])
    swapped(files[3], files[4])
    misplaced(files[5], files[6])
    replaced_by_folder(files[7])
    replaced_by_pipe(files[8])
    replaced_by_link(files[9])
    return [path.name for number, path in enumerate(files[:10]) if number != 5]


def stopped(
    building: subprocess.Popen[str], *signals: signal.Signals, pause: float = 0.05
) -> tuple[int, str, str]:
    """Send signals to a build and return its exit code and what it said."""
    for number in signals:
        building.send_signal(number)
        time.sleep(pause)
    out, error = building.communicate(timeout=120)
    return building.returncode, out, error
