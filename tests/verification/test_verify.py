"""Verification finds any changed bit, and tells a run that trains to something else from one that does not."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from engine import write_tuned
from planning import parameters, refusal

from lstmstudy.plan import make_plan
from lstmstudy.runs import Outcome, short
from lstmstudy.store.outcomes import RunStore
from lstmstudy.study.study import Study
from lstmstudy.verification.retraining import farthest
from lstmstudy.verification.verify import rerun, verify

PROFILE = """\
tasks: [sunspots]
techniques: [dropout]
compared: [dropout per=step]
units: 1
network: {layers: 1, width: 4}
training: {epochs: 2, batch_size: 32, learning_rate: 0.003}
grids: {dropout: {rate: [0.3], per: [step]}}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the folder of the parameters and a store in which every run of the profile was trained."""
    root = tmp_path_factory.mktemp("verified")
    (root / "params").mkdir()
    folder = parameters(root / "params", PROFILE)
    write_tuned(folder, ["sunspots"])
    plan, store = make_plan("mine", store=root / "store", folder=folder), RunStore(root / "store")
    Study(plan, store).ablate(*(arm for arms in plan.notebooks.values() for arm in arms))
    return folder, store.folder, plan


@pytest.fixture
def copied(trained, tmp_path):
    """Return the same with a store of the test's own."""
    folder, store, plan = trained
    own = tmp_path / "store"
    (own / "tasks").mkdir(parents=True)
    for path in store.rglob("*.npz"):
        (own / path.relative_to(store)).write_bytes(path.read_bytes())
    return folder, own, plan


def flipped(path, place):
    """Flip one bit of a file, at a share of its length."""
    data = bytearray(path.read_bytes())
    data[min(int(place * len(data)), len(data) - 1)] ^= 16
    path.write_bytes(bytes(data))


def test_an_untouched_store_passes(trained, capsys):
    """Every file is whole and a sample that is trained again has the stored bits: exit code 0."""
    folder, store, plan = trained
    assert verify("mine", 2, store=store, folder=folder) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert f"files: {len(plan.all_runs)} runs, 0 damaged" in said.out
    assert said.out.count("the same bits") == 2
    assert "trained again: 2 of 2, 0 with another result" in said.out


@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 1.0])
def test_one_flipped_bit_anywhere_fails_and_is_named(place, copied, capsys):
    """Wherever in a stored outcome the bit lies: the file is named, and stays as it is."""
    folder, store, _ = copied
    path = next(store.glob("*.npz"))
    before = path.read_bytes()
    flipped(path, place)
    assert verify("mine", 0, store=store, folder=folder) == 1
    assert path.name in capsys.readouterr().err
    path.write_bytes(before)
    assert verify("mine", 0, store=store, folder=folder) == 0


def test_a_stored_number_that_training_does_not_give_is_found(copied, capsys):
    """An outcome with a valid checksum and a changed number differs when it is trained again; by how much is said."""
    folder, own, plan = copied
    store = RunStore(own)
    identity = next(iter(plan.all_runs))
    known = store.load(identity)
    for path in own.glob(f"{identity}-*.npz"):
        path.unlink()
    curves = {**known.result.curves, "test/rmse": known.result.curves["test/rmse"] * 1.01}
    forged = dataclasses.replace(known.result, curves=curves)
    store.save(Outcome(identity, forged, known.record))
    assert verify("mine", len(plan.all_runs), store=own, folder=folder) == 1
    said = capsys.readouterr().out
    assert said.count("differs by up to 0.0099 relative, in curves/test/rmse") == 1
    assert said.count("the same bits") == len(plan.all_runs) - 1
    assert rerun(short(identity), "mine", store=own, folder=folder) == 1
    assert "beside the stored outcome: differs by up to 0.0099" in capsys.readouterr().out


def test_a_run_is_trained_again_from_the_name_that_tables_give(trained, capsys):
    """What it is, its errors, seconds, machine and versions are said, and that the bits are the stored ones."""
    folder, store, plan = trained
    for identity, run in list(plan.all_runs.items())[-1:]:
        assert rerun(short(identity), "mine", store=store, folder=folder) == 0
        said = capsys.readouterr().out
        known = RunStore(store).load(identity).result
        assert f"run {identity}\n" in said
        assert f"on sunspots, fold {run.fold}, seed {run.seed}" in said
        assert json.loads(said[said.index("{") : said.rindex("}") + 1]) == json.loads(
            json.dumps(run.recipe.describe())
        )
        assert f"test {known.error('selected'):.6g}" in said
        assert "keras " in said
        assert "beside the stored outcome: the same bits" in said


def test_a_run_that_is_not_stored_is_trained_all_the_same(trained, tmp_path, capsys):
    """Its errors are said, and that there is nothing to compare with; nothing is stored."""
    folder, _, plan = trained
    assert rerun(short(next(iter(plan.all_runs))), "mine", store=tmp_path, folder=folder) == 1
    assert "nothing is stored" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.npz"))


def test_wrong_names_and_samples_are_one_line(trained):
    """No run, several runs, and a sample below zero."""
    folder, store, _ = trained
    for start in ("zz", "", "ffffffffffffffff"):
        said = refusal(lambda start=start: rerun(start, "mine", store=store, folder=folder))
        assert said.startswith("No runs of the profile mine begin so. Expected the first 16 characters")
    assert "0 or more" in refusal(lambda: verify("mine", -1, store=store, folder=folder))


def test_an_empty_store_is_no_success(trained, tmp_path, capsys):
    """Nothing to check is said, with exit code 1."""
    folder, _, _ = trained
    assert verify("mine", 3, store=tmp_path, folder=folder) == 1
    assert "`make report` trains the runs" in capsys.readouterr().err


def test_differences_are_relative_and_name_their_array(trained):
    """The largest of all arrays is told; shapes, names and single NaN count as infinitely far; equal NaN as nothing."""
    _, store, plan = trained
    result = RunStore(store).load(next(iter(plan.all_runs))).result
    assert farthest(result, result) == (0.0, "")

    def with_curve(values):
        return dataclasses.replace(result, curves={**result.curves, "loss": values})

    loss = result.curves["loss"]
    apart, where = farthest(with_curve(loss), with_curve(loss * 1.5))
    assert (apart, where) == (pytest.approx(1 / 3), "curves/loss")
    assert farthest(with_curve(loss), with_curve(loss[:1])) == (np.inf, "curves/loss")
    assert farthest(with_curve(loss), with_curve(np.where(loss > 0, np.nan, loss)))[0] == np.inf
    nan = np.full_like(loss, np.nan)
    assert farthest(with_curve(nan), with_curve(nan.copy())) == (0.0, "")
    assert farthest(result, dataclasses.replace(result, diverged="loss")) == (np.inf, "result")
