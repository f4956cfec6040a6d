"""What a report lacks: missing and diverged runs by recipe and task, and facts that say so."""

from __future__ import annotations

import json

import pytest
from judging import HELPS, PROFILE, Made

from lstmstudy.gaps import EVERY, UNKNOWN, Gap, diverged_runs, missing_runs
from lstmstudy.provenance import FILE, citation, facts, lines, parameters, write_provenance, written_now
from lstmstudy.verdicts.kept import study_findings
from lstmstudy.verdicts.tables import read_tables
from lstmstudy.workers.pool import Failure

pytest_plugins = ["judging"]
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a study in which L1 is missing on one task, once on another, and L2 diverged twice."""
    root = tmp_path_factory.mktemp("gaps")
    made = Made(root, HELPS, PROFILE)
    made.missing = {("l1", "sunspots", seed) for seed in range(12)} | {("l1", "mackey_glass", 3)}
    made.diverged = {("l2", "digits_rows", 1), ("l2", "digits_rows", 2)}
    made.stored = made.store(root / "store").check(made.plan.all_runs)
    made.out = root / "out"
    made.findings = study_findings(made.plan, made.store(root / "store"), made.outcome, made.out)
    return made


def test_missing_runs_are_counted_by_recipe_and_task_with_a_reason(made):
    """Each recipe and task once, how many of how many, and the reason that training gave, or that there is none."""
    runs = made.plan.all_runs
    first = next(run for run in runs.values() if run.identity not in made.stored)
    gaps = missing_runs(made.plan, runs, made.stored, [Failure(first, "its worker ended twice")])
    assert [(gap.task, gap.runs, gap.of, gap.reason) for gap in gaps] == [
        ("Sunspots", 12, 12, "its worker ended twice"),
        ("Mackey-Glass", 1, 12, UNKNOWN),
    ]
    assert all(gap.recipe.startswith("L1 ") for gap in gaps)
    assert missing_runs(made.plan, runs, runs, []) == []


def test_a_task_that_is_wholly_gone_is_one_gap(made):
    """Where no run of a task has an outcome, that is said once, not recipe by recipe."""
    runs = made.plan.all_runs
    there = [identity for identity, run in runs.items() if run.task != "sunspots"]
    (gap,) = missing_runs(made.plan, runs, there, [])
    n = len(runs) - len(there)
    assert gap == Gap(EVERY, "Sunspots", n, n, UNKNOWN)


def test_diverged_runs_are_counted_with_their_reason(made):
    """They come from the table of runs alone."""
    (gap,) = diverged_runs(made.plan, made.plan.all_runs, read_tables(made.out).runs)
    assert gap == Gap(gap.recipe, "Digits by rows", 2, 12, "training loss nan in epoch 4")
    assert gap.recipe.startswith("L2 ")


def test_techniques_are_shown_on_the_tasks_that_are_there(made):
    """A technique that is missing on one task has its effect on the others, and a problem names the one that is not."""
    (l1,) = [each for each in made.findings.techniques if each.technique == "l1"]
    assert [task.task for task in l1.effect.tasks] == ["mackey_glass", "digits_rows"]
    assert l1.effect.tasks[0].n == 11
    assert any("on sunspots: " in problem for problem in made.findings.problems)


def test_facts_say_how_many_runs_are_missing_and_diverged(made):
    """Under the title stand the runs that are there, and those that failed."""
    found = facts(made.plan, made.findings)
    planned = len(made.plan.all_runs)
    assert found["Runs"] == f"{planned - 13} of {planned}"
    assert found["Failed"] == "13 missing, 2 diverged"


def test_provenance_is_the_same_twice_and_names_what_the_numbers_rest_on(made):
    """Commit, versions, machines, parameters and the hash of the table of runs, in a file and in words."""
    one, other = (write_provenance(made.plan, made.out, written_now()) for _ in range(2))
    assert one == other == json.loads((made.out / FILE).read_text(encoding="utf-8"))
    assert one["profile"]["units"] == 12
    assert one["runs.csv"].startswith("sha256 ")
    assert lines(one)["Trained on"] == "made"
    assert "units: 12" in parameters(one)
    cited = citation(one)
    assert cited.startswith("@software{lstmstudy,")
    assert one["commit"] in cited
    assert one["runs.csv"] in cited


def test_the_hash_of_the_runs_changes_with_them(made, tmp_path):
    """One digit in the table of runs is another hash."""
    before = write_provenance(made.plan, made.out, written_now())["runs.csv"]
    for name in ("runs.csv", "cost.json"):
        (tmp_path / name).write_bytes((made.out / name).read_bytes())
    with (tmp_path / "runs.csv").open("a", encoding="utf-8") as file:
        file.write("1")
    assert write_provenance(made.plan, tmp_path, written_now())["runs.csv"] != before
