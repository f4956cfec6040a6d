"""Published runs: what they keep, what they add to a store, and a report that is drawn from them alone."""

from __future__ import annotations

import dataclasses
import json
import lzma
import shutil

import numpy as np
import pytest
from engine import made_outcome, made_result, run_of, waves
from faults import STUDY, small

from lstmstudy import paths, runs
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.plan import make_plan
from lstmstudy.store.numbers import noting, taken
from lstmstudy.store.outcomes import MissingRunsError, RunStore
from lstmstudy.store.published import (
    PublishedRuns,
    PublishedStore,
    SharedStore,
    open_store,
    published_runs,
    write_part,
)

WRITTEN = {"commit": "0123456789ab", "python": "3.11.7", "versions": {"numpy": "2.0"}}
THIRD = 1 / 3


@pytest.fixture(autouse=True)
def _read_anew():
    """Forget what was read of a folder."""
    published_runs.cache_clear()


def made(seed, numbers=(THIRD, 2.0)):
    """Return a run and its outcome."""
    run = run_of(waves(), seed=seed)
    return run, made_outcome(run.identity, made_result(list(numbers)))


def test_a_part_keeps_curves_with_six_digits_the_record_and_numbers(tmp_path):
    """Predictions and weights are left away; what is not finite stays so."""
    run, outcome = made(0, (THIRD, np.nan))
    path = write_part(tmp_path, WRITTEN, [(run, outcome)], {run.identity: {"a": [THIRD, np.inf]}})
    assert path.name == "part-01.jsonl.xz"
    read = PublishedRuns(tmp_path)
    assert read.written == WRITTEN
    found = read.outcomes[run.identity]
    assert found.result.curves.keys() == outcome.result.curves.keys()
    for name, curve in outcome.result.curves.items():
        np.testing.assert_allclose(found.result.curves[name], curve, rtol=5e-6)
    assert found.result.curves["validation/rmse"][0] == 0.333333
    assert (found.result.predictions, found.result.weights) == ({}, {})
    assert found.record == outcome.record
    assert found.numbers == {"a": [0.333333, None]}


def test_later_parts_add_runs_and_numbers_and_rewrite_none(tmp_path):
    """What is known already is not written again; with nothing new there is no part."""
    first, second = made(0), made(1)
    one = write_part(tmp_path, WRITTEN, [first], {first[0].identity: {"a": 1.0}})
    before = one.read_bytes()
    newer = {**WRITTEN, "commit": "another"}
    numbers = {first[0].identity: {"a": 5.0, "b": 2.0}, second[0].identity: {"a": 3.0}}
    two = write_part(tmp_path, newer, [first, second], numbers)
    assert (one.read_bytes(), two.name) == (before, "part-02.jsonl.xz")
    assert len(lzma.decompress(two.read_bytes()).splitlines()) == 3
    read = PublishedRuns(tmp_path)
    assert read.written == newer
    assert [read.outcomes[run.identity].numbers for run, _ in (first, second)] == [
        {"a": 1.0, "b": 2.0},
        {"a": 3.0},
    ]
    assert write_part(tmp_path, newer, [first, second], numbers) is None


def test_a_part_that_is_gone_lets_no_other_be_overwritten(tmp_path):
    """The next one is numbered after the last that is there."""
    first, second = (write_part(tmp_path, WRITTEN, [made(seed)], {}) for seed in (0, 1))
    kept = second.read_bytes()
    first.unlink()
    assert write_part(tmp_path, WRITTEN, [made(2)], {}).name == "part-03.jsonl.xz"
    assert second.read_bytes() == kept


def test_a_number_is_computed_and_noted_while_predictions_are_there_and_read_later(tmp_path):
    """The names of further runs are part of its name: a distance to another run is another number."""
    (run, outcome), (_, other) = made(0), made(1)
    with noting() as noted:
        assert taken("size", [outcome], lambda: 4.0) == 4
        np.testing.assert_array_equal(taken("distance", [outcome, other], lambda: [1, 2]), [1, 2])
        numbers = noted()
    assert numbers == {run.identity: {"size": 4.0, f"distance {other.identity[:16]}": [1.0, 2.0]}}
    write_part(tmp_path, WRITTEN, [(run, outcome)], numbers)
    found = PublishedRuns(tmp_path).outcomes[run.identity]
    assert taken("size", [found], lambda: 1 / 0) == 4
    np.testing.assert_array_equal(taken("distance", [found, other], lambda: 1 / 0), [1, 2])
    with pytest.raises(MissingRunsError, match=r"Received: 'weight'$"):
        taken("weight", [found], lambda: 1 / 0)
    with pytest.raises(MissingRunsError, match="Received: 'distance "):
        taken("distance", [other, found], lambda: 1 / 0)  # a whole run beside one without predictions


