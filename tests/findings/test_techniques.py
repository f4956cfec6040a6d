"""Findings: every number in a title or sentence comes from outcomes, and a diverged run is told like any other."""

from __future__ import annotations

import importlib
import shutil

import numpy as np
import pytest
from engine import made_outcome, made_result, stand_in, write_tuned
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lstmstudy import findings, paths
from lstmstudy.data.cache import task_cache
from lstmstudy.study.study import open_study
from lstmstudy.techniques import Dropout, EarlyStopping

PROFILE = """\
tasks: [sunspots, digits_rows]
techniques: [dropout, recurrent_dropout, early_stopping]
units: 6
network: {layers: 1, width: 4}
training: {epochs: 6, batch_size: 32, learning_rate: 0.003}
grids:
  dropout: {rate: [0.1, 0.3], per: [step]}
  recurrent_dropout: {rate: [0.2], form: [sequence]}
  early_stopping: {patience: [1, 2]}
"""
METRICS = {"sunspots": "rmse", "digits_rows": "cross_entropy"}
FALLING = np.array([1.0, 0.8, 0.5, 0.6, 0.7, 1.0])  # selected: epoch 3; the last error is twice as high
ARMS = {  # validation and test error, over the baseline's
    "baseline": (1.0, 1.0),
    "dropout 0.1 per step": (0.95, 0.95),
    "dropout 0.3 per step": (0.8, 0.8),
    "recurrent dropout 0.2 per sequence": (1.1, 1.2),
}


def grid(study):
    """Return the arms of every technique's grid."""
    return [arm for technique in study.profile.techniques for arm in study.arms(technique)]


class Bench:
    """A study of tiny tasks with outcomes that were made up."""

    def __init__(self, folder):
        store = folder / "store"
        shutil.copytree(paths.PARAMS / "techniques", folder / "params" / "techniques")
        (folder / "params" / "mine.yaml").write_text(PROFILE, encoding="utf-8")
        for name in METRICS:
            stand_in(task_cache(store), name)
        write_tuned(folder / "params", METRICS)
        self.study = open_study("mine", store=store, folder=folder / "params")
        for arm, (validation, test) in ARMS.items():
            for task in METRICS:
                for seed in range(6):
                    self.store(arm, task, seed, validation * FALLING, test * FALLING)

    def run(self, arm, task, seed):
        """Return a run by the name of its arm."""
        arms = {each.name: each for each in (self.study.baseline, *grid(self.study))}
        return self.study.plan.run(arms[arm].recipe, self.study.plan.units(task, 6)[seed])

    def remove(self, arm, task, seed):
        """Take an outcome away, if it is there."""
        for path in self.study.store.folder.glob(f"{self.run(arm, task, seed).identity}-*"):
            path.unlink()

    def store(self, arm, task, seed, validation, test, **others):
        """Put an outcome in the place of the one that is there."""
        self.remove(arm, task, seed)
        seconds = others.pop("seconds", 2.0)
        result = made_result(validation, test, metric=METRICS[task], seed=seed, **others)
        self.study.store.save(made_outcome(self.run(arm, task, seed).identity, result, seconds))

    def diverge(self, arm, task, seeds, epochs):
        """Let runs diverge after some epochs."""
        curve = np.where(np.arange(len(FALLING)) < epochs, FALLING, np.nan)
        for seed in seeds:
            self.store(arm, task, seed, curve, curve, diverged=f"training loss nan in epoch {epochs + 1}")

    def ablate(self):
        """Return every arm of the profile beside the baseline; everything is stored, so nothing is trained."""
        study = open_study("mine", store=self.study.store.folder, folder=self.study.plan.folder)
        return study.ablate(*grid(study))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return a folder with the study, made once; read only."""
    return Bench(tmp_path_factory.mktemp("bench")).study.store.folder.parent


def copied(prepared, folder):
    """Return a copy of the study, put into a folder."""
    shutil.copytree(prepared, folder)
    own = object.__new__(Bench)
    own.study = open_study("mine", store=folder / "store", folder=folder / "params")
    return own


@pytest.fixture
def bench(prepared, tmp_path, monkeypatch):
    """Return a study of the test's own; whatever is missing in it cannot be trained."""
    monkeypatch.setattr("lstmstudy.workers.missing.train_all", lambda *_, **__: [])
    return copied(prepared, tmp_path / "bench")


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    """Return the tables that are shown, by caption, instead of showing them."""
    shown = {}

    def keep(frame, *, caption):
        shown[caption] = frame

    for name in ("cost", "overfitting", "by_task"):  # a function hides the module of its name
        monkeypatch.setattr(importlib.import_module(f"lstmstudy.findings.{name}"), "table", keep)
    return shown


