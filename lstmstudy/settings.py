"""Checks of settings that techniques and layers share: what was expected, and what came."""

from __future__ import annotations

import math


def check_rate(name: str, value: float, *, of: str = "dropping", closed: bool = False) -> None:
    """Raise a ValueError unless `value` is a probability `of` something, in [0, 1), or in [0, 1] if `closed`."""
    if not _is_number(value) or not 0 <= value <= 1 or (value == 1 and not closed):
        interval = "[0, 1]" if closed else "[0, 1)"
        msg = f"`{name}` is the probability of {of}. Expected a number in {interval}. Received: {name}={value!r}"
        raise ValueError(msg)


def check_amount(name: str, value: float, what: str) -> None:
    """Raise a ValueError unless `value` is a finite number of at least 0; `what` says what it is."""
    if not _is_number(value) or not 0 <= value < math.inf:
        msg = f"`{name}` is {what}. Expected a finite number of at least 0. Received: {name}={value!r}"
        raise ValueError(msg)


def check_limit(name: str, value: float, what: str) -> None:
    """Raise a ValueError unless `value` is a number above 0, infinity among them; `what` says what it is."""
    if not _is_number(value) or not value > 0:
        msg = f"`{name}` is {what}. Expected a number above 0; infinity is off. Received: {name}={value!r}"
        raise ValueError(msg)


def check_factor(name: str, value: float, what: str, *, zero: bool = False) -> None:
    """Raise a ValueError unless `value` is in (0, 1], or in [0, 1) with `zero`; `what` says what it is."""
    if not _is_number(value) or not (0 <= value < 1 if zero else 0 < value <= 1):
        interval = "[0, 1)" if zero else "(0, 1]"
        msg = f"`{name}` is {what}. Expected a number in {interval}. Received: {name}={value!r}"
        raise ValueError(msg)


def check_count(name: str, value: int, what: str, *, least: int = 1) -> None:
    """Raise a ValueError unless `value` is an integer of at least `least`; `what` says what it counts."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"`{name}` is {what}. Expected an integer of at least {least}. Received: {name}={value!r}"
        raise ValueError(msg)


def _is_number(value: float) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
    except OverflowError:  # an integer that no float can hold
        return False


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise a ValueError unless `value` is one of `choices`."""
    if value not in choices:
        msg = f"`{name}` is one of {', '.join(choices)}. Received: {name}={value!r}"
        raise ValueError(msg)
