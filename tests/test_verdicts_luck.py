"""The luck of the search in verdicts: it is measured with arms that do nothing and counts where searches differ."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from judging import PROFILE, TASKS, Made

from lstmstudy.claims.table import load_claims
from lstmstudy.params.tuned import Tuned, load_tuned, save_tuned
from lstmstudy.stats.luck import luck_between
from lstmstudy.verdicts.luck import alike, known_luck
from lstmstudy.verdicts.measures import DECLARED, LAST
from lstmstudy.verdicts.rows import SHAM

pytest_plugins = ["judging"]
pytestmark = pytest.mark.usefixtures("quick")

WITH_SHAM = PROFILE.replace("layer_norm]\nunits", "layer_norm, sham]\nunits")
CLAIMS = """\
helps:
  words: L2 helps.
  chapter: 04_weight_penalties
  contrasts:
    - {arm: l2, control: baseline, expect: lower}
same:
  words: L2 at one rate helps.
  chapter: 04_weight_penalties
  contrasts:
    - {arm: l2, control: same learning rate, expect: lower}
reach:
  words: L2 is fast.
  chapter: 04_weight_penalties
  contrasts:
    - {quantity: updates to level, arm: l2, control: baseline, expect: lower}
agree:
  words: L2 agrees.
  chapter: 04_weight_penalties
  contrasts:
    - {quantity: spread, arm: l2, control: baseline, expect: lower}
"""
LUCK = 0.12  # standard deviation of an arm's luck on a task


def searched_apart(folder):
    """Give every arm of a ``tuned.yaml`` a learning rate of its own."""
    tuned = load_tuned(folder)
    sizes = {}
    for size, tasks in tuned.sizes.items():
        sizes[size] = {}
        for task, arms in tasks.items():
            found = {}
            for number, (key, each) in enumerate(arms.items()):
                trial = each.best.model_copy(update={"learning_rate": 0.001 + 1e-5 * number})
                found[key] = each.model_copy(update={"best": trial, "trials": [trial]})
            sizes[size][task] = found
    save_tuned(Tuned(sizes), folder)


def study(folder, *, apart=True, profile=WITH_SHAM, effect=-0.1):
    """Return a study in which L2 helps by `effect` and every other difference is the luck of a search."""
    made = Made(folder, CLAIMS, profile)
    if apart:
        searched_apart(made.folder)
        made.plan = made.plan_of(made.folder)
    rng = np.random.default_rng(7)
    for task in TASKS:
        for number in range(1, 9):
            made.effects[f"sham {number}", task] = LUCK * rng.normal()
    made.effects["l2"] = effect
    made.noise = 0.04
    return made


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """Return a study whose arms were searched apart, with its table of units."""
    made = study(tmp_path_factory.mktemp("apart"))
    made.table = made.rows()
    return made


def test_luck_is_that_between_the_baseline_and_all_shams(apart):
    """On each task it comes from nine arms in the units of the study, on the scale of log ratios."""
    luck = known_luck(apart.table).by_view[DECLARED]
    assert list(luck) == list(TASKS)
    for task, each in alike(apart.table).items():
        assert each.numbers.shape == (9, 12)
        own = [row for row in apart.table if (row.claim, row.view, row.task) == (SHAM, DECLARED, task)]
        np.testing.assert_allclose(each.numbers[0], np.log([row.control for row in own[:12]]))
        np.testing.assert_allclose(each.numbers[8], np.log([row.arm for row in own[-12:]]))
        assert luck[task] == luck_between(each.numbers)
        assert 0.3 * LUCK < math.sqrt(luck[task].variance / 2) < 2 * LUCK


def test_an_effect_that_units_alone_would_show_must_exceed_the_luck(apart, tmp_path):
    """L2 helps by a tenth in every unit, which searches alone could have done: only without shams it is supported."""
    found = apart.found(apart.table)["helps"]
    assert found.verdict == "inconclusive"
    first = found.contrasts[0]
    expected = sum(float(each.variance) for each in known_luck(apart.table).by_view[DECLARED].values())
    assert first.luck == pytest.approx(math.sqrt(expected) / 3, rel=1e-5)
    assert first.low < first.estimate - 2 * first.luck
    assert first.high > first.estimate + 2 * first.luck
    without = study(tmp_path, profile=PROFILE).found()["helps"]
    assert without.verdict == "supported"
    assert without.contrasts[0].luck is None
    assert without.contrasts[0].estimate == pytest.approx(first.estimate, abs=0.05)


def test_a_large_effect_is_supported_all_the_same(tmp_path):
    """Half of the error is more than any luck here."""
    assert study(tmp_path, effect=-0.7).found()["helps"].verdict == "supported"


def test_luck_is_no_part_of_what_was_not_searched_apart(apart, tmp_path):
    """Neither at one learning rate of two arms nor where all searches chose the same one."""
    same = apart.found(apart.table)["same"]
    assert same.contrasts[0].luck is None
    assert same.verdict == "supported"
    together = study(tmp_path, apart=False)
    rows = together.rows()
    assert known_luck(rows)
    assert not any(row.searched_apart for row in rows)
    found = together.found(rows)["helps"]
    assert found.contrasts[0].luck is None
    assert found.verdict == "supported"


def test_too_few_shams_tell_no_luck(apart):
    """Six arms that do nothing are enough, five are not; then units alone decide."""
    for shams, known in ((5, True), (4, False)):
        rows = [row for row in apart.table if row.claim != SHAM or row.contrast < shams]
        assert bool(known_luck(rows)) == known
        assert (apart.found(rows)["helps"].contrasts[0].luck is not None) == known


def test_every_quantity_has_luck_of_its_own_or_says_that_it_lacks_it(apart):
    """Epochs to a level have that of these epochs; a spread takes twins, which shams have not, and is marked."""
    luck = known_luck(apart.table).by_view
    assert set(luck) == {DECLARED, f"test error {LAST}", "updates to level"}
    assert {task: each.variance for task, each in luck["updates to level"].items()} != {
        task: each.variance for task, each in luck[DECLARED].items()
    }
    found = apart.found(apart.table)
    assert found["reach"].contrasts[0].luck is not None
    assert found["agree"].contrasts[0].luck is None
    assert {name: "blind to the luck of the search" in claim.marks for name, claim in found.items()} == {
        "helps": False,
        "same": False,
        "reach": False,
        "agree": True,
    }


def test_both_arms_read_at_the_last_epoch_have_the_luck_of_that_reading(apart):
    """Where shams differ more in the end, the verdict at the last epoch knows it."""
    louder = [
        dataclasses.replace(row, arm=row.arm * math.exp(0.5 * (row.contrast - 4)))
        if (row.claim, row.view) == (SHAM, f"test error {LAST}")
        else row
        for row in apart.table
    ]
    claim = load_claims(apart.folder)["helps"]
    (contrast,) = claim.contrasts
    own = [row for row in apart.table if (row.claim, row.view) == ("helps", LAST)]
    for task, luck in known_luck(louder).on(contrast, own).items():
        assert luck.variance > 1
        assert known_luck(apart.table).on(contrast, own)[task].variance < 0.1


def test_units_that_a_sham_lacks_count_in_none(apart):
    """The arms that do nothing are compared in the units that all of them have."""
    first = next(row for row in apart.table if row.claim == SHAM)
    rows = [row for row in apart.table if row != first]
    assert alike(rows)[first.task].numbers.shape == (9, 11)
    assert known_luck(rows).by_view[DECLARED].keys() == set(TASKS)
