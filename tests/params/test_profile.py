"""Profiles and grids: what is wrong with them is said in one line, before anything starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from planning import SHIPPED, changed, parameters, plan_of, refusal

from lstmstudy import paths
from lstmstudy.params.grids import load_technique
from lstmstudy.params.profile import grid_of, load_profile, profile_names
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.techniques import TECHNIQUES

MINE = """\
tasks: [sunspots, digits_rows]
techniques: [dropout, early_stopping]
units: 3
network:
  layers: 2
  width: 8
training:
  epochs: 6
  batch_size: 32
  learning_rate: 0.003
grids:
  dropout:
    rate: [0.3]
"""
SHOWN = "description: {tasks: [sunspots]"


@pytest.fixture
def folder(tmp_path):
    """Return a folder of parameters with the shipped techniques and designs and a profile called mine."""
    return parameters(tmp_path, MINE)


def message_of(folder, name="mine"):
    """Return the message of the error that loading the profile ends in."""
    return refusal(load_profile, name, folder)


def test_a_profile_of_ones_own_loads_with_the_name_of_its_file(folder):
    """The file mine.yaml becomes the profile mine, its values unchanged."""
    profile = load_profile("mine", folder)
    assert profile.name == "mine"
    assert profile.tasks == ("sunspots", "digits_rows")
    assert (profile.network.width, profile.training.epochs, profile.training.learning_rate) == (8, 6, 0.003)
    assert profile_names(folder) == ("mine",)


def test_the_grid_of_a_profile_replaces_single_settings(folder):
    """Rates come from the profile, and how long a mask lives from the technique's own file."""
    arms = grid_of(load_profile("mine", folder), "dropout", folder)
    assert [(arm.rate, arm.per) for arm in arms] == [(0.3, "step"), (0.3, "sequence")]


def test_a_grid_gives_the_product_of_its_values(folder):
    """Every combination of a technique's values is an arm, once."""
    changed(folder, "grids:\n  dropout:\n    rate: [0.3]\n", "")
    arms = grid_of(load_profile("mine", folder), "dropout", folder)
    grid = load_technique("dropout", folder).grid
    assert {(arm.rate, arm.per) for arm in arms} == {(r, p) for r in grid["rate"] for p in grid["per"]}
    assert len(arms) == len(grid["rate"]) * len(grid["per"])


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_has_distinct_arms_that_are_on(name):
    """No arm of a profile is another one or the baseline, by settings, by label and by what is trained."""
    plan = plan_of(paths.PARAMS, name)
    found = [technique for each in plan.profile.techniques for technique in grid_of(plan.profile, each)]
    assert len(set(found)) == len({technique.label for technique in found}) == len(found) > 0
    assert not any(technique.is_off for technique in found)
    arms = [arm for each in plan.profile.techniques for arm in plan.arms(each)]
    trained = {(arm.on("digits_rows"), arm.reading, arm.technique.combine) for arm in arms}
    assert len(trained) == len(arms) == len(found)
    same = {arm.technique.name for arm in arms if arm.on("digits_rows") == (plan.baseline.recipe,)}
    assert same == {"early_stopping"}


def test_the_three_sizes_are_shipped_and_grow():
    """Smoke, default and full exist, each with more units than the one before."""
    assert set(SHIPPED) <= set(profile_names())
    units = [load_profile(name).units for name in SHIPPED]
    assert units == sorted(set(units))


def test_every_technique_has_a_file_and_every_file_a_technique():
    """The files in params/techniques are those of the techniques that exist."""
    stems = {path.stem for path in (paths.PARAMS / "techniques").glob("*.yaml")}
    assert stems == set(TECHNIQUES)
    for stem in stems:
        assert load_technique(stem).name == stem
    for name in SHIPPED:
        assert set(load_profile(name).techniques) == stems


def test_every_shipped_design_is_in_every_shipped_profile():
    """A file in params/designs that no study trains would be dead."""
    stems = {path.stem for path in (paths.PARAMS / "designs").glob("*.yaml")}
    assert stems
    for name in SHIPPED:
        assert set(load_profile(name).designs) == stems


def test_what_a_profile_leaves_out_is_as_documented(folder):
    """Grids are described on the profile's own tasks and units, every tuned arm is compared, no design is there."""
    profile = load_profile("mine", folder)
    assert (profile.described.tasks, profile.described.units) == (profile.tasks, profile.units)
    assert profile.compares("dropout", "dropout per=step")
    assert profile.designs == {}
    assert (profile.tuning.trials, profile.tuning.units) == (8, 2)


