"""The numbers behind each figure: those that are drawn, as CSV, whatever the names are."""

from __future__ import annotations

import base64
import csv
import gc
import importlib
import io
import math
import pkgutil
import re
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from lstmstudy import figures
from lstmstudy.figures import data, panels, plot_paired_differences, plot_ranking, show, show_figure
from lstmstudy.figures.calibration import Share
from lstmstudy.figures.data import as_csv, keep, points
from lstmstudy.figures.examples import plot_example
from lstmstudy.figures.forest import ForestRow, Interval
from lstmstudy.figures.gradients import NoiseLine, Rise
from lstmstudy.figures.validation import Bar, Estimated, plot_estimates
from lstmstudy.figures.weights import Change, PriceLine
from lstmstudy.stats.effects import Effect

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGE = ("change of test error (%)", "lower end (%)", "upper end (%)")
EVIL = ["a, b", 'say "x"', "<img src=x onerror=alert(1)>", "=1+1", "@SUM(A1)", "+1+cmd", "-2+3", "two\nlines"]


def percent(log_ratio):
    """Return a log ratio as a change in percent."""
    return 100 * math.expm1(log_ratio)


def effects(arms=("a", "b", "c")):
    """Return effects that have no number in common."""
    found = []
    for place, arm in enumerate(arms):
        mean, ratios = -0.1 + 0.061 * place, np.linspace(-0.05, 0.053, 6)
        ends = mean - 0.04 - 0.003 * place, mean + 0.05 + 0.003 * place
        found.append(
            Effect(arm, "dropout", "", 0.1 + place / 10, "all tasks", mean + ratios, mean, *ends, 1.0)
        )
    return found


def falling(lowest, units=5):
    """Return errors of some units over epochs, (n_units, 7)."""
    return np.linspace(0.9, 1.1, units)[:, None] * (lowest + np.exp(-np.arange(7) / 3))


class Case(NamedTuple):
    """A small call of a plot function, where its numbers stand, and how the data give them."""

    arguments: tuple[Any, ...]
    columns: tuple[str, ...]
    axis: str = "y"
    given: Callable[[float], float] = float
    named: dict[str, Any] = {}  # noqa: RUF012 (nobody writes to it)


