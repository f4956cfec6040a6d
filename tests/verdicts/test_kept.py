"""Findings on disk: drawn from tables alone, kept until something changes, and the rule measured with them."""

from __future__ import annotations

import gzip
import json
import shutil

import numpy as np
import pytest
from judging import HELPS, PROFILE, TASKS, Made
from pydantic import ValidationError

from lstmstudy.readings import Validation, read
from lstmstudy.verdicts import kept as module
from lstmstudy.verdicts.document import Findings, RateFound
from lstmstudy.verdicts.honesty import false_rates
from lstmstudy.verdicts.kept import FINDINGS, SCHEMA, read_findings, recomputed, study_findings
from lstmstudy.verdicts.rows import rounded
from lstmstudy.verdicts.tables import (
    ARMS,
    COLUMNS,
    COLUMNS_OF,
    COST,
    CURVES,
    RUNS,
    UNITS,
    read_curves,
    read_tables,
)
from lstmstudy.verdicts.words import amount, verdict_lines

pytest_plugins = ["judging"]
pytestmark = pytest.mark.usefixtures("quick")

CLAIMS = (
    HELPS
    + """\
stops:
  words: Stopping helps.
  chapter: 05_early_stopping
  contrasts:
    - {arm: baseline, reading: patience 3, control: baseline, control_reading: last, expect: lower}
small:
  words: L2 makes weights smaller.
  chapter: 04_weight_penalties
  contrasts:
    - {quantity: norm, arm: l2, control: baseline, expect: lower}
shown:
  words: Something is shown.
  chapter: 06_gradient_noise
  described: It cannot be reduced to a number.
"""
)
WITH_SHAM = PROFILE.replace("layer_norm]\nunits", "layer_norm, sham]\nunits")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return a made study with its store and its findings, written once; read only."""
    root = tmp_path_factory.mktemp("study")
    made = Made(root, CLAIMS, WITH_SHAM)
    made.effects = {"dropout step": -0.2}
    made.diverged = {("dropout step", "sunspots", 3)}
    made.runs = made.store(root / "store")
    made.out = root / "out"
    made.first = study_findings(made.plan, made.runs, made.outcome, made.out)
    return made


def test_findings_follow_from_the_tables_alone(study):
    """Computed again from what lies in the folder, without a store, they are the same document."""
    assert recomputed(study.plan, study.out) == study.first
    assert read_findings(study.out) == study.first


def test_every_test_error_of_the_units_is_in_the_curves(study):
    """Read from the curves as the row's reading says, arm, control and number come out digit for digit."""
    curves, tables = read_curves(study.out), read_tables(study.out)
    failed = {row["run"] for row in tables.runs if row["diverged"]}
    readings = {"helps": ("selected", "selected"), "stops": ("patience 3", "last")}
    seen = 0
    for row in tables.units:
        if row.claim not in readings or row.view != "declared" or {row.arm_runs, row.control_runs} & failed:
            continue
        both = []
        for run, reading in zip((row.arm_runs, row.control_runs), readings[row.claim], strict=True):
            kept = read(Validation(curves[run]["validation"]), reading)
            both.append(float(curves[run]["test"][kept.epoch]))
        assert both == [row.arm, row.control]
        assert row.number == rounded(float(np.log(both[0]) - np.log(both[1])))
        seen += 1
    assert seen == 2 * 36 - 1


def test_the_table_of_runs_has_what_the_curves_say(study):
    """Epochs and errors of every reading stand in the table of runs; a diverged run says why and has no error."""
    curves, tables = read_curves(study.out), read_tables(study.out)
    assert {row["run"] for row in tables.runs} == set(curves)
    assert len(tables.runs) == len(study.plan.all_runs)
    for row in tables.runs:
        if row["diverged"]:
            assert row["diverged"] == "training loss nan in epoch 4"
            assert row["last test"] == ""
            continue
        kept = read(Validation(curves[row["run"]]["validation"]), "patience 3")
        assert int(row["patience 3 epoch"]) == kept.epoch + 1
        assert int(row["patience 3 trained"]) == kept.cost
        assert float(row["patience 3 test"]) == curves[row["run"]]["test"][kept.epoch]
        assert json.loads(row["recipe"])["epochs"] == 12


