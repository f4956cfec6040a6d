"""The run store gives back what it got, bit for bit, or says that it cannot."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from engine import made_outcome, made_result, run_of, waves

from lstmstudy.store.outcomes import MissingRunsError, RunStore, file_name, result_digest

IDENTITY = "1f" * 32
OTHER = "2e" * 32


def outcome(identity=IDENTITY, seed=0):
    """Return an outcome with curves, predictions and weights."""
    return made_outcome(identity, made_result([3.0, 1.0, 2.0, 2.5], seed=seed))


def diverged():
    """Return an outcome that ended before any epoch was scored."""
    return made_outcome(IDENTITY, made_result([np.nan] * 4, diverged="training loss inf in epoch 1"))


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return RunStore(tmp_path / "store")


def damages():
    """Return ways to damage the bytes of a file."""
    return {
        "truncated": lambda data: data[: len(data) // 2],
        "a byte short": lambda data: data[:-1],
        "emptied": lambda _: b"",
        "altered": lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
        "something else": lambda _: b"not an archive",
    }


@pytest.mark.parametrize("made", [outcome, diverged])
def test_what_is_loaded_is_what_was_saved(made, store):
    """Result and record come back unchanged, to another process too, which knows the file by its name alone."""
    kept = made()
    store.save(kept)
    loaded = RunStore(store.folder).load(IDENTITY)
    assert result_digest(loaded.result) == result_digest(kept.result)
    assert loaded.record == kept.record == store.record(IDENTITY)
    assert loaded.identity == IDENTITY
    assert loaded.result.diverged == kept.result.diverged
    assert loaded.result.pairing == kept.result.pairing
    assert set(loaded.result.curves) == set(kept.result.curves)
    assert set(loaded.result.weights) == set(kept.result.weights)


def test_a_file_is_named_by_identity_and_content(store):
    """The name is the identity and the SHA-256 of the bytes, and nothing else lies in the folder."""
    path = store.save(outcome())
    assert path.name == f"{IDENTITY}-{hashlib.sha256(IDENTITY.encode() + path.read_bytes()).hexdigest()}.npz"
    assert store.files() == {IDENTITY: path}
    assert list(store.folder.iterdir()) == [path]


def test_an_absent_run_is_absent(store):
    """An empty store, and one with other runs, has neither file, outcome nor record of it."""
    for _ in range(2):
        assert store.load(IDENTITY) is None
        assert store.record(IDENTITY) is None
        assert store.check([IDENTITY]) == {}
        store.save(outcome(OTHER))
    assert set(store.check([IDENTITY, OTHER])) == {OTHER}


def test_files_hold_plain_arrays(store):
    """Every member is numbers or text; none is a pickled object."""
    path = store.save(outcome())
    with np.load(path, allow_pickle=False) as members:
        kinds = {members[name].dtype.kind for name in members.files}
    assert kinds <= set("fiuU")


def test_nothing_that_is_read_is_executed(store, tmp_path):
    """A file whose name fits its bytes, but which carries an object that runs code, is set aside unread."""
    mark = tmp_path / "executed"

    class Trap:
        def __reduce__(self):
            return (Path.touch, (mark,))

    draft = tmp_path / "draft.npz"
    np.savez(draft, record=np.array([Trap()], dtype=object), result=np.array([Trap()], dtype=object))
    data = draft.read_bytes()
    store.folder.mkdir()
    (store.folder / file_name(IDENTITY, data)).write_bytes(data)
    assert store.record(IDENTITY) is None
    assert store.load(IDENTITY) is None
    assert store.files() == {}
    assert not mark.exists()


@pytest.mark.parametrize("damage", damages())
def test_a_damaged_file_is_named_and_set_aside_and_its_run_is_missing(damage, store, capsys):
    """Truncated, emptied or altered, it counts as absent, stays to be looked at, and a new one takes its place."""
    store.save(outcome(OTHER))
    path = store.save(outcome())
    data = damages()[damage](path.read_bytes())
    path.write_bytes(data)
    fresh = RunStore(store.folder)
    assert set(fresh.check([IDENTITY, OTHER])) == {OTHER}
    said = capsys.readouterr()
    assert path.name in said.err
    assert said.out == ""
    assert path.with_suffix(".damaged").read_bytes() == data
    assert fresh.load(IDENTITY) is None
    assert set(fresh.files()) == {OTHER}
    assert capsys.readouterr().err == ""
    fresh.save(outcome())
    assert result_digest(fresh.load(IDENTITY).result) == result_digest(outcome().result)


@pytest.mark.parametrize("damage", damages())
def test_a_damaged_file_has_no_record(damage, store):
    """Reading how a run came about raises nothing, whatever happened to its file."""
    path = store.save(outcome())
    path.write_bytes(damages()[damage](path.read_bytes()))
    record = store.record(IDENTITY)
    assert record in (None, outcome().record)


def test_a_record_survives_or_is_absent_wherever_its_file_is_altered(store):
    """With any byte changed, the record is the one that was written or none at all."""
    path = store.save(outcome())
    data = path.read_bytes()
    for place in range(0, len(data), 3):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        assert store.record(IDENTITY) in (None, outcome().record), place


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_an_interrupted_save_leaves_nothing(step, store, monkeypatch):
    """Stopped before its end, saving leaves no file, whole or half, and what was there before stays."""
    store.save(outcome(OTHER))
    before = sorted(store.folder.iterdir())

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    if step == "replace":
        monkeypatch.setattr(Path, "replace", interrupt)
    elif step == "fsync":
        monkeypatch.setattr(os, "fsync", interrupt)
    else:
        monkeypatch.setattr(np, "savez_compressed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.save(outcome())
    monkeypatch.undo()
    assert sorted(store.folder.iterdir()) == before
    assert set(store.files()) == {OTHER}


def test_a_file_is_there_only_once_it_is_whole(store, monkeypatch):
    """Until all of its bytes are on the disk, a reader finds no new file, and the one before unharmed."""
    seen, fsync = [], os.fsync

    def look(handle):
        fsync(handle)
        seen.append(set(RunStore(store.folder).check(store.files())))

    monkeypatch.setattr(os, "fsync", look)
    for identity in (IDENTITY, OTHER, IDENTITY):
        store.save(outcome(identity))
    assert seen == [set(), {IDENTITY}, {IDENTITY, OTHER}]


def test_a_draft_of_a_killed_process_counts_for_nothing(store):
    """Half a file that was never moved to its place is no outcome."""
    path = store.save(outcome())
    (store.folder / "tmpabc.tmp").write_bytes(path.read_bytes()[:100])
    assert store.files() == {IDENTITY: path}
    assert set(store.check([IDENTITY])) == {IDENTITY}


def test_saving_twice_is_saving_once(store):
    """The same outcome from two writers at once is one whole file."""
    threads = [threading.Thread(target=store.save, args=(outcome(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(store.folder.iterdir())) == 1
    assert result_digest(store.load(IDENTITY).result) == result_digest(outcome().result)


def test_the_same_result_with_two_records_is_one_run(store):
    """Trained on two machines, a run has two files, and either gives its result."""
    for seconds in (1.0, 2.0):
        store.save(made_outcome(IDENTITY, outcome().result, seconds))
    assert set(store.files()) == {IDENTITY}
    assert len(list(store.folder.iterdir())) == 2
    assert result_digest(store.load(IDENTITY).result) == result_digest(outcome().result)


def test_one_damaged_copy_of_two_costs_no_more_than_itself(store, capsys):
    """Once the damaged file is set aside, the whole one beside it is found."""
    for seconds in (1.0, 2.0):
        store.save(made_outcome(IDENTITY, outcome().result, seconds))
    store.files()[IDENTITY].write_bytes(b"")
    fresh = RunStore(store.folder)
    fresh.check([IDENTITY])
    assert "is damaged" in capsys.readouterr().err
    assert result_digest(fresh.load(IDENTITY).result) == result_digest(outcome().result)


def changes():
    """Return a changed copy of a result for everything that it holds."""
    result = outcome().result
    changed = {
        "metric": dataclasses.replace(result, metric="cross_entropy"),
        "epochs": dataclasses.replace(result, epochs=result.epochs + 1),
        "diverged": dataclasses.replace(result, diverged="training loss nan in epoch 5"),
        "pairing": dataclasses.replace(result, pairing={**result.pairing, "batches": "0"}),
    }
    for kind in ("curves", "predictions", "weights"):
        arrays = getattr(result, kind)
        for name, array in arrays.items():
            nudged = array.copy()
            nudged.flat[-1] = np.nextafter(nudged.flat[-1], array.dtype.type(9))
            changed[f"{kind}/{name}"] = dataclasses.replace(result, **{kind: {**arrays, name: nudged}})
        first = next(iter(arrays))
        fewer = {name: array for name, array in arrays.items() if name != first}
        changed[f"{kind} fewer"] = dataclasses.replace(result, **{kind: fewer})
        wider = {**arrays, first: arrays[first].astype(np.longdouble)}
        changed[f"{kind} wider"] = dataclasses.replace(result, **{kind: wider})
        shaped = {**arrays, first: arrays[first][None]}
        changed[f"{kind} shaped"] = dataclasses.replace(result, **{kind: shaped})
    return changed


def test_the_digest_sees_the_last_bit_of_everything():
    """Another value, type, shape or name anywhere in a result is another digest; the order of names is not."""
    digests = {name: result_digest(result) for name, result in changes().items()}
    assert len({*digests.values(), result_digest(outcome().result)}) == len(digests) + 1
    result = outcome().result
    turned = dataclasses.replace(result, curves=dict(reversed(result.curves.items())))
    assert result_digest(turned) == result_digest(result)


def test_the_record_is_no_part_of_the_digest_and_is_plain(store):
    """Seconds and machines are kept as JSON beside the result and never compared."""
    slow, quick = (made_outcome(IDENTITY, outcome().result, seconds) for seconds in (9.0, 1.0))
    assert result_digest(slow.result) == result_digest(quick.result)
    path = store.save(slow)
    with np.load(path, allow_pickle=False) as members:
        assert json.loads(str(members["record"]))["seconds"] == 9.0


def test_drafts_of_a_killed_process_are_swept_away(store):
    """A draft of yesterday goes; one that is being written, and every outcome, stays."""
    kept = store.save(outcome())
    old, young = store.folder / "old.tmp", store.folder / "young.tmp"
    for draft in (old, young):
        draft.write_bytes(b"half an outcome")
    os.utime(old, (0, 0))
    store.sweep()
    assert not old.exists()
    assert young.exists()
    assert kept.exists()


def test_a_reader_looks_through_the_folder_once(tmp_path, monkeypatch):
    """However many runs are missing, the folder is listed once; what is there is read once and what is not is an error."""
    store = RunStore(tmp_path)
    there, missing = (run_of(waves(), seed=seed) for seed in (0, 1))
    store.save(made_outcome(there.identity, made_result([1.0, 0.5])))
    calls = {"_copies": 0, "load": 0}
    for name, method in [(name, getattr(RunStore, name)) for name in calls]:

        def counted(self, *arguments, name=name, method=method):
            calls[name] += 1
            return method(self, *arguments)

        monkeypatch.setattr(RunStore, name, counted)
    outcome = store.reader([there.identity, missing.identity])
    for _ in range(5):
        assert outcome(there).identity == there.identity
        with pytest.raises(MissingRunsError, match="A run has no outcome"):
            outcome(missing)
    assert calls == {"_copies": 1, "load": 1}


def test_a_file_under_the_name_of_another_run_is_found_out(store, capsys):
    """Whole bytes of one run, copied to the name of another with their own checksum, count as damaged."""
    path = store.save(outcome())
    aside = path.with_name(path.name.replace(IDENTITY, OTHER))
    aside.write_bytes(path.read_bytes())
    fresh = RunStore(store.folder)
    assert fresh.load(OTHER) is None
    assert "is damaged" in capsys.readouterr().err
    assert fresh.load(IDENTITY) is not None
