"""What notebooks show of verdicts: every number and word comes from the findings."""

from __future__ import annotations

import dataclasses
import importlib
import math

import numpy as np
import pytest
from judging import FALLING, HELPS, PROFILE, Made

from lstmstudy.claims.table import load_claims
from lstmstudy.data import CATALOG
from lstmstudy.findings import (
    calibration,
    chapter_verdicts,
    robustness_table,
    search_curves,
    validation_optima,
    verdict_table,
)
from lstmstudy.params.tuned import load_tuned, save_tuned
from lstmstudy.stats.expected_best import expected_best
from lstmstudy.study.ablation import Ablation
from lstmstudy.verdicts.kept import study_findings

pytest_plugins = ["judging"]
pytestmark = pytest.mark.usefixtures("quick")

CLAIMS = (
    HELPS
    + """\
turns:
  words: Layer norm helps.
  chapter: 03_normalization
  contrasts:
    - {arm: layer_norm, control: baseline, expect: lower}
open:
  words: L1 helps.
  chapter: 04_weight_penalties
  contrasts:
    - {arm: l1, control: baseline, expect: lower}
range:
  words: Good rates lie there.
  chapter: 01_dropout
  described: It cannot be reduced to a number.
  strengths: [0.2, 0.5]
"""
)
WITH_SHAM = PROFILE.replace("layer_norm]\nunits", "layer_norm, sham]\nunits")
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a study with a claim that holds, one that turns with the task, one that is open, one described."""
    root = tmp_path_factory.mktemp("made")
    made = Made(root, CLAIMS, WITH_SHAM)
    made.effects = {
        "dropout step": -0.2,
        ("layer_norm", "sunspots"): -0.4,
        ("layer_norm", "digits_rows"): 0.4,
        ("l1 both", "sunspots"): 0.0,
    }
    made.noise = 0.15
    made.findings = study_findings(made.plan, made.store(root / "store"), made.outcome, root / "out")
    return made


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    """Return the tables that are shown, by caption, instead of showing them."""
    shown = {}

    def keep(frame, *, caption, **more):
        shown[caption] = frame.map(str)
        shown.update(more)

    for name in ("verdicts", "techniques"):
        monkeypatch.setattr(importlib.import_module(f"lstmstudy.findings.{name}"), "table", keep)
    return shown


def test_the_claim_table_has_every_claim_and_says_where_it_turns(made, tables):
    """A row for each claim, its verdict with the tasks on which it turns, and the counts in a sentence."""
    said = verdict_table(made.findings)
    frame = next(iter(tables.values()))
    assert list(frame["claim"]) == [
        "Dropout helps.",
        "Layer norm helps.",
        "L1 helps.",
        "Good rates lie there.",
    ]
    assert tables["ids"] == ["claim.helps", "claim.turns", "claim.open", "claim.range"]
    assert set(tables["filters"]) == {"verdict", "chapter"}
    assert list(frame["chapter"]) == ["01", "03", "04", "01"]
    assert frame["verdict"][1] == "depends on the task"
    assert frame["compared"][1].endswith("; \N{DOWNWARDS ARROW} Sunspots; \N{UPWARDS ARROW} Digits by rows")
    assert frame["compared"][3] == "It cannot be reduced to a number."
    assert frame["effect [95 % interval]"][0].startswith(MINUS)
    assert said.startswith("Of 3 claims that this profile judges: 1 supported, 0 contradicted,")
    assert "1 depends on the task" in said
    assert said.endswith("1 is not judged here.")


def test_a_study_that_judges_nothing_says_that_it_is_no_evidence(tmp_path, tables):
    """With two units there is a table all the same, and no verdict in it."""
    few = Made(tmp_path, CLAIMS, PROFILE.replace("units: 12", "units: 2"))
    findings = study_findings(few.plan, few.store(tmp_path / "store"), few.outcome, tmp_path / "out")
    assert verdict_table(findings).startswith("None of the 4 claims is judged here")
    assert robustness_table(findings) == "No claim is judged here, so no verdict can change."
    assert calibration(findings) == "No claim is judged here, so there is no rule to measure."
    said = " ".join(chapter_verdicts(findings, "dropout"))
    assert "A verdict needs 12 units of each task; this profile has 2." in said
    assert tables["Every contrast, with 95 % intervals; p not adjusted for the number of claims"]["shown"][
        0
    ] == ("not judged here")


def test_a_chapter_shows_its_own_claims_with_every_task(made, tables):
    """Only claims of that chapter, each contrast over all tasks and on each; a chapter without claims says so."""
    said = chapter_verdicts(made.findings, "normalization")
    (frame,) = tables.values()
    assert list(frame["claim"]) == ["turns"]
    assert {"Sunspots", "Mackey-Glass", "Digits by rows"} <= set(frame.columns)
    assert len(said) == 1
    assert said[0].startswith(
        "Layer norm helps (`turns`): **depends on the task** (layer norm against baseline"
    )
    assert chapter_verdicts(made.findings, "tutorial") == ["The guide makes no claim that belongs here."]


def test_an_inconclusive_claim_says_what_the_data_exclude(made):
    """The smallest margin that they support, and the units that would show the claim's own."""
    (claim,) = [claim for claim in made.findings.claims if claim.id == "open"]
    (said,) = chapter_verdicts(made.findings, "weight_penalties")
    if claim.verdict == "inconclusive":
        assert (
            f"exclude a difference beyond +{100 * np.expm1(claim.contrasts[0].smallest_margin):.1f} %" in said
        )
        assert f"{claim.contrasts[0].units_needed:.0f} units of each task would show" in said
    else:
        assert claim.verdict in said


