"""What a notebook shows of a study and of a comparison: words and tables that fit any theme.

A view trains nothing, and says in words what it lacks. All text in it is escaped, and its only style is on
which side a column stands.
"""

from __future__ import annotations

import dataclasses
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy.store.outcomes import MissingRunsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.data import TaskInfo
    from lstmstudy.figures.tables import Cell
    from lstmstudy.plan import Plan
    from lstmstudy.stats.effects import Effect
    from lstmstudy.study.measurements import Measurements

_UNFIT = "makes no sense"  # an arm on a task
_FOLDED = 12  # rows; a longer table of arms opens on a click
_METRICS = {"rmse": "RMSE", "mae": "MAE", "cross_entropy": "cross-entropy", "error_rate": "error rate"}


def study_text(plan: Plan) -> str:
    """Return a study in a line."""
    profile = plan.profile
    return (
        f"<Study {profile.name!r}: {counted(len(profile.tasks), 'task')}, "
        f"{counted(len(profile.techniques), 'technique')}, {counted(profile.units, 'unit')} of each comparison>"
    )


def study_html(plan: Plan, stored: Collection[str]) -> str:
    """Return a study with its tasks, its arms by technique, and how many runs are stored.

    Args:
        plan: The study.
        stored: Identities of the runs that are.
    """
    profile, network, training = plan.profile, plan.profile.network, plan.profile.training
    planned = plan.all_runs
    there = sum(identity in stored for identity in planned)
    lacking = f", {len(planned) - there} missing" if there < len(planned) else ""
    what = (
        f"<strong>Study {escape(profile.name)}</strong>: {counted(network.layers, 'LSTM layer')} of "
        f"{counted(network.width, 'unit')} and a dense head; {counted(training.epochs, 'epoch')} of Adam at "
        f"{training.learning_rate:g} in batches of {training.batch_size}; {counted(profile.units, 'pair')} of runs, "
        "each with a fold and a seed, for every comparison on a task."
    )
    runs = (
        f"{counted(len(planned), 'run')} planned, {there} stored{lacking}. <code>study.ablate(...)</code> trains "
        "what its arms lack, <code>make report</code> all of them."
    )
    named = "An arm by its name: <code>study[...]</code>, where the Tab key completes it."
    return paragraphs([what, runs]) + _task_table(plan) + _arm_table(plan, stored) + paragraphs([named])


def _task_table(plan: Plan) -> str:
    rows = []
    for name in plan.profile.tasks:
        info, folds = plan.tasks[name].info, plan.tasks[name].folds
        rows.append(
            {
                "task": info.title,
                "name": info.name,
                "input": f"{counted(info.window, 'step')} of {counted(info.n_features, 'channel')}",
                "predicted": f"{counted(info.horizon, 'step')} ahead"
                if info.horizon
                else f"one of {info.n_outputs} classes",
                "unit": info.unit,
                "folds": info.n_folds,
                "training": round(np.mean([len(fold.train.y) for fold in folds])) if folds else None,
                "test": round(np.mean([len(fold.test.y) for fold in folds])) if folds else None,
                "metrics": f"{_METRICS[info.metric]}, {_METRICS[info.secondary]}",
            }
        )
    return table_of(rows, "Tasks; training and test targets are means over folds") if rows else ""


def _arm_table(plan: Plan, stored: Collection[str]) -> str:
    from lstmstudy.techniques import TECHNIQUES

    profile = plan.profile
    rows = [_arm_row(plan, "baseline", "", (plan.baseline,), (plan.tuned_baseline,), stored=stored)]
    for name in profile.techniques:
        title = TECHNIQUES[name].title
        rows.append(_arm_row(plan, title, name, plan.arms(name), plan.tuned(name), stored=stored))
    rows += [
        _arm_row(plan, f"design {name}", name, plan.design(name), (), stored=stored)
        for name in profile.designs
    ]
    arms = {arm for arms in plan.notebooks.values() for arm in arms}
    caption = "Arms with their own runs; grids describe, tuned arms are compared on every task"
    shown = " open" if len(rows) <= _FOLDED else ""
    summary = f"{counted(len(arms), 'arm')} by technique"
    return f"<details{shown}><summary>{summary}</summary>{table_of(rows, caption)}</details>"


def _arm_row(
    plan: Plan, title: str, name: str, grid: Sequence[Arm], tuned: Sequence[Arm], *, stored: Collection[str]
) -> dict[str, Any]:
    runs = plan.runs(dataclasses.replace(arm, control=None) for arm in (*grid, *tuned))
    strengths = dict.fromkeys(f"{arm.technique.strength:g}" for arm in grid if arm.technique is not None)
    return {
        "technique": title,
        "name": name,
        "strengths": ", ".join(strengths),
        "in grid or design": len(grid),
        "tuned": len(tuned),
        "runs": len(runs),
        "stored": sum(identity in stored for identity in runs),
    }


def ablation_text(ablation: Measurements) -> str:
    """Return a comparison in a line."""
    names = list(ablation.arms)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"<Ablation of {counted(len(names), 'arm')}: {'; '.join(names[:3])}{more}>"


