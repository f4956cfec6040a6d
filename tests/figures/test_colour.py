"""Colours say which technique and how strong, on white and on dark pages."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lstmstudy.figures.colour import (
    _HUES,
    INK,
    INK_SOFT,
    PAPER,
    PAPER_DARK,
    contrast,
    dark_counterpart,
    oklch,
    technique_colour,
    text_colour,
)
from lstmstudy.figures.style import _LINES, _MARKERS, SPLITS, line, marker

STRENGTHS = (1e-6, 0.01, 0.1, 0.3, 0.5, 0.9, 3.0, 20.0)


def test_stronger_is_darker():
    """Within a technique, a higher strength never has a lighter shade."""
    shades = [contrast(technique_colour("dropout", rate), PAPER) for rate in (0.1, 0.2, 0.3, 0.5)]
    assert shades == sorted(shades)
    assert len(set(shades)) == len(shades)


def test_colour_does_not_depend_on_what_else_is_drawn():
    """The shade of a strength is a function of technique and strength alone."""
    assert technique_colour("dropout", 0.3) == technique_colour("dropout", 0.3)
    assert technique_colour("dropout", 0.3) != technique_colour("recurrent_dropout", 0.3)


def test_techniques_of_one_chapter_differ_in_hue():
    """The techniques of the first chapters and the baseline have clearly different colours."""
    names = ("baseline", "dropout", "recurrent_dropout", "early_stopping")
    assert len({technique_colour(name) for name in names}) == len(names)


@pytest.mark.parametrize("technique", [*_HUES, "a technique of tomorrow"])
def test_every_shade_can_be_seen_on_white_and_on_dark(technique):
    """Each shade has a contrast of 3 to 1 with the page, in light mode and in dark mode."""
    for strength in STRENGTHS:
        colour = technique_colour(technique, strength)
        assert contrast(colour, PAPER) >= 3
        assert contrast(dark_counterpart(colour), PAPER_DARK) >= 3


@pytest.mark.parametrize("technique", [*_HUES, "a technique of tomorrow"])
def test_labels_can_be_read_on_white_and_on_dark(technique):
    """Text in a technique's colour has a contrast of 4.5 to 1 in both modes."""
    for strength in STRENGTHS:
        colour = text_colour(technique_colour(technique, strength))
        assert contrast(colour, PAPER) >= 4.5
        assert contrast(dark_counterpart(colour), PAPER_DARK) >= 4.5


def test_text_and_parts_of_a_fold_can_be_read_in_both_modes():
    """Ink, notes and the labels of training, validation and test are readable in both modes."""
    for colour in (INK, INK_SOFT, *(text_colour(look.colour) for look in SPLITS.values())):
        assert contrast(colour, PAPER) >= 4.5
        assert contrast(dark_counterpart(colour), PAPER_DARK) >= 4.5


def test_unknown_technique_keeps_its_colour_in_a_new_process():
    """A technique without an entry has the same colour in every process."""
    code = "from lstmstudy.figures.colour import technique_colour; print(technique_colour('new', 0.1))"
    environment = {"PYTHONHASHSEED": "12345", "PYTHONPATH": ":".join(sys.path)}
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert other.stdout.strip() == technique_colour("new", 0.1)


def test_colour_is_not_the_only_difference():
    """Every known variant has a marker and a line style of its own."""
    variants = ("per step", "per sequence", "on the candidate")
    assert len({marker(variant) for variant in variants}) == len(variants)
    assert len({line(variant) for variant in variants}) == len(variants)
    assert len({look.line for look in SPLITS.values()}) == len(SPLITS)


def test_unknown_variant_never_looks_like_a_known_one():
    """A variant without an entry gets a marker and a line that no known variant has."""
    assert marker("in pairs") not in _MARKERS.values()
    assert line("in pairs") not in _LINES.values()


def test_oklch_knows_white_black_and_a_colour_outside_the_screen():
    """White and black come out exactly, and too much chroma is reduced to a valid colour."""
    assert oklch(1, 0, 0) == "#ffffff"
    assert oklch(0, 0, 0) == "#000000"
    assert oklch(0.6, 0.4, 145).startswith("#")
