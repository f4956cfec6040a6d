"""The bundle and the trio: several techniques under one name, which train what their parts train."""

from __future__ import annotations

import pytest
from planning import parameters, plan_of, refusal, task_of

from lstmstudy.data import CATALOG
from lstmstudy.plan import Unit
from lstmstudy.recipe import Recipe
from lstmstudy.runs import Run
from lstmstudy.techniques import (
    L2,
    TECHNIQUES,
    Bundle,
    Dropout,
    GradientClipping,
    LayerNorm,
    Permutation,
    Trio,
)
from lstmstudy.techniques.combination import Combination

PARTS = {
    Trio(0.3, 0.01, 3): (Dropout(0.3), L2(0.01, matrices="kernel")),
    Bundle(0.3, 0.01, 3, 1.0): (
        Dropout(0.3),
        L2(0.01, matrices="kernel"),
        LayerNorm(),
        GradientClipping(1.0, per="variable"),
    ),
}
MINE = """\
tasks: [sunspots, digits_rows]
techniques: [trio, bundle]
units: 2
network: {layers: 2, width: 8}
training: {epochs: 6, batch_size: 32, learning_rate: 0.003}
"""
each = pytest.mark.parametrize(("combination", "parts"), PARTS.items(), ids=["trio", "bundle"])


def identity(recipe):
    """Return the identity of a run of a recipe."""
    task = task_of("sunspots")
    return Run(recipe, task.info.name, task.content, 0, 0).identity


@each
def test_a_combination_trains_the_run_of_its_parts(combination, parts):
    """A recipe with the combination equals the one with its parts, in any order, and has its identity."""
    together = Recipe().adding(combination)
    apart = Recipe().adding(*reversed(parts))
    assert together == apart
    assert identity(together) == identity(apart)
    assert together.describe() == apart.describe()
    assert not any(isinstance(technique, Combination) for technique in together.techniques)
    assert identity(together) != identity(Recipe())


@each
def test_a_combination_has_the_strengths_that_are_asked_for(combination, parts):
    """Each part alone is less than the whole, and other strengths are another run."""
    whole = identity(Recipe().adding(combination))
    assert whole not in {identity(Recipe().adding(part)) for part in parts}
    other = type(combination)(**{**combination.settings(), "rate": 0.4})
    assert identity(Recipe().adding(other)) != whole
    assert other.parts()[0] == Dropout(0.4)


@each
def test_the_patience_trains_nothing_else(combination, parts):
    """Stopping is the reading: other patiences share the run, and each is read at its own."""
    patient = type(combination)(**{**combination.settings(), "patience": 20})
    assert Recipe().adding(patient) == Recipe().adding(combination) == Recipe().adding(*parts)
    assert (combination.reading, patient.reading) == ("patience 3", "patience 20")
    assert patient.label != combination.label


@each
def test_parts_that_are_off_are_dropped(combination, parts):
    """A rate of 0 leaves the other parts, and a coefficient of 0 too."""
    del parts
    settings = combination.settings()
    without_dropout = type(combination)(**{**settings, "rate": 0.0})
    without_price = type(combination)(**{**settings, "l2": 0.0})
    names = {technique.name for technique in Recipe().adding(combination).techniques}
    assert {each.name for each in Recipe().adding(without_dropout).techniques} == names - {"dropout"}
    assert {each.name for each in Recipe().adding(without_price).techniques} == names - {"l2"}
    assert without_dropout.strength == without_price.strength == combination.strength - 1
    assert "dropout" not in without_dropout.label


def test_a_combination_is_off_when_all_of_its_parts_are():
    """The trio without dropout and L2 trains the baseline; the bundle always has a normalization."""
    off = Trio(0.0, 0.0, 3)
    assert off.is_off
    assert Recipe().adding(off) == Recipe()
    assert identity(Recipe().adding(off)) == identity(Recipe())
    assert not Trio(0.1, 0.0, 3).is_off
    assert not Trio(0.0, 0.1, 3).is_off
    assert not Bundle(0.0, 0.0, 3, 1.0).is_off


@each
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("rate", 1.0),
        ("rate", -0.1),
        ("l2", -1.0),
        ("patience", 0),
        ("patience", 2.5),
        ("patience", True),
        ("norm", 0.0),
    ],
)
def test_wrong_settings_are_errors_that_end_with_what_came(combination, parts, setting, value):
    """A combination refuses what its parts refuse, and a patience that never waits."""
    del parts
    if setting not in combination.settings():
        return
    with pytest.raises(ValueError, match=rf"Received: \w+={value}$"):
        type(combination)(**{**combination.settings(), setting: value})


def test_the_bundle_needs_two_layers_and_the_trio_does_not():
    """Layer norm stands between LSTM layers."""
    with pytest.raises(ValueError, match=r"at least two of them. Received: layers=1"):
        Recipe(layers=1).adding(Bundle(0.3, 0.01, 3, 1.0))
    assert len(Recipe(layers=1).adding(Trio(0.3, 0.01, 3)).techniques) == 2


@each
def test_a_combination_and_one_of_its_parts_are_the_part_twice(combination, parts):
    """A recipe has each technique once, in a combination too."""
    with pytest.raises(ValueError, match="each technique once"):
        Recipe().adding(combination, parts[0])


@each
def test_a_combination_makes_sense_where_all_of_its_parts_do(combination, parts, monkeypatch):
    """Its parts make sense on every task; with one that does not, it does not either."""
    assert not any(combination.unfit(info) for info in CATALOG.values())
    monkeypatch.setattr(type(combination), "parts", lambda _: (*parts, Permutation(4)))
    assert "order of the steps" in combination.unfit(CATALOG["sunspots"])
    assert combination.unfit(CATALOG["digits_rows"]) == ""


def test_the_bundle_has_everything_that_the_trio_has():
    """With equal settings the parts of the trio are among those of the bundle."""
    trio, bundle = PARTS
    assert set(trio.parts()) < set(bundle.parts())
    assert {name for name, technique in TECHNIQUES.items() if issubclass(technique, Combination)} == {
        "trio",
        "bundle",
    }


@each
def test_an_arm_of_a_combination_is_read_at_its_patience(combination, parts, tmp_path):
    """The arm of the grid has the guide's strengths, the recipe of the parts, and the baseline as control."""
    plan = plan_of(parameters(tmp_path, MINE))
    (arm,) = plan.arms(combination.name)
    assert (arm.technique, arm.reading) == (combination, "patience 3")
    assert arm.recipe == plan.baseline.recipe.adding(*parts)
    assert arm.control == plan.baseline
    unit = Unit("sunspots", 0, 0)
    assert plan.run(arm.recipe, unit) == plan.run(plan.baseline.recipe.adding(*parts), unit)


def test_a_profile_with_one_layer_cannot_have_the_bundle(tmp_path):
    """The message names the profile and the technique."""
    plan = plan_of(parameters(tmp_path, MINE.replace("layers: 2", "layers: 1")))
    message = refusal(plan.arms, "bundle")
    assert message.startswith("mine.yaml: techniques: bundle: layer norm stands between LSTM layers.")
    assert len(plan.arms("trio")) == 1
