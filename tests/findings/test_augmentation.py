"""Findings on augmentations: examples drawn from data, what fits where, and several techniques side by side."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from engine import classification_task, forecasting_task

from lstmstudy import findings
from lstmstudy.data import CATALOG
from lstmstudy.figures.examples import plot_example
from lstmstudy.findings.augmentation import AUGMENTATIONS
from lstmstudy.params.grids import technique_grid
from lstmstudy.stats.effects import Effect
from lstmstudy.techniques import TECHNIQUES
from lstmstudy.training.program import limit_threads

limit_threads()

TASKS = ("sunspots", "japanese_vowels")


def small_study():
    """Return what the findings ask of a study: the grids, two tasks and their folds."""
    wave = np.sin(np.arange(150) / 3)
    tasks = {
        "sunspots": forecasting_task(wave, CATALOG["sunspots"]),
        "japanese_vowels": classification_task(CATALOG["japanese_vowels"], n_train=(40,)),
    }
    return SimpleNamespace(
        arms=lambda name: [SimpleNamespace(technique=technique) for technique in technique_grid(name)],
        fold=lambda task: tasks[task].folds[0],
        tasks=[tasks[name].info for name in TASKS],
    )


@pytest.fixture(scope="module")
def study():
    """Return the study, made once."""
    return small_study()


@pytest.fixture
def tables(monkeypatch):
    """Return the tables that are shown instead of showing them."""
    shown = []
    monkeypatch.setattr("lstmstudy.findings.augmentation.table", lambda frame, **_: shown.append(frame))
    return shown


def test_every_technique_that_changes_batches_is_an_augmentation():
    """The list is made from what techniques do, not typed."""
    assert set(AUGMENTATIONS) == {
        *("jitter", "scaling", "magnitude_warp", "time_warp", "window_slicing", "window_warp"),
        *("permutation", "mixup"),
    }
    for name in AUGMENTATIONS:
        assert {technique.strength for technique in technique_grid(name)}
        assert TECHNIQUES[name].reference


@pytest.mark.parametrize("task", TASKS)
def test_examples_show_a_real_sequence_and_what_becomes_of_it(study, task):
    """Grey is the first training sequence, over its own length and with a forecast's target; each draw differs."""
    finding = findings.augmented_examples(study, task)
    axes = finding.figure.axes
    assert len(axes) == len(AUGMENTATIONS) - (task == "sunspots")  # permutation makes no forecast
    part = study.fold(task).train
    length = int(part.lengths[0])
    whole = part.x[0, :length] if task != "sunspots" else np.concatenate([part.x[0], part.y[:1]])
    for ax in axes:
        original, *draws = (line.get_ydata() for line in ax.get_lines())
        assert any(np.array_equal(original, channel) for channel in whole.T)
        assert len({draw.tobytes() for draw in draws}) > 1
        assert all(draw.shape == original.shape for draw in draws)
    moved = 0.029 if task == "sunspots" else 0.03  # the target, one of 25 values, stays
    assert f"jitter 0.03 ({moved:.2g})" in finding.sentence
    assert finding.title.startswith(f"Jitter 0.03 moves values least, by {moved:.2g} standard deviations, ")
    assert finding.alt.startswith(f"A training sequence of {CATALOG[task].title} with {len(whole)} steps")


def test_examples_are_the_same_every_time(study):
    """Two calls draw the same lines: a report can be built again byte for byte."""
    lines = [
        [line.get_ydata().tobytes() for ax in finding.figure.axes for line in ax.get_lines()]
        for finding in (findings.augmented_examples(study, "sunspots") for _ in range(2))
    ]
    assert lines[0] == lines[1]


def test_what_fits_where_is_told_with_its_reason(study, tables):
    """The table has a row for each augmentation; the sentence names those that are unfit, or says that none is."""
    assert findings.fitness_table(study).endswith("permutation on Sunspots.")
    (frame,) = tables
    assert list(frame["Japanese vowels"]) == ["fits"] * len(AUGMENTATIONS)
    (row,) = frame[frame["Sunspots"] == "unfit"].to_dict("records")
    assert row["augmentation"] == "permutation"
    assert "order of the steps" in row["why not"]
    easy = SimpleNamespace(arms=study.arms, tasks=study.tasks[1:])
    assert findings.fitness_table(easy) == "All 8 augmentations make sense on every task."
    ahead = dataclasses.replace(CATALOG["sunspots"], horizon=2)
    assert "time warp on Sunspots" in findings.fitness_table(SimpleNamespace(arms=study.arms, tasks=[ahead]))


