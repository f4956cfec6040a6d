"""The tasks of the study by name: the facts about each, and the way to its data."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from lstmstudy.data.build import build_task
from lstmstudy.data.cache import cached_task, stored_task
from lstmstudy.data.schemes import FOLDS
from lstmstudy.data.task import TaskInfo

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.data.task import Task

_REALIZATIONS = 30  # of each made series that validation schemes are compared on
_INFOS = (
    TaskInfo(
        name="sunspots",
        title="Sunspots",
        kind="forecasting",
        n_folds=3,
        n_features=1,
        n_outputs=1,
        window=24,  # two cycles and a little
        horizon=1,
        period=11,
        unit="sunspots (yearly mean)",
        source="Yearly sunspot numbers 1700-2008, US National Geophysical Data Center, from statsmodels.",
        description="The sunspot number of the next year from the 24 years before it.",
        ar_order=9,
    ),
    TaskInfo(
        name="elnino",
        title="El Niño",
        kind="forecasting",
        n_folds=3,
        n_features=1,
        n_outputs=1,
        window=24,
        horizon=1,
        period=12,
        unit="°C",
        source="Sea surface temperature of the eastern Pacific 1950-2010, US National Oceanic and "
        "Atmospheric Administration, from statsmodels.",
        description="The mean sea surface temperature of the next month from the 24 months before it.",
        ar_order=24,
    ),
    TaskInfo(
        name="co2",
        title="CO₂",
        kind="forecasting",
        n_folds=3,
        n_features=1,
        n_outputs=1,
        window=53,  # with the change a year before the newest one, and all that AR(53) sees
        horizon=1,
        period=52,
        unit="ppm per week",
        source="Weekly atmospheric carbon dioxide at Mauna Loa 1958-2001, Keeling and Whorf, Scripps "
        "Institution of Oceanography, from statsmodels.",
        description="The change of carbon dioxide over the next week from the changes of 53 weeks. The "
        "level has a trend that a scaler fitted in the past cannot follow. Missing weeks repeat the last "
        "known level. The naive reference is zero change, that is the last value of the level.",
        ar_order=53,
        differenced=True,
    ),
    TaskInfo(
        name="digits_rows",
        title="Digits by rows",
        kind="classification",
        n_folds=12,
        n_features=8,
        n_outputs=10,
        window=8,
        horizon=0,
        period=0,
        unit="class",
        source="Optical recognition of handwritten digits, Alpaydin and Kaynak 1998, from scikit-learn.",
        description="Which digit an image of 8x8 pixels shows, read row by row, after 200 training images.",
    ),
    TaskInfo(
        name="japanese_vowels",
        title="Japanese vowels",
        kind="classification",
        n_folds=12,
        n_features=12,
        n_outputs=9,
        window=29,  # the longest utterance; the shortest has 7 steps
        horizon=0,
        period=0,
        unit="class",
        source="Japanese vowels, Kudo, Toyama and Shimbo 1999, Pattern Recognition Letters 20, from aeon.",
        description="Which of nine men speaks, from 12 cepstrum coefficients over 7 to 29 time steps of "
        "two vowels, after 180 training utterances.",
        variable_length=True,
    ),
    TaskInfo(
        name="japanese_vowels_cut",
        title="Japanese vowels, cut",
        kind="classification",
        n_folds=12,
        n_features=12,
        n_outputs=9,
        window=7,  # the length of the shortest utterance
        horizon=0,
        period=0,
        unit="class",
        source="Japanese vowels, Kudo, Toyama and Shimbo 1999, Pattern Recognition Letters 20, from aeon.",
        description="As Japanese vowels, with the same utterances in every fold, of which only the first 7 "
        "time steps are given: all sequences have one length.",
    ),
    TaskInfo(
        name="mackey_glass",
        title="Mackey-Glass",
        kind="forecasting",
        n_folds=12,
        n_features=1,
        n_outputs=1,
        window=20,  # reaches beyond the delay of 17, so that the true map is a function of the input
        horizon=1,
        period=51,  # the series has no exact one; its autocorrelation peaks there
        unit="1",
        source="Made from the delay equation of Mackey and Glass 1977, Science 197, noise in its dynamics.",
        description="The next value of a chaotic map with delay 17 from the 20 values before it. The noise "
        "that enters each step is known, so the best possible error is known too.",
        ar_order=20,
    ),
    TaskInfo(
        name="stationary_series",
        title="Stationary series",
        kind="forecasting",
        n_folds=_REALIZATIONS * FOLDS,
        n_features=1,
        n_outputs=1,
        window=8,  # more than the three values that matter, as one who does not know the order would take
        horizon=1,
        period=1,  # it has no season
        unit="1",
        source="Made: autoregressions of order 3 with random roots, as Bergmeir and Benítez 2012, Information "
        "Sciences 191, drew them.",
        description="The next value of a stationary series from the 8 before it. Each realization is split "
        "by every validation scheme, and no scheme sees its last 100 values.",
        ar_order=3,
        realizations=_REALIZATIONS,
    ),
    TaskInfo(
        name="changing_series",
        title="Series with a unit root",
        kind="forecasting",
        n_folds=_REALIZATIONS * FOLDS,
        n_features=1,
        n_outputs=1,
        window=8,
        horizon=1,
        period=1,  # it has no season
        unit="1",
        source="Made: as the stationary series and from the same noise, with one root set to 1.",
        description="The next value of a series whose level wanders, from the 8 before it. Each realization "
        "is split by every validation scheme, and no scheme sees its last 100 values.",
        ar_order=3,
        realizations=_REALIZATIONS,
    ),
    TaskInfo(
        name="sunspots_schemes",
        title="Sunspots by schemes",
        kind="forecasting",
        n_folds=FOLDS,
        n_features=1,
        n_outputs=1,
        window=24,  # as in the task sunspots
        horizon=1,
        period=11,
        unit="sunspots (yearly mean)",
        source="Yearly sunspot numbers 1700-2008, US National Geophysical Data Center, from statsmodels.",
        description="The sunspot number of the next year from the 24 years before it. The series is split "
        "by every validation scheme, and no scheme sees its last 62 years.",
        ar_order=9,
        realizations=1,
    ),
)
CATALOG = {info.name: info for info in _INFOS}
TASK_NAMES = tuple(CATALOG)


def open_task(name: str, cache: Path | None = None) -> Task:
    """Return the named task.

    Args:
        name: One of `TASK_NAMES`, or that of a task made from a user's table or from an archive, which lies in `cache`.
        cache: A folder that keeps built tasks; opening one again takes milliseconds and loads none of the
            libraries that the data came from. None builds it afresh.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in CATALOG and cache is not None and (own := stored_task(cache, name)) is not None:
        return own
    if name not in CATALOG:
        near = difflib.get_close_matches(name, TASK_NAMES, n=1, cutoff=0.0)[0]
        msg = f"Expected one of: {', '.join(TASK_NAMES)}. Did you mean {near!r}? Received: task={name!r}"
        raise ValueError(msg)
    info = CATALOG[name]
    return build_task(info) if cache is None else cached_task(cache, info, build_task)
