"""``params/claims.yaml``: the guide's claims as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from lstmstudy import paths
from lstmstudy.parsing.sections import Section, as_tuple, explained
from lstmstudy.parsing.strict_yaml import read_mapping

if TYPE_CHECKING:
    from pathlib import Path

FILE = "claims.yaml"
EQUAL = "initial weights, batch order, updates, epochs"
Quantity = Literal[
    "test error",
    "gap",
    "alarms",
    "spread",
    "noisy error",
    "near zero",
    "norm",
    "updates to level",
    "miss",
    "gain and spread",
]
_READINGS = r"^(selected|last|fixed|patience [1-9]\d*)$"
_READING = "selected, last, fixed or patience <k>"
# Controls that are no arm of their own.
ALWAYS, GAP_RULE, SIMPLE = "always", "gap rule", "simple method"
BEST_MEMBER, EQUAL_COMPUTE, BEST_SINGLE = "best member", "equal compute", "best single technique"
SAME_RATE = "same learning rate"
NO_ARMS = (ALWAYS, GAP_RULE, SIMPLE, BEST_MEMBER, EQUAL_COMPUTE, BEST_SINGLE, SAME_RATE)


class Pair(Section):
    """Two arms whose difference is subtracted from that of a contrast."""

    arm: str = Field(description="the name of an arm")
    control: str = Field(description="the name of an arm")
    task: str | None = Field(default=None, description="the name of a task, if it is another one")


class Contrast(Section):
    """One number per unit: how a quantity of an arm lies to that of a control.

    `task` restricts it to one task. `scheme` and `control_scheme` are those whose estimates miss.
    """

    arm: str = Field(description="baseline, a search of params/tuned.yaml, an ensemble, or <design>: <arm>")
    control: str = Field(description=f"as arm, or one of {', '.join(NO_ARMS)}")
    expect: Literal["lower", "higher"] = Field(description="lower or higher")
    quantity: Quantity = Field(
        default="test error", description="a quantity of lstmstudy/verdicts/quantities.py"
    )
    reading: str | None = Field(default=None, pattern=_READINGS, description=_READING)
    control_reading: str | None = Field(default=None, pattern=_READINGS, description=_READING)
    noise: float | None = Field(default=None, gt=0, description="a number above 0, in standard deviations")
    task: str | None = Field(default=None, description="the name of a task")
    scheme: str | None = Field(default=None, description="the name of a validation scheme")
    control_scheme: str | None = Field(default=None, description="the name of a validation scheme")
    beyond: Pair | None = Field(default=None, description="a mapping with the keys arm, control, task")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needs = {"noisy error": ("noise",), "miss": ("scheme", "control_scheme")}
        for key in needs.get(self.quantity, ()):
            if getattr(self, key) is None:
                msg = f"`{self.quantity}` needs `{key}`. "
                raise ValueError(msg)
        controls = {"alarms": (ALWAYS, GAP_RULE), "gap": (SIMPLE,)}.get(self.quantity)
        if controls is not None and self.control not in controls:
            msg = f"the control of `{self.quantity}` is {' or '.join(controls)}. "
            raise ValueError(msg)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The arms that it needs, by name."""
        named = [self.arm, self.control, *((self.beyond.arm, self.beyond.control) if self.beyond else ())]
        return tuple(name for name in dict.fromkeys(named) if name not in NO_ARMS)


class Claim(Section):
    """A sentence of the guide, made testable; every contrast must hold.

    Attributes:
        words: The claim in our words.
        chapter: The notebook that shows it.
        contrasts: One number per unit each.
        equal: What arm and control of a unit have in common beside task, fold and seed.
        margin: Less than this is no practical difference: a share of the control's quantity where the
            number is a log ratio, else a difference.
        units: The fewest units of each task with which it is judged.
        each_task: Whether it must hold on every task by itself.
        described: Why it is shown and not judged.
        strengths: The range that the claim speaks of, if it speaks of one.
    """

    words: str = Field(description="a sentence")
    chapter: str = Field(pattern=r"^\d\d_[a-z0-9_]+$", description="a name such as 01_dropout")
    contrasts: Annotated[tuple[Contrast, ...], BeforeValidator(as_tuple)] = Field(
        default=(), description="a list of mappings with the keys arm, control, expect"
    )
    equal: str = Field(default=EQUAL, description="what arm and control have in common")
    margin: float = Field(default=0.05, gt=0, lt=1, description="a number above 0 and below 1")
    units: int = Field(default=12, ge=1, description="a positive integer")
    each_task: bool = Field(default=False, description="true or false")
    described: str | None = Field(default=None, description="a sentence")
    strengths: Annotated[tuple[float, float] | None, BeforeValidator(as_tuple)] = Field(
        default=None, description="a list of two numbers, the lower and the upper end"
    )

    @model_validator(mode="after")
    def _judged_or_described(self) -> Self:
        if bool(self.contrasts) == (self.described is not None):
            msg = "a claim has contrasts, or says in `described` why it has none. "
            raise ValueError(msg)
        return self


_CLAIMS: TypeAdapter[Any] = TypeAdapter(dict[str, Claim])


def load_claims(folder: Path = paths.PARAMS) -> dict[str, Claim]:
    """Return the claims by id, in the order of the file; none if there is no file.

    Raises:
        ParamsError: If anything in it is wrong: one line with file, key, what was expected and what came.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        return dict(_CLAIMS.validate_python(read_mapping(path)))
    except ValidationError as error:
        raise explained(dict[str, Claim], paths.relative(path), error) from None
