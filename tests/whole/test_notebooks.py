"""The notebooks: thin, without outputs, with plain Keras lines that compute what the study computes."""

from __future__ import annotations

import ast
import functools
import json
from collections import Counter

import nbformat
import numpy as np
import pytest

from lstmstudy import paths
from lstmstudy.claims.table import load_claims
from lstmstudy.data.catalog import CATALOG
from lstmstudy.params.grids import load_technique
from lstmstudy.recipe import Recipe
from lstmstudy.study.study import open_study
from lstmstudy.techniques import (
    TECHNIQUES,
    BatchNorm,
    Bundle,
    CellLayerNorm,
    Dropout,
    Jitter,
    LayerNorm,
    MonteCarloDropout,
    RecurrentBatchNorm,
    RecurrentDropout,
    Snapshots,
    TimeWarp,
    WeightAveraging,
    WeightDrop,
    Zoneout,
)

NOTEBOOKS = {path.stem: path for path in sorted(paths.NOTEBOOKS.glob("*.ipynb"))}
CHAPTERS = [name for name in NOTEBOOKS if name[0].isdigit()]  # what a report is made of; the tutorial is none
PLAIN = "plain-keras"
SUNSPOTS = CATALOG["sunspots"]
WIDE = Recipe(layers=2, width=32)


def read(name):
    """Return a notebook."""
    return nbformat.read(NOTEBOOKS[name], as_version=4)


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def code_cells(name):
    """Return the code cells of a notebook."""
    return [cell for cell in read(name).cells if cell.cell_type == "code"]


def parameters(name):
    """Return the one cell with the parameters."""
    (cell,) = [cell for cell in code_cells(name) if "parameters" in tags(cell)]
    return cell


every_notebook = pytest.mark.parametrize("name", NOTEBOOKS)
every_chapter = pytest.mark.parametrize("name", CHAPTERS)


@pytest.mark.parametrize("claim", load_claims().values(), ids=list(load_claims()))
def test_every_claim_is_named_in_its_chapter(claim, request):
    """The prose of the chapter that judges a claim has its id, from which the report leads to the table of claims."""
    name = request.node.callspec.id
    prose = [cell.source for cell in read(claim.chapter).cells if cell.cell_type == "markdown"]
    assert any(f"`{name}`" in text for text in prose)


def test_there_is_a_notebook_for_every_technique():
    """The chapter that a technique's file names exists and asks for that technique."""
    assert {"00_overfitting", "99_comparison"} <= NOTEBOOKS.keys()
    for technique in TECHNIQUES:
        code = [cell.source for cell in code_cells(load_technique(technique).notebook)]
        asked = [f'study.{kind}("{technique}")' for kind in ("arms", "tuned")]
        assert any(words in source for words in asked for source in code)


@every_notebook
def test_a_notebook_is_committed_without_outputs(name):
    """No output, no count, no attachment, and nothing that an editor or papermill noted."""
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook.metadata.keys() <= {"kernelspec", "language_info"}
    assert notebook.metadata.language_info.keys() == {"name"}
    for cell in notebook.cells:
        assert cell.metadata.keys() <= {"tags"}
        assert "attachments" not in cell
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@every_notebook
def test_every_cell_has_an_id_of_its_own(name):
    """Cells are told apart by their ids."""
    ids = Counter(
        cell.id
        for cell in json.loads(
            NOTEBOOKS[name].read_text(encoding="utf-8"), object_hook=nbformat.from_dict
        ).cells
    )
    assert max(ids.values()) == 1


@every_notebook
def test_a_notebook_opens_with_its_title(name):
    """The first cell is prose with the one heading of level 1."""
    first, *others = read(name).cells
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    prose = [
        first.source.removeprefix("# "),
        *(cell.source for cell in others if cell.cell_type == "markdown"),
    ]
    assert not any(line.startswith("# ") for source in prose for line in source.splitlines())


