"""What a profile says about the user's own table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from lstmstudy.data.folds import TEST_SHARE, VALIDATION_SHARE
from lstmstudy.parsing.sections import LIST, Section

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationInfo

_NEEDED = {"forecasting": ("target", "window"), "classification": ("sequence", "label")}
_FOREIGN = {
    "forecasting": ("sequence", "label"),
    "classification": ("target", "series", "horizon", "period", "differenced"),
}
_ROLES = ("target", "series", "time", "sequence", "label")  # columns that are no features
_MOST_FOLDS = int(
    (1 - VALIDATION_SHARE) / TEST_SHARE
)  # of a series: more of them leave nothing to learn from
_COLUMN = "the name of a column, at most 200 characters, that"

Missing = Literal["refuse", "fill", "mask"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _folds(known: dict[str, Any]) -> int:
    """Return how many folds there are where the profile does not say."""
    return 5 if known.get("kind") == "classification" else 3


class OwnTask(Section, validate_default=True):
    """A task of the user's own data: which columns of which table say what.

    Attributes:
        kind: What is predicted: the target some steps ahead, or the label of a whole sequence.
        csv: Path of the table, relative to the root of the checkout; or `parquet`.
        parquet: The same for a Parquet file.
        target: Column to forecast.
        series: Column with the name of the series that a row belongs to; None where there is one.
        time: Column that rows are sorted by; None if they are in order.
        sequence: Column with the name of the sequence that a row belongs to.
        label: Column with the class of the sequence.
        features: Columns of the input, those of a forecast beside the target. None is no other column for a
            forecast, and all other numeric columns for classification.
        window: Time steps of the input of a forecast; of a sequence the most, 1000 if None.
        horizon: Steps from the last input to the target.
        period: Steps of the season, if there is one.
        missing: What is done about a missing number, and about rows that are not there: ``refuse`` is an error,
            ``fill`` repeats the last known one before it, ``mask`` skips such steps. Infinity is an error, or
            counts as missing where that is filled or masked.
        differenced: Whether changes of the series are modelled instead of its level.
        title: Name of the task for readers.
        unit: Unit of the target.
        max_rows: The most rows that are read; more are an error.
        folds: Number of folds.
    """

    kind: Literal["forecasting", "classification"] = Field(description="forecasting or classification")
    csv: Text | None = Field(
        default=None,
        description="the path of a CSV file from the root of the checkout, if `parquet` is not given",
    )
    parquet: Text | None = Field(
        default=None,
        description="the path of a Parquet file from the root of the checkout, if `csv` is not given",
    )
    target: Text | None = Field(default=None, description=f"{_COLUMN} is forecast")
    series: Text | None = Field(
        default=None, description=f"{_COLUMN} says to which of several series a row belongs"
    )
    time: Text | None = Field(default=None, description=f"{_COLUMN} has dates or step numbers")
    sequence: Text | None = Field(default=None, description=f"{_COLUMN} says to which sequence a row belongs")
    label: Text | None = Field(default=None, description=f"{_COLUMN} has the class of each sequence")
    features: Annotated[tuple[Text, ...], *LIST] | None = Field(
        default=None, description="a list of names of further columns, at least one, each once"
    )
    window: int | None = Field(
        default=None, ge=1, le=10_000, description="an integer from 1 to 10000, time steps of the input"
    )
    horizon: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="an integer from 1 to 10000, steps that a forecast looks ahead",
    )
    period: int | None = Field(
        default=None, ge=1, le=100_000, description="an integer from 1 to 100000, steps of the season"
    )
    missing: Missing = Field(default="refuse", description="refuse, fill or mask")
    differenced: bool = Field(default=False, description="true where changes are modelled, else false")
    title: Text | None = Field(default=None, description="a text of 1 to 200 characters")
    unit: Text | None = Field(default=None, description="a text of 1 to 200 characters")
    max_rows: int = Field(
        default=1_000_000,
        ge=1,
        le=100_000_000,
        description="an integer from 1 to 100000000, rows that may be read",
    )
    folds: int = Field(
        default_factory=_folds,
        ge=1,
        le=12,
        description=f"an integer from 1 to 12, at most {_MOST_FOLDS} for forecasting",
    )

    # Rules across fields stand at a field, so that an error names the key: those above it are known already.
    @field_validator("parquet")
    @classmethod
    def _one_file(cls, parquet: str | None, info: ValidationInfo) -> str | None:
        if "csv" in info.data and (parquet is None) == (info.data["csv"] is None):
            given = "both are" if parquet else "neither is"
            raise ValueError(f"One of `csv` and `parquet` names the table, and {given} there. ")
        return parquet

    @field_validator(*{key for keys in (*_NEEDED.values(), *_FOREIGN.values()) for key in keys})
    @classmethod
    def _fits_kind(cls, value: Any, info: ValidationInfo) -> Any:
        key, kind = info.field_name, info.data.get("kind", "")
        default = {"horizon": 1, "differenced": False}.get(str(key))
        if key in _NEEDED.get(kind, ()) and value is None:
            raise ValueError(f"A task of the kind {kind} needs it. ")
        if key in _FOREIGN.get(kind, ()) and value != default:
            raise ValueError(f"A task of the kind {kind} does not have it: leave it out. ")
        return value

    @field_validator(*_ROLES, "features")
    @classmethod
    def _another_column(cls, value: Any, info: ValidationInfo) -> Any:
        taken = {info.data[role]: role for role in _ROLES if info.data.get(role) is not None}
        for name in value if isinstance(value, tuple) else (value,):
            if name in taken:
                raise ValueError(f"The column `{name}` is the {taken[name]} already. ")
        return value

    @field_validator("folds")
    @classmethod
    def _leave_a_part_to_learn(cls, folds: int, info: ValidationInfo) -> int:
        if info.data.get("kind") == "forecasting" and folds > _MOST_FOLDS:
            raise ValueError("With so many test parts nothing is left to learn from. ")
        return folds

    def path(self, root: Path) -> Path:
        """Return where the table lies.

        Args:
            root: The root of the checkout.
        """
        return root / (self.csv or self.parquet or "")

    def columns(self) -> tuple[tuple[str, str], ...]:
        """Return key and name of each column that the profile names."""
        roles = tuple((role, getattr(self, role)) for role in _ROLES if getattr(self, role) is not None)
        return (*roles, *(("features", name) for name in self.features or ()))
