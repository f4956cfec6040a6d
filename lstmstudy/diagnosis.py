"""What the history of anybody's own Keras model says: whether it overfits, since when, how sure, what to try."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from lstmstudy.streams import generator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST, SURE = 5, 0.95  # epochs, and sureness, that a verdict takes
WORTH, HIDDEN = 0.01, 0.05  # of the best error: less is no change; as much must not hide in a settled curve
NEIGHBOURS = 0.3  # correlation of the noise of neighbouring epochs; about .2 in the study's own runs
_WINDOWS, _LONGEST, _DRAWS = 8, 200, 4000  # of a valley; values that it is averaged to; made valleys
_HIGHER = re.compile(
    r"(.*_)?(acc(uracy)?|auc|precision|recall|sensitivity|specificity|f1|(f1|fbeta|r2)_score|r2|io_?u|dice|mcc"
    r"|cosine_similarity|(pearson|concordance)_correlation|true_(positives|negatives))(_\d+)?"
)
Verdict = Literal["overfitting", "still learning", "settled", "diverged", "unclear"]
_ADVICE: dict[str, tuple[str, ...]] = {
    "overfitting": (
        "Keep about epoch {best}: EarlyStopping(monitor={monitor!r}, mode={mode!r}, patience={patience}, restore_best_weights=True) (05_early_stopping).",
        "Dropout on the inputs of the LSTM (01_dropout), or in its recurrence (02_recurrent_variational_dropout).",
        "An L2 penalty, weight decay or fewer units (04_weight_penalties).",
        "More data, or changed copies of what there is (07_augmentation).",
    ),
    "still learning": (
        "More epochs, with early stopping and restore_best_weights to end them (05_early_stopping).",
        "A larger learning rate if it falls too slowly; regularize once validation rises (00_overfitting).",
    ),
    "settled": (
        "Stop here, as more epochs hardly change it (05_early_stopping).",
        "Where the gap to training is wide, dropout (01_dropout) or a penalty (04_weight_penalties).",
        "The mean of several networks (08_ensembles).",
    ),
    "diverged": (
        "A smaller learning rate, gradients clipped by their norm, no missing inputs (06_gradient_noise).",
        "A normalization layer, which keeps activations in range (03_normalization).",
    ),
    "unclear": (
        "The same network with other seeds; trust what most of them say (98_methods).",
        "A larger validation part, or several of them (09_validation_schemes).",
        "A long patience with restore_best_weights, so that one lucky epoch ends nothing (05_early_stopping).",
    ),
}


class Gap(NamedTuple):
    """How much worse validation is than training, at the best epoch and over the last ones."""

    best: float
    end: float


@dataclass(frozen=True)
class Diagnosis:
    """What one training run says; another seed of the same network may look otherwise.

    Training values are those that Keras logs: means over an epoch, while weights change and dropout is on.

    Attributes:
        metric: Its name, without ``val_``.
        verdict: ``"overfitting"``: validation rises after its best, by 1 % or more, the best not among the last.
            ``"diverged"``: training rises at least half as much, too, or a value is not finite. ``"still
            learning"``: validation falls to the end. ``"settled"``: no change of 5 % hides in its noise.
            ``"unclear"``: nothing of this is 95 % sure.
        best_epoch: Epoch with the best validation, from 1; None if none is finite.
        since_epoch: If overfitting or diverged, the first epoch after the best from which on validation is
            worse beyond its noise, or not finite.
        rise: How much worse than at its best validation ends (median of the last tenth of the epochs, three or
            more). Noise alone makes it positive, as the best epoch is the luckiest.
        gap: How much worse validation is than training.
        unit: Of both: ``"percent"``, or ``"points"``, the metric's own unit, for scores and negative values.
        sureness: Of the verdict, in [0, 1]. Overfitting: the share of made histories of noise alone that rise
            less, see `rising`. Still learning: the same of falling in the later half. Settled: the probability
            that normal noise hides no change of 5 %. Not finite: 1. Unclear: that of overfitting, not enough.
        advice: What the study would try next, with the notebook that shows it.
        training, validation: The metric of every epoch, (n_epochs,).
    """

    metric: str
    verdict: Verdict
    best_epoch: int | None
    since_epoch: int | None
    rise: float
    gap: Gap
    unit: Literal["percent", "points"]
    sureness: float
    advice: tuple[str, ...]
    training: tuple[float, ...] = field(repr=False)
    validation: tuple[float, ...] = field(repr=False)

    def _lines(self) -> tuple[str, str, str]:
        numbers = [f"{each:.3g}".replace("-", "\N{MINUS SIGN}") for each in (self.rise, *self.gap)]
        rise, best, end = (f"{each} {'%' if self.unit == 'percent' else 'points'}" for each in numbers)
        text = f"best at epoch {self.best_epoch} (gap to training {best}) and " if self.best_epoch else ""
        text += f"{rise} worse at the end (gap {end})" if self.rise < np.inf else "lost to a value not finite"
        since = f" since epoch {self.since_epoch}" if self.since_epoch else ""
        of = "Sureness that it overfits, not enough:" if self.verdict == "unclear" else "Sureness:"
        sure = np.floor(self.sureness * 1000) / 1000  # rounded down: 1 is kept for what is certain
        return (
            f"{self.verdict.capitalize()}{since}",
            f"val_{' '.join(self.metric.split())} is {text}.",
            f"{of} {sure:g}, from one run; another seed may look otherwise.",
        )

    def __str__(self) -> str:
        verdict, numbers, sureness = self._lines()
        return f"{verdict}: {numbers}\n{sureness}\nNext: {self.advice[0]}"

    def _repr_html_(self) -> str:
        verdict, numbers, sureness = map(escape, self._lines())
        tries = "".join(f"<li>{escape(each)}</li>" for each in self.advice)
        return f"<div><p><strong>{verdict}</strong>: {numbers}<br>{sureness}</p><p>Next:</p><ul>{tries}</ul></div>"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both curves with the best epoch marked, and since when validation is worse.

        ``show_figure(ax.figure, alt=str(diagnosis))`` shows what is returned with its description.
        """
        from lstmstudy.figures import plot_learning_curves, style
        from lstmstudy.figures.colour import BAND
        from lstmstudy.figures.data import keep

        curves = {"train": np.array([self.training]), "validation": np.array([self.validation])}
        best = [self.best_epoch] if self.best_epoch else None
        ax = plot_learning_curves(curves, metric=" ".join(self.metric.split()), selected=best, ax=ax)
        with style():
            ax.set_title(self._lines()[0])
        if self.since_epoch:
            ax.axvspan(self.since_epoch - 0.5, ax.get_xlim()[1], color=BAND, alpha=0.16, lw=0, zorder=0)
            keep(ax, [{"curve": "worse since", "epoch": self.since_epoch}])
        return ax


