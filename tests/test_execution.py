"""Executing notebooks: which are stale and why, and what one that fails leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lstmstudy import execution, paths
from lstmstudy.execution import Execution, code_inputs, execute_all, file_inputs, text_hash


@pytest.fixture
def done(tmp_path):
    """Return an execution that was stamped; its output stands in for an executed notebook."""
    each = Execution(tmp_path / "a.ipynb", tmp_path / "out.ipynb", {"profile": "smoke"}, {"a": "1", "b": "2"})
    each.target.write_text("executed", encoding="utf-8")
    each.stamp()
    return each


def write(path, *cells):
    """Write a notebook of code cells, the first of them with the parameters."""
    parameters = new_code_cell("profile = 'default'", metadata={"tags": ["parameters"]})
    notebook = new_notebook(
        cells=[new_markdown_cell("# Title"), parameters, *(new_code_cell(cell) for cell in cells)]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path


def test_what_was_executed_from_the_same_inputs_is_not_stale(done):
    """With equal inputs and an untouched output there is no reason to execute."""
    assert done.stale() == []
    assert replace(done, inputs=dict(reversed(done.inputs.items()))).stale() == []


@pytest.mark.parametrize(
    ("inputs", "reasons"),
    [
        ({"a": "1", "b": "3"}, ["b"]),
        ({"a": "1"}, ["b"]),
        ({"a": "1", "b": "2", "c": "3"}, ["c"]),
        ({"a": "2", "b": "1"}, ["a", "b"]),
    ],
)
def test_inputs_that_changed_came_or_went_are_the_reasons(done, inputs, reasons):
    """Each of them is named, and no other."""
    assert replace(done, inputs=inputs).stale() == reasons


def test_an_output_that_was_altered_is_made_again(done):
    """The output's own bytes count, so that nobody's edit of it enters a report."""
    done.target.write_text("edited", encoding="utf-8")
    assert done.stale() == ["the executed notebook was altered"]


@pytest.mark.parametrize("name", ["out.ipynb", "out.stamp.json"])
def test_without_output_or_stamp_there_was_no_execution(done, name):
    """Either of the two missing is a reason."""
    (done.target.parent / name).unlink()
    assert len(done.stale()) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"inputs": 3, "output": ""}', "null", "\x00"])
def test_a_damaged_stamp_is_a_reason_and_no_error(done, content):
    """Whatever stands in a stamp, the notebook is executed again."""
    (done.target.parent / "out.stamp.json").write_text(content, encoding="utf-8")
    assert len(done.stale()) == 1


def test_a_forgotten_execution_is_stale_until_it_is_stamped(done):
    """Taking the stamp away twice is no error."""
    done.forget()
    done.forget()
    assert done.stale()
    done.stamp()
    assert done.stale() == []


def test_code_that_draws_or_trains_counts_and_code_that_builds_does_not():
    """Every module that a notebook can reach is an input, by its path in the checkout."""
    inputs = code_inputs()
    assert {
        "lstmstudy/study/study.py",
        "lstmstudy/figures/curves.py",
        "lstmstudy/layers/lstm.py",
    } <= inputs.keys()
    assert not [name for name in inputs if "report/" in name or name == "lstmstudy/build.py"]
    assert len(set(inputs.values())) > len(inputs) / 2


def test_comments_in_code_do_not_count_and_code_does(tmp_path, monkeypatch):
    """The hash of a module is that of its syntax."""
    package = tmp_path / "lstmstudy"
    package.mkdir()
    monkeypatch.setattr(paths, "CODE", package)
    hashes = []
    for code in (
        "def f():\n    return 1\n",
        '"""Words."""\n\ndef f():\n    return 1  # one\n',
        "def f():\n    return 2\n",
    ):
        (package / "made.py").write_text(code, encoding="utf-8")
        hashes.append(code_inputs()["lstmstudy/made.py"])
    assert hashes[0] == hashes[1] != hashes[2]


def test_every_byte_of_a_file_counts(tmp_path):
    """A file's hash changes with one byte, and does not depend on where the file lies."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"abc")
    other.write_bytes(b"abd")
    (a,), (b,) = file_inputs([one]).values(), file_inputs([other]).values()
    assert a != b
    other.write_bytes(b"abc")
    assert file_inputs([other]) == {"other": a}


def test_lines_are_told_apart_by_their_order():
    """The hash of lines counts which comes first."""
    assert text_hash(["a", "b"]) != text_hash(["b", "a"])
    assert text_hash(["a", "b"]) == text_hash(iter(["a", "b"]))


def test_nothing_to_execute_starts_nothing(monkeypatch):
    """Without a stale notebook no process is made."""
    monkeypatch.setattr(execution, "ProcessPoolExecutor", None)
    assert list(execute_all({})) == []


def test_a_failing_notebook_leaves_what_it_did_and_the_others_go_on(tmp_path):
    """Every notebook gets the parameters; the one that stops says where, is not stamped, and has no draft."""
    good = write(tmp_path / "good.ipynb", "import os, lstmstudy.paths", "print(profile, os.getcwd())")
    bad = write(tmp_path / "bad.ipynb", "print('so far')", "1 / 0", "print('never')")
    none = tmp_path / "none.ipynb"
    none.write_text("{", encoding="utf-8")
    every = {
        path.stem: Execution(path, tmp_path / "out" / path.name, {"profile": "smoke"}, {"a": "1"})
        for path in (good, bad, none)
    }
    errors = dict(execute_all(every))
    assert errors.keys() == every.keys()
    assert errors["good"] is None
    assert errors["bad"].startswith("cell ")
    assert errors["bad"].endswith(": ZeroDivisionError: division by zero")
    assert errors["none"].startswith("NotJSONError: ")
    assert [name for name, each in every.items() if each.stale()] == ["bad", "none"]

    first = nbformat.read(every["good"].target, 4)
    assert first.cells[-1].outputs[0].text == f"smoke {tmp_path}\n"
    second = nbformat.read(every["bad"].target, 4)
    printed = [output.text for cell in second.cells for output in cell.get("outputs", []) if "text" in output]
    assert printed == ["so far\n"]
    assert list((tmp_path / "out").glob("*draft*")) == []
    assert json.loads((tmp_path / "out" / "good.stamp.json").read_text(encoding="utf-8"))["inputs"] == {
        "a": "1"
    }
    assert good.read_text(encoding="utf-8").count("smoke") == 0
