"""What the text in one cell of a user's table is: missing, a number, a time, or something else."""

from __future__ import annotations

import re

MISSING = ("", "na", "nan", "null", "none")  # in any case
MISSING_WORDS = "a missing one is empty, NA, NaN, null or none"
_INFINITE = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)
_NUMBERS = {
    mark: re.compile(rf"[-+]?(\d+({re.escape(mark)}\d*)?|{re.escape(mark)}\d+)([eE][-+]?\d+)?", re.ASCII)
    for mark in (".", ",")
}
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}", re.ASCII)
TIME = re.compile(
    r"""
    (?:
        (?P<year>\d{4}) (?P<mark>[-/.]) (?P<month>\d{1,2}) (?: (?P=mark) (?P<day>\d{1,2}) )?
        | (?P<first>\d{1,2}) (?P<last_mark>[-/.]) (?P<middle>\d{1,2}) (?P=last_mark) (?P<last>\d{4})
        | (?P<of_quarter>\d{4}) [ -]? [Qq] (?P<quarter>[1-4])
    )
    (?:
        [T ]\s* (?P<hour>\d{1,2}) : (?P<minute>\d{2})
        (?: : (?P<second>\d{2}) (?: [.,] (?P<fraction>\d{1,9}) )? )?
        (?: \s* (?P<half>[AaPp][Mm]) )?
        \s* (?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?
    )?
    """,
    re.VERBOSE | re.ASCII,
)
_LONGEST = 60  # characters of a name in a message


def is_missing(text: str) -> bool:
    """Whether the text stands for no value."""
    return len(text) < 9 and text.strip().casefold() in MISSING


def is_number(text: str, marks: str = ".,") -> bool:
    """Whether the text is a number with a decimal mark of these, if it has one; infinity is none."""
    return any(_NUMBERS[mark].fullmatch(text) for mark in marks)


def is_infinite(text: str) -> bool:
    """Whether the text is a word for infinity."""
    return _INFINITE.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether the text looks like a date or a time."""
    return TIME.fullmatch(text) is not None


def may_have_thousands(text: str) -> bool:
    """Whether the only comma of a number may separate thousands."""
    return _THOUSANDS.fullmatch(text) is not None


def label(name: str) -> str:
    """Return a name as a message has it: what cannot be printed is escaped, and it is cut when long."""
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
