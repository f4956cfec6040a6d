"""The identity of a run holds all that decides its result, and nothing else."""

from __future__ import annotations

import ast
import dataclasses
import os
import shutil
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest
from engine import ARMS, RECIPE, WAVES, made_result, run_of, waves

from lstmstudy import paths, runs, source
from lstmstudy.data import CATALOG, build
from lstmstudy.readings import READINGS
from lstmstudy.recipe import Recipe
from lstmstudy.runs import CORE, ENGINE, Run
from lstmstudy.source import module_path
from lstmstudy.techniques import TECHNIQUES, Dropout
from lstmstudy.techniques.combination import Combination

BASE = Run(RECIPE, "waves", "0" * 64, 0, 0)
OTHER_RECIPES = {
    "layers": 3,
    "width": 5,
    "epochs": 4,
    "batch_size": 9,
    "learning_rate": 0.02,
    "techniques": (Dropout(0.1),),
    "member": 1,
}
OTHER_RUNS = {
    "recipe": dataclasses.replace(RECIPE, width=7),
    "task": "other",
    "content": "1" * 64,
    "fold": 1,
    "seed": 1,
}
# First-party modules that training reaches, but which cannot change a result behind the identity's back.
HARMLESS = {
    "lstmstudy.runs": "says what an identity holds and how an outcome is laid out; its ENGINE enters by value",
    "lstmstudy.settings": "checks that let a setting pass or raise",
    "lstmstudy.source": "makes the digests of code that enter an identity",
    "lstmstudy.techniques.alignment": "says on which tasks a technique is trained",
}
HANDED_IN = ("lstmstudy.recipe",)  # training gets instances, and imports no class
# A combination never stands in a recipe: its parts do.
IN_RECIPES = [name for name, technique in TECHNIQUES.items() if not issubclass(technique, Combination)]


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Return a copy of the package which digests of code are taken from, and a way to change a module of it."""
    shutil.copytree(
        paths.ROOT / "lstmstudy", tmp_path / "lstmstudy", ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(paths, "CODE", tmp_path / "lstmstudy")

    def change(module, edit):
        path = module_path(module)
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
        source._digest_of_ours.cache_clear()

    source._digest_of_ours.cache_clear()
    yield change
    source._digest_of_ours.cache_clear()


def identities():
    """Return the identity of every arm, computed anew."""
    return {name: run_of(waves(), recipe).identity for name, recipe in ARMS.items()}


def with_code(text):
    """Return a module's text with one more statement."""
    return text + "\nTOUCHED = 1\n"


def with_remarks(text):
    """Return a module's text with other comments, another docstring and other empty lines."""
    first, rest = text.split("\n", 1)
    assert first.startswith('"""')
    assert first.endswith('"""')
    return f'"""Something else."""\n# a remark\n\n{rest}\n\n# the end\n'


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe)])
def test_every_field_of_a_recipe_is_part_of_the_identity(field):
    """Another value in any field is another run."""
    other = dataclasses.replace(RECIPE, **{field: OTHER_RECIPES[field]})
    assert dataclasses.replace(BASE, recipe=other).identity != BASE.identity


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Run)])
def test_every_field_of_a_run_is_part_of_the_identity(field):
    """Task, content, fold and seed each make another run."""
    assert dataclasses.replace(BASE, **{field: OTHER_RUNS[field]}).identity != BASE.identity


def test_every_setting_of_a_technique_is_part_of_the_identity():
    """Rate and form each make another run, and so does a second technique."""
    recipes = [
        *ARMS.values(),
        RECIPE.adding(Dropout(0.31)),
        RECIPE.adding(*ARMS["dropout per step"].techniques, *ARMS["recurrent dropout per step"].techniques),
    ]
    assert len({dataclasses.replace(BASE, recipe=recipe).identity for recipe in recipes}) == len(recipes)


@pytest.mark.parametrize("key", ENGINE)
def test_compile_flags_and_threads_are_part_of_the_identity(key, monkeypatch):
    """What changes the last bits of a result changes the identity."""
    before = run_of(waves()).identity
    monkeypatch.setitem(ENGINE, key, "another value")
    assert run_of(waves()).identity != before


@pytest.mark.parametrize("package", ["tensorflow", "keras", "numpy"])
def test_versions_are_part_of_the_identity(package, monkeypatch):
    """An upgrade of any of the three retrains."""
    before = run_of(waves()).identity
    installed = runs.versions()
    assert installed[package] == metadata.version("tensorflow-cpu" if package == "tensorflow" else package)
    monkeypatch.setattr(runs, "versions", lambda: {**installed, package: "0.0.1"})
    assert run_of(waves()).identity != before


def test_an_identity_is_the_same_in_every_process():
    """Neither the process nor its hash seed enters the identity."""
    code = "from engine import *; print(*(run_of(waves(), recipe).identity for recipe in ARMS.values()))"
    environment = {**os.environ, "PYTHONPATH": f"{paths.ROOT}{os.pathsep}{paths.ROOT / 'tests'}"}
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == list(identities().values())


@pytest.mark.parametrize("module", CORE)
def test_touching_the_core_changes_every_identity(module, copied):
    """One more statement in any module of the core retrains every arm."""
    before = identities()
    copied(module, with_code)
    assert all(after != before[name] for name, after in identities().items())


