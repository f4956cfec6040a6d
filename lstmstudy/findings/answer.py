"""The answer of a study in one paragraph and in one picture, from its findings alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib import pyplot as plt

from lstmstudy.data import CATALOG
from lstmstudy.figures import style
from lstmstudy.figures.forest import ForestRow, Interval, plot_forest
from lstmstudy.figures.svg import to_svg
from lstmstudy.findings.advice import in_short
from lstmstudy.findings.finding import Finding, begun, between, counted, listed, percent
from lstmstudy.stats.rule import BY_TASK, CONTRADICTED, NO_DIFFERENCE, OPEN, SUPPORTED
from lstmstudy.store.atomic import write_whole
from lstmstudy.verdicts.honesty import false_rates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmstudy.verdicts.document import (
        ContrastFound,
        Findings,
        TaskEffect,
        TaskFacts,
        TechniqueFound,
    )

PICTURE = "effects.svg"
_BEST = 3  # techniques that the answer names


def answer(findings: Findings) -> str:
    """Return what the study found, in one paragraph: verdicts, what helps most and where, and the simple methods.

    On data of the user's own it begins with what to use. Where the rule gives more false verdicts than it promises, it
    says so.
    """
    judged = [claim for claim in findings.claims if claim.judged]
    own = [task.name for task in findings.tasks if task.name not in CATALOG]
    words = in_short(findings, own)
    if judged:
        n = {verdict: sum(claim.verdict == verdict for claim in judged) for verdict in _HOLDS}
        parts = [_HOLDS[verdict][n[verdict] > 1].format(n=n[verdict]) for verdict in _HOLDS if n[verdict]]
        missing = "" if n[CONTRADICTED] else "; none is contradicted"
        tasks = counted(len(findings.tasks), "task")
        words.append(
            f"Of {counted(len(judged), 'claim')} put to the test on {tasks}, {listed(parts)}{missing}."
        )
    else:
        words.append(
            f"**This is no evidence.** The profile {findings.profile} has too few units to judge any of the "
            f"{len(findings.claims)} claims."
        )
    if rates := false_rates(findings):
        words.append(
            f"**The rule failed its own test**, so read small effects as luck: {'; '.join(rates)}; 5 % were promised."
        )
    known = [each for each in findings.techniques if math.isfinite(each.effect.estimate)]
    if judged and known:
        words += [*_by_kind(findings, known), _largest(known, findings.tasks)]
    if len(own) < len(findings.tasks):  # of one's own it is said already
        words += _simple(findings)
    return " ".join(filter(None, words))


_HOLDS = {
    SUPPORTED: ("**1 holds**", "**{n} hold**"),
    CONTRADICTED: ("**1 is contradicted**", "**{n} are contradicted**"),
    NO_DIFFERENCE: ("**1 makes no practical difference**", "**{n} make no practical difference**"),
    BY_TASK: ("**1 depends on the task**", "**{n} depend on the task**"),
    OPEN: ("1 stays open", "{n} stay open"),
}


def _largest(techniques: Sequence[TechniqueFound], tasks: Sequence[TaskFacts]) -> str:
    """Return what lowers the test error most over all tasks, and what raises it most."""
    ranked = sorted(techniques, key=lambda each: each.effect.estimate)
    better = [each for each in ranked if _clear(each.effect) < 0]
    worse = [each for each in ranked if _clear(each.effect) > 0]
    if len(tasks) == 1:
        return f"{begun(_sized(worse[-1]))} raises the test error most." if worse else ""
    sentence = (
        f"Averaged over all tasks {_sized(better[0])} lowers the test error most"
        if better
        else "Averaged over all tasks no technique clearly lowers the test error"
    )
    return sentence + (f", and {_sized(worse[-1])} raises it most." if worse else ".")


def _by_kind(findings: Findings, techniques: Sequence[TechniqueFound]) -> list[str]:
    """Return which techniques clearly help on every task of a kind, kind by kind."""
    found = []
    for kind in dict.fromkeys(task.kind for task in findings.tasks):
        tasks = {task.name: task.title for task in findings.tasks if task.kind == kind}
        ranked = []
        for each in techniques:
            own = [task for task in each.effect.tasks if task.task in tasks]
            if len(own) == len(tasks) and all(_clear(task) < 0 for task in own):
                ranked.append((sum(task.estimate for task in own) / len(own), each.arm))
        names = [f"{arm} ({percent(mean)})" for mean, arm in sorted(ranked)[:_BEST]]
        every = "both" if len(tasks) == 2 else "every one"
        where = f"{listed(list(tasks.values()))} ({kind})"
        if len(tasks) == 1:
            helps = f"On {where} {_help(len(ranked))}"
        else:
            helps = f"On {where} {_help(len(ranked))} on {every}"
        best = ", most " if len(ranked) > len(names) else ": "
        found.append(f"{helps}{best if names else ''}{listed(names)}.")
    return found


def _help(number: int) -> str:
    return (
        f"{counted(number, 'technique')} clearly help{'s' if number == 1 else ''}"
        if number
        else ("no technique clearly helps")
    )


def _simple(findings: Findings) -> list[str]:
    """Return where a simple method without a network has the lower error."""
    beaten: dict[str, list[str]] = {}
    for task in findings.tasks:
        if _beaten(task):
            beaten.setdefault(task.simple, []).append(task.title)
    if not beaten:
        return []
    where = listed([f"{method} on {listed(tasks)}" for method, tasks in beaten.items()])
    number = f"{sum(map(len, beaten.values()))} of {counted(len(findings.tasks), 'task')}"
    return [f"A simple method beats the unregularized network on {number}: {where}."]


def _beaten(task: TaskFacts) -> bool:
    return task.baseline is not None and task.simple_error is not None and task.simple_error < task.baseline


def _clear(effect: ContrastFound | TaskEffect) -> int:
    """Return the side of no change on which an interval lies: -1, 0 (neither, or no interval) or 1."""
    if effect.low is None or effect.high is None:
        return 0
    return -1 if effect.high < 0 else int(effect.low > 0)


def _sized(technique: TechniqueFound) -> str:
    effect = technique.effect
    if effect.low is None or effect.high is None:
        return f"{technique.arm} ({percent(effect.estimate)})"
    return f"{technique.arm} ({percent(effect.estimate)}, {between(effect.low, effect.high)})"


def forest(findings: Findings) -> Finding | str:
    """Return every technique's effect on the test error, over all tasks and on each, the best on top."""
    techniques = findings.techniques
    if not techniques:
        return "This profile compares no technique."
    rows = []
    for each in techniques:
        by_task = {task.task: task for task in each.effect.tasks}
        control = "" if each.effect.control == "baseline" else f", vs {each.effect.control}"
        rows.append(
            ForestRow(
                each.arm + control,
                each.technique,
                _interval(each.effect),
                [_interval(by_task[task.name]) if task.name in by_task else None for task in findings.tasks],
            )
        )
    with style():
        figure = plot_forest(rows, [task.title for task in findings.tasks])
    ranked = sorted(techniques, key=lambda each: each.effect.estimate)
    covered = (
        "seeds, test periods and the luck of the search"
        if findings.calibration.luck
        else "seeds and test periods"
    )
    sentence = (
        "Each technique with the strength and the learning rate that validation chose, paired with its control by "
        f"task, fold and seed. Intervals cover {covered}, not other tasks, and are not adjusted for the number of "
        "techniques; adjusted verdicts stand in the table of claims."
    )
    alt = "Change of test error by technique, best first: " + listed(
        [f"{each.arm} {percent(each.effect.estimate)}" for each in ranked]
    )
    return Finding(figure, f"{alt}.", _title(techniques), sentence)


