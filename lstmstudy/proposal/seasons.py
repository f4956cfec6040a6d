"""What a series is like: its season, and whether its level goes where training has never been."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.data.folds import rolling_origins

if TYPE_CHECKING:
    import numpy.typing as npt

_OF_UNIT = {  # unit of a step -> lengths of the seasons that a clock or a calendar has, in these units
    "second": (60, 3600),
    "minute": (60, 1440),
    "hour": (24, 168),
    "day": (7, 365),
    "month": (12,),
}
_WEEKS = 52  # in a year
_ALPHA = 0.05  # of the band of autocorrelations without a season
_SEASONS = 3  # of a series, to tell a season at all
_LONGEST = 400  # lags in which an unknown season is looked for
_CLEARLY = 0.1  # by which a longer season must be stronger than a shorter one
_OUTSIDE = 0.1  # share of test values beyond those of the training part
_FAR = 0.5  # the same, that needs no further evidence


class Season(NamedTuple):
    """Steps of a season, the autocorrelation of the series at that lag, and the steps of a shorter season in it."""

    period: int
    correlation: float
    inner: int


class Drift(NamedTuple):
    """Which share of the test values lies beyond all values of their training part, and the p of a unit root if many do."""

    outside: float
    p: float

    @property
    def differenced(self) -> bool:
        """Whether changes should be modelled: the level goes where training has never been, and wanders there."""
        return self.outside > _FAR or (self.outside > _OUTSIDE and self.p > 0.05)


def periods_of(step: str) -> tuple[int, ...]:
    """Return the seasons that are usual at a step, in steps.

    Args:
        step: As `lstmstudy.data.own.spacing.step_of` names it, such as ``"15 minutes"``.
    """
    number, _, unit = step.partition(" ")
    unit = unit.removesuffix("s")
    if not unit:
        return ()
    count = float(number)
    if unit == "day" and count == 7:
        return (_WEEKS,)
    lengths = _OF_UNIT.get(unit, ())
    if unit == "minute" and count < 60:
        lengths = (1440, 10_080) if count > 1 else lengths
    return tuple(int(each / count) for each in lengths if each % count == 0 and each > count)


def season_of(values: npt.NDArray[np.float64], periods: tuple[int, ...]) -> Season | None:
    """Return the season of a modelled series, or None if there is none above noise.

    A season is a lag at which the autocorrelation lies above its band (Bartlett, 95 % for all lags that are looked at), and above that at half
    the lag by as much: a level that fades slowly is none. Of the usual periods the shortest is taken, unless a
    longer one is clearly stronger; where there are none, the highest peak.

    Args:
        values: Floats (n,), without NaN.
        periods: The usual seasons in steps; () where nobody knows.
    """
    from statsmodels.tsa.stattools import acf

    line = np.polynomial.Polynomial.fit(np.arange(len(values)), values, 1)
    rest = values - line(np.arange(len(values)))
    most = len(values) // _SEASONS
    if most < 2 or np.ptp(rest) == 0:
        return None
    lags = min(most, max(periods, default=_LONGEST))
    alpha = _ALPHA if periods else _ALPHA / lags  # among all lags some would exceed the band by chance
    known, interval = acf(rest, nlags=lags, alpha=alpha, fft=True, result_object=False)
    width = interval[:, 1] - known

    def clear(lag: int) -> bool:
        return bool(known[lag] > width[lag] and known[lag] - known[lag // 2] > width[lag])

    if not periods:
        inner = range(2, lags)
        peaks = [lag for lag in inner if known[lag] >= max(known[lag - 1], known[lag + 1]) and clear(lag)]
        best = max(peaks, key=lambda lag: known[lag], default=None)
        return None if best is None else Season(best, float(known[best]), best)
    found = [period for period in sorted(periods) if period <= lags and clear(period)]
    if not found:
        return None
    chosen = found[0]
    for period in found[1:]:
        if known[period] > known[chosen] + _CLEARLY:
            chosen = period
    return Season(chosen, float(known[chosen]), found[0])


def drift_of(values: npt.NDArray[np.float64], folds: int) -> Drift:
    """Return how far the test parts of a series lie beyond its training parts.

    Args:
        values: Floats (n,), without NaN.
        folds: Number of rolling origins.
    """
    outside = []
    for bounds in rolling_origins(len(values), folds):
        learned, test = values[: bounds.validation], values[bounds.test : bounds.stop]
        if learned.size and test.size:
            outside.append(np.mean((test > learned.max()) | (test < learned.min())))
    share = float(np.mean(outside)) if outside else 0.0
    return Drift(share, _unit_root(values) if share > _OUTSIDE else 0.0)


def _unit_root(values: npt.NDArray[np.float64]) -> float:
    """Return the p of the augmented Dickey-Fuller test; 1 where the series is too short for it."""
    from statsmodels.tsa.stattools import adfuller

    lags = int(np.cbrt(len(values) - 1))  # as is usual where no criterion chooses them, which takes long
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a level that rests for long leaves its regression undetermined
        try:
            return float(adfuller(values, maxlag=lags, autolag=None, result_object=False)[1])
        except ValueError:
            return 1.0