def test_a_description_without_tasks_is_of_the_profile_s_own(folder):
    """`description: {units: 2}` describes grids on the tasks of the profile, whatever joins them later."""
    changed(folder, "units: 3", "units: 3\ndescription: {units: 2}")
    profile = load_profile("mine", folder)
    assert (profile.described.tasks, profile.described.units) == (profile.tasks, 2)
    more = profile.model_copy(update={"tasks": (*profile.tasks, "own_load_1")})
    assert more.described.tasks == (*profile.tasks, "own_load_1")
    changed(folder, "description: {units: 2}", "description: {tasks: [sunspots], units: 2}")
    assert load_profile("mine", folder).described.tasks == ("sunspots",)


def test_tuned_arms_are_compared_by_name_or_by_technique(folder):
    """Naming a technique compares all of its tuned arms, naming one of them that one alone."""
    changed(folder, "units: 3", "units: 3\ncompared: [dropout per=step]")
    one = load_profile("mine", folder)
    assert one.compares("dropout", "dropout per=step")
    assert not one.compares("dropout", "dropout per=sequence")
    changed(folder, "[dropout per=step]", "[dropout]")
    both = load_profile("mine", folder)
    assert both.compares("dropout", "dropout per=step")
    assert both.compares("dropout", "dropout per=sequence")


def test_every_line_of_the_shipped_files_says_why():
    """Each value in a file of params/ has a comment behind it; two files explain their keys at the head."""
    headed = {paths.PARAMS / name for name in ("tuned.yaml", "claims.yaml")}
    files = set(paths.PARAMS.rglob("*.yaml")) - headed
    assert len({path.parent for path in files}) == 3
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            opens_block = line.rstrip().endswith(":")
            assert opens_block or "# " in line, f"{file.name}: {line}"


