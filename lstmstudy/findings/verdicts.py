"""The verdicts on the guide's claims, what they hang on, and how honest the rule is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.figures import panels, style, table
from lstmstudy.figures.calibration import Share, plot_expected_best, plot_power, plot_rates
from lstmstudy.figures.tables import Cell
from lstmstudy.findings.finding import Finding, counted, listed
from lstmstudy.stats.expected_best import expected_best
from lstmstudy.stats.rule import BY_TASK, NO_DIFFERENCE, OPEN, VERDICTS
from lstmstudy.verdicts.frames import contrast_frame, effect_cell, p_cell
from lstmstudy.verdicts.words import amount, contrast_name, effect

if TYPE_CHECKING:
    from lstmstudy.plan import Plan
    from lstmstudy.verdicts.document import ClaimFound, Findings, RateFound

_METRICS = {"mae": "absolute error", "error_rate": "error rate"}
_FEW = 4  # arms that get a line of their own where search is drawn


def verdict_table(findings: Findings) -> str:
    """Show every claim with its verdict, size, surety and chapter; return how many have which verdict."""
    import pandas as pd

    titles, rows = _titles(findings), []
    for claim in findings.claims:
        first = claim.contrasts[0] if claim.contrasts else None
        more = f" and {len(claim.contrasts) - 1} more" if len(claim.contrasts) > 1 else ""
        compared = f"{contrast_name(first)}{more}" if claim.judged and first else claim.reason
        rows.append(
            {
                "claim": Cell(claim.words, notebook=f"{claim.chapter}.ipynb#The-verdict"),
                "verdict": Cell(claim.verdict, kind=claim.verdict if claim.judged else "not judged"),
                "effect [95 % interval]": effect_cell(first, first.scale) if first else "",
                "p, Holm": "" if claim.p_adjusted is None else p_cell(claim.p_adjusted),
                "compared": "; ".join([compared, *_arrows(claim, titles), *claim.marks]),
                "chapter": claim.chapter.partition("_")[0],
            }
        )
    table(
        pd.DataFrame(rows),
        caption="The guide's claims, each with a link to its chapter. Effects: mean over tasks of the first contrast",
        filters=("verdict", "chapter"),
        ids=[f"claim.{claim.id}" for claim in findings.claims],
    )
    judged = [claim for claim in findings.claims if claim.judged]
    if not judged:
        return (
            f"None of the {len(findings.claims)} claims is judged here, as this profile has too few units: "
            "what it shows is that everything runs, and is no evidence."
        )
    words = [f"{sum(claim.verdict == verdict for claim in judged)} {verdict}" for verdict in VERDICTS]
    others = len(findings.claims) - len(judged)
    rest = f" {others} {'is' if others == 1 else 'are'} not judged here." if others else ""
    return f"Of {len(judged)} claims that this profile judges: {', '.join(words)}.{rest}"


def _titles(findings: Findings) -> dict[str, str]:
    """Return the tasks' names as readers know them."""
    return {task.name: task.title for task in findings.tasks}


def _by_task(claim: ClaimFound, titles: dict[str, str]) -> list[str]:
    """Return on which tasks the first contrast that depends on the task is lower, and on which higher."""
    sides = _sides(claim, titles)
    return [", ".join(f"{side} on {listed(tasks)}" for side, tasks in sides.items())] if sides else []


def _arrows(claim: ClaimFound, titles: dict[str, str]) -> list[str]:
    """Return the same for a narrow column."""
    arrows = {"lower": "\N{DOWNWARDS ARROW}", "higher": "\N{UPWARDS ARROW}"}
    return [f"{arrows[side]} {', '.join(tasks)}" for side, tasks in _sides(claim, titles).items()]


def _sides(claim: ClaimFound, titles: dict[str, str]) -> dict[str, list[str]]:
    turning = [contrast for contrast in claim.contrasts if contrast.shown == BY_TASK]
    if claim.verdict != BY_TASK or not turning:
        return {}
    sides = {
        "lower": [titles.get(each.task, each.task) for each in turning[0].tasks if (each.high or 0) < 0],
        "higher": [titles.get(each.task, each.task) for each in turning[0].tasks if (each.low or 0) > 0],
    }
    return {side: tasks for side, tasks in sides.items() if tasks}