def diagnose(history: Any, *, metric: str | None = None, higher_is_better: bool | None = None) -> Diagnosis:
    """Return whether a training run overfits, since which epoch, how sure that is, and what to try.

    Args:
        history: What ``model.fit`` returned, or its ``history``: by name, a value per epoch, (n_epochs,).
        metric: Its name; else the first that is logged with and without ``val_``, and a loss only if there is
            no other, as ``val_loss`` contains penalties.
        higher_is_better: Whether the metric is a score; if None, so are accuracy, AUC and the like.

    Raises:
        TypeError: If `history` is no history.
        ValueError: If a series is missing, no numbers or of another length, or five epochs are not reached.

    Example:
        diagnose(model.fit(x, y, validation_data=(x_new, y_new), epochs=50))
    """
    logs = getattr(history, "history", history)
    if not isinstance(logs, Mapping):
        raise TypeError(f"Expected what `model.fit` returns, or its `history`. Received: {history=!r:.100}")
    pairs = [name for name in logs if isinstance(name, str) and f"val_{name}" in logs]
    if not pairs:
        raise ValueError(f"No `val_` series: pass `validation_data` to `fit`. Received: history={[*logs]}")
    name = str(metric or min(pairs, key=lambda name: name.endswith("loss"))).removeprefix("val_")
    if name not in pairs:
        raise ValueError(f"Expected one of: {', '.join(pairs)}. Received: {metric=}")
    training, validation = _series(logs, name), _series(logs, f"val_{name}")
    if (epochs := len(training)) != len(validation):
        got = f"{name}={epochs} values, val_{name}={len(validation)} values"
        raise ValueError(f"Expected both for each epoch (`validation_freq=1`). Received: {got}")
    others = (_series(logs, loss) for loss in ("loss", "val_loss") if loss in logs)
    known = [training, validation, *(each for each in others if len(each) == epochs)]
    finite = np.asarray(np.isfinite(known).all(axis=0))
    if epochs < LEAST and finite.all():
        raise ValueError(f"It takes {LEAST} epochs to tell a trend from noise. Received: {epochs=}")
    higher = bool(_HIGHER.fullmatch(name.lower())) if higher_is_better is None else higher_is_better
    return _read(name, np.stack([training, validation]), finite, higher=higher)