def test_arms_name_their_runs(study):
    """Every run of every arm of a chapter is one of the table of runs."""
    tables = read_tables(study.out)
    runs = {row["run"] for row in tables.runs}
    assert all(set(row["runs"].split()) <= runs for row in tables.arms)
    assert {row["chapter"] for row in tables.arms} == set(study.plan.notebooks)


def test_numbers_have_six_significant_digits(study):
    """No table holds more than readers can compare from machine to machine."""
    text = gzip.decompress((study.out / CURVES).read_bytes()).decode() + (study.out / UNITS).read_text()
    words = [word for line in text.splitlines()[1:] for word in line.split(",")]
    numbers = [word for word in words if "." in word and word.replace(".", "").replace("-", "").isdigit()]
    assert len(numbers) > 1000
    assert max(len(word.replace(".", "").replace("-", "").strip("0")) for word in numbers) == 6


def test_the_same_outcomes_give_the_same_bytes(study, tmp_path):
    """Written again into another folder, every table but the cost, and the findings, are identical."""
    study_findings(study.plan, study.runs, study.outcome, tmp_path)
    for name in (UNITS, RUNS, ARMS, CURVES, FINDINGS, SCHEMA):
        assert (tmp_path / name).read_bytes() == (study.out / name).read_bytes()


def test_what_training_cost_stands_apart(study, tmp_path):
    """Seconds and machines are in a file of their own, which no finding reads."""
    shutil.copytree(study.out, tmp_path / "out")
    cost = json.loads((study.out / COST).read_text())
    assert set(cost["runs"]) == {row["run"] for row in read_tables(study.out).runs}
    assert {each["seconds"] for each in cost["runs"].values()} == {1.0}
    assert len(cost["machines"]) == 1
    (tmp_path / "out" / COST).unlink()
    assert recomputed(study.plan, tmp_path / "out") == study.first


def test_every_column_is_described(study):
    """The description of each table names every column that it has."""
    assert json.loads((study.out / COLUMNS_OF).read_text()) == COLUMNS
    for name in (UNITS, RUNS, ARMS, CURVES):
        data = (study.out / name).read_bytes()
        head = (gzip.decompress(data) if name == CURVES else data).decode().partition("\n")[0]
        described = ", ".join(COLUMNS[name])
        for column in head.split(","):
            last = column.rpartition(" ")[2]
            assert (
                column in described or f"> {last}" in described or last in ("train", "validation", "test")
            ), column


