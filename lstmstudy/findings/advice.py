"""What to use, task by task: chosen by validation, told with its test error, honest where nothing is won."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.arms import BASELINE
from lstmstudy.findings.finding import between, listed, percent
from lstmstudy.params.profile import PUBLISHED, PUBLISHED_FROM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.verdicts.document import Advice, Findings, TaskEffect, TaskFacts

_NAMED = 4  # arms that do as well


def advice(findings: Findings) -> list[str]:
    """Return for each task what to use, with its interval, what is as good, and what would settle more."""
    facts = {task.name: task for task in findings.tasks}
    luck = {each.task: each.sd for each in findings.calibration.luck}
    found = [
        _of_task(each, facts[each.task], luck.get(each.task, 0.0))
        for each in findings.advice
        if each.task in facts
    ]
    if not found:
        return ["This profile compares no technique."]
    what = "that network" if len(found) == 1 else "each of these networks"
    beside = f"the folder `recommended` has {what}, trained, with the scale of its inputs, a script that uses it and one"
    if findings.profile == PUBLISHED:  # its runs have no weights
        return [
            *found,
            f"Where `make report PROFILE={PUBLISHED_FROM}` trained, {beside} that trains it anew in Keras.",
        ]
    return [*found, f"Beside this report {beside} that trains it anew in Keras."]


def in_short(findings: Findings, tasks: Sequence[str] | None = None) -> list[str]:
    """Return for each task what to use, in a sentence: what needs no network if that is better.

    Args:
        findings: What was found.
        tasks: Names of the tasks; all if None.
    """
    facts = {task.name: task for task in findings.tasks}
    said = []
    for each in findings.advice:
        if each.task not in facts or (tasks is not None and each.task not in tasks):
            continue
        task = facts[each.task]
        if _simple_wins(each, task):
            what = (
                f"use {task.simple}, which needs no network: its test error is {task.simple_error:.3g}, and "
                f"{each.error:.3g} with {'the baseline' if each.effect is None else each.arm}"
            )
        else:
            what = _chosen(each)
        said.append(f"On {task.title} {what}.")
    return said


def _chosen(each: Advice) -> str:
    """Return what validation chooses, and whether its test error is clearly lower."""
    if each.effect is None:
        return f"use no regularizer: none of {each.compared} techniques is better on the validation part"
    size, first = (
        _size(each.effect),
        f"{each.arm} is the first of {each.compared} techniques on the validation part",
    )
    if BASELINE in each.same:
        return (
            f"no regularizer is needed: {first}, and none at all is shown to be as good within 5 % ({size})"
        )
    if each.effect.high is not None and each.effect.high < 0:
        return f"use {each.arm}, which changes the test error by {size}"
    if each.effect.low is not None and each.effect.low > 0:
        return f"be careful: {first}, yet it changes the test error by {size}"
    return f"try {each.arm}, the first on the validation part; that it helps is not shown: {size}"


def _simple_wins(each: Advice, task: TaskFacts) -> bool:
    return task.simple_error is not None and each.error is not None and task.simple_error < each.error


def _of_task(each: Advice, task: TaskFacts, luck: float) -> str:
    """Return the advice on one task in a few sentences, `luck` being the standard deviation that two searches give."""
    parts = [f"**{task.title}**: {_choice(each)}."]
    if _simple_wins(each, task):
        parts.append(
            f"But {task.simple}, which needs no network, has a lower test error "
            f"({task.simple_error:.3g} against {each.error:.3g}): use that."
        )
    if each.same:
        more = len(each.same) - _NAMED
        words = ["no regularizer" if name == BASELINE else name for name in each.same[:_NAMED]]
        names = listed([*words, *([f"{more} more"] if more > 0 else [])])
        parts.append(f"Shown to be as good within 5 %, the cheapest first: {names}.")
    clear = each.effect is not None and each.effect.high is not None and each.effect.high < 0
    if not clear and each.units_needed is not None and each.units_needed > task.units:
        parts.append(
            f"These {task.units} units leave it open; about {each.units_needed:.0f} would show that nothing is "
            "gained or lost beyond 5 %, if so it is."
        )
    if not clear and each.units_needed is None and each.effect is not None and luck:
        parts.append(
            "No number of units would show that nothing is gained or lost beyond 5 %: searches alone set two arms apart "
            f"by a standard deviation of {percent(luck).removeprefix('+')} here."
        )
    return " ".join(parts)


def _choice(each: Advice) -> str:
    rate = each.recipe.get("learning_rate")
    if each.effect is None:
        return (
            f"use no regularizer, at learning rate {rate:g}; on the validation part none of {each.compared} "
            "techniques beats the baseline, each at its best"
        )
    settings = ", ".join(
        f"{key.replace('_', ' ')} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for values in each.recipe.get("techniques", {}).values()
        if isinstance(values, dict)
        for key, value in values.items()
    )
    how = f"{settings}; learning rate {rate:g}" if settings else f"learning rate {rate:g}"
    return (
        f"use {each.arm} ({how}), the first of {each.compared} techniques on the validation part; it changes the "
        f"test error against the unregularized network by {_size(each.effect)}"
    )


def _size(effect: TaskEffect) -> str:
    """Return an effect with its interval, or why there is none."""
    if effect.low is None or effect.high is None:
        return f"{percent(effect.estimate)} (too few units for an interval)"
    return f"{percent(effect.estimate)} ({between(effect.low, effect.high)})"
