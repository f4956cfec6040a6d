"""``findings.json``: everything that was found, as one checked document.

Its fields are described here, and by `Findings.model_json_schema()`, which is written beside it as
``findings.schema.json``. A change of meaning, or a field that goes, raises `VERSION`. Numbers have six
significant digits; None stands where there is none, such as an interval from too few units.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lstmstudy.verdicts.views import claim_html, claim_text, findings_html, findings_text

VERSION = 2
# Beside the verdicts of the rule, in lstmstudy/stats/rule.py:
DESCRIBED, ELSEWHERE = "described, not judged", "judged in"
NOWHERE, MISSING = "judged in no profile", "runs are missing"

_Number = float | None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TaskEffect(_Part):
    """One contrast on one task."""

    task: str = Field(description="name of the task, or 'all tasks' where units span them")
    n: int = Field(description="units")
    estimate: float = Field(description="mean over units, on the scale of the contrast")
    low: _Number = Field(
        description="lower end of the 95 % interval over folds, seeds and the luck of the search; not adjusted"
    )
    high: _Number = Field(description="upper end")
    p: float = Field(description="two-sided, as of the contrast, not adjusted")
    improvement: float = Field(description="share of units below 0, ties counted half")
    failed: int = Field(description="units in which a run diverged")


class ContrastFound(_Part):
    """One contrast over all its tasks."""

    arm: str = Field(description="the arm in words, with its reading")
    control: str = Field(description="the control likewise")
    quantity: str = Field(description="what is compared")
    unit: str = Field(description="the quantity in words")
    scale: Literal["log ratio", "difference"] = Field(description="ln(arm / control), or arm minus control")
    expect: Literal["lower", "higher"] = Field(description="where the arm lies if the claim is right")
    shown: str = Field(
        description="lower, higher, no practical difference, depends on the task, or inconclusive"
    )
    estimate: float = Field(description="mean over tasks of the mean over units")
    luck: _Number = Field(
        description="standard deviation that the luck of two searches gives it; None where there is none, or none known"
    )
    low: _Number = Field(
        description="lower end of its 95 % interval over folds, seeds and the luck of the search; not adjusted"
    )
    high: _Number = Field(description="upper end")
    p: float = Field(
        description="two-sided: of the sign-flip test over units, or of the t-test with luck where that is larger; not adjusted"
    )
    p_equivalence: float = Field(description="larger p of two one-sided tests against the margin")
    smallest_margin: _Number = Field(description="the least margin within which no difference is shown")
    units_needed: _Number = Field(
        description="units of each task that would show the margin, if nothing differs"
    )
    improvement: float = Field(description="share of units below 0, ties counted half, tasks equally")
    improvement_low: _Number = Field(description="lower end of its interval")
    improvement_high: _Number = Field(description="upper end")
    iqm: float = Field(description="mean of the middle half of all numbers")
    p_corrected: _Number = Field(description="t-test with the variance of Nadeau and Bengio")
    tasks: tuple[TaskEffect, ...] = Field(description="each task by itself")


class Variation(_Part):
    """What the verdict would be if one choice were another."""

    change: str = Field(description="what is changed")
    verdict: str = Field(description="the verdict then")


class Secondary(_Part):
    """One contrast in the secondary metric, over the tasks that have it."""

    metric: str = Field(description="mae or error_rate")
    scale: Literal["log ratio", "difference"] = Field(description="as in a contrast")
    estimate: float = Field(description="mean over tasks")
    low: _Number = Field(description="lower end of its 95 % interval")
    high: _Number = Field(description="upper end")


class ClaimFound(_Part):
    """A claim and its verdict."""

    id: str = Field(description="as in params/claims.yaml")
    words: str = Field(description="the claim in our words")
    chapter: str = Field(description="the notebook that shows it")
    verdict: str = Field(
        description="supported, contradicted, no practical difference, depends on the task, or why none"
    )
    judged: bool = Field(description="whether it is one of the family of this profile")
    reason: str = Field(description="where it is not judged, why")
    equal: str = Field(description="what arm and control of a unit have in common beside task, fold and seed")
    margin: float = Field(description="of no practical difference, as a share or a difference")
    units: int = Field(description="the fewest units of each task with which it is judged")
    p: _Number = Field(description="the largest p of its contrasts")
    p_adjusted: _Number = Field(description="the same after Holm, over the claims that are judged")
    contrasts: tuple[ContrastFound, ...] = Field(description="all of them must hold")
    secondary: tuple[Secondary, ...] = Field(description="the first contrast in the secondary metrics")
    robustness: tuple[Variation, ...] = Field(description="the verdict if one choice were another")
    marks: tuple[str, ...] = Field(
        description="metric-dependent, reading-dependent, blind to the luck of the search"
    )

    def __repr__(self) -> str:
        return claim_text(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the verdict and every contrast."""
        return claim_html(self)


