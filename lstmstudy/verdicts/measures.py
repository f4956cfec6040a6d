"""How contrasts are looked at, and what arms that do nothing are measured by: there they show the luck of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lstmstudy.claims.arms import trained_units
from lstmstudy.claims.table import EQUAL_COMPUTE, load_claims

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstmstudy.claims.table import Contrast
    from lstmstudy.plan import Plan

DECLARED, LAST, SECONDARY, VALIDATION = "declared", "last", "secondary", "validation"
_TEST_ERROR = "test error"
_WITH_LUCK = (_TEST_ERROR, "noisy error", "near zero", "norm", "updates to level")


def views_of(contrast: Contrast) -> Iterator[str]:
    """Return how else a contrast can be looked at: test errors have another reading and another metric."""
    if contrast.quantity == _TEST_ERROR and contrast.beyond is None:
        yield SECONDARY
        if contrast.control != EQUAL_COMPUTE and "last" not in (contrast.reading, contrast.control_reading):
            yield LAST


class Measure(NamedTuple):
    """What is measured of both arms of a contrast.

    Attributes:
        quantity: Of which claims are made.
        noise: On the inputs, if any.
        reading: That of both arms; None if they have their own.
    """

    quantity: str
    noise: float | None
    reading: str | None

    @property
    def view(self) -> str:
        """The name of the view in which arms that do nothing are measured so."""
        noise = f"{self.noise:g} sd" if self.noise else ""
        name = " ".join(filter(None, (self.quantity, noise, self.reading)))
        return DECLARED if name == _TEST_ERROR else name

    def of(self, contrast: Contrast) -> Contrast:
        """Return a contrast, measured so."""
        return contrast.model_copy(update={**self._asdict(), "control_reading": self.reading})


def measure_of(contrast: Contrast, view: str) -> Measure | None:
    """Return what a view of a contrast measures, if arms that do nothing are measured so too.

    They are not where it takes a second run of each (spread), where no search is behind the difference, in interactions,
    which have the luck of four searches, and in secondary metrics. Two readings stand for that of the selected epoch, and
    another width for that of the profile.
    """
    if contrast.beyond is not None or contrast.quantity not in _WITH_LUCK or view == SECONDARY:
        return None
    alike = contrast.reading if contrast.reading == contrast.control_reading else None
    return Measure(contrast.quantity, contrast.noise, LAST if view == LAST else alike)


def measures_of(plan: Plan) -> Sequence[Measure]:
    """Return what claims of a plan measure beside the test error as it is declared, each once."""
    claims = load_claims(plan.folder)
    found = (
        measure_of(contrast, view)
        for name, claim in claims.items()
        if trained_units(plan.profile, claims, name, plan.folder)
        for contrast in claim.contrasts
        for view in (DECLARED, *views_of(contrast))
    )
    return [each for each in dict.fromkeys(found) if each is not None and each.view != DECLARED]
