"""Ensembles beside their members and beside one model at equal compute."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import metrics
from lstmstudy.figures import panels, plot_ambiguity, plot_dose_response, style, table
from lstmstudy.figures.labels import NOT_AVAILABLE, effect_text
from lstmstudy.findings.finding import Finding, listed, of_arms, together_and_apart, with_intervals
from lstmstudy.findings.titles import UNSURE, clear, fitting, known, short, some, span
from lstmstudy.stats.ensembles import Ambiguity, combined
from lstmstudy.store.numbers import taken
from lstmstudy.study.ablation import single
from lstmstudy.study.measurements import ambiguity_of, predictions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.data import TaskInfo
    from lstmstudy.runs import Outcome
    from lstmstudy.stats.effects import Effect
    from lstmstudy.study.ablation import Ablation

    _Contrast = Callable[[Ablation, Arm, str], np.ndarray]


@of_arms
def ensemble_gains(ablation: Ablation) -> str:
    """Show how each ensemble stands beside single models; return a sentence.

    Beside the average member a mean can hardly lose, so that only the other two columns tell something:
    the member that validation ranks first in its unit, and one model trained for as many updates as
    all members together. Where one run makes the whole ensemble, its control stands for the member.
    """
    import pandas as pd

    better: dict[str, list[str]] = {"best": [], "equal": []}
    rows = []
    arms = [arm for arm in ablation.compared if arm.technique is not None]
    for arm in arms:
        effects = {
            "average": _against(ablation, arm, _average) if _members(ablation, arm) else None,
            "best": _against(ablation, arm, _best) if _members(ablation, arm) else ablation.effect(arm),
            "equal": _against_equal(ablation, arm),
        }
        words = {key: effect_text(effect) if effect else NOT_AVAILABLE for key, effect in effects.items()}
        rows.append(
            {
                "ensemble": arm.name,
                "average member": words["average"],
                "best member by validation, or the baseline": words["best"],
                "one model with as many updates": words["equal"],
            }
        )
        for key, names in better.items():
            effect = effects[key]
            if effect is not None and effect.high < 0:
                names.append(arm.name)
    table(pd.DataFrame(rows), caption="Change of the test error with an ensemble, against single models")
    return (
        f"Of {len(arms)} arms, {_named(better['best'])} clearly better than the best member by validation or the "
        f"baseline, and {_named(better['equal'])} clearly better than one model with as many updates; intervals "
        "are not adjusted for the number of arms."
    )


@of_arms
def disagreement(ablation: Ablation) -> Finding:
    """Return the error of each mean and the disagreement of its members, which add up to a member's error.

    Errors are mean squared ones, of values or of probabilities; runs of a unit with a diverged member are
    left out. A panel per task.
    """
    arms = [
        arm
        for arm in ablation.compared
        if arm.technique is not None and arm.technique.combine == "mean" and _members(ablation, arm)
    ]
    shares, taken, apart = [], [], 0.0
    with style():
        figure, axes = panels([info.title for info in ablation.infos], height=1.2 + 0.5 * len(arms))
        for info, ax in zip(ablation.infos, axes, strict=True):
            parts = [_ambiguity(ablation, arm, info) for arm in arms]
            apart = max(apart, *(abs(part.ensemble + part.ambiguity - part.member) for part in parts))
            shares += [
                f"{arm.name} {100 * part.ambiguity / part.member:.0f} % on {info.title}"
                for arm, part in zip(arms, parts, strict=True)
                if np.isfinite(part.member)
            ]
            taken += [100 * part.ambiguity / part.member for part in parts if np.isfinite(part.member)]
            plot_ambiguity(
                [arm.name for arm in arms],
                [arm.technique.name for arm in arms if arm.technique],
                np.array([part.ensemble for part in parts]),
                np.array([part.ambiguity for part in parts]),
                ax=ax,
            )
    sentence = (
        f"What averaging takes away from a member's mean squared error: {listed(shares) or 'nothing, as runs diverged'}. "
        f"It is the disagreement of the members, to within {apart:.0e}."
    )
    alt = (
        f"Stacked bars for {len(arms)} ensembles on each task: the squared error of the mean, and on top the "
        f"members' disagreement, which is {listed(shares) or 'not available'}."
    )
    return Finding(figure, alt, _of_averaging(taken), sentence)


@of_arms
def member_counts(ablation: Ablation) -> Finding:
    """Return the change of the test error over the number of members, against a single one.

    A point is the mean over every choice of so many members. A panel for all tasks and one for each.
    """
    arms = [arm for arm in ablation.compared if _members(ablation, arm)]
    values = {(arm.name, info.name): _counts(ablation, arm, info) for arm in arms for info in ablation.infos}
    places = together_and_apart(ablation.infos)
    with style():
        figure, axes = panels(list(places), height=3.0)
        drawn = []
        for info in places.values():
            tasks = [each.name for each in ablation.infos if info in (None, each)]
            drawn.append([effect for arm in arms for effect in _count_effects(ablation, arm, tasks, values)])
        for effects, ax in zip(drawn, axes, strict=True):
            plot_dose_response(effects, control="average member", strength="members", ax=ax)
    own = [[effect for effect in drawn[0] if effect.arm == arm.name] for arm in arms]
    two, whole = ([effects[place] for effects in own] for place in (1, -1))
    texts, missing = with_intervals([*whole, *two])
    told = zip(arms, texts[: len(arms)], texts[len(arms) :], strict=True)
    words = [f"{arm.name} {text}, with 2 of them {less}" for arm, text, less in told]
    sentence = f"Change of the test error against a single member, over all tasks: {listed(words)}{missing}."
    alt = f"Test error over the number of members, against that of one: {listed(words)}{missing}."
    return Finding(figure, alt, _of_counts(two, whole), sentence)


def _of_averaging(taken: Sequence[float]) -> str:
    """Return how much averaging takes off a member's squared error, in percent."""
    if not taken:
        return "What averaging takes off a member's squared error is unknown, as runs diverged"
    ends = dict.fromkeys(short(end(taken)) for end in (min, max))
    return fitting(f"Averaging takes {' to '.join(ends)} % off a member's squared error")


