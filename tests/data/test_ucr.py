"""A problem of the UCR and UEA archives by its name: bundled ones work without a network, others say what they need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import aeon.datasets
import numpy as np
import pytest
from aeon.datasets import load_classification
from engine import write_tuned
from planning import parameters, refusal

from lstmstudy import paths
from lstmstudy.data.catalog import open_task
from lstmstudy.data.ucr import FOLDS, prepare_ucr, ucr_name
from lstmstudy.plan import make_plan
from lstmstudy.runs import Run
from lstmstudy.training.train import train

STUDY = """\
ucr: GunPoint
techniques: [dropout]
compared: [dropout per=step]
units: 2
network: {layers: 1, width: 4}
training: {epochs: 3, batch_size: 16, learning_rate: 0.01}
grids:
  dropout: {rate: [0.2], per: [step]}
"""
PARTS = ("train", "validation", "test")


def ready(tmp_path, problem):
    """Return the task of a problem, made in a folder of its own."""
    return open_task(prepare_ucr(problem, tmp_path / "tasks", "mine.yaml: ucr"), tmp_path / "tasks")


def lie(folder, name, train_rows, test_rows, missing="false"):
    """Put a made problem where downloaded ones lie."""
    (folder / name).mkdir(parents=True)
    for part, rows in (("TRAIN", train_rows), ("TEST", test_rows)):
        head = f"@problemName {name}\n@timestamps false\n@missing {missing}\n@univariate true\n@equalLength true\n"
        text = head + "@seriesLength 4\n@classLabel true a b c\n@data\n" + "\n".join(rows) + "\n"
        (folder / name / f"{name}_{part}.ts").write_text(text, encoding="utf-8")


def rows(counts, seed=0, gap=False):
    """Return lines of a problem with so many sequences of each class."""
    rng = np.random.default_rng(seed)
    lines = [
        ",".join(map(str, rng.normal(size=4).round(4))) + f":{label}"
        for label, count in counts.items()
        for _ in range(count)
    ]
    return [
        f"NaN{line[line.index(',') :]}" if gap and not number else line for number, line in enumerate(lines)
    ]


@pytest.mark.parametrize("problem", ["GunPoint", "BasicMotions", "PickupGestureWiimoteZ"])
def test_a_bundled_problem_keeps_the_split_of_the_archive(tmp_path, problem):
    """The archive's test part is that of every fold; its training part is split afresh, every class in both parts."""
    task = ready(tmp_path, problem)
    (train_x, _), (test_x, test_y) = (load_classification(problem, split=part) for part in ("train", "test"))
    assert (task.info.name, task.info.n_folds, len(task.folds)) == (ucr_name(problem), FOLDS, FOLDS)
    lengths = [each.shape[1] for each in (*train_x, *test_x)]
    assert (task.info.window, task.info.n_features) == (max(lengths), train_x[0].shape[0])
    assert task.info.variable_length == (min(lengths) < max(lengths))
    for fold in task.folds:
        assert fold.test.indices.tolist() == list(range(len(train_x), len(train_x) + len(test_x)))
        assert sorted([*fold.train.indices, *fold.validation.indices]) == list(range(len(train_x)))
        assert len(fold.train.y) == round(0.7 * len(train_x))
        assert set(fold.train.y) == set(fold.validation.y) == set(range(task.info.n_outputs))
        assert [task.info.classes[code] for code in fold.test.y] == test_y.tolist()
    assert len({fold.train.indices.tobytes() for fold in task.folds}) == FOLDS
    fold = task.folds[0]
    both = [*train_x, *test_x]
    for part in PARTS:
        found = getattr(fold, part)
        assert found.lengths.tolist() == [both[index].shape[1] for index in found.indices]
        for x, length, index in zip(found.x[:5], found.lengths, found.indices, strict=False):
            slope, level = np.polyfit(both[index][0].astype(float), x[:length, 0].astype(float), 1)
            np.testing.assert_allclose(x[:length, 0], slope * both[index][0] + level, atol=1e-4)
            assert not x[length:].any()
    np.testing.assert_allclose(np.concatenate([x[:n] for x, n in zip(fold.train.x, fold.train.lengths, strict=True)]).std(axis=0), 1, atol=1e-3)  # fmt: skip


def test_a_profile_names_a_problem_and_it_trains(tmp_path):
    """`ucr` stands in for `tasks`; its runs open the task by name and end with finite errors."""
    folder = parameters(tmp_path / "params", STUDY)
    write_tuned(folder, ["sunspots"])
    plan = make_plan("mine", store=tmp_path / "store", folder=folder)
    assert plan.profile.tasks == ("ucr_gunpoint",)
    assert plan.tasks["ucr_gunpoint"].info.title == "GunPoint"
    run = next(iter(plan.all_runs.values()))
    assert isinstance(run, Run)
    result = train(run, open_task("ucr_gunpoint", tmp_path / "store" / "tasks")).result
    assert result.diverged is None
    assert 0 <= result.error("selected", metric="error_rate") <= 0.6
    both = parameters(tmp_path / "both", STUDY.replace("ucr:", "tasks: [sunspots]\nucr:"))
    write_tuned(both, ["sunspots"])
    assert make_plan("mine", store=tmp_path / "store", folder=both).profile.tasks == (
        "sunspots",
        "ucr_gunpoint",
    )


