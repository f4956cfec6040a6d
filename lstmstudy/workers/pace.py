"""How long runs will train, judged by stored ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmstudy.runs import Run
    from lstmstudy.store.outcomes import RunStore

_GUESS = 0.6  # seconds of a run before any was measured
COMPILING = 2.5  # seconds that the first run of a structure takes beside its training


def expected_seconds(missing: Sequence[Run], known: Iterable[Run], store: RunStore) -> float:
    """Return how long the missing runs will train in sum, judged by stored runs of the same kind.

    A run takes the mean of up to three stored runs of its task and structure, else of its task, else
    of all, scaled by the number of epochs. Every structure among them is compiled once.
    """
    sample: dict[tuple[object, ...], list[float]] = {}
    files = store.files()
    for run in known:
        if run.identity not in files or len(sample.get(run.group, ())) >= 3:
            continue
        record = store.record(run.identity)
        if record is not None:
            for key in (run.group, (run.task,), ()):
                sample.setdefault(key, []).append(record["seconds"] / run.recipe.epochs)

    def seconds(run: Run) -> float:
        for key in (run.group, (run.task,), ()):
            if key in sample:
                return run.recipe.epochs * sum(sample[key]) / len(sample[key])
        return _GUESS

    return sum(map(seconds, missing)) + COMPILING * len({run.group for run in missing})