def _of_counts(two: Sequence[Effect], whole: Sequence[Effect]) -> str:
    """Return how the test error changes with all members, and how with two of them, against one."""
    sizes = {effect.strength for effect in whole}
    models = f"{sizes.pop():g} models" if len(sizes) == 1 else "all members"
    verb = {(True, False): "lower", (False, True): "raise"}.get(
        (
            all(effect.estimate <= 0 for effect in (*two, *whole)),
            all(effect.estimate >= 0 for effect in (*two, *whole)),
        ),
        "change",
    )
    by, less = (
        span([effect.estimate for effect in effects], signs=verb == "change") for effects in (whole, two)
    )
    fewer = "" if models == "2 models" else f", two of them by {less}"
    found = [clear(effect) for effect in whole]
    if not known(whole):
        sure, doubt = "", f"; {UNSURE}"
    elif all(found):
        sure, doubt = " clearly", ""
    else:
        sure, doubt = "", f"; clearly with {some(sum(map(abs, found)), len(whole), 'ensembles')}"
    what = f"{models} {verb} the test error{sure} by {by}"
    return fitting(f"{what}{fewer}{doubt}", f"{what}{doubt}")


def _members(ablation: Ablation, arm: Arm) -> int:
    """Return how many models an arm combines; 0 if one run is the whole of it."""
    size = len(arm.on(ablation.infos[0].name))
    return size if size > 1 else 0


def _ratios(ablation: Ablation, arm: Arm, task: str) -> np.ndarray:
    """Return ln(error of the ensemble / error of a member), (n_members, n_units)."""
    return np.stack([ablation.log_ratios(arm, task, control=single(arm, recipe)) for recipe in arm.on(task)])


def _average(ablation: Ablation, arm: Arm, task: str) -> np.ndarray:
    return _ratios(ablation, arm, task).mean(axis=0)


def _best(ablation: Ablation, arm: Arm, task: str) -> np.ndarray:
    """Return the log ratios against the member of each unit with the lowest validation error."""
    best = ablation.best_member(arm, task)
    return _ratios(ablation, arm, task)[best, np.arange(len(best))]