def test_published_runs_count_as_stored_under_their_identity(tmp_path):
    """A whole outcome is preferred; a run that was not published is missing as ever."""
    known, fresh, both = made(0), made(1), made(2)
    write_part(tmp_path / "published", WRITTEN, [known, both], {})
    RunStore(tmp_path / "store").save(both[1])
    store = SharedStore(tmp_path / "store", tmp_path / "published")
    identities = [run.identity for run, _ in (known, fresh, both)]
    assert set(store.check(identities)) == {identities[0], identities[2]}
    assert store.check(identities)[identities[2]].suffix == ".npz"
    assert store.load(identities[0]).numbers == {}
    assert store.load(identities[1]) is None
    assert store.load(identities[2]).numbers is None
    assert store.record(identities[0]) == known[1].record
    assert set(store.files()) == {identities[0], identities[2]}


def test_only_the_full_study_counts_published_runs_as_its_own(tmp_path, monkeypatch):
    """Whoever builds another profile sees this machine train, also where runs are the same."""
    run, outcome = made(0)
    write_part(tmp_path / "published", WRITTEN, [(run, outcome)], {})
    monkeypatch.setattr(paths, "STORE", tmp_path / "store")
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "published")
    found = {
        name: set(open_store(make_plan(name), tmp_path / "store").check([run.identity]))
        for name in ("full", "default")
    }
    assert found == {"full": {run.identity}, "default": set()}


def test_a_report_finds_published_runs_whatever_became_of_the_code(tmp_path, monkeypatch):
    """What a run asks counts, not with which versions it was answered."""
    run, outcome = made(0)
    write_part(tmp_path, WRITTEN, [(run, outcome)], {})
    monkeypatch.setattr(runs, "versions", lambda: {"tensorflow": "another"})
    asked = dataclasses.replace(run)
    other = dataclasses.replace(run, seed=5)
    assert asked.identity != run.identity
    store = PublishedStore(tmp_path, [asked, other])
    assert not store.takes_runs
    assert store.written == WRITTEN
    assert set(store.check([asked.identity, other.identity])) == {asked.identity}
    assert store.load(asked.identity).result.curves.keys() == outcome.result.curves.keys()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not packed",
        lzma.compress(b"{"),
        lzma.compress(b"{}\n[]"),
        lzma.compress(b'{}\n{"run": "1f", "numbers": {}}'),
        lzma.compress(b'{}\n{"run": "1f", "result": 5, "asked": {}}'),
        lzma.compress(b"\xff\xfe"),
    ],
)
def test_a_damaged_part_is_one_line(tmp_path, data):
    """Whatever is wrong with it, its name and the way out are said."""
    (tmp_path / "part-01.jsonl.xz").write_bytes(data)
    with pytest.raises(ParamsError, match=r"^part-01\.jsonl\.xz is damaged: .*Received: part-01") as raised:
        PublishedRuns(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_published_study_gives_its_report_without_its_store(tmp_path):
    """From the parts alone; what is found is what was found, to the digits that are kept."""
    study = small(tmp_path / "checkout")
    (study.root / "params" / "full.yaml").write_text(STUDY.replace("units: 6", "units: 2"), encoding="utf-8")
    trained = study.study("report", "--profile", "full", "--only", "01_dropout")
    assert (trained.returncode, trained.stderr) == (0, "")
    finished = study.study("publish")
    assert finished.stdout.splitlines()[-1].startswith("published: reports/published/part-01.jsonl.xz, ")
    shutil.rmtree(study.store)
    built = study.study("report", "--profile", "published")
    assert "Traceback" not in built.stderr
    assert not list(study.store.glob("*.npz"))
    page = (study.root / "reports" / "published" / "report.html").read_text(encoding="utf-8")
    assert "make report PROFILE=full" in page  # what leaves the networks behind: here are none
    assert "Beside this report" not in page
    found, known = (
        json.loads((study.root / "reports" / name / "findings.json").read_text(encoding="utf-8"))
        for name in ("published", "full")
    )
    assert found["runs"]["stored"] == known["runs"]["stored"] > 0
    for mine, its in zip(found["techniques"], known["techniques"], strict=True):
        assert mine["effect"]["estimate"] == pytest.approx(its["effect"]["estimate"], abs=1e-4)
