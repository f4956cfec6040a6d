"""What the plots draw, compared by artists: data, labels and colours."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from lstmstudy.figures import (
    panels,
    plot_arm_curves,
    plot_dose_response,
    plot_learning_curves,
    plot_paired_differences,
    plot_ranking,
    plot_stopping,
)
from lstmstudy.figures.colour import technique_colour
from lstmstudy.figures.style import SPLITS
from lstmstudy.stats.effects import Effect

EPOCHS = 8


def make_effect(arm="dropout 0.3 per step", variant="per step", strength=0.3, mean=-0.1, units=6):
    """Return an effect whose units lie evenly around `mean`."""
    ratios = mean + np.linspace(-0.05, 0.05, units)
    return Effect(arm, "dropout", variant, strength, "all tasks", ratios, mean, mean - 0.04, mean + 0.04, 1.0)


def make_curves(units=5):
    """Return falling curves of the three parts of a fold."""
    epochs = np.arange(EPOCHS)
    factors = np.linspace(0.9, 1.1, units)[:, None]
    return {
        "train": factors * np.exp(-epochs / 3),
        "validation": factors * (0.3 + 0.6 * np.exp(-epochs / 2)),
        "test": factors * (0.4 + 0.6 * np.exp(-epochs / 2)),
    }


def line_named(ax, label):
    """Return the only line with this label."""
    (found,) = [line for line in ax.get_lines() if line.get_label() == label]
    return found


def texts(ax):
    """Return every text written on the axes."""
    return [text.get_text() for text in ax.texts]


def test_learning_curves_are_medians_over_units():
    """Each part's line is the median over units at every epoch, counted from 1, in its own look."""
    curves = make_curves()
    ax = plot_learning_curves(curves, metric="RMSE (standard deviations)")
    for split, look in SPLITS.items():
        line = line_named(ax, look.label)
        assert line.get_xdata().tolist() == list(range(1, EPOCHS + 1))
        np.testing.assert_allclose(line.get_ydata(), np.median(curves[split], axis=0))
        assert line.get_color() == look.colour
    assert ax.get_ylabel() == "RMSE (standard deviations)"


def test_bands_reach_from_the_tenth_to_the_ninetieth_percentile():
    """The band of a part covers its 10 % and 90 % quantiles over units."""
    curves = {"test": make_curves(units=11)["test"]}
    ax = plot_learning_curves(curves, metric="RMSE")
    (band,) = [part for part in ax.collections if isinstance(part, PolyCollection)]
    at_first = band.get_paths()[0].vertices
    at_first = at_first[at_first[:, 0] == 1][:, 1]
    np.testing.assert_allclose(
        [at_first.min(), at_first.max()], np.quantile(curves["test"][:, 0], [0.1, 0.9])
    )


def test_curves_are_labelled_at_their_ends_without_a_legend():
    """Every part and every reference has its name on the axes, and there is no legend."""
    ax = plot_learning_curves(
        make_curves(), metric="RMSE", references={"naive": 0.5, "AR(9)": 0.49}, floor=0.2
    )
    assert {"training", "validation", "test", "naive", "AR(9)", "lowest possible"} <= set(texts(ax))
    assert ax.get_legend() is None
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert np.diff(heights).min() > 0.03


def test_median_selected_epoch_is_marked():
    """The mark stands at the median of the selected epochs, on the drawn curves."""
    curves = make_curves()
    ax = plot_learning_curves(curves, metric="RMSE", selected=[2, 3, 3, 4, 8])
    assert line_named(ax, "median selected epoch").get_xdata() == [3, 3]
    assert "selected: epoch 3" in texts(ax)


def test_diverged_units_are_counted_and_never_crash():
    """A run that turns infinite or NaN is named as diverged; the median of the others is drawn."""
    curves = make_curves()
    curves["test"][0, 4:] = np.inf
    curves["validation"][0, 4:] = np.nan
    ax = plot_learning_curves(curves, metric="RMSE", selected=[2, 3, 3, 4, 8])
    assert ax.get_xlabel() == "epoch · 1 of 5 runs diverged"
    assert np.isfinite(line_named(ax, "test").get_ydata()).all()
    assert np.isfinite(ax.get_ylim()).all()


def test_diverged_unit_counts_as_worse_than_every_other():
    """Divergence moves the median up: it is not left out as if the run had never been."""
    values = np.array([[1.0], [2.0], [np.nan]])
    ax = plot_learning_curves({"test": np.repeat(values, 3, axis=1)}, metric="RMSE")
    assert line_named(ax, "test").get_ydata().tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("value", [1.0, np.nan, np.inf])
