"""Simple methods that every network must be judged beside; each learns from the training part only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import metrics
from lstmstudy.data.windows import cut_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lstmstudy.data.task import Fold, Part, TaskInfo

    _Forecasts = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]]

MOST_STEPS = 1000  # of the solver of the logistic regression; it needs about a hundred


def naive(
    series: npt.NDArray[np.float64], targets: npt.NDArray[np.int64], horizon: int = 1
) -> npt.NDArray[np.float64]:
    """Return the last known value, `horizon` steps before each target, shape (n_targets,)."""
    return series[targets - horizon]


def seasonal_naive(
    series: npt.NDArray[np.float64], targets: npt.NDArray[np.int64], period: int, horizon: int = 1
) -> npt.NDArray[np.float64]:
    """Return the value one period before each target (as many periods as the horizon asks for)."""
    return series[targets - period * -(-horizon // period)]


def autoregression(
    series: npt.NDArray[np.float64],
    targets: npt.NDArray[np.int64],
    order: int,
    fit_stop: int,
    horizon: int = 1,
    *,
    fitted: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the forecasts of an AR(order) with intercept, by ordinary least squares.

    Beyond one step the target is regressed on the lags directly, nothing is iterated.

    Args:
        series: Floats (n,), without gaps.
        targets: Positions to forecast from the true past.
        order: Number of lags.
        fit_stop: Fitted on targets before this position; nothing later is read.
        horizon: Steps from the newest lag to the target.
        fitted: Only on these targets, such as those whose lags lie in a series of their own; all if None.

    Returns:
        Floats (n_targets,), in the unit of the series.
    """
    from statsmodels.regression.linear_model import OLS

    def design(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        lags = cut_windows(series, positions, order, horizon)[:, :, 0]
        return np.column_stack([np.ones(positions.size), lags])

    known = np.arange(order + horizon - 1, fit_stop) if fitted is None else fitted
    model = OLS(series[known], design(known)).fit()
    return np.asarray(model.predict(design(targets)), dtype=np.float64)


def majority_class(train_labels: npt.NDArray[np.int32], n: int, n_classes: int) -> npt.NDArray[np.float64]:
    """Return the class frequencies of the training part `n` times: the best forecast that sees no input.

    Its error rate is that of always naming the most frequent class. Shape (n, n_classes).
    """
    shares = np.bincount(train_labels, minlength=n_classes) / train_labels.size
    return np.tile(shares, (n, 1))


def logistic_regression(
    train_x: npt.NDArray[np.floating],
    train_labels: npt.NDArray[np.int32],
    test_x: npt.NDArray[np.floating],
    n_classes: int,
) -> npt.NDArray[np.float64]:
    """Return the class probabilities of a multinomial logistic regression on flattened inputs.

    Scikit-learn's default penalty; classes that the training part lacks get probability 0.

    Args:
        train_x: Floats (n_train, ...), any shape after the first axis, zero padded where shorter.
        train_labels: Integers (n_train,).
        test_x: Floats (n, ...).
        n_classes: Columns of the result.

    Returns:
        Floats (n, n_classes).
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=MOST_STEPS)
    model.fit(np.asarray(train_x, dtype=np.float64).reshape(len(train_x), -1), train_labels)
    probabilities = np.zeros((len(test_x), n_classes))
    flat = np.asarray(test_x, dtype=np.float64).reshape(len(test_x), -1)
    probabilities[:, model.classes_] = model.predict_proba(flat)
    return probabilities


def _scores(
    predictions: npt.NDArray[np.float64],
    truth: npt.NDArray[np.float32] | npt.NDArray[np.int32],
    measures: tuple[Callable[[npt.ArrayLike, npt.ArrayLike], float], ...],
) -> dict[str, float]:
    return {measure.__name__: measure(predictions, truth) for measure in measures}


def forecasting_references(
    series: npt.NDArray[np.float64], fold: Fold, info: TaskInfo, *, several: bool = False
) -> dict[str, dict[str, float]]:
    """Return RMSE and MAE on the fold's test part, in standardised units, of naive, seasonal and AR.

    Only the last learns something, so that only it has errors on the training part, such as ``"train rmse"``.

    For a differenced series "naive" is zero change: the same forecast as the last value of the level. A task
    without a season, or whose season is longer than what a forecast sees of several series, has no seasonal one.

    Args:
        series: The modelled series (n,) that the fold was cut from; several of them end to end. Gaps that the
            networks skip are filled from the past; the regression is fitted on the samples of the training part.
        fold: The fold.
        info: For horizon, period and order.
        several: Whether there are several: then nothing reaches back further than the window of a target.
    """
    horizon, train = info.horizon, fold.train.indices
    fit_stop, fitted = int(train[-1]) + 1, train if several or info.variable_length else None
    reach = info.window + horizon - 1
    seasonal = info.period > 0 and (not several or info.period * -(-horizon // info.period) <= reach)

    def naive_of(targets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.zeros(targets.size) if info.differenced else naive(series, targets, horizon)

    methods: dict[str, _Forecasts] = {"naive": naive_of}
    if seasonal:
        methods["seasonal naive"] = lambda targets: seasonal_naive(series, targets, info.period, horizon)
    methods[f"AR({info.ar_order})"] = lambda targets: autoregression(
        series, targets, info.ar_order, fit_stop, horizon, fitted=fitted
    )

    def scores(method: _Forecasts, part: Part) -> dict[str, float]:
        standardised = (method(part.indices) - fold.center) / fold.scale
        return _scores(standardised[:, None], part.y, (metrics.rmse, metrics.mae))

    found = {name: scores(method, fold.test) for name, method in methods.items()}
    linear, method = list(methods.items())[-1]
    found[linear] |= _of_training(scores(method, fold.train))
    return found


def classification_references(fold: Fold, n_classes: int) -> dict[str, dict[str, float]]:
    """Return cross-entropy and error rate on the fold's test part of the two simple classifiers.

    The regression has them on the training part too, such as ``"train cross_entropy"``.
    """
    train, test = fold.train, fold.test
    labels, measures = train.y.astype(np.int32), (metrics.cross_entropy, metrics.error_rate)
    fitted = logistic_regression(train.x, labels, np.concatenate([train.x, test.x]), n_classes)
    return {
        "majority class": _scores(majority_class(labels, len(test.y), n_classes), test.y, measures),
        "logistic regression": _scores(fitted[len(labels) :], test.y, measures)
        | _of_training(_scores(fitted[: len(labels)], labels, measures)),
    }


def _of_training(scores: dict[str, float]) -> dict[str, float]:
    """Return scores on the training part under names of their own, such as ``"train rmse"``."""
    return {f"train {name}": value for name, value in scores.items()}
