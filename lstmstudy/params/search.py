"""What random search draws: ranges of settings, and the entries of a technique that are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from lstmstudy.parsing.sections import Section, as_tuple
from lstmstudy.parsing.strict_yaml import hint, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

FIRST_SEED = 1000  # of the tuning seeds; judged seeds are lower, as a profile has at most 1000 units
_DIGITS = 4  # significant ones, so that a file shows exactly what was trained
RANGE = "a range such as {from: 0.001, to: 0.01, scale: log}, scale being linear or log"


class SearchRange(Section):
    """The numbers from which one setting is drawn, both ends included.

    Args:
        low: Where the range begins; in a file ``from``.
        high: Where it ends, above `low`; in a file ``to``.
        scale: ``"linear"`` draws uniformly, ``"log"`` uniformly in the logarithm.
        integer: Whether only whole numbers are drawn.
    """

    low: float = Field(alias="from", description="a number, the lower end")
    high: float = Field(alias="to", description="a number above `from`, the upper end")
    scale: Literal["linear", "log"] = Field(description="linear or log")
    integer: bool = Field(default=False, description="true where only whole numbers are drawn")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            msg = "`from` is not below `to`"
            raise ValueError(msg)
        if self.scale == "log" and self.low <= 0:
            msg = "a log scale has no room at 0 and below, and `from` is there"
            raise ValueError(msg)
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            msg = "whole numbers are drawn between whole ends"
            raise ValueError(msg)
        return self

    def draw(self, rng: np.random.Generator) -> float | int:
        """Return one number, of four significant digits unless it is an integer; takes one uniform draw."""
        top = self.high + 1 if self.integer else self.high
        share = rng.random()
        if self.scale == "log":
            value = self.low * (top / self.low) ** share
        else:
            value = self.low + share * (top - self.low)
        return self.settle(value)

    def settle(self, value: float) -> float | int:
        """Return the number of this range that a draw of `value` stands for: rounded, and inside."""
        if self.integer:
            return int(min(max(value, self.low), self.high))
        return min(max(rounded(value), self.low), self.high)

    def holds(self, value: object) -> bool:
        """Whether `value` could have been drawn."""
        if isinstance(value, bool) or not isinstance(value, int if self.integer else (int, float)):
            return False
        return self.low <= value <= self.high

    def median(self, values: Sequence[float]) -> float | int:
        """Return the median on this scale, as a number that could have been drawn."""
        import numpy as np

        middle = np.exp(np.median(np.log(values))) if self.scale == "log" else np.median(values)
        return self.settle(round(float(middle)) if self.integer else float(middle))

    def describe(self) -> dict[str, Any]:
        """Return the range as a file has it."""
        low, high = (int(self.low), int(self.high)) if self.integer else (self.low, self.high)
        kind = {"integer": True} if self.integer else {}
        return {"from": low, "to": high, "scale": self.scale, **kind}


def _as_range(value: object) -> object:
    """Return a mapping as a range; what is wrong with it is the reason in an error."""
    if not isinstance(value, dict):
        return value
    try:
        return SearchRange.model_validate(value)
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            reason = f"unknown key `{key}`, none of from, to, scale, integer"
        elif first["type"] == "missing":
            reason = f"missing key `{key}`"
        elif first["type"] == "value_error":
            reason = str(first["ctx"]["error"])
        else:
            reason = f"`{key}` is {shown(first['input'])}"
        raise ValueError(f"{reason}. {hint(first['input'])}") from None


def _plain(value: object) -> object:
    """Return `value`, unless it is more than a number or a text."""
    if not isinstance(value, (SearchRange, str, int, float, bool)):
        msg = "this is no number and no text. "
        raise ValueError(msg)  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def _distinct(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return `entries`, unless two have the same fixed settings and so the same key."""
    seen = [fixed(entry) for entry in entries]
    for one in seen:
        if seen.count(one) > 1:
            given = _words(one) or "none"
            raise ValueError(f"two entries have the same fixed settings ({given}). ")
    return entries


Range = Annotated[SearchRange, BeforeValidator(_as_range)]
Settings = dict[str, Annotated[Any, AfterValidator(_plain)]]  # plain values by setting
Entry = dict[str, Annotated[Any, BeforeValidator(_as_range), AfterValidator(_plain)]]  # or a SearchRange
ENTRIES = f"a list of mappings, each with a plain value or {RANGE} for each setting, and no two with the same values"
Entries = Annotated[tuple[Entry, ...], BeforeValidator(as_tuple), AfterValidator(_distinct)]


class Tuning(Section):
    """How long random search looks, and for which learning rates."""

    trials: int = Field(
        default=8, ge=1, le=1000, description="an integer from 1 to 1000, the draws of each arm and task"
    )
    units: int = Field(
        default=2, ge=1, le=100, description="an integer from 1 to 100, the seeds that train each draw"
    )
    learning_rate: Range = Field(
        default=SearchRange.model_validate({"from": 0.001, "to": 0.01, "scale": "log"}),
        description=f"{RANGE}, for Adam's step size",
    )

    @model_validator(mode="after")
    def _step_sizes(self) -> Self:
        if not 0 < self.learning_rate.low < self.learning_rate.high <= 1 or self.learning_rate.integer:
            msg = "a learning rate lies above 0 and up to 1. "
            raise ValueError(msg)
        return self


def rounded(value: float, digits: int = _DIGITS) -> float:
    """Return `value` with so many significant digits."""
    return float(f"{value:.{digits}g}")


def fixed(entry: Entry) -> dict[str, Any]:
    """Return the settings of an entry that are not drawn."""
    return {key: value for key, value in entry.items() if not isinstance(value, SearchRange)}


def drawn(entry: Entry) -> dict[str, SearchRange]:
    """Return the settings of an entry that are drawn, with their ranges."""
    return {key: value for key, value in entry.items() if isinstance(value, SearchRange)}


def draw(entry: Entry, rng: np.random.Generator) -> dict[str, Any]:
    """Return settings: the plain values of an entry, and one number from each of its ranges.

    The order of the settings in a file does not matter.
    """
    numbers = {key: found.draw(rng) for key, found in sorted(drawn(entry).items())}
    return {key: numbers.get(key, value) for key, value in entry.items()}


def ends(entry: Entry) -> tuple[dict[str, Any], ...]:
    """Return the settings at the lower and the upper end of every range: where a technique must work."""
    if not drawn(entry):
        return (fixed(entry),)
    lowest = {key: value.settle(value.low) for key, value in drawn(entry).items()}
    highest = {key: value.settle(value.high) for key, value in drawn(entry).items()}
    return ({**entry, **lowest}, {**entry, **highest})


def entry_key(technique: str, entry: Entry) -> str:
    """Return the name of an entry in ``params/tuned.yaml``, such as ``"dropout per=step"``."""
    return f"{technique} {_words(fixed(entry))}".rstrip()


def _words(settings: dict[str, Any]) -> str:
    """Return fixed settings as words, sorted by name."""
    return " ".join(
        f"{key}={str(value).lower() if isinstance(value, bool) else value}"
        for key, value in sorted(settings.items())
    )