class TechniqueFound(_Part):
    """A technique that is compared on every task, at the strengths and learning rates that validation chose."""

    arm: str = Field(description="the technique and its variant in words")
    technique: str = Field(description="its name, as in params/techniques/")
    chapter: str = Field(description="the notebook that shows it")
    effect: ContrastFound = Field(description="its test error against its control; p is not adjusted")


class Advice(_Part):
    """What to use on one task: what validation chooses among the baseline and all techniques, and how it did."""

    task: str = Field(description="name of the task")
    arm: str = Field(description="the technique in words, or baseline")
    chapter: str = Field(description="the notebook that shows it; empty for the baseline")
    recipe: dict[str, Any] = Field(description="how it is built and trained, as in runs.csv")
    effect: TaskEffect | None = Field(
        description="its test error against the baseline; None for the baseline"
    )
    error: _Number = Field(description="its test error, mean over units")
    same: tuple[str, ...] = Field(
        description="arms whose test error is shown to lie within 5 % of it, cheapest first"
    )
    compared: int = Field(description="techniques among which validation chose")
    units_needed: _Number = Field(
        description="units that would show a difference from the baseline of 5 % as none, if nothing differs"
    )


class RateFound(_Part):
    """A share of replays, with a 95 % interval over resamples of the runs."""

    share: float
    low: float
    high: float


class PowerFound(_Part):
    """How often a planted effect is found."""

    planted: float = Field(description="error of the control over that of the arm")
    units: int = Field(description="of each task")
    alone: RateFound = Field(description="by a claim by itself")
    family: RateFound = Field(description="by the first of a family, whose p is adjusted for all")


class LuckFound(_Part):
    """How far the search alone sets two arms apart on a task, from arms that do nothing."""

    task: str
    sd: float = Field(description="standard deviation that two searches give the log ratio of test errors")
    arms: int = Field(description="that do nothing, the baseline among them")


class Calibration(_Part):
    """How honest the rule is."""

    claims: int = Field(description="size of the family")
    luck: tuple[LuckFound, ...] = Field(
        description="of the search, in the test error, by task; none where too few sham techniques tell it"
    )
    sign_flips: RateFound | None = Field(description="family-wise rate of false verdicts under random signs")
    sham_alone: RateFound | None = Field(
        description="rate of false verdicts of a claim about a sham technique"
    )
    sham_family: RateFound | None = Field(
        description="family-wise rate over as many claims about sham techniques"
    )
    sham_arms: int = Field(description="searched and trained arms that do nothing, the baseline among them")
    shams: tuple[ContrastFound, ...] = Field(description="each sham technique against the baseline")
    power: tuple[PowerFound, ...] = Field(description="for planted effects, over the number of units")


class ArmCost(_Part):
    """What an arm costs, apart from seconds, which stand in cost.json."""

    arm: str
    parameters: _Number = Field(
        description="weights of all its models over those of the baseline, mean over tasks"
    )
    updates_to_best: _Number = Field(
        description="updates to the epoch that is read over the baseline's, mean of tasks"
    )
    failed: int = Field(description="runs that diverged")
    runs: int = Field(description="runs that count")


class TaskFacts(_Part):
    """What a task is."""

    name: str
    title: str
    kind: str
    metric: str
    units: int = Field(description="units of each comparison that the profile asks for")
    folds: int = Field(description="folds that these units use; 1 is conditional on one test period")
    training: int = Field(description="training targets, mean over folds")
    test: int = Field(description="test targets, mean over folds")
    baseline: _Number = Field(description="test error of the tuned baseline, mean over its units")
    simple: str = Field(description="the best simple method; it has no network")
    simple_error: _Number = Field(description="its test error, mean over the same units")


class RunCount(_Part):
    """How many runs there are."""

    planned: int = Field(description="distinct runs that the profile asks for")
    stored: int = Field(description="those that have an outcome")
    diverged: int = Field(description="those that ended early, as their loss or weights were not finite")


class Findings(_Part):
    """Everything that was found by one study."""

    version: int = Field(default=VERSION, description="of this document")
    profile: str
    trials: int = Field(description="draws of random search from which each arm was chosen, on each task")
    tuned: dict[str, str] = Field(
        description="by task, where its winners come from if it was not tuned at this size"
    )
    tasks: tuple[TaskFacts, ...]
    claims: tuple[ClaimFound, ...]
    techniques: tuple[TechniqueFound, ...] = Field(
        description="in the order of the profile; of the ways to stop, the one that validation chooses"
    )
    advice: tuple[Advice, ...] = Field(description="what to use, task by task")
    runs: RunCount
    calibration: Calibration
    arms: tuple[ArmCost, ...]
    problems: tuple[str, ...] = Field(description="contrasts that could not be measured, and why")

    def __repr__(self) -> str:
        return findings_text(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the claims with their verdicts."""
        return findings_html(self)
