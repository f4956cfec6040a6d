"""Any trained run becomes one model, a script and a folder that stands by itself."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from engine import RECIPE, SYLLABLES, WAVES, forced, stand_in, syllables, train_afresh, waves, write_tuned
from faults import emptied, flipped, truncated
from planning import parameters

from lstmstudy.data.cache import task_cache
from lstmstudy.export import NoModelError, NoScriptError, trained_model, training_script
from lstmstudy.export.recommended import write_recommended
from lstmstudy.plan import make_plan
from lstmstudy.runs import Outcome
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.techniques import (
    TECHNIQUES,
    Boosting,
    CellLayerNorm,
    Dropout,
    LayerNorm,
    MonteCarloDropout,
    RecurrentBatchNorm,
    RecurrentDropout,
    Snapshots,
    Zoneout,
)
from lstmstudy.training.network import Network
from lstmstudy.training.program import limit_threads
from lstmstudy.training.train import train

limit_threads()

# Keras 3.15 reads variables in a way that NumPy 2 finds old-fashioned when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
SHORT = dataclasses.replace(RECIPE, epochs=2, learning_rate=0.05)
LONGER = dataclasses.replace(RECIPE, epochs=4)  # what two cycles divide
ON_LABELS = ("dropout", "jitter", "mixup", "permutation")  # with what differs between labels and values
MORE = {
    "zoneout": Zoneout(0.2, 0.1),
    "cell layer norm": CellLayerNorm(),
    "recurrent batch norm": RecurrentBatchNorm(),
    "boosting": Boosting(2, 0.3),
    "snapshots": Snapshots(2),
}
REFUSED = {
    "monte_carlo_dropout",
    "boosting",
    "snapshots",
    "averaging",
    "bagging",
    "early_stopping",
    "trio",
    "bundle",
}
PROFILE = """\
tasks: [{task}]
techniques: [dropout]
compared: [dropout per=step]
units: 4
network: {{layers: 2, width: 4}}
training: {{epochs: 3, batch_size: 32, learning_rate: 0.003}}
grids:
  dropout: {{rate: [0.3], per: [step]}}
"""


@pytest.mark.parametrize("name", MORE)
@pytest.mark.parametrize("task", [waves, syllables], ids=["forecasting", "classification"])
def test_a_saved_model_predicts_what_the_run_predicted(task, name, tmp_path):
    """What acts inside the cell, and networks that predict together, in one loaded file: to 1e-5."""
    recipe = SHORT.adding(MORE[name])
    result = train_afresh(task(), recipe)
    model = trained_model(recipe, task().info, result.weights)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    reading = "selected" if MORE[name].replayable else "last"
    predicted = result.predicted(reading)
    assert np.ptp(predicted) > 0.001
    assert (name in {"boosting", "snapshots"}) == any(path.startswith("stage/1/") for path in result.weights)
    np.testing.assert_allclose(loaded(task().folds[0].test.x), predicted, atol=1e-5)


def test_noisy_predictions_have_no_model():
    """What averages over noise is refused in one line."""
    recipe = RECIPE.adding(MonteCarloDropout(0.3))
    with pytest.raises(
        NoModelError, match=r"^Predictions that are made with noise.*Received: techniques=\['monte_carlo"
    ):
        trained_model(recipe, WAVES, {})


def settings_of(cls):
    """Return a technique with values where it has no default."""
    return cls(
        **{
            field.name: 0.3 if field.type == "float" else 2
            for field in dataclasses.fields(cls)
            if field.default is dataclasses.MISSING
        }
    )


@pytest.fixture
def _quick(monkeypatch):
    """Let Keras compile no XLA: what is proved needs none, and it takes seconds for each script."""
    compiled = keras.Model.compile
    monkeypatch.setattr(
        keras.Model,
        "compile",
        lambda self, *args, **kwargs: compiled(self, *args, jit_compile=False, **kwargs),
    )


def written(folder, recipe, task, reading="selected"):
    """Write data and script of a recipe, run the script here, and return the names that it leaves."""
    info, fold = task.info, task.folds[0]
    arrays = {}
    for name in ("train", "validation", "test"):
        part = getattr(fold, name)
        y = part.y if info.kind == "classification" else part.y[:, 0] * fold.scale + fold.center
        arrays |= {
            f"x_{name}": part.x * fold.scale + fold.center,
            f"y_{name}": y,
            f"lengths_{name}": part.lengths,
        }
    np.savez(folder / "data.npz", **arrays)
    facts = {
        "x_mean": [fold.center],
        "x_deviation": [fold.scale],
        "y_mean": fold.center,
        "y_deviation": fold.scale,
    }
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    script = training_script(recipe, info, profile="mine", arm="an arm", reading=reading)
    (folder / "train.py").write_text(script, encoding="utf-8")
    return runpy.run_path(str(folder / "train.py"))


@pytest.mark.parametrize(
    ("name", "task"),
    [
        *((name, waves) for name in sorted(set(TECHNIQUES) - REFUSED)),
        *((name, syllables) for name in ON_LABELS),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
@pytest.mark.usefixtures("_quick")
def test_every_script_trains_the_network_of_the_study(task, name, tmp_path, capsys):
    """It runs, says its test error, and has as many weights in as many LSTM layers as the study's network."""
    technique, info = settings_of(TECHNIQUES[name]), task().info
    if technique.unfit(info):
        pytest.skip(technique.unfit(info))
    recipe = forced(technique, dataclasses.replace(RECIPE, epochs=1))
    left = written(tmp_path, recipe, task())
    assert re.search(r"test error: .*(rmse|crossentropy)", capsys.readouterr().out)
    network = Network(recipe, info).model
    trainable = [
        sum(int(np.prod(each.shape)) for each in model.trainable_variables)
        for model in (left["model"], network)
    ]
    assert trainable[0] == trainable[1]
    widths = [layer.units for layer in left["model"].layers if "LSTM" in type(layer).__name__]
    assert widths == [recipe.width] * recipe.layers
    assert float(np.asarray(left["optimizer"].learning_rate)) == pytest.approx(recipe.learning_rate)
    assert (tmp_path / "trained.keras").exists()