def ablation_html(ablation: Measurements, effect: Callable[..., Effect]) -> str:
    """Return the effect of each arm on each task against its control; of controls alone their errors.

    Args:
        ablation: What is compared.
        effect: Returns the effect of an arm on a task, or without one on all of them.
    """
    compared, infos = ablation.compared, ablation.infos
    lacking = [arm.name for arm in ablation.arms.values() if arm.control is not None and arm not in compared]
    notes = [f"Not shown, as no unit has all its runs: {escape('; '.join(lacking))}."] if lacking else []
    try:
        units = {info.name: len(ablation.units(info.name)) for info in infos}
    except MissingRunsError:  # arms have runs, but no unit in common
        units = {}
    if not units:
        words = f"{counted(len(ablation.arms), 'arm')}: no unit of any task has all its runs, so there is no number."
        return paragraphs([words, *notes])
    failed = sum(
        model.result.diverged is not None
        for arm in (*compared, *ablation.controls)
        for info in infos
        if ablation.fits(arm, info.name)
        for models in ablation.members(arm, info.name)
        for model in models
    )
    if failed:
        counts = "counts" if failed == 1 else "count"
        notes.append(f"{counted(failed, 'run')} diverged and {counts} with the error of the naive method.")
    if not compared:
        return _errors_table(ablation, infos, units) + paragraphs(notes)
    if min(units.values()) < _fewest():
        notes.append(f"Fewer than {_fewest()} units of a task have no interval.")
    return _effects_table(ablation, effect, infos, units) + paragraphs(notes)


def _effects_table(
    ablation: Measurements, effect: Callable[..., Effect], infos: Sequence[TaskInfo], units: dict[str, int]
) -> str:
    from lstmstudy.figures.tables import Cell, effect_cell

    several = len(ablation.controls) > 1
    heads, each = _heads(infos, units)
    rows = []
    for arm in ablation.compared:
        row: dict[str, Any] = {"arm": arm.name}
        if several and arm.control is not None:
            row["against"] = _read(arm.control)
        fitting = [info.name for info in infos if ablation.fits(arm, info.name)]
        for info in infos:
            cell = effect_cell(effect(arm, info.name)) if info.name in fitting else _UNFIT
            row[heads[info.name]] = cell
        if fitting:
            whole = effect(arm)
            if len(infos) > 1:
                row["all tasks"] = effect_cell(whole)
            row["units improved"] = Cell(f"{100 * whole.improvement:.0f} %", whole.improvement)
        rows.append(row)
    control = "their controls" if several else _read(ablation.control)
    return table_of(
        rows,
        f"Change of test error against {control}: mean over units{each} with its 95 % interval; below 0 is better",
    )


def _errors_table(ablation: Measurements, infos: Sequence[TaskInfo], units: dict[str, int]) -> str:
    heads, each = _heads(infos, units)
    rows = []
    for arm in ablation.controls:
        row: dict[str, Any] = {"arm": _read(arm)}
        for info in infos:
            fits = ablation.fits(arm, info.name)
            head = f"{heads[info.name]}, {_METRICS[info.metric]}"
            row[head] = _error_cell(ablation.errors(arm, info.name)) if fits else _UNFIT
        rows.append(row)
    return table_of(rows, f"Test error: mean over units{each}, with the least and the greatest")


def _error_cell(errors: np.ndarray) -> Cell | None:
    from lstmstudy.figures.tables import Cell

    known = errors[np.isfinite(errors)]
    if not known.size:
        return None
    mean = float(known.mean())
    return Cell(f"{mean:.3g} [{known.min():.3g}, {known.max():.3g}]", mean)


def table_of(rows: Sequence[dict[str, Any]], caption: str) -> str:
    """Return rows as an HTML table; a row is a mapping from column to number, text or cell."""
    import pandas as pd

    from lstmstudy.figures.tables import table_html

    return table_html(pd.DataFrame(list(rows)), caption=caption)


def paragraphs(texts: Sequence[str]) -> str:
    """Return texts, in HTML, as paragraphs."""
    return "".join(f"<p>{text}</p>" for text in texts)


def _heads(infos: Sequence[TaskInfo], units: dict[str, int]) -> tuple[dict[str, str], str]:
    """Return the header of each task, and how many units each has if all have as many; else headers say so."""
    titles = [info.title for info in infos]
    heads = {
        info.name: f"{info.title} ({info.name})" if titles.count(info.title) > 1 else info.title
        for info in infos
    }
    if len(set(units.values())) == 1:
        n = next(iter(units.values()))
        return heads, f" ({counted(n, 'unit')}{' of each task' if len(infos) > 1 else ''})"
    return {name: f"{head}, {counted(units[name], 'unit')}" for name, head in heads.items()}, ""


def _read(control: Arm) -> str:
    """Return the name of a control, and how it is read where that is not the selected epoch."""
    return control.name if control.reading == "selected" else f"{control.name}, {control.reading}"


def counted(number: int, thing: str) -> str:
    """Return how many things there are, in words."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _fewest() -> int:
    """Return the units of a task with which an interval is given."""
    from lstmstudy.stats import sample

    return sample.FEWEST
