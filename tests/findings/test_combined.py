"""What is told of combinations: parts added and removed, pairs that interact, and the tuned rivals."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from engine import made_outcome, made_result
from planning import prepared_plan

from lstmstudy import findings
from lstmstudy.study.ablation import Ablation

METRICS = {"sunspots": "rmse", "digits_rows": "cross_entropy"}
UNITS = 6
PROFILE = f"""\
tasks: [sunspots, digits_rows]
techniques: [dropout, l2, jitter, permutation, early_stopping, trio, bundle]
compared: [dropout per=step, l2, jitter, permutation, trio, bundle]
units: {UNITS}
network: {{layers: 2, width: 4}}
training: {{epochs: 6, batch_size: 32, learning_rate: 0.003}}
designs:
  combined: {{tasks: [sunspots, digits_rows], units: {UNITS}}}
"""
FALLING = np.array([1.0, 0.8, 0.5, 0.6, 0.7, 1.0])  # patience 3 keeps half the error of the last epoch
PARTS = {"dropout": 0.1, "l2": -0.3, "layer_norm": -0.2, "gradient_clipping": 0.05}  # ln of the error
NAMES = {"dropout": "dropout", "l2": "L2", "layer_norm": "layer norm", "gradient_clipping": "clipping"}
STOPPING = "early stopping"
MINUS = "\N{MINUS SIGN}"
CAPTION = "Two parts together against the sum of what each does alone"


def told(log_ratio):
    """Return a log ratio as sentences tell it."""
    return f"{100 * np.expm1(log_ratio):+.1f} %".replace("-", MINUS)


def small_plan(folder):
    """Return the plan of a tiny study of combinations."""
    return prepared_plan(folder, PROFILE, METRICS, tuned="2x4")


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Return the plan, made once."""
    return small_plan(tmp_path_factory.mktemp("combined"))


class Additive:
    """Outcomes whose log errors are sums: of what is on, of planted pairs, and of a number for each unit.

    What single units add to a run cancels over the units, so that its mean effect is known exactly.
    """

    def __init__(self, *, alone=None, pairs=None, flat=(), diverged=(), test=None):
        self.alone = PARTS if alone is None else alone
        self.pairs = pairs or {}  # by the names of two techniques
        self.flat = set(flat)  # techniques with which the error does not rise again
        self.diverged = set(diverged)  # names of what is on, and seed
        self.test = test or {}  # what is added to the test error alone, by the names of what is on

    def log_error(self, run):
        """Return the logarithm of what the curve is multiplied with."""
        on = {technique.name for technique in run.recipe.techniques}
        effect = sum(self.alone.get(name, 0.0) for name in on)
        effect += sum(value for pair, value in self.pairs.items() if set(pair) <= on)
        own = zlib.crc32(repr((sorted(on), run.task)).encode()) % 100 / 5000  # up to 2 %
        return effect + run.seed / 10 + (own if run.seed % 2 else -own)

    def __call__(self, run):
        """Return the outcome of a run."""
        on = frozenset(technique.name for technique in run.recipe.techniques)
        curve = np.minimum(FALLING, 0.5) if on & self.flat else FALLING
        validation = np.exp(self.log_error(run)) * curve
        test = validation * np.exp(self.test.get(on, 0.0))
        reason = None
        if (on, run.seed) in self.diverged:
            validation, test = (np.full(len(curve), np.nan) for _ in range(2))
            reason = "training loss nan in epoch 1"
        result = made_result(validation, test, metric=METRICS[run.task], diverged=reason)
        return made_outcome(run.identity, result)


def combined(plan, **how):
    """Return every combination of the parts with made outcomes."""
    return Ablation(plan, Additive(**how), plan.design("combined"))


def tuned(plan, names=None, **how):
    """Return the tuned arms of some techniques with made outcomes; without names, of all."""
    arms = [arm for name in names or plan.profile.techniques for arm in plan.compared(name)]
    return Ablation(plan, Additive(**how), arms)


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    """Return the tables that are shown, by caption, instead of showing them."""
    shown = {}
    monkeypatch.setattr(
        "lstmstudy.findings.combined.table", lambda frame, *, caption: shown.update({caption: frame})
    )
    return shown


def test_the_study_has_every_combination_of_the_guides_parts(plan):
    """Sixteen arms of four parts, and early stopping as a fifth that is read from each of them."""
    made = combined(plan)
    assert len(made.arms) == 2 ** len(PARTS)
    alt = findings.added_and_removed(made).alt
    for name in (*NAMES.values(), STOPPING):
        assert f"{name} alone" in alt
        assert f"all without {name}" in alt