def test_findings_are_kept_until_something_changes(study, tmp_path, monkeypatch):
    """Nothing is measured anew while runs, claims and code are the same; a changed claim or run is."""
    shutil.copytree(study.out, tmp_path / "out")

    def refuse(_):
        raise RuntimeError("measured anew")

    monkeypatch.setattr(module, "unit_rows", refuse)
    assert study_findings(study.plan, study.runs, study.outcome, tmp_path / "out") == study.first
    (tmp_path / "out" / FINDINGS).write_text("{}", encoding="utf-8")
    with pytest.raises(RuntimeError, match="measured anew"):
        study_findings(study.plan, study.runs, study.outcome, tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    shutil.copytree(study.out, tmp_path / "out")
    monkeypatch.setattr(study.runs, "check", lambda _: {})
    with pytest.raises(RuntimeError, match="measured anew"):
        study_findings(study.plan, study.runs, study.outcome, tmp_path / "out")


def test_the_document_is_checked_and_describes_itself(study):
    """It says its version, refuses a field that nobody knows, and its schema describes every field of a claim."""
    content = json.loads((study.out / FINDINGS).read_text())
    assert content["version"] == 2
    with pytest.raises(ValidationError):
        Findings.model_validate({**content, "surprise": 1})
    schema = json.loads((study.out / SCHEMA).read_text())
    for part in ("ClaimFound", "ContrastFound", "TaskEffect", "Calibration"):
        fields = schema["$defs"][part]["properties"]
        assert all(field.get("description") for field in fields.values()), part


def test_every_claim_is_there_with_a_verdict_or_a_reason(study):
    """None is missing, and a claim without a verdict says why."""
    found = {claim.id: claim for claim in study.first.claims}
    assert list(found) == ["helps", "stops", "small", "shown"]
    assert found["shown"].verdict == "described, not judged"
    assert found["shown"].reason == "It cannot be reduced to a number."
    assert all(claim.judged or claim.reason for claim in found.values())
    assert found["helps"].contrasts[0].tasks[0].failed == 1


def test_the_claim_table_has_a_line_for_each_claim(study):
    """Id, verdict, effect with its interval and the claim in words, on one line each."""
    lines = verdict_lines(study.first)
    for claim, line in zip(study.first.claims, lines, strict=False):
        assert line.startswith(claim.id)
        assert claim.verdict in line
        assert line.endswith(claim.words)
        assert "\n" not in line
    assert "%" in lines[0]
    assert "[" in lines[0]


def test_amounts_are_percents_of_log_ratios_and_plain_differences():
    """A log ratio is told as a change in percent with a true minus, a difference as it is, nothing as such."""
    assert amount(np.log(1.1), "log ratio") == "+10.0 %"
    assert amount(np.log(0.9), "log ratio") == "\N{MINUS SIGN}10.0 %"
    assert amount(0.0, "log ratio") == "0.0 %"
    assert amount(-0.0312, "difference") == "\N{MINUS SIGN}0.031"
    assert amount(None, "difference") == "not available"


def test_the_rule_is_measured_with_the_runs_of_the_study(study):
    """The family is that of the judged claims; shams are compared one by one; power is told for two effects."""
    found = study.first.calibration
    assert found.claims == 3
    assert found.sham_arms == 9
    assert [sham.arm for sham in found.shams] == [f"sham search={number}" for number in range(1, 9)]
    assert {each.planted for each in found.power} == {1.05, 1.1}
    assert [(each.task, each.arms) for each in found.luck] == [(task, 9) for task in TASKS]
    assert all(each.sd >= 0 for each in found.luck)
    for rate in (found.sign_flips, found.sham_alone, found.sham_family):
        assert 0 <= rate.low <= rate.high <= 1


def test_without_sham_techniques_only_random_signs_measure_the_rule(tmp_path):
    """A profile that trains none says so, and still has the family-wise rate."""
    made = Made(tmp_path, CLAIMS)
    found = study_findings(
        made.plan, made.store(tmp_path / "store"), made.outcome, tmp_path / "out"
    ).calibration
    assert found.sign_flips is not None
    assert (found.sham_alone, found.sham_family, found.sham_arms, found.power) == (None, None, 0, ())
    assert found.luck == ()


@pytest.mark.parametrize(("low", "dishonest"), [(0.051, True), (0.05, False), (0.01, False)])
def test_a_rate_wholly_above_five_percent_is_named(study, low, dishonest):
    """The rule promised at most 5 %: an interval that lies above it is told, any other is not."""
    rate = RateFound(share=0.2, low=low, high=0.4)
    honest = RateFound(share=0.02, low=0.0, high=0.04)
    changed = study.first.calibration.model_copy(
        update={"sign_flips": honest, "sham_alone": honest, "sham_family": rate}
    )
    named = false_rates(study.first.model_copy(update={"calibration": changed}))
    assert bool(named) == dishonest
    if dishonest:
        assert named == [
            "as many claims about sham techniques: 20.0 % false verdicts (95 % interval 5.1 to 40.0 %)"
        ]


def test_costs_stand_beside_the_baseline(study):
    """Parameters and updates of an arm are ratios to the tuned baseline's; its diverged runs are counted."""
    costs = {cost.arm: cost for cost in study.first.arms}
    assert costs["baseline, tuned"].parameters == costs["baseline, tuned"].updates_to_best == 1
    dropout = costs["dropout per step, tuned"]
    assert (dropout.failed, dropout.runs) == (1, 36)


def test_facts_about_tasks_say_on_what_a_verdict_is_conditional(study):
    """Units, and the folds that they use, stand beside each task."""
    facts = {task.name: task for task in study.first.tasks}
    assert {name: (facts[name].units, facts[name].folds) for name in TASKS} == {
        "sunspots": (12, 3),
        "mackey_glass": (12, 12),
        "digits_rows": (12, 12),
    }
