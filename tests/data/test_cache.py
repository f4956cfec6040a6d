"""Opening a task by name, with and without the cache on disk."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Never

import numpy as np
import pytest

from lstmstudy import paths
from lstmstudy.data import CATALOG, TASK_NAMES, Task, cache, open_task
from lstmstudy.data.task import digest, fold_arrays

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAVY = ("aeon", "statsmodels", "sklearn", "pandas", "scipy", "tensorflow", "keras")


def _in_new_process(code: str, *arguments: str) -> str:
    """Run `code` from the root of the checkout in a fresh interpreter and return what it printed."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def _assert_equal(one: Task, other: Task) -> None:
    left, right = fold_arrays(one.folds), fold_arrays(other.folds)
    assert list(left) == list(right)
    for name, array in left.items():
        assert array.dtype == right[name].dtype
        np.testing.assert_array_equal(array, right[name])
    assert one.info == other.info
    assert one.references == other.references
    assert (one.floor, one.content) == (other.floor, other.content)
    assert [(f.center, f.scale) for f in one.folds] == [(f.center, f.scale) for f in other.folds]


@pytest.mark.parametrize("name", ["sunspot", "mackey-glass", "Digits_rows", ""])
def test_an_unknown_task_names_the_nearest_and_what_came(name: str) -> None:
    """The message lists the tasks, suggests one and ends with the name received."""
    with pytest.raises(ValueError, match="Expected one of: sunspots, elnino, co2,") as raised:
        open_task(name)
    assert str(raised.value).endswith(f"Received: task={name!r}")
    nearest = {"sunspot": "sunspots", "mackey-glass": "mackey_glass", "Digits_rows": "digits_rows"}
    assert f"Did you mean '{nearest.get(name, '')}" in str(raised.value)


def test_the_catalog_needs_no_library() -> None:
    """Knowing the facts about all tasks imports none of the libraries that their data come from."""
    code = f"import sys, lstmstudy.data; print([m for m in {HEAVY} if m in sys.modules])"
    assert _in_new_process(code).strip() == "[]"


def test_metrics_follow_the_kind() -> None:
    """Forecasting is judged by RMSE and classification by cross-entropy."""
    assert tuple(CATALOG) == TASK_NAMES
    for info in CATALOG.values():
        pair = ("rmse", "mae") if info.kind == "forecasting" else ("cross_entropy", "error_rate")
        assert (info.metric, info.secondary) == pair


def test_no_task_needs_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every connection refused all tasks open."""

    def refuse(*_: object) -> Never:
        msg = "no network in this test"
        raise OSError(msg)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert all(open_task(name).folds for name in TASK_NAMES)


def test_content_is_the_same_in_another_process() -> None:
    """The hash that identifies the data depends on nothing of this process."""
    names = ["sunspots", "digits_rows", "japanese_vowels", "mackey_glass"]
    code = (
        "import sys; from lstmstudy.data import open_task\n"
        "for name in sys.argv[1:]: print(open_task(name).content)"
    )
    here = [open_task(name).content for name in names]
    assert _in_new_process(code, *names).split() == here
    assert len(set(here)) == len(names)


def test_content_covers_name_type_shape_and_bytes() -> None:
    """Any difference between two sets of arrays shows in the hash."""
    array = np.arange(6, dtype=np.int32)
    hashes = {
        digest({"a": array}, "task"),
        digest({"a": array}, "other"),
        digest({"b": array}, "task"),
        digest({"a": array.view(np.uint32)}, "task"),
        digest({"a": array.reshape(2, 3)}, "task"),
        digest({"a": array + 1}, "task"),
    }
    assert len(hashes) == 6
    assert digest({"a": array.copy()}, "task") in hashes


@pytest.mark.parametrize("name", ["co2", "japanese_vowels", "mackey_glass"])
def test_a_second_opening_reads_the_same_without_the_libraries(tmp_path: Path, name: str) -> None:
    """What the cache returns equals what was built, and a process that only reads imports nothing heavy."""
    built = open_task(name, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [cache.cache_path(tmp_path, name).name]
    _assert_equal(built, open_task(name))
    _assert_equal(built, open_task(name, tmp_path))
    code = (
        "import json, pathlib, sys; from lstmstudy.data import open_task;"
        "task = open_task(sys.argv[1], pathlib.Path(sys.argv[2]));"
        f"print(json.dumps([task.content, [m for m in {HEAVY} if m in sys.modules]]))"
    )
    assert json.loads(_in_new_process(code, name, str(tmp_path))) == [built.content, []]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _flip_a_bit(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def _improve_a_reference(path: Path) -> None:
    """Write a whole archive whose arrays are right but whose numbers are not."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    meta = json.loads(arrays["meta"].item())
    meta["references"][0]["naive"]["rmse"] /= 2
    arrays["meta"] = np.array(json.dumps(meta))
    np.savez(path, allow_pickle=False, **arrays)


def _lose_an_array(path: Path) -> None:
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    del arrays["test_x"]
    np.savez(path, allow_pickle=False, **arrays)


@pytest.mark.parametrize("damage", [_truncate, _empty, _flip_a_bit, _improve_a_reference, _lose_an_array])
def test_a_damaged_file_is_named_set_aside_and_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    """One line on stderr names the file, the damaged bytes are kept, and the task is right."""
    built = open_task("sunspots", tmp_path)
    (path,) = tmp_path.iterdir()
    damage(path)
    damaged = path.read_bytes()
    _assert_equal(built, open_task("sunspots", tmp_path))
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert message.startswith(f"{path.name} is damaged (")
    assert path.with_name(f"{path.name}.damaged").read_bytes() == damaged
    _assert_equal(built, open_task("sunspots", tmp_path))
    assert not capsys.readouterr().err


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of writing leaves neither a partial file nor a temporary one."""

    def fail(file: object, **_: object) -> Never:
        file.write(b"half")  # type: ignore[attr-defined]
        msg = "disk full"
        raise OSError(msg)

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        open_task("sunspots", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_key_follows_code_and_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of a library or another syntax of a data module gives another file name."""
    now = cache.cache_path(tmp_path, "co2")
    assert now.name.startswith("co2-")
    with monkeypatch.context() as patch:
        patch.setattr(cache, "version", lambda library: f"{library} from the future")
        assert cache.cache_path(tmp_path, "co2") != now
    with monkeypatch.context() as patch:
        patch.setattr(cache, "source_digest", lambda modules: f"another syntax of {modules}")
        assert cache.cache_path(tmp_path, "co2") != now
    assert cache.cache_path(tmp_path, "co2") == now


def test_the_key_covers_every_module_of_the_data() -> None:
    """A new module of the data package must be named, or its changes would go unseen."""
    folder = paths.ROOT / "lstmstudy" / "data"
    named = (path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py"))
    modules = {".".join(("lstmstudy.data", *parts)) for parts in named if parts[-1] != "__init__"}
    beside = {f"lstmstudy.{name}" for name in ("metrics", "streams", "parsing.untrusted")}
    assert modules | beside == set(cache.MODULES)
