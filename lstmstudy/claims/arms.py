"""The arms that each claim needs, and the profile that trains them."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from lstmstudy.arms import BASELINE
from lstmstudy.claims.table import BEST_SINGLE, EQUAL_COMPUTE, NO_ARMS, SAME_RATE, load_claims
from lstmstudy.params.grids import load_technique, search_title
from lstmstudy.params.search import FIRST_SEED, entry_key
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.arms import Arm
    from lstmstudy.claims.table import Claim, Contrast
    from lstmstudy.params.profile import Profile
    from lstmstudy.profile_arms import ProfileArms

_IN_DESIGN = ": "  # between the name of a design and that of its arm


def trained_units(profile: Profile, claims: dict[str, Claim], name: str, folder: Path) -> int:
    """Return with how many units of each task a profile trains all arms of a claim; 0 if it lacks one."""
    claim = claims[name]
    if claim.described or name in (profile.unjudged or ()):
        return 0
    arms = (arm for contrast in claim.contrasts for arm in contrast.names)
    return min(_units(profile, arm, folder) for arm in arms)


def _units(profile: Profile, arm: str, folder: Path) -> int:
    """Return with how many units of each task a profile trains an arm; 0 if it does not."""
    if arm == BASELINE:
        return profile.units
    if _IN_DESIGN in arm:
        design, _, name = arm.partition(_IN_DESIGN)
        name, _, size = name.partition(", batch ")
        scope = profile.designs.get(design)
        left_out = scope is None or (
            (scope.arms is not None and name not in scope.arms and name != "none")
            or (bool(size) and scope.batch_size is not None and int(size) not in scope.batch_size)
        )
        return 0 if scope is None or left_out else scope.units
    technique = arm.partition(" ")[0]
    if technique not in profile.techniques:
        return 0
    keys = searched(arm, folder)
    compared = not keys or all(profile.compares(technique, key) for key in keys)
    return profile.units if compared else 0


def searched(arm: str, folder: Path) -> list[str]:
    """Return the keys of the searches that an arm's name stands for; none for an ensemble of baselines."""
    technique = arm.partition(" ")[0]
    keys = [entry_key(technique, entry) for entry in load_technique(technique, folder).tuned]
    return [key for key in keys if key == arm or key.startswith(f"{arm} ")]


def in_words(arm: str, folder: Path) -> str:
    """Return the name of an arm as readers know it, such as "dropout per step" for ``dropout per=step``."""
    if arm == SAME_RATE:
        return "baseline at its learning rate"
    name = arm.partition(" ")[0]
    if name not in TECHNIQUES or _IN_DESIGN in arm:
        return arm
    keys = searched(arm, folder)
    for entry in load_technique(name, folder).tuned:
        if entry_key(name, entry) in keys[:1]:
            return search_title(name, entry)
    return TECHNIQUES[name].title


class ClaimArms:
    """The arms of a profile by the names that claims use.

    Args:
        arms: Gives tuned arms, ensembles and designs.
    """

    def __init__(self, arms: ProfileArms) -> None:
        self.arms = arms
        self._known: dict[str, Arm] = {}

    def named(self, name: str, reading: str | None = None) -> Arm:
        """Return an arm, read in another way if `reading` is given and is one that needs no outcome."""
        if name not in self._known:
            self._known[name] = self._named(name)
        arm = self._known[name]
        if reading in (None, "fixed", arm.reading):
            return arm
        return replace(arm, name=f"{arm.name}, {reading}", reading=str(reading))

    def _named(self, name: str) -> Arm:
        if name == BASELINE:
            return self.arms.tuned_baseline
        if name == BEST_SINGLE:
            return self._best_single
        if _IN_DESIGN in name:
            design, _, arm = name.partition(_IN_DESIGN)
            return next(each for each in self.arms.design(design) if each.name == arm)
        technique = name.partition(" ")[0]
        keys = searched(name, self.arms.folder)
        return self.arms.tuned_arms(technique)[keys[0]] if keys else self.arms.ensemble(technique)

    @functools.cached_property
    def _best_single(self) -> Arm:
        """The best tuned technique of each task, by the validation of its search."""
        arms = self.arms.single_techniques
        chosen = {}
        for task in self.arms.profile.tasks:
            fitting = {key: arm for key, arm in arms.items() if task in dict(arm.recipes)}
            best = min(fitting, key=lambda key: self.arms.gain_in_search(key, task))
            chosen[task] = dict(fitting[best].recipes)[task]
        baseline = self.arms.tuned_baseline
        return replace(
            baseline, name=f"{BEST_SINGLE}, tuned", recipes=tuple(chosen.items()), control=baseline
        )

    @property
    def searched_baseline(self) -> Arm:
        """The tuned baseline on the seeds of the search, none of which is judged."""
        baseline = self.arms.tuned_baseline
        units = self.arms.profile.tuning.units
        return replace(
            baseline, name=f"{baseline.name}, seeds of the search", units=units, first_seed=FIRST_SEED
        )

    def twin(self, arm: Arm) -> Arm:
        """Return an arm once more, on random streams of its own."""
        recipes = tuple((task, replace(recipe, member=1)) for task, recipe in arm.recipes)
        return replace(arm, name=f"{arm.name}, twin", recipe=replace(arm.recipe, member=1), recipes=recipes)

    def equal_compute(self, arm: Arm) -> Arm:
        """Return one tuned baseline that is trained for as many updates as all models of an arm."""
        baseline = self.arms.tuned_baseline
        recipes = []
        for task, recipe in baseline.recipes:
            epochs = sum(each.stages.length for each in arm.on(task))
            recipes.append((task, replace(recipe, epochs=epochs)))
        factor = recipes[0][1].epochs // baseline.recipe.epochs
        return replace(baseline, name=f"baseline, {factor} times the updates, tuned", recipes=tuple(recipes))

    def same_rate(self, arm: Arm) -> Arm:
        """Return the baseline at the learning rate that the search chose for an arm: nothing but its technique differs."""
        recipes = tuple((task, replace(recipe, techniques=())) for task, recipe in arm.recipes)
        return replace(self.arms.tuned_baseline, name=f"baseline, rate of {arm.name}", recipes=recipes)

    def control(self, contrast: Contrast) -> Arm:
        """Return the arm that a contrast's quantity is compared with; the arm itself where that is no arm."""
        arm = self.named(contrast.arm, contrast.reading)
        if contrast.control == EQUAL_COMPUTE:
            return self.equal_compute(arm)
        if contrast.control == SAME_RATE:
            return self.same_rate(arm)
        if contrast.control in NO_ARMS and contrast.control != BEST_SINGLE:
            return arm
        return self.named(contrast.control, contrast.control_reading)

    def of(self, contrast: Contrast) -> list[Arm]:
        """Return every arm that a contrast needs."""
        arms = [self.named(contrast.arm, contrast.reading), self.control(contrast)]
        if contrast.quantity == "spread":
            arms += [self.twin(arm) for arm in arms]
        if contrast.quantity == "updates to level" or "fixed" in (contrast.reading, contrast.control_reading):
            arms.append(self.searched_baseline)
        if contrast.beyond is not None:
            arms += [self.named(contrast.beyond.arm), self.named(contrast.beyond.control)]
        return arms


def claim_arms(made: ProfileArms) -> list[Arm]:
    """Return the arms that the claims of a profile need, each once."""
    claims, arms = load_claims(made.folder), ClaimArms(made)
    needed = (
        arm
        for name, claim in claims.items()
        if trained_units(made.profile, claims, name, made.folder)
        for contrast in claim.contrasts
        for arm in arms.of(contrast)
    )
    return list(dict.fromkeys(needed))
