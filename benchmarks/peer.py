"""Processes that train on request, one at a time: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent


class Peer:
    """One process that trains.

    Args:
        script: Its file beside this one.
        python: The interpreter that has what it needs.
        environment: Variables beside those of this process.
    """

    def __init__(self, script: str, python: str = sys.executable, **environment: str) -> None:
        self.process = subprocess.Popen(
            [python, HERE / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE.parent), "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        )

    def send(self, **request: Any) -> None:
        """Ask for something, and go on."""
        assert self.process.stdin is not None  # noqa: S101 - for the type checker
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Return the answer to the oldest request that has none yet."""
        assert self.process.stdout is not None  # noqa: S101 - for the type checker
        line = self.process.stdout.readline()
        if not line:
            msg = f"A peer ended before it answered. Received: exit code {self.process.wait()}"
            raise RuntimeError(msg)
        return dict(json.loads(line))

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return the answer to a request."""
        self.send(**request)
        return self.receive()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def serve(**verbs: Callable[..., dict[str, Any]]) -> None:
    """Answer requests until there are no more; what else the process prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        answer = verbs[request.pop("verb")](**request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
