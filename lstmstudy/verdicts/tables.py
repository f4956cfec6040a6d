"""The tables that a report is drawn from: units, runs, curves, arms; and what they cost, apart.

Every number has six significant digits, and findings are computed from these, never from unrounded values:
who has the tables has the study without its store. ``columns.json`` describes them.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy.data.task import PARTS
from lstmstudy.readings import READINGS
from lstmstudy.runs import short
from lstmstudy.store.atomic import write_whole
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.study.measurements import parameters_of, updates_of
from lstmstudy.verdicts.rows import DIGITS, Row, rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run

UNITS, RUNS, ARMS, CURVES, COST = "units.csv", "runs.csv", "arms.csv", "curves.csv.gz", "cost.json"
COLUMNS_OF = "columns.json"  # says what the columns of each table are
TABLES = (UNITS, RUNS, ARMS, CURVES, COLUMNS_OF, COST)
COLUMNS = {
    UNITS: {
        "claim, contrast": "id of the claim, and place of the contrast in it; technique: one that is compared on every "
        "task, against its control; sham: one that does nothing",
        "view": "declared, last, secondary, validation, or width <n>: how the contrast is looked at; of a sham also "
        "another quantity than the test error",
        "task, fold, seed": "the unit",
        "arm, control": "the quantity of both",
        "number, scale": "their log ratio or difference, as scale says",
        "failed": "whether a run of the unit diverged",
        "searched_apart": "whether arm and control learn at different rates, the sign of two searches",
        "arm_runs, control_runs": "the runs behind them, where one unit's runs make the number",
    },
    RUNS: {
        "run": "first 16 hex digits of its identity",
        "task, fold, seed": "what it was trained on, and from which seed",
        "recipe": "how it was built and trained, as JSON",
        "updates": "in an epoch",
        "parameters": "weights that are trained",
        "diverged": "why it ended early, or nothing",
        "<reading> epoch, <reading> trained": "the epoch that a reading keeps, from 1, and those trained to know it",
        "<reading> <part>": "the primary metric at that epoch: RMSE in training standard deviations, or nats",
        "<reading> secondary": "the secondary metric there on the test part: MAE, or a share of errors",
    },
    ARMS: {
        "chapter, arm": "the notebook, and the name of the arm",
        "reading": "which epoch counts",
        "task, fold, seed": "the unit",
        "runs": "its runs: one, or those of an ensemble",
    },
    CURVES: {
        "run, epoch": "the run, and the epoch from 1",
        "loss": "mean loss in training mode, without penalties",
        "<part>, test secondary": "the primary metric on a part, and the secondary one on the test part",
    },
}


@dataclass(frozen=True)
class Tables:
    """What findings are computed from.

    Attributes:
        units: The table of units.
        runs: The table of runs, a mapping from column to text each.
        arms: The table of arms, likewise.
    """

    units: tuple[Row, ...]
    runs: tuple[dict[str, str], ...]
    arms: tuple[dict[str, str], ...]


def run_row(plan: Plan, run: Run, outcome: Outcome) -> dict[str, str]:
    """Return one row of the table of runs."""
    result, info = outcome.result, plan.tasks[run.task].info
    row: dict[str, Any] = {
        "run": short(run.identity),
        "task": run.task,
        "fold": run.fold,
        "seed": run.seed,
        "recipe": json.dumps(run.recipe.describe(), sort_keys=True),
        "updates": updates_of(plan, run),
        "parameters": parameters_of(outcome),
        "diverged": result.diverged or "",
    }
    for reading in READINGS:
        kept = result.keeps(reading) if len(result.epochs) else None
        row[f"{reading} epoch"] = kept.epoch + 1 if kept else ""
        row[f"{reading} trained"] = kept.cost if kept else ""
        for part in PARTS:
            row[f"{reading} {part}"] = result.error(reading, part)
        row[f"{reading} secondary"] = result.error(reading, "test", info.secondary)
    return {key: _text(value) for key, value in row.items()}


def arm_rows(plan: Plan, outcome: Callable[[Run], Outcome]) -> Iterator[dict[str, str]]:
    """Return the table of arms: of those that stand in a chapter, every unit whose runs are all there."""
    for chapter, arms in plan.notebooks.items():
        for arm in dict.fromkeys(arms):
            for task in arm.tasks:
                if arm.unfit(plan.tasks[task].info):
                    continue
                for unit in plan.units(task, arm.units, arm.first_seed):
                    runs = [plan.run(recipe, unit) for recipe in arm.on(task)]
                    if all(_there(outcome, run) for run in runs):
                        yield {
                            "chapter": chapter,
                            "arm": arm.name,
                            "reading": arm.reading,
                            "task": task,
                            "fold": str(unit.fold),
                            "seed": str(unit.seed),
                            "runs": " ".join(short(run.identity) for run in runs),
                        }


def _there(outcome: Callable[[Run], Outcome], run: Run) -> bool:
    try:
        outcome(run)
    except MissingRunsError:
        return False
    return True


def curve_lines(plan: Plan, run: Run, outcome: Outcome) -> Iterator[str]:
    """Return the lines of one run in the table of curves."""
    info, curves = plan.tasks[run.task].info, outcome.result.curves
    names = ("loss", *(f"{part}/{info.metric}" for part in PARTS), f"test/{info.secondary}")
    table = np.stack([curves[name] for name in names], axis=1)
    for epoch, values in enumerate(table.tolist(), start=1):
        numbers = ",".join(f"{value:.{DIGITS}g}" for value in values).replace("nan", "")
        yield f"{short(run.identity)},{epoch},{numbers}"


def write_tables(
    folder: Path, plan: Plan, rows: Sequence[Row], outcome: Callable[[Run], Outcome], stored: Iterable[Run]
) -> Tables:
    """Write the tables of a study into `folder` and return those that findings are computed from.

    Args:
        folder: Where to; it exists.
        plan: The study.
        rows: The table of units.
        outcome: Returns the outcome of a run.
        stored: The runs that have one, in the order of the tables.
    """
    runs, curves = list[dict[str, str]](), [",".join(("run", "epoch", "loss", *PARTS, "test secondary"))]
    cost = list[tuple[str, dict[str, Any]]]()
    for run in stored:
        found = outcome(run)
        runs.append(run_row(plan, run, found))
        curves += curve_lines(plan, run, found)
        cost.append((short(run.identity), found.record))
    tables = Tables(tuple(rows), tuple(runs), tuple(arm_rows(plan, outcome)))
    units = [{key: _text(value) for key, value in dataclasses.asdict(row).items()} for row in rows]
    write_whole(folder / UNITS, _csv(units, [field.name for field in fields(Row)]).encode())
    write_whole(folder / RUNS, _csv(runs).encode())
    write_whole(folder / ARMS, _csv(tables.arms).encode())
    write_whole(folder / CURVES, gzip.compress("\n".join([*curves, ""]).encode(), mtime=0))
    write_whole(folder / COLUMNS_OF, json.dumps(COLUMNS, indent=1).encode())
    write_whole(folder / COST, json.dumps(_cost(cost), indent=1, sort_keys=True).encode())
    return tables


def _cost(records: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return seconds and memory of every run, and the machines on which they were trained."""
    machines: list[dict[str, Any]] = []
    runs = {}
    for run, record in records:
        machine = {key: record[key] for key in ("machine", "versions", "engine")}
        if machine not in machines:
            machines.append(machine)
        measured = {key: rounded(record[key]) for key in ("seconds", "prepare_seconds", "peak_memory_mib")}
        runs[run] = {**measured, "machine": machines.index(machine)}
    return {"runs": runs, "machines": machines}