@every_chapter
def test_every_parameter_is_read(name):
    """The parameters stand in one cell of plain assignments, and each of them is used in a later cell."""
    cells = code_cells(name)
    assert cells[0] == parameters(name)
    statements = ast.parse(cells[0].source).body
    assert statements
    assert all(isinstance(statement, ast.Assign) for statement in statements)
    names = {target.id for statement in statements for target in statement.targets}
    later = [node for cell in cells[1:] for node in ast.walk(ast.parse(cell.source))]
    used = {node.id for node in later if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    stored = {node.id for node in later if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert names <= used
    assert not names & stored
    assert "profile" in names


@every_chapter
def test_the_default_parameters_are_those_of_the_default_study(name):
    """A notebook that somebody opens runs with the profile that make runs."""
    values = {}
    exec(parameters(name).source, values)  # noqa: S102 - our own cell
    assert values["profile"] == "default"


@every_chapter
def test_a_notebook_has_no_logic(name):
    """No loop, no function, no class, no condition: what a notebook does is a call into the package."""
    logic = (
        ast.For,
        ast.While,
        ast.FunctionDef,
        ast.Lambda,
        ast.ClassDef,
        ast.If,
        ast.Try,
        ast.With,
        ast.comprehension,
    )
    for cell in code_cells(name):
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, logic)]


@every_chapter
def test_no_number_is_typed_into_a_notebook(name):
    """Outside the parameters and the lines to copy, code has no numbers; what is said comes from the data."""
    for cell in code_cells(name):
        if PLAIN in tags(cell) or "parameters" in tags(cell):
            continue
        constants = [
            node.value for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Constant)
        ]
        assert all(isinstance(value, str) for value in constants)
        words = [value for value in constants if value not in TECHNIQUES]  # l1 and l2 are names
        assert not any(character.isdigit() for value in words for character in value)


@every_chapter
def test_every_figure_is_shown_with_what_it_finds(name):
    """Each cell that compares ends in show(...) or say(...), so that no figure is without its sentence."""
    own = [cell for cell in code_cells(name) if PLAIN not in tags(cell) and "parameters" not in tags(cell)]
    opening, *comparing = own
    assert "open_study(profile)" in opening.source
    assert comparing
    for cell in comparing:
        last = ast.parse(cell.source).body[-1]
        assert isinstance(last, ast.Expr)
        assert last.value.func.id in {"show", "say"}


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """Return a function from a notebook to what its plain Keras cells define; they are executed once."""
    from lstmstudy.training.program import limit_threads

    limit_threads()  # as everything else in this process that trains

    @functools.cache
    def defined(name):
        cells = [cell.source for cell in code_cells(name) if PLAIN in tags(cell)]
        assert cells
        names = {}
        if any("study." in source for source in cells):
            names["study"] = open_study("smoke", store=tmp_path_factory.mktemp(name))
        for source in cells:
            exec(source, names)  # noqa: S102 - our own cells
        return names

    return defined


def network(*techniques, info=SUNSPOTS):
    """Return the study's network on a task with some techniques on."""
    from lstmstudy.training.network import Network

    return Network(WIDE.adding(*techniques), info)


def assert_same_function(model, study, info=SUNSPOTS, scale=0.4):
    """Copy the weights of a model into the study's network and compare the two at inference."""
    ours = study.model.trainable_variables
    theirs = model.trainable_variables
    assert [variable.shape for variable in theirs] == [variable.shape for variable in ours]
    rng = np.random.default_rng(1)
    for mine, other in zip(ours, theirs, strict=True):
        other.assign(rng.normal(scale=scale, size=other.shape))
        mine.assign(other.numpy())
    x = rng.normal(size=(5, info.window, info.n_features)).astype("float32")
    expected = study.model(x, training=False).numpy()
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(model(x, training=False).numpy(), expected, atol=1e-5)


