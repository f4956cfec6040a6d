"""What is said of validation schemes follows from the outcomes of their splits."""

from __future__ import annotations

import dataclasses
import functools
import json
import re

import numpy as np
import pytest
from engine import RECIPE, made_outcome, made_result, train_afresh
from scipy.stats import chi2
from statsmodels.api import OLS, add_constant

from lstmstudy import paths
from lstmstudy.arms import Arm, Unit
from lstmstudy.data import CATALOG, open_task
from lstmstudy.data.build import scheme_series
from lstmstudy.data.schemes import FINAL, FOLDS, SCHEMES, development, place_of, scheme_folds, splits
from lstmstudy.figures import validation as figures
from lstmstudy.findings import validation
from lstmstudy.params.design import load_design
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.study.ablation import Ablation
from lstmstudy.training.program import limit_threads

limit_threads()

MADE = ("stationary_series", "changing_series")
TASKS = (*MADE, "sunspots_schemes")
FORETOLD = {"rolling": 3.0, "expanding": 2.0, "blocked": 2.5, "k-fold": 1.0, "holdout": 4.0}  # the future: 2
_task = functools.cache(open_task)


class Plan:
    """The part of a plan that findings read: opened tasks and units, every fold of the first two series."""

    tasks = property(lambda _: {name: _task(name) for name in TASKS})

    def units(self, task, n, first_seed=0):
        """Return every fold of the first realizations, each with the number of its realization as seed."""
        n = min(n, CATALOG[task].realizations)
        return tuple(Unit(task, fold, first_seed + place_of(fold).realization) for fold in range(n * FOLDS))

    def run(self, recipe, unit):
        """Return what stands for a run."""
        return unit


def outcome(unit, foretold=FORETOLD, diverged=()):
    """Return a made outcome whose last error, in the unit of the series, is what the scheme foretells.

    Epochs before the last are better and errors on the other part are 9, so that another reading or part
    would be found out. Residuals are the position of the target.
    """
    fold, place = _task(unit.task).folds[unit.fold], place_of(unit.fold)
    held_out, future = (9.0, 2.0) if place.scheme == FINAL else (foretold[place.scheme], 9.0)
    curves = [np.array([0.1, 0.2, error]) / fold.scale for error in (held_out, future)]
    result = made_result(*curves, diverged="loss nan" if unit in diverged else None)
    targets = fold.validation
    predicted = targets.y + targets.indices[:, None] / fold.scale
    predictions = {"validation": np.stack([np.zeros_like(predicted), predicted])}
    return made_outcome("", dataclasses.replace(result, predictions=predictions))


def ablation(outcome=outcome, tasks=TASKS, units=2):
    """Return the outcomes of one arm."""
    return Ablation(Plan(), outcome, (Arm("network", RECIPE, "last", tasks=tasks, units=units),))


@pytest.mark.parametrize("task", TASKS)
def test_an_estimate_is_in_the_unit_of_the_series(task):
    """Each split has a scaler of its own; what comes out is the error before scaling, at the last epoch."""
    found = validation.estimates(ablation(), task)
    n = min(2, CATALOG[task].realizations)
    assert set(found) == {*SCHEMES, FINAL}
    for scheme, expected in {**FORETOLD, FINAL: 2.0}.items():
        np.testing.assert_allclose(found[scheme], np.full(n, expected))


def test_splits_are_pooled_by_their_size():
    """The estimate is the RMSE over all held-out targets, and not a mean of the splits' RMSEs."""
    assert validation.pooled([(1.0, 10), (2.0, 30)]) == pytest.approx(np.sqrt((10 * 1 + 30 * 4) / 40))
    folds = _task("sunspots_schemes").folds
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(len(folds[fold].validation.y), 1)) for fold in range(10, 15)]
    assert len({len(block) for block in blocks}) == 2  # not all of one size
    parts = [(float(np.sqrt(np.mean(block**2))), len(block)) for block in blocks]
    whole = np.concatenate(blocks)
    assert validation.pooled(parts) == pytest.approx(np.sqrt(np.mean(whole**2)))


