"""Noise on gradients beside the gradients, and how often gradients are clipped."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import panels, plot_arm_curves, style
from lstmstudy.figures.gradients import NoiseLine, plot_noise_schedule
from lstmstudy.findings.finding import Finding, finite, listed, number
from lstmstudy.findings.titles import fitting, multiples
from lstmstudy.store.numbers import taken
from lstmstudy.streams import integer_seed
from lstmstudy.techniques import GradientClipping, GradientNoise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.data import Part, TaskInfo
    from lstmstudy.runs import Outcome
    from lstmstudy.study.ablation import Ablation
    from lstmstudy.techniques import Technique
    from lstmstudy.training.probing import Probe

_CLIPPED = "clipped share"


def noise_schedule(ablation: Ablation) -> Finding | str:
    """Return the standard deviation of gradient noise over the updates, beside the baseline's gradients.

    The noise is what the technique adds to a gradient of zeros. The size of the baseline's gradients is
    the root mean square of an entry, at the initial weights and at those of the selected epoch, medians
    over units. The title has the noise as a multiple of them. This loads TensorFlow.
    """
    arms = [arm for arm in ablation.compared if isinstance(arm.technique, GradientNoise)]
    if not arms:
        return nothing(GradientNoise)
    gradients = {info.title: _gradient_sizes(ablation, info) for info in ablation.infos}
    last = max(_updates(ablation, info) for info in ablation.infos)
    updates = np.unique(np.geomspace(1, last, 25).round().astype(int))
    noise, words, ratios = [], [], []
    for arm in arms:
        if isinstance(arm.technique, GradientNoise):
            technique = arm.technique
            deviations = deviation(technique, updates - 1)
            noise.append(NoiseLine(arm.name, technique.variant, technique.strength, deviations))
            ratios += [
                deviation(technique, at - 1) / sizes for at, sizes in gradients.values() if _known(sizes)
            ]
            words.append(f"{number(deviations[0])} falling to {number(deviations[-1])} with {arm.name}")
    with style():
        ax = plot_noise_schedule(
            updates,
            noise,
            {f"a gradient, {title}": both for title, both in gradients.items() if _known(both[1])},
        )
    beside = [
        f"{number(sizes[0])} and {number(sizes[1])} on {title}" for title, (_, sizes) in gradients.items()
    ]
    sentence = (
        f"Standard deviation of the noise from the first update to update {last}: {listed(words)}. An entry of the "
        f"baseline's gradients, as a root mean square at the start and at the selected epoch: {listed(beside)}."
    )
    alt = f"Lines that fall over the updates, on log axes: noise of {listed(words)}; gradients of {listed(beside)}."
    return Finding(ax.figure, alt, _beside(ratios), sentence)  # type: ignore[arg-type]


def clipped_shares(ablation: Ablation) -> Finding | str:
    """Return the share of clipped updates over epochs for each norm, a panel per task.

    Lines are medians over units. Title and sentence give means over units and all epochs that they lasted,
    then over tasks.
    """
    arms = [arm for arm in ablation.compared if isinstance(arm.technique, GradientClipping)]
    if not arms:
        return nothing(GradientClipping)
    curves = {(arm.name, info.name): _clipped(ablation, arm, info) for arm in arms for info in ablation.infos}
    with style():
        figure, axes = panels([info.title for info in ablation.infos], height=3.1)
        for info, ax in zip(ablation.infos, axes, strict=True):
            plot_arm_curves(
                {arm.name: curves[arm.name, info.name] for arm in arms},
                technique=GradientClipping.name,
                strengths={arm.name: arm.technique.strength for arm in arms if arm.technique},
                variants={arm.name: arm.technique.variant for arm in arms if arm.technique},
                metric="clipped updates (%)",
                ax=ax,
            )
    shares = {}
    for arm in arms:
        means = [float(np.mean(finite(curves[arm.name, info.name]))) for info in ablation.infos]
        shares[arm.name] = float(np.mean(finite(np.array(means))))
    words = [f"{_share(share)} with {name}" for name, share in shares.items()]
    ranked = sorted(shares, key=lambda name: -np.nan_to_num(shares[name]))
    most = [f"{_share(shares[name])} with {name}" for name in (*ranked[:2], *ranked[2:][-2:])]
    sentence = f"Of all updates, means over tasks, at least one gradient is clipped in {listed(most)}."
    alt = f"Share of clipped updates over epochs, per task: {listed(words)} over the whole training."
    norms = {
        f"{arm.technique.strength:g} {arm.technique.variant}": shares[arm.name]
        for arm in arms
        if arm.technique
    }
    return Finding(figure, alt, _of_clipping(norms), sentence)


def deviation(technique: GradientNoise, updates: np.ndarray) -> np.ndarray:
    """Return the standard deviation of a technique's noise at some updates, counted from 0, (n_updates,).

    Nothing is typed again: the noise that the technique adds to zeros is divided by noise of deviation 1
    from the same stream.
    """
    import tensorflow as tf

    def drawn(technique: GradientNoise, update: int) -> np.ndarray:
        hook = technique.in_update(technique.name)
        hook.stream.state.assign([integer_seed(0, "noise schedule"), 0])
        (noisy,) = hook.gradients([tf.zeros(100)], tf.constant(update))
        return noisy.numpy().astype(np.float64)

    unit = np.linalg.norm(drawn(GradientNoise(1.0, 0.0), 0))
    return np.array([np.linalg.norm(drawn(technique, int(update))) / unit for update in updates])


def _beside(ratios: Sequence[np.ndarray]) -> str:
    """Return the noise as multiples of a gradient's size, at the start and at the selected epoch."""
    if not ratios:
        return "Gradient noise has nothing to stand beside, as every run of the baseline diverged"
    start, end = (multiples(each) for each in zip(*ratios, strict=True))
    return fitting(
        f"Gradient noise is {start} times a gradient's size at first, {end} times at the selected epoch"
    )