def dropped(layer, features):
    """Return where a dropout layer drops in training, (batch, time, features)."""
    import keras

    return layer(keras.ops.ones((8, 12, features)), training=True).numpy()


def assert_same_dropping(model, study, name, per):
    """Compare the places, the number and the masks of dropout layers in two models."""
    import keras

    kinds = [type(layer).__name__ for layer in model.layers]
    layers = [model.layers[place - 1] for place, kind in enumerate(kinds) if kind == "LSTM"]
    ours = study.placed[name]
    assert len(layers) == len(ours) == WIDE.layers
    assert sum("Dropout" in kind for kind in kinds) == len(layers)
    assert model.layers[0] is layers[0]  # the first one is in front of the first LSTM layer
    order = [layer.name for layer in study.model.layers if not isinstance(layer, keras.layers.InputLayer)]
    assert order == [ours[0].name, "lstm_1", ours[1].name, "lstm_2", "head"]
    for theirs, mine in zip(layers, ours, strict=True):
        assert theirs.rate == pytest.approx(float(mine.rate.numpy()))
        for layer in (theirs, mine):
            masks = dropped(layer, WIDE.width)
            assert set(np.unique(masks.round(4))) == {0.0, np.float32(1 / 0.7).round(4)}
            assert len({masks[sample].tobytes() for sample in range(8)}) == 8
            steps = {masks[:, step].tobytes() for step in range(12)}
            assert len(steps) == (12 if per == "step" else 1)


def test_the_plain_network_is_the_baseline(copied):
    """00: with the same weights the lines to copy predict what the study's baseline predicts."""
    model = copied("00_overfitting")["model"]
    assert_same_function(model, network())
    assert model.optimizer.learning_rate.numpy() == pytest.approx(WIDE.learning_rate)


@pytest.mark.parametrize(("variable", "per"), [("per_step", "step"), ("per_sequence", "sequence")])
def test_plain_dropout_is_the_studys_dropout(copied, variable, per):
    """01: both forms compute the study's function, and drop at the same places with masks of the same life."""
    model = copied("01_dropout")[variable]
    study = network(Dropout(0.3, per=per))
    assert_same_function(model, study)
    assert_same_dropping(model, study, "dropout", per)


def test_plain_recurrent_dropout_is_the_studys_variational_form(copied):
    """02: Keras's argument drops the state of both layers by one mask for all steps, as the study's hook does."""
    import keras

    model = copied("02_recurrent_variational_dropout")["variational"]
    study = network(RecurrentDropout(0.3, form="sequence"))
    assert_same_function(model, study)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.LSTM)]
    hooks = study.placed["recurrent_dropout"]
    assert len(layers) == len(hooks) == WIDE.layers
    for layer, hook in zip(layers, hooks, strict=True):
        assert layer.dropout == 0
        assert layer.recurrent_dropout == pytest.approx(float(hook.rate.numpy()))
        assert hook.sample(8, 12, WIDE.width).shape == (1, 8, WIDE.width)
        # Keras asks for a mask at every step, and gets the one that it drew at the first.
        state = keras.ops.ones((8, WIDE.width))
        drawn = [layer.cell.get_recurrent_dropout_mask(state) for _ in range(2)]
        np.testing.assert_array_equal(*(np.asarray(mask) for mask in drawn))
        layer.cell.reset_recurrent_dropout_mask()


def test_the_studys_layers_serve_in_a_plain_model(copied):
    """02: the model with the study's own layers is the baseline at inference, and drops per step in training."""
    model = copied("02_recurrent_variational_dropout")["per_step"]
    assert_same_function(model, network())
    first, second = (layer for layer in model.layers if type(layer).__name__ == "LSTM")
    for layer, form in ((first, "step"), (second, "candidate")):
        (hook,) = layer.hooks
        (ours, _) = network(RecurrentDropout(0.3, form=form)).placed["recurrent_dropout"]
        assert type(hook) is type(ours)
        assert float(hook.rate.numpy()) == pytest.approx(float(ours.rate.numpy()))
        masks = hook.sample(8, 12, WIDE.width).numpy()
        assert masks.shape == (12, 8, WIDE.width)
        assert len({masks[step].tobytes() for step in range(12)}) == 12