def test_a_realization_that_is_not_whole_is_left_out():
    """One missing or diverged split takes its realization away, and no other."""
    lost = Unit("stationary_series", FOLDS + 3, 1)

    def with_a_gap(unit):
        if unit == lost:
            raise MissingRunsError("not there")
        return outcome(unit)

    for broken in (with_a_gap, functools.partial(outcome, diverged=[lost])):
        found = validation.estimates(ablation(broken), "stationary_series")
        assert {len(values) for values in found.values()} == {1}
    both = [lost, Unit("stationary_series", 0, 0)]
    with pytest.raises(MissingRunsError, match="Received: task='stationary_series'"):
        validation.estimates(ablation(functools.partial(outcome, diverged=both)), "stationary_series")


def test_bias_has_a_sign_and_a_miss_has_none():
    """Half in every other realization and twice in the rest: no bias on average, and a miss by a factor of 2 each."""

    def turning(unit):
        factor = 0.5 if unit.seed % 2 else 2.0
        return outcome(unit, dict.fromkeys(SCHEMES, 2.0 * factor))

    made = ablation(turning, MADE, units=6)
    bias, miss = validation.estimate_bias(made), validation.estimate_errors(made)
    assert "Stationary series (6 realizations): rolling +0.0 %" in bias.sentence
    assert bias.title == "With no scheme the estimate is clearly too low"
    assert re.search(r"rolling \N{MINUS SIGN}\d\d\.\d % to \+\d\d\.\d %", bias.alt)
    few = validation.estimate_bias(ablation(turning, MADE, units=2))
    assert "rolling too few realizations for one" in few.alt
    assert "Series with a unit root (6 realizations): rolling 100.0 %" in miss.sentence
    for finding in (bias, miss):
        assert len(finding.figure.axes) == 2
        for ax in finding.figure.axes:
            assert [label.get_text() for label in ax.get_yticklabels()] == list(SCHEMES)


def test_every_number_of_a_scheme_is_told():
    """Each scheme's mean stands in the sentence, too hopeful below 0."""
    finding = validation.estimate_bias(ablation())
    sentence = finding.sentence
    assert (
        finding.title == "The estimate is too low with k-fold on both series; too few realizations to judge"
    )
    for words in ("rolling +50.0 %", "expanding +0.0 %", "blocked +25.0 %", "k-fold \N{MINUS SIGN}50.0 %"):
        assert sentence.count(words) == len(MADE)
    assert sentence.count("holdout +100.0 %") == len(MADE)


def test_residuals_stand_in_the_order_of_time():
    """Those of the shuffled parts come from the split that held each target out, in the unit of the series."""
    info = CATALOG["stationary_series"]
    for trained in validation.realizations(ablation(), info.name):
        expected = development(309, 100, info)
        np.testing.assert_allclose(validation.residuals(trained), expected, rtol=1e-5)


def test_ljung_box_is_the_published_statistic():
    """Q = n (n + 2) times the sum of squared autocorrelations over n - k, against chi square with 20 degrees."""
    values = np.random.default_rng(3).normal(size=200)
    centred = values - values.mean()
    lags = np.arange(1, 21)
    rho = np.array([(centred[k:] * centred[:-k]).sum() for k in lags]) / (centred**2).sum()
    q = 200 * 202 * np.sum(rho**2 / (200 - lags))
    assert validation.ljung_box(values) == pytest.approx(chi2.sf(q, 20))
    assert validation.ljung_box(values) > 0.05
    wandering = values[1:] + 0.8 * values[:-1]
    assert validation.ljung_box(wandering) < 0.001


def test_the_residual_check_parts_realizations_by_the_test(monkeypatch):
    """Where nothing is found and where something is found the misses are told apart."""
    shown = []
    monkeypatch.setattr(validation, "table", lambda frame, **_: shown.append(frame))
    p = iter([0.5, 0.01, 0.2, 0.3, 0.001])
    monkeypatch.setattr(validation, "ljung_box", lambda _: next(p))

    def second_is_worse(unit):
        return outcome(unit, dict.fromkeys(SCHEMES, 2.0 * (1.1 + unit.seed)))

    sentence = validation.residual_check(ablation(second_is_worse))
    assert "1 of 2 realizations of Stationary series, 2 of 2 realizations of Series with" in sentence
    (frame,) = shown
    assert list(frame["no autocorrelation found in"]) == [1, 2, 0]
    assert list(frame["k-fold off by, where not found"]) == ["10.0 %", "52.0 %", "none"]
    assert list(frame["k-fold off by, where found"]) == ["110.0 %", "none", "10.0 %"]