def figures(ablation):
    """Return every finding that has a figure, by name, with its figure closed."""
    baseline = ablation.plan.baseline
    made = {
        "learning_curves": findings.learning_curves(ablation, baseline),
        "learning_curves of an arm": findings.learning_curves(ablation, ablation.arms_of("dropout")[1]),
        "stopping": findings.stopping(ablation),
        "dose_responses": findings.dose_responses(ablation),
        "technique_effects": findings.technique_effects(ablation),
        "arm_curves of dropout": findings.arm_curves(ablation, "dropout"),
        "dose_response of dropout": findings.dose_response(ablation, "dropout"),
        "paired_differences of dropout": findings.paired_differences(ablation, "dropout"),
        "paired_differences of early_stopping": findings.paired_differences(ablation, "early_stopping"),
    }
    plt.close("all")
    return made


def sentences(ablation, shown=None):
    """Return every title and sentence that the study can say, by the name of its finding."""
    shown = shown or figures(ablation)
    return {
        **{name: f"{finding.title}. {finding.sentence}" for name, finding in shown.items()},
        "reference_table": findings.reference_table(ablation, ablation.plan.baseline),
        "task_table": findings.task_table(ablation),
        "cost_table": findings.cost_table(ablation, ()),
    }


def test_everything_that_a_notebook_shows_is_tested_here(bench):
    """Each public finding is among those that these tests ask for, or has tests in a file for its chapter."""
    asked = {name.partition(" ")[0] for name in sentences(bench.ablate())}
    public = {name for name in vars(findings) if callable(vars(findings)[name])} - {"Finding", "show"}
    assert asked <= public
    tests = paths.ROOT / "tests"
    files = [*(tests / "findings").glob("test_*.py"), *(tests / "semantics").glob("test_*.py")]
    # Titles call every finding, and ask for nothing but the form of one sentence.
    chapters = [path.read_text(encoding="utf-8") for path in files if path.stem != "test_titles"]
    for name in public - asked:
        assert any(f"{name}(" in text for text in chapters), name


def test_arms_that_a_profile_lacks_are_told_in_words(bench):
    """A finding about arms that are not there is a sentence, in a figure's place too."""
    empty = bench.study.ablate()
    assert bench.study.arms("zoneout") == bench.study.tuned("zoneout") == ()
    for find in (
        findings.technique_effects,
        findings.dose_responses,
        findings.task_table,
        findings.batch_sizes,
    ):
        assert find(empty) == "This profile has no such arms."
    assert findings.dose_response(bench.ablate(), "zoneout") == "This profile has no arm of zoneout."
    assert findings.estimate_bias(empty) == "This profile trains no validation schemes."


def test_every_finding_has_a_figure_a_description_a_title_and_a_sentence(bench):
    """Both texts are sentences of more than a few words with a number in them; the title is more than a word."""
    for name, finding in figures(bench.ablate()).items():
        assert isinstance(finding.figure, Figure), name
        assert len(finding.title.split()) > 5, name
        for text in (finding.alt, finding.sentence):
            assert len(text.split()) > 5, name
            assert text.endswith("."), name
        assert any(character.isdigit() for character in finding.sentence + finding.alt), name