def chapter_verdicts(findings: Findings, chapter: str) -> list[str]:
    """Show every contrast of a chapter's claims, over all tasks and on each; return a sentence for each verdict.

    Args:
        findings: Those of the study.
        chapter: Name of the chapter without its number, such as "dropout".
    """
    claims = [claim for claim in findings.claims if claim.chapter.partition("_")[2] == chapter]
    if not claims:
        return ["The guide makes no claim that belongs here."]
    titles = _titles(findings)
    frame = contrast_frame(claims, titles)
    if len(frame):
        caption = "Every contrast, with 95 % intervals; p not adjusted for the number of claims"
        table(frame, caption=caption)
    return [_sentence(claim, titles) for claim in claims]


def _sentence(claim: ClaimFound, titles: dict[str, str]) -> str:
    """Return a claim with its verdict, and what it rests on."""
    words = f"{claim.words.rstrip('.')} (`{claim.id}`): **{claim.verdict}**"
    if not claim.judged:
        return f"{words}. {claim.reason}".rstrip()
    first = claim.contrasts[0]
    parts = [f"{contrast_name(first)} {effect(first, first.scale)}", *_by_task(claim, titles)]
    if claim.verdict == OPEN and first.smallest_margin is not None:
        parts.append(f"these data exclude a difference beyond {amount(first.smallest_margin, first.scale)}")
        if first.units_needed is not None:
            parts.append(
                f"{first.units_needed:.0f} units of each task would show that there is none beyond "
                f"{100 * claim.margin:.0f} {'%' if first.scale == 'log ratio' else 'points'}, if so it is"
            )
        elif first.luck:
            parts.append(
                "no number of units would show that there is none beyond "
                f"{100 * claim.margin:.0f} {'%' if first.scale == 'log ratio' else 'points'}, as searches alone set such "
                f"means apart by a standard deviation of {_sd(first.luck, first.scale)}"
            )
    parts += [f"it is {mark}" for mark in claim.marks]
    return f"{words} ({'; '.join(parts)})."


def robustness_table(findings: Findings) -> str:
    """Show each judged claim's verdict beside that after one other choice; return how many stand whatever is chosen."""
    import pandas as pd

    judged = [claim for claim in findings.claims if claim.judged]
    if not judged:
        return "No claim is judged here, so no verdict can change."
    titles, rows, firm = _titles(findings), [], 0
    for claim in judged:
        changed = [each for each in claim.robustness if each.verdict != claim.verdict]
        firm += not changed and "metric-dependent" not in claim.marks
        secondary = [f"{_METRICS[each.metric]} {effect(each, each.scale)}" for each in claim.secondary]
        others = counted(len(claim.robustness), "other choice")
        corrected = [each.p_corrected for each in claim.contrasts if each.p_corrected is not None]
        rows.append(
            {
                "claim": claim.id,
                "verdict": claim.verdict,
                "otherwise": "; ".join(f"{_titled(each.change, titles)}: {each.verdict}" for each in changed)
                or f"the same ({others})",
                "secondary metric": ", ".join(secondary),
                "p, overlap corrected": p_cell(max(corrected)) if corrected else "",
                "middle half": Cell(
                    amount(claim.contrasts[0].iqm, claim.contrasts[0].scale), claim.contrasts[0].iqm
                ),
            }
        )
    table(pd.DataFrame(rows), caption="Does the verdict hang on a choice of ours?")
    return (
        f"{firm} of {len(judged)} verdicts stay as they are whichever of these choices is changed, and in the "
        "secondary metric."
    )


def _titled(change: str, titles: dict[str, str]) -> str:
    """Return a changed choice with the task's name as readers know it."""
    word, _, name = change.partition(" ")
    return f"{word} {titles.get(name, name)}"


