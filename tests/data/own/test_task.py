"""A user's own table as a task: its parts, its names, and a whole study on it."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from engine import write_tuned
from planning import changed, parameters

from lstmstudy.data.catalog import open_task
from lstmstudy.data.folds import forecasting_folds
from lstmstudy.data.own import OwnTask
from lstmstudy.data.own.task import build_own, own_name, prepare_own
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.plan import make_plan

STUDY = """\
task: {csv: load.csv, kind: forecasting, target: load, window: 12, period: 7, title: "<b>$Load"}
techniques: [dropout]
compared: [dropout per=step]
units: 3
network: {layers: 1, width: 4}
training: {epochs: 2, batch_size: 32, learning_rate: 0.003}
grids:
  dropout: {rate: [0.3], per: [step]}
"""


def write(path, columns):
    """Write columns as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))


def series(n=240, seed=0):
    """Return a noisy weekly wave and a column that leads it."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(n) / 7 * 2 * np.pi) + 0.1 * rng.normal(size=n)
    return {"load": wave.round(6), "heat": np.roll(wave, -1).round(6) + rng.normal(size=n).round(3)}


@pytest.fixture
def load(tmp_path):
    """Return what a profile would say of a table with one series."""
    write(tmp_path / "load.csv", series())
    return OwnTask(csv="load.csv", kind="forecasting", target="load", window=12, period=7)


def test_a_series_is_split_as_those_of_the_catalog(load, tmp_path):
    """Folds, scale and targets are those of `forecasting_folds` on the same numbers."""
    task = build_own(load, own_name(load, tmp_path), tmp_path)
    folds = forecasting_folds(series()["load"], task.info)
    for own, known in zip(task.folds, folds, strict=True):
        assert (own.center, own.scale) == (known.center, known.scale)
        for part in ("train", "validation", "test"):
            for field in ("x", "y", "indices"):
                left, right = (getattr(getattr(fold, part), field) for fold in (own, known))
                np.testing.assert_array_equal(left, right)
    assert set(task.references[0]) == {"naive", "seasonal naive", f"AR({task.info.ar_order})"}


def test_features_are_channels_with_scales_of_their_own(tmp_path):
    """The target is the first channel, each channel has mean 0 and deviation 1 in training, and the target alone is forecast."""
    write(tmp_path / "load.csv", series())
    own = OwnTask(csv="load.csv", kind="forecasting", target="load", features=("heat",), window=12)
    task = build_own(own, own_name(own, tmp_path), tmp_path)
    train = task.folds[0].train
    assert task.info.n_features == 2
    assert train.x.shape[2] == 2
    assert train.y.shape[1] == 1
    np.testing.assert_allclose(train.x.reshape(-1, 2).std(axis=0), 1, atol=0.1)
    np.testing.assert_array_equal(train.x[1:, -1, 0], train.y[:-1, 0])


def test_no_window_reaches_from_one_series_into_another(tmp_path):
    """With two series far apart every window lies near its own target, and changing one leaves the other's samples."""

    def build(offset):
        one, other = series(240), series(200, seed=1)
        columns = {
            "name": ["a"] * 240 + ["b"] * 200,
            "load": np.concatenate([one["load"], other["load"] + offset]),
        }
        write(tmp_path / "both.csv", columns)
        own = OwnTask(csv="both.csv", kind="forecasting", target="load", series="name", window=12)
        return build_own(own, own_name(own, tmp_path), tmp_path).folds[0]

    fold = build(1000)
    for part in (fold.train, fold.validation, fold.test):
        values = part.x * fold.scale + fold.center
        targets = part.y[:, 0] * fold.scale + fold.center
        assert ((values > 500).all(axis=(1, 2)) == (targets > 500)).all()
        assert ((values < 500).all(axis=(1, 2)) == (targets < 500)).all()
        assert 0 < (targets > 500).sum() < len(targets)


