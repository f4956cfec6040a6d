"""Publishing a study: its runs in small, part by part as they are trained, and a report that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.build import build
from lstmstudy.params.profile import PUBLISHED_FROM
from lstmstudy.plan import make_plan
from lstmstudy.provenance import written_now
from lstmstudy.store.numbers import noting
from lstmstudy.store.outcomes import RunStore
from lstmstudy.store.published import write_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run


def publish() -> int:
    """Write one more part with what is stored of the full study and not published yet, and return the exit code.

    Everything is drawn once, without training, so that every number that a report takes from predictions and weights
    is noted; the report of the full study is as new then.

    Returns:
        0, or 1 if that report has a fault; the part is written all the same.
    """
    for stamp in (paths.REPORTS / PUBLISHED_FROM).glob("**/*stamp*"):
        stamp.unlink()  # whatever is not computed notes no number
    with noting() as noted:
        code = build(PUBLISHED_FROM, train=False)
        numbers = noted()
    plan = make_plan(PUBLISHED_FROM)
    path = write_part(paths.PUBLISHED, written_now(), _whole(plan), numbers)
    if path is None:
        print("published: nothing new")
    else:
        print(f"published: {paths.relative(path)}, {path.stat().st_size / 1e6:.1f} MB")
    return code


def _whole(plan: Plan) -> Iterator[tuple[Run, Outcome]]:
    """Yield the runs whose outcomes are here."""
    store = RunStore()
    for identity in store.check(plan.all_runs):
        outcome = store.load(identity)
        if outcome is not None:
            yield plan.all_runs[identity], outcome