def test_a_script_has_the_strengths_of_its_recipe():
    """Rates, penalties, norms and the patience of the recipe stand where Keras takes them."""
    from lstmstudy.techniques import L2, GradientClipping, GradientNoise, Jitter, WeightDecay

    recipe = RECIPE.adding(
        Dropout(0.123), L2(0.00456, matrices="kernel"), GradientClipping(0.75), LayerNorm()
    )
    script = training_script(recipe, WAVES, profile="mine", arm="x", reading="patience 7")
    assert script.count("keras.layers.Dropout(0.123)") == recipe.layers
    assert script.count("kernel_regularizer=keras.regularizers.L1L2(l2=0.00456)") == recipe.layers
    assert "recurrent_regularizer" not in script
    assert script.count("keras.layers.LayerNormalization") == recipe.layers - 1
    assert f"keras.optimizers.Adam({recipe.learning_rate:g}, global_clipnorm=0.75)" in script
    assert "patience=7" in script
    assert "lstmstudy.layers" not in script
    for technique, text in {
        RecurrentDropout(0.2, "step"): 'hooks=[StateDropout(0.2, per="step")]',
        WeightDecay(0.01): "keras.optimizers.AdamW(0.003, weight_decay=0.01)",
        GradientNoise(0.3): "GradientNoise(optimizer, eta=0.3, gamma=",
        Jitter(0.4): "augment = Jitter(sd=0.4)",
    }.items():
        recipe = dataclasses.replace(RECIPE, learning_rate=0.003).adding(technique)
        assert text in training_script(recipe, WAVES, profile="mine", arm="x", reading="selected")


@pytest.mark.parametrize("name", sorted(REFUSED & {"monte_carlo_dropout", "boosting", "snapshots"}))
def test_what_is_no_single_fit_has_no_script(name):
    """Several networks and noisy predictions are refused in one line that names the technique."""
    recipe = LONGER.adding(settings_of(TECHNIQUES[name]))
    with pytest.raises(NoScriptError, match=rf"more than other lines.*Received: technique='{name}'"):
        training_script(recipe, SYLLABLES, profile="mine", arm="x", reading="selected")


@pytest.fixture(scope="module")
def study(tmp_path_factory, request):
    """Return a plan, outcomes that are trained when they are asked for, and advice for dropout."""
    root = tmp_path_factory.mktemp("study")
    folder = parameters(root, PROFILE.format(task=request.param))
    write_tuned(folder, [request.param], "2x4")
    stand_in(task_cache(root / "store"), request.param)
    plan, known = make_plan("mine", store=root / "store", folder=folder), {}

    def outcome(run):
        if run.identity not in known:
            known[run.identity] = train(run, plan.tasks[run.task])
        return known[run.identity]

    (arm,) = plan.compared_arms
    advice = SimpleNamespace(task=request.param, arm=arm.name.replace(", tuned", ""))
    return plan, outcome, SimpleNamespace(advice=[advice])