def test_curves_of_one_or_two_units_are_drawn(units, value):
    """One or two units, constant or wholly diverged, give a figure that can be rendered."""
    ax = plot_learning_curves({"test": np.full((units, 3), value)}, metric="RMSE", selected=[1] * units)
    ax.figure.draw_without_rendering()
    assert len(line_named(ax, "test").get_ydata()) == 3


def test_one_epoch_is_drawn_as_a_point():
    """A trajectory of a single epoch shows a mark, as a line of one point would be invisible."""
    ax = plot_learning_curves({"test": np.ones((3, 1))}, metric="RMSE")
    assert any(line.get_marker() == "x" for line in ax.get_lines())


def test_cross_entropy_with_a_wide_span_gets_a_log_axis():
    """The axis is logarithmic where an entropy spans more than a factor of 20, and only there."""
    wide = {"train": np.geomspace(1, 1e-3, EPOCHS)[None, :]}
    assert plot_learning_curves(wide, metric="cross-entropy (nats)").get_yscale() == "log"
    assert plot_learning_curves(wide, metric="RMSE").get_yscale() == "linear"
    assert plot_learning_curves(make_curves(), metric="cross-entropy (nats)").get_yscale() == "linear"


def test_far_reference_does_not_squash_the_curves():
    """A reference ten times worse is named at the edge; the curves keep most of the height."""
    ax = plot_learning_curves(make_curves(), metric="RMSE", references={"naive": 10.0})
    assert ax.get_ylim()[1] < 2
    assert "↑ naive 10" in texts(ax)


@pytest.mark.parametrize("curves", [{}, {"tests": np.ones((2, 2))}, {"test": np.ones(3)}])
def test_wrong_curves_are_refused(curves):
    """No part, an unknown part and a wrong shape each raise an error that says what came."""
    with pytest.raises(ValueError, match="Received: "):
        plot_learning_curves(curves, metric="RMSE")


def test_arms_have_the_hue_of_the_technique_and_the_baseline_is_grey():
    """Each arm has the shade of its strength, the label without a strength that of the baseline."""
    curves = {"baseline": make_curves()["test"], "dropout 0.1": make_curves()["test"]}
    curves["dropout 0.5"] = make_curves()["train"]
    strengths = {"dropout 0.1": 0.1, "dropout 0.5": 0.5}
    ax = plot_arm_curves(curves, technique="dropout", strengths=strengths, metric="RMSE")
    assert line_named(ax, "baseline").get_color() == technique_colour("baseline")
    for arm, strength in strengths.items():
        assert line_named(ax, arm).get_color() == technique_colour("dropout", strength)
    assert set(texts(ax)) == {"baseline", "0.1", "0.5"}