def write_picture(findings: Findings, folder: Path) -> None:
    """Write the forest as `PICTURE` into a folder, for a page or a talk; nothing where nothing is compared."""
    found = forest(findings)
    if isinstance(found, Finding):
        write_whole(folder / PICTURE, to_svg(found.figure, title=found.alt).encode())
        plt.close(found.figure)


def _title(techniques: Sequence[TechniqueFound]) -> str:
    """Return which techniques clearly help, on every task if there are several, and how many turn with it."""
    if all(each.effect.low is None for each in techniques):
        return "With so few units there is no interval, and the order of techniques says nothing"
    sides = {each.arm: {_clear(task) for task in each.effect.tasks} for each in techniques}
    everywhere = [arm for arm, own in sides.items() if own == {-1}]
    where = " on every task" if max(len(each.effect.tasks) for each in techniques) > 1 else ""
    if not everywhere:
        words = f"None of {counted(len(techniques), 'technique')} clearly helps{where}"
    elif len(everywhere) == 1:
        words = f"Only {everywhere[0]} clearly helps{where}"
    else:
        words = begun(f"{listed(everywhere)} clearly help{where}")
    turning = sum({-1, 1} <= own for own in sides.values())
    if turning:
        one = turning == 1
        words += (
            f"; {turning} clearly {'helps on one and harms' if one else 'help on one and harm'} on another"
        )
    return words


def _interval(effect: ContrastFound | TaskEffect) -> Interval:
    ends = (math.nan if end is None else end for end in (effect.low, effect.high))
    return Interval(effect.estimate, *ends)
