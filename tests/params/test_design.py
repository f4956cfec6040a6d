"""Designs: sets of arms with a control, such as every combination of some techniques, or batch sizes."""

from __future__ import annotations

import itertools

import pytest
from planning import SHIPPED, parameters, plan_of, refusal, shipped

from lstmstudy import paths
from lstmstudy.data import CATALOG
from lstmstudy.params.design import load_design
from lstmstudy.params.profile import load_profile
from lstmstudy.techniques import L2, BatchNorm, Dropout, LayerNorm

MINE = """\
tasks: [sunspots]
techniques: [dropout]
units: 5
network: {layers: 2, width: 8}
training: {epochs: 6, batch_size: 32, learning_rate: 0.003}
designs:
  own: {tasks: [digits_rows, sunspots], units: 2}
"""


def arms_of(folder, design, scope="tasks: [digits_rows, sunspots], units: 2"):
    """Return the arms of a design, given as the text of its file, in a small profile."""
    parameters(folder, MINE.replace("tasks: [digits_rows, sunspots], units: 2", scope))
    (folder / "designs" / "own.yaml").write_text(f"notebook: 10_combined\n{design}", encoding="utf-8")
    return plan_of(folder).design("own")


def message_of(folder, design, scope="tasks: [digits_rows, sunspots], units: 2"):
    """Return the one line that a wrong design ends in."""
    return refusal(arms_of, folder, design, scope)


def test_the_first_arm_is_the_control_of_the_others(tmp_path):
    """Each further arm is compared with it, on the tasks and units of the profile's scope."""
    control, *others = arms_of(
        tmp_path, "arms:\n  none: {}\n  one: {dropout: {rate: 0.3}}\n  two: {dropout: {rate: 0.5}}\n"
    )
    assert (control.name, control.control, control.recipe.techniques) == ("none", None, ())
    assert [(arm.name, arm.control) for arm in others] == [("one", control), ("two", control)]
    assert [arm.recipe.techniques for arm in others] == [(Dropout(0.3),), (Dropout(0.5),)]
    assert {(arm.tasks, arm.units) for arm in (control, *others)} == {(("digits_rows", "sunspots"), 2)}


def test_a_profile_can_leave_arms_out(tmp_path):
    """Its control stays, and so does the order of the others."""
    arms = "arms:\n  none: {}\n  one: {dropout: {rate: 0.3}}\n  two: {dropout: {rate: 0.5}}\n  three: {layer_norm: {}}\n"
    scope = "tasks: [digits_rows], units: 2, arms: [three, one]"
    control, *others = arms_of(tmp_path, arms, scope)
    assert control.name == "none"
    assert [(arm.name, arm.control) for arm in others] == [("one", control), ("three", control)]


def test_a_control_can_be_named(tmp_path):
    """The named arm comes first, and the others are compared with it."""
    first, second = arms_of(tmp_path, "control: b\narms:\n  a: {}\n  b: {dropout: {rate: 0.3}}\n")
    assert (first.name, first.control) == ("b", None)
    assert (second.name, second.control) == ("a", first)


def test_an_arm_can_hold_several_techniques_and_be_read_in_its_own_way(tmp_path):
    """Its techniques are those of the file, in any order; the reading of the design serves where it has none."""
    arms = arms_of(
        tmp_path,
        "reading: last\narms:\n  none: {}\n"
        "  both: {l2: {l2: 0.01, matrices: kernel}, dropout: {rate: 0.3}, reading: patience 3}\n",
    )
    assert [arm.reading for arm in arms] == ["last", "patience 3"]
    assert arms[1].recipe == arms[0].recipe.adding(Dropout(0.3), L2(0.01, matrices="kernel"))


def test_a_factor_of_the_epochs_lengthens_one_arm_alone(tmp_path):
    """Five times the epochs at the same batch size are five times the updates."""
    one, five = arms_of(tmp_path, "arms:\n  one: {}\n  five: {epochs_factor: 5}\n")
    assert (one.recipe.epochs, five.recipe.epochs) == (6, 30)
    assert one.recipe.batch_size == five.recipe.batch_size


def test_factors_give_every_combination_with_the_empty_one_as_control(tmp_path):
    """Three factors are eight arms, each with just the techniques that its name says."""
    factors = {
        "drop": ("dropout: {rate: 0.3}", Dropout(0.3)),
        "price": ("l2: {l2: 0.01}", L2(0.01)),
        "norm": ("layer_norm: {}", LayerNorm()),
    }
    text = "".join(f"  {name}: {{{settings}}}\n" for name, (settings, _) in factors.items())
    arms = arms_of(tmp_path, f"factors:\n{text}")
    control = arms[0]
    assert (control.name, control.recipe.techniques, control.control) == ("none", (), None)
    assert all(arm.control == control for arm in arms[1:])
    expected = {
        " + ".join(names) or "none": {factors[name][1] for name in names}
        for n in range(4)
        for names in itertools.combinations(factors, n)
    }
    assert {arm.name: set(arm.recipe.techniques) for arm in arms} == expected
    assert len(arms) == len(expected) == 8


