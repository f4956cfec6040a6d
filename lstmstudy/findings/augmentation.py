"""What augmentations do to a real sequence, and which of them make sense on which task."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.data import CATALOG
from lstmstudy.figures import panels, style, table
from lstmstudy.figures.examples import plot_example
from lstmstudy.findings.finding import Finding, listed
from lstmstudy.findings.titles import digits, fitting
from lstmstudy.streams import integer_seed
from lstmstudy.techniques import TECHNIQUES, Technique

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.data import Part, TaskInfo
    from lstmstudy.study.study import Study

AUGMENTATIONS = tuple(
    name for name, technique in TECHNIQUES.items() if technique.on_batch is not Technique.on_batch
)
_DRAWS = 3  # more lines would hide each other
_SAMPLES = 32  # a batch: mixup takes its partners from it


def augmented_examples(study: Study, task: str) -> Finding:
    """Return one training sequence as each augmentation that fits a task changes it, a panel for each.

    Strengths are the middle ones of the grids; drawn is the channel that varies most, of a forecast with
    the target as its last step. Title and sentence say how far each moves the values of a batch of training
    sequences. This loads TensorFlow.
    """
    info = CATALOG[task]
    batch = _batch(study.fold(task).train, info)
    settings = [technique for technique in _middles(study) if not technique.unfit(info)]
    length = int(batch.counting[0].sum())
    original = batch.series[0, :length]
    channel = int(np.argmax(original.std(axis=0)))
    moved = {}
    with style():
        figure, axes = panels([technique.label for technique in settings], height=2.2)
        for technique, ax in zip(settings, axes, strict=True):
            draws = _draws(technique, batch)
            apart = np.stack([draw - batch.series for draw in draws])[:, batch.counting]
            moved[technique.label] = float(np.sqrt(np.mean(np.square(apart))))
            shown = [draw[0, :length, channel] for draw in draws]
            plot_example(original[:, channel], shown, technique=technique.name, ax=ax)
        axes[0].legend(frameon=False, fontsize="small")
    ranked = [f"{label} ({moved[label]:.2g})" for label in sorted(moved, key=lambda label: moved[label])]
    sentence = (
        f"How far a value moves, over {len(batch.series)} training sequences of {info.title} (root mean square, in "
        f"standard deviations of the data), from the mildest to the strongest: {listed(ranked)}."
    )
    alt = (
        f"A training sequence of {info.title} with {length} steps in grey, and over it {_DRAWS} draws of each of "
        f"{len(settings)} augmentations: {listed([technique.label for technique in settings])}."
    )
    return Finding(figure, alt, _title(moved), sentence)


def _title(moved: Mapping[str, float]) -> str:
    """Return which augmentation moves values least and which most, in standard deviations."""
    least, most = (end(moved, key=lambda label: moved[label]) for end in (min, max))
    if least == most:
        return fitting(f"{most} moves values by {digits(moved[most])} standard deviations")
    return fitting(
        f"{least} moves values least, by {digits(moved[least])} standard deviations, {most} most, by {digits(moved[most])}",
        f"Values move by {digits(moved[least])} to {digits(moved[most])} standard deviations, most with {most}",
    )


def fitness_table(study: Study) -> str:
    """Show which augmentation makes sense on which task of the study, and why not; return a sentence."""
    import pandas as pd

    rows, unfit = [], []
    for technique in _middles(study):
        reasons = {info.title: technique.unfit(info) for info in study.tasks}
        against = [title for title, reason in reasons.items() if reason]
        rows.append(
            {
                "augmentation": technique.title,
                **{title: "unfit" if reason else "fits" for title, reason in reasons.items()},
                "why not": " ".join(dict.fromkeys(reasons[title] for title in against)),
            }
        )
        if against:
            unfit.append(f"{technique.title} on {listed(against)}")
    table(pd.DataFrame(rows), caption="Where each augmentation makes sense; it is trained nowhere else")
    if not unfit:
        return f"All {len(rows)} augmentations make sense on every task."
    return f"Of {len(rows)} augmentations, these make no sense somewhere: {listed(unfit)}."


class _Batch(NamedTuple):
    """Inputs and targets (labels one-hot), which steps count; and of both, as one series, the same."""

    x: np.ndarray
    y: np.ndarray
    mask: np.ndarray
    series: np.ndarray
    counting: np.ndarray

    @property
    def forecasts(self) -> bool:
        """Whether the targets are the last step of the series."""
        return self.series.shape != self.x.shape


def _middles(study: Study) -> list[Technique]:
    """Return each augmentation that the profile has, at the middle strength of its grid, the lower one of two."""
    grids = ([arm.technique for arm in study.arms(name) if arm.technique] for name in AUGMENTATIONS)
    return [_middle(grid) for grid in grids if grid]


def _middle(techniques: Sequence[Technique]) -> Technique:
    ordered = sorted(techniques, key=lambda technique: technique.strength)
    return ordered[(len(ordered) - 1) // 2]


def _batch(part: Part, info: TaskInfo) -> _Batch:
    """Return the first training samples of a part."""
    x, y = part.x[:_SAMPLES], part.y[:_SAMPLES]
    mask = np.arange(info.window) < part.lengths[:_SAMPLES, None]
    if info.kind == "classification":
        return _Batch(x, np.eye(info.n_outputs, dtype=np.float32)[y], mask, x, mask)
    series = np.concatenate([x, y[:, None]], axis=1)
    return _Batch(x, y, mask, series, np.ones(series.shape[:2], bool))


def _draws(technique: Technique, batch: _Batch) -> list[np.ndarray]:
    """Return what several draws of an augmentation make of the series of a batch, the same every time."""
    layer = technique.on_batch(technique.name)
    if layer is None:
        raise ValueError(f"Only augmentations change a batch. Received: technique={technique.name!r}")
    layer.stream.state.assign([integer_seed(0, f"examples/{technique.name}"), 0])
    draws = []
    for _ in range(_DRAWS):
        if batch.forecasts:
            x, y = layer.joined(batch.x, batch.y)
            draws.append(np.concatenate([x, y[:, None]], axis=1))
        else:
            draws.append(np.asarray(layer.batch(batch.x, batch.y, batch.mask)[0]))
    return draws
