"""How large a study fits the time: sizes from large to small, of which the first that fits is taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 600  # seconds of a whole report
BUDGET = 540  # what is planned for, with a minute to spare
JUDGED = 12  # the fewest units with which a task is judged
_UNITS = (24, 18, JUDGED)  # more than are needed make intervals narrower
_DESCRIBED = (3, 2)  # units of the grids; two are the fewest that have a spread
_EPOCHS = 40  # well beyond the epoch that is usually selected
_MOST_EPOCHS = 100
_UPDATES = 200  # of a whole training at least, where there are few samples
_BATCH = 32  # Keras's default
_LARGEST_BATCH = 512
_BATCHES = 100  # in an epoch at most, where there are many samples
_SHORTEST = 400  # updates that even a shortened training has


@dataclass(frozen=True)
class Size:
    """What decides how long a study takes.

    Attributes:
        units: Pairs of runs for each comparison.
        described: Units of the grids.
        width: Units of each LSTM layer.
        epochs: Length of training.
        batch_size: Samples in one update.
        arms: How many of the groups of techniques in `lstmstudy.proposal.text` are there.
    """

    units: int = _UNITS[0]
    described: int = _DESCRIBED[0]
    width: int = 32
    epochs: int = _EPOCHS
    batch_size: int = _BATCH
    arms: int = 3


def sizes(n_train: int) -> list[Size]:
    """Return the sizes that a study of so many training samples may have, each smaller than the one before.

    Units beyond those that a verdict needs go first, then the grids, then epochs and width, then techniques and,
    where an epoch has many updates, more epochs; fewer units than a verdict needs come last.
    """
    batch = _BATCH
    while n_train > batch * _BATCHES and batch < _LARGEST_BATCH:
        batch *= 2
    updates = -(-n_train // batch)
    epochs = max(_EPOCHS, min(_MOST_EPOCHS, -(-_UPDATES // updates)))
    size = Size(epochs=epochs, batch_size=batch)
    found = [size]

    def cut(**changes: int) -> None:
        found.append(replace(found[-1], **changes))

    for units in _UNITS[1:]:
        cut(units=units)
    for described in _DESCRIBED[1:]:
        cut(described=described)
    for shorter in (30, 20):
        cut(epochs=shorter)
    cut(width=16)
    for shorter, arms in ((15, 3), (10, 3), (10, 2), (5, 2), (3, 2), (3, 1)):
        enough = shorter if shorter * updates >= _SHORTEST else found[-1].epochs
        if (enough, arms) != (found[-1].epochs, found[-1].arms):
            cut(epochs=enough, arms=arms)
    for units in (6, 3):
        cut(units=units)
    return found


def choose(candidates: list[Size], seconds: Callable[[Size], float], budget: float) -> Size:
    """Return the first size that fits; the last one if none does.

    Args:
        candidates: From large to small.
        seconds: How long the training of a size takes.
        budget: Seconds that there are for it.
    """
    return next((size for size in candidates if seconds(size) <= budget), candidates[-1])