def test_parts_that_add_up_are_told_with_their_own_effects(plan):
    """Alone a part brings what was planted, its removal the opposite, and all together the sum."""
    finding = findings.added_and_removed(combined(plan))
    half = np.log(0.5)
    effects = {**{NAMES[name]: value for name, value in PARTS.items()}, STOPPING: half}
    for name, effect in effects.items():
        assert f"{name} alone {told(effect)}" in finding.alt
        assert f"all without {name} {told(-effect)}" in finding.alt
    together = told(sum(PARTS.values()) + half)
    fall = -100 * np.expm1(sum(PARTS.values()) + half)
    assert finding.title == (
        f"All 5 parts together lower the test error clearly, by {fall:.0f} %; 5 of 10 single steps lower it"
    )
    assert finding.sentence.startswith(
        f"All 5 parts together change the test error by {together} (95 % interval {MINUS}"
    )
    assert (
        "Of 10 single steps, 5 lower it clearly: L2 alone, layer norm alone, early stopping alone, all without "
        "dropout and all without clipping;" in finding.sentence
    )


def test_a_removed_part_leaves_with_its_interactions(plan):
    """Without L2 the whole also loses what L2 and dropout do together, which L2 alone does not show."""
    alt = findings.added_and_removed(combined(plan, pairs={("dropout", "l2"): 0.4})).alt
    assert f"L2 alone {told(PARTS['l2'])}" in alt
    assert f"all without L2 {told(-PARTS['l2'] - 0.4)}" in alt
    assert f"dropout alone {told(PARTS['dropout'])}" in alt
    assert f"all without layer norm {told(-PARTS['layer_norm'])}" in alt


def test_one_step_that_helps_is_told_in_the_singular(plan):
    """With parts that change nothing only early stopping lowers the error."""
    finding = findings.added_and_removed(combined(plan, alone={}))
    assert "Of 10 single steps, 1 lowers it clearly: early stopping alone;" in finding.sentence
    assert finding.title.endswith("clearly, by 50 %; 1 of 10 single steps lowers it")


def test_parts_that_add_up_do_not_interact(plan, tables):
    """Every pair is there once with no change, and none is called clear."""
    said = findings.interactions(combined(plan))
    frame = tables[CAPTION]
    assert len(frame) == len(set(frame["parts"])) == 10
    zero = {"+0.0 %", f"{MINUS}0.0 %"}
    assert set(frame["together against the sum"]) <= zero
    assert set(frame["help"]) == {"not clear"}
    assert said == "Of 10 pairs, none clearly acts otherwise together than the sum of both."


@pytest.mark.parametrize(("planted", "words"), [(0.2, "less than the sum"), (-0.2, "more than the sum")])
def test_a_planted_interaction_is_found_with_its_sign(plan, tables, planted, words):
    """Only the pair that was planted is clear, with its size, and the table says whether it helps or hinders."""
    said = findings.interactions(combined(plan, pairs={("dropout", "layer_norm"): planted}))
    rows = tables[CAPTION].set_index("parts")
    assert rows.loc["dropout with layer norm", "together against the sum"] == told(planted)
    assert rows.loc["dropout with layer norm", "help"] == words
    others = rows.drop(index="dropout with layer norm")
    assert set(others["help"]) == {"not clear"}
    assert said == (
        "Of 10 pairs, 1 clearly acts otherwise together than the sum of both: dropout with layer norm."
    )


def test_stopping_interacts_with_what_keeps_the_error_low(plan, tables):
    """Where dropout keeps the error from rising, stopping has nothing left to bring: double the sum."""
    findings.interactions(combined(plan, flat={"dropout"}))
    rows = tables[CAPTION].set_index("parts")
    assert rows.loc[f"dropout with {STOPPING}", "together against the sum"] == told(np.log(2))
    clear = rows.index[rows["help"] != "not clear"]
    assert list(clear) == [f"dropout with {STOPPING}"]


def test_two_interactions_of_three_parts_are_kept_apart(plan, tables):
    """Pairs that share a part each show their own number."""
    pairs = {("dropout", "l2"): 0.3, ("l2", "gradient_clipping"): -0.2}
    said = findings.interactions(combined(plan, pairs=pairs))
    rows = tables[CAPTION].set_index("parts")["together against the sum"]
    assert rows["dropout with L2"] == told(0.3)
    assert rows["L2 with clipping"] == told(-0.2)
    assert rows["dropout with clipping"] in {"+0.0 %", f"{MINUS}0.0 %"}
    assert said.endswith(
        "2 clearly act otherwise together than the sum of both: dropout with L2 and L2 with clipping."
    )


