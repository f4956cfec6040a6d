"""A recipe: the frozen, complete description of how one model is built and trained."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmstudy.techniques.technique import Technique


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one model is built and trained; without techniques it is the baseline.

    Techniques that are off are dropped and the others sorted by name, so that recipes which train
    the same model are equal.

    Args:
        layers: Number of LSTM layers.
        width: Units of each layer.
        epochs: Length of the whole trajectory; stopping is a reading of it.
        batch_size: Samples in one update.
        learning_rate: Step size of Adam.
        techniques: The regularizers that are on.
        member: Which member of an ensemble this is: every member draws from streams of its own; 0 is the
            single model.

    Raises:
        ValueError: If two settings of one technique are given, one that is only a reading, or one that
            cannot work with these settings.
    """

    layers: int = 2
    width: int = 32
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 0.003
    techniques: tuple[Technique, ...] = ()
    member: int = 0

    def __post_init__(self) -> None:
        parts = tuple(part for technique in self.techniques for part in technique.parts())
        object.__setattr__(self, "techniques", parts)
        for technique in self.techniques:
            if technique.is_reading:
                msg = f"{technique.title} reads a trajectory and is no part of a recipe. Received: {technique!r}"
                raise ValueError(msg)
        names = [technique.name for technique in self.techniques]
        if len(set(names)) < len(names):
            msg = f"A recipe has each technique once. Received: techniques={names}"
            raise ValueError(msg)
        on = (technique for technique in self.techniques if not technique.is_off)
        object.__setattr__(self, "techniques", tuple(sorted(on, key=lambda technique: technique.name)))
        for technique in self.techniques:
            technique.check(self)

    def check_reading(self, reading: str) -> None:
        """Raise a ValueError if a trajectory of this recipe cannot be read in this way.

        The schedule of a technique that is not replayable depends on the planned length: an earlier epoch
        of it is not what a shorter training would have given.
        """
        for technique in self.techniques:
            if not technique.replayable and reading != "last":
                msg = (
                    f"{technique.title} plans its whole length ahead, so that only the end can be read. "
                    f"Expected 'last'. Received: reading={reading!r}"
                )
                raise ValueError(msg)

    def role(self, consumer: str) -> str:
        """Return the name of a consumer's random stream, such as ``"batches"``, for this member."""
        own = [technique.streams for technique in self.techniques if technique.streams]
        member = [f"member/{self.member}"] if self.member else []
        return "/".join([*own, *member, consumer])

    def adding(self, *techniques: Technique) -> Recipe:
        """Return this recipe with further techniques."""
        return dataclasses.replace(self, techniques=(*self.techniques, *techniques))

    def describe(self) -> dict[str, Any]:
        """Return the recipe as plain values, as its identity counts them."""
        plain: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "techniques"
        }
        plain["techniques"] = {technique.name: technique.settings() for technique in self.techniques}
        return plain

    def structure(self) -> tuple[Any, ...]:
        """Return what must be compiled anew when it changes; rates and the learning rate are values."""
        return (
            self.layers,
            self.width,
            self.batch_size,
            *(structure for technique in self.techniques if (structure := technique.structure())),
        )
