"""Normalization: training mode beside evaluation mode, and what batch size and padding have to do with it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import panels, plot_arm_curves, plot_dose_response, plot_paired_differences, style
from lstmstudy.findings.finding import (
    Finding,
    begun,
    finite,
    interval,
    listed,
    number,
    of_arms,
    percent,
    together_and_apart,
    with_intervals,
)
from lstmstudy.findings.titles import UNSURE, clear, fitting, known, multiples, signed
from lstmstudy.stats.sample import Sample, bootstrap_interval
from lstmstudy.techniques.normalization import MOMENTUM, BatchStatistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.data import TaskInfo
    from lstmstudy.stats.effects import Effect
    from lstmstudy.study.ablation import Ablation

_LOSSES = {"rmse": "squared error (training variances)", "cross_entropy": "cross-entropy (nats)"}
_LEFT = 0.01  # moving statistics are warm where this share of their initial values is left


@of_arms
def modes(ablation: Ablation) -> Finding:
    """Return the loss on the training part in training mode and at inference, a panel per technique and task.

    It takes the arms whose running statistics are recomputed, or moving averages. A loss at inference far
    above that in training mode says that the running statistics are not yet those of the data. The title
    gives the one as a multiple of the other, for each form.
    """
    arms = [arm for arm in ablation.compared if isinstance(arm.technique, BatchStatistics)]
    groups = {arm.technique.name: arm.technique.title for arm in arms if arm.technique}
    places = [(name, info) for name in groups for info in ablation.infos]
    with style():
        figure, axes = panels([f"{groups[name]}, {info.title}" for name, info in places], height=3.0)
        for (name, info), ax in zip(places, axes, strict=True):
            forms = {arm.technique.variant: arm for arm in ablation.arms_of(name) if arm.technique}
            training = _in_training(ablation, next(iter(forms.values())), info)
            curves = {form: _at_inference(ablation, arm, info) for form, arm in forms.items()}
            plot_arm_curves(
                {"training mode": training, **curves},
                technique=name,
                strengths=dict.fromkeys(curves, 1.0),
                variants={form: form for form in curves},
                metric=f"training {_LOSSES[info.metric]}",
                ax=ax,
            )
    values = {arm.name: _mode_ratio(ablation, arm) for arm in (ablation.control, *arms)}
    ratios = [f"{name} {number(value)}" for name, value in values.items()]
    sentence = (
        f"Loss at inference after the last epoch over loss in training mode during it, medians: "
        f"{listed(ratios)}. {_warm_up(ablation)}"
    )
    alt = (
        f"Training loss over epochs in training mode and at inference, with {listed(list(groups.values()))}."
    )
    by_form: dict[str, list[float]] = {}
    for arm in arms:
        if arm.technique:
            by_form.setdefault(arm.technique.variant, []).append(values[arm.name])
    return Finding(figure, alt, _of_forms(by_form), sentence)


@of_arms
def batch_sizes(ablation: Ablation, technique: str = "layer_norm") -> Finding:
    """Return the change of the test error over the batch size, a line per technique, against none at that size.

    Title and sentence speak of one technique: its effect at each size, and how it differs from the smallest
    to the largest, unit by unit.
    """
    places = together_and_apart(ablation.infos)
    with style():
        figure, axes = panels(list(places), height=3.0)
        for info, ax in zip(places.values(), axes, strict=True):
            effects = [
                replace(
                    _coloured(ablation, arm, info.name if info else None),
                    strength=float(arm.recipe.batch_size),
                )
                for arm in ablation.compared
            ]
            plot_dose_response(effects, control="none", strength="batch size", ax=ax)
    arms = sorted(_with(ablation, technique), key=lambda arm: arm.recipe.batch_size)
    small, large = arms[0], arms[-1]
    values = {
        info.name: ablation.log_ratios(small, info.name) - ablation.log_ratios(large, info.name)
        for info in ablation.infos
    }
    effects, apart = [ablation.effect(arm) for arm in arms], ablation.effect_of(values, small)
    (relative, *texts), missing = with_intervals([apart, *effects])
    sizes = [f"{text} at {arm.recipe.batch_size}" for arm, text in zip(arms, texts, strict=True)]
    sentence = (
        f"Against none at the same batch size and as many updates, {_title(small)} changes the test error by "
        f"{listed(sizes)}; at {small.recipe.batch_size} by {relative} relative to {large.recipe.batch_size}{missing}."
    )
    ends = {
        f"at batch size {small.recipe.batch_size}": effects[0],
        f"at {large.recipe.batch_size}": effects[-1],
    }
    title = _of_two(_title(small), ends, apart)
    alt = "Change of the test error over the batch size: " + listed(
        [f"{arm.name} {percent(ablation.effect(arm).estimate)}" for arm in ablation.compared]
    )
    return Finding(figure, f"{alt}.", title, sentence)


@of_arms
def lengths(ablation: Ablation, technique: str = "layer_norm") -> Finding:
    """Return every unit's change of the test error on padded sequences and on the same ones cut to one length.

    Title and sentence speak of one technique: its effect on each, and how they differ, unit by unit.
    """
    padded, cut = sorted(ablation.infos, key=lambda info: not info.variable_length)
    effects = [
        replace(_coloured(ablation, arm, info.name), arm=f"{_title(arm)}, {word}")
        for arm in ablation.compared
        for info, word in ((padded, "padded"), (cut, "cut"))
    ]
    with style():
        ax = plot_paired_differences(effects, control="none on the same sequences")
    (arm,) = _with(ablation, technique)
    on = {
        info.name: dict(zip(ablation.units(info.name), ablation.log_ratios(arm, info.name), strict=True))
        for info in (padded, cut)
    }
    by_seed = {unit.seed: value for unit, value in on[cut.name].items()}
    pairs = {
        unit: value - by_seed[unit.seed] for unit, value in on[padded.name].items() if unit.seed in by_seed
    }
    difference = np.array(list(pairs.values()))
    low, high = bootstrap_interval(
        Sample.of({padded.name: difference}, {padded.name: [unit.fold for unit in pairs]})
    )
    both = [ablation.effect(arm, info.name) for info in (padded, cut)]
    apart = replace(both[0], estimate=float(difference.mean()), low=low, high=high)
    texts, missing = with_intervals([*both, apart])
    sentence = (
        f"{begun(_title(arm))} changes the test error by {texts[0]} on padded sequences and by {texts[1]} on the same "
        f"ones cut to {cut.window} steps; the first relative to the second is {texts[2]} over {len(pairs)} pairs of "
        f"units{missing}."
    )
    title = _of_two(_title(arm), {"on padded": both[0], "on cut sequences": both[1]}, apart)
    alt = "Change of test error against none: " + listed(
        [f"{effect.arm} {interval(effect)}" for effect in effects]
    )
    return Finding(ax.figure, f"{alt}.", title, sentence)  # type: ignore[arg-type]


def warm_up(momentum: float = MOMENTUM) -> float:
    """Return after how many updates a moving average has 1 % of its initial value left."""
    return math.log(_LEFT) / math.log(momentum)


def _in_training(ablation: Ablation, arm: Arm, info: TaskInfo) -> np.ndarray:
    """Return the mean loss over each epoch's updates, (n_units, n_epochs)."""
    return np.stack([result.curves["loss"] for result in ablation.results(arm, info.name)])