CURVES = ("median", "10 % quantile", "90 % quantile")
GRADIENT = "size of one entry of a gradient"
CASES = {
    "plot_learning_curves": Case(
        ({"train": falling(0.1), "validation": falling(0.3), "test": falling(0.4)},),
        (*CURVES, "level at all epochs"),
        named={"metric": "RMSE", "selected": [2, 3, 4, 8], "references": {"naive": 0.55}, "floor": 0.21},
    ),
    "plot_arm_curves": Case(
        ({"baseline": falling(0.3), "dropout 0.1": falling(0.2)},),
        CURVES,
        named={"technique": "dropout", "strengths": {"dropout 0.1": 0.1}, "metric": "RMSE"},
    ),
    "plot_dose_response": Case((effects(),), CHANGE, given=percent),
    "plot_stopping": Case(("123", effects(), np.ones((3, 4))), CHANGE, given=percent),
    "plot_paired_differences": Case((effects(),), CHANGE, "x", percent),
    "plot_ranking": Case((effects(),), CHANGE, "x", percent),
    "plot_forest": Case(
        ([ForestRow("a", "l2", Interval(-0.1, -0.2, 0.05), [None, Interval(0.1, 0.02, 0.3)])], ["t", "u"]),
        CHANGE,
        "x",
        percent,
    ),
    "plot_ambiguity": Case(
        (["a", "b"], ["bagging", "boosting"], np.array([0.3, 0.4]), np.array([0.1, 0.05])),
        ("mean squared error of the mean", "members' disagreement (mean squared)"),
        "x",
    ),
    "plot_example": Case(
        (np.arange(4.0), [np.arange(4) + 0.3, np.arange(4) + 0.6]),
        ("value (sd)",),
        named={"technique": "jitter"},
    ),
    "plot_noise_schedule": Case(
        (
            np.array([1, 10, 100]),
            [NoiseLine("n", "", 0.1, np.array([0.3, 0.2, 0.1]))],
            {"g": (np.array([1, 50]), np.array([0.015, 0.012]))},
        ),
        (f"{GRADIENT} (standard deviation)", f"{GRADIENT} (root mean square)"),
    ),
    "plot_flatness": Case(
        (
            [0.0, 0.1],
            [Rise("a", "dropout", 0.1, np.array([0.0, 0.3])), Rise("b", "baseline", None, [0.1, 0.7])],
        ),
        ("rise of the training loss",),
        named={"loss": "squared error"},
    ),
    "plot_splits": Case(
        (
            {
                "holdout": [Bar(np.arange(5, 20), np.arange(20, 30), np.arange(30, 40))],
                "final": [Bar(np.r_[5:8, 10:30], np.arange(0), np.arange(30, 40))],
            },
        ),
        ("first position",),
        "x",
        lambda left: left + 0.5,
    ),
    "plot_estimates": Case(
        ({"k-fold": Estimated(np.array([0.1, 0.3]), 0.2, 0.05, 0.4)},),
        ("miss (%)", *CHANGE[1:]),
        "x",
        percent,
        {"xlabel": "miss (%), left is better"},
    ),
    "plot_split_errors": Case(
        ({"k-fold": np.array([1.0, 1.2])}, {"k-fold": 1.1}, 1.3), ("RMSE",), "x", named={"xlabel": "RMSE"}
    ),
    "plot_weight_changes": Case(
        ([Change("l2", "", 0.1, -0.1, -0.2, -0.05), Change("l2", "", 0.2, -0.3, -0.4, -0.25)],),
        ("norm (%)", "norm (%), lower end", "norm (%), upper end"),
        given=percent,
        named={"quantity": "norm (%)", "strength": "l2", "relative": True},
    ),
    "plot_prices": Case(
        ([PriceLine("l1", "L1", "", np.array([0.1, 0.2]), np.array([1.5, 3.0]))],),
        ("price (multiples of the loss)",),
        named={"loss": "loss"},
    ),
    "plot_rates": Case(
        ({"random signs": Share(0.03, 0.02, 0.06)},), ("false verdicts (%)", *CHANGE[1:]), "x"
    ),
    "plot_power": Case(
        ([6, 12], {"5 %": [Share(0.2, 0.1, 0.3), Share(0.6, 0.5, 0.7)]}),
        ("found (%)", *CHANGE[1:]),
        named={"asked": 12},
    ),
    "plot_expected_best": Case(
        ({"a": np.array([0.5, 0.4, 0.35])}, {"a": "dropout"}), ("expected best validation error",)
    ),
}
every_plot = pytest.mark.parametrize("name", CASES)


def plot_functions():
    """Return every plot function of the figures by its name."""
    modules = [
        importlib.import_module(f"{figures.__name__}.{module.name}")
        for module in pkgutil.iter_modules(figures.__path__)
    ]
    return {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if name.startswith("plot_") and function.__module__ == module.__name__
    }


def drawn(name):
    """Return the figure of a small call of a plot function."""
    case = CASES[name]
    made = plot_functions()[name](*case.arguments, **case.named)
    return made if isinstance(made, plt.Figure) else made.figure


def rows_of(text):
    """Return the rows of a CSV text as a spreadsheet reads them."""
    return list(csv.DictReader(io.StringIO(text)))


def line_numbers(figure, axis, *, spanning):
    """Return the coordinates of every line along an axis, or those of the lines that span whole axes."""
    found = []
    for ax in figure.axes:
        across = (ax.get_xaxis_transform("grid"), ax.get_yaxis_transform("grid"))
        for line in ax.lines:
            if any(line.get_transform() is each for each in across) == spanning:
                found += np.atleast_1d(line.get_data()[axis == "y"]).astype(float).tolist()
    return found


