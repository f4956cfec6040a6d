"""Runs travel: an archive gives the same store elsewhere, and nothing but whole runs is taken."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from engine import made_outcome, made_result, write_tuned
from planning import parameters, refusal

from lstmstudy.plan import make_plan
from lstmstudy.store.outcomes import RunStore, file_name, result_digest
from lstmstudy.store.sharing import export_runs, import_runs

PROFILE = """\
tasks: [sunspots]
techniques: [dropout]
units: 2
network: {layers: 1, width: 4}
training: {epochs: 4, batch_size: 32, learning_rate: 0.003}
grids: {dropout: {rate: [0.3], per: [step]}}
"""
ELSEWHERE = "ab" * 32  # a run that the profile does not have


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """Return the folder of the parameters, a store with half of their runs and another one, and the plan."""
    root = tmp_path_factory.mktemp("shared")
    (root / "params").mkdir()
    folder = parameters(root / "params", PROFILE)
    write_tuned(folder, ["sunspots"])
    plan = make_plan("mine", store=root / "store", folder=folder)
    store = RunStore(root / "store")
    for seed, identity in enumerate([*list(plan.all_runs)[::2], ELSEWHERE]):
        store.save(made_outcome(identity, made_result([3.0, 1.0, 2.0, 2.5], seed=seed)))
    return folder, store, plan


@pytest.fixture
def archive(studied, tmp_path):
    """Return an archive of the stored runs."""
    folder, store, _ = studied
    assert export_runs("mine", tmp_path / "runs.zip", store=store.folder, folder=folder) == 0
    return tmp_path / "runs.zip"


def test_what_is_taken_elsewhere_is_what_was_stored(studied, archive, tmp_path, capsys):
    """Every stored run of the profile arrives with the same bits, no other does, and a second time takes nothing."""
    _, store, plan = studied
    other = RunStore(tmp_path / "other")
    assert import_runs(archive, store=other.folder) == 0
    wanted = set(store.check(plan.all_runs))
    assert set(other.files()) == wanted
    assert ELSEWHERE not in other.files()
    for identity in wanted:
        assert result_digest(other.load(identity).result) == result_digest(store.load(identity).result)
    capsys.readouterr()
    times = {path: path.stat().st_mtime_ns for path in other.folder.iterdir()}
    assert import_runs(archive, store=other.folder) == 0
    assert f"0 runs taken, {len(wanted)} were there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in other.folder.iterdir()} == times


def test_the_same_runs_give_the_same_archive(studied, archive, tmp_path):
    """Packed again, whenever that is, the bytes are equal."""
    folder, store, _ = studied
    export_runs("mine", tmp_path / "again.zip", store=store.folder, folder=folder)
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_a_damaged_run_is_replaced_by_the_one_of_the_archive(archive, tmp_path):
    """A stored file that lost a bit counts as missing: the archive's whole one takes its place."""
    other = RunStore(tmp_path / "other")
    import_runs(archive, store=other.folder)
    path = next(other.folder.glob("*.npz"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert import_runs(archive, store=other.folder) == 0
    assert RunStore(other.folder).load(path.name.partition("-")[0]) is not None


def hostile():
    """Return entries, by name, that no store must take, and a word of the line that refuses each."""
    good = io.BytesIO()
    np.savez(good, curves=np.zeros(3))
    data = good.getvalue()
    name = file_name("cd" * 32, data)
    return {
        "another run's content": (name.replace("cd" * 32, "ef" * 32), data, "damaged"),
        "one bit": (name, data[:-1] + bytes([data[-1] ^ 1]), "damaged"),
        "empty": (name, b"", "damaged"),
        "a path": (f"../../{name}", data, "not the name of a run"),
        "an absolute path": (f"/tmp/{name}", data, "not the name of a run"),  # noqa: S108 - a hostile one
        "a backslash": (f"..\\{name}", data, "not the name of a run"),
        "a folder": ("runs/", b"", "not the name of a run"),
        "a script": ("evil.py", b"raise SystemExit", "not the name of a run"),
        "a hidden file": (f".{name}", data, "not the name of a run"),
        "a longer name": (f"{name}.exe", data, "not the name of a run"),
        "a line break": (f"{name}\n", data, "not the name of a run"),
    }


@pytest.mark.parametrize("name", hostile())
def test_what_is_no_whole_run_is_refused_by_name(name, archive, tmp_path, capsys):
    """It is named in a line, the exit code says so, nothing is written but whole runs, and the others arrive."""
    entry, data, why = hostile()[name]
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr(zipfile.ZipInfo(entry), data)
    root = tmp_path / "deep" / "in" / "it"
    assert import_runs(archive, store=root / "store") == 1
    said = capsys.readouterr()
    assert "refused: " in said.err
    assert why in said.err
    assert "1 refused" in said.out
    written = [path for path in (tmp_path / "deep").rglob("*") if path.is_file()]
    assert written
    for path in written:
        assert path.parent == root / "store"
        assert path.name == file_name(path.name.partition("-")[0], path.read_bytes())


def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path, capsys):
    """An entry that says it is small and unpacks to gigabytes, or says that it is large, is refused."""
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(f"{'ab' * 32}-{'cd' * 32}.npz", bytes(300 << 20))
    assert import_runs(bomb, store=tmp_path / "store") == 1
    assert "too large" in capsys.readouterr().err
    assert not list((tmp_path / "store").iterdir())


def test_what_is_no_archive_is_one_line(tmp_path):
    """A missing file, a folder and a text are told by name."""
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "text.zip").write_text("no archive", encoding="utf-8")
    for name in ("missing.zip", "folder.zip", "text.zip"):
        said = refusal(lambda name=name: import_runs(tmp_path / name, store=tmp_path / "store"))
        assert said.startswith(f"{name}: this is no archive of runs")


def test_nothing_stored_and_no_place_are_one_line(studied, tmp_path):
    """An export of nothing, or into a folder that is not there, writes nothing and says why."""
    folder, store, _ = studied
    said = refusal(lambda: export_runs("mine", tmp_path / "a.zip", store=tmp_path / "none", folder=folder))
    assert said.startswith("No run of the profile mine is stored")
    out = tmp_path / "no folder" / "a.zip"
    said = refusal(lambda: export_runs("mine", out, store=store.folder, folder=folder))
    assert "Expected a place for the archive that can be written" in said
    assert not list(tmp_path.rglob("*.zip"))
