"""Adding a technique is one file, one YAML and one notebook: its description is followed word by word."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
import textwrap

import pytest
import yaml
from checkout import FOLDERS, LEFT_OUT, PLANNED, Checkout
from engine import stand_in, write_tuned
from planning import parameters, plan_of

from lstmstudy import paths
from lstmstudy.plan import Unit
from lstmstudy.store.outcomes import RunStore
from lstmstudy.study.study import Study

NAME = "input_noise"
SMALL = """\
tasks: [sunspots]
techniques:
  - dropout
units: 2
network: {layers: 1, width: 4}
training: {epochs: 2, batch_size: 32, learning_rate: 0.003}
description: {tasks: [sunspots], units: 1}
tuning: {trials: 1, units: 1}
"""
ON_THE_SPOT = """
from lstmstudy import open_study
from lstmstudy.techniques.registry import TECHNIQUES
study = open_study("smoke")
arm = study.arm(TECHNIQUES["input_noise"](0.1))
unit = study.plan.units("sunspots", 1)[0]
study.ablate(arm)
on, off = (study.outcome(study.plan.run(each.recipe, unit)).result for each in (arm, arm.control))
print(on.diverged, off.diverged, on.pairing == off.pairing, (on.curves["loss"] == off.curves["loss"]).any())
"""


def section():
    """Return how to add a technique."""
    text = (paths.CODE / "techniques" / "README.md").read_text(encoding="utf-8")
    return text.partition("# Add a technique\n")[2].partition("\n## ")[0]


def block(language):
    """Return the only block of a language in that section."""
    (found,) = re.findall(rf"\n   ```{language}\n(.*?)\n   ```\n", section(), flags=re.DOTALL)
    return f"{textwrap.dedent(found)}\n"


def places():
    """Return where the section puts the technique, its parameters and its notebook."""
    return re.findall(r"^\d\. \*\*[^*]+\*\*, `([^`]+)`", section(), flags=re.MULTILINE)


def identities(copy):
    """Return the identity of each planned run by arm, task and seed."""
    rows = json.loads(copy.run("-c", PLANNED, "smoke").stdout)
    return {(arm, task, seed): identity for arm, task, seed, identity in rows}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return a copy of the checkout with a small smoke study, and what it plans before anything is added."""
    root = tmp_path_factory.mktemp("adding") / "checkout"
    for name in FOLDERS:
        shutil.copytree(paths.ROOT / name, root / name, ignore=LEFT_OUT)
    (root / "params" / "smoke.yaml").write_text(SMALL, encoding="utf-8")
    write_tuned(root / "params", ["sunspots"], "1x4")
    copy = Checkout(root)
    stand_in(copy.store / "tasks", "sunspots")
    return copy, identities(copy)


@pytest.fixture(scope="module")
def added(prepared):
    """Return the copy after steps 1 to 4, and what the last of them said."""
    copy, _ = prepared
    technique, settings, notebook = places()
    (copy.root / technique).write_text(block("python"), encoding="utf-8")
    (copy.root / settings).write_text(block("yaml"), encoding="utf-8")
    original = (copy.root / "notebooks" / "01_dropout.ipynb").read_text(encoding="utf-8")
    (copy.root / notebook).write_text(original.replace('\\"dropout\\"', f'\\"{NAME}\\"'), encoding="utf-8")
    copy.edit("params/smoke.yaml", "  - dropout\n", f"  - dropout\n  - {NAME}\n")
    return copy, copy.study("tune", "--profile", "smoke", "--only", NAME)


def test_the_section_names_one_file_of_each_kind():
    """A technique, its parameters and its notebook are all that is added, and the calls of step 4 fit them."""
    assert places() == [
        f"lstmstudy/techniques/{NAME}.py",
        f"params/techniques/{NAME}.yaml",
        f"notebooks/11_{NAME}.ipynb",
    ]
    assert f"add `{NAME}` under `techniques:`" in section()
    assert f"ONLY=11_{NAME}" in section()


def test_the_parameters_of_the_section_follow_the_rule_for_such_files():
    """Each line with a value has its reason behind it, and the chapter is the notebook that is added."""
    content = yaml.safe_load(block("yaml"))
    assert f"notebooks/{content['notebook']}.ipynb" == places()[2]
    for line in block("yaml").splitlines():
        assert line.rstrip().endswith(":") or "# " in line or "from:" in line, line


def test_the_search_finds_a_strength_of_the_new_technique(added):
    """`tune` trains its draws and writes what it chose beside what was there."""
    copy, finished = added
    assert finished.returncode == 0, finished.stderr
    arms = yaml.safe_load((copy.root / "params" / "tuned.yaml").read_text(encoding="utf-8"))["1x4"][
        "sunspots"
    ]
    drawn = yaml.safe_load(block("yaml"))["tuned"][0]["sd"]
    assert drawn["from"] <= arms[NAME]["best"]["settings"]["sd"] <= drawn["to"]
    assert len(arms[NAME]["trials"]) == 1
    assert {"baseline", "dropout per=step"} < arms.keys()