def area_numbers(figure, axis):
    """Return the coordinates of filled areas along an axis, and the lengths of bars."""
    found = []
    for ax in figure.axes:
        for area in ax.collections:
            found += [
                float(value) for path in area.get_paths() for value in path.vertices[:, int(axis == "y")]
            ]
        found += [bar.get_width() for container in ax.containers for bar in container]
    return found


def test_no_plot_function_is_forgotten():
    """Every function that draws has a small call here, so that a new one must keep its numbers too."""
    assert set(CASES) == set(plot_functions())


@every_plot
def test_what_is_drawn_is_in_the_data_and_nothing_else(name):
    """Each number of a line or an area is in the columns of the data, and each number there is drawn."""
    case, figure = CASES[name], drawn(name)
    cells = {row[column] for row in rows_of(as_csv(figure)) for column in case.columns} - {""}

    def shown(values):
        return {f"{case.given(value) + 0.0:.6g}" for value in values if math.isfinite(value)}

    lines = line_numbers(figure, case.axis, spanning=False)
    areas = area_numbers(figure, case.axis)
    levels = line_numbers(figure, case.axis, spanning=True)
    assert cells
    assert shown(lines if name == "plot_splits" else lines + areas) <= cells  # its lengths: see below
    assert cells <= shown(lines + areas + levels)


@every_plot
def test_the_data_are_the_same_twice_and_pandas_reads_them(name):
    """Two figures of the same numbers give equal bytes, and pandas finds numbers in the columns of numbers."""
    text = as_csv(drawn(name))
    assert as_csv(drawn(name)) == text
    as_text = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert as_text.to_csv(index=False, lineterminator="\n") == text
    frame = pd.read_csv(io.StringIO(text))
    assert len(frame) == len(rows_of(text)) > 0
    assert all(pd.api.types.is_numeric_dtype(frame[column]) for column in CASES[name].columns)


def test_each_curve_has_a_row_per_epoch():
    """A curve's rows are its line: the epochs from 1, the medians, and the band around them."""
    figure = drawn("plot_learning_curves")
    frame = pd.read_csv(io.StringIO(as_csv(figure)))
    for split, label in (("train", "training"), ("validation", "validation"), ("test", "test")):
        (line,) = [line for line in figure.axes[0].lines if line.get_label() == label]
        rows = frame[frame["curve"] == label]
        errors = CASES["plot_learning_curves"].arguments[0][split]
        np.testing.assert_array_equal(rows["epoch"], line.get_xdata())
        np.testing.assert_allclose(rows["median"], line.get_ydata(), rtol=1e-5)
        np.testing.assert_allclose(rows["10 % quantile"], np.quantile(errors, 0.1, axis=0), rtol=1e-5)
        assert set(rows["metric"]) == {"RMSE"}
    assert frame.set_index("curve").loc["median selected epoch", "epoch"] == 3.5


def test_a_band_that_is_not_drawn_is_not_in_the_data():
    """With more than four arms only the baseline has a band."""
    names = [f"dropout {strength}" for strength in range(1, 6)]
    curves = {name: falling(0.2) for name in ("baseline", *names)}
    strengths = dict(zip(names, range(1, 6), strict=True))
    ax = figures.plot_arm_curves(curves, technique="dropout", strengths=strengths, metric="RMSE")
    frame = pd.read_csv(io.StringIO(as_csv(ax.figure)))
    known = frame.groupby("curve")["10 % quantile"].count()
    assert known["baseline"] == 7
    assert (known[names] == 0).all()


