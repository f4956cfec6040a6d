"""The technique that does nothing: the baseline on random streams of its own."""

from __future__ import annotations

import pytest
from engine import RECIPE, train_afresh, waves

from lstmstudy.techniques import Sham
from lstmstudy.training import train as training


def test_a_sham_differs_from_the_baseline_in_its_streams_alone():
    """Initial weights and the order of batches are others; structure, epochs and the compiled epoch are the same."""
    recipe = RECIPE.adding(Sham(strength=3))
    assert recipe.structure() == RECIPE.structure()
    sham, baseline = train_afresh(waves(), recipe), train_afresh(waves())
    assert sham.pairing.keys() == baseline.pairing.keys()
    for role, digest in sham.pairing.items():
        assert (digest == baseline.pairing[role]) == role.endswith("bias"), role
    n_train = max(len(fold.train.y) for fold in waves().folds)
    programs = [training._program(each, waves().info, n_train) for each in (recipe, RECIPE)]
    assert programs[0] is programs[1]


@pytest.mark.parametrize("other", [Sham(strength=4), Sham(strength=3, search=2)])
def test_every_strength_and_every_search_has_streams_of_its_own(other):
    """No two share initial weights or batches, so that whatever search finds among them is chance."""
    one, two = (train_afresh(waves(), RECIPE.adding(each)).pairing for each in (Sham(strength=3), other))
    assert all((one[role] == two[role]) == role.endswith("bias") for role in one)


def test_the_same_sham_is_the_same_run():
    """It is as repeatable as every other run."""
    one, two = (train_afresh(waves(), RECIPE.adding(Sham(strength=3))) for _ in range(2))
    assert one.pairing == two.pairing
    assert (one.curves["test/rmse"] == two.curves["test/rmse"]).all()


@pytest.mark.parametrize("settings", [{"strength": -1}, {"strength": 1.5}, {"search": 0}])
def test_a_sham_is_named_by_whole_numbers(settings):
    """Anything else is an error that says what came."""
    with pytest.raises(ValueError, match="Received: "):
        Sham(**settings)