def calibration(findings: Findings) -> Finding | str:
    """Return how often the rule gives a false verdict, and how often it finds a planted effect."""
    found = findings.calibration
    if not found.claims or found.sign_flips is None:
        return "No claim is judged here, so there is no rule to measure."
    rates = {"random signs,\nall claims together": found.sign_flips}
    if found.sham_alone is not None and found.sham_family is not None:
        rates |= {
            "sham technique,\none claim": found.sham_alone,
            f"sham techniques,\n{found.claims} claims together": found.sham_family,
        }
    shares = {name: _share(rate) for name, rate in rates.items()}
    titles = ["Where there is nothing to find", *(["Where there is something"] if found.power else [])]
    with style():
        figure, axes = panels(titles, height=3.4)
        plot_rates(shares, ax=axes[0])
        if found.power:
            units = list(dict.fromkeys(each.units for each in found.power))
            curves = {}
            for planted in dict.fromkeys(each.planted for each in found.power):
                own = [each for each in found.power if each.planted == planted]
                size = f"{100 * (planted - 1):.0f} %"
                curves[f"{size}, one claim"] = [_share(each.alone) for each in own]
                curves[f"{size}, the first of {found.claims}"] = [_share(each.family) for each in own]
            asked = max((task.units for task in findings.tasks), default=units[-1])
            plot_power(units, curves, asked=asked, ax=axes[1])
    words = [f"{name.replace(chr(10), ' ')} {_percents(rate)}" for name, rate in rates.items()]
    powers = [
        f"{100 * (each.planted - 1):.0f} % with {each.units} units {100 * each.alone.share:.0f} % "
        f"({100 * each.family.share:.0f} % as the first of {found.claims} claims)"
        for each in found.power
        if each.units in (12, 24)
    ]
    shams = [each for each in found.shams if each.shown not in (OPEN, NO_DIFFERENCE)]
    sentence = f"False verdicts: {listed(words)}; the rule promises at most 5 %."
    if found.shams:
        sentence += (
            f" Of {counted(len(found.shams), 'sham technique')} against the baseline, each by itself, "
            f"{len(shams)} would have had a verdict."
        )
    sentence += f" {_luck(findings)}"
    if powers:
        sentence += f" Planted effects that are found: {listed(powers)}."
    alt = f"Left, rates of false verdicts: {listed(words)}. Right, power over units: {listed(powers) or 'none'}."
    title = f"Random signs give {100 * found.sign_flips.share:.1f} % false verdicts"
    if found.sham_alone is not None:
        title += f", techniques that do nothing {100 * found.sham_alone.share:.0f} % (a claim by itself)"
    return Finding(figure, alt, f"{title}; 5 % are promised", sentence)


def _luck(findings: Findings) -> str:
    """Return how far searches alone set arms apart, or that nobody knows."""
    found, titles = findings.calibration.luck, _titles(findings)
    if not found:
        return (
            "What a search chose by luck, such as the learning rate, is common to all units of an arm; too few sham "
            "techniques are here to measure it, and no interval covers it."
        )
    sizes = listed([f"{_sd(each.sd, 'log ratio')} on {titles.get(each.task, each.task)}" for each in found])
    return (
        "What a search chose by luck, such as the learning rate, is common to all units of an arm. Between "
        f"{found[0].arms} arms that do nothing it makes errors differ by a standard deviation of {sizes}. Tests and "
        "intervals of arms that were searched apart have it in them; sham techniques are judged by what the others show."
    )


def _sd(value: float, scale: str) -> str:
    """Return a standard deviation, which has no sign."""
    return amount(value, scale).removeprefix("+")


def _share(rate: RateFound) -> Share:
    return Share(rate.share, rate.low, rate.high)


def _percents(rate: RateFound) -> str:
    return f"{100 * rate.share:.1f} % (95 % interval {100 * rate.low:.1f} to {100 * rate.high:.1f} %)"


def search_curves(plan: Plan) -> Finding | str:
    """Return the validation error to expect of the best of so many trials, a panel per task that was tuned.

    Drawn are the baseline, and those arms that end best. The sentence says what the last trial still gained.
    """
    found = plan.trials
    if not found:
        return "No task of this profile was tuned at its size; what was found elsewhere stands in."
    names = {key: arm.name.removesuffix(", tuned") for key, arm in plan.single_techniques.items()}
    titles = [plan.tasks[task].info.title for task in found]
    gains, words = [], []
    with style():
        figure, axes = panels(titles, height=3.2)
        for (task, arms), ax in zip(found.items(), axes, strict=True):
            curves = {key: expected_best(errors) for key, errors in arms.items()}
            best = sorted(curves, key=lambda key: curves[key][-1])[:_FEW]
            shown = list(dict.fromkeys(["baseline", *best]))
            plot_expected_best(
                {names.get(key, key): curves[key] for key in shown},
                {names.get(key, key): key.partition(" ")[0] for key in shown},
                ax=ax,
            )
            gains += [
                1 - curve[-1] / curve[-2] for curve in curves.values() if len(curve) > 1 and curve[-1] < 1e9
            ]
            words.append(f"{plan.tasks[task].info.title} {listed([names.get(key, key) for key in best])}")
    trials = max(len(errors) for arms in found.values() for errors in arms.values())
    gain = 100 * sum(gains) / max(len(gains), 1)
    title = f"The last of {trials} trials still lowered the expected best validation error by {gain:.1f} % on average"
    sentence = (
        f"Every arm had as many trials on each task, each with {counted(plan.profile.tuning.units, 'seed')}. "
        f"Best on validation after all trials: {'; '.join(words)}."
    )
    alt = f"Expected best validation error over trials, falling and flattening; in the end best are {'; '.join(words)}."
    return Finding(figure, alt, title, sentence)
