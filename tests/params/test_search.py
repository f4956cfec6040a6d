"""What random search draws: inside its range, on its scale, never off, and just what a file will show."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from planning import changed, parameters, refusal

from lstmstudy.params.grids import load_technique
from lstmstudy.params.profile import load_profile
from lstmstudy.params.search import SearchRange, Tuning, draw, drawn, ends, entry_key, fixed
from lstmstudy.recipe import Recipe
from lstmstudy.streams import generator
from lstmstudy.techniques import TECHNIQUES

MINE = """\
tasks: [digits_rows]
techniques: [dropout, permutation]
units: 2
network: {layers: 2, width: 8}
training: {epochs: 6, batch_size: 32, learning_rate: 0.003}
tuning: {trials: 3, units: 2}
"""
SEARCHED = [(name, entry) for name in TECHNIQUES for entry in load_technique(name).tuned]


def spans(low, high, scale="linear", *, integer=False):
    """Return a range as a file states it."""
    return SearchRange.model_validate({"from": low, "to": high, "scale": scale, "integer": integer})


RANGES = {
    "linear": spans(0.02, 0.6),
    "log": spans(1e-6, 0.01, "log"),
    "narrow": spans(0.333333, 0.333334),
    "integer": spans(2, 8, integer=True),
    "log integer": spans(1, 100, "log", integer=True),
}


def draws(found, n=400):
    """Return `n` numbers from a range."""
    rng = generator(0, "draws")
    return [found.draw(rng) for _ in range(n)]


@pytest.mark.parametrize("found", RANGES.values(), ids=RANGES)
def test_every_draw_is_a_number_of_the_range(found):
    """No draw lies outside, and an integer range gives integers."""
    values = draws(found)
    assert all(found.low <= value <= found.high and found.holds(value) for value in values)
    assert {type(value) for value in values} == {int if found.integer else float}


@pytest.mark.parametrize("found", [RANGES["linear"], RANGES["log"]], ids=["linear", "log"])
def test_a_draw_has_four_significant_digits(found):
    """Every draw is the number that its four leading digits write, and they are used."""
    values = draws(found)
    assert all(value == float(f"{value:.3e}") for value in values)
    assert any(value != float(f"{value:.2e}") for value in values)


@pytest.mark.parametrize(
    ("found", "middle"),
    [(RANGES["linear"], 0.31), (RANGES["log"], 1e-4), (RANGES["integer"], 4.5), (RANGES["log integer"], 10)],
    ids=["linear", "log", "integer", "log integer"],
)
def test_half_of_the_draws_lie_below_the_middle_of_the_scale(found, middle):
    """The middle is the arithmetic mean on a linear scale and the geometric one on a log scale."""
    share = np.mean([value < middle for value in draws(found)])
    expected = 3 / 7 if found is RANGES["integer"] else 0.5
    assert share == pytest.approx(expected, abs=0.08)


def test_all_whole_numbers_of_a_range_are_drawn_alike():
    """Each of the seven from 2 to 8 comes in about a seventh of the draws, both ends included."""
    values, counts = np.unique(draws(RANGES["integer"], 2100), return_counts=True)
    assert values.tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert counts.min() > 240
    assert counts.max() < 360


def test_one_number_of_the_stream_makes_one_draw():
    """A draw moves the stream by one number, whatever its range, so that ranges do not move one another."""
    for found in RANGES.values():
        rng, other = generator(0, "draws"), generator(0, "draws")
        found.draw(rng)
        other.random()
        assert rng.random() == other.random()


def test_the_order_of_settings_in_a_file_does_not_count():
    """An entry whose settings stand in another order gives the same draws, plain values unchanged."""
    entry = {"rate": spans(0.1, 0.5), "per": "step", "amount": spans(1, 9, "log")}
    other = dict(reversed(entry.items()))
    first, second = (draw(each, generator(1, "x")) for each in (entry, other))
    assert first == second
    assert list(first) == list(entry)
    assert first["per"] == "step"
    assert first != draw(entry, generator(2, "x"))


def test_ends_are_the_corners_of_an_entry():
    """Every drawn setting is at its lower end in the first and at its upper end in the second."""
    entry = {"rate": spans(0.1, 0.5), "segments": spans(2, 8, integer=True), "per": "step"}
    assert ends(entry) == (
        {"rate": 0.1, "segments": 2, "per": "step"},
        {"rate": 0.5, "segments": 8, "per": "step"},
    )
    assert [type(end["segments"]) for end in ends(entry)] == [int, int]
    assert ends({"per": "step"}) == ({"per": "step"},)


@pytest.mark.parametrize(
    ("name", "entry"), SEARCHED, ids=[entry_key(name, entry) for name, entry in SEARCHED]
)
def test_search_never_switches_a_technique_off(name, entry):
    """Both ends of every range, each setting at either end, and 50 draws are accepted and leave it on."""
    corners = itertools.product(
        *({each.settle(each.low), each.settle(each.high)} for each in drawn(entry).values())
    )
    tried = [{**entry, **dict(zip(drawn(entry), corner, strict=True))} for corner in corners]
    rng = generator(0, "draws")
    tried += [*ends(entry), *(draw(entry, rng) for _ in range(50))]
    for settings in tried:
        technique = TECHNIQUES[name](**settings)
        assert not technique.is_off
        assert technique.settings() == {**technique.settings(), **settings}
        assert Recipe(epochs=60).adding(technique) != Recipe(epochs=60)


def test_every_technique_that_trains_one_model_with_it_is_searched():
    """Only ways to read and ensembles of baselines have no search of their own."""
    without = {name for name in TECHNIQUES if not load_technique(name).tuned}
    assert without == {"early_stopping", "averaging", "bagging"}


def test_the_name_of_an_entry_is_its_fixed_settings():
    """Ranges do not enter the name, the order of settings does not either, and names tell entries apart."""
    entry = {"rate": spans(0.1, 0.5), "per": "step", "kept": True}
    assert entry_key("dropout", entry) == "dropout kept=true per=step"
    assert entry_key("dropout", dict(reversed(entry.items()))) == "dropout kept=true per=step"
    assert entry_key("zoneout", {"rate": spans(0.1, 0.5)}) == "zoneout"
    assert fixed(entry) == {"per": "step", "kept": True}
    keys = [entry_key(name, entry) for name, entry in SEARCHED]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("found", "values", "expected"),
    [
        (spans(0, 1), [0.1, 0.2, 0.9], 0.2),
        (spans(0, 1), [0.1, 0.3], 0.2),
        (spans(1e-6, 1, "log"), [1e-4, 1e-2], 1e-3),
        (spans(1, 64, "log", integer=True), [2, 32], 8),
        (spans(2, 8, integer=True), [2, 3, 6, 7], 4),
    ],
)
def test_a_median_is_taken_on_the_scale_of_the_range(found, values, expected):
    """Between two values lies their mean on a linear scale and their geometric mean on a log scale."""
    median = found.median(values)
    assert median == expected
    assert found.holds(median)
    assert found.median(list(reversed(values))) == median


def test_a_range_holds_only_what_it_can_give():
    """Truth values, texts and numbers outside are none of its numbers, nor are fractions in an integer range."""
    found, whole = RANGES["linear"], RANGES["integer"]
    assert all(found.holds(value) for value in (0.02, 0.6, 0.3))
    assert not any(found.holds(value) for value in (0.0199, 0.61, "0.3", None, float("nan")))
    assert all(whole.holds(value) for value in (2, 8))
    assert not any(whole.holds(value) for value in (1, 9, 2.5, 3.0, True))
    assert not spans(0, 2, integer=True).holds(True)


@pytest.mark.parametrize("found", RANGES.values(), ids=RANGES)
def test_a_range_is_described_as_a_file_has_it(found):
    """What is written in a file is read back as the same range."""
    assert SearchRange.model_validate(found.describe()) == found


def described(folder, entry):
    """Return the message about a search of dropout."""
    (folder / "techniques" / "dropout.yaml").write_text(
        f"notebook: 01_dropout\ngrid: {{rate: [0.1]}}\ntuned:\n  - {entry}\n", encoding="utf-8"
    )
    return refusal(load_profile, "mine", folder)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("rate: {from: 0.6, to: 0.02, scale: log}", "tuned.rate: `from` is not below `to`."),
        ("rate: {from: 0.2, to: 0.2, scale: log}", "tuned.rate: `from` is not below `to`."),
        ("rate: {from: 0, to: 0.2, scale: log}", "tuned.rate: a log scale has no room at 0"),
        ("rate: {from: 0.1, to: 0.2, scale: lin}", "tuned.rate: `scale` is 'lin'."),
        ("rate: {from: 0.1, to: 0.2}", "tuned.rate: missing key `scale`."),
        ("rate: {from: 0.1, too: 0.2, scale: log}", "tuned.rate: unknown key `too`"),
        ("rate: {from: 1e-2, to: 0.2, scale: log}", "write 0.01 or 1.0e-2"),
        ("rate: {from: on, to: 0.2, scale: log}", "YAML reads on"),
        ("rate: {from: .nan, to: 0.2, scale: log}", "tuned.rate: `from` is nan"),
        ("rate: {from: 0.1, to: 2.5, scale: linear, integer: true}", "whole numbers are drawn between whole"),
        ("rate: [0.1, 0.2]", "tuned.rate: this is no number and no text."),
        ("rates: {from: 0.1, to: 0.2, scale: log}", "unknown key `tuned.rates`. Expected one of: rate, per."),
        ("per: step", "missing key `tuned.rate`. Expected a number or a text for each setting."),
        ("rate: {from: 0, to: 0.2, scale: linear}", "tuned.rate: this switches the technique off."),
        ("rate: {from: 0.1, to: 1.5, scale: log}", "tuned.rate: `rate` is the probability of dropping."),
        ("rate: 0", "tuned.rate: this switches the technique off."),
        ("{rate: 0.1, per: on}", "tuned.per: `per` is one of step, sequence. YAML reads on"),
        ("{rate: 0.1, per: step}\n  - {per: step, rate: 0.1}", "two entries have the same fixed settings"),
    ],
)
def test_what_is_wrong_in_a_search_is_one_line_with_file_and_key(tmp_path, entry, expected):
    """A search that cannot be drawn from, or whose ends the technique refuses, is told before anything starts."""
    message = described(parameters(tmp_path, MINE), entry)
    assert message.startswith("dropout.yaml: ")
    assert expected in message


@pytest.mark.parametrize(
    ("tuning", "expected"),
    [
        ("trials: 0, units: 2", "tuning.trials: Expected an integer from 1"),
        ("trials: 3, units: 0", "tuning.units: Expected an integer from 1"),
        ("trials: 3.0, units: 2", "tuning.trials: Expected an integer from 1"),
        ("trial: 3", "unknown key `tuning.trial`."),
        (
            "learning_rate: {from: 0.001, to: 2, scale: log}",
            "tuning: a learning rate lies above 0 and up to 1.",
        ),
        (
            "learning_rate: {from: 0, to: 0.1, scale: linear}",
            "tuning: a learning rate lies above 0 and up to 1.",
        ),
        ("learning_rate: 0.003", "tuning.learning_rate: Expected a range such as"),
    ],
)
def test_what_is_wrong_in_the_tuning_of_a_profile_is_one_line(tmp_path, tuning, expected):
    """The message names the profile's file and the key."""
    folder = parameters(tmp_path, MINE)
    changed(folder, "trials: 3, units: 2", tuning)
    message = refusal(load_profile, "mine", folder)
    assert message.startswith("mine.yaml: ")
    assert expected in message


def test_a_profile_without_tuning_searches_around_the_learning_rate_of_the_study():
    """The default range of the learning rate is on a log scale and has the untuned one inside."""
    found = Tuning().learning_rate
    assert found.scale == "log"
    assert found.low < Recipe().learning_rate < found.high