@pytest.mark.parametrize(
    ("variable", "technique"), [("zoned", Zoneout(0.15, 0.05)), ("weight_dropped", WeightDrop(0.5))]
)
def test_zoneout_and_weight_drop_serve_in_a_plain_model(copied, variable, technique):
    """02: both models compute the study's function, with its hooks in both layers at the same strengths."""
    model = copied("02_recurrent_variational_dropout")[variable]
    study = network(technique)
    assert_same_function(model, study)
    layers = [layer for layer in model.layers if type(layer).__name__ == "LSTM"]
    for layer, hook in zip(layers, study.placed[technique.name], strict=True):
        (ours,) = layer.hooks
        assert type(ours) is type(hook)
        for value in technique.values:
            assert float(getattr(ours, value).numpy()) == pytest.approx(getattr(technique, value))


@pytest.mark.parametrize(
    ("variable", "technique"),
    [
        ("layer_normalized", LayerNorm()),
        ("batch_normalized", BatchNorm()),
        ("cell_layer_normalized", CellLayerNorm()),
        ("recurrent_batch_normalized", RecurrentBatchNorm()),
    ],
)
def test_plain_normalization_is_the_studys(copied, variable, technique):
    """03: with the same weights every model predicts what the study's network predicts, in training mode too."""
    model = copied("03_normalization")[variable]
    study = network(technique)
    # Running statistics have seen nothing: inside the cell signals are weak.
    assert_same_function(model, study, scale=1.0 if technique.name == "recurrent_batch_norm" else 0.4)
    x = np.random.default_rng(2).normal(size=(6, SUNSPOTS.window, 1)).astype("float32")
    expected = study.model(x, training=True).numpy()
    np.testing.assert_allclose(model(x, training=True).numpy(), expected, atol=1e-5)


def test_plain_noise_on_the_inputs_is_jitter(copied):
    """07: at inference the models are the baseline; in training the noise has the spread that is written."""
    names = copied("07_augmentation")
    info = CATALOG["digits_rows"]
    for variable in ("noisy", "augmented"):
        assert_same_function(names[variable], network(info=info), info)
    x = np.ones((64, info.window, info.n_features), "float32")
    (jitter,) = network(Jitter(0.1), info=info).augmentations
    spreads = [np.std(layer(x, training=True) - x) for layer in (names["noisy"].layers[0], jitter)]
    np.testing.assert_allclose(spreads, 0.1, rtol=0.05)
    first, second = names["augmented"].layers[:2]
    (warp,) = network(TimeWarp(0.2, knots=4), info=info).augmentations
    for ours, theirs in ((jitter, first), (warp, second)):
        assert type(theirs) is type(ours)
        assert theirs.get_config() | {"name": "", "seed": None} == ours.get_config() | {
            "name": "",
            "seed": None,
        }


def test_plain_ensembles_predict_what_the_studys_do(copied):
    """08: the mean of members, the averaged weights, the cycles, and the mean over dropout's masks."""
    from lstmstudy.stats.ensembles import combined

    names = copied("08_ensembles")
    member, other = names["member"], names["other"]
    assert any(
        (mine != theirs).any() for mine, theirs in zip(member.get_weights(), other.get_weights(), strict=True)
    )
    assert_same_function(member, network())
    assert_same_function(other, network())
    x = np.random.default_rng(2).normal(size=(5, SUNSPOTS.window, 1)).astype("float32")
    both = np.stack([member(x).numpy(), other(x).numpy()])
    np.testing.assert_allclose(names["ensemble"](x), combined(both, "mean"), atol=1e-6)
    assert member.optimizer.use_ema
    assert member.optimizer.ema_momentum == WeightAveraging(0.9).decay
    update = np.arange(300)
    factors = Snapshots(3).learning_rate(update, len(update))
    rates = [float(names["cycles"](step)) for step in update]
    np.testing.assert_allclose(rates, WIDE.learning_rate * factors, rtol=1e-4, atol=1e-8)
    study = network(MonteCarloDropout(0.3, per="sequence"))
    assert_same_function(names["dropped"], study)
    assert_same_dropping(names["dropped"], study, "monte_carlo_dropout", "sequence")
    assert np.abs(names["monte_carlo"](x) - names["monte_carlo"](x)).max() > 1e-3