def test_sentences_carry_the_numbers_of_the_outcomes(bench, tables):
    """Errors of 0.8 times the baseline's are told as a change of 20 %, and so on for every finding."""
    said = sentences(bench.ablate())
    fifth = "\N{MINUS SIGN}20.0 % (95 % interval \N{MINUS SIGN}20.0 % to \N{MINUS SIGN}20.0 %)"
    half = "\N{MINUS SIGN}50.0 % (95 % interval \N{MINUS SIGN}50.0 % to \N{MINUS SIGN}50.0 %)"
    assert said["dose_response of dropout"].startswith(
        "Validation chooses dropout 0.3 per step, which lowers the test error clearly, by 20 %. "
        f"Dropout 0.3 per step changes the test error by {fifth}"
    )
    assert f"dropout 0.3 per step {fifth}" in said["dose_responses"]
    assert "recurrent dropout 0.2 per sequence +20.0 %" in said["dose_responses"]
    assert "wholly above it: recurrent dropout 0.2 per sequence +20.0 %" in said["technique_effects"]
    assert said["learning_curves"].startswith(
        "Training to the last epoch raises the baseline's test error by 100 %, clearly on both tasks. "
    )
    assert "+100.0 % (95 % interval +100.0 % to +100.0 %)" in said["learning_curves"]
    assert said["paired_differences of dropout"].startswith(
        "Both arms with dropout lower the test error clearly. Change of the test error: dropout 0.1 per step"
    )
    assert f"dropout 0.3 per step {fifth}" in said["paired_differences of dropout"]
    assert "over 12 paired units" in said["paired_differences of dropout"]
    assert "the selected epoch stays where the baseline has it" in said["arm_curves of dropout"]
    assert "3 against 3 on Sunspots" in said["arm_curves of dropout"]
    # Patience 1 stops after epoch 4 and goes back to epoch 3: half the error of the last epoch.
    assert (
        f"validation chooses 1: test error {half} against the last epoch, after 4.0 of 6" in said["stopping"]
    )
    assert "None of 3 techniques" in said["task_table"]
    assert len(tables) == 3


def test_a_changed_outcome_changes_the_sentences(bench):
    """With other test errors of an arm its sentences differ, and those that do not speak of it stay."""
    before = sentences(bench.ablate())
    for task in METRICS:
        for seed in range(6):
            bench.store("dropout 0.3 per step", task, seed, 0.8 * FALLING, 0.6 * FALLING)
    after = sentences(bench.ablate())
    changed = {name for name in before if before[name] != after[name]}
    assert {"dose_response of dropout", "dose_responses", "technique_effects"} <= changed
    assert "lowers the test error clearly, by 40 %" in after["dose_response of dropout"]
    assert "\N{MINUS SIGN}40.0 %" in after["dose_response of dropout"]
    assert (
        not {"learning_curves", "stopping", "reference_table", "paired_differences of early_stopping"}
        & changed
    )


def test_the_chosen_strength_is_the_one_of_validation(bench):
    """An arm with the best test error and a worse validation error is not chosen."""
    for task in METRICS:
        for seed in range(6):
            bench.store("dropout 0.1 per step", task, seed, 0.95 * FALLING, 0.1 * FALLING)
    ablation = bench.ablate()
    chosen = "dropout 0.3 per step"
    assert f"Validation chooses {chosen}, which" in findings.dose_response(ablation, "dropout").title
    assert f"{chosen} \N{MINUS SIGN}20.0 %" in findings.dose_responses(ablation).sentence


def test_a_technique_that_turns_with_the_task_is_named(bench, tables):
    """Better on one task and worse on the other, each with an interval clear of zero, is said so."""
    for seed in range(6):
        bench.store("recurrent dropout 0.2 per sequence", "sunspots", seed, 1.1 * FALLING, 0.7 * FALLING)
    said = findings.task_table(bench.ablate())
    assert said.startswith("Of 3 techniques, 1 depend")
    assert "recurrent dropout 0.2 per sequence (better on Sunspots, worse on Digits by rows)" in said
    (frame,) = tables.values()
    assert len(frame) == 3


def test_a_network_that_loses_to_a_simple_method_is_told(bench, tables):
    """The stand-in references have errors of 1.0 and 1.1: below them it wins, above them it loses."""
    ablation = bench.ablate()
    assert findings.reference_table(ablation, ablation.plan.baseline).startswith("The baseline beats every")
    for seed in range(6):
        bench.store("baseline", "sunspots", seed, FALLING, 4 * FALLING)
    ablation = bench.ablate()
    said = findings.reference_table(ablation, ablation.plan.baseline)
    assert said == ("The baseline loses to a simple method on 1 of 2 tasks: Sunspots (2 against 1 of naive).")
    (frame,) = tables.values()
    assert list(frame["test"]) == [2.0, 0.5]


def test_the_dearest_technique_is_told_by_its_seconds(bench):
    """Runs that took three times as long make their technique the dearest, three times the baseline."""
    for task in METRICS:
        for seed in range(6):
            bench.store(
                "recurrent dropout 0.2 per sequence", task, seed, 1.1 * FALLING, 1.2 * FALLING, seconds=6.0
            )
    assert findings.cost_table(bench.ablate(), ()) == (
        "The dearest is recurrent dropout 0.2 per sequence: 3.00 times the baseline's seconds."
    )