def test_the_ranking_has_a_row_per_arm_from_the_top():
    """Arms stand in the data as on the axis, with estimate and interval in percent and what they are against."""
    ranked = [*effects("ca"), Effect("unknown", "l2", "", 0.1, "all tasks", np.ones(3), *[math.nan] * 4)]
    ax = plot_ranking(ranked, control="tuned baseline")
    rows = rows_of(as_csv(ax.figure))
    assert [row["arm"] for row in rows] == [label.get_text() for label in ax.get_yticklabels()]
    assert [row["arm"] for row in rows] == ["c", "a", "unknown"]
    first = effects("ca")[0]
    wanted = [percent(value) for value in (first.estimate, first.low, first.high)]
    assert [float(rows[0][column]) for column in CHANGE] == pytest.approx(wanted, rel=1e-5)
    assert [rows[2][column] for column in CHANGE] == ["", "", ""]
    assert rows[0]["against"] == "tuned baseline"
    assert [row["units"] for row in rows] == ["6", "6", "3"]


def test_every_unit_has_a_row_even_beyond_the_axis():
    """The mean comes first, then each unit; a diverged one is infinite, one that is not known empty."""
    effect = effects()[0]
    effect.log_ratios[:2] = np.inf, np.nan
    rows = rows_of(as_csv(plot_paired_differences([effect]).figure))
    assert [row["unit"] for row in rows] == ["mean", "1", "2", "3", "4", "5", "6"]
    assert [row[CHANGE[0]] for row in rows][1:3] == ["inf", ""]
    assert rows[0]["units better (%)"] == "100"


def test_many_realizations_are_kept_as_they_are_drawn():
    """Where a bar stands for more than fifty realizations, the data have its two ends and the mean."""
    many = Estimated(np.linspace(-1, 1, 101), 0.0, -0.1, 0.1)
    rows = rows_of(as_csv(plot_estimates({"k": many}, xlabel="x (%), y").figure))
    ends = {row["realization"]: float(row["x (%)"]) for row in rows}
    assert ends == {"10 % quantile": -55.0671, "90 % quantile": 122.554, "mean": 0.0}


def test_each_stretch_of_a_split_has_its_first_position_and_its_length():
    """What a split trains on and holds out stands in the data as on the axis; gaps begin another row."""
    rows = [tuple(row.values()) for row in rows_of(as_csv(drawn("plot_splits")))]
    assert rows == [
        ("holdout", "1", "trained on", "5", "15"),
        ("holdout", "1", "held out", "20", "10"),
        ("final", "1", "trained on", "5", "3"),
        ("final", "1", "trained on", "10", "20"),
        ("final", "1", "future", "30", "10"),
    ]


def test_estimates_stand_beside_the_error_that_came():
    """The true error comes first, then the splits of each scheme, numbered, and its estimate."""
    rows = [tuple(row.values()) for row in rows_of(as_csv(drawn("plot_split_errors")))]
    splits = [("k-fold", "1", "1"), ("k-fold", "2", "1.2"), ("k-fold", "estimate", "1.1")]
    assert rows == [("future", "", "1.3"), *splits]


def test_several_panels_are_told_apart_by_their_titles():
    """Rows of several axes stand in reading order after their panel's title; of one alone there is no such column."""
    figure, axes = panels(["sunspots", "elnino", "empty"])
    plot_ranking(effects("ab"), ax=axes[1])
    assert next(iter(rows_of(as_csv(figure))[0])) == "arm"
    plot_example(np.ones(1), [np.zeros(1)], technique="jitter", ax=axes[0])
    rows = rows_of(as_csv(figure))
    assert [row["panel"] for row in rows] == ["sunspots", "sunspots", "elnino", "elnino"]
    assert list(rows[0])[:5] == ["panel", "curve", "time step", "value (sd)", "arm"]
    assert rows[0]["arm"] == rows[-1]["curve"] == ""


def test_numbers_have_six_digits_and_gaps_are_empty():
    """Floats are rounded, whole numbers are not, zero has no sign, and what is not known is empty."""
    _, ax = plt.subplots()
    values = [
        1 / 3,
        np.float32(0.5),
        12345678,
        np.int64(7),
        -0.0,
        np.nan,
        None,
        np.inf,
        -np.inf,
        -2.5,
        "-2.5",
    ]
    keep(ax, points({"value": values}, name="a"))
    cells = [row["value"] for row in rows_of(as_csv(ax.figure))]
    assert cells == ["0.333333", "0.5", "12345678", "7", "0", "", "", "inf", "-inf", "-2.5", "-2.5"]


