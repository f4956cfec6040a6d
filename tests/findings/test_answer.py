"""The answer in one paragraph and the forest: from the findings alone, and never more than they hold."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from judging import HELPS, PROFILE, Made, name_of

from lstmstudy.figures.colour import PAPER
from lstmstudy.figures.data import as_csv
from lstmstudy.findings import advice, answer, forest
from lstmstudy.findings.advice import in_short
from lstmstudy.study.ablation import Ablation
from lstmstudy.verdicts.document import LuckFound, RateFound
from lstmstudy.verdicts.kept import study_findings
from lstmstudy.verdicts.rows import rounded

pytest_plugins = ["judging"]
pytestmark = pytest.mark.usefixtures("quick")

MINUS = "\N{MINUS SIGN}"
STOPPING = PROFILE.replace("layer_norm, sham]", "layer_norm, early_stopping, sham]")
SIDES = {"helps": -0.3, "harms": 0.3}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a study in which dropout helps everywhere, L1 turns with the task and L2 does nothing."""
    root = tmp_path_factory.mktemp("answer")
    made = Made(root, HELPS, STOPPING)
    made.effects = {
        "dropout step": SIDES["helps"],
        ("l1", "sunspots"): SIDES["helps"],
        ("l1", "digits_rows"): SIDES["harms"],
        "layer_norm": SIDES["harms"],
    }
    made.diverged = {("l2", "sunspots", 3), ("l2", "digits_rows", 5)}
    made.noise = 0.05
    made.findings = study_findings(made.plan, made.store(root / "store"), made.outcome, root / "out")
    return made


def test_the_effects_of_techniques_are_those_of_the_ablation(made):
    """Every compared technique is there once, with the mean and interval that chapters show, of task and overall."""
    known = {each.arm: each for each in made.findings.techniques}
    arms = {arm.name.replace(", tuned", ""): arm for arm in made.plan.compared_arms}
    assert len(known) == len(made.findings.techniques)
    assert set(known) <= set(arms)
    assert not any("sham" in name for name in known)
    for name, technique in known.items():
        effect = Ablation(made.plan, made.outcome, [arms[name]]).effect(arms[name])
        assert technique.effect.estimate == pytest.approx(
            effect.estimate, abs=5e-6
        )  # of two errors with six digits
        assert technique.effect.low == pytest.approx(effect.low, abs=2e-3)
        for task in technique.effect.tasks:
            alone = Ablation(made.plan, made.outcome, [arms[name]]).effect(arms[name], task.task)
            assert task.estimate == pytest.approx(alone.estimate, abs=5e-6)  # of two errors with six digits


def test_of_the_ways_to_stop_validation_chooses_one(made):
    """One patience stands for early stopping: that with the lowest validation error; no test figure takes part."""
    (chosen,) = [each for each in made.findings.techniques if each.technique == "early_stopping"]
    arms = [arm for arm in made.plan.compared_arms if arm.technique.name == "early_stopping"]
    assert len(arms) > 2
    ablation = Ablation(made.plan, made.outcome, arms)
    assert chosen.arm == ablation.chosen("early_stopping").name
    assert chosen.effect.control == "baseline, last"


def test_runs_are_counted(made):
    """Planned, stored and diverged runs are those of the study."""
    runs = made.findings.runs
    assert (runs.planned, runs.stored) == (len(made.plan.all_runs), len(made.plan.all_runs))
    assert runs.diverged >= 2


def test_tasks_have_the_tuned_baseline_and_the_best_simple_method(made):
    """Their errors are means over the same units, and the best of the simple methods is named."""
    for task in made.findings.tasks:
        ablation = Ablation(made.plan, made.outcome, [made.plan.tuned_baseline])
        errors = ablation.errors(made.plan.tuned_baseline, task.name)
        assert task.baseline == pytest.approx(errors[np.isfinite(errors)].mean(), rel=1e-5)
        simple = {name: each.mean() for name, each in ablation.references(task.name).items()}
        assert task.simple == min(simple, key=simple.get)
        assert task.simple_error == rounded(float(simple[task.simple]))