@pytest.mark.parametrize("technique", IN_RECIPES)
def test_touching_a_technique_changes_the_arms_that_have_it_and_no_other(technique, copied):
    """One more statement in any module of a technique retrains the arms that run that module."""
    own = {name for name, recipe in ARMS.items() if technique in recipe.describe()["techniques"]}
    for module in TECHNIQUES[technique].modules:
        users = {
            name for name, recipe in ARMS.items() if any(module in used.modules for used in recipe.techniques)
        }
        before = identities()
        copied(module, with_code)
        changed = {name for name, after in identities().items() if after != before[name]}
        assert own <= changed == users
        assert "baseline" not in changed


def test_remarks_change_no_identity(copied):
    """Other comments, docstrings and empty lines in every module that counts retrain nothing."""
    before = identities()
    for module in {*CORE, *(module for technique in TECHNIQUES.values() for module in technique.modules)}:
        copied(module, with_remarks)
    assert identities() == before


def test_touching_anything_else_changes_no_identity(copied):
    """Figures, stores, workers, plans and the command line retrain nothing."""
    before = identities()
    for module in (
        "figures.style",
        "store.outcomes",
        "workers.pool",
        "plan",
        "study.study",
        "study.ablation",
        "stats.effects",
        "__main__",
    ):
        copied(f"lstmstudy.{module}", with_code)
    assert identities() == before


def executed(tree):
    """Yield every node of a module but those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from executed(node)


def imported(module):
    """Return the first-party modules that a module imports when it runs, wherever the imports stand."""
    names = set()
    for node in executed(ast.parse(module_path(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "lstmstudy":
            assert node.level == 0
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if module_path(inner).exists() else node.module)
    return {name for name in names if name.split(".")[0] == "lstmstudy"}


def reached(modules, stop):
    """Return every first-party module that is imported from `modules`, not looking beyond those in `stop`."""
    found, waiting = set(), set(modules)
    while waiting:
        module = waiting.pop()
        found.add(module)
        if module not in stop:
            waiting |= imported(module) - found
    return found


def test_the_core_is_all_that_every_training_goes_through():
    """What training imports, and imports in turn, is the core or is declared, with a reason, to change no result."""
    assert reached(["lstmstudy.training.train", *HANDED_IN], HARMLESS) - set(HARMLESS) == set(CORE)


@pytest.mark.parametrize("name", IN_RECIPES)
def test_the_modules_of_a_technique_are_all_that_it_runs(name):
    """What its hooks import, and import in turn, is listed, beside the core and what changes no result."""
    everything = reached([TECHNIQUES[name].__module__], HARMLESS)
    assert everything - set(HARMLESS) - set(CORE) == set(TECHNIQUES[name].modules)


def test_every_harmless_module_is_still_reached():
    """The list of reasons has no entry that training no longer touches."""
    techniques = [technique.__module__ for technique in TECHNIQUES.values()]
    assert set(HARMLESS) <= reached(["lstmstudy.training.train", *HANDED_IN, *techniques], HARMLESS)


def test_runs_that_share_a_compiled_epoch_share_a_group():
    """Seed, fold, strength and learning rate leave the group; task and structure change it."""
    other = dataclasses.replace(RECIPE, learning_rate=0.5)
    assert run_of(waves(), other, fold=1, seed=9).group == run_of(waves()).group
    groups = {run_of(waves(), recipe).group for recipe in ARMS.values()}
    assert len(groups) == len(ARMS)
    assert dataclasses.replace(BASE, task="other").group != BASE.group


@pytest.mark.parametrize("change", [{"variable_length": True}, {"n_outputs": 11}], ids=str)
def test_facts_that_shape_the_network_are_part_of_a_tasks_content(change, monkeypatch):
    """Masking padded steps, or one output more, trains another network on the same arrays."""
    monkeypatch.setattr(build, "classification_references", lambda *_: {})
    info = CATALOG["digits_rows"]
    content = build.build_task(info).content
    changed = build.build_task(dataclasses.replace(info, **change)).content
    assert changed != content


def test_a_result_scores_every_reading_by_validation_alone():
    """Whatever the test figures are, the same epochs are kept; only the score is read from them."""
    rng = np.random.default_rng(0)
    validation = rng.normal(size=30)
    result = made_result(validation)
    noise = dataclasses.replace(
        result,
        curves={
            name: rng.normal(size=30) if name.startswith("test/") else curve
            for name, curve in result.curves.items()
        },
        predictions={**result.predictions, "test": rng.normal(size=(len(result.epochs), 4, 1))},
    )
    for reading in READINGS:
        assert noise.keeps(reading) == result.keeps(reading)
        assert noise.error(reading, "validation") == result.error(reading, "validation")
        assert noise.error(reading) == noise.curves["test/rmse"][result.keeps(reading).epoch]


def test_a_diverged_run_has_no_error():
    """Even where an epoch before was scored, the error is NaN, on every part and in every metric."""
    result = made_result([2.0, 1.0, np.nan], diverged="training loss nan in epoch 3")
    for part in ("train", "validation", "test"):
        assert np.isnan(result.error("selected", part))
        assert np.isnan(result.error("last", part, "mae"))


def test_the_metric_follows_the_kind_of_task():
    """Forecasts are selected by RMSE, classes by cross-entropy; the others stand beside."""
    assert (WAVES.metric, WAVES.secondary) == ("rmse", "mae")
    info = dataclasses.replace(WAVES, kind="classification")
    assert (info.metric, info.secondary) == ("cross_entropy", "error_rate")
