"""Compiling, written-out gradients and shared structures change no result: the plain path gives the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import plain_loop
import pytest
from engine import RECIPE, searched, syllables, train_afresh, waves
from updating import eagerly

from lstmstudy.layers.recurrence import Recurrence
from lstmstudy.params.search import ends
from lstmstudy.techniques import TECHNIQUES

LONGEST = 10  # epochs; schedules with cycles ask for several


def technique_of(key, entry):
    """Return a technique at the strong end of its search."""
    name = next(name for name in sorted(TECHNIQUES, key=len, reverse=True) if key.split()[0] == name)
    return TECHNIQUES[name](**ends(entry)[-1])


def recipe_with(technique):
    """Return a recipe with a technique, or with one of its members, in three epochs or as many as it needs."""
    for epochs in range(RECIPE.epochs, LONGEST):
        base = dataclasses.replace(RECIPE, epochs=epochs)
        try:
            return [*technique.members(base), base.adding(technique)][0]
        except ValueError:
            continue
    raise AssertionError(technique)


# Of the sham technique one search is enough: the others only draw from other streams.
KEYS = [key for key in searched() if not key.startswith("sham ") or key == "sham search=1"]


@pytest.mark.parametrize("key", ["baseline", *KEYS])
def test_the_fast_path_equals_the_plain_one(key, monkeypatch):
    """Every curve over all epochs, to 1e-4: compiled, against line by line with automatic differentiation.

    To 1e-3 with layer norm in the cell, which enlarges rounding: h U has no variance at the first step.
    """
    task, recipe = waves(), RECIPE
    if key != "baseline":
        technique = technique_of(key, searched()[key])
        task = syllables() if technique.unfit(task.info) else task
        recipe = recipe_with(technique)
    fast = train_afresh(task, recipe, seed=3)
    monkeypatch.setattr(Recurrence, "run", plain_loop.run)
    with eagerly():
        plain = train_afresh(task, recipe, seed=3)
    assert fast.diverged is None
    assert fast.pairing == plain.pairing
    rtol = 1e-3 if key.startswith("cell_layer_norm") else 1e-4
    for name, curve in fast.curves.items():
        np.testing.assert_allclose(plain.curves[name], curve, rtol=rtol, atol=1e-6, err_msg=name)
