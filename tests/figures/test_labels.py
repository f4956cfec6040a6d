"""Labels keep apart, and numbers on figures read as they should."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib import pyplot as plt

from lstmstudy.figures.labels import (
    MARGIN,
    EndLabel,
    effect_text,
    label_ends,
    log_limits,
    percent,
    percent_axis,
    signed,
    spread,
)
from lstmstudy.figures.style import new_axes


@dataclass(frozen=True)
class Numbers:
    """The part of an effect that these tests need."""

    estimate: float
    low: float
    high: float
    log_ratios: np.ndarray


@pytest.mark.parametrize("wanted", [[0.5] * 5, [0.1, 0.11, 0.12, 0.9], [0.0, 0.0, 1.0, 1.0], [0.7, 0.2]])
def test_labels_never_overlap_and_stay_inside(wanted):
    """Labels end up at least the gap apart, inside the axes, in the order in which they wanted to stand."""
    placed = spread(wanted, 0.1, 0.0, 1.0)
    assert np.diff(np.sort(placed)).min() >= 0.1 - 1e-9
    assert placed.min() >= -1e-9
    assert placed.max() <= 1 + 1e-9
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(placed[order]) > 0).all()


def test_labels_that_fit_do_not_move():
    """Labels that are far enough apart stay where they want to stand."""
    assert spread([0.8, 0.2, 0.5], 0.1, 0.0, 1.0).tolist() == [0.8, 0.2, 0.5]


def test_label_outside_the_axis_says_so():
    """A line beyond the limits is labelled at the edge, with an arrow and its value."""
    _, ax = plt.subplots()
    ax.set_ylim(0, 1)
    label_ends(ax, [EndLabel(3.0, "naive", "#5b6570"), EndLabel(math.nan, "gone", "#5b6570")])
    (text,) = ax.texts
    assert text.get_text() == "↑ naive 3"


def test_percent_of_a_log_ratio():
    """A halved error is -50 %, a doubled one +100 %, and a monstrous one infinite rather than an error."""
    assert percent(math.log(0.5)) == pytest.approx(-50)
    assert percent(math.log(2)) == pytest.approx(100)
    assert percent(1e6) == math.inf


def test_signs():
    """Numbers have a true minus, zero has no sign, and a missing number says that it is missing."""
    assert signed(-3.2, 1) == "\N{MINUS SIGN}3.2"
    assert signed(3) == "+3"
    assert signed(-0.2) == "0"
    assert signed(math.nan) == "not available"


def test_effect_as_text():
    """An effect reads as estimate and interval; without an interval, or at all, it says what is known."""
    ratios = np.zeros(2)
    known = Numbers(math.log(0.939), math.log(0.91), math.log(0.97), ratios)
    assert effect_text(known) == "\N{MINUS SIGN}6.1 % [\N{MINUS SIGN}9, \N{MINUS SIGN}3]"
    assert effect_text(Numbers(math.log(1.1), math.nan, math.nan, ratios)) == "+10.0 %"
    assert effect_text(Numbers(math.nan, math.nan, math.nan, ratios)) == "not available"


@pytest.mark.parametrize("reach", [0.08, 0.3, 1.0, 5.0])
def test_percent_axis_has_readable_ticks(reach):
    """The axis has zero, at least two more ticks, and never so many that they touch."""
    _, ax = plt.subplots()
    percent_axis(ax, "x", -reach, reach)
    ticks = ax.get_xticks()
    assert 0 in ticks
    assert 3 <= len(ticks) <= 14
    assert np.diff(ticks).min() >= 0.08 * 2 * reach
    for tick, label in zip(ticks, ax.get_xticklabels(), strict=True):
        shown = float(label.get_text().replace("\N{MINUS SIGN}", "-"))
        assert shown == pytest.approx(percent(tick), abs=1e-6)


def test_limits_show_the_band_and_every_interval_but_no_diverged_unit():
    """The axis contains ±5 % and each interval; one unit with an enormous error does not stretch it."""
    ratios = np.array([-0.1, -0.12, -0.08, -0.11, 9.0, math.inf, math.nan])
    low, high = log_limits([Numbers(-0.1, -0.3, -0.05, ratios)], units=True)
    assert low < -0.3
    assert MARGIN < high < 1


def test_a_long_name_leaves_room_for_the_lines():
    """A label of many words at the end of a line is cut, so that the axes stay wider than the label."""
    ax = new_axes(None)
    ax.plot([0, 1], [0, 1])
    label_ends(ax, [EndLabel(1.0, "bundle of dropout and norms and clipping and more " * 3, "#000000")])
    ax.figure.draw_without_rendering()
    (label,) = ax.texts
    assert label.get_text().endswith("…")
    assert ax.get_position().width > 0.5