def test_a_problem_is_made_once(tmp_path, monkeypatch):
    """The second time it is read from the cache."""
    task = ready(tmp_path, "GunPoint")
    monkeypatch.setattr("lstmstudy.data.ucr._build", None)
    assert ready(tmp_path, "GunPoint").content == task.content


@pytest.mark.parametrize(
    ("problem", "near"),
    [("gunpoint", "`GunPoint`"), ("GunPiont", "`GunPoint`"), ("BasicMotion", "`BasicMotions`"), ("x" * 99, ""), ("../GunPoint", ""), ("<b>", "")],
)  # fmt: skip
def test_a_misspelt_problem_gets_the_nearest_names(tmp_path, problem, near):
    """One line names them, and the problems that need no network; nothing is downloaded or made."""
    message = refusal(prepare_ucr, problem, tmp_path / "tasks", "params/mine.yaml: ucr")
    assert message.startswith("params/mine.yaml: ucr: unknown problem `")
    assert near in message
    assert "without a network one of ACSF1, ArrowHead, BasicMotions, " in message
    assert "UnitTest" not in message
    assert "Received: ucr='" in message
    assert len(message) < 600
    assert not list(tmp_path.iterdir())


OFFLINE = """
from pathlib import Path
from lstmstudy.data.ucr import prepare_ucr
from lstmstudy.parsing.strict_yaml import ParamsError
try:
    prepare_ucr("Coffee", Path("tasks"), "params/mine.yaml: ucr")
except ParamsError as error:
    print(error)
"""


def test_a_problem_that_cannot_be_downloaded_is_one_line(tmp_path):
    """With a proxy where nobody listens the message gives the reason and what works; nothing half is left."""
    closed = dict.fromkeys(("https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY"), "http://127.0.0.1:9")
    inherited = {key: value for key, value in os.environ.items() if key.lower() != "no_proxy"}
    environment = {**inherited, **closed, "PYTHONPATH": str(paths.ROOT), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    (message,) = done.stdout.splitlines()
    assert message.startswith(
        "params/mine.yaml: ucr: `Coffee` does not come with aeon, and the archive cannot be reached ("
    )
    assert "refused" in message
    assert "one of ACSF1, ArrowHead, BasicMotions, " in message
    assert message.endswith("Received: ucr='Coffee'")
    assert list((tmp_path / "ucr").iterdir()) == []
    assert not (Path(aeon.datasets.__file__).parent / "data" / "Coffee").exists()


def test_a_downloaded_problem_is_read_from_beside_the_stored_tasks(tmp_path):
    """What lies there needs no network."""
    lie(tmp_path / "ucr", "Coffee", rows({"a": 8, "b": 6}), rows({"a": 3, "b": 3}, seed=1))
    task = ready(tmp_path, "Coffee")
    assert (task.info.n_outputs, task.info.window, len(task.folds[0].test.y)) == (2, 4, 6)
    assert task.info.classes == ("a", "b")


def test_missing_values_are_those_that_the_archive_fills(tmp_path):
    """Where there is a version without them it is the one that is read; else one line says so."""
    lie(tmp_path / "ucr", "Coffee", rows({"a": 8, "b": 6}, gap=True), rows({"a": 3, "b": 3}), missing="true")
    message = refusal(prepare_ucr, "Coffee", tmp_path / "tasks", "mine.yaml: ucr")
    assert "sequences lack values, and the archive has no version that is filled" in message
    lie(tmp_path / "other", "Coffee", rows({"a": 8, "b": 6}), rows({"a": 3, "b": 3}))
    for part in ("TRAIN", "TEST"):
        filled = tmp_path / "other" / "Coffee" / f"Coffee_{part}.ts"
        filled.replace(tmp_path / "ucr" / "Coffee" / f"Coffee_nmv_{part}.ts")
    assert np.isfinite(ready(tmp_path, "Coffee").folds[0].train.x).all()


@pytest.mark.parametrize(
    ("train_rows", "test_rows", "parts"),
    [
        (rows({"a": 8, "b": 3}), rows({"a": 2}), ["class `b` has 3 of 11 training sequences", "at least 4"]),
        (rows({"a": 8}), rows({"a": 2}), ["there is one class only"]),
        (rows({"a": 8, "b": 8}), rows({"c": 2}), ["class `c` is in the test part alone"]),
        (["1,2,three:a"], ["1:a"], ["aeon cannot read the problem (", "delete the folder ucr/Coffee"]),
    ],
)
def test_a_problem_that_does_not_fit_is_explained(tmp_path, train_rows, test_rows, parts):
    """One line says what is wrong with it."""
    lie(tmp_path / "ucr", "Coffee", train_rows, test_rows)
    message = refusal(prepare_ucr, "Coffee", tmp_path / "tasks", "mine.yaml: ucr")
    assert message.startswith("mine.yaml: ucr: ")
    assert all(part in message for part in parts), message
    assert "Expected " in message
    assert message.endswith("Received: ucr='Coffee'")


def test_a_problem_beyond_all_memory_is_an_error(tmp_path, monkeypatch):
    """The inputs of all folds are counted before they are made."""
    monkeypatch.setattr("lstmstudy.data.ucr._MOST_NUMBERS", 30_000 * FOLDS - 1)
    message = refusal(prepare_ucr, "GunPoint", tmp_path / "tasks", "mine.yaml: ucr")
    assert "200 sequences of up to 150 steps of 1 channels in 12 folds do not fit" in message
    assert message.endswith("numbers=30000")
