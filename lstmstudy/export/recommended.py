"""What a study recommends for each task, as a folder to take away: model, scale, data and scripts."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy import paths
from lstmstudy.data.own.task import lasting_name
from lstmstudy.export.lines import NoScriptError
from lstmstudy.export.script import training_script
from lstmstudy.parsing.untrusted import plain_bytes
from lstmstudy.source import source_digest
from lstmstudy.store.atomic import write_whole
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.verdicts.compared import in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lstmstudy.arms import Arm
    from lstmstudy.data import Fold, TaskInfo
    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run
    from lstmstudy.verdicts.document import Findings

FOLDER = "recommended"  # beside the report, with a folder for each task
MODEL, FACTS, DATA = "model.keras", "model.json", "data.npz"
TRAIN, PREDICT = "train.py", "predict.py"
_DIGESTS = "sha256"  # the fact that tells a damaged file from a whole one
_TEMPLATE = Path(__file__).parent / "template" / PREDICT
_MODULES = tuple(f"{__package__}.{name}" for name in ("lines", "recommended", "script", "stock", "trained"))


@dataclass(frozen=True)
class _Chosen:
    """The run whose network is taken: of the newest fold, the seed with the lowest validation error."""

    arm: Arm
    run: Run
    outcome: Outcome
    reading: str


def write_recommended(
    plan: Plan, findings: Findings, outcome: Callable[[Run], Outcome], folder: Path
) -> list[Path]:
    """Write what is recommended for each task, where it is not there and whole, and return the folders.

    Each has ``model.keras``, ``model.json`` (scale, names of columns and classes, recipe and test error of the
    run), ``data.npz`` (windows and targets in the unit of the table), ``predict.py`` and ``train.py``. What no
    single model can do (noisy predictions) has no model, and what takes more than `fit` no script.

    Args:
        plan: The study.
        findings: What it found.
        outcome: Returns the outcome of a run, or raises MissingRunsError.
        folder: That of the report.
    """
    arms = {in_words(arm): arm for arm in (plan.tuned_baseline, *plan.compared_arms)}
    written = []
    for advice in findings.advice:
        chosen = _chosen(plan, arms[advice.arm], advice.task, outcome)
        if chosen is not None:
            place = folder / FOLDER / lasting_name(advice.task)
            _write(plan, chosen, place)
            written.append(place)
    return written


def _chosen(plan: Plan, arm: Arm, task: str, outcome: Callable[[Run], Outcome]) -> _Chosen | None:
    """Return the run to take; None if all of the newest fold are missing, diverged or published without weights."""
    newest = plan.tasks[task].info.n_folds - 1
    units = plan.units(task, arm.units, arm.first_seed)
    fold = max(unit.fold for unit in units if unit.fold <= newest)
    (recipe,) = arm.on(task)
    reading = "last" if arm.reading == "last" else "selected"  # the epoch whose weights are kept
    found = []
    for unit in units:
        run = plan.run(recipe, unit)
        try:
            known = outcome(run) if unit.fold == fold else None
        except MissingRunsError:
            continue
        if known is not None and known.result.diverged is None and known.numbers is None:  # with its weights
            found.append((known.result.error(reading, "validation"), unit.seed, run, known))
    if not found:
        return None
    *_, run, best = min(found, key=lambda each: each[:2])
    return _Chosen(arm, run, best, reading)


def _write(plan: Plan, chosen: _Chosen, place: Path) -> None:
    """Write one folder, its facts last: they say that all the rest is there."""
    key = {"run": chosen.run.identity, "made_by": source_digest(_MODULES), "arm": in_words(chosen.arm)}
    known = _known(place)
    if all(known.get(name) == value for name, value in key.items()):
        altered = [
            name for name, digest in _digests(place).items() if known.get(_DIGESTS, {}).get(name) != digest
        ]
        if not altered:
            return
        print(f"{paths.relative(place)}/: {' and '.join(altered)} altered; written again", file=sys.stderr)
    place.mkdir(parents=True, exist_ok=True)
    for name in (FACTS, MODEL, DATA, PREDICT, TRAIN):  # what else lies there is the user's
        (place / name).unlink(missing_ok=True)
    info = plan.tasks[chosen.run.task].info
    fold = plan.tasks[chosen.run.task].folds[chosen.run.fold]
    needs = _write_model(chosen, info, place)
    np.savez_compressed(place / DATA, allow_pickle=False, **_data(fold, info))
    try:
        script = training_script(
            chosen.run.recipe,
            info,
            profile=plan.profile.name,
            arm=in_words(chosen.arm),
            reading=chosen.arm.reading,
        )
        write_whole(place / TRAIN, script.encode())
    except NoScriptError:  # the chapter of the technique shows what it takes
        pass
    facts = {**key, "needs": needs, **_facts(chosen, info, fold), _DIGESTS: _digests(place)}
    write_whole(place / FACTS, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())


def _known(place: Path) -> dict[str, Any]:
    """Return the facts of a folder; none if it has none that can be read."""
    try:
        known = json.loads(plain_bytes(place / FACTS))
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def _digests(place: Path) -> dict[str, str]:
    """Return the hashes of what nobody edits; the scripts may be, and stay so."""
    return {name: hashlib.sha256(plain_bytes(place / name)).hexdigest() for name in (MODEL, DATA)}


def _write_model(chosen: _Chosen, info: TaskInfo, place: Path) -> list[str]:
    """Write the model and what loads it, and return the packages whose layers it has beside those of Keras."""
    from lstmstudy.export.trained import NoModelError, trained_model

    try:
        model = trained_model(chosen.run.recipe, info, chosen.outcome.result.weights)
    except NoModelError:
        return []
    model.save(place / MODEL)
    write_whole(place / PREDICT, _TEMPLATE.read_bytes())
    layers = {type(layer).__module__.partition(".")[0] for layer in _all_layers(model)}
    return sorted(f"{package}.layers" for package in layers - {"keras"})


def _all_layers(model: Any) -> list[Any]:
    """Return the layers of a model and of the models in it."""
    return [
        each
        for layer in model.layers
        for each in (_all_layers(layer) if hasattr(layer, "layers") else [layer])
    ]


def _data(fold: Fold, info: TaskInfo) -> dict[str, npt.NDArray[Any]]:
    """Return inputs and targets of each part in the units of the table."""
    arrays = {}
    for name in ("train", "validation", "test"):
        part = getattr(fold, name)
        x = part.x.astype(np.float64) * np.array(fold.x_scale) + np.array(fold.x_center)
        valid = np.arange(info.window) < part.lengths[:, None]
        arrays[f"x_{name}"] = np.where(valid[:, :, None], x, 0)
        if info.variable_length:
            arrays[f"lengths_{name}"] = part.lengths
        forecast = info.kind == "forecasting"
        arrays[f"y_{name}"] = (
            part.y[:, 0].astype(np.float64) * fold.scale + fold.center if forecast else part.y
        )
    return arrays


def _facts(chosen: _Chosen, info: TaskInfo, fold: Fold) -> dict[str, Any]:
    """Return what the scripts need to know, and where the model comes from."""
    result = chosen.outcome.result
    names = info.classes or tuple(str(label) for label in range(info.n_outputs))
    return {
        "task": info.name,
        "title": info.title,
        "predicts": info.description,
        "columns": list(info.channels),
        "window": info.window,
        "horizon": info.horizon,
        "differenced": info.differenced,
        "unit": info.unit,
        "classes": list(names) if info.kind == "classification" else [],
        "x_mean": list(fold.x_center),
        "x_deviation": list(fold.x_scale),
        "y_mean": fold.center,
        "y_deviation": fold.scale,
        "metric": info.metric,
        "test_error": result.error(chosen.reading),
        "epoch": result.keeps(chosen.reading).epoch + 1,
        "fold": chosen.run.fold,
        "seed": chosen.run.seed,
        "recipe": chosen.run.recipe.describe(),
    }
