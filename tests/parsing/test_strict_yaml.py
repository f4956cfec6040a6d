"""Reading a YAML file: a plain mapping, or one line that says what is wrong with it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from lstmstudy import paths
from lstmstudy.parsing.strict_yaml import ParamsError, hint, read_mapping, shown


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is no mapping."),
        (b"- 1\n- 2\n", "the file is no mapping."),
        (b"units: \xff", "the file is not UTF-8 text."),
        (b"units: [1, 2\nx: 3", "the file is not YAML (line 2: "),
        (b"a: b: c", "the file is not YAML (line 1: "),
        (b"a: 1\n---\nb: 2", "the file is not YAML (line 2: "),
        (b"a: \0", "the file is not YAML (line 1: "),
        (b"a: 2020-13-45", "the file is not YAML (line 1: month must be in 1..12"),
        (b"a: !!python/object/apply:os.getcwd []", "the file is not YAML (line 1: could not determine"),
        (b"a: [1", "the file is not YAML (line 1: "),
        (b"a: *b", "the file is not YAML (line 1: found undefined alias"),
        (b"a: 1" + b"0" * 5000, "the file is not YAML (line 1: Exceeds the limit"),
        (b"[" * 5000, "line 1: lists and mappings stand too deep in one another."),
        (b"a: " + b"[" * 1_000_000 + b"]" * 1_000_000, "line 1: lists and mappings stand too deep"),
        (b"".join(b" " * n + b"a:\n" for n in range(60)), "line 51: lists and mappings stand too deep"),
        (b"a: &a {b: 1, c: *a}\nd: *a", "line 1: `a` contains itself."),
        (b"a: 1\nb: &b [1, [2, *b]]", "line 2: `b` contains itself."),
        (b"[1]: 2", "the file is not YAML (line 1: found unhashable key"),
        (b"on: 2", "line 1: a key is no text;"),
        (b"a: {3: 2}", "line 1: a key is no text;"),
        (b"units: 1\nunits: 2", "line 2: the key `units` is there a second time."),
        (b"a:\n  b: 1\n  'b': 2", "line 3: the key `a.b` is there a second time."),
        (b"a:\n- {b: 1, b: [2]}", "line 2: the key `a.b` is there a second time."),
    ],
)
def test_a_file_that_is_no_plain_mapping_is_named_in_one_line(tmp_path, content, expected):
    """The message starts with the file, gives the line where it can, and ends with what came."""
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ParamsError) as caught:
        read_mapping(path)
    message = str(caught.value)
    assert message.startswith(f"mine.yaml: {expected}")
    assert "Expected " in message
    assert "=" in message.rpartition(" Received: ")[2]
    assert message.isprintable()
    assert len(message) < 350


@pytest.mark.parametrize("make", [lambda _: None, lambda path: path.mkdir()])
def test_a_file_that_cannot_be_read_is_named(tmp_path, make):
    """A missing file and a folder in its place are one line each."""
    path = tmp_path / "mine.yaml"
    make(path)
    with pytest.raises(ParamsError, match=r"^mine\.yaml: .* Received: file='mine\.yaml'$"):
        read_mapping(path)


def test_aliases_and_merge_keys_are_read(tmp_path):
    """A mapping may be used again, whole or with keys of its own."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "a: &a {b: 1, c: [2]}\nd: *a\ne:\n  <<: *a\n  b: 3\nf: {<<: [*a, {g: 4}]}\n", encoding="utf-8"
    )
    content = read_mapping(path)
    assert content["d"] is content["a"] == {"b": 1, "c": [2]}
    assert content["e"] == {"b": 3, "c": [2]}
    assert content["f"] == {"b": 1, "c": [2], "g": 4}


LAUGHS = "a0: &a0 [lol]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 40)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 40)
)
BOUNDED = """
import resource, sys, time
from pathlib import Path
from lstmstudy.params.profile import load_profile
from lstmstudy.parsing.strict_yaml import ParamsError
began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_profile("mine", Path(sys.argv[1]))
except ParamsError as error:
    print(error)
print(time.monotonic() - began)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (LAUGHS, "line 6: the file has too many values"),
        (MERGES, "line 11: the file has too many values"),
        ("a: [" + "1, " * 300_000 + "1]", "line 1: the file has too many values"),
        ("# " + "x" * 100_000_000, "the file is too large. Expected at most 8388608 bytes. Received: bytes=100000002"),
        ("a: " + "[" * 4_000_000, "line 1: lists and mappings stand too deep"),
        (f"tasks: &a [{'x, ' * 9000}]\nunits: [{'*a, ' * 9}]\n", "tasks: 'x' is there twice. Expected a list of names"),
        ("units: 0x" + "f" * 9000, "Expected "),
        ("a: !!python/object/apply:os.system ['touch sprung']", "could not determine a constructor"),
        ("? !!python/object/new:os.system ['touch sprung']\n: 1", "could not determine a constructor"),
    ],
    ids=["laughs", "merges", "many", "large", "deep", "aliases", "digits", "tag", "key"],
)  # fmt: skip
def test_no_file_takes_time_memory_or_control(tmp_path, content, expected):
    """Whatever a profile expands to, it is refused in one line, at once and in little memory, and nothing in it is run."""
    (tmp_path / "mine.yaml").write_text(content, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(paths.ROOT)},
    )
    message, seconds, mebibytes = done.stdout.splitlines()
    assert message.startswith("mine.yaml: ")
    assert expected in message
    assert "Received: " in message
    assert len(message) < 600
    assert float(seconds) < 10  # a machine under load takes its time
    assert float(mebibytes) < 200
    assert [each.name for each in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize("text", ["1e-3", "2.5e3", "5e-05", "1E4", "-.5", "3e-12", "'7'"])
def test_the_spellings_that_a_hint_gives_are_read_as_that_number(text):
    """What the hint tells to write is a number for YAML, the one that was meant."""
    value = yaml.safe_load(text)
    assert isinstance(value, str)
    spellings = hint(value).partition("write ")[2].partition(",")[0].split(" or ")
    assert [yaml.safe_load(spelling) for spelling in spellings] == pytest.approx(
        [float(value)] * len(spellings)
    )


@pytest.mark.parametrize("value", ["step", "e5", "1e", "", "1_000", 3, 0.5, None, "nan"])
def test_other_values_get_no_hint(value):
    """A value that YAML reads as meant gets no sentence about YAML."""
    assert hint(value) == ""


def test_a_long_value_is_cut():
    """A message repeats no more of a value than fits in a line."""
    assert len(shown("x" * 1000)) == 80
    assert shown((1, 2)) == "[1, 2]"
    assert "too long to print" in shown(1 << 99_999)