def test_every_batch_size_has_the_updates_of_the_baseline(tmp_path):
    """Epochs are scaled with the batch size, and each arm has the control of its own batch size."""
    arms = arms_of(tmp_path, "batch_size: [4, 16, 64]\narms:\n  none: {}\n  norm: {layer_norm: {}}\n")
    sizes = {arm.name: (arm.recipe.batch_size, arm.recipe.epochs) for arm in arms}
    assert sizes == {
        "none, batch 4": (4, 1),
        "norm, batch 4": (4, 1),
        "none, batch 16": (16, 3),
        "norm, batch 16": (16, 3),
        "none, batch 64": (64, 12),
        "norm, batch 64": (64, 12),
    }
    assert [arm.group for arm in arms] == ["none", "norm"] * 3
    for control, arm in zip(arms[::2], arms[1::2], strict=True):
        assert (control.control, arm.control) == (None, control)
        assert arm.recipe == control.recipe.adding(LayerNorm())


@pytest.mark.parametrize("name", ["default", "full"])
def test_the_shipped_batch_sizes_have_equal_updates(name):
    """Epochs times samples over batch size is one number, to a rounded epoch, and that of the baseline."""
    plan = plan_of(paths.PARAMS, name)
    recipes = [plan.baseline.recipe, *(arm.recipe for arm in plan.design("batch_size"))]
    assert len({recipe.batch_size for recipe in recipes}) == 4
    exact = plan.baseline.recipe.epochs / plan.baseline.recipe.batch_size
    for recipe in recipes:
        assert abs(recipe.epochs - exact * recipe.batch_size) <= 0.5


def test_a_design_can_have_tasks_size_and_length_of_its_own(tmp_path):
    """They replace those of the profile, for the control too; what it leaves out is the profile's."""
    design = (
        "tasks: [co2]\nlayers: 1\nwidth: 3\nepochs: 2\narms:\n  none: {}\n  one: {dropout: {rate: 0.3}}\n"
    )
    for arm in arms_of(tmp_path, design, "units: 2"):
        assert arm.tasks == ("co2",)
        recipe = arm.recipe
        assert (recipe.layers, recipe.width, recipe.epochs) == (1, 3, 2)
        assert (recipe.batch_size, recipe.learning_rate) == (32, 0.003)


def test_tasks_of_the_profile_come_before_those_of_the_design(tmp_path):
    """What a profile says of a design counts."""
    (arm,) = arms_of(tmp_path, "tasks: [co2]\narms:\n  none: {}\n")
    assert arm.tasks == ("digits_rows", "sunspots")


@pytest.mark.parametrize("profile", SHIPPED)
@pytest.mark.parametrize("name", sorted(path.stem for path in (paths.PARAMS / "designs").glob("*.yaml")))
def test_every_shipped_design_has_distinct_arms_and_a_chapter(profile, name, tmp_path):
    """No two arms share a name or a recipe, and they are among those of their notebook."""
    plan = plan_of(shipped(tmp_path), profile)
    arms = plan.design(name)
    assert len({arm.name for arm in arms}) == len({arm.recipe for arm in arms}) == len(arms)
    assert all(set(arm.tasks) <= set(CATALOG) and arm.tasks for arm in arms)
    assert arms[0].control is None
    chapter = load_design(name).notebook
    assert set(arms) <= set(plan.notebooks[chapter])


