"""How flat the minima are that training finds: the loss under noise on the weights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import panels, style
from lstmstudy.figures.gradients import Rise, plot_flatness
from lstmstudy.findings.finding import Finding, listed, number
from lstmstudy.findings.gradients import nothing
from lstmstudy.findings.titles import fitting, some
from lstmstudy.store.numbers import taken
from lstmstudy.streams import generator
from lstmstudy.techniques import GradientNoise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.data import Part, TaskInfo
    from lstmstudy.study.ablation import Ablation
    from lstmstudy.training.probing import Probe

SIZES = (0.0, 0.02, 0.05, 0.1)  # of weight noise, as shares of each matrix's norm; first comes none
SPOKEN_OF = 0.05  # the size in the sentence
DRAWS = 5  # directions of weight noise for every unit, the same ones for all arms
_LOSSES = {"forecasting": "squared error, training variances", "classification": "cross-entropy, nats"}


def flatness(ablation: Ablation) -> Finding | str:
    """Return the rise of the training loss under weight noise, of the baseline and with gradient noise.

    The weights are those of the selected epoch, the noise of every matrix a random direction as long as a
    share of the matrix's norm, the loss that on the training part at inference. Means over draws, then over
    the units in which no run diverged. It is described, not judged. The title tells how often the rise is
    less than the baseline's, and the loss that it starts from higher. This loads TensorFlow.
    """
    arms = [arm for arm in ablation.compared if isinstance(arm.technique, GradientNoise)]
    if not arms:
        return nothing(GradientNoise)
    place = SIZES.index(SPOKEN_OF)
    words, brief, less, above, pairs = [], [], [], [], 0
    with style():
        figure, axes = panels([info.title for info in ablation.infos], height=3.1)
        for info, ax in zip(ablation.infos, axes, strict=True):
            both = (ablation.control, *arms)
            values = _noisy_losses(ablation, both, info)
            pairs += values.shape[1]
            means = values.mean(axis=1) if values.shape[1] else np.full((len(both), len(SIZES)), np.nan)
            rises = [_rise(arm, mean - mean[0]) for arm, mean in zip(both, means, strict=True)]
            if values.shape[1]:
                less += [rise.loss[place] < rises[0].loss[place] for rise in rises[1:]]
                above += [mean[0] > means[0, 0] for mean in means[1:]]
            plot_flatness(SIZES, rises, loss=_LOSSES[info.kind], ax=ax)
            told = [
                f"{_signed(rise.loss[place])} from {number(mean[0])} ({rise.label})"
                for rise, mean in zip(rises, means, strict=True)
            ]
            words.append(f"{listed(told)} on {info.title}")
            brief.append(
                f"{listed([*told[:2], *told[2:][-1:]])} on {info.title}"
            )  # weakest and strongest noise
    sentence = (
        f"Weight noise of {100 * SPOKEN_OF:g} % changes the training loss by {'; '.join(brief)}: means over {DRAWS} "
        f"draws in each of {pairs} units; described, not judged. A case is a strength on a task."
    )
    alt = (
        f"Rise of the training loss over the size of weight noise, from none to {100 * SIZES[-1]:g} % of each matrix's "
        f"norm; at {100 * SPOKEN_OF:g} % it is {'; '.join(words)}."
    )
    return Finding(figure, alt, _flatter(less, above), sentence)


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
    from lstmstudy.training.probing import Probe

    probe = Probe(ablation.control.on(info.name)[0], info)
    rows = []
    units, outcomes = ablation.units(info.name), [ablation.outcomes(arm, info.name) for arm in arms]
    for unit, whole in zip(units, zip(*outcomes, strict=True), strict=True):
        if all(outcome.result.diverged is None for outcome in whole):
            train = ablation.plan.tasks[info.name].folds[unit.fold].train
            rows.append(
                [
                    taken(
                        f"losses, weight noise {SIZES}, {DRAWS} draws",
                        [outcome],
                        partial(loss_under_noise, probe, outcome.result.weights, train, unit.seed),
                    )
                    for outcome in whole
                ]
            )
    return np.swapaxes(np.array(rows).reshape(len(rows), len(arms), len(SIZES)), 0, 1)


def _flatter(less: Sequence[bool], above: Sequence[bool]) -> str:
    """Return in how many cases the loss rises less than the baseline's, and in how many from a higher loss."""
    if not less:
        return "How flat minima are is unknown, as runs of every unit diverged"
    cases = some(sum(less), len(less), "cases")
    return fitting(
        f"Under weight noise the loss rises less with gradient noise in {cases}, from a higher loss in {sum(above)}"
    )


def _rise(arm: Arm, loss: np.ndarray) -> Rise:
    technique = arm.technique
    if technique is None:
        return Rise(arm.name, "baseline", None, loss)
    return Rise(arm.name, technique.name, technique.strength, loss)


def _signed(value: float) -> str:
    """Return a difference to two digits with its sign."""
    if not np.isfinite(value):
        return number(value)
    text = np.format_float_positional(value, precision=2, fractional=False, sign=True, trim="-")
    return text.replace("-", "\N{MINUS SIGN}")