def test_the_plan_counts_the_runs_of_the_new_technique(added):
    """Its chapter has the baseline, the arms of its grid with one unit, its tuned arm and the tuned baseline.

    Claims about the baseline alone need it on the seed of the search too.
    """
    copy, _ = added
    strengths = len(yaml.safe_load(block("yaml"))["grid"]["sd"])
    missing = copy.missing()
    assert missing[f"11_{NAME}"] == 2 + strengths * 1 + 2 * 2
    assert missing["99_comparison"] == (1 + 2 + 1) * 2 + 1


def test_the_registry_finds_the_technique_and_no_other_run_changes(prepared, added):
    """Every run that was planned before has the identity that it had; no file of the package was edited."""
    copy, _ = added
    code = f"from lstmstudy.techniques import TECHNIQUES; print(TECHNIQUES['{NAME}'](0.1).label)"
    assert copy.run("-c", code).stdout == "input noise 0.1\n"
    before, after = prepared[1], identities(copy)
    assert {key: after[key] for key in before} == before
    assert {arm for arm, _, _ in after.keys() - before.keys()} == {
        "input noise 0.03",
        "input noise 0.1",
        "input noise 0.3",
        "input noise, tuned",
    }


def test_its_runs_change_with_its_file_and_no_others_do(added, tmp_path):
    """A changed line of code gives each of its runs another identity, a changed comment none."""
    changed = added[0].copy(tmp_path / "checkout")
    before = identities(changed)
    file = places()[0]
    changed.edit(file, '"""Noise on the inputs of every LSTM layer."""', '"""Noise."""  # on the inputs')
    assert identities(changed) == before
    changed.edit(file, "GaussianNoise(self.sd,", "GaussianNoise(2 * self.sd,")
    after = identities(changed)
    assert after.keys() == before.keys()
    assert {arm for arm, task, seed in after if after[arm, task, seed] != before[arm, task, seed]} == {
        arm for arm, _, _ in after if arm.startswith("input noise")
    }


def test_it_trains_on_the_spot_beside_its_baseline(added, tmp_path):
    """An arm with it starts from the baseline's weights and batches, and the noise moves the loss."""
    finished = added[0].copy(tmp_path / "checkout").run("-c", ON_THE_SPOT)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1].split() == ["None", "None", "True", "False"]


def test_a_class_in_a_cell_is_refused_with_the_way_out(tmp_path):
    """Where the module is __main__, as in a notebook, the error names `%%writefile` and the class."""
    for arguments in (["-c", block("python")], [str(tmp_path / "script.py")]):
        (tmp_path / "script.py").write_text(block("python"), encoding="utf-8")
        copied = Checkout(paths.ROOT)
        finished = copied.run(*arguments, cwd=tmp_path)
        assert finished.returncode == 1
        last = finished.stderr.splitlines()[-1]
        assert "begin the cell with `%%writefile my_technique.py`" in last
        assert last.endswith("Received: class=__main__.InputNoise")
    assert "begin the cell with `%%writefile my_technique.py`" in section()


def test_a_class_in_a_file_outside_of_the_package_makes_an_arm(tmp_path, monkeypatch):
    """`study.arm` takes it as it is; its runs count that file, and change with it."""
    file = tmp_path / "my_technique.py"
    file.write_text(block("python"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("my_technique")
    monkeypatch.delitem(sys.modules, "my_technique")
    plan = plan_of(parameters(tmp_path / "params", SMALL))
    arm = Study(plan, RunStore(tmp_path / "store")).arm(module.InputNoise(0.1))
    assert arm.recipe == plan.baseline.recipe.adding(module.InputNoise(0.1))
    assert arm.control.recipe == plan.baseline.recipe
    assert module.InputNoise.modules == ("my_technique",)

    def identity():
        return plan.run(arm.recipe, Unit("sunspots", 0, 0)).identity

    first = identity()
    assert len(plan.runs([arm])) == 2
    file.write_text(
        block("python").replace("GaussianNoise(self.sd,", "GaussianNoise(2 * self.sd,"), encoding="utf-8"
    )
    importlib.invalidate_caches()
    changed = plan.run(plan.baseline.recipe.adding(module.InputNoise(0.1)), Unit("sunspots", 0, 0))
    assert changed.identity != first


def test_a_file_of_ones_own_cannot_take_the_name_of_a_shipped_technique(tmp_path):
    """Two techniques with one name would share a place in every table; the error names it."""
    (tmp_path / "my_technique.py").write_text(
        block("python").replace(f'"{NAME}"', '"dropout"'), encoding="utf-8"
    )
    finished = subprocess.run(
        [sys.executable, "-c", "import my_technique"],
        cwd=tmp_path,
        env={**Checkout(paths.ROOT).environment, "PYTHONPATH": f"{paths.ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].endswith("Received: name='dropout'")