def test_sequences_have_one_test_part_and_every_class_in_each(tmp_path):
    """No sequence is in two parts, the test part is the same in each fold, and all classes are in all parts."""
    rng = np.random.default_rng(0)
    rows = {"id": [], "step": [], "x": [], "y": [], "kind": []}
    for number in range(60):
        for step in range(int(rng.integers(4, 9))):
            values = (
                number,
                step,
                round(float(rng.normal()), 4),
                round(float(rng.normal()), 4),
                "abc"[number % 3],
            )
            for column, value in zip(rows, values, strict=True):
                rows[column].append(value)
    write(tmp_path / "moves.csv", rows)
    own = OwnTask(csv="moves.csv", kind="classification", sequence="id", label="kind", time="step")
    task = build_own(own, own_name(own, tmp_path), tmp_path)
    assert (task.info.n_outputs, task.info.n_features, task.info.variable_length) == (3, 2, True)
    for fold in task.folds:
        parts = [set(part.indices) for part in (fold.train, fold.validation, fold.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 60
        assert parts[2] == set(task.folds[0].test.indices)
        assert all(set(part.y) == {0, 1, 2} for part in (fold.train, fold.validation, fold.test))
    assert len({fold.train.indices.tobytes() for fold in task.folds}) > 1


def test_a_channel_that_never_changes_takes_the_scale_of_all(tmp_path):
    """A constant column of sequences, such as the border of an image, is no error."""
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(40), 5)
    columns = {
        "id": ids,
        "label": ids % 2,
        "x": rng.normal(size=200).round(4),
        "z": rng.normal(size=200).round(4),
    }
    columns["z"][:195] = 0
    write(tmp_path / "moves.csv", columns)
    own = OwnTask(csv="moves.csv", kind="classification", sequence="id", label="label", features=("x", "z"))
    task = build_own(own, own_name(own, tmp_path), tmp_path)
    assert all(np.isfinite(fold.train.x).all() for fold in task.folds)


def test_the_name_changes_with_the_data_and_with_the_settings(load, tmp_path):
    """Runs on other numbers are other runs; the same table has the same name."""
    name = own_name(load, tmp_path)
    assert name.startswith("own_load_")
    assert own_name(load, tmp_path) == name
    assert own_name(load.model_copy(update={"window": 13}), tmp_path) != name
    write(tmp_path / "load.csv", series(seed=1))
    assert own_name(load, tmp_path) != name


def test_a_prepared_task_is_opened_by_its_name_alone(load, tmp_path, monkeypatch):
    """A worker that knows the folder and the name has the whole task, and nothing is read or made twice."""
    name = prepare_own(load, tmp_path, tmp_path / "tasks")
    opened, built = open_task(name, tmp_path / "tasks"), build_own(load, name, tmp_path)
    assert (opened.info, opened.content, opened.references) == (built.info, built.content, built.references)
    monkeypatch.setattr("lstmstudy.data.own.task.build_own", None)
    assert prepare_own(load, tmp_path, tmp_path / "tasks") == name
    with pytest.raises(ValueError, match="Received: task='own_load_0'"):
        open_task("own_load_0", tmp_path / "tasks")


def test_a_profile_plans_a_task_of_ones_own(tmp_path):
    """`task` stands in for `tasks`; what is wrong with its file is one line before anything starts."""
    folder = parameters(tmp_path / "params", STUDY.replace("load.csv", str(tmp_path / "load.csv")))
    write_tuned(folder, ["sunspots"])
    with pytest.raises(ParamsError, match=r"load\.csv"):
        make_plan("mine", store=tmp_path / "store", folder=folder)
    write(tmp_path / "load.csv", series())
    plan = make_plan("mine", store=tmp_path / "store", folder=folder)
    (task,) = plan.profile.tasks
    assert task.startswith("own_load_")
    assert plan.tasks[task].info.title == "<b>$Load"
    assert {run.task for run in plan.all_runs.values()} == {task}
    changed(folder, "units: 3", "units: 3\ndescription: {units: 1}")
    plan = make_plan("mine", store=tmp_path / "store", folder=folder)
    (arm,) = plan.arms("dropout")
    assert (arm.tasks, arm.units) == ((task,), 1)


def test_a_profile_without_any_task_is_refused(tmp_path):
    """A study is about something: one line says that a task of one's own or of the catalog is needed."""
    folder = parameters(tmp_path / "params", "\n".join(STUDY.splitlines()[1:]))
    with pytest.raises(ParamsError, match=r"missing key `tasks`.*or a `task` of your own"):
        make_plan("mine", store=tmp_path / "store", folder=folder)


def test_inputs_and_names_come_back_from_the_cache(tmp_path):
    """Scaled back by what the stored fold says, inputs are those of the table; columns and classes keep their names."""
    write(tmp_path / "load.csv", series())
    own = OwnTask(csv="load.csv", kind="forecasting", target="load", features=("heat",), window=12)
    task = open_task(prepare_own(own, tmp_path, tmp_path), tmp_path)
    fold = task.folds[-1]
    raw = fold.test.x * np.array(fold.x_scale) + np.array(fold.x_center)
    table = np.column_stack(list(series().values()))
    last = fold.test.indices[-1]
    np.testing.assert_allclose(raw[-1], table[last - 12 : last], atol=1e-5)
    assert (fold.center, fold.scale) == (fold.x_center[0], fold.x_scale[0])
    assert task.info.channels == ("load", "heat")
    assert hash(task.info)