@pytest.mark.parametrize(
    ("old", "new", "expected", "received"),
    [
        ("epochs: 6", "epoch: 6", "unknown key `training.epoch`|Did you mean `epochs`?", "epoch=6"),
        ("units: 3", "units: 3\nname: x", "unknown key `name`", "name='x'"),
        ("units: 3", "unit: 3", "unknown key `unit`|Did you mean `units` or `tuning`?", "unit=3"),
        ("units: 3\n", "", "missing key `units`|an integer", "'training', 'grids']"),
        ("  epochs: 6\n", "", "missing key `training.epochs`", "keys=['batch_size', 'learning_rate']"),
        ("epochs: 6", "epochs: 0", "training.epochs: |from 1 to 10000", "epochs=0"),
        ("epochs: 6", "epochs: 6.0", "training.epochs: |an integer", "epochs=6.0"),
        ("epochs: 6", 'epochs: "6"', "training.epochs: |write 6, without quotes", "epochs='6'"),
        ("epochs: 6", "epochs: 6e1", "training.epochs: |write 60 or 6.0e+1", "epochs='6e1'"),
        ("epochs: 6", "epochs: yes", "training.epochs: |YAML reads on, yes", "epochs=True"),
        ("0.003", "1e-3", "training.learning_rate: |write 0.001 or 1.0e-3", "learning_rate='1e-3'"),
        ("0.003", "0.0", "training.learning_rate: |above 0", "learning_rate=0.0"),
        ("0.003", ".nan", "training.learning_rate: ", "learning_rate=nan"),
        ("width: 8", "width: 4096", "network.width: |2048", "width=4096"),
        ("batch_size: 32", "batch_size: [32]", "training.batch_size: ", "batch_size=[32]"),
        ("[sunspots, ", "[sunspot, ", "tasks: unknown task|you mean `sunspots` or", "task='sunspot'"),
        ("[sunspots, ", "[on, ", "tasks: |YAML reads on", "tasks[0]=True"),
        ("[sunspots, ", "[digits_rows, ", "tasks: 'digits_rows' is there twice", "'digits_rows']"),
        ("[sunspots, digits_rows]", "[]", "tasks: |at least one", "tasks=[]"),
        ("[sunspots, digits_rows]", "sunspots", "tasks: |a list", "tasks='sunspots'"),
        ("[dropout, ", "[DROPOUT, ", "techniques: unknown technique|Did you mean `dropout`?", "'DROPOUT'"),
        (
            "[dropout, ",
            "[telepathy, ",
            "techniques: unknown technique|one of: averaging",
            "technique='telepathy'",
        ),
        ("[dropout, ", "[", "grids: unknown technique `dropout`|of this profile", "technique='dropout'"),
        ("rate: [0.3]", "rat: [0.3]", "unknown key `grids.dropout.rat`|`rate`?", "rat=[0.3]"),
        ("rate: [0.3]", "rate: [1.2]", "grids.dropout.rate: |number in [0, 1)", "rate=1.2"),
        ("rate: [0.3]", "rate: [3e-1]", "grids.dropout.rate: |write 0.3 or 3.0e-1", "rate='3e-1'"),
        ("rate: [0.3]", "rate: [0.3, 0.30]", "grids.dropout.rate: 0.3 is there twice", "rate=[0.3, 0.3]"),
        ("rate: [0.3]", "rate: []", "grids.dropout.rate: |at least one", "rate=[]"),
        ("rate: [0.3]", "rate: 0.3", "grids.dropout.rate: |a list", "rate=0.3"),
        ("rate: [0.3]", "rate: [[0.3]]", "grids.dropout.rate: |numbers or texts", "rate=[[0.3]]"),
        ("rate: [0.3]", "rate: [0.3, 0]", "grids.dropout.rate: |baseline is always there", "rate=0"),
        ("rate: [0.3]", "per: [on]", "grids.dropout.per: |YAML reads on", "per=True"),
        ("    rate: [0.3]\n", "    {}\n", "grids.dropout: |at least one", "dropout={}"),
        ("units: 3", "units: 3\ncompared: []", "compared: |at least one", "compared=[]"),
        ("units: 3", "units: 3\ncompared: dropout", "compared: |a list", "compared='dropout'"),
        (
            "units: 3",
            "units: 3\ncompared: [dropout per=steps]",
            "compared: unknown arm|Only tuned arms of this profile|Did you mean `dropout per=step`",
            "arm='dropout per=steps'",
        ),
        ("units: 3", "units: 3\ncompared: [early_stopping]", "compared: unknown arm", "arm='early_stopping'"),
        ("units: 3", "units: 3\ncompared: [zoneout]", "compared: unknown arm", "arm='zoneout'"),
        ("units: 3", "units: 3\ncompared: [dropout, dropout]", "compared: 'dropout' is there twice", "]"),
        (
            "units: 3",
            f"units: 3\n{SHOWN}, units: 0}}",
            "description.units: Expected an integer from 1",
            "units=0",
        ),
        ("units: 3", f"units: 3\n{SHOWN}}}", "missing key `description.units`|an integer", "keys=['tasks']"),
        (
            "units: 3",
            "units: 3\ndescription: {tasks: [], units: 2}",
            "description.tasks: |at least one",
            "[]",
        ),
        (
            "units: 3",
            f"units: 3\n{SHOWN}, unit: 2}}",
            "key `description.unit`|one of: tasks, units.",
            "unit=2",
        ),
        (
            "units: 3",
            "units: 3\ndescription: {tasks: [vowels], units: 2}",
            "description.tasks: unknown task",
            "'vowels'",
        ),
        (
            "units: 3",
            "units: 3\ndesigns: {combine: {units: 2}}",
            "unknown design|Did you mean `combined`?",
            "design='combine'",
        ),
        (
            "units: 3",
            "units: 3\ndesigns: {combined: {unit: 2}}",
            "key `designs.combined.unit`|`units`?",
            "unit=2",
        ),
        ("units: 3", "units: 3\ndesigns: {combined: {}}", "missing key `designs.combined.units`", "keys=[]"),
        (
            "units: 3",
            "units: 3\ndesigns: {combined: 3}",
            "designs.combined: |with the keys tasks, units",
            "combined=3",
        ),
        (
            "units: 3",
            "units: 3\ndesigns: {combined: {units: 2, tasks: [sunspot]}}",
            "designs.combined.tasks: unknown task",
            "task='sunspot'",
        ),
        (
            "units: 3",
            "units: 3\ndesigns: {lengths: {units: 2, arms: [layernorm]}}",
            "designs.lengths.arms: unknown arm",
            "arm='layernorm'",
        ),
        (
            "units: 3",
            "units: 3\ndesigns: {combined: {units: 2, tasks: sunspots}}",
            "designs.combined.tasks: Expected a list",
            "tasks='sunspots'",
        ),
    ],
)
def test_what_is_wrong_in_a_profile_is_one_line_with_file_key_and_value(folder, old, new, expected, received):
    """The message starts with the file, names the key, and ends with what came."""
    changed(folder, old, new)
    message = message_of(folder)
    assert message.startswith("combine.yaml: " if "combine:" in new else "mine.yaml: ")
    for part in expected.split("|"):
        assert part in message
    assert "Received: " in message
    assert message.endswith(received)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("notebook: 01_dropout\ngrid: {rate: [1.2]}", "grid.rate: `rate` is the probability of dropping."),
        ("notebook: 01_dropout\ngrid: {rate: [0]}", "grid.rate: this switches the technique off."),
        ("notebook: 01_dropout\ngrid: {per: [step]}", "missing key `grid.rate`."),
        ("notebook: 01_dropout\ngrid: {rates: [0.1]}", "unknown key `grid.rates`."),
        ("notebook: 01_dropout\ngrid: {}", "grid: Expected"),
        ("notebook: 01_dropout\ngrids: {rate: [0.1]}", "unknown key `grids`."),
        ("notebook: ../x\ngrid: {rate: [0.1]}", "notebook: Expected a name such as 01_dropout."),
        ("grid: {rate: [0.1]}", "missing key `notebook`."),
    ],
)
def test_loading_a_profile_checks_every_technique_that_it_names(folder, content, expected):
    """What is wrong in a technique's file is found with the profile, and the message names that file."""
    changed(folder, "grids:\n  dropout:\n    rate: [0.3]\n", "")
    (folder / "techniques" / "dropout.yaml").write_text(content, encoding="utf-8")
    message = message_of(folder)
    assert message.startswith(f"dropout.yaml: {expected}")
    assert " Received: " in message
    assert "\n" not in message