def test_the_answer_names_what_helps_where(made):
    """Counts of verdicts, what helps on every task of a kind, what is best and worst over all, with their numbers."""
    said = answer(made.findings)
    assert said.startswith("Of 1 claim put to the test on 3 tasks, **1 holds**; none is contradicted.")
    by_name = {each.arm: each.effect for each in made.findings.techniques}
    best = f"{100 * math.expm1(by_name['dropout per step'].estimate):+.1f} %".replace("-", MINUS)
    assert f"Averaged over all tasks dropout per step ({best}, 95 % interval" in said
    assert "layer norm (+" in said.partition("lowers the test error most")[2]
    forecasting = said[said.index("On Sunspots and Mackey-Glass (forecasting)") :].partition(". ")[0]
    assert "dropout per step" in forecasting
    assert "L1" not in forecasting  # it does nothing on Mackey-Glass
    classification = said[said.index("On Digits by rows (classification)") :].partition(". ")[0]
    assert "dropout per step" in classification


def test_a_rule_that_fails_its_own_test_is_said_in_the_answer(made):
    """Where more false verdicts than promised are measured, the reader hears it before any effect; else nothing."""
    rates = {low: RateFound(share=0.2, low=low, high=0.4) for low in (0.06, 0.04)}
    said = {
        low: answer(
            made.findings.model_copy(
                update={"calibration": made.findings.calibration.model_copy(update={"sham_alone": rate})}
            )
        )
        for low, rate in rates.items()
    }
    assert "**The rule failed its own test**" in said[0.06].partition("lowers the test error")[0]
    assert "a claim about a sham technique: 20.0 % false verdicts" in said[0.06]
    assert "failed" not in said[0.04]


def test_a_simple_method_that_beats_the_network_is_named(made):
    """The answer says where, and says nothing of it where the network is better everywhere."""
    assert "A simple method" not in answer(made.findings)
    tasks = [
        task.model_copy(update={"baseline": task.simple_error * (1.1 if task.name == "sunspots" else 0.9)})
        for task in made.findings.tasks
    ]
    said = answer(made.findings.model_copy(update={"tasks": tuple(tasks)}))
    assert said.endswith("A simple method beats the unregularized network on 1 of 3 tasks: AR on Sunspots.")


def test_without_verdicts_the_answer_is_that_there_is_no_evidence(tmp_path):
    """With two units nothing is said of techniques, in the paragraph or in the title of the figure."""
    few = Made(tmp_path, HELPS, PROFILE.replace("units: 12", "units: 2"))
    few.effects = {"dropout step": -2.0}
    findings = study_findings(few.plan, few.store(tmp_path / "store"), few.outcome, tmp_path / "out")
    said = answer(findings)
    assert said.startswith("**This is no evidence.**")
    assert "dropout" not in said
    assert forest(findings).title.startswith("With so few units there is no interval")


def test_the_forest_has_every_technique_on_every_task(made):
    """Rows are ranked by the effect over all tasks, each panel has each effect, and the numbers come as CSV."""
    finding = forest(made.findings)
    axes = finding.figure.axes
    assert [ax.get_title("left").replace("\n", " ") for ax in axes] == [
        "All tasks",
        *(task.title for task in made.findings.tasks),
    ]
    ranked = sorted(made.findings.techniques, key=lambda each: each.effect.estimate)
    labels = [label.get_text() for label in axes[0].get_yticklabels()]
    assert [label.partition(", vs")[0] for label in labels] == [each.arm for each in ranked]
    csv = as_csv(finding.figure)
    for each in ranked:
        assert f"{100 * math.expm1(each.effect.estimate):.6g}" in csv
    assert len(csv.splitlines()) == 1 + len(ranked) * len(axes)


