"""Training what is not stored, with one progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.progress import progress_bar
from lstmstudy.workers import train_all

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmstudy.runs import Outcome, Run
    from lstmstudy.store import RunStore
    from lstmstudy.workers import Failure


def train_missing(runs: Sequence[Run], store: RunStore, cache: Path) -> list[Failure]:
    """Train runs, saving each outcome as it comes, and return those that have none, with the reason."""
    if not runs:
        return []
    with progress_bar(len(runs)) as bar:

        def keep(outcome: Outcome) -> None:
            store.save(outcome)
            bar.update()

        return train_all(runs, cache, keep=keep)
