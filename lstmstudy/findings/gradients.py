"""Noise on gradients, how often gradients are clipped, and how flat the minima are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import panels, plot_arm_curves, style
from lstmstudy.figures.gradients import NoiseLine, Rise, plot_flatness, plot_noise_schedule
from lstmstudy.findings.finding import Finding, finite, listed, number
from lstmstudy.streams import generator, integer_seed
from lstmstudy.techniques import GradientClipping, GradientNoise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.ablation import Ablation
    from lstmstudy.arms import Arm
    from lstmstudy.data import Part, TaskInfo
    from lstmstudy.probing import Probe
    from lstmstudy.runs import Result
    from lstmstudy.techniques import Technique

SIZES = (0.0, 0.02, 0.05, 0.1)  # of weight noise, as shares of each matrix's norm; first comes none
SPOKEN_OF = 0.05  # the size in the sentence
DRAWS = 5  # directions of weight noise for every unit, the same ones for all arms
_LOSSES = {"forecasting": "squared error, training variances", "classification": "cross-entropy, nats"}
_CLIPPED = "clipped share"


def noise_schedule(ablation: Ablation) -> Finding | str:
    """Return the standard deviation of gradient noise over the updates, beside the baseline's gradients.

    The noise is what the technique adds to a gradient of zeros. The size of the baseline's gradients is
    the root mean square of an entry, at the initial weights and at those of the selected epoch, medians
    over units. This loads TensorFlow.
    """
    arms = [arm for arm in ablation.compared if isinstance(arm.technique, GradientNoise)]
    if not arms:
        return _nothing(GradientNoise)
    gradients = {info.title: _gradient_sizes(ablation, info) for info in ablation.infos}
    last = max(_updates(ablation, info) for info in ablation.infos)
    updates = np.unique(np.geomspace(1, last, 25).round().astype(int))
    noise, words = [], []
    for arm in arms:
        if isinstance(arm.technique, GradientNoise):
            technique = arm.technique
            deviations = deviation(technique, updates - 1)
            noise.append(NoiseLine(arm.name, technique.variant, technique.strength, deviations))
            words.append(f"{number(deviations[0])} falling to {number(deviations[-1])} with {arm.name}")
    with style():
        ax = plot_noise_schedule(
            updates,
            noise,
            {f"a gradient, {title}": both for title, both in gradients.items() if np.isfinite(both[1]).all()},
        )
    beside = [
        f"{number(sizes[0])} and {number(sizes[1])} on {title}" for title, (_, sizes) in gradients.items()
    ]
    sentence = (
        f"Standard deviation of the noise from the first update to update {last}: {listed(words)}. An entry of the "
        f"baseline's gradients, as a root mean square at the start and at the selected epoch: {listed(beside)}."
    )
    alt = f"Lines that fall over the updates, on log axes: noise of {listed(words)}; gradients of {listed(beside)}."
    return Finding(ax.figure, alt, sentence)  # type: ignore[arg-type]


def clipped_shares(ablation: Ablation) -> Finding | str:
    """Return the share of clipped updates over epochs for each norm, a panel per task.

    Lines are medians over units. The sentence gives means over units and all epochs that they lasted, then
    over tasks.
    """
    arms = [arm for arm in ablation.compared if isinstance(arm.technique, GradientClipping)]
    if not arms:
        return _nothing(GradientClipping)
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
    words = []
    for arm in arms:
        means = [float(np.mean(finite(curves[arm.name, info.name]))) for info in ablation.infos]
        words.append(f"{_share(float(np.mean(finite(np.array(means)))))} with {arm.name}")
    sentence = f"Of all updates, means over tasks, at least one gradient is clipped in {listed(words)}."
    alt = f"Share of clipped updates over epochs, per task: {listed(words)} over the whole training."
    return Finding(figure, alt, sentence)


def flatness(ablation: Ablation) -> Finding | str:
    """Return the rise of the training loss under weight noise, of the baseline and with gradient noise.

    The weights are those of the selected epoch, the noise of every matrix a random direction as long as a
    share of the matrix's norm, the loss that on the training part at inference. Means over draws, then over
    the units in which no run diverged. It is described, not judged. This loads TensorFlow.
    """
    arms = [arm for arm in ablation.compared if isinstance(arm.technique, GradientNoise)]
    if not arms:
        return _nothing(GradientNoise)
    place = SIZES.index(SPOKEN_OF)
    words, pairs = [], 0
    with style():
        figure, axes = panels([info.title for info in ablation.infos], height=3.1)
        for info, ax in zip(ablation.infos, axes, strict=True):
            both = (ablation.control, *arms)
            values = _noisy_losses(ablation, both, info)
            pairs += values.shape[1]
            means = values.mean(axis=1) if values.shape[1] else np.full((len(both), len(SIZES)), np.nan)
            rises = [_rise(arm, mean - mean[0]) for arm, mean in zip(both, means, strict=True)]
            plot_flatness(SIZES, rises, loss=_LOSSES[info.kind], ax=ax)
            told = [
                f"{_signed(rise.loss[place])} from {number(mean[0])} ({rise.label})"
                for rise, mean in zip(rises, means, strict=True)
            ]
            words.append(f"{listed(told)} on {info.title}")
    sentence = (
        f"Weight noise of {100 * SPOKEN_OF:g} % changes the training loss by {'; '.join(words)}: means over {DRAWS} "
        f"draws in each of {pairs} units; described, not judged."
    )
    alt = (
        f"Rise of the training loss over the size of weight noise, from none to {100 * SIZES[-1]:g} % of each matrix's "
        f"norm; at {100 * SPOKEN_OF:g} % it is {'; '.join(words)}."
    )
    return Finding(figure, alt, sentence)


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


def loss_under_noise(probe: Probe, weights: Mapping[str, np.ndarray], part: Part, seed: int) -> np.ndarray:
    """Return the loss on a part at each of `SIZES` of weight noise, means over `DRAWS` directions, (n_sizes,).

    Args:
        probe: The network.
        weights: Its weights by path; matrices get noise, biases do not.
        part: What the loss is taken on.
        seed: The directions are drawn from the child stream ``"flatness"`` of this seed.
    """
    probe.load(weights)
    losses = np.full((DRAWS, len(SIZES)), probe.loss(part))
    rng = generator(seed, "flatness")
    for draw in range(DRAWS):
        directions = {
            path: rng.normal(size=weight.shape)
            for path, weight in sorted(weights.items())
            if weight.ndim == 2
        }
        for place, size in enumerate(SIZES):
            if size:
                probe.load(_moved(weights, directions, size))
                losses[draw, place] = probe.loss(part)
    return losses.mean(axis=0)


def _moved(
    weights: Mapping[str, np.ndarray], directions: Mapping[str, np.ndarray], size: float
) -> dict[str, np.ndarray]:
    """Return weights moved along directions, each matrix by a share `size` of its Frobenius norm."""
    moved = dict(weights)
    for path, direction in directions.items():
        length = size * np.linalg.norm(weights[path]) / np.linalg.norm(direction)
        moved[path] = (weights[path] + length * direction).astype(weights[path].dtype)
    return moved


def _noisy_losses(ablation: Ablation, arms: Sequence[Arm], info: TaskInfo) -> np.ndarray:
    """Return the training loss of each arm in the units without a diverged run, (n_arms, n_units, n_sizes)."""
    from lstmstudy.probing import Probe

    probe = Probe(ablation.control.on(info.name)[0], info)
    rows = []
    units, results = ablation.units(info.name), [ablation.results(arm, info.name) for arm in arms]
    for unit, whole in zip(units, zip(*results, strict=True), strict=True):
        if all(map(_has_weights, whole)):
            train = ablation.plan.tasks[info.name].folds[unit.fold].train
            rows.append([loss_under_noise(probe, result.weights, train, unit.seed) for result in whole])
    return np.swapaxes(np.array(rows).reshape(len(rows), len(arms), len(SIZES)), 0, 1)


def _rise(arm: Arm, loss: np.ndarray) -> Rise:
    technique = arm.technique
    if technique is None:
        return Rise(arm.name, "baseline", None, loss)
    return Rise(arm.name, technique.name, technique.strength, loss)


def _has_weights(result: Result) -> bool:
    return result.diverged is None and bool(result.weights)


def _updates(ablation: Ablation, info: TaskInfo) -> int:
    """Return how many updates the longest training of the control makes on a task."""
    (recipe,) = ablation.control.on(info.name)
    folds = ablation.plan.tasks[info.name].folds
    return recipe.epochs * max(-(-len(fold.train.y) // recipe.batch_size) for fold in folds)


def _gradient_sizes(ablation: Ablation, info: TaskInfo) -> tuple[np.ndarray, np.ndarray]:
    """Return two updates, counted from 1, and the size of the control's gradients there; medians over units."""
    from lstmstudy.probing import Probe

    (recipe,) = ablation.control.on(info.name)
    probe = Probe(recipe, info)
    rows = []
    results, kept = ablation.results(ablation.control, info.name), ablation.kept(ablation.control, info.name)
    for unit, result, epoch in zip(ablation.units(info.name), results, kept, strict=True):
        if not _has_weights(result):
            continue
        train = ablation.plan.tasks[info.name].folds[unit.fold].train
        probe.start(unit.seed)
        sizes = [probe.gradient_size(train, unit.seed)]
        probe.load(result.weights)
        sizes.append(probe.gradient_size(train, unit.seed))
        rows.append([1.0, epoch * -(-len(train.y) // recipe.batch_size), *sizes])
    middle = np.median(rows, axis=0) if rows else np.full(4, np.nan)
    return middle[:2], middle[2:]


def _clipped(ablation: Ablation, arm: Arm, info: TaskInfo) -> np.ndarray:
    """Return the share of clipped updates in percent, (n_units, n_epochs); NaN after a divergence."""
    results = ablation.results(arm, info.name)
    return np.stack(
        [100 * result.curves.get(_CLIPPED, np.full(len(result.curves["loss"]), np.nan)) for result in results]
    )


def _share(percent: float) -> str:
    return f"{percent:.0f} %" if np.isfinite(percent) else "an unknown share (every run diverged)"


def _nothing(technique: type[Technique]) -> str:
    """Return what is said instead where a profile has no arm of a technique."""
    return f"This profile has no arm with {technique.title}."


def _signed(value: float) -> str:
    """Return a difference to two digits with its sign."""
    if not np.isfinite(value):
        return number(value)
    text = np.format_float_positional(value, precision=2, fractional=False, sign=True, trim="-")
    return text.replace("-", "\N{MINUS SIGN}")