def _against(ablation: Ablation, arm: Arm, contrast: _Contrast) -> Effect:
    values = {info.name: contrast(ablation, arm, info.name) for info in ablation.infos}
    return ablation.effect_of(values, arm)


def _against_equal(ablation: Ablation, arm: Arm) -> Effect | None:
    """Return the effect against one model that is trained for as many epochs, where there is one."""
    epochs = sum(recipe.stages.length for recipe in arm.on(ablation.infos[0].name))
    for other in (*ablation.controls, *ablation.arms.values()):
        plain = other.technique is None and not other.recipe.techniques
        if plain and other.recipe.epochs == epochs:
            return ablation.effect(arm, control=other)
    return None


def _named(names: list[str]) -> str:
    verb = "is" if len(names) == 1 else "are"
    return f"{len(names)} {verb}" if not names else f"{len(names)} ({listed(names)}) {verb}"


def _truth(ablation: Ablation, task: str) -> list[np.ndarray]:
    """Return the test targets of every unit."""
    opened = ablation.plan.tasks[task]
    return [opened.folds[unit.fold].test.y for unit in ablation.units(task)]


def _ambiguity(ablation: Ablation, arm: Arm, info: TaskInfo) -> Ambiguity:
    """Return the mean decomposition over the units without a diverged member."""
    parts = [
        ambiguity_of(models, arm.reading, y, info)
        for models, y in zip(ablation.members(arm, info.name), _truth(ablation, info.name), strict=True)
        if all(model.result.diverged is None for model in models)
    ]
    return Ambiguity(*np.mean(parts, axis=0)) if parts else Ambiguity(*[np.nan] * 3)


def _counts(ablation: Ablation, arm: Arm, info: TaskInfo) -> np.ndarray:
    """Return, by number of members, the log error of so many against that of one, (n_members, n_units).

    A diverged member counts as the naive error, and so does every choice that it is part of.
    """
    counted = np.log(
        [ablation.counted_errors(single(arm, recipe), info.name) for recipe in arm.on(info.name)]
    )
    size, n_units = counted.shape
    errors = np.zeros((size, n_units))
    outcomes = zip(ablation.members(arm, info.name), _truth(ablation, info.name), strict=True)
    for unit, (models, y) in enumerate(outcomes):
        whole = [model for model in models if model.result.diverged is None]
        diverged = [model.result.diverged is not None for model in models]
        naive = float(counted[diverged, unit].max()) if any(diverged) else 0.0
        summed = [*_summed(whole, y, arm, info), *[0.0] * (size - len(whole))]
        for count in range(1, size + 1):
            choices, sound = math.comb(size, count), math.comb(len(whole), count)
            errors[count - 1, unit] = (summed[count - 1] + (choices - sound) * naive) / choices
    return errors - counted.mean(axis=0)


def _summed(models: Sequence[Outcome], y: np.ndarray, arm: Arm, info: TaskInfo) -> np.ndarray:
    """Return, by number of members, the sum of log errors over all choices of so many models, (n_models,)."""
    if not models:
        return np.zeros(0)
    how = arm.technique.combine if arm.technique else "mean"

    def summed() -> list[float]:
        score, predictions = getattr(metrics, info.metric), predictions_of(models, arm.reading)
        choices = (itertools.combinations(predictions, count) for count in range(1, len(models) + 1))
        return [float(sum(np.log(score(combined(some, how), y)) for some in each)) for each in choices]

    return taken(f"log {info.metric} of their {how}, summed by number, {arm.reading}", models, summed)


def _count_effects(
    ablation: Ablation, arm: Arm, tasks: list[str], values: dict[tuple[str, str], np.ndarray]
) -> list[Effect]:
    """Return an effect for each number of members."""
    return [
        dataclasses.replace(
            ablation.effect_of({task: values[arm.name, task][count - 1] for task in tasks}, arm),
            strength=float(count),
        )
        for count in range(1, _members(ablation, arm) + 1)
    ]
