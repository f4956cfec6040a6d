"""What penalties, decay and max-norm do to the weights: how many are near zero, and how long they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from lstmstudy.figures import panels, style, table
from lstmstudy.figures.weights import Change, plot_weight_changes
from lstmstudy.findings.finding import Finding, counted, finite, listed, of_arms, percent
from lstmstudy.findings.titles import UNSURE, clear, fitting, known, short, size
from lstmstudy.stats.sample import Sample, bootstrap_interval
from lstmstudy.techniques import TECHNIQUES
from lstmstudy.weight_sizes import NEAR_ZERO, weight_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.study.ablation import Ablation
    from lstmstudy.techniques import Technique

_Quantity = Literal["share", "norm"]
_NOTHING = 0.0005  # as a log ratio or a share; a smaller change is told as none


@of_arms
def weight_changes(ablation: Ablation) -> Finding:
    """Return how many weights each strength brings near zero, and how it changes their norm, a row per technique.

    Both are those of the LSTM matrices at the selected epoch against the baseline of the same unit; pairs
    with a diverged run are left out. The sentence gives for each technique the arm with the shortest weights,
    the title which technique makes them shortest, and which brings most near zero.
    """
    names = list(dict.fromkeys(arm.technique.name for arm in ablation.compared if arm.technique))
    titles, words = [], []
    all_shares: list[Change] = []
    all_norms: list[Change] = []
    for name in names:
        title = technique_of(ablation.arms_of(name)[0]).title
        titles += [f"{title}: near zero", f"{title}: length"]
    with style():
        figure, axes = panels(titles, height=2.4)
        for place, name in enumerate(names):
            arms = ablation.arms_of(name)
            shares, norms = ([_change(ablation, arm, quantity) for arm in arms] for quantity in _QUANTITIES)
            all_shares += shares
            all_norms += norms
            setting = _names(technique_of(arms[0]))[-1]
            for quantity, changes, ax in zip(_QUANTITIES, (shares, norms), axes[2 * place :], strict=False):
                plot_weight_changes(
                    changes,
                    quantity=_QUANTITIES[quantity],
                    strength=setting,
                    relative=quantity == "norm",
                    control=ablation.control.name,
                    ax=ax,
                )
            estimates = np.array([change.estimate for change in norms])
            if np.isfinite(estimates).any():
                least = int(np.nanargmin(estimates))
                words.append(f"{arms[least].name} {_told(shares[least], norms[least])}")
    told = listed(words) or "not available, as every run diverged"
    sentence = (
        f"The arm of each technique with the shortest weights, near zero being below {NEAR_ZERO:g}: {told}."
        f"{_left_out(ablation)}"
    )
    alt = (
        f"Two panels for each of {len(names)} techniques over its strength: change of the share of weights near "
        f"zero, and of the weights' norm. Shortest weights: {told}."
    )
    return Finding(figure, alt, _title(all_norms, all_shares), sentence)


@of_arms
def weight_table(ablation: Ablation) -> str:
    """Show share near zero and norm of each arm's weights beside its control's; return a sentence.

    Means over the units without a diverged run and over tasks; differences are paired. The sentence names
    the arms with clearly more weights near zero, and those with clearly shorter ones.
    """
    import pandas as pd

    rows, sparse, short = [], [], []
    for arm in ablation.compared:
        share, norm = (_change(ablation, arm, quantity) for quantity in _QUANTITIES)
        shares, norms = (_means(ablation, arm, quantity) for quantity in _QUANTITIES)
        rows.append(
            {
                "arm": arm.name,
                "strength": _strengths(ablation, arm),
                "near zero (%)": shares[0],
                "its control (%)": shares[1],
                "difference (points)": _points(share),
                "norm": norms[0],
                "its control's": norms[1],
                "change": _percents(norm),
            }
        )
        sparse += [arm.name] if share.low > 0 else []
        short += [arm.name] if norm.high < 0 else []
    table(
        pd.DataFrame(rows),
        caption=f"Weights of the LSTM matrices at the selected epoch; near zero is below {NEAR_ZERO:g}; "
        "95 % intervals in brackets",
    )
    return (
        f"Of {counted(len(rows), 'arm')}, {_counted(sparse)} clearly more weights near zero than the tuned baseline, and "
        f"{_counted(short)} clearly shorter ones; intervals are not adjusted for the number of arms."
        f"{_left_out(ablation)}"
    )


_QUANTITIES: dict[_Quantity, str] = {
    "share": "change of the share of\nweights near zero (points)",
    "norm": "change of the\nweights' norm (%)",
}


def technique_of(arm: Arm) -> Technique:
    """Return the technique of an arm that has one."""
    if arm.technique is None:
        raise ValueError(f"Expected an arm with a technique. Received: arm={arm.name!r}")
    return arm.technique


def coefficient(arm: Arm) -> float:
    """Return the last of an arm's values, along which it is drawn."""
    technique = technique_of(arm)
    return float(getattr(technique, _names(technique)[-1]))


