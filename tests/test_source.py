"""Digests of code see its syntax and nothing else."""

from __future__ import annotations

import importlib

import pytest

from lstmstudy import execution
from lstmstudy.source import code_digest, module_path, package_modules, source_digest
from lstmstudy.verdicts import kept

CODE = '''"""What the module is for."""

import math  # the library


def area(radius):
    """Return the area."""
    text = "a string"  # not a docstring
    return math.pi * radius**2, text


class Circle:
    """A circle."""

    radius = 1
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# the library", "# another remark"),
        ("  # not a docstring", ""),
        ("What the module is for.", "Something else."),
        ("Return the area.", "Say how large it is."),
        ('    """A circle."""\n\n', ""),
        ('"a string"', "'a string'"),
        ("math.pi * radius**2", "(math.pi\n        * radius ** 2)"),
        ("\n\n\ndef", "\n\n\n\n\ndef"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(old, new):
    """Code that says the same in other words has the same digest."""
    assert old in CODE
    assert code_digest(CODE.replace(old, new)) == code_digest(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("radius**2", "radius**3"),
        ("radius = 1", "radius = 1.0"),
        ("a string", "another string"),
        ("import math", "import cmath as math"),
        ("def area", "def surface"),
    ],
)
def test_everything_that_runs_counts(old, new):
    """A change of a number, a text, a name or an import changes the digest."""
    assert old in CODE
    assert code_digest(CODE.replace(old, new)) != code_digest(CODE)


def test_a_docstring_alone_is_an_empty_body():
    """A function that has only a docstring equals one that passes."""
    assert code_digest('def f():\n    """Do nothing."""\n') == code_digest("def f():\n    pass\n")


def test_modules_are_found_where_python_finds_them():
    """The path of a module or package is the file that an import runs."""
    for name in ("lstmstudy.streams", "lstmstudy.data", "lstmstudy.techniques.dropout", "lstmstudy"):
        assert module_path(name).samefile(importlib.import_module(name).__file__)


def test_the_order_and_number_of_mentions_do_not_count():
    """Only which modules are named decides, and each of them does."""
    first, second = "lstmstudy.streams", "lstmstudy.readings"
    both = source_digest([first, second])
    assert source_digest([second, first, second]) == both
    assert len({both, source_digest([first]), source_digest([second])}) == 3


@pytest.mark.parametrize("names", [execution._NOT_READ, kept._BESIDE], ids=["notebooks", "findings"])
def test_every_module_that_is_left_out_is_there(names):
    """A module that moved, and its old name in such a list, would count without a word."""
    everything = set(package_modules(without=()))
    for name in names:
        assert set(package_modules(without=[name])) < everything, name
    left = package_modules(without=names)
    assert "lstmstudy.runs" in left
    assert not [each for each in left if each.split(".", 1)[1] in names]
