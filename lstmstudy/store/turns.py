"""Whoever writes into a folder does so alone."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from lstmstudy import paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait until no other build writes into `folder`, saying so on stderr; then others wait for this one.

    The turn ends with the process, however that ends.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        yield
        return
    with (folder / ".turn").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another build writes {paths.relative(folder)}/: waiting for its end", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
