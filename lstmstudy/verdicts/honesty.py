"""How honest the rule is, measured with the numbers of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.stats.calibration import Rate, power, sham_rates, sign_flip_rate
from lstmstudy.stats.pool import Pool
from lstmstudy.stats.sign_flips import ALPHA
from lstmstudy.verdicts.compared import MARGIN
from lstmstudy.verdicts.contrasts import Judgement, contrast_found
from lstmstudy.verdicts.document import Calibration, PowerFound, RateFound
from lstmstudy.verdicts.judging import questions
from lstmstudy.verdicts.rows import DECLARED, SHAM, contrast_rows, rounded, sham_contrasts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.plan import Plan
    from lstmstudy.verdicts.document import Findings
    from lstmstudy.verdicts.rows import Row


def calibration_found(
    plan: Plan, rows: Sequence[Row], family: Sequence[str], overlap: dict[str, float]
) -> Calibration:
    """Return how honest the rule is, measured with the numbers of this study."""
    judgement = Judgement(overlap)
    contrasts = sham_contrasts(plan)
    shams = [
        judgement.judged(contrast, MARGIN, own)
        for number, contrast in enumerate(contrasts)
        if (own := contrast_rows(rows, SHAM, number, DECLARED))
    ]
    pool = _pool([each.rows for each in shams]) if len(shams) > 1 and family else None
    rates = sham_rates(pool, len(family), np.log1p(MARGIN)) if pool else None
    return Calibration(
        claims=len(family),
        sign_flips=_rate(sign_flip_rate(questions(plan.folder, rows, family, overlap))) if family else None,
        sham_alone=_rate(rates.alone) if rates else None,
        sham_family=_rate(rates.family) if rates else None,
        sham_arms=len(shams) + 1 if shams else 0,
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


def _pool(shams: Sequence[Sequence[Row]]) -> Pool:
    """Return the log errors of the baseline and of arms that do nothing, in the units that all of them have."""
    errors, folds = {}, {}
    for task in dict.fromkeys(row.task for row in shams[0]):
        by_arm = [{row.seed: row for row in rows if row.task == task} for rows in shams]
        seeds = sorted(set.intersection(*(set(rows) for rows in by_arm)))
        baseline = [by_arm[0][seed].control for seed in seeds]
        errors[task] = np.log([baseline, *([rows[seed].arm for seed in seeds] for rows in by_arm)])
        folds[task] = np.array([by_arm[0][seed].fold for seed in seeds])
    return Pool(errors, folds)


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
