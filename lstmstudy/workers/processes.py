"""How a build and the processes that it starts end: all of them with it, and it once, when somebody stops it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor
    from types import FrameType


def stop_once() -> None:
    """Let the first SIGINT or SIGTERM raise KeyboardInterrupt, and ignore each SIGINT that follows.

    What is being saved when the first one comes is not disturbed by a second.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> Never:
    del number, frame
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # who really wants it ends it at once
    raise KeyboardInterrupt


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Let a process that is started here never be interrupted, which its first imports would say in a traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def kill_processes(executor: Executor | None) -> None:
    """End the processes of an executor at once, whatever they do; one without processes goes on."""
    for process in tuple((getattr(executor, "_processes", None) or {}).values()):
        process.kill()


def end_with_parent() -> None:
    """Let this process end as soon as the one that started it is gone, even if that was killed, and not by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends its processes
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
