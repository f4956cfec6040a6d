"""From a table to the section `task` of a profile, with the reason of each entry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from lstmstudy.data.own import OwnTask
from lstmstudy.parsing.sections import explained

_MANY_GAPS = (
    0.1  # share of values from which on repeating the last one would be learned and scored as if measured
)
_ORDER = ("csv", "parquet", "kind", "target", "series", "sequence", "label", "time", "features", "window", "period",
          "differenced", "missing", "folds", "title")  # fmt: skip


@dataclass
class ProposedTask:
    """The section `task` of a profile, entry by entry.

    Attributes:
        seen: What the table holds, in a sentence without full stop.
        settings: The entries.
        reasons: For some of them a comment.
    """

    seen: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, value: object, why: str = "") -> None:
        """Take an entry in, or replace it; places in the file are fixed, whatever comes first here."""
        self.settings[key] = value
        self.reasons[key] = why
        self.settings = {each: self.settings[each] for each in _ORDER if each in self.settings}

    def drop(self, key: str) -> Any:
        """Leave an entry out, and return what it was; None if it was not there."""
        self.reasons.pop(key, None)
        return self.settings.pop(key, None)

    def fill(self, gaps: int, cells: int, absent: int = 0) -> None:
        """Say what is done about missing values, if there are any.

        Args:
            gaps: How many values are missing.
            cells: How many there would be.
            absent: How many of them are in rows that are not there.
        """
        if not gaps:
            return
        rows = f", {absent} of them in rows that are not there" if absent else ""
        words = f"{gaps} of {cells} values are missing{rows}"
        if gaps > _MANY_GAPS * cells:
            self.add("missing", "mask", f"{words}: too many to repeat the last known one in their place")
        else:
            self.add("missing", "fill", f"{words}: the last known one is repeated")

    def own(self, **changes: Any) -> OwnTask:
        """Return the section as a study reads it, with some entries changed.

        Raises:
            ParamsError: If a profile cannot have it so, such as a path that is too long.
        """
        try:
            return OwnTask.model_validate({**self.settings, **changes})
        except ValidationError as error:
            raise explained(OwnTask, "the proposed task", error) from None
