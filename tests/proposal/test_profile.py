"""The profile that `make new` writes: it reads back exactly, says why, plans, and shrinks where runs are slow."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import shutil

import numpy as np
import pytest
import yaml

from lstmstudy import paths
from lstmstudy.data.cache import write_task
from lstmstudy.data.own.task import build_own, own_name
from lstmstudy.params.profile import load_profile
from lstmstudy.plan import make_plan
from lstmstudy.proposal import measuring
from lstmstudy.proposal.measuring import Measured, Pace, measure_pace
from lstmstudy.proposal.new import propose
from lstmstudy.proposal.size import Size, choose, sizes
from lstmstudy.proposal.table import propose_task
from lstmstudy.proposal.text import profile_text, scalar

HOSTILE = [
    "a: b # c",
    "it's",
    'say "so"',
    "two\nlines",
    "a\u2028b\x85c",
    "<b>$x</b>",
    "\U0001f321 \ufeffheat",
    "!!python/object:os.system",
    "*alias",
    "&anchor",
    "{a: b}",
    "[x, y]",
    "on",
    "null",
    "~",
    "1e3",
    "0x1f",
    "2024-01-01",
    "- item",
    "? key",
    "%TAG",
    "@at",
    "`tick`",
    "back\\slash",
    "tab\there",
    "a" * 200,
    "# all",
    "=",
    "<<",
]


def table(path, n=240, names=("heat", "load")):
    """Write a table of two noisy seasons."""
    rng, steps = np.random.default_rng(0), np.arange(n)
    columns = [np.sin(steps / 12 * 2 * np.pi + shift) + 0.2 * rng.normal(size=n) for shift in (0, 1)]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(names)
        rows.writerows(zip(*(column.round(4) for column in columns), strict=True))
    return path


def opened(folder, **settings):
    """Return the proposed task of a table, and the same as a study opens it."""
    proposed = propose_task(table(folder / "data.csv", **settings), folder)
    return proposed, build_own(proposed.own(), own_name(proposed.own(), folder), folder)


def parameters(folder, text):
    """Copy the shipped parameters with their tuned strengths, write a profile beside them, and return the folder."""
    shutil.copytree(paths.PARAMS, folder / "params")
    text = text.replace("csv: data.csv", f"csv: {scalar(str(folder / 'data.csv'))}")
    (folder / "params" / "mine.yaml").write_text(text, encoding="utf-8")
    return folder / "params"


def plain(settings):
    """Return settings as YAML has them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}


@pytest.mark.parametrize("name", HOSTILE)
def test_any_text_reads_back_as_it_was(name):
    """A name is data on one line, whatever YAML would make of it, alone, in a list and before a comment."""
    for value in (name, (name, "x"), (name,)):
        text = scalar(value)
        assert text.isprintable()
        read = yaml.safe_load(f"key: {text}  # why")
        assert read == {"key": list(value) if isinstance(value, tuple) else value}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_column_may_have_any_name(tmp_path, name):
    """The profile of a table with such columns reads back exactly, and names them in comments without harm."""
    names = (name, f"{name[:150]} load")
    proposed = propose_task(table(tmp_path / "data.csv", names=names), tmp_path)
    text = profile_text(["head"], proposed, Size(), 640)
    assert yaml.safe_load(text)["task"] == plain(proposed.settings)
    assert {proposed.settings["target"], *proposed.settings["features"]} == {each.strip() for each in names}
    assert text.replace("\n", "").isprintable()


def test_comments_say_what_was_seen(tmp_path):
    """Each entry of the task has its reason beside it, and every technique and size too."""
    proposed, _ = opened(tmp_path)
    lines = profile_text([], proposed, Size(), 640).splitlines()
    entries = [line.partition("  # ")[0] for line in lines]
    said = {line.split(":")[0].strip(): line.partition("# ")[2] for line in lines if "# " in line}
    assert said["window"] == "two seasons of 12"
    assert said["period"].endswith("at lag 12")
    assert said["features"] == "inputs beside the past of load"
    silent = [line for line in lines if "#" not in line]
    assert all(line.rstrip().endswith(":") or line.strip().startswith("csv") for line in silent), silent
    assert entries


def test_the_profile_loads_and_plans(tmp_path):
    """What is written is a profile without edits, with the units, arms and runs that it was made for."""
    proposed, prepared = opened(tmp_path)
    found = propose("mine", proposed, prepared, Measured(prepared, lambda *_: Pace(0.01, 2.0)))
    folder, text = parameters(tmp_path, found.text), found.text
    profile = load_profile("mine", folder)
    assert profile.units == found.size.units == 24
    assert profile.task.target == "load"
    plan = make_plan("mine", store=tmp_path / "store", folder=folder)
    assert len(plan.all_runs) == found.runs
    assert len(plan.single_techniques) >= 10
    assert text.startswith("# The study of 'data.csv'")
    assert f"{found.runs} runs of" in text.splitlines()[1]