def test_a_profile_with_some_augmentations_shows_those(study, tables):
    """Augmentations that a profile lacks have no row, and their lack is no error."""
    few = SimpleNamespace(
        arms=lambda name: study.arms(name) if name in ("jitter", "scaling") else (), tasks=study.tasks
    )
    assert findings.fitness_table(few) == "All 2 augmentations make sense on every task."
    assert list(tables[0]["augmentation"]) == ["jitter", "scaling"]


@pytest.mark.parametrize("changed", [[], [np.zeros(3)]])
def test_an_example_without_draws_of_its_length_is_an_error(changed):
    """A figure never compares sequences of different lengths."""
    with pytest.raises(ValueError, match="Received: changed="):
        plot_example(np.zeros(4), changed, technique="jitter")


class Outcomes:
    """An ablation of two techniques, one of which fits one task only; strengths have made-up effects.

    Args:
        jitter: Test error with jitter, over that of the baseline.
        permutation: The same with permutation.
        margin: Half-width of the intervals of log ratios; NaN with too few units.
    """

    def __init__(self, jitter=0.8, permutation=1.25, margin=0.01):
        self.ratios = {"jitter": jitter, "permutation": permutation}
        self.margin = margin
        grids = [*technique_grid("jitter"), *technique_grid("permutation")]
        self.compared = [SimpleNamespace(name=each.label, technique=each) for each in grids]
        self.infos = [CATALOG[name] for name in TASKS]
        self.control = SimpleNamespace(name="baseline")

    def arms_of(self, technique):
        """Return the arms of one technique."""
        return [arm for arm in self.compared if arm.technique.name == technique]

    def fits(self, arm, task):
        """Whether an arm makes sense on a task."""
        return not arm.technique.unfit(CATALOG[task])

    def chosen(self, technique):
        """Return the strongest arm."""
        return self.arms_of(technique)[-1]

    def effects(self):
        """Return the effect of every arm."""
        return [self.effect(arm) for arm in self.compared]

    def effect(self, arm):
        """Return the effect of an arm: by default a fifth less error with jitter, a quarter more without."""
        value = np.log(self.ratios[arm.technique.name])
        return Effect(
            arm=arm.name,
            technique=arm.technique.name,
            variant="",
            strength=arm.technique.strength,
            task="all tasks",
            log_ratios=np.full(4, value),
            estimate=value,
            low=value - self.margin,
            high=value + self.margin,
            improvement=0.5,
        )


def test_strengths_of_several_techniques_have_a_panel_each():
    """Each panel is named by its technique; the texts give the chosen strengths and where one is unfit."""
    finding = findings.dose_responses(Outcomes())
    assert [ax.get_title(loc="left") for ax in finding.figure.axes] == ["jitter", "permutation"]
    assert [ax.get_xlabel() for ax in finding.figure.axes] == ["sd", "segments"]
    assert "jitter 0.3 \N{MINUS SIGN}20.0 %" in finding.sentence
    assert finding.title == (
        "1 of 2 techniques at strengths chosen on validation lowers the test error clearly, 1 raises it"
    )
    assert finding.sentence.endswith("Not all count on every task: permutation on Japanese vowels only.")


def test_arms_of_several_techniques_stand_in_one_figure():
    """Every arm has a row; the title counts those with an interval clear of no change, the sentence names them."""
    finding = findings.technique_effects(Outcomes())
    (ax,) = finding.figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [arm.name for arm in Outcomes().compared]
    assert finding.title == "3 of 6 arms lower the test error clearly, 3 raise it"
    fifth = "\N{MINUS SIGN}20.0 %"
    assert finding.sentence.startswith(
        f"95 % intervals wholly below no change: jitter 0.01 {fifth}, jitter 0.03 {fifth} and jitter 0.3 {fifth}; "
        "wholly above it: permutation 2 +25.0 %,"
    )
    assert "permutation on Japanese vowels only" in finding.sentence
    assert "permutation 8 +25.0 %" in finding.alt