def test_a_single_task_is_drawn_once(made):
    """Where there is one task there is one panel, with its title; all tasks are that one."""
    alone = made.findings.model_copy(update={"tasks": made.findings.tasks[:1]})
    (ax,) = forest(alone).figure.axes
    assert ax.get_title("left") == made.findings.tasks[0].title


def test_the_title_of_the_forest_says_who_helps_everywhere(made):
    """One that clearly helps on every task is named, two are, and where there is none, the title says that."""
    stopping = next(each.arm for each in made.findings.techniques if each.technique == "early_stopping")

    def title(*names):
        chosen = [each for each in made.findings.techniques if each.technique not in names]
        return forest(made.findings.model_copy(update={"techniques": tuple(chosen)})).title

    assert title() == (
        f"Dropout per step and {stopping} clearly help on every task; 1 clearly helps on one and harms on another"
    )
    assert title("early_stopping", "l1") == "Only dropout per step clearly helps on every task"
    others = [
        each for each in made.findings.techniques if each.technique not in ("dropout", "early_stopping")
    ]
    without = made.findings.model_copy(update={"techniques": tuple(others)})
    assert forest(without).title.startswith(f"None of {len(others)} techniques clearly helps on every task")


def test_a_marker_is_filled_where_the_interval_excludes_no_change(made):
    """On the panel of all tasks, filled markers are those of clear effects."""
    ranked = sorted(made.findings.techniques, key=lambda each: each.effect.estimate)
    ax = forest(made.findings).figure.axes[0]
    markers = {round(line.get_ydata()[0]): line for line in ax.lines if line.get_marker() == "o"}
    for place, each in enumerate(ranked):
        clear = each.effect.high < 0 or each.effect.low > 0
        assert (markers[place].get_markerfacecolor() != PAPER) is clear


def test_a_study_without_techniques_says_so(made):
    """There is no figure of nothing."""
    assert (
        forest(made.findings.model_copy(update={"techniques": ()})) == "This profile compares no technique."
    )


def test_advice_is_what_validation_chooses_on_each_task(made):
    """The chosen arm has the lowest validation error of all, and its test effect is told as the ablation has it."""
    *told, where = advice(made.findings)
    assert "`recommended` has " + ("each of" if len(told) > 1 else "that network") in where
    for each, said in zip(made.findings.advice, told, strict=True):
        arms = [arm for arm in made.plan.compared_arms if not arm.technique.is_reading]
        found = {
            arm.name: Ablation(made.plan, made.outcome, [arm])
            .effect(arm, each.task, part="validation")
            .estimate
            for arm in arms
        }
        best = min(found, key=found.get)
        assert each.compared == len(arms)
        if found[best] >= 0:
            assert (each.arm, each.effect) == ("baseline", None)
            assert "use no regularizer" in said
            continue
        assert each.arm == best.replace(", tuned", "")
        arm = next(arm for arm in arms if arm.name == best)
        effect = Ablation(made.plan, made.outcome, [arm]).effect(arm, each.task)
        assert each.effect.estimate == pytest.approx(effect.estimate, abs=5e-6)
        assert f"use {each.arm} (" in said


def test_advice_is_honest_where_a_simple_method_wins_or_nothing_is_shown(made):
    """A better simple method is to be used; an open question says how many units would settle it."""
    (first, *_), (task, *_) = made.findings.advice, made.findings.tasks
    better = task.model_copy(update={"simple_error": 0.5 * first.error})
    said = advice(made.findings.model_copy(update={"tasks": (better,)}))
    assert len(said) == 2  # and where the networks lie
    assert "which needs no network, has a lower test error" in said[0]
    worse = task.model_copy(update={"simple_error": 2 * first.error})
    unclear = first.model_copy(
        update={"effect": None, "units_needed": 40.4, "same": ("a", "b", "c", "d", "e", "f")}
    )
    said = advice(made.findings.model_copy(update={"tasks": (worse,), "advice": (unclear,)}))[0]
    assert "lower test error" not in said
    assert "about 40 would show" in said
    assert "a, b, c, d and 2 more" in said
    assert "searches alone" not in said
    lucky = made.findings.calibration.model_copy(
        update={"luck": (LuckFound(task=task.name, sd=0.1, arms=9),)}
    )
    unclear = first.model_copy(
        update={"effect": made.findings.techniques[0].effect.tasks[0], "units_needed": None}
    )
    unclear = unclear.model_copy(update={"effect": unclear.effect.model_copy(update={"high": 0.1})})
    for calibration, told in ((lucky, True), (lucky.model_copy(update={"luck": ()}), False)):
        parts = {"tasks": (worse,), "advice": (unclear,), "calibration": calibration}
        said = advice(made.findings.model_copy(update=parts))[0]
        assert ("searches alone set two arms apart by a standard deviation of 10.5 % here" in said) == told


