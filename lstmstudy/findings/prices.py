"""What a price on weights costs before the first update, beside the loss that it is added to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import panels, style
from lstmstudy.figures.weights import PriceLine, plot_prices
from lstmstudy.findings.finding import Finding, listed
from lstmstudy.findings.titles import digits, fitting
from lstmstudy.findings.weights import coefficient, technique_of
from lstmstudy.techniques.weight_penalty import WeightPenalty
from lstmstudy.weight_sizes import lstm_matrices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.data import TaskInfo
    from lstmstudy.study.ablation import Ablation

_LOSSES = {"forecasting": "squared error", "classification": "cross-entropy"}


def prices_at_the_start(ablation: Ablation) -> Finding | str:
    """Return what L1 and L2 cost before the first update, as a multiple of the training loss, a panel per task.

    Both are those of the initial weights, means over units. The sentence gives the strongest arm of each
    technique and the coefficient at which it costs as much as the loss. This loads TensorFlow.
    """
    arms = [
        arm
        for arm in ablation.compared
        if isinstance(arm.technique, WeightPenalty) and len(arm.technique.values) == 1
    ]
    if not arms:
        return "This profile has no arm with L1 or L2 alone."
    words, equal = [], []
    most: dict[str, float] = {}
    with style():
        figure, axes = panels([info.title for info in ablation.infos], height=3.1)
        for info, ax in zip(ablation.infos, axes, strict=True):
            multiples = _multiples(ablation, arms, info)
            plot_prices(_lines(arms, multiples), loss=_LOSSES[info.kind], ax=ax)
            dearest = _dearest(arms, multiples)
            costs = [f"{multiples[arm.name]:.2g} with {arm.name}" for arm in dearest]
            breaks = [f"{coefficient(arm) / multiples[arm.name]:.2g} ({_described(arm)})" for arm in dearest]
            for arm in dearest:
                title = technique_of(arm).title
                most[title] = max(most.get(title, 0.0), multiples[arm.name])
            words.append(f"{listed(costs)} on {info.title}")
            equal.append(f"{listed(breaks)} on {info.title}")
    sentence = (
        f"Before the first update the price is, in multiples of the training loss, {'; '.join(words)}. It is as "
        f"large as the loss at a coefficient of {'; '.join(equal)}."
    )
    alt = (
        f"Price of the initial weights in multiples of the training loss over the coefficient, straight lines on "
        f"log axes: {'; '.join(words)}."
    )
    return Finding(figure, alt, _title(most), sentence)


def _title(most: Mapping[str, float]) -> str:
    """Return what each technique costs at most, as a multiple of the training loss."""
    (first, cost), *rest = most.items()
    others = "".join(f", {name} up to {digits(other)} times" for name, other in rest)
    return fitting(
        f"Before the first update {first} costs up to {digits(cost)} times the training loss{others}"
    )


def _dearest(arms: Sequence[Arm], multiples: Mapping[str, float]) -> list[Arm]:
    """Return the arm of each technique that costs most."""
    names = dict.fromkeys(technique_of(arm).name for arm in arms)
    groups = ([arm for arm in arms if technique_of(arm).name == name] for name in names)
    return [max(group, key=lambda arm: multiples[arm.name]) for group in groups]


def price(weights: Mapping[str, np.ndarray], penalty: WeightPenalty) -> float:
    """Return ``l1 * sum(|w|) + l2 * sum(w^2)`` over the matrices that a penalty names."""
    entries = lstm_matrices(weights, penalty.matrices)
    amounts = penalty.amounts
    absolute, squared = (float(np.sum(each)) for each in (np.abs(entries), entries**2))
    return amounts.get("l1", 0.0) * absolute + amounts.get("l2", 0.0) * squared


def _multiples(ablation: Ablation, arms: Sequence[Arm], info: TaskInfo) -> dict[str, float]:
    """Return the price of the initial weights over the training loss there by arm, means over the units."""
    from lstmstudy.training.probing import Probe

    (recipe,) = ablation.control.on(info.name)
    probe = Probe(recipe, info)
    found: dict[str, list[float]] = {arm.name: [] for arm in arms}
    for unit in ablation.units(info.name):
        probe.start(unit.seed)
        loss = probe.loss(ablation.plan.tasks[info.name].folds[unit.fold].train)
        for arm in arms:
            penalty = arm.technique
            if isinstance(penalty, WeightPenalty):
                found[arm.name].append(price(probe.weights, penalty) / loss)
    return {name: float(np.mean(multiples)) for name, multiples in found.items()}


def _described(arm: Arm) -> str:
    technique = technique_of(arm)
    return f"{technique.title} {technique.variant}"


def _lines(arms: Sequence[Arm], multiples: Mapping[str, float]) -> list[PriceLine]:
    groups: dict[tuple[str, str, str], list[Arm]] = {}
    for arm in sorted(arms, key=coefficient):
        technique = technique_of(arm)
        groups.setdefault((technique.name, _described(arm), technique.variant), []).append(arm)
    return [
        PriceLine(
            *key,
            np.array([coefficient(arm) for arm in group]),
            np.array([multiples[arm.name] for arm in group]),
        )
        for key, group in groups.items()
    ]
