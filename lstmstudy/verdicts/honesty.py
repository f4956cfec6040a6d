"""How honest the rule is, measured with the numbers of a study."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.stats.calibration import Rate, power, sham_rates, sign_flip_rate
from lstmstudy.stats.luck import Luck, luck_beside
from lstmstudy.stats.pool import Pool
from lstmstudy.stats.sign_flips import ALPHA
from lstmstudy.verdicts.compared import MARGIN
from lstmstudy.verdicts.contrasts import contrast_found
from lstmstudy.verdicts.document import Calibration, LuckFound, PowerFound, RateFound
from lstmstudy.verdicts.judging import questions
from lstmstudy.verdicts.measures import DECLARED
from lstmstudy.verdicts.rows import SHAM, contrast_rows, rounded, sham_contrasts
from lstmstudy.verdicts.shams import KnownLuck, alike

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.plan import Plan
    from lstmstudy.verdicts.contrasts import Judgement
    from lstmstudy.verdicts.document import Findings
    from lstmstudy.verdicts.rows import Row
    from lstmstudy.verdicts.shams import Alike


def calibration_found(
    plan: Plan, rows: Sequence[Row], family: Sequence[str], judgement: Judgement
) -> Calibration:
    """Return how honest the rule is, measured with the numbers of this study."""
    pairs = {
        number: (contrast, own)
        for number, contrast in enumerate(sham_contrasts(plan))
        if (own := contrast_rows(rows, SHAM, number, DECLARED))
    }
    arms = len(pairs) + 1 if pairs else 0
    by_task = alike(rows)
    # What judges a pair of arms that do nothing is the luck between all others: it knows nothing of the pair.
    beside = {
        task: luck_beside(each.numbers)
        for task, each in by_task.items()
        if task in judgement.luck.by_view.get(DECLARED, {})
    }
    pool = _pool(by_task, beside) if arms > 2 and family else None
    rates = sham_rates(pool, len(family), np.log1p(MARGIN)) if pool else None
    shams = [
        _judged_by_others(judgement, beside, arm).judged(contrast, MARGIN, own)
        for arm, (contrast, own) in enumerate(pairs.values(), start=1)
    ]
    signs = sign_flip_rate(questions(plan.folder, rows, family, judgement)) if family else None
    return Calibration(
        claims=len(family),
        luck=tuple(
            LuckFound(task=task, sd=rounded(math.sqrt(luck.variance)), arms=arms)
            for task, luck in judgement.luck.by_view.get(DECLARED, {}).items()
        ),
        sign_flips=_rate(signs) if signs else None,
        sham_alone=_rate(rates.alone) if rates else None,
        sham_family=_rate(rates.family) if rates else None,
        sham_arms=arms,
        shams=tuple(contrast_found(each, each.whole.p) for each in shams),
        power=tuple(
            PowerFound(
                planted=each.planted, units=each.units, alone=_rate(each.alone), family=_rate(each.family)
            )
            for each in (power(pool, len(family), np.log1p(MARGIN)) if pool else ())
        ),
    )


def _rate(rate: Rate) -> RateFound:
    return RateFound(share=rounded(rate.share), low=rounded(rate.low), high=rounded(rate.high))


def _judged_by_others(judgement: Judgement, beside: Mapping[str, Luck], arm: int) -> Judgement:
    """Return what judges an arm that does nothing against the baseline, which is the first of them."""
    luck = {task: Luck(*(column[0, arm] for column in each)) for task, each in beside.items()}
    return replace(judgement, luck=KnownLuck({DECLARED: luck}))


def _pool(by_task: Mapping[str, Alike], beside: Mapping[str, Luck]) -> Pool:
    errors = {task: each.numbers for task, each in by_task.items()}
    return Pool(errors, {task: each.folds for task, each in by_task.items()}, beside)


def false_rates(findings: Findings) -> list[str]:
    """Return which rates of false verdicts lie wholly above 5 %: then the rule is not honest, and the build fails."""
    rates = {
        "random signs, all claims together": findings.calibration.sign_flips,
        "a claim about a sham technique": findings.calibration.sham_alone,
        "as many claims about sham techniques": findings.calibration.sham_family,
    }
    return [
        f"{name}: {100 * rate.share:.1f} % false verdicts (95 % interval {100 * rate.low:.1f} to {100 * rate.high:.1f} %)"
        for name, rate in rates.items()
        if rate is not None and rate.low > ALPHA
    ]