def test_slower_runs_make_a_smaller_study(tmp_path):
    """The slower a run, the fewer updates there are, and the estimate stays within ten minutes until nothing is left to cut."""
    proposed, prepared = opened(tmp_path)
    paces = [Pace(0.001 * 6**step, 2.0) for step in (0, 2, 3, 5)]
    found = [propose("mine", proposed, prepared, Measured(prepared, lambda *_, p=pace: p)) for pace in paces]
    work = [each.runs * each.size.epochs * each.size.width for each in found]
    assert work == sorted(work, reverse=True)
    assert work[0] > 10 * work[-1]
    units = [each.size.units for each in found]
    assert units == sorted(units, reverse=True)
    smallest = sizes(max(len(fold.train.y) for fold in prepared.folds))[-1]
    for each in found:
        assert each.seconds <= 600 or each.size == smallest
        assert ("more than ten minutes" in each.text) == (each.seconds > 600)
        assert ("nothing is judged" in each.text) == (each.size.units < 12)
    assert found[-1].seconds > 600


@pytest.mark.parametrize("n_train", [1, 50, 500, 5000, 50_000, 500_000])
def test_each_size_is_smaller_than_the_one_before(n_train):
    """No cut makes anything larger, and judged units are given up last."""
    candidates = sizes(n_train)
    for before, after in itertools.pairwise(candidates):
        one, other = dataclasses.astuple(before), dataclasses.astuple(after)
        assert one != other
        assert all(left >= right for left, right in zip(one, other, strict=True))
    judged = [size.units >= 12 for size in candidates]
    assert judged == sorted(judged, reverse=True)
    assert candidates[judged.index(False) - 1].arms == 1
    assert all(
        size.epochs * -(-n_train // size.batch_size) >= min(20 * n_train / 32, 100) for size in candidates
    )


def test_the_first_size_that_fits_is_taken():
    """What is larger takes too long, and the last one is taken where nothing fits."""
    candidates = sizes(500)
    seconds = {size: 1000.0 - 50 * place for place, size in enumerate(candidates)}
    assert choose(candidates, seconds.__getitem__, 905.0) == candidates[2]
    assert choose(candidates, seconds.__getitem__, 1.0) == candidates[-1]


def test_a_slow_report_leaves_room_for_judged_units(tmp_path):
    """Where judging and notebooks alone take ten minutes, runs that take little are not given up, and the file says why."""
    proposed, prepared = opened(tmp_path)
    found = propose("mine", proposed, prepared, Measured(prepared, lambda *_: Pace(0.005, 15.0)))
    assert found.seconds > 600
    assert found.size.units >= 12
    assert "the machine is slow or busy" in found.text


def test_a_pace_is_measured_in_workers_on_a_part_of_a_long_table(tmp_path, monkeypatch):
    """Really trained: an epoch and a compilation take some time; what is trained is a part, whose seconds count for the whole."""
    _, prepared = opened(tmp_path, n=4000)
    trained = []
    monkeypatch.setattr(
        measuring, "write_task", lambda path, task: trained.append(task) or write_task(path, task)
    )
    monkeypatch.setattr(measuring, "_epoch", lambda _: 1.0)
    pace = measure_pace(prepared, 8, 32)
    (few,) = trained
    share = len(few.folds[0].train.y) / len(prepared.folds[-1].train.y)
    assert share < 1
    assert pace.epoch == pytest.approx(1 / share, rel=0.01)
    assert pace.compiling > 0


def test_a_report_takes_longer_with_more_runs_and_less_long_on_more_cores(tmp_path):
    """Seconds of training grow with runs, and those of everything fall with cores."""
    proposed, prepared = opened(tmp_path)
    pace = Pace(0.01, 2.0)
    found = propose("mine", proposed, prepared, Measured(prepared, lambda *_: pace))
    folder = parameters(tmp_path, found.text)
    runs = list(make_plan("mine", store=tmp_path / "store", folder=folder).all_runs.values())
    seconds = [pace.training(runs[:n], 2) for n in (1, 10, 100)]
    assert seconds == sorted(seconds)
    assert pace.training(runs, 4) < pace.training(runs, 2)
    assert 0 < pace.reporting(4) < pace.reporting(2) < pace.reporting(1)