def test_a_technique_without_a_file_is_named(folder):
    """A technique that exists, but whose parameters are missing, is an error with the file's name."""
    (folder / "techniques" / "early_stopping.yaml").unlink()
    assert message_of(folder) == (
        "early_stopping.yaml: the file is missing. Expected a YAML file of that name. "
        "Received: file='early_stopping.yaml'"
    )


def test_an_unknown_profile_names_its_file_and_the_nearest(folder):
    """The message says which profiles there are and which file would create the one asked for."""
    message = message_of(folder, "mines")
    assert message.startswith("mines.yaml: unknown profile `mines`. Expected one of: mine. ")
    assert "A file params/mines.yaml would create it. Did you mean `mine`?" in message
    assert message.endswith("Received: profile='mines'")


@pytest.mark.parametrize(
    "name", ["", "../mine", "a/b", "a\\b", ".mine", "my profile", "mine\n", "ä", "x" * 65]
)
def test_a_profile_is_named_by_plain_letters(folder, name):
    """A name with which a path could leave params/ or surprise a shell is refused."""
    message = message_of(folder, name)
    assert "stem of a file in params/" in message
    assert message.endswith(f"Received: profile={name!r}")


@pytest.mark.parametrize("name", ["store", "tuned", "claims"])
def test_a_profile_takes_no_name_that_the_study_uses_itself(folder, name):
    """reports/store/ holds the runs, params/ the tuned strengths and the claims, so these are no profiles."""
    shutil.copy(folder / "mine.yaml", folder / f"{name}.yaml")
    assert name not in profile_names(folder)
    assert (
        f"(not store or tuned or claims), such as mine for params/mine.yaml. Received: profile={name!r}"
        in message_of(folder, name)
    )


def test_a_profile_cannot_be_changed_once_loaded(folder):
    """Assigning to a field raises."""
    profile = load_profile("mine", folder)
    with pytest.raises(ValueError, match="frozen"):
        profile.units = 5


def test_messages_name_files_as_seen_from_the_checkout():
    """A shipped file appears with its folder and without the place of the checkout."""
    with pytest.raises(ParamsError) as caught:
        load_profile("defaults")
    assert str(caught.value).startswith("params/defaults.yaml: ")


def test_checking_parameters_loads_no_tensorflow():
    """A wrong key is reported at once, without waiting for TensorFlow's import."""
    code = "import sys; from lstmstudy.params.profile import load_profile; load_profile('default')\n"
    code += "print(sorted({'tensorflow', 'keras', 'aeon', 'sklearn'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert found.stdout.strip() == "[]"
