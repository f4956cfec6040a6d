"""The rule that turns the numbers of contrasts into a verdict: the same for one study and for thousands of replays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lstmstudy.stats.sign_flips import ALPHA, holm

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

Expected = Literal["lower", "higher"]
# What a contrast shows, as numbers so that many are decided at once; -LOWER is HIGHER.
LOWER, SAME, HIGHER, DEPENDS, INCONCLUSIVE = -1, 0, 1, 2, 3
SUPPORTED, CONTRADICTED = "supported", "contradicted"
NO_DIFFERENCE, BY_TASK, OPEN = "no practical difference", "depends on the task", "inconclusive"
VERDICTS = (SUPPORTED, CONTRADICTED, NO_DIFFERENCE, BY_TASK, OPEN)


class Evidence(NamedTuple):
    """What the rule reads of one contrast, in one study or in many at once: arrays (...,) and (n_tasks, ...).

    Attributes:
        estimate: Mean over tasks.
        p: Two-sided, adjusted for the number of claims.
        p_equivalence: Larger p of the two one-sided tests against the margin.
        task_estimates: Mean of each task.
        task_ps: Two-sided p of each task, not adjusted.
        task_lows: Lower end of each task's own 95 % interval; NaN where there is none.
        task_highs: Upper end.
    """

    estimate: npt.NDArray[np.float64]
    p: npt.NDArray[np.float64]
    p_equivalence: npt.NDArray[np.float64]
    task_estimates: npt.NDArray[np.float64]
    task_ps: npt.NDArray[np.float64]
    task_lows: npt.NDArray[np.float64]
    task_highs: npt.NDArray[np.float64]


def shown(evidence: Evidence) -> npt.NDArray[np.int64]:
    """Return what each contrast shows, which is the first of these that holds.

    1. `DEPENDS`: two tasks have effects of opposite sign, with Holm over the tasks.
    2. `SAME`: both one-sided tests reject a difference beyond the margin, whatever the p.
    3. `LOWER` or `HIGHER`: the adjusted p is below .05 and no task's own interval lies wholly on the other side.
    4. `INCONCLUSIVE`.
    """
    clear = holm(evidence.task_ps) < ALPHA
    up = (clear & (evidence.task_estimates > 0)).any(axis=0)
    down = (clear & (evidence.task_estimates < 0)).any(axis=0)
    sure = evidence.p < ALPHA
    lower = sure & (evidence.estimate < 0) & ~(evidence.task_lows > 0).any(axis=0)
    higher = sure & (evidence.estimate > 0) & ~(evidence.task_highs < 0).any(axis=0)
    return np.select(
        [up & down, evidence.p_equivalence < ALPHA, lower, higher],
        [DEPENDS, SAME, LOWER, HIGHER],
        INCONCLUSIVE,
    )


def verdict(contrasts: Sequence[int], expected: Sequence[Expected]) -> str:
    """Return the verdict on a claim from what each of its contrasts shows.

    It depends on the task if one contrast does; it is supported, contradicted or without practical
    difference only if all contrasts say so.
    """
    if DEPENDS in contrasts:
        return BY_TASK
    if all(each == SAME for each in contrasts):
        return NO_DIFFERENCE
    signs = [LOWER if side == "lower" else HIGHER for side in expected]
    if all(each == sign for each, sign in zip(contrasts, signs, strict=True)):
        return SUPPORTED
    if all(each == -sign for each, sign in zip(contrasts, signs, strict=True)):
        return CONTRADICTED
    return OPEN
