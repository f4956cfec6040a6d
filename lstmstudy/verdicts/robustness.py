"""What a verdict hangs on: the same rule with one choice changed, and the secondary metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.stats import rule
from lstmstudy.stats.sample import bootstrap_interval
from lstmstudy.verdicts.contrasts import adjusted, by_contrast, finite_or_none, sample_of, verdict_of
from lstmstudy.verdicts.document import Secondary, Variation
from lstmstudy.verdicts.measures import DECLARED, LAST, SECONDARY
from lstmstudy.verdicts.rows import contrast_rows, rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lstmstudy.claims.table import Claim
    from lstmstudy.verdicts.contrasts import Judged, Judgement
    from lstmstudy.verdicts.rows import Row
    from lstmstudy.verdicts.shams import KnownLuck


def variations(
    judgement: Judgement,
    name: str,
    tests: Sequence[Judged],
    rows: Sequence[Row],
    ps: Mapping[str, float],
    *,
    claim: Claim,
) -> list[Variation]:
    """Return the verdict if one choice were another, for each choice that can be."""

    def again(change: str, of: Mapping[int, Sequence[Row]]) -> Iterable[Variation]:
        varied = judgement.contrasts(claim, of)
        if len(varied) == len(tests) or (varied and not claim.each_task):
            own = [adjusted(ps, name, each.whole.p) for each in varied]
            yield Variation(change=change, verdict=verdict_of(varied, own))

    declared = by_contrast(rows, name, DECLARED)
    found = list(again("read at the last epoch", by_contrast(rows, name, LAST)))
    tasks = list(dict.fromkeys(row.task for own in declared.values() for row in own))
    for task in tasks if len(tasks) > 1 and not claim.each_task else ():
        left = {number: [row for row in own if row.task != task] for number, own in declared.items()}
        found += again(f"without {task}", left)
    if any(row.failed for own in declared.values() for row in own):
        whole = {number: [row for row in own if not row.failed] for number, own in declared.items()}
        found += again("without failed runs", whole)
    widths = dict.fromkeys(row.view for row in rows if row.claim == name and row.view.startswith("width "))
    for view in widths:
        found += again(view, by_contrast(rows, name, view))
    return found


def secondary_effects(rows: Sequence[Row], claim: str) -> list[Secondary]:
    """Return the first contrast in the secondary metrics: absolute errors as log ratios, error rates as differences."""
    own = contrast_rows(rows, claim, 0, SECONDARY)
    found = []
    for metric, scale in (("mae", "log ratio"), ("error_rate", "difference")):
        part = [row for row in own if row.scale == scale]
        if part:
            sample = sample_of(part)
            low, high = bootstrap_interval(sample)
            found.append(
                Secondary(
                    metric=metric,
                    scale=part[0].scale,
                    estimate=rounded(sample.estimate),
                    low=finite_or_none(low),
                    high=finite_or_none(high),
                )
            )
    return found


def marks(
    verdict: str,
    tests: Sequence[Judged],
    secondary: Sequence[Secondary],
    variations: Sequence[Variation],
    luck: KnownLuck,
) -> Iterable[str]:
    """Return on which of our choices a verdict hangs, and whether it lacks the luck that others of the study have in them."""
    if verdict in (rule.SUPPORTED, rule.CONTRADICTED):
        lower = tests[0].whole.estimate < 0
        against = (
            each.low is not None and each.low > 0 if lower else each.high is not None and each.high < 0
            for each in secondary
        )
        if any(against):
            yield "metric-dependent"
    if any(each.change == "read at the last epoch" and each.verdict != verdict for each in variations):
        yield "reading-dependent"
    if luck and any(each.lacks_luck for each in tests):
        yield "blind to the luck of the search"