def _of_clipping(shares: Mapping[str, float]) -> str:
    """Return in which share of the updates gradients are clipped, and with which norm in most."""
    percents = {norm: share for norm, share in shares.items() if np.isfinite(share)}
    if not percents:
        return "How often gradients are clipped is unknown, as every run diverged"
    least, most = (end(percents, key=lambda norm: percents[norm]) for end in (min, max))
    if len(percents) == 1:
        return fitting(
            f"Gradients are clipped in {percents[most]:.0f} % of the updates with a norm of {most}"
        )
    ends = " to ".join(dict.fromkeys(f"{percents[norm]:.0f}" for norm in (least, most)))
    what = f"Gradients are clipped in {ends} % of the updates"
    return fitting(f"{what}, in most with a norm of {most}", what)


def _known(sizes: np.ndarray) -> bool:
    return bool(np.isfinite(sizes).all())


def _updates(ablation: Ablation, info: TaskInfo) -> int:
    """Return how many updates the longest training of the control makes on a task."""
    (recipe,) = ablation.control.on(info.name)
    folds = ablation.plan.tasks[info.name].folds
    return recipe.epochs * max(-(-len(fold.train.y) // recipe.batch_size) for fold in folds)


def _gradient_sizes(ablation: Ablation, info: TaskInfo) -> tuple[np.ndarray, np.ndarray]:
    """Return two updates, counted from 1, and the size of the control's gradients there; medians over units."""
    from lstmstudy.training.probing import Probe

    (recipe,) = ablation.control.on(info.name)
    probe = Probe(recipe, info)
    rows = []
    outcomes, kept = (
        ablation.outcomes(ablation.control, info.name),
        ablation.kept(ablation.control, info.name),
    )
    for unit, outcome, epoch in zip(ablation.units(info.name), outcomes, kept, strict=True):
        if outcome.result.diverged is not None:
            continue
        train = ablation.plan.tasks[info.name].folds[unit.fold].train
        sizes = taken(
            "gradients, first and kept", [outcome], partial(_sizes, probe, outcome, train, unit.seed)
        )
        rows.append([1.0, epoch * -(-len(train.y) // recipe.batch_size), *sizes])
    middle = np.median(rows, axis=0) if rows else np.full(4, np.nan)
    return middle[:2], middle[2:]


def _sizes(probe: Probe, outcome: Outcome, train: Part, seed: int) -> list[float]:
    """Return the size of the gradients at the initial weights, and at those that are kept."""
    probe.start(seed)
    first = probe.gradient_size(train, seed)
    probe.load(outcome.result.weights)
    return [first, probe.gradient_size(train, seed)]


def _clipped(ablation: Ablation, arm: Arm, info: TaskInfo) -> np.ndarray:
    """Return the share of clipped updates in percent, (n_units, n_epochs); NaN after a divergence."""
    results = ablation.results(arm, info.name)
    return np.stack(
        [100 * result.curves.get(_CLIPPED, np.full(len(result.curves["loss"]), np.nan)) for result in results]
    )


def _share(percent: float) -> str:
    return f"{percent:.0f} %" if np.isfinite(percent) else "an unknown share (every run diverged)"


def nothing(technique: type[Technique]) -> str:
    """Return what is said instead where a profile has no arm of a technique."""
    return f"This profile has no arm with {technique.title}."