def read_tables(folder: Path) -> Tables:
    """Return the tables that findings are computed from, as `write_tables` wrote them."""
    kinds: dict[str, Callable[[str], Any]] = {
        "int": int,
        "float": float,
        "str": str,
        "bool": lambda text: text == "yes",
    }
    units = [
        Row(**{field.name: kinds.get(str(field.type), str)(row[field.name]) for field in fields(Row)})
        for row in _read(folder / UNITS)
    ]
    return Tables(tuple(units), tuple(_read(folder / RUNS)), tuple(_read(folder / ARMS)))


def read_curves(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the curves of every run by name of the run and column, (n_epochs,) each."""
    text = gzip.decompress((folder / CURVES).read_bytes()).decode()
    found: dict[str, dict[str, list[float]]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        curves = found.setdefault(row["run"], {})
        for column, value in row.items():
            if column not in ("run", "epoch"):
                curves.setdefault(column, []).append(float(value) if value else float("nan"))
    return {run: {name: np.array(curve) for name, curve in curves.items()} for run, curves in found.items()}


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _csv(rows: Sequence[dict[str, str]], columns: Sequence[str] = ()) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns or list(rows[0] if rows else ()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _text(value: object) -> str:
    """Return a value as a table has it: floats with six significant digits, nothing for one that is not finite."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{rounded(value):.{DIGITS}g}" if np.isfinite(value) else ""
    return str(value)
