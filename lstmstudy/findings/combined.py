"""Several techniques at once: what each part adds, what it takes away, and how two of them act together."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import panels, plot_ranking, style, table
from lstmstudy.findings.finding import (
    Finding,
    between,
    interval,
    listed,
    of_arms,
    percent,
    plain,
    with_intervals,
)
from lstmstudy.findings.titles import UNSURE, acts, clear, fitting, known, sides, size, some
from lstmstudy.techniques.combination import Combination

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lstmstudy.stats.effects import Effect
    from lstmstudy.study.ablation import Ablation

STOPPING = "early stopping"
ALONE = " alone"
_READINGS = {True: "patience 3", False: "last"}
_DIGITS = 12  # of a log ratio; what lies behind them is rounding
_Cells = dict[frozenset[str], np.ndarray]  # ln(error) of each unit, by what is on


@of_arms
def added_and_removed(ablation: Ablation) -> Finding:
    """Return what each part changes when it is added to nothing, and when it is removed from the whole.

    Every combination of the parts is an arm; early stopping with patience 3 is a reading of each, against
    the last epoch. The title tells what all parts together do, beside the single steps.
    """
    parts = _parts(ablation)
    whole, nothing = frozenset(parts), frozenset[str]()
    together = _effect(ablation, "all together", _difference(whole, nothing), "bundle")
    added, removed = [], []
    for part in parts:
        hue = _technique(ablation, part)
        added.append(_effect(ablation, f"{part}{ALONE}", _difference(frozenset({part}), nothing), hue))
        removed.append(_effect(ablation, f"all without {part}", _difference(whole - {part}, whole), hue))
    with style():
        figure, (above, below) = panels(
            ["added to nothing", "removed from all together"], columns=1, height=1.2 + 0.34 * len(parts)
        )
        plot_ranking([together, *added], control="none of the parts", ax=above)
        plot_ranking(removed, control="all together", ax=below)
    steps = [*added, *removed]
    (text,), missing = with_intervals([together])
    sentence = f"All {len(parts)} parts together change the test error by {text} against none of them{missing}. {_steps(steps)}."
    words = [f"{effect.arm} {percent(effect.estimate)}" for effect in (together, *added, *removed)]
    return Finding(
        figure, f"Change of test error: {listed(words)}.", _of_all(parts, together, steps), sentence
    )


@of_arms
def interactions(ablation: Ablation) -> str:
    """Show how the effect of each part changes where another is on; return a sentence.

    The interaction of two parts is the change of the log error that both bring together, less what each
    brings by itself, a mean over all combinations of the others.
    """
    import pandas as pd

    rows, apart = [], []
    for one, other in itertools.combinations(_parts(ablation), 2):
        effect = _effect(ablation, f"{one} with {other}", _interaction(one, other), "bundle")
        words = "less than the sum" if effect.estimate > 0 else "more than the sum"
        surely = effect.low > 0 or effect.high < 0
        rows.append(
            {
                "parts": effect.arm,
                "together against the sum": percent(effect.estimate),
                "95 % interval": between(effect.low, effect.high).removeprefix("95 % interval "),
                "help": words if surely else "not clear",
            }
        )
        apart += [effect.arm] if surely else []
    table(pd.DataFrame(rows), caption="Two parts together against the sum of what each does alone")
    if not apart:
        return f"Of {len(rows)} pairs, none clearly acts otherwise together than the sum of both."
    verb = "acts" if len(apart) == 1 else "act"
    return f"Of {len(rows)} pairs, {len(apart)} clearly {verb} otherwise together than the sum of both: {listed(apart)}."


@of_arms
def rivals(ablation: Ablation) -> Finding:
    """Return the combinations beside the single technique that validation ranks first, all tuned alike.

    Every arm had the same number of trials; the combinations could only choose their learning rate. A single
    technique is a rival only if it makes sense on every task, as the combinations do. The title tells which of them beat it.

    Raises:
        ValueError: If no combination is tuned, or no such technique.
    """
    tuned = [arm for arm in ablation.compared if arm.recipes]
    combinations = [arm for arm in tuned if isinstance(arm.technique, Combination)]
    everywhere = [arm for arm in tuned if all(ablation.fits(arm, info.name) for info in ablation.infos)]
    singles = [arm for arm in everywhere if arm not in combinations]
    if not singles or not combinations:
        raise ValueError(
            "Expected at least one tuned combination and one tuned technique that fits every task. "
            f"Received: combinations={len(combinations)}, techniques={len(singles)}"
        )
    best = min(singles, key=lambda arm: ablation.effect(arm, part="validation").estimate)
    effects = [ablation.effect(arm) for arm in (best, *combinations)]
    with style():
        ax = plot_ranking(effects, control="the tuned baseline")
    rival = plain(best.name)
    against = {f"the {plain(arm.name)}": ablation.effect(arm, control=best) for arm in combinations}
    texts, missing = with_intervals(list(against.values()))
    words = [f"{text} with {name}" for text, name in zip(texts, against, strict=True)]
    sentence = (
        f"Of {len(singles)} tuned single techniques that fit every task, validation ranks {rival} first. Against it, "
        f"the test error changes by {listed(words)}{missing}."
    )
    alt = f"Change of test error: {listed([f'{effect.arm} {interval(effect)}' for effect in effects])}."
    return Finding(ax.figure, alt, _of_rivals(rival, against), sentence)  # type: ignore[arg-type]


def _of_all(parts: Sequence[str], together: Effect, steps: Sequence[Effect]) -> str:
    """Return what all parts together do to the test error, and how many single steps lower it."""
    everything = f"All {len(parts)} parts together"
    acting = f"{acts(together.estimate).removesuffix('s')} the test error"
    if not known([together]):
        best = min((effect for effect in steps if effect.arm.endswith(ALONE)), key=lambda each: each.estimate)
        turns = acts(best.estimate) != acts(together.estimate)
        alone = f", {best.arm}{f' {acts(best.estimate)} it' if turns else ''} by {size(best.estimate)}"
        seen = f"{everything} {acting} by {size(together.estimate)}"
        return fitting(f"{seen}{alone}; {UNSURE}", f"{seen}; {UNSURE}")
    lower = sum(clear(effect) < 0 for effect in steps)
    rest = f"{some(lower, len(steps), 'single steps')} {'lower' if lower > 1 else 'lowers'} it"
    if not clear(together):
        return fitting(f"{everything} do not change the test error clearly; {rest}")
    return fitting(f"{everything} {acting} clearly, by {size(together.estimate)}; {rest}")


def _steps(steps: Sequence[Effect]) -> str:
    """Return which single steps lower the test error clearly; with too few units, the lowest and the highest."""
    if not known(steps):
        ends = [end(steps, key=lambda effect: effect.estimate) for end in (min, max)]
        low, high = (f"{percent(effect.estimate)} ({effect.arm})" for effect in ends)
        return f"Of {len(steps)} single steps, changes reach from {low} to {high}"
    lower = [effect.arm for effect in steps if clear(effect) < 0]
    verb = "lowers" if len(lower) == 1 else "lower"
    return (
        f"Of {len(steps)} single steps, {len(lower)} {verb} it clearly{': ' if lower else ''}{listed(lower)}; "
        "intervals are not adjusted for their number"
    )


def _of_rivals(rival: str, against: Mapping[str, Effect]) -> str:
    """Return with which combinations the test error is lower and higher than with the best single technique."""
    found = sides(against)
    if not known(against.values()):
        seen = f"the test error is {found}" if found else "no combination changes the test error"
        return fitting(f"Against {rival} {seen}; {UNSURE}", f"{seen}; {UNSURE}")
    if not found:
        return fitting(
            f"No combination changes the test error clearly against {rival}, the first on validation",
            "No combination changes the test error clearly against the first single technique",
        )
    return fitting(
        f"Against {rival}, the first on validation, the test error is {found}",
        f"Against {rival} the test error is {found}",
        f"Against the first single technique the test error is {found}",
    )


def _parts(ablation: Ablation) -> list[str]:
    """Return the names of the parts as the design lists them, early stopping last."""
    largest = max((arm.group for arm in ablation.arms.values()), key=lambda group: group.count(" + "))
    return [*largest.split(" + "), STOPPING]


def _cells(ablation: Ablation, task: str) -> _Cells:
    """Return the log error of each unit, with a diverged run at the naive error, by what is on."""
    cells = {}
    for arm in ablation.arms.values():
        on = frozenset() if arm.group == "none" else frozenset(arm.group.split(" + "))
        for stopped, reading in _READINGS.items():
            errors = ablation.counted_errors(arm, task, reading=reading)
            cells[on | ({STOPPING} if stopped else frozenset())] = np.log(errors)
    return cells


def _difference(one: frozenset[str], other: frozenset[str]) -> Callable[[_Cells], np.ndarray]:
    return lambda cells: cells[one] - cells[other]


def _interaction(one: str, other: str) -> Callable[[_Cells], np.ndarray]:
    def contrast(cells: _Cells) -> np.ndarray:
        both = {one, other}
        rest = {on - both for on in cells}
        sums = [cells[on | both] - cells[on | {one}] - cells[on | {other}] + cells[on] for on in rest]
        return np.mean(sums, axis=0)

    return contrast


def _technique(ablation: Ablation, part: str) -> str:
    """Return the name of the technique that a part is, which gives its hue."""
    found = (arm.recipe.techniques for arm in ablation.arms.values() if arm.group == part)
    return next((techniques[0].name for techniques in found), "early_stopping")


def _effect(
    ablation: Ablation, name: str, contrast: Callable[[_Cells], np.ndarray], technique: str
) -> Effect:
    """Return a contrast of log errors over all tasks as an effect of a technique.

    Equal runs, such as those of a clipping that never acts, must not differ by the rounding of sums.
    """
    tasks = [info.name for info in ablation.infos]
    values = {task: np.round(contrast(_cells(ablation, task)), _DIGITS) for task in tasks}
    return replace(ablation.effect_of(values, replace(ablation.control, name=name)), technique=technique)
