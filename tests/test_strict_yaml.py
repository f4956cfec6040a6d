"""Reading a YAML file: a plain mapping, or one line that says what is wrong with it."""

from __future__ import annotations

import pytest
import yaml

from lstmstudy.strict_yaml import ParamsError, hint, read_mapping, shown


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
        (b"[" * 5000, "the file is not YAML (line 1: "),
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
    assert len(message) < 300


@pytest.mark.parametrize("make", [lambda _: None, lambda path: path.mkdir()])
def test_a_file_that_cannot_be_read_is_named(tmp_path, make):
    """A missing file and a folder in its place are one line each."""
    path = tmp_path / "mine.yaml"
    make(path)
    with pytest.raises(ParamsError, match=r"^mine\.yaml: .* Received: file='mine\.yaml'$"):
        read_mapping(path)


def test_aliases_are_read_once_and_cycles_end(tmp_path):
    """A mapping that contains itself is read without hanging."""
    path = tmp_path / "mine.yaml"
    path.write_text("a: &a {b: 1, c: *a}\nd: *a\n", encoding="utf-8")
    content = read_mapping(path)
    assert content["a"]["c"] is content["a"] is content["d"]


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
