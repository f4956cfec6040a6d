"""Checks of settings that techniques and layers share: what was expected, and what came."""

from __future__ import annotations

import math


def check_rate(name: str, value: float) -> None:
    """Raise a ValueError unless `value` is a probability of dropping, in [0, 1)."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value < 1
        or math.isnan(value)
    ):
        msg = f"`{name}` is the probability of dropping. Expected a number in [0, 1). Received: {name}={value!r}"
        raise ValueError(msg)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise a ValueError unless `value` is one of `choices`."""
    if value not in choices:
        msg = f"`{name}` is one of {', '.join(choices)}. Received: {name}={value!r}"
        raise ValueError(msg)