def test_the_real_series_is_told_split_by_split():
    """Dots are splits, and the line is the error that came."""
    finding = validation.real_series(ablation())
    (ax,) = finding.figure.axes
    assert "the error in the future was 2; foretold were rolling 3 (+50.0 %)" in finding.sentence
    assert finding.title == (
        "With 1 of 5 schemes the estimate on one real series is too low; expanding meets the error that came"
    )
    dots = [line for line in ax.get_lines() if line.get_alpha() is not None]
    assert [len(line.get_xdata()) for line in dots] == list(SCHEMES.values())


def test_bars_show_every_target_of_every_split():
    """The lengths of a row's bars are the sizes of its parts, and a gap is empty."""
    finding = validation.split_bars(ablation())
    (ax,) = finding.figure.axes
    folds = _task("stationary_series").folds[:FOLDS]
    drawn = [
        sum(path.vertices[:, 0].max() - path.vertices[:, 0].min() for path in bars.get_paths())
        for bars in ax.collections
    ]
    expected = [len(part.y) for fold in folds[:-1] for part in (fold.train, fold.validation)]
    assert drawn == [*expected, len(folds[-1].train.y), len(folds[-1].test.y)]
    assert "blocked (5) trains on 144 to 152 and holds out 40" in finding.sentence
    assert (
        finding.title == "Only blocked and k-fold splits train on values that come after those they hold out"
    )
    ahead = {
        place_of(number).scheme
        for number, fold in enumerate(folds[:-1])
        if (fold.train.indices[:, None] > fold.validation.indices).any()
    }
    assert ahead == {"blocked", "k-fold"}
    assert [label.get_text() for label in ax.get_yticklabels()] == [*SCHEMES, FINAL]


def test_few_realizations_have_no_interval():
    """A smoke study has one, of which the mean is all there is; a drawn line says more only where there is one."""
    alone = figures.Estimated(np.array([0.1]), 0.1, np.nan, np.nan)
    several = figures.Estimated(np.array([0.1, 0.3]), 0.2, 0.1, 0.3)
    lines = [len(figures.plot_estimates({"k": each}, xlabel="x").get_lines()) for each in (alone, several)]
    assert lines[1] - lines[0] == 1
    assert "(1 realization)" in validation.estimate_bias(ablation(units=1)).sentence


def test_many_realizations_are_a_bar():
    """More dots than fifty would hide each other; the bar leaves a tenth out at each end."""
    many = figures.Estimated(np.linspace(-1, 1, 101), 0.0, -0.1, 0.1)
    ax = figures.plot_estimates({"k": many}, xlabel="x")
    (bar,) = [line for line in ax.get_lines() if line.get_alpha() is not None]
    np.testing.assert_allclose(bar.get_xdata(), [-0.8, 0.8])
    assert "80 % of realizations" in ax.get_xlabel()


@functools.cache
def linear(name):
    """Return what each scheme foretells of a linear autoregression on 100 realizations."""
    rows = [validation.linear_estimates(CATALOG[name], realization) for realization in range(100)]
    return {scheme: np.array([row[scheme] for row in rows]) for scheme in rows[0]}


def test_the_linear_model_is_fitted_to_the_training_targets():
    """Its holdout is what statsmodels says of the first three quarters and the last one."""
    info = CATALOG["changing_series"]
    series = scheme_series(info, 4)
    (split,) = splits("holdout", development(series.size, 100, info), info)
    design = [
        np.column_stack([series[part - lag] for lag in (1, 2, 3)]) for part in (split.train, split.held_out)
    ]
    trained, held_out = (add_constant(each, has_constant="add") for each in design)
    predicted = OLS(series[split.train], trained).fit().predict(held_out)
    expected = np.sqrt(np.mean((predicted - series[split.held_out]) ** 2))
    assert validation.linear_estimates(info, 4)["holdout"] == pytest.approx(expected)


