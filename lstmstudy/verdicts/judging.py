"""From the table of units to a verdict on every claim; nothing else is read."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.claims.arms import in_words, trained_units
from lstmstudy.claims.table import load_claims
from lstmstudy.params.profile import load_profile, profile_names
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.stats.calibration import Question
from lstmstudy.verdicts.contrasts import (
    adjusted,
    bound_of,
    by_contrast,
    contrast_found,
    verdict_of,
)
from lstmstudy.verdicts.document import DESCRIBED, ELSEWHERE, MISSING, NOWHERE, ClaimFound
from lstmstudy.verdicts.measures import DECLARED
from lstmstudy.verdicts.robustness import marks, secondary_effects, variations
from lstmstudy.verdicts.rows import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lstmstudy.claims.table import Claim
    from lstmstudy.params.profile import Profile
    from lstmstudy.verdicts.contrasts import Judged, Judgement
    from lstmstudy.verdicts.rows import Row


def ordered(rows: Sequence[Row], profile: Profile) -> list[Row]:
    """Return rows in the order in which a study makes them, so that their order in a table does not count."""
    places = {task: place for place, task in enumerate(profile.tasks)}
    return sorted(
        rows,
        key=lambda row: (
            row.claim,
            row.contrast,
            row.view,
            places.get(row.task, len(places)),
            row.task,
            row.seed,
            row.fold,
        ),
    )


def claims_found(
    profile: Profile, folder: Path, rows: Sequence[Row], judgement: Judgement
) -> list[ClaimFound]:
    """Return every claim with its verdict, or with the profile that judges it.

    The family, within which Holm adjusts, is made of the claims that are judged: those of which this
    profile trains all arms, with as many units of each task as the claim asks for.

    Args:
        profile: What was trained.
        folder: Where the parameters lie.
        rows: The table of units.
        judgement: Tests contrasts.
    """
    claims, rows = load_claims(folder), ordered(rows, profile)
    by_claim = {name: by_contrast(rows, name, DECLARED) for name in claims}
    tests = {name: judgement.contrasts(claim, by_claim[name]) for name, claim in claims.items()}
    where = judging_profiles(claims, profile, folder)
    # A claim whose runs are missing stays in the family: what was not seen is no reason to adjust less.
    family = [name for name, (judges, _) in where.items() if judges == profile.name]
    complete = {name: enough(claims[name], tests[name]) for name in claims}
    ps = {name: max(each.whole.p for each in tests[name]) if complete[name] else 1.0 for name in family}
    words = functools.cache(functools.partial(in_words, folder=folder))
    found = []
    for name, claim in claims.items():
        judged = name in family and complete[name]
        own = [adjusted(ps, name, each.whole.p) if judged else 1.0 for each in tests[name]]
        verdict, reason = (
            (verdict_of(tests[name], own), "")
            if judged
            else _unjudged(name, claims, tests[name], profile, where)
        )
        changes = variations(judgement, name, tests[name], rows, ps, claim=claim) if judged else []
        secondary = secondary_effects(rows, name)
        found.append(
            ClaimFound(
                id=name,
                words=claim.words,
                chapter=claim.chapter,
                verdict=verdict,
                judged=judged,
                reason=reason,
                equal=claim.equal,
                margin=claim.margin,
                units=claim.units,
                p=rounded(ps[name]) if judged else None,
                p_adjusted=rounded(max(own)) if judged else None,
                contrasts=tuple(
                    contrast_found(each, p, words) for each, p in zip(tests[name], own, strict=True)
                ),
                secondary=tuple(secondary),
                robustness=tuple(changes),
                marks=tuple(marks(verdict, tests[name], secondary, changes, judgement.luck))
                if judged
                else (),
            )
        )
    return found


def enough(claim: Claim, tests: Sequence[Judged]) -> bool:
    """Whether every contrast of a claim has as many units of each task as the claim asks for."""
    return bool(tests) and all(each.sample.fewest >= claim.units for each in tests)


def _unjudged(
    name: str,
    claims: dict[str, Claim],
    tests: Sequence[Judged],
    profile: Profile,
    where: Mapping[str, tuple[str, int]],
) -> tuple[str, str]:
    """Return what stands in place of a verdict, and why."""
    claim = claims[name]
    if claim.described:
        return DESCRIBED, claim.described
    judges, units = where[name]
    if profile.name == judges:
        fewest = min((each.sample.fewest for each in tests), default=0)
        return MISSING, f"{fewest} of the {claim.units} units of each task that a verdict needs are there."
    there = f"{ELSEWHERE} {judges}" if judges else NOWHERE
    if not units:
        return there, f"This profile does not train its arms; {judges or 'no profile'} does."
    return there, f"A verdict needs {claim.units} units of each task; this profile has {units}."


def judging_profiles(claims: dict[str, Claim], profile: Profile, folder: Path) -> dict[str, tuple[str, int]]:
    """Return by claim the profile that judges it, "" if none, and the units with which `profile` trains it.

    It is `profile` itself, or that with the fewest units; one whose file is wrong judges nothing.
    """
    others = []
    for name in profile_names(folder):
        with contextlib.suppress(ParamsError):
            others.append(load_profile(name, folder))
    ranked = [profile, *sorted(others, key=lambda each: each.units)]
    found = {}
    for name, claim in claims.items():
        units = [trained_units(each, claims, name, folder) for each in ranked]
        judges = (each.name for each, n in zip(ranked, units, strict=True) if n >= claim.units)
        found[name] = next(judges, ""), units[0]
    return found


def questions(
    folder: Path, rows: Sequence[Row], family: Sequence[str], judgement: Judgement
) -> list[Question]:
    """Return the claims of the family as the rule sees them, for replays."""
    claims = load_claims(folder)
    found = []
    for name in family:
        tests = judgement.contrasts(claims[name], by_contrast(rows, name, DECLARED))
        found.append(
            Question(
                tuple(each.sample for each in tests),
                tuple(
                    tuple(
                        np.array([row.seed for row in each.rows if row.task == task])
                        for task in each.sample.tasks
                    )
                    for each in tests
                ),
                tuple(each.contrast.expect for each in tests),
                tuple(bound_of(claims[name].margin, each.rows[0].scale) for each in tests),
                tuple(each.luck for each in tests),
            )
        )
    return found