def _at_inference(ablation: Ablation, arm: Arm, info: TaskInfo) -> np.ndarray:
    """Return the loss on the training part after each epoch, (n_units, n_epochs)."""
    curves = ablation.curves(arm, info.name, "train")
    return np.square(curves) if info.metric == "rmse" else curves


def _mode_ratio(ablation: Ablation, arm: Arm) -> float:
    """Return the loss at inference after the last epoch over that in training mode, median over tasks and units."""
    ratios = [
        (_at_inference(ablation, arm, info) / _in_training(ablation, arm, info))[:, -1]
        for info in ablation.infos
    ]
    return float(np.median(finite(np.concatenate(ratios))))


def _of_forms(ratios: Mapping[str, Sequence[float]]) -> str:
    """Return by what each form of the statistics multiplies the loss at inference, the largest first."""
    values = {form: finite(np.array(each)) for form, each in ratios.items()}
    highest = sorted(
        (form for form in values if np.isfinite(values[form]).all()), key=lambda form: -values[form].max()
    )
    if not highest:
        return "What becomes of the loss at inference is unknown, as every run diverged"
    first, *rest = [(form, multiples(values[form])) for form in highest]
    others = "".join(f", {form.removesuffix(' statistics')} ones by {span}" for form, span in rest)
    return fitting(f"{first[0]} multiply the loss at inference by {first[1]}{others}")


def _of_two(technique: str, effects: Mapping[str, Effect], apart: Effect) -> str:
    """Return whether a technique does clearly better at one of two places; with too few units, its effect at both."""
    (one, first), (other, second) = effects.items()
    if not known([apart]):
        by = f"{signed(first.estimate)} {one}, by {signed(second.estimate)} {other}"
        return fitting(f"{technique} changes the test error by {by}; {UNSURE}")
    how = {-1: "clearly better", 1: "clearly worse"}.get(clear(apart))
    if how is None:
        return fitting(f"{technique} does neither clearly better nor worse {one} than {other}")
    return fitting(f"against none of it, {technique} does {how} {one} than {other}")


def _warm_up(ablation: Ablation) -> str:
    """Say how far moving averages have come by the end of training on each task."""
    recipe = ablation.control.recipe
    left = []
    for info in ablation.infos:
        folds = ablation.plan.tasks[info.name].folds
        sizes = [len(folds[unit.fold].train.y) for unit in ablation.units(info.name)]
        each = [recipe.epochs * math.ceil(size / recipe.batch_size) for size in sizes]
        updates, about = round(np.mean(each)), "about " if len(set(each)) > 1 else ""
        left.append(f"{100 * MOMENTUM**updates:.2g} % after {about}{updates} updates on {info.title}")
    return (
        f"A moving average with momentum {MOMENTUM:g} needs {warm_up():.0f} updates to have {100 * _LEFT:g} % of its "
        f"initial value left; it has {listed(left)}."
    )


def _coloured(ablation: Ablation, arm: Arm, task: str | None) -> Effect:
    """Return an effect that is drawn in the colour of the arm's one technique."""
    return replace(ablation.effect(arm, task), technique=arm.recipe.techniques[0].name)


def _with(ablation: Ablation, technique: str) -> list[Arm]:
    """Return the arms with one technique and no other."""
    return [arm for arm in ablation.compared if [each.name for each in arm.recipe.techniques] == [technique]]


def _title(arm: Arm) -> str:
    return arm.recipe.techniques[0].title