def test_a_claim_that_luck_leaves_open_says_that_more_units_do_not_help(made):
    """Where no number of units would show the margin, the luck of the search in the mean stands in its place."""
    (claim,) = [claim for claim in made.findings.claims if claim.id == "open"]
    first = claim.contrasts[0].model_copy(update={"units_needed": None, "smallest_margin": 0.2, "luck": 0.1})
    claim = claim.model_copy(update={"verdict": "inconclusive", "contrasts": (first,)})
    (said,) = chapter_verdicts(made.findings.model_copy(update={"claims": (claim,)}), "weight_penalties")
    assert "searches alone set such means apart by a standard deviation of 10.5 %" in said
    assert "units of each task would show" not in said


def test_robustness_tells_what_changes_a_verdict(made, tables):
    """A claim that one task carries names that task by its title; one that nothing changes says so."""
    robustness_table(made.findings)
    (frame,) = tables.values()
    otherwise = dict(zip(frame["claim"], frame["otherwise"], strict=True))
    assert "without Sunspots: " in otherwise["turns"]
    assert "_" not in otherwise["turns"]
    assert set(frame["claim"]) == {"helps", "turns", "open"}


def test_the_rule_is_told_with_rates_and_power(made):
    """Each rate with its interval, the shams that would have had a verdict, and what planted effects give."""
    finding = calibration(made.findings)
    found = made.findings.calibration
    for rate in (found.sign_flips, found.sham_alone, found.sham_family):
        assert (
            f"{100 * rate.share:.1f} % (95 % interval {100 * rate.low:.1f} to {100 * rate.high:.1f} %)"
            in (finding.sentence)
        )
    assert "Of 8 sham techniques against the baseline" in finding.sentence
    assert "5 % with 12 units" in finding.sentence
    for each in found.luck:
        assert f"{100 * math.expm1(each.sd):.1f} % on {CATALOG[each.task].title}" in finding.sentence
    without = found.model_copy(update={"luck": ()})
    unknown = calibration(made.findings.model_copy(update={"calibration": without})).sentence
    assert "too few sham techniques are here to measure it" in unknown
    rates, power = finding.figure.axes
    assert len(rates.get_yticks()) == 3
    assert power.get_ylim() == (0, 100)


def test_search_is_drawn_from_the_trials_of_each_arm(tmp_path):
    """A curve ends with the expected best of all trials; the sentence has their number."""
    made = Made(tmp_path, CLAIMS)
    tuned = load_tuned(made.folder)
    section = tuned.sizes["2x4"]
    found = section["sunspots"]["l1 matrices=both"]
    trials = [found.best.model_copy(update={"validation": value}) for value in (3.0, 2.0, 0.5, 1.0)]
    changed = found.model_copy(update={"trials": trials, "best": trials[2]})
    save_tuned(tuned.adding("2x4", {"sunspots": {"l1 matrices=both": changed}}), made.folder)
    finding = search_curves(Made.plan_of(made.folder))
    assert finding.title.startswith(
        "The last of 4 trials still lowered the expected best validation error by "
    )
    assert "Sunspots L1 on both" in finding.sentence
    lines = {line.get_ydata()[-1] for line in finding.figure.axes[0].lines if len(line.get_ydata()) == 4}
    assert expected_best((3.0, 2.0, 0.5, 1.0))[-1] in lines


def test_the_best_rates_are_counted_by_validation_alone(made, tables):
    """Every unit goes to the strength with the least validation error, the baseline being 0; the claim has the range."""

    def outcome(run):
        found = made.outcome(run)
        rate = next((getattr(technique, "rate", 0.0) for technique in run.recipe.techniques), 0.0)
        best = 0.3 if run.seed % 2 else 0.0
        name = found.result.metric
        validation = FALLING * (1 + abs(rate - best))
        curves = {
            **found.result.curves,
            f"validation/{name}": validation,
            f"test/{name}": FALLING / (1 + rate),
        }
        return dataclasses.replace(found, result=dataclasses.replace(found.result, curves=curves))

    arms = [dataclasses.replace(arm, units=4) for arm in made.plan.arms("dropout")]
    control = dataclasses.replace(arms[0].control, units=4)
    arms = [dataclasses.replace(arm, control=control) for arm in arms]
    claim = load_claims(made.folder)["range"]
    said = validation_optima(Ablation(made.plan, outcome, arms), "dropout", claim)
    (frame,) = tables.values()
    assert said.startswith("The best strength on validation lies between 0.2 and 0.5 in 4 of 8 cases")
    assert list(frame["0"]) == ["2", "2"]
    assert list(frame["0.3"]) == ["2", "2"]