def test_plain_splits_are_the_studys(copied):
    """09: targets, scikit-learn's splits and the purged block are those that are trained; windows never reach forward."""
    from lstmstudy.data.schemes import development, splits

    names = copied("09_validation_schemes")
    info = CATALOG["stationary_series"]
    targets = names["targets"]
    np.testing.assert_array_equal(targets, development(len(names["series"]), 100, info))
    for scheme in ("rolling", "expanding"):
        pairs = zip(names[f"{scheme}_splits"], splits(scheme, targets, info), strict=True)
        for (train, held_out), ours in pairs:
            np.testing.assert_array_equal(targets[train], ours.train)
            np.testing.assert_array_equal(targets[held_out], ours.held_out)
    block = splits("blocked", targets, info)[2]
    np.testing.assert_array_equal(targets[names["block_train"]], block.train)
    np.testing.assert_array_equal(targets[names["block"]], block.held_out)
    assert [len(held_out) for _, held_out in names["shuffled_splits"]] == [
        len(ours.held_out) for ours in splits("k-fold", targets, info)
    ]
    first = targets[names["held_out"]][0]
    np.testing.assert_allclose(
        names["x_held_out"][0], names["scaled"][first - info.window : first], atol=1e-12
    )
    assert names["y_held_out"][0] == names["scaled"][first]
    assert names["x_train"].shape == (len(names["train"]), info.window)


def test_the_plain_bundle_is_the_studys(copied):
    """10: the same function, dropout at the same places, the same price, clipping and patience."""
    import keras

    names = copied("10_combined")
    model = names["model"]
    bundle = load_technique("bundle").grid
    (rate,), (price,), (patience,), (norm,) = (bundle[key] for key in ("rate", "l2", "patience", "norm"))
    study = network(Bundle(rate=rate, l2=price, patience=patience, norm=norm))
    assert_same_function(model, study)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Dropout", "LSTM", "LayerNormalization", "Dropout", "LSTM", "Dense"]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [rate] * 2
    (hook,) = [hook for hook in study.updates if hook.name == "l2"]
    assert float(sum(model.losses)) == pytest.approx(float(hook.penalty()), rel=1e-5)
    assert model.optimizer.clipnorm == norm
    assert model.optimizer.learning_rate.numpy() == pytest.approx(WIDE.learning_rate)
    assert (names["stop"].patience, names["stop"].monitor, names["stop"].restore_best_weights) == (
        patience,
        "val_mse",
        True,
    )


def test_plain_early_stopping_keeps_the_epoch_of_the_reading(copied):
    """05: what Keras restores after `fit` is what the study reads from the same validation errors."""
    from lstmstudy.readings import Validation, read

    names = copied("05_early_stopping")
    model, history, stop, fold = (names[name] for name in ("model", "history", "stop", "fold"))
    assert stop.restore_best_weights
    errors = np.array(history.history["val_mse"])
    kept = read(Validation(errors), f"patience {stop.patience}")
    assert kept.epoch == stop.best_epoch == int(np.argmin(errors))
    assert kept.cost == len(errors)
    restored = np.mean(np.square(model.predict(fold.validation.x, verbose=0) - fold.validation.y))
    assert restored == pytest.approx(errors[kept.epoch], rel=1e-5)
    assert_same_function(model, network())