def _series(logs: Mapping[str, object], name: str) -> np.ndarray:
    try:
        series = np.array(logs[name], dtype=np.float64)
    except (TypeError, ValueError):
        series = np.empty(0)
    if series.ndim != 1 or not series.size:
        raise ValueError(f"A series has a number for each epoch. Received: {name}={logs[name]!r:.100}")
    return series


def _read(name: str, logged: np.ndarray, finite: np.ndarray, *, higher: bool) -> Diagnosis:
    """Return the diagnosis of training and validation, (2, n_epochs); `finite` says where all that is logged is."""
    epochs, last = len(finite), max(3, -(-len(finite) // 10))
    known = epochs if finite.all() else int(np.argmin(finite))
    training, validation = values = logged[:, :known]
    best = int(np.argmin(-validation if higher else validation)) if known else -1
    percent = not higher and known > 0 and values.min() > 0

    def worse(value: float, than: float) -> float:
        return float(100 * (value / than - 1) if percent else than - value if higher else value - than)

    verdict: Verdict = "diverged"
    sureness, since, rise, end = 1.0, known, np.inf, np.nan
    if known == epochs:
        late = validation[max(best + 1, epochs - last) :]
        rise = worse(np.median(late), validation[best]) if late.size else 0.0
        end = worse(np.median(validation[-last:]), np.median(training[-last:]))
        errors = values if not higher else 1 - values if values.max() <= 1 else -values
        verdict, sureness, since = _judged(errors / (np.abs(errors).max() or 1.0), best, last)
    stop = {"monitor": f"val_{name}", "mode": "max" if higher else "min", "patience": max(5, last)}
    advice = tuple(each.format(best=best + 1, **stop) for each in _ADVICE[verdict])
    when, curves = (best + 1 or None, since + 1 or None), (tuple(each.tolist()) for each in logged)
    gap = Gap(worse(validation[best], training[best]) if known else np.nan, end)
    unit: Literal["percent", "points"] = "percent" if percent else "points"
    return Diagnosis(name, verdict, *when, rise, gap, unit, sureness, advice, *curves)


def _judged(errors: np.ndarray, best: int, last: int) -> tuple[Verdict, float, int]:
    """Return the verdict on errors of training and validation, (2, n_epochs), its sureness, and since when or -1."""
    train, own = errors
    scale = (own.min() if own.min() > 0 else np.ptp(own)) or 1.0
    rise, (sureness, since) = np.median(own[-last:]) - own[best], rising(own, last)
    if sureness >= SURE and rise >= WORTH * scale and best < len(own) - last:
        near = train[max(0, best - last // 2) : best + last // 2 + 1]
        heats = np.median(train[-last:]) - np.median(near) >= rise / 2
        return "diverged" if heats else "overfitting", sureness, since
    half = own[-max(8, len(own) // 2) :]
    means = _means(half, width := -(-len(half) // _WINDOWS))
    fall, (falls, _) = means.max() - means[-1], rising(-half, last)
    if falls >= SURE and fall >= WORTH * scale:
        return "still learning", falls, -1
    change = max(fall, means[-1] - _means(own, width).min())
    noise = max(float(_noise(means, width)) * 2**0.5, 1e-300)
    settled = NormalDist(change, noise).cdf(HIDDEN * scale)
    return ("settled", settled, -1) if settled >= SURE else ("unclear", sureness, -1)


def rising(errors: np.ndarray, last: int) -> tuple[float, int]:
    """Return how sure it is that errors, (n_epochs,), rise to their end, and the epoch (from 0) since when.

    Only the valley counts: all from the first epoch that is as good as the median of the `last` ones. Its lowest
    window, an eighth of it long, is compared with the mean of its last one, two and four windows; the largest
    difference counts, over the noise of a window's mean. That is told from how far windows lie from the middle of
    those before and after, so a steady trend is none. Sureness is the share of some 2000 made valleys of normal
    noise around a constant, neighbours correlated by .3, in which that is smaller; so a lucky best epoch is
    allowed for. Noise that wanders for longer, or is loudest at first, is taken for a rise more often.

    Since when: the first epoch after the best whose window, and all later ones, lie above the lowest by twice the
    standard deviation of a difference, told from how far an epoch lies from the middle of its neighbours.
    """
    start = int(np.argmax(errors <= np.median(errors[-last:])))
    every = -(-(len(errors) - start) // _LONGEST)
    start += (len(errors) - start) % every
    valley = errors[start:].reshape(-1, every).mean(axis=1)
    if len(valley) < LEAST:
        return 0.0, -1
    alone, width = _alone(len(valley), -(-last // every)), every * -(-len(valley) // _WINDOWS)
    sureness = 1 - (1 + np.sum(alone >= _height(valley))) / (1 + len(alone))
    means, middle = _means(errors, width), (errors[start:-2] + errors[start + 2 :]) / 2
    # of a difference of two means, where neighbours correlate by .3
    noise = 2.9 / width**0.5 * np.median(np.abs(errors[start + 1 : -1] - middle))
    low = int(np.flatnonzero(means <= means.min() + 2 * noise)[-1])
    return float(sureness), max(int(np.argmin(errors)), min(low, len(means) - 2)) + 1


@functools.lru_cache(maxsize=256)
def _alone(length: int, last: int) -> np.ndarray:
    """Return the heights of made valleys of noise alone, which begin as good as they end."""
    noise = generator(0, f"diagnosis/{length}/{last}").normal(size=(_DRAWS, length))
    for epoch in range(1, length):
        noise[:, epoch] = NEIGHBOURS * noise[:, epoch - 1] + np.sqrt(1 - NEIGHBOURS**2) * noise[:, epoch]
    return _height(noise[noise[:, 0] <= np.median(noise[:, -last:], axis=1)])


def _height(errors: np.ndarray) -> np.ndarray:
    """Return how far the end lies above the lowest window before it, in units of noise, of (..., n_epochs)."""
    length = errors.shape[-1]
    width = -(-length // _WINDOWS)
    means, heights = _means(errors, width), []
    for many in (1, 2, 4):
        end, low = errors[..., length - many * width :], means[..., : length - (many + 1) * width + 1]
        if low.shape[-1]:
            heights.append((end.mean(axis=-1) - low.min(axis=-1)) / np.sqrt(1 + 1 / many))
    noise = np.maximum(_noise(means, width), 1e-9 * np.ptp(errors, axis=-1))
    return np.max(heights, axis=0) / np.maximum(noise, 1e-300)


def _means(errors: np.ndarray, width: int) -> np.ndarray:
    """Return the means of all windows, (..., n_epochs - width + 1)."""
    return np.lib.stride_tricks.sliding_window_view(errors, width, axis=-1).mean(axis=-1)


def _noise(means: np.ndarray, width: int) -> np.ndarray:
    """Return the standard deviation of means of windows, (...), from how far they lie from those beside them."""
    apart = means[..., width:-width] - (means[..., : -2 * width] + means[..., 2 * width :]) / 2
    return np.sqrt((apart**2).mean(axis=-1) / 1.5)
