"""The table of claims: complete, checked, and trained by the profile that judges it."""

from __future__ import annotations

import re
import shutil

import pytest
import yaml
from planning import plan_of

from lstmstudy import paths
from lstmstudy.claims.arms import ClaimArms, trained_units
from lstmstudy.claims.table import Claim, Contrast, Pair, load_claims
from lstmstudy.params.profile import load_profile
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.verdicts.judging import judging_profiles

CLAIMS = load_claims()
# The guide's claims as the study's design names them; those about "separately" and "each" are claims apiece.
GUIDE = [
    "overfit",
    "diagnosis",
    "variance",
    "robust",
    "dropout",
    "dropout-range",
    "recurrent",
    "variational-input",
    "variational-recurrent",
    "bn-hurts",
    "ln-helps",
    "ln-over-bn",
    "ln-small-batch",
    "ln-variable-length",
    "ln-convergence",
    "l1-sparse",
    "l2-small",
    "l1-helps",
    "l2-helps",
    "l2-over-l1",
    "l1l2",
    "early-stopping",
    "stopping-not-enough",
    "gradient-noise",
    "flat-minima",
    "jitter",
    "time-warp",
    "window-slicing",
    "permutation",
    "bagging",
    "boosting",
    "averaging",
    "ensemble-variance",
    "validation",
    "combined",
    "faq-best",
]
IN_FULL = {
    "bagging",
    "boosting",
    "averaging",
    "ensemble-variance",
    "ln-small-batch",
    "ln-variable-length",
    "validation",
}
ONE = """\
one:
  words: Something.
  chapter: 01_dropout
  contrasts:
    - {arm: dropout per=step, control: baseline, expect: lower}
"""


@pytest.fixture(scope="module")
def plan():
    """Return the plan of the default profile; no data are needed for it."""
    return plan_of(paths.PARAMS, "default")


def test_every_claim_of_the_guide_is_in_the_table():
    """None is missing, and none was added."""
    assert list(CLAIMS) == GUIDE


def test_every_claim_is_judged_by_a_shipped_profile_or_described():
    """Default judges all but those that the full profile judges; what is described says why."""
    profile = load_profile("default")
    judges = {name: where for name, (where, _) in judging_profiles(CLAIMS, profile, paths.PARAMS).items()}
    described = {name for name, claim in CLAIMS.items() if claim.described}
    assert described == {"dropout-range", "flat-minima"}
    assert {name for name, where in judges.items() if where == "full"} == IN_FULL
    assert {name for name, where in judges.items() if where == "default"} == set(GUIDE) - IN_FULL - described


def test_the_full_profile_judges_everything_that_can_be_judged():
    """It trains the arms of every contrast with as many units as the claim asks for."""
    profile = load_profile("full")
    for name, claim in CLAIMS.items():
        assert bool(claim.described) or trained_units(profile, CLAIMS, name, paths.PARAMS) >= claim.units, (
            name
        )


def test_the_smoke_profile_judges_nothing():
    """Two units are no evidence, whatever they show."""
    profile = load_profile("smoke")
    assert all(where != "smoke" for where, _ in judging_profiles(CLAIMS, profile, paths.PARAMS).values())


def test_chapters_of_claims_exist():
    """Each claim is shown by a notebook that says its id."""
    for name, claim in CLAIMS.items():
        assert (paths.NOTEBOOKS / f"{claim.chapter}.ipynb").exists(), name


def test_every_key_is_explained_at_the_head_of_the_file():
    """The comment in front of the claims names each key that a claim, a contrast or a pair can have."""
    head = (paths.PARAMS / "claims.yaml").read_text(encoding="utf-8").partition("\noverfit:")[0]
    words = set(re.findall(r"[a-z_]+", head))
    for model in (Claim, Contrast, Pair):
        assert set(model.model_fields) - {"control_reading", "control_scheme", "expect", "task"} <= words


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("expect: lower", "expect: better", "one.contrasts.expect|Received: expect[0]='better'"),
        ("expect: lower", "expect: lower, readin: last", "unknown key|reading|Received: readin='last'"),
        ("chapter: 01_dropout", "chapter: dropout", "one.chapter|01_dropout|Received: chapter='dropout'"),
        ("  words: Something.\n", "", "missing key `one.words`"),
        ("expect: lower", "expect: lower, quantity: size", "quantity|Received: quantity"),
        ("expect: lower", "expect: lower, quantity: gap", "control of `gap` is simple method"),
        ("expect: lower", "expect: lower, quantity: noisy error", "needs `noise`"),
        ("expect: lower", "expect: lower, reading: never", "reading|patience"),
        ("  contrasts:", "  described: It is not.\n  contrasts:", "or says in `described` why it has none"),
        ("  contrasts:", "  margin: 0.0\n  contrasts:", "one.margin|above 0|Received: margin=0.0"),
    ],
)
def test_a_wrong_claim_is_an_error_of_one_line(tmp_path, old, new, expected):
    """It names the file and the key, says what was expected, and ends with what came."""
    (tmp_path / "claims.yaml").write_text(ONE.replace(old, new), encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        load_claims(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "claims.yaml: " in message
    assert "Received: " in message
    for words in expected.split("|"):
        assert words in message


def test_a_profile_cannot_leave_out_a_claim_that_does_not_exist(tmp_path):
    """A mistyped id under `unjudged` is an error with the nearest one."""
    shutil.copytree(paths.PARAMS, tmp_path / "params")
    path = tmp_path / "params" / "mine.yaml"
    content = yaml.safe_load((paths.PARAMS / "default.yaml").read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**content, "unjudged": ["baging"]}), encoding="utf-8")
    with pytest.raises(
        ParamsError, match=r"unjudged: unknown claim `baging`.*Did you mean `bagging` or `averaging`\?"
    ):
        load_profile("mine", tmp_path / "params")


def test_a_folder_without_claims_has_none(tmp_path):
    """A study of one's own need not test anybody's claims."""
    assert load_claims(tmp_path) == {}


@pytest.mark.parametrize(
    "name", [name for name in GUIDE if name not in IN_FULL and not CLAIMS[name].described]
)
def test_a_contrast_holds_equal_what_it_says(name, plan):
    """Streams of weights and batches, batch size, updates, epochs, learning rate: those that the claim names are the same."""
    claim, arms = CLAIMS[name], ClaimArms(plan)
    for contrast in claim.contrasts:
        arm, control = arms.named(contrast.arm), arms.control(contrast)
        for task in plan.profile.tasks:
            if arm.unfit(plan.tasks[task].info):
                continue
            (one,), (other,) = arm.on(task), control.on(task)
            same = {
                "initial weights": one.role("init/kernel") == other.role("init/kernel"),
                "batch order": one.role("batches") == other.role("batches"),
                "updates": (one.epochs, one.batch_size) == (other.epochs, other.batch_size),
                "epochs": one.epochs == other.epochs,
                "learning rate": one.learning_rate == other.learning_rate,
                "the very same runs": one == other,
                "training part": True,
            }
            for words in re.split(r", | and |; ", claim.equal):
                assert same.get(words, True), (contrast, task, words)
            assert any(words in claim.equal for words in same)


def test_members_of_ensembles_serve_no_two_units():
    """Every member draws from streams of its own, and units have seeds of their own."""
    plan = plan_of(paths.PARAMS, "full")
    arm = ClaimArms(plan).named("averaging")
    roles = {recipe.role("batches") for recipe in arm.on("sunspots")}
    assert len(roles) == len(arm.on("sunspots")) == 5
    seeds = [unit.seed for unit in plan.units("sunspots", arm.units)]
    assert len(set(seeds)) == len(seeds)