@pytest.mark.parametrize(
    ("arm", "seeds", "epochs"),
    [
        ("baseline", [1], 0),
        ("baseline", range(6), 3),
        ("dropout 0.3 per step", [1], 3),
        ("dropout 0.3 per step", range(6), 0),
    ],
)
def test_diverged_runs_are_told_and_stop_nothing(bench, arm, seeds, epochs):
    """After a divergence in any epoch, of one run or of all of an arm, every text is whole and without nan."""
    bench.diverge(arm, "sunspots", seeds, epochs)
    ablation = bench.ablate()
    shown = figures(ablation)
    texts = sentences(ablation, shown) | {f"alt of {name}": finding.alt for name, finding in shown.items()}
    assert {name: text for name, text in texts.items() if "nan" in text.lower() or "inf " in text} == {}


def test_a_diverged_arm_is_no_better_for_it(bench):
    """A diverged run counts as the naive reference, so that an arm of diverged runs is the worst of its technique."""
    bench.diverge("dropout 0.3 per step", "sunspots", range(6), 3)
    assert bench.ablate().chosen("dropout").name == "dropout 0.1 per step"


def test_a_choice_with_diverged_runs_sees_no_test_figure(bench):
    """What a diverged run counts as in a choice does not come from the test part."""
    bench.diverge("dropout 0.3 per step", "sunspots", [0], 3)
    ablations = bench.ablate(), bench.ablate()
    for row in ablations[1].plan.tasks["sunspots"].references:
        for metrics in row.values():
            metrics.update({name: 50 * value for name, value in metrics.items()})
    first, again = (
        ablation.log_ratios(ablation.arms["dropout 0.3 per step"], "sunspots", part="validation")
        for ablation in ablations
    )
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(again, first)


def test_a_missing_run_takes_its_unit_out_of_every_number(bench):
    """Without one outcome the other units of its task still speak; without any the arm counts elsewhere alone."""
    bench.remove("dropout 0.1 per step", "digits_rows", 2)
    said = sentences(bench.ablate())
    assert "over 11 paired units" in said["paired_differences of early_stopping"]
    for seed in range(6):
        bench.remove("dropout 0.1 per step", "digits_rows", seed)
    said = sentences(bench.ablate())
    assert "Each is over 6 to 12 paired units" in said["paired_differences of dropout"]
    for name in ("dose_responses", "technique_effects"):
        assert said[name].endswith("Not all count on every task: dropout 0.1 per step on Sunspots only.")
    for seed in range(6):
        bench.remove("baseline", "digits_rows", seed)
    said = sentences(bench.ablate())
    assert "raises the baseline's test error clearly, by 100 %." in said["learning_curves"]
    assert not any("Digits by rows" in text for text in said.values())


def test_a_new_arm_is_told_like_those_of_the_profile(bench):
    """An arm that a reader adds is in the figures and sentences of its technique."""
    study = bench.study
    arm = study.arm(Dropout(0.7))
    for task, metric in METRICS.items():
        for unit in study.plan.units(task, arm.units):
            result = made_result(0.5 * FALLING, 0.5 * FALLING, metric=metric)
            study.store.save(made_outcome(study.plan.run(arm.recipe, unit).identity, result))
    ablation = study.ablate(arm, study.arm(EarlyStopping(4)))
    assert "Validation chooses dropout 0.7 per step" in findings.dose_response(ablation, "dropout").title
    assert "validation chooses 4" in findings.stopping(ablation).sentence


def test_showing_displays_the_figure_and_then_its_sentence(monkeypatch):
    """The figure is handed over with its description and title, followed by the sentence."""
    shown = []
    monkeypatch.setattr(
        "lstmstudy.findings.finding.show_figure",
        lambda figure, *, alt, title: shown.append((figure, alt, title)),
    )
    monkeypatch.setattr("lstmstudy.findings.finding.say", shown.append)
    figure = Figure()
    findings.show(findings.Finding(figure, "A line rises.", "The error rises", "It rose by 3 %."))
    assert shown == [(figure, "A line rises.", "The error rises"), "It rose by 3 %."]