def test_a_diverged_combination_counts_as_the_naive_error(plan):
    """One diverged run moves what it enters by its unit's share, and every text stays whole."""
    gone = (frozenset({"dropout"}), 1)
    made, whole = combined(plan, diverged=[gone]), combined(plan)
    values = []
    for ablation in (made, whole):
        ratios = []
        for task in METRICS:
            errors = [
                np.log(ablation.counted_errors(ablation.arms[name], task, reading="last"))
                for name in ("dropout", "none")
            ]
            ratios.append(np.subtract(*errors))
        values.append(ratios)
    for task, changed, usual in zip(METRICS, *values, strict=True):
        naive = next(iter(made.references(task).values()))[1]
        none = whole.counted_errors(whole.arms["none"], task, reading="last")[1]
        assert changed[1] == pytest.approx(np.log(naive / none))
        np.testing.assert_array_equal(np.delete(changed, 1), np.delete(usual, 1))
    finding = findings.added_and_removed(made)
    assert f"dropout alone {told(np.mean([ratios.mean() for ratios in values[0]]))}" in finding.alt
    texts = [finding.alt, finding.sentence, findings.interactions(made)]
    assert not [text for text in texts if "nan" in text]


SINGLES = {"dropout": -0.1, "l2": -0.3, "jitter": -0.2, "permutation": -0.5}


def test_the_rival_is_the_technique_that_validation_ranks_first(plan):
    """Of those that fit every task the one with the lowest validation error is told, with both comparisons."""
    finding = findings.rivals(tuned(plan, alone=SINGLES, pairs={("dropout", "l2"): 0.6}))
    assert finding.sentence.startswith(
        "Of 3 tuned single techniques that fit every task, validation ranks L2 on"
    )
    assert finding.title == "Against L2 on both the test error is clearly higher with the trio and the bundle"
    # Trio and bundle have both parts: they change the error by -.1 - .3 + .6 against the baseline.
    assert "L2" in finding.alt
    assert finding.alt.count(told(0.2)) == 2
    assert f"{told(SINGLES['l2'])} (95 %" in finding.alt
    against = finding.sentence.partition("Against it")[2]
    assert f"{told(0.5)} (95 %" in against
    assert "with the trio" in against
    assert "with the bundle" in against


def test_a_technique_that_does_not_fit_every_task_is_no_rival(plan):
    """Permutation has the lowest error where it makes sense, and the combinations have to be good everywhere."""
    ablation = tuned(plan, alone=SINGLES)
    (arm,) = ablation.arms_of("permutation")
    assert not ablation.fits(arm, "sunspots")
    assert ablation.effect(arm, part="validation").estimate < -0.4
    assert "permutation" not in findings.rivals(ablation).sentence


def test_test_errors_choose_no_rival(plan):
    """Whatever is added to test errors, the named technique stays; only its numbers change."""
    first = findings.rivals(tuned(plan, alone=SINGLES)).sentence
    rng = np.random.default_rng(1)
    for _ in range(5):
        noise = {frozenset({name}): rng.normal() for name in (*SINGLES, "layer_norm")}
        said = findings.rivals(tuned(plan, alone=SINGLES, test=noise)).sentence
        assert said.partition("Against")[0] == first.partition("Against")[0]
        assert said != first


def test_validation_errors_choose_the_rival(plan):
    """With other validation errors and the same test errors another technique is the rival."""
    changed = SINGLES | {"jitter": -0.6}
    same = {frozenset({"jitter"}): 0.4}
    said = findings.rivals(tuned(plan, alone=changed, test=same)).sentence
    assert "validation ranks jitter first" in said


def test_a_diverged_rival_is_no_better_for_it(plan):
    """Runs that diverge count as the naive error in the choice, so that the next technique is named."""
    weak = {"dropout": -0.1, "l2": -3.0, "jitter": -2.5}
    assert "ranks L2 on" in findings.rivals(tuned(plan, alone=weak)).sentence
    gone = [(frozenset({"l2"}), seed) for seed in range(UNITS)]
    finding = findings.rivals(tuned(plan, alone=weak, diverged=gone))
    assert "ranks jitter first" in finding.sentence
    assert "nan" not in finding.sentence + finding.alt


@pytest.mark.parametrize("names", [["dropout", "l2"], ["trio", "bundle"], ["trio", "permutation"]])
def test_rivals_need_both_sides(plan, names):
    """Without a combination, or without a technique that fits every task, the error says what is missing."""
    combinations = sum(name in {"trio", "bundle"} for name in names)
    techniques = sum(name in {"dropout", "l2"} for name in names)
    with pytest.raises(ValueError, match=rf"combinations={combinations}, techniques={techniques}$"):
        findings.rivals(tuned(plan, names))


def test_a_comparison_of_nothing_is_told_in_words(plan):
    """Where a profile tunes none of some techniques, a sentence stands in the place of the figure."""
    found = findings.technique_effects(Ablation(plan, Additive(), [plan.baseline]))
    assert found == "This profile has no such arms."
