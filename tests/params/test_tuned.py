"""params/tuned.yaml: what was chosen, for whom it serves, and that the file is whole or refused."""

from __future__ import annotations

import math
import os

import pytest
from planning import refusal

from lstmstudy import paths
from lstmstudy.params.search import SearchRange
from lstmstudy.params.tuned import Found, Trained, Trial, Tuned, best_of, load_tuned, save_tuned

RATE = SearchRange.model_validate({"from": 0.001, "to": 0.01, "scale": "log"})
L2 = SearchRange.model_validate({"from": 1e-6, "to": 0.01, "scale": "log"})
DROPPED = SearchRange.model_validate({"from": 0.02, "to": 0.6, "scale": "linear"})
SEGMENTS = SearchRange.model_validate({"from": 2, "to": 8, "scale": "linear", "integer": True})
TRAINED = Trained(epochs=3, batch_size=8, seeds=(1000, 1001))


def trial(learning_rate=0.002, validation=1.0, **settings):
    """Return one draw."""
    return Trial(learning_rate=learning_rate, settings=settings, validation=validation)


def found(*trials, **ranges):
    """Return what a search found whose trials these are."""
    search = {"learning_rate": RATE, **ranges}
    return Found(best=best_of(trials), trained=TRAINED, search=search, trials=list(trials))


def dropout(rate, learning_rate=0.002):
    """Return a search for dropout that chose this rate."""
    best = trial(learning_rate, 0.5, rate=rate, per="step")
    return found(trial(rate=0.6, per="step"), best, rate=DROPPED)


BASELINE = found(trial(0.001, math.inf), trial(0.01, 0.75))
TUNED = Tuned(
    {
        "2x8": {
            "sunspots": {"baseline": BASELINE, "dropout per=step": dropout(0.1)},
            "digits_rows": {
                "baseline": BASELINE,
                "permutation": found(trial(segments=3), segments=SEGMENTS),
                "l2 matrices=both": found(trial(l2=1e-6, matrices="both"), l2=L2),
            },
        },
        "2x64": {"sunspots": {"baseline": found(trial(0.004))}},
        "1x16": {"sunspots": {"baseline": found(trial(0.003))}},
    }
)
GOOD = """\
2x8:
  sunspots:
    dropout per=step:
      best: {learning_rate: 0.002, settings: {rate: 0.1, per: step}, validation: 0.5}
      trained: {epochs: 3, batch_size: 8, seeds: [1000, 1001]}
      search: {learning_rate: {from: 0.001, to: 0.01, scale: log}, rate: {from: 0.02, to: 0.6, scale: linear}}
      trials:
      - {learning_rate: 0.002, settings: {rate: 0.6, per: step}, validation: 1.0}
      - {learning_rate: 0.002, settings: {rate: 0.1, per: step}, validation: 0.5}
"""


def test_what_is_written_is_read_back_and_written_alike(tmp_path):
    """Loading returns what was saved, infinite metrics and tiny numbers too, and saving that changes no byte."""
    path = save_tuned(TUNED, tmp_path)
    first = path.read_bytes()
    assert path == tmp_path / "tuned.yaml"
    assert load_tuned(tmp_path) == TUNED
    save_tuned(load_tuned(tmp_path), tmp_path)
    assert path.read_bytes() == first


def test_the_order_in_which_it_was_found_does_not_change_the_file(tmp_path):
    """Sizes, tasks and arms are sorted, sizes as numbers and the baseline first."""
    turned = {
        size: {task: dict(reversed(arms.items())) for task, arms in reversed(tasks.items())}
        for size, tasks in reversed(TUNED.sizes.items())
    }
    first = save_tuned(TUNED, tmp_path).read_text(encoding="utf-8")
    assert save_tuned(Tuned(turned), tmp_path).read_text(encoding="utf-8") == first
    keys = [line.strip() for line in first.splitlines() if line.endswith(":") and not line.startswith("#")]
    assert [key for key in keys if key[0].isdigit()] == ["1x16:", "2x8:", "2x64:"]
    digits = keys[keys.index("digits_rows:") + 1 :]
    assert [key for key in digits if key != "trials:"][:3] == [
        "baseline:",
        "l2 matrices=both:",
        "permutation:",
    ]