def test_on_own_data_the_answer_begins_with_what_to_use(made):
    """The first sentence names the choice of validation, or the simple method where that is better; the catalog has none."""
    chosen = made.findings.techniques[0]
    first = made.findings.advice[0].model_copy(update={"arm": chosen.arm, "effect": chosen.effect.tasks[0]})
    assert not answer(made.findings).startswith("On ")
    for better, use in ((0.5, "use %s, which needs no network"), (2, f"use {first.arm}")):
        tasks = [
            task.model_copy(
                update={"name": "own_load_0123abcd", "title": "Load", "simple_error": better * first.error}
            )
            if task.name == first.task
            else task
            for task in made.findings.tasks
        ]
        own = first.model_copy(update={"task": "own_load_0123abcd"})
        said = answer(made.findings.model_copy(update={"tasks": tuple(tasks), "advice": (own,)}))
        simple = next(task.simple for task in tasks if task.title == "Load")
        assert said.startswith(f"On Load {use.replace('%s', simple)}")


def test_in_short_what_is_said_of_the_choice_follows_its_interval(made):
    """Clearly better, clearly worse, as good as nothing, or open: each is said, and nothing else."""
    chosen = made.findings.techniques[0]
    effect = chosen.effect.tasks[0]
    task = made.findings.tasks[0].model_copy(update={"simple_error": None})

    def said(low, high, same=()):
        own = made.findings.advice[0].model_copy(
            update={
                "arm": chosen.arm,
                "effect": effect.model_copy(update={"low": low, "high": high}),
                "same": same,
                "task": task.name,
            }
        )
        (words,) = in_short(made.findings.model_copy(update={"tasks": (task,), "advice": (own,)}))
        return words

    for words, sentence in {
        f"use {chosen.arm}, which changes": said(-0.2, -0.1),
        f"be careful: {chosen.arm} is the first": said(0.1, 0.2),
        "no regularizer is needed": said(-0.02, 0.01, same=("baseline",)),
        f"try {chosen.arm}": said(-0.2, 0.1),
        "too few units for an interval": said(None, None),
    }.items():
        assert sentence.startswith(f"On {task.title} ")
        assert words in sentence


def test_a_choice_within_the_margin_names_the_baseline_as_good(tmp_path):
    """Where the chosen arm gains a hundredth, no regularizer is among what is as good; where it gains a third, it is not."""

    def ahead(run, result):
        """Give dropout the lowest validation error."""
        if name_of(run) != "dropout step":
            return result
        key = f"validation/{result.metric}"
        return dataclasses.replace(result, curves={**result.curves, key: 0.9 * result.curves[key]})

    for gain, expected in ((-0.01, True), (-0.3, False)):
        root = tmp_path / str(gain)
        root.mkdir()
        other = Made(root, HELPS, PROFILE)
        other.effects, other.noise, other.change = {"dropout step": gain}, 0.004, ahead
        found = study_findings(other.plan, other.store(root / "store"), other.outcome, root / "out")
        assert {each.arm for each in found.advice} == {"dropout per step"}
        assert {"baseline" in each.same for each in found.advice} == {expected}
