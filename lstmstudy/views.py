"""What a notebook shows of a study and of a comparison: words and tables that fit any theme.

A view trains nothing, and says in words what it lacks. All text in it is escaped, and its only style is on
which side a column stands.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy.store import MissingRunsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmstudy.ablation import Ablation
    from lstmstudy.arms import Arm
    from lstmstudy.data import TaskInfo
    from lstmstudy.figures.tables import Cell
    from lstmstudy.study import Study

_METRICS = {"rmse": "RMSE", "mae": "MAE", "cross_entropy": "cross-entropy", "error_rate": "error rate"}


def study_text(study: Study) -> str:
    """Return a study in a line."""
    profile = study.profile
    return (
        f"<Study {profile.name!r}: {counted(len(study.tasks), 'task')}, "
        f"{counted(len(profile.techniques), 'technique')}, {counted(profile.units, 'unit')} of each comparison>"
    )


def study_html(study: Study) -> str:
    """Return a study with its tasks, its arms by technique, and how many runs are stored."""
    profile, network, training = study.profile, study.profile.network, study.profile.training
    planned, stored = study.plan.all_runs, study.store.files().keys()
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
    return paragraphs([what, runs]) + _task_table(study) + _arm_table(study, stored) + paragraphs([named])


def _task_table(study: Study) -> str:
    rows = []
    for info in study.tasks:
        folds = study.plan.tasks[info.name].folds
        rows.append(
            {
                "task": info.title,
                "name": info.name,
                "predicted": f"{info.horizon} ahead" if info.horizon else f"{info.n_outputs} classes",
                "unit": info.unit,
                "input": f"{info.window} steps of {info.n_features}",
                "folds": info.n_folds,
                "training": round(np.mean([len(fold.train.y) for fold in folds])) if folds else None,
                "test": round(np.mean([len(fold.test.y) for fold in folds])) if folds else None,
                "metric": f"{_METRICS[info.metric]}, {_METRICS[info.secondary]}",
            }
        )
    return table_of(rows, "Tasks; training and test targets are means over folds")


def _arm_table(study: Study, stored: Iterable[str]) -> str:
    from lstmstudy.techniques import TECHNIQUES

    plan, there = study.plan, set(stored)
    sets: list[tuple[str, str, tuple[Arm, ...], tuple[Arm, ...]]] = [
        ("baseline", "", (plan.baseline,), (plan.tuned_baseline,)),
        *(
            (TECHNIQUES[name].title, name, study.arms(name), study.tuned(name))
            for name in study.profile.techniques
        ),
        *((f"design {name}", name, study.design(name), ()) for name in study.profile.designs),
    ]
    rows = []
    for title, name, grid, tuned in sets:
        runs = plan.runs((*grid, *tuned))
        rows.append(
            {
                "arms": title,
                "name": name,
                "in the grid or design": len(grid),
                "tuned, compared on every task": len(tuned),
                "runs": len(runs),
                "stored": sum(identity in there for identity in runs),
            }
        )
    return table_of(rows, "Arms by technique; runs are those of the arms and of what they are compared with")


def ablation_text(ablation: Ablation) -> str:
    """Return a comparison in a line."""
    names = list(ablation.arms)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"<Ablation of {counted(len(names), 'arm')}: {'; '.join(names[:3])}{more}>"


def ablation_html(ablation: Ablation) -> str:
    """Return the effect of each arm on each task against its control; of controls alone their errors."""
    compared, infos = ablation.compared, ablation.infos
    lacking = [arm.name for arm in ablation.arms.values() if arm.control is not None and arm not in compared]
    notes = [f"Not shown, as no unit has all its runs: {escape(', '.join(lacking))}."] if lacking else []
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
    return _effects_table(ablation, infos, units) + paragraphs(notes)


def _effects_table(ablation: Ablation, infos: Sequence[TaskInfo], units: dict[str, int]) -> str:
    from lstmstudy.figures.tables import Cell, effect_cell

    several = len(ablation.controls) > 1
    heads = {info.name: f"{info.title}, {counted(units[info.name], 'unit')}" for info in infos}
    rows = []
    for arm in ablation.compared:
        row: dict[str, Any] = {"arm": arm.name}
        if several and arm.control is not None:
            row["against"] = arm.control.name
        fitting = [info.name for info in infos if ablation.fits(arm, info.name)]
        for info in infos:
            cell = effect_cell(ablation.effect(arm, info.name)) if info.name in fitting else "does not fit"
            row[_distinct(heads, info.name)] = cell
        if fitting:
            whole = ablation.effect(arm)
            if len(infos) > 1:
                row["all tasks"] = effect_cell(whole)
            row["units improved"] = Cell(f"{100 * whole.improvement:.0f} %", whole.improvement)
        rows.append(row)
    control = "their controls" if several else ablation.control.name
    return table_of(
        rows,
        f"Change of test error against {control}: mean over units with its 95 % interval; below 0 is better",
    )


def _errors_table(ablation: Ablation, infos: Sequence[TaskInfo], units: dict[str, int]) -> str:
    heads = {
        info.name: f"{info.title}, {_METRICS[info.metric]}, {counted(units[info.name], 'unit')}"
        for info in infos
    }
    rows = [
        {
            "arm": arm.name,
            **{
                _distinct(heads, info.name): _error_cell(ablation.errors(arm, info.name))
                if ablation.fits(arm, info.name)
                else "does not fit"
                for info in infos
            },
        }
        for arm in ablation.controls
    ]
    return table_of(rows, "Test error: mean over units, least and greatest")


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


def _distinct(heads: dict[str, str], name: str) -> str:
    """Return the header of a task, with its name where another task has the same title."""
    head = heads[name]
    return f"{head} ({name})" if list(heads.values()).count(head) > 1 else head


def counted(number: int, thing: str) -> str:
    """Return how many things there are, in words."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _fewest() -> int:
    """Return the units of a task with which an interval is given."""
    from lstmstudy.stats import sample

    return sample.FEWEST