def test_texts_that_yaml_would_read_otherwise_stay_texts(tmp_path):
    """A setting such as on, or a text that looks like a number, is quoted when it is written."""
    odd = found(trial(a="on", b="1e-3", c="0.5", d=True))
    save_tuned(Tuned({"2x8": {"sunspots": {"odd a=on b=1e-3 c=0.5 d=true": odd}}}), tmp_path)
    settings = load_tuned(tmp_path).sizes["2x8"]["sunspots"]["odd a=on b=1e-3 c=0.5 d=true"].best.settings
    assert settings == {"a": "on", "b": "1e-3", "c": "0.5", "d": True}
    assert [type(value) for value in settings.values()] == [str, str, str, bool]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_the_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch, broken):
    """If writing ends early the old file stands unchanged, and nothing is left beside it."""
    before = save_tuned(TUNED, tmp_path).read_bytes()

    def fails(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, broken, fails)
    with pytest.raises(OSError, match="no space"):
        save_tuned(TUNED.adding("2x8", {"sunspots": {"baseline": found(trial(0.009))}}), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tuned.yaml"]
    assert (tmp_path / "tuned.yaml").read_bytes() == before


def test_what_was_searched_anew_replaces_that_alone():
    """Other sizes, other tasks and other arms of the same task stay, and so does the object that is added to."""
    new, other = found(trial(0.009)), found(trial(0.008))
    more = TUNED.adding("2x8", {"sunspots": {"baseline": new}, "elnino": {"baseline": other}})
    assert more.sizes["2x8"]["sunspots"] == {"baseline": new, "dropout per=step": dropout(0.1)}
    assert more.sizes["2x8"]["elnino"] == {"baseline": other}
    assert more.sizes["2x8"]["digits_rows"] == TUNED.sizes["2x8"]["digits_rows"]
    assert {size: more.sizes[size] for size in ("2x64", "1x16")} == {
        size: TUNED.sizes[size] for size in ("2x64", "1x16")
    }
    assert TUNED.sizes["2x8"]["sunspots"]["baseline"] == BASELINE
    assert TUNED.adding("3x4", {"sunspots": {"baseline": new}}).sizes.keys() == TUNED.sizes.keys() | {"3x4"}


def test_the_best_trial_is_the_first_of_the_lowest():
    """Of equal metrics the earlier draw is taken; a diverged trial is never chosen."""
    first, second = trial(0.002, 0.5), trial(0.003, 0.5)
    assert best_of([trial(0.001, 0.6), first, second, trial(0.004, 0.7)]) is first
    assert best_of([trial(0.001, math.inf), trial(0.009, 90.0)]).learning_rate == 0.009
    assert best_of([trial(0.001, math.inf), trial(0.002, math.inf)]) is None


def test_an_arm_has_what_was_chosen_for_its_task_and_size():
    """Where task and size were tuned there is nothing to note."""
    best = TUNED.best("dropout per=step", "sunspots", layers=2, width=8)
    assert (best.learning_rate, best.settings, best.note) == (0.002, {"rate": 0.1, "per": "step"}, "")
    assert TUNED.best("baseline", "sunspots", layers=2, width=64).learning_rate == 0.004
    assert TUNED.best("baseline", "sunspots", layers=1, width=16).learning_rate == 0.003


@pytest.mark.parametrize(
    ("layers", "width", "nearest", "learning_rate"),
    [
        (2, 9, "2x8", 0.01),
        (2, 22, "2x8", 0.01),  # 44 units are nearer to 16 than to 128 in logarithm, though not by difference
        (2, 23, "2x64", 0.004),
        (3, 500, "2x64", 0.004),
        (1, 17, "1x16", 0.003),
        (1, 8, "1x16", 0.003),  # as far from 2x8: the same number of layers decides
        (2, 4, "2x8", 0.01),
    ],
)
def test_a_size_that_was_not_tuned_takes_the_nearest(layers, width, nearest, learning_rate):
    """Nearest is the logarithm of layers times width, then the number of layers; the note says which it is."""
    best = TUNED.best("baseline", "sunspots", layers=layers, width=width)
    assert (best.learning_rate, best.note) == (learning_rate, f"Tuned at {nearest}, the nearest size.")


def test_only_sizes_at_which_an_arm_was_tuned_count():
    """An arm that a nearer size lacks comes from one that has it."""
    best = TUNED.best("dropout per=step", "sunspots", layers=2, width=64)
    assert (best.settings["rate"], best.note) == (0.1, "Tuned at 2x8, the nearest size.")


def test_a_task_that_was_not_tuned_takes_the_median_winner():
    """Rates are averaged as they were drawn, learning rates in their logarithm; plain settings stay."""
    tuned = Tuned(
        {
            "2x8": {
                "sunspots": {"dropout per=step": dropout(0.1, 0.001)},
                "elnino": {"dropout per=step": dropout(0.5, 0.009)},
                "co2": {"baseline": BASELINE},
            }
        }
    )
    best = tuned.best("dropout per=step", "co2", layers=2, width=8)
    assert best.settings == {"rate": 0.3, "per": "step"}
    assert best.learning_rate == 0.003
    assert best.note == "The median winner over elnino, sunspots."
    elsewhere = tuned.best("dropout per=step", "co2", layers=2, width=9)
    assert (elsewhere.settings, elsewhere.learning_rate) == (best.settings, best.learning_rate)
    assert elsewhere.note == "The median winner over elnino, sunspots. Tuned at 2x8, the nearest size."


def test_a_median_of_integers_is_one_of_them():
    """A number of segments stays an integer."""
    tuned = Tuned(
        {
            "2x8": {
                task: {"permutation": found(trial(segments=number), segments=SEGMENTS)}
                for task, number in {"a": 2, "b": 8, "c": 7}.items()
            }
        }
    )
    settings = tuned.best("permutation", "d", layers=2, width=8).settings
    assert settings == {"segments": 7}
    assert isinstance(settings["segments"], int)


def test_what_was_chosen_cannot_be_changed_by_who_asked():
    """Each answer has settings of its own."""
    TUNED.best("dropout per=step", "sunspots", layers=2, width=8).settings["rate"] = 0.5
    assert TUNED.best("dropout per=step", "sunspots", layers=2, width=8).settings["rate"] == 0.1


def test_an_arm_that_was_never_tuned_is_one_line_with_the_command():
    """The message names the nearest arms and what writes the file."""
    message = refusal(lambda: TUNED.best("dropout per=steps", "sunspots", layers=2, width=8))
    assert message.startswith("params/tuned.yaml: unknown arm `dropout per=steps`.")
    assert (
        "`python -m lstmstudy tune --profile <name>` writes it. Did you mean `dropout per=step`?" in message
    )
    nothing = refusal(lambda: Tuned({}).best("baseline", "sunspots", layers=2, width=8))
    assert "Expected one of: none so far." in nothing


def test_without_a_file_nothing_is_tuned(tmp_path):
    """A missing file is no error before something is asked of it."""
    assert load_tuned(tmp_path) == Tuned({})


def test_the_shipped_file_is_as_it_was_written(tmp_path):
    """Nobody edited it by hand: writing what it holds gives its very bytes, and a study without one has none."""
    path = paths.PARAMS / "tuned.yaml"
    if not path.exists():
        assert load_tuned() == Tuned({})
        return
    assert save_tuned(load_tuned(), tmp_path).read_bytes() == path.read_bytes()


def test_the_example_that_is_damaged_below_is_whole(tmp_path):
    """Every refusal below comes from its damage."""
    (tmp_path / "tuned.yaml").write_text(GOOD, encoding="utf-8")
    assert load_tuned(tmp_path) == Tuned({"2x8": {"sunspots": {"dropout per=step": dropout(0.1)}}})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("2x8:", "small:", "a section is named by its size. Expected layers x width, such as 2x32."),
        ("2x8:", "02x8:", "a section is named by its size."),
        ("2x8:", "2x8: 5\n3x8:", "2x8: Expected a mapping. Received: 2x8=5"),
        ("sunspots:", "sunspots:\n  elnino:", "2x8.sunspots: Expected a mapping. Received: sunspots=None"),
        (
            "    dropout",
            "    baseline: 3\n    dropout",
            "2x8.sunspots.baseline: Expected a mapping with the keys best",
        ),
        ("best:", "bests:", "unknown key `2x8.sunspots.dropout per=step.bests`.|Did you mean `best`?"),
        ("epochs: 3, ", "", "missing key `2x8.sunspots.dropout per=step.trained.epochs`."),
        ("epochs: 3", "epochs: 3.5", "trained.epochs: Expected a positive integer"),
        ("[1000, 1001]", "[1000, 1000]", "trained.seeds: 1000 is there twice."),
        ("[1000, 1001]", "[]", "trained.seeds: Expected a list of integers, each once."),
        ("scale: linear", "scale: liner", "search.rate: `scale` is 'liner'."),
        ("learning_rate: {from: 0.001, to: 0.01, scale: log}, ", "", "`search` lacks learning_rate."),
        ("to: 0.6", "to: 0.5", "a trial has rate=0.6, which `search` excludes."),
        (
            "validation: 1.0}",
            "validation: .nan}",
            "trials.validation: Expected a number of at least 0, or .inf.",
        ),
        (
            "validation: 1.0}",
            "validation: -1.0}",
            "trials.validation: Expected a number of at least 0, or .inf.",
        ),
        ("validation: 1.0}", "validation: 1e-9}", "YAML reads it as text: write 0.000000001 or 1.0e-9"),
        ("validation: 1.0}", "validation: yes}", "YAML reads on, yes and true"),
        (
            "validation: 1.0}",
            "validation: 0.4}",
            "`best` is none of `trials`, or not the first with the lowest",
        ),
        (
            "{rate: 0.6, per: step}",
            "{rate: 6e-1, per: step}",
            "a trial has rate='6e-1', which `search` excludes.",
        ),
        (
            "{rate: 0.6, per: step}",
            "{rate: on, per: step}",
            "a trial has rate=True, which `search` excludes.",
        ),
        ("{rate: 0.6, per: step}", "{per: step}", "a trial has rate=None, which `search` excludes."),
        (
            "{rate: 0.6, per: step}",
            "{rate: 0.6, per: [step]}",
            "settings.per: this is no number and no text.",
        ),
        ("{rate: 0.6, per: step}", "{rate: 0.6, per: sequence}", "a trial has other settings than the name"),
        ("{rate: 0.6, per: step}", "{rate: 0.6, per: on}", "a trial has other settings than the name"),
        (
            "dropout per=step:",
            "dropout per=sequence:",
            "a trial has other settings than the name of the arm.",
        ),
        ("dropout per=step:", "baseline:", "a trial has other settings than the name of the arm."),
        (GOOD, "", "the file is no mapping."),
        (GOOD, GOOD[:-40], "the file is not YAML"),
        (GOOD, f"{GOOD}2x8: {{}}\n", "the key `2x8` is there a second time."),
    ],
)
def test_a_damaged_or_edited_file_is_one_line_with_file_and_key(tmp_path, old, new, expected):
    """Whatever is wrong in the file, the message says where, what was expected and what came."""
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    (tmp_path / "tuned.yaml").write_text(text, encoding="utf-8")
    message = refusal(load_tuned, tmp_path)
    assert message.startswith("tuned.yaml: ")
    for part in expected.split("|"):
        assert part in message