def test_a_shared_control_is_one_run(tmp_path):
    """The control of two designs of one profile, and of the baseline where they agree, is trained once."""
    parameters(tmp_path, f"{MINE}  other: {{tasks: [sunspots], units: 5}}\n")
    for name in ("own", "other"):
        (tmp_path / "designs" / f"{name}.yaml").write_text(
            "notebook: 10_combined\narms:\n  none: {}\n  one: {batch_norm: {}}\n", encoding="utf-8"
        )
    plan = plan_of(tmp_path)
    own, other = plan.design("own"), plan.design("other")
    assert own[1].recipe.techniques == (BatchNorm(),)
    assert plan.runs([other[0]]).keys() == plan.runs([plan.baseline]).keys()
    assert len(plan.runs([*own, *other, plan.baseline])) == 2 * (5 + 2)


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        ("arm: {none: {}}", "unknown key `arm`.|Did you mean `arms`?|Received: arm={'none': {}}"),
        ("name: x\narms: {none: {}}", "unknown key `name`.|Received: name='x'"),
        ("", "no arm. Expected a mapping from the name of each arm|Received: arms={}"),
        ("arms: {}", "no arm. Expected a mapping from the name of each arm|Received: arms={}"),
        ("arms: {none: 3}", "arms.none: Expected a mapping|Received: none=3"),
        (
            "arms: {none: {}, one: {dropuot: {rate: 0.3}}}",
            "arms.one: unknown technique `dropuot`.|`dropout`?",
        ),
        (
            "arms: {none: {}, one: {dropout: 0.3}}",
            "arms.one.dropout: Expected a mapping|Received: dropout=0.3",
        ),
        ("arms: {one: {dropout: {rat: 0.3}}}", "unknown key `arms.one.dropout.rat`.|Did you mean `rate`?"),
        ("arms: {one: {dropout: {}}}", "missing key `arms.one.dropout.rate`. Expected a number or a text"),
        (
            "arms: {one: {dropout: {rate: 0}}}",
            "arms.one.dropout.rate: this switches the technique off.|rate=0",
        ),
        ("arms: {one: {dropout: {rate: 2}}}", "arms.one.dropout.rate: |Received: rate=2"),
        ("arms: {one: {dropout: {rate: 3e-1}}}", "arms.one.dropout.rate: |write 0.3 or 3.0e-1"),
        ("arms: {one: {dropout: {rate: 0.3, per: on}}}", "arms.one.dropout.per: |YAML reads on|per=True"),
        ("arms: {one: {epochs_factor: 0}}", "arms.one.epochs_factor: Expected a positive integer."),
        ("arms: {one: {epochs_factor: 2.5}}", "arms.one.epochs_factor: Expected a positive integer."),
        ("arms: {one: {epochs_factor: yes}}", "arms.one.epochs_factor: |YAML reads on"),
        ("arms: {one: {reading: patience 0}}", "arms.one.reading: Expected selected, last or patience <k>."),
        (
            "reading: best\narms: {one: {}}",
            "reading: Expected selected, last or patience <k>.|reading='best'",
        ),
        ("arms: {one: {early_stopping: {patience: 3}}}", "one: early stopping, patience reads a trajectory"),
        ("arms: {one: {averaging: {models: 5}}}", "one: Model averaging trains several models."),
        ("arms: {one: {snapshots: {cycles: 2}}}", "one: snapshots plans its whole length ahead"),
        ("layers: 1\narms: {one: {layer_norm: {}}}", "one: layer norm stands between LSTM layers.|layers=1"),
        ("control: non\narms: {none: {}}", "control: unknown arm `non`.|Did you mean `none`?"),
        (
            "control: non\nfactors: {a: {layer_norm: {}}}",
            "control: unknown arm `non`. Expected one of: none, a.",
        ),
        ("factors: {a: {layer_nrm: {}}}", "factors.a: unknown technique `layer_nrm`."),
        (
            "factors: {a: {dropout: {rate: 0.1}}, b: {dropout: {rate: 0.2}}}",
            "a + b: A recipe has each technique once.",
        ),
        (
            "batch_size: [0]\narms: {none: {}}",
            "batch_size: Expected a list of positive integers|batch_size[0]=0",
        ),
        ("batch_size: [big]\narms: {none: {}}", "batch_size: |batch_size[0]='big'"),
        ("batch_size: 4\narms: {none: {}}", "batch_size: |Received: batch_size=4"),
        ("batch_size: [4, 4]\narms: {none: {}}", "batch_size: 4 is there twice."),
        ("epochs: 0\narms: {none: {}}", "epochs: Expected a positive integer|epochs=0"),
        ("tasks: [sunspot]\narms: {none: {}}", "tasks: unknown task `sunspot`.|`sunspots`"),
        ("tasks: sunspots\narms: {none: {}}", "tasks: Expected a list of names of tasks|tasks='sunspots'"),
        ("tasks: []\narms: {none: {}}", "tasks: Expected a list of names of tasks|Received: tasks=[]"),
    ],
)
def test_what_is_wrong_in_a_design_is_one_line_with_file_key_and_value(tmp_path, design, expected):
    """The message names the design's file and the arm or key, and ends with what came."""
    message = message_of(tmp_path, design)
    assert message.startswith("own.yaml: ")
    for part in expected.split("|"):
        assert part in message


def test_a_design_without_tasks_is_one_line(tmp_path):
    """Where neither the design nor the profile names a task, the message says so."""
    message = message_of(tmp_path, "arms: {none: {}}", "units: 2")
    assert message == (
        "own.yaml: no task. Expected tasks in the design or in the profile. Received: tasks=[]"
    )


def test_a_design_that_does_not_exist_is_named_with_the_nearest(tmp_path):
    """The message says which designs there are."""
    parameters(tmp_path, MINE.replace("own:", "combine:"))
    message = refusal(load_profile, "mine", tmp_path)
    assert message.startswith(
        "combine.yaml: unknown design `combine`. Expected one of: batch_size, combined,"
    )
    assert "Did you mean `combined`?" in message
