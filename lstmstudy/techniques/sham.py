"""A technique that does nothing, by which the rule that judges the others is measured."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_count


@dataclasses.dataclass(frozen=True)
class Sham(Technique):
    """Trains the baseline on initial weights and batches of its own; nothing else differs.

    In training and at inference it is the baseline. Each strength draws its weights and its order of
    batches from child streams of its own, so that no strength is better than another: whatever search
    and comparison find in it is chance. Several searches go through the same steps on other streams.

    Args:
        strength: Which streams, from 1; 0 is off.
        search: Which of the independent searches it belongs to, from 1.

    Raises:
        ValueError: If a setting is outside its range.

    Reference: Negative controls, as in Lipsitch, Tchetgen Tchetgen and Cohen 2010, Epidemiology 21.
    """

    strength: int = 1
    search: int = 1

    name: ClassVar[str] = "sham"
    title: ClassVar[str] = "sham"
    reference: ClassVar[str] = "Lipsitch, Tchetgen Tchetgen and Cohen 2010, Epidemiology 21"

    def __post_init__(self) -> None:
        check_count("strength", self.strength, "which random streams it draws from", least=0)
        check_count("search", self.search, "which of the independent searches it belongs to")

    @property
    def is_off(self) -> bool:
        """Whether the streams are the baseline's."""
        return self.strength == 0

    @property
    def variant(self) -> str:
        """Which search it belongs to."""
        return f"search {self.search}"

    @property
    def streams(self) -> str:
        """The streams of this search and strength."""
        return f"sham/{self.search}/{self.strength}"

    def structure(self) -> tuple[Any, ...]:
        """Return (): the compiled epoch is the baseline's."""
        return ()
