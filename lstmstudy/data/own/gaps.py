"""Gaps in a user's series that are masked: what is left of it, and whether that is enough for every part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.folds import part_targets, rolling_origins
from lstmstudy.data.masking import known_steps, predictable
from lstmstudy.data.task import PARTS
from lstmstudy.parsing.strict_yaml import ParamsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstmstudy.data.own.section import OwnTask
    from lstmstudy.data.own.table import Table


def between_known(table: Table, place: str, values: npt.NDArray[np.float64], row: int) -> slice:
    """Return the steps from the first in which every column is known to the last target.

    Args:
        table: For the message.
        place: The series as messages name it.
        values: Floats (n, 1 + features), NaN where missing; the target comes first.
        row: The first row of the series in the table.

    Raises:
        ParamsError: If there is no step in which every column is known.
    """
    known = known_steps(values)
    if not known.any():
        raise ParamsError(
            f"{table.where}: {place} has no row with a number in every column, as a masked series needs. Expected some: "
            f"name fewer features, or set `missing: fill`. Received: first_row={table.lines[row]}"
        )
    return slice(int(known.argmax()), int(np.flatnonzero(~np.isnan(values[:, 0]))[-1]) + 1)


def check_samples(own: OwnTask, where: str, series: Sequence[npt.NDArray[np.float64]]) -> None:
    """Raise a ParamsError if gaps leave a part of a fold without any sample.

    Args:
        own: What the profile says.
        where: The file as messages name it.
        series: What is modelled of each, floats (n, 1 + features), NaN where it is masked.
    """
    window, horizon = own.window or 1, own.horizon
    for number in range(own.folds):
        found, left = [0] * len(PARTS), [0] * len(PARTS)
        for values in series:
            bounds = rolling_origins(len(values), own.folds)[number]
            for place, targets in enumerate(part_targets(bounds, window, horizon)):
                found[place] += targets.size
                left[place] += predictable(values, targets, window, horizon).size
        for part, of, n in zip(PARTS, found, left, strict=True):
            if n == 0:
                raise ParamsError(
                    f"{where}: gaps leave none of the {of} samples of the {part} part of fold {number + 1}: the target is "
                    f"missing, or all steps of its window are. Expected at least one: set `missing: fill`, or take a longer "
                    f"window, fewer folds or fewer features. Received: samples={n}"
                )
