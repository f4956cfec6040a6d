"""Training what is not stored, with one progress bar; an interruption keeps what is finished."""

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


class TrainingStoppedError(KeyboardInterrupt):
    """Training that somebody interrupted; all that it finished is stored, and its workers have ended.

    A notebook shows the message alone: there is no mistake that a traceback would lead to.
    """

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback."""
        return [str(self)]


def train_missing(runs: Sequence[Run], store: RunStore, cache: Path) -> list[Failure]:
    """Train runs, saving each outcome as it comes, and return those that have none, with the reason.

    Raises:
        TrainingStoppedError: If it is interrupted; a KeyboardInterrupt that says how far it came.
    """
    if not runs:
        return []
    kept = set[str]()
    try:
        with progress_bar(len(runs)) as bar:

            def keep(outcome: Outcome) -> None:
                store.save(outcome)
                if outcome.identity not in kept:  # it may be saved again where saving was interrupted
                    kept.add(outcome.identity)
                    bar.update()

            return train_all(runs, cache, keep=keep)
    except KeyboardInterrupt:
        n, all_runs = len(kept), len(runs)
        raise TrainingStoppedError(
            f"Stopped: {n} of {all_runs} runs are trained and stored. Run the cell again to train the other {all_runs - n}."
        ) from None