def test_dose_response_has_a_line_per_variant_in_order_of_strength():
    """Estimates stand over their strengths, sorted, one line per variant, labelled by variant."""
    effects = [
        make_effect(variant=variant, strength=strength, mean=mean)
        for variant in ("per step", "per sequence")
        for strength, mean in ((0.5, 0.02), (0.1, -0.05), (0.3, -0.1))
    ]
    ax = plot_dose_response(effects, strength="rate")
    for variant in ("per step", "per sequence"):
        line = line_named(ax, variant)
        assert list(line.get_xdata()) == [0.1, 0.3, 0.5]
        assert list(line.get_ydata()) == [-0.05, -0.1, 0.02]
        assert variant in texts(ax)
    assert "baseline ± 5 %" in texts(ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.1", "0.3", "0.5"]
    assert ax.get_xlabel() == "rate"


def test_dose_response_leaves_a_gap_where_nothing_is_known():
    """An arm without a finite estimate is missing from the line and draws no interval."""
    broken = make_effect(strength=0.3, mean=math.nan)
    ax = plot_dose_response([make_effect(strength=0.1), broken, make_effect(strength=0.5)])
    assert np.isnan(line_named(ax, "per step").get_ydata()).tolist() == [False, True, False]
    ax.figure.draw_without_rendering()


def test_wide_strengths_stand_on_a_log_axis():
    """Strengths over many orders of magnitude are spaced evenly; a few rates stay linear."""
    wide = [make_effect(strength=strength) for strength in (1e-5, 1e-3, 1e-1)]
    assert plot_dose_response(wide).get_xscale() == "log"
    assert plot_dose_response([make_effect(strength=0.1), make_effect(strength=0.5)]).get_xscale() == "linear"


def test_paired_differences_show_every_unit_of_every_arm():
    """Rows follow the given order from the top, and each unit is one dot in its row."""
    effects = [make_effect(arm="first"), make_effect(arm="second", mean=0.05)]
    ax = plot_paired_differences(effects)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    dots = [line for line in ax.get_lines() if line.get_alpha() == 0.5]
    drawn = sorted(value for line in dots for value in line.get_xdata())
    np.testing.assert_allclose(drawn, sorted(np.concatenate([effect.log_ratios for effect in effects])))
    assert "100 %" in texts(ax)


def test_diverged_unit_is_drawn_at_the_edge():
    """A unit with an infinite error is a triangle at the edge, inside the limits of the others."""
    effect = make_effect()
    effect.log_ratios[0] = np.inf
    effect.log_ratios[1] = np.nan
    ax = plot_paired_differences([effect])
    (arrow,) = [line for line in ax.get_lines() if line.get_marker() == ">"]
    assert list(arrow.get_xdata()) == [ax.get_xlim()[1]]
    assert ax.get_xlim()[1] < 1


@pytest.mark.parametrize("units", [1, 2])
def test_few_units_without_an_interval_are_drawn(units):
    """One or two units have an estimate but no interval, and every plot of effects takes them."""
    ratios = np.full(units, -0.1)
    few = Effect("arm", "dropout", "", 0.1, "sunspots", ratios, -0.1, math.nan, math.nan, 1.0)
    for ax in (
        plot_dose_response([few]),
        plot_paired_differences([few]),
        plot_ranking([few]),
        plot_stopping(["patience 1"], [few], np.ones((1, units))),
    ):
        ax.figure.draw_without_rendering()
        assert any(
            -0.1 in np.atleast_1d(line.get_xdata()) or -0.1 in line.get_ydata() for line in ax.get_lines()
        )


def test_ranking_puts_the_best_first_and_the_unknown_last():
    """Arms are sorted by estimate, whatever their order, with their numbers beside them."""
    effects = [make_effect(arm="b", mean=0.1), make_effect(arm="unknown", mean=math.nan)]
    effects += [make_effect(arm="a", mean=-0.2), make_effect(arm="other", mean=math.nan)]
    ax = plot_ranking(effects)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "other", "unknown"]
    assert texts(ax)[0].startswith("\N{MINUS SIGN}18.1 % [")
    assert texts(ax)[2:] == ["not available", "not available"]


def test_stopping_names_the_epochs_used():
    """Each patience stands with its mean number of epochs, and its estimate at its place."""
    effects = [make_effect(variant="", strength=1, mean=0.1), make_effect(variant="", strength=3, mean=-0.1)]
    ax = plot_stopping(["patience 1", "patience 3"], effects, np.array([[4, 6], [10, 12]]))
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "patience 1\n5",
        "patience 3\n11",
    ]
    points = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert [point.get_ydata()[0] for point in points] == [0.1, -0.1]


def test_stopping_refuses_what_does_not_belong_together():
    """Names, effects and epochs of different lengths raise an error."""
    with pytest.raises(ValueError, match="Received: "):
        plot_stopping(["patience 1"], [make_effect(), make_effect()], np.ones((2, 3)))


@pytest.mark.parametrize("plot", [plot_dose_response, plot_paired_differences, plot_ranking])
def test_no_effect_is_refused(plot):
    """A figure of no effect raises an error."""
    with pytest.raises(ValueError, match="Received: "):
        plot([])


def test_plots_draw_on_given_axes_and_change_no_setting():
    """A plot returns the axes it was given, opens no other figure, and leaves matplotlib's settings alone."""
    with mpl.rc_context({"axes.edgecolor": "red", "svg.fonttype": "path", "font.size": 3}):
        before = dict(mpl.rcParams)
        figure, (first, second) = panels(["sunspots", "elnino"])
        assert plot_learning_curves(make_curves(), metric="RMSE", ax=first) is first
        assert plot_ranking([make_effect()], ax=second) is second
        assert plt.get_fignums() == [figure.number]
        assert dict(mpl.rcParams) == before


def test_panels_are_titled_and_spare_ones_removed():
    """Three panels in two columns leave no empty fourth one."""
    figure, axes = panels(["a", "b", "c"])
    assert [ax.get_title("left") for ax in axes] == ["a", "b", "c"]
    assert len(figure.axes) == 3
    with pytest.raises(ValueError, match="Received: "):
        panels([])


def test_an_arm_has_the_same_colour_in_every_figure():
    """Ranking, dose-response and paired differences draw an arm in the same colour."""
    effect = make_effect()
    wanted = technique_colour("dropout", 0.3)
    for plot in (plot_ranking, plot_dose_response, plot_paired_differences):
        colours = {
            to_hex(line.get_color()) for line in plot([effect]).get_lines() if line.get_marker() == "o"
        }
        assert wanted in colours
