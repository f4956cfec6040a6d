"""Titles of figures: what was found, in one short sentence without a full stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from lstmstudy.findings.finding import begun, listed, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lstmstudy.stats.effects import Effect

LONGEST = 105  # characters of a title, if there is a version as short as that
UNSURE = "too few units to judge"
_NAMED = 3  # more names than these are counted instead
_NOTHING = 0.05  # percent; a smaller change is told as none


class Interval(Protocol):
    """What has a 95 % interval; both ends are NaN with too few units."""

    @property
    def low(self) -> float:
        """Its lower end."""

    @property
    def high(self) -> float:
        """Its upper end."""


def fitting(*versions: str) -> str:
    """Return the first of several versions of a title that is short enough, else the shortest of them."""
    brief = [version for version in versions if len(version) <= LONGEST]
    return begun((brief or sorted(versions, key=len))[0])


def some(number: int, total: int, things: str) -> str:
    """Return how many of all in words: "none of 3 arms", "1 of 3 arms", "both arms", "all 3 arms"."""
    if number < total or total == 1:
        return f"{number or 'none'} of {total} {things}"
    return f"both {things}" if total == 2 else f"all {total} {things}"


def digits(value: float) -> str:
    """Return a number to two digits, such as "0.52", "4.4" or "280"."""
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")


def short(value: float) -> str:
    """Return a percentage or a number of points, small ones to a tenth."""
    return f"{value:.{int(abs(value) < 9.95)}f}"


def size(log_ratio: float) -> str:
    """Return the size of a change in percent, without its sign."""
    return f"{_percent(log_ratio)} %"


def signed(log_ratio: float) -> str:
    """Return a change in percent, with its sign."""
    return f"{_sign(log_ratio)}{size(log_ratio)}"


def span(log_ratios: Iterable[float], *, signs: bool = False) -> str:
    """Return changes from the smallest to the largest, such as "14 to 20 %", with or without their signs."""
    ends = sorted(log_ratios, key=None if signs else abs)
    sizes = [f"{_sign(end) if signs else ''}{_percent(end)}" for end in (ends[0], ends[-1])]
    return f"{' to '.join(dict.fromkeys(sizes))} %"


def multiples(values: Iterable[float]) -> str:
    """Return positive numbers from the smallest to the largest, such as "0.52 to 0.7", each to two digits."""
    ordered = sorted(values)
    return " to ".join(dict.fromkeys((digits(ordered[0]), digits(ordered[-1]))))


def acts(log_ratio: float) -> str:
    """Return the verb of a change, in the singular."""
    return {"": "changes", "+": "raises"}.get(_sign(log_ratio), "lowers")


def known(effects: Iterable[Interval]) -> bool:
    """Whether at least one effect has an interval."""
    return any(np.isfinite(effect.low) for effect in effects)


def clear(effect: Interval) -> int:
    """Return -1 or 1 for an interval wholly below or above no change, else 0."""
    return int(effect.low > 0) - int(effect.high < 0)


def sides(effects: Mapping[str, Effect], what: str = "") -> str:
    """Return with what an error is lower and higher, such as "clearly lower with A, higher with B", or "".

    If nothing has an interval, all is told as it is seen, without the word "clearly".

    Args:
        effects: The effects by name.
        what: A word for what the names are, to stand in front of them.
    """
    surely = known(effects.values())
    found = {name: clear(effect) if surely else _seen(effect) for name, effect in effects.items()}
    named = {
        word: [name for name, each in found.items() if each == side]
        for word, side in (("lower", -1), ("higher", 1))
    }
    words = [f"{word} with {what}{listed(names)}" for word, names in named.items() if names]
    return f"{'clearly ' if surely else ''}{', '.join(words)}" if words else ""


def of_choice(effect: Effect) -> str:
    """Return what becomes of the test error with the arm that validation chooses; a very long name is left out."""
    chooses, nameless = f"Validation chooses {effect.arm}", "What validation chooses"
    if not known([effect]):
        verb = "harms" if effect.estimate > 0 else "helps"
        doubt = f"too few units to say whether it {verb}"
        seen = f"test error {size(effect.estimate)} {_compared(effect)}"
        return fitting(
            f"{chooses}, {seen}; {doubt}", f"{chooses}; {doubt}", f"{nameless} has a {seen}; {UNSURE}"
        )
    if not clear(effect):
        how = "does not change the test error clearly"
        return fitting(f"{chooses}, which {how}", f"{nameless} {how}")
    how = f"{acts(effect.estimate)} the test error clearly"
    by = f"{how}, by {size(effect.estimate)}"
    return fitting(f"{chooses}, which {by}", f"{chooses}, which {how}", f"{nameless} {by}")


def of_several(effects: Sequence[Effect], things: str, *, named: bool = True) -> str:
    """Return with how many arms, or with which of few, the test error is clearly lower or higher.

    Args:
        effects: Those of the arms.
        things: What the arms are, in the plural.
        named: Whether a few arms may be told by name.
    """
    if len(effects) == 1:
        return _of_one(effects[0])
    total = len(effects)
    if not known(effects):
        lower = sum(_seen(effect) < 0 for effect in effects)
        verb = "have" if lower > 1 else "has"
        return fitting(f"{some(lower, total, things)} {verb} a lower test error; {UNSURE}")
    found = [clear(effect) for effect in effects]
    lower, higher = found.count(-1), found.count(1)
    versions = []
    names = {plain(effect.arm): effect for effect, each in zip(effects, found, strict=True) if each}
    if named and 0 < len(names) <= _NAMED and not any(", " in name for name in names):
        rest = {(True, False): "higher", (False, True): "lower"}.get((lower > 0, higher > 0))
        others = f", {rest} with none of {total} {things}" if rest and len(names) < total else ""
        versions.append(f"the test error is {sides(names)}{others}")
    versions.append(_counted(lower, higher, total, things))
    return fitting(*versions)


def _counted(lower: int, higher: int, total: int, things: str) -> str:
    """Return how many arms lower and raise the test error clearly."""
    if not lower and not higher:
        return f"none of {total} {things} changes the test error clearly"
    if higher == total:
        return f"{some(higher, total, things)} raise the test error clearly"
    first = f"{some(lower, total, things)} {'lower' if lower > 1 else 'lowers'} the test error clearly"
    if lower == total:
        return first
    return f"{first}, {higher or 'none'} {'raise' if higher > 1 else 'raises'} it"


def _of_one(effect: Effect) -> str:
    name = plain(effect.arm)
    if not known([effect]):
        seen = f"The test error is {size(effect.estimate)} {_compared(effect)}"
        return fitting(f"{seen} with {name}; {UNSURE}", f"{seen}; {UNSURE}")
    if not clear(effect):
        how = "The test error is neither clearly lower nor clearly higher"
        return fitting(f"{how} with {name}", how)
    how = f"The test error is clearly {_compared(effect)}"
    by = f"by {size(effect.estimate)}"
    return fitting(f"{how} with {name}, {by}", f"{how} with {name}", f"{how}, {by}")


def _compared(effect: Effect) -> str:
    return "higher" if effect.estimate > 0 else "lower"


def _seen(effect: Effect) -> int:
    """Return -1 or 1 for an estimate below or above no change, whatever its interval; 0 for none that is told."""
    return {"": 0, "+": 1}.get(_sign(effect.estimate), -1)


def _percent(log_ratio: float) -> str:
    """Return the size of a change in percent: small ones to a tenth."""
    return short(100 * abs(float(np.expm1(log_ratio))))


def _sign(log_ratio: float) -> str:
    change = 100 * float(np.expm1(log_ratio))
    if abs(change) < _NOTHING:
        return ""
    return "+" if change > 0 else "\N{MINUS SIGN}"
