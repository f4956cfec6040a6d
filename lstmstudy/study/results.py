"""Stored results as one tidy pandas table: a row for each arm and unit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy.data.task import PARTS
from lstmstudy.runs import short
from lstmstudy.study.ablation import Ablation
from lstmstudy.study.measurements import Measurements, parameters_of, updates_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd

    from lstmstudy.arms import Arm
    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run

# By dtype what each column is, in the order of the table. An ensemble has several models and no single epoch.
_COLUMNS = {
    "arm": ("string", "the arm, by the name that study[...] takes"),
    "technique": ("string", "the technique whose strength it varies, as in params/techniques/; NA if none"),
    "control": ("string", "what it is compared with, likewise; NA for a control"),
    "reading": ("string", "which epoch counts: selected, last, or patience k"),
    "task": ("string", "name of the task"),
    "fold": ("Int64", "fold of the unit, from 0"),
    "seed": ("Int64", "its seed"),
    "runs": (
        "string",
        "its runs, by the first 16 hex digits of their identities: one, or those of an ensemble",
    ),
    "epoch": ("Int64", "the epoch that the reading keeps, from 1; NA for an ensemble"),
    "trained": ("Int64", "epochs trained until that is known; NA for an ensemble"),
    "metric": (
        "string",
        "the primary metric: rmse, in training standard deviations, or cross_entropy, in nats",
    ),
    "train": ("float64", "it on the training part at that epoch; NaN for an ensemble"),
    "validation": ("float64", "on the validation part; of an ensemble, of its combined predictions"),
    "test": ("float64", "on the test part, likewise; NaN, as the others, where a run diverged"),
    "secondary_metric": ("string", "mae, in training standard deviations, or error_rate, a share"),
    "secondary": ("float64", "it on the test part"),
    "control_test": ("float64", "the primary metric of the control in the same unit on the test part"),
    "log_ratio": (
        "float64",
        "ln(error of the arm / that of its control) on the test part; a diverged run counts as in every effect",
    ),
    "seconds": ("float64", "seconds of training, all models together"),
    "parameters": ("Int64", "weights that are trained, all models together"),
    "updates": ("Int64", "updates in an epoch, all models together"),
    "diverged": ("string", "why a run ended early; NA where none did"),
}
COLUMNS = {name: words for name, (_, words) in _COLUMNS.items()}


def results_frame(plan: Plan, outcome: Callable[[Run], Outcome], names: Mapping[Arm, str]) -> pd.DataFrame:
    """Return a row for each unit of some arms in which all runs of the arm are stored.

    Args:
        plan: The study.
        outcome: Returns the outcome of a run, or raises MissingRunsError.
        names: The arms with their names in the study.
    """
    import pandas as pd

    rows = [row for arm in names for row in _rows(plan, outcome, arm, names)]
    kinds = {name: kind for name, (kind, _) in _COLUMNS.items()}
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)
    frame.attrs["columns"] = dict(COLUMNS)
    return frame


def _rows(
    plan: Plan, outcome: Callable[[Run], Outcome], arm: Arm, names: Mapping[Arm, str]
) -> Iterator[dict[str, Any]]:
    alone = dataclasses.replace(arm, control=None)
    own, pair = Measurements(plan, outcome, [alone]), Ablation(plan, outcome, [arm])
    for task in arm.tasks:
        if not own.fits(alone, task):
            continue
        info = plan.tasks[task].info
        ensemble = len(arm.on(task)) > 1
        numbers: dict[str, np.ndarray] = {
            part: own.errors(alone, task, part=part) for part in PARTS if not (ensemble and part == "train")
        }
        numbers["secondary"] = own.errors(alone, task, metric=info.secondary)
        numbers["seconds"] = own.seconds(alone, task)
        if not ensemble:
            numbers |= {"epoch": own.kept(alone, task), "trained": own.cost(alone, task)}
        compared = _compared(pair, arm, task)
        for number, (unit, models) in enumerate(zip(own.units(task), own.members(alone, task), strict=True)):
            runs = [plan.run(recipe, unit) for recipe in arm.on(task)]
            control_test, log_ratio = compared.get((unit.fold, unit.seed), (np.nan, np.nan))
            row = dict.fromkeys(COLUMNS)
            yield {
                **row,
                "arm": names[arm],
                "technique": arm.technique.name if arm.technique else None,
                "control": names.get(arm.control, arm.control.name) if arm.control else None,
                "reading": arm.reading,
                "task": task,
                "fold": unit.fold,
                "seed": unit.seed,
                "runs": " ".join(short(run.identity) for run in runs),
                "metric": info.metric,
                "secondary_metric": info.secondary,
                "control_test": control_test,
                "log_ratio": log_ratio,
                "parameters": sum(map(parameters_of, models)),
                "updates": sum(updates_of(plan, run) for run in runs),
                "diverged": next((model.result.diverged for model in models if model.result.diverged), None),
                **{name: values[number] for name, values in numbers.items()},
            }


def _compared(pair: Ablation, arm: Arm, task: str) -> dict[tuple[int, int], tuple[float, float]]:
    """Return the control's test error and the log ratio by fold and seed of the units in which both are stored."""
    if arm.control is None or not pair.fits(arm, task):
        return {}
    errors, ratios = pair.errors(arm.control, task), pair.log_ratios(arm, task)
    return {
        (unit.fold, unit.seed): (float(error), float(ratio))
        for unit, error, ratio in zip(pair.units(task), errors, ratios, strict=True)
    }