@pytest.mark.parametrize("name", MADE)
def test_the_linear_model_finds_the_process(name):
    """Three lags are what the process has: its error is that of the noise, and k-fold foretells it."""
    found = linear(name)
    assert found[FINAL].mean() == pytest.approx(1.0, abs=0.06)
    assert np.log(found["k-fold"] / found[FINAL]).mean() == pytest.approx(0.0, abs=0.06)


def test_k_fold_is_nearer_than_a_holdout_on_a_stationary_autoregression():
    """The direction that Bergmeir, Hyndman and Koo published for AR(3), clear of chance over 100 realizations."""
    found = linear("stationary_series")
    miss = {scheme: np.abs(np.log(found[scheme] / found[FINAL])) for scheme in ("k-fold", "holdout")}
    gain = miss["holdout"] - miss["k-fold"]
    assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))


def test_the_linear_check_tells_both_series():
    """It says what was counted and shows a panel for each kind."""
    finding = validation.linear_check(3)
    assert finding.sentence.startswith(
        "Linear autoregression, size of the miss, on average. Stationary series (3"
    )
    assert "Series with a unit root (3 realizations): rolling" in finding.sentence
    assert finding.title.startswith("For a linear autoregression ")
    assert len(finding.figure.axes) == 2


def test_the_engine_trains_a_split_and_a_final_fit():
    """A rolling part is less than half of the final fit's, whose validation part is a single target."""
    task, recipe = _task("stationary_series"), dataclasses.replace(RECIPE, layers=1, epochs=2)
    for fold in (0, FOLDS - 1):
        result = train_afresh(task, recipe, fold=fold, seed=0)
        assert result.diverged is None
        assert np.isfinite(result.error("last", "validation"))
        n = len(task.folds[fold].validation.y)
        assert result.predicted("last", "validation").shape == (n, 1)


def test_the_design_reads_the_last_epoch():
    """Nothing is selected by the held-out part whose error is the estimate."""
    design = load_design("validation")
    assert design.reading == "last"
    assert design.notebook == "09_validation_schemes"
    assert design.tasks == TASKS
    assert list(design.arms.values()) == [{}]


def test_the_lines_to_copy_split_as_the_study_does():
    """The splits, windows and scaler of the notebook's plain cells are those of the study's folds."""
    cells = json.loads((paths.NOTEBOOKS / "09_validation_schemes.ipynb").read_text(encoding="utf-8"))["cells"]
    names = {}
    for cell in cells:
        if "plain-keras" in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), names)  # noqa: S102 - our own cells
    info, series, targets = CATALOG["stationary_series"], names["series"], names["targets"]
    assert (names["window"], names["horizon"]) == (info.window, info.horizon)
    np.testing.assert_array_equal(targets, development(series.size, 100, info))
    for scheme in ("rolling", "expanding"):
        for ours, (train, held_out) in zip(
            splits(scheme, targets, info), names[f"{scheme}_splits"], strict=True
        ):
            np.testing.assert_array_equal(ours.train, targets[train])
            np.testing.assert_array_equal(ours.held_out, targets[held_out])
    block = splits("blocked", targets, info)[2]
    np.testing.assert_array_equal(block.train, targets[names["block_train"]])
    np.testing.assert_array_equal(block.held_out, targets[names["block"]])
    held_out = np.concatenate([targets[part] for _, part in names["shuffled_splits"]])
    np.testing.assert_array_equal(np.sort(held_out), targets)
    fold = scheme_folds(series, 100, info)[5]
    assert place_of(5).scheme == "expanding"
    np.testing.assert_allclose(fold.train.x[:, :, 0], names["x_train"], atol=1e-5)
    np.testing.assert_allclose(fold.train.y[:, 0], names["y_train"], atol=1e-5)
    np.testing.assert_allclose(fold.validation.x[:, :, 0], names["x_held_out"], atol=1e-5)
    np.testing.assert_allclose(fold.validation.y[:, 0], names["y_held_out"], atol=1e-5)
