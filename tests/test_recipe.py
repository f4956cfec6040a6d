"""Recipes: what is off is not there, and what trains the same model is equal."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re

import pytest
from engine import ARMS, ON, RECIPE, run_of, waves

from lstmstudy.params.grids import technique_grid
from lstmstudy.recipe import Recipe
from lstmstudy.source import module_path
from lstmstudy.techniques import (
    L1,
    L1L2,
    L2,
    TECHNIQUES,
    Averaging,
    Bagging,
    BatchNorm,
    Boosting,
    Bundle,
    CellLayerNorm,
    Dropout,
    EarlyStopping,
    GradientClipping,
    GradientNoise,
    Jitter,
    LayerNorm,
    MagnitudeWarp,
    MaxNorm,
    Mixup,
    MonteCarloDropout,
    Permutation,
    RecurrentBatchNorm,
    RecurrentDropout,
    Scaling,
    Sham,
    Snapshots,
    Technique,
    TimeWarp,
    Trio,
    WeightAveraging,
    WeightDecay,
    WeightDrop,
    WindowSlicing,
    WindowWarp,
    Zoneout,
)

OFF = [
    Dropout(0),
    Dropout(0.0, "sequence"),
    RecurrentDropout(0.0, "step"),
    RecurrentDropout(0.0, "sequence"),
    RecurrentDropout(0.0, "candidate"),
    Zoneout(0.0, 0.0),
    WeightDrop(0.0),
    L1(0.0),
    L2(0.0, matrices="kernel"),
    L1L2(0.0, 0.0),
    WeightDecay(0.0),
    MaxNorm(math.inf),
    GradientNoise(0.0),
    GradientClipping(math.inf),
    Jitter(0.0),
    Scaling(0.0),
    MagnitudeWarp(0.0),
    TimeWarp(0.0),
    WindowSlicing(0.0),
    WindowWarp(0.0),
    Permutation(1),
    Mixup(0.0),
    Averaging(1),
    Bagging(1, 0),
    Boosting(1, 1.0),
    Snapshots(0),
    WeightAveraging(0.0),
    MonteCarloDropout(0.0),
    Trio(rate=0.0, l2=0.0, patience=3),
    Sham(strength=0),
]
# Normalization is there or not: it has no strength that would leave what is normalized as it is.
NEVER_OFF = {LayerNorm, CellLayerNorm, BatchNorm, RecurrentBatchNorm, Bundle}
TRAINED = [technique for technique in TECHNIQUES.values() if not technique.is_reading]


@pytest.mark.parametrize("technique", OFF, ids=repr)
def test_an_off_technique_has_the_identity_of_the_baseline(technique):
    """A technique at its off value leaves recipe, structure and identity of the baseline."""
    recipe = RECIPE.adding(technique)
    assert technique.is_off
    assert recipe == RECIPE
    assert recipe.structure() == RECIPE.structure()
    assert run_of(waves(), recipe).identity == run_of(waves()).identity


def test_every_technique_that_trains_has_its_off_values_tested_here():
    """The list of off values above knows every technique of the registry; others are never off."""
    assert {type(technique) for technique in OFF} == set(TRAINED) - NEVER_OFF
    assert not any(arm.is_off for technique in NEVER_OFF for arm in technique_grid(technique.name))


def test_the_order_of_techniques_does_not_count():
    """Recipes with the same techniques are equal, however they were put together."""
    one, two = Dropout(0.2), RecurrentDropout(0.4)
    recipes = [
        RECIPE.adding(one, two),
        RECIPE.adding(two, one),
        RECIPE.adding(two).adding(one),
        RECIPE.adding(Dropout(0.0)).adding(two, one),
    ]
    assert len(set(recipes)) == 1
    assert len({run_of(waves(), recipe).identity for recipe in recipes}) == 1


def test_one_technique_twice_is_an_error():
    """Two settings of one technique cannot be trained together; the error names them."""
    with pytest.raises(ValueError, match=r"Received: techniques=\['dropout', 'dropout'\]$"):
        RECIPE.adding(Dropout(0.2), Dropout(0.3, "sequence"))


@pytest.mark.parametrize("patience", [0, 3])
def test_a_reading_is_no_part_of_a_recipe(patience):
    """Early stopping reads a trajectory; a recipe refuses it, on or off."""
    with pytest.raises(ValueError, match=rf"Received: EarlyStopping\(patience={patience}\)$"):
        RECIPE.adding(EarlyStopping(patience))


def test_rates_and_learning_rate_are_values_of_one_structure():
    """A compiled epoch serves every strength, learning rate and length of training."""
    for low, high in ((Dropout(0.1), Dropout(0.6)), (RecurrentDropout(0.1), RecurrentDropout(0.6))):
        recipe = RECIPE.adding(low)
        other = dataclasses.replace(RECIPE, learning_rate=0.5, epochs=7).adding(high)
        assert recipe.structure() == other.structure()


def test_what_is_built_differently_has_a_structure_of_its_own():
    """Size, batch size, and every form of every technique are compiled apart."""
    recipes = [
        *ARMS.values(),
        dataclasses.replace(RECIPE, layers=1),
        dataclasses.replace(RECIPE, width=5),
        dataclasses.replace(RECIPE, batch_size=9),
        RECIPE.adding(Dropout(0.3), RecurrentDropout(0.3)),
    ]
    assert len({recipe.structure() for recipe in recipes}) == len(recipes)


@pytest.mark.parametrize("recipe", ARMS.values(), ids=ARMS)
def test_a_recipe_is_described_by_plain_values_and_completely(recipe):
    """The description survives JSON, has every field, and has every setting of each technique."""
    plain = recipe.describe()
    assert json.loads(json.dumps(plain)) == plain
    assert set(plain) == {field.name for field in dataclasses.fields(Recipe)}
    for technique in recipe.techniques:
        assert plain["techniques"][technique.name] == dataclasses.asdict(technique)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, float("nan"), float("inf"), True, "0.3", None], ids=repr)
@pytest.mark.parametrize("technique", [Dropout, RecurrentDropout])
def test_a_bad_rate_is_an_error_that_ends_with_what_came(technique, rate):
    """Only numbers in [0, 1) are rates; nothing is clamped."""
    with pytest.raises(ValueError, match=re.escape(f"Received: rate={rate!r}") + "$"):
        technique(rate)


def test_a_bad_choice_or_patience_is_an_error_that_ends_with_what_came():
    """A form that does not exist, and a patience that is no count, are refused."""
    with pytest.raises(ValueError, match=r"Received: per='batch'$"):
        Dropout(0.3, "batch")
    with pytest.raises(ValueError, match=r"Received: form='gates'$"):
        RecurrentDropout(0.3, "gates")
    for patience in (-1, 2.0, True):
        with pytest.raises(ValueError, match=rf"Received: patience={patience}$"):
            EarlyStopping(patience)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_technique_declares_everything_about_itself(name):
    """Title and reference are given, its values are settings of it, and its further code can be imported."""
    technique = TECHNIQUES[name]
    assert technique.title
    assert re.search(r"\d{4}|no published source", technique.reference)
    assert set(technique.values) <= {field.name for field in dataclasses.fields(technique)}
    assert all(module_path(module).is_file() for module in technique.modules)


def test_labels_tell_all_settings_apart():
    """No two arms of the study share a name."""
    rates = (0.1, 0.25, 0.3, 0.5)
    settings = [
        *itertools.starmap(Dropout, itertools.product(rates, ("step", "sequence"))),
        *itertools.starmap(RecurrentDropout, itertools.product(rates, ("step", "sequence", "candidate"))),
        *map(EarlyStopping, (1, 3, 5, 10, 20)),
    ]
    assert len({technique.label for technique in settings}) == len(settings)
    assert all(f"{technique.strength:g}" in technique.label for technique in settings)


def test_a_technique_that_declares_nothing_says_so():
    """The base class answers no question that only a technique can answer."""
    nothing = Technique()
    with pytest.raises(AttributeError, match="Technique does not say which settings are off"):
        _ = nothing.is_off
    with pytest.raises(AttributeError, match="Technique does not name its strength"):
        _ = nothing.strength
    assert nothing.before_lstm("x_1") is None
    assert nothing.in_cell("x_1") is None


def test_early_stopping_at_zero_is_the_last_epoch():
    """Its off value reads the baseline to its end; every other patience names its reading."""
    assert EarlyStopping(0).is_off
    assert EarlyStopping(0).reading == "last"
    assert not EarlyStopping(3).is_off
    assert EarlyStopping(3).reading == "patience 3"


def test_every_form_of_the_two_dropouts_is_among_the_arms():
    """The arms that the tests of the engine train have all of their forms; other techniques have tests of their own."""
    forms = {
        (type(technique), getattr(technique, "per", None), getattr(technique, "form", None))
        for technique in ON.values()
    }
    assert forms == {
        (Dropout, "step", None),
        (Dropout, "sequence", None),
        (RecurrentDropout, None, "step"),
        (RecurrentDropout, None, "sequence"),
        (RecurrentDropout, None, "candidate"),
    }


def test_a_technique_stands_in_a_file_of_its_name():
    """What a technique of one's own may not be called follows from the names of the files."""
    assert {cls.__module__.rpartition(".")[2] for cls in TECHNIQUES.values()} == set(TECHNIQUES)