@pytest.mark.parametrize("study", ["sunspots", "japanese_vowels"], indirect=True)
def test_a_folder_repeats_the_test_error_without_this_package(study, tmp_path):
    """Copied elsewhere, `predict.py` finds the error of the run to 1e-5, with Keras and NumPy alone."""
    plan, outcome, findings = study
    (place,) = write_recommended(plan, findings, outcome, tmp_path / "mine")
    facts = json.loads((place / "model.json").read_text(encoding="utf-8"))
    moved = place.rename(tmp_path / "taken away")
    words = (
        f"import runpy, sys; runpy.run_path({str(moved / 'predict.py')!r}, run_name='__main__'); "
        "assert not [name for name in sys.modules if name.startswith('lstmstudy')]"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-c", words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found, reported = (float(each) for each in re.findall(r": ([\d.]+)", ran.stdout))
    assert found == pytest.approx(reported, rel=1e-5)
    run = plan.run(
        plan.compared_arms[0].on(facts["task"])[0],
        next(u for u in plan.units(facts["task"], 4) if u.seed == facts["seed"]),
    )
    assert facts["run"] == run.identity
    assert reported == pytest.approx(outcome(run).result.error("selected"), rel=1e-8)


@pytest.mark.parametrize("study", ["sunspots"], indirect=True)
def test_validation_chooses_the_seed_and_nothing_is_written_twice(study, tmp_path):
    """Of the newest fold the seed with the lowest validation error is taken; a second call writes no file."""
    plan, outcome, findings = study
    (place,) = write_recommended(plan, findings, outcome, tmp_path)
    facts = json.loads((place / "model.json").read_text(encoding="utf-8"))
    units = plan.units("sunspots", 4)
    newest = [unit for unit in units if unit.fold == max(each.fold for each in units)]
    (arm,) = plan.compared_arms
    errors = {
        u.seed: outcome(plan.run(arm.on("sunspots")[0], u)).result.error("selected", "validation")
        for u in newest
    }
    assert facts["seed"] == min(errors, key=errors.get)
    times = {path: path.stat().st_mtime_ns for path in place.iterdir()}
    write_recommended(plan, findings, outcome, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in place.iterdir()} == times
    (place / "model.json").unlink()
    write_recommended(plan, findings, outcome, tmp_path)
    assert (place / "model.json").exists()


@pytest.mark.parametrize("name", ["model.keras", "data.npz"])
@pytest.mark.parametrize("harm", [flipped, truncated, emptied, Path.unlink])
@pytest.mark.parametrize("study", ["sunspots"], indirect=True)
def test_a_damaged_file_is_told_and_written_again(study, harm, name, tmp_path, capsys):
    """What the folder says of its bytes is looked at by the next build; a script that somebody edited stays."""
    plan, outcome, findings = study
    (place,) = write_recommended(plan, findings, outcome, tmp_path)
    x = np.zeros((1, *keras.saving.load_model(place / "model.keras").input_shape[1:]))
    before = keras.saving.load_model(place / "model.keras")(x), (place / "data.npz").read_bytes()
    harm(place / name)
    write_recommended(plan, findings, outcome, tmp_path)
    assert capsys.readouterr().err.endswith(f"sunspots/: {name} altered; written again\n")
    np.testing.assert_array_equal(keras.saving.load_model(place / "model.keras")(x), before[0])
    assert (place / "data.npz").read_bytes() == before[1]
    (place / "train.py").write_text("mine", encoding="utf-8")
    write_recommended(plan, findings, outcome, tmp_path)
    assert (place / "train.py").read_text(encoding="utf-8") == "mine"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("study", ["sunspots"], indirect=True)
def test_missing_and_diverged_runs_leave_no_folder(study, tmp_path):
    """If no run of the newest fold has a result, nothing is written and nothing fails."""
    plan, outcome, findings = study

    def none(run):
        raise MissingRunsError(run)

    def diverged(run):
        known = outcome(run)
        return Outcome(run.identity, dataclasses.replace(known.result, diverged="loss"), known.record)

    assert write_recommended(plan, findings, none, tmp_path) == []
    assert write_recommended(plan, findings, diverged, tmp_path) == []
    assert not (tmp_path / "recommended").exists()


@pytest.mark.parametrize("study", ["sunspots"], indirect=True)
def test_what_the_user_left_in_the_folder_stays(study, tmp_path):
    """Another recommendation replaces the files of the study and no other."""
    plan, outcome, findings = study
    (place,) = write_recommended(plan, findings, outcome, tmp_path)
    (place / "mine.txt").write_text("mine", encoding="utf-8")
    baseline = SimpleNamespace(advice=[SimpleNamespace(task="sunspots", arm="baseline")])
    write_recommended(plan, baseline, outcome, tmp_path)
    assert (place / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert "Dropout" not in (place / "train.py").read_text(encoding="utf-8")
    assert json.loads((place / "model.json").read_text(encoding="utf-8"))["arm"] == "baseline"