def test_names_survive_and_are_no_formulas():
    """Commas, quotes and markup come back as they were, a line break as a space, a formula after a quote."""
    ax = plot_ranking(effects(EVIL))
    text = as_csv(ax.figure)
    wanted = [*EVIL[:3], "'=1+1", "'@SUM(A1)", "'+1+cmd", "'-2+3", "two lines"]
    assert [row["arm"] for row in rows_of(text)] == wanted
    assert pd.read_csv(io.StringIO(text))["arm"].tolist() == wanted
    assert len(text.splitlines()) == 1 + len(EVIL)
    _, ax = plt.subplots()
    keep(ax, [{"=HYPERLINK(1)": 1}])
    assert as_csv(ax.figure).startswith("'=")


def test_rows_of_one_call_have_the_same_columns():
    """Rows that differ in their columns, or in the order of them, raise an error that says what came."""
    _, ax = plt.subplots()
    for other in ({"a": 1}, {"b": 1, "a": 2}):
        with pytest.raises(ValueError, match="Received: columns="):
            keep(ax, [{"a": 1, "b": 2}, other])
    assert as_csv(ax.figure) == ""


def test_the_data_die_with_the_figure():
    """Nothing of a figure that is closed and forgotten is kept."""
    gc.collect()
    before = len(data._kept)
    ax = plot_ranking(effects())
    alive = weakref.ref(ax)
    assert len(data._kept) == before + 1
    plt.close(ax.figure)
    del ax
    gc.collect()
    assert alive() is None
    assert len(data._kept) == before


@pytest.fixture
def svg_of(monkeypatch):
    """Return a function that gives the SVG with which a figure is shown."""
    shown = []
    monkeypatch.setattr(show, "publish", lambda bundle, **_: shown.append(bundle["image/svg+xml"]))

    def svg(figure):
        show_figure(figure, alt="what it shows")
        return shown.pop()

    return svg


def noise(draw, n):
    """Return a figure of `n` points, drawn as lines or as dots."""
    with figures.style():
        figure, ax = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
        getattr(ax, draw)(np.arange(n), np.random.default_rng(1).normal(size=n), color="#2a5d8c")
        ax.set_xlabel("time step")
    return figure


@pytest.mark.parametrize("draw", ["plot", "scatter", "fill_between"])
def test_very_many_points_become_an_image(draw, svg_of):
    """5000 points are one image in a small SVG, the same twice, without a date; words stay words."""
    svg = svg_of(noise(draw, 5000))
    assert svg.count("<image") == 1
    assert ">time step</text>" in svg
    assert len(svg) < 200_000
    assert svg_of(noise(draw, 5000)) == svg
    (picture,) = re.findall(r'"data:image/png;base64,\s*([^"]+)"', svg)
    content = base64.b64decode(picture)
    assert not any(chunk in content for chunk in (b"tEXt", b"iTXt", b"tIME"))


@pytest.mark.parametrize("draw", ["plot", "scatter"])
def test_fewer_points_stay_lines(draw, svg_of):
    """What has 1500 points or fewer is drawn as such."""
    assert "<image" not in svg_of(noise(draw, 1500))


def test_only_a_figure_with_an_image_inverts_images_on_dark_pages(svg_of):
    """The rule for images stands among those for dark pages, and only where there is an image."""
    rule = "image{filter:invert(1) hue-rotate(180deg)}"
    svg = svg_of(noise("plot", 5000))
    assert rule in svg[svg.index("@media (prefers-color-scheme:dark)") : svg.index("</style>")]
    assert rule not in svg_of(noise("plot", 15))