def _title(norms: Sequence[Change], shares: Sequence[Change]) -> str:
    """Return which technique makes the weights shortest, and which brings most of them near zero."""
    norms, shares = ([change for change in each if np.isfinite(change.estimate)] for each in (norms, shares))
    if not norms:
        return "What becomes of the weights is unknown, as every run diverged"
    length, share = min(norms, key=_estimate), max(shares, key=_estimate)
    shortening, thinning = (TECHNIQUES[change.technique].title for change in (length, share))
    surely = known([length, share])
    clearly, doubt = ("clearly ", "") if surely else ("", f"; {UNSURE}")
    shorter = clear(length) < 0 if surely else length.estimate < -_NOTHING
    nearer = clear(share) > 0 if surely else share.estimate > 100 * _NOTHING
    by, points = size(length.estimate), f"up to {short(share.estimate)} points more"
    if not shorter and not nearer:
        return fitting(
            f"No arm makes weights {clearly}shorter or brings {clearly}more of them near zero{doubt}"
        )
    if not shorter:
        return fitting(
            f"With {thinning} {points} weights are near zero; no arm makes them {clearly}shorter{doubt}"
        )
    if not nearer:
        return fitting(
            f"With {shortening} weights get up to {by} shorter, but not {clearly}more near zero{doubt}"
        )
    if shortening == thinning:
        return fitting(f"With {shortening} weights get up to {by} shorter, and {points} are near zero{doubt}")
    both = f"weights get up to {by} shorter with {shortening}"
    return fitting(
        f"{both}, and {points} are near zero with {thinning}{doubt}",
        f"{both}, and nearest zero with {thinning}{doubt}",
    )


def _estimate(change: Change) -> float:
    return change.estimate


def _names(technique: Technique) -> tuple[str, ...]:
    """Return the names of the settings that are numbers; figures are drawn over the last."""
    return tuple(technique.values)


def _variant(technique: Technique) -> str:
    """Return what is held fixed along the last value: the other values, else the variant."""
    held = [f"{name} {getattr(technique, name):g}" for name in _names(technique)[:-1]]
    return ", ".join(held) or technique.variant


def _pairs(ablation: Ablation, arm: Arm, task: str, quantity: _Quantity) -> np.ndarray:
    """Return a quantity of the arm's and its control's weights, (2, n_units); NaN where either run diverged."""
    both = [
        [getattr(weight_sizes(outcome), quantity) for outcome in ablation.outcomes(each, task)]
        for each in (arm, arm.control or ablation.control)
    ]
    values = np.array(both)
    return np.where(np.isnan(values).any(axis=0), np.nan, values)


def _change(ablation: Ablation, arm: Arm, quantity: _Quantity) -> Change:
    """Return the mean paired difference of the share in points, or log ratio of the norm; NaN without a pair."""
    values, folds = {}, {}
    for info in ablation.infos:
        own, others = _pairs(ablation, arm, info.name, quantity)
        apart = own - others if quantity == "share" else np.log(own / others)
        known = np.isfinite(apart)
        if known.any():
            units = ablation.units(info.name)
            values[info.name] = apart[known]
            folds[info.name] = [unit.fold for unit, counts in zip(units, known, strict=True) if counts]
    technique = technique_of(arm)
    place = (technique.name, _variant(technique), coefficient(arm))
    if not values:
        return Change(*place, np.nan, np.nan, np.nan)
    estimate = float(np.mean([numbers.mean() for numbers in values.values()]))
    return Change(*place, estimate, *bootstrap_interval(Sample.of(values, folds)))


def _means(ablation: Ablation, arm: Arm, quantity: _Quantity) -> tuple[float, float]:
    """Return the mean of a quantity over units, then over tasks: the arm's, and its control's."""
    pairs = [_pairs(ablation, arm, info.name, quantity) for info in ablation.infos]
    own, others = (
        float(np.mean(finite(np.array([np.mean(finite(pair[side])) for pair in pairs])))) for side in (0, 1)
    )
    return own, others


def _points(change: Change) -> str:
    if not np.isfinite(change.estimate):
        return "not available"
    numbers = [f"{number:+.1f}".replace("-", "\N{MINUS SIGN}") for number in change[3:]]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]" if np.isfinite(change.low) else numbers[0]


def _percents(change: Change) -> str:
    if not np.isfinite(change.estimate):
        return "not available"
    low, high = (percent(end).removesuffix(" %") for end in (change.low, change.high))
    return percent(change.estimate) + (f" [{low}, {high}]" if np.isfinite(change.low) else "")


def _told(share: Change, norm: Change) -> str:
    return f"(norm {percent(norm.estimate)}, share near zero {_points(share).partition(' ')[0]} points)"


def _strengths(ablation: Ablation, arm: Arm) -> str:
    """Return the values of an arm's technique, on each task where they differ."""
    name = technique_of(arm).name
    by_task = {
        info.title: " + ".join(f"{getattr(technique, value):.2g}" for value in _names(technique))
        for info in ablation.infos
        for technique in arm.on(info.name)[0].techniques
        if technique.name == name
    }
    if len(set(by_task.values())) == 1:
        return next(iter(by_task.values()))
    return ", ".join(f"{title} {values}" for title, values in by_task.items())


def _counted(arms: list[str]) -> str:
    verb = "has" if len(arms) == 1 else "have"
    return f"{len(arms)} ({listed(arms)}) {verb}" if arms else "none has"


def _left_out(ablation: Ablation) -> str:
    """Return a sentence on pairs that a diverged run leaves without weights, or ""."""
    gone = sum(
        int(np.isnan(_pairs(ablation, arm, info.name, "norm")[0]).sum())
        for arm in ablation.compared
        for info in ablation.infos
    )
    return f" Left out are {gone} pairs with a diverged run." if gone else ""
