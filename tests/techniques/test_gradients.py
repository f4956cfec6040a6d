"""Clipping and noise of gradients: in the study's updates, and as an optimizer for anybody's model."""

from __future__ import annotations

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine import RECIPE, syllables, train_afresh, trained, waves
from updating import apart, assert_same, eagerly, program_with, schedule, stock, studied, update

from lstmstudy.layers import GradientNoise as NoisyOptimizer
from lstmstudy.techniques import L2, GradientClipping, GradientNoise
from lstmstudy.training.program import limit_threads
from lstmstudy.updates.gradient_clipping import GradientClipping as ClippingHook
from lstmstudy.updates.gradient_noise import GradientNoise as NoiseHook

pytestmark = pytest.mark.filterwarnings(  # Keras's own, when it saves
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

limit_threads()

BOTH = (GradientClipping(0.05), GradientNoise(0.01))
NOW = tf.constant(0, tf.int64)
PUBLISHED = {  # the standard deviations that METHODS.md lists at updates 0, 100 and 1000
    0.01: (0.100, 0.028, 0.015),
    0.3: (0.548, 0.154, 0.082),
    1.0: (1.0, 0.281, 0.150),
}


def with_both(*techniques, **settings):
    """Return a recipe with clipping and noise on even where they are off: one structure for all."""
    recipe = dataclasses.replace(RECIPE, **settings)
    off = (GradientClipping(math.inf), GradientNoise(0.0))
    given = {technique.name: technique for technique in (*off, *techniques)}
    object.__setattr__(recipe, "techniques", tuple(given[name] for name in sorted(given)))
    return recipe


# Clipping


@pytest.mark.parametrize(
    ("per", "expected"),
    [("variable", [(0.6, 0.8), (0.6, 0.8)]), ("global", [(0.268328, 0.357771), (0.536656, 0.715542)])],
)
def test_the_two_norms_by_hand(per, expected):
    """Gradients (3, 4) and (6, 8) under a norm of 1: each alone, or both by one factor."""
    gradients = [tf.constant([3.0, 4.0]), tf.constant([6.0, 8.0])]
    np.testing.assert_allclose(ClippingHook(1.0, per=per).gradients(gradients, NOW), expected, rtol=1e-5)


@pytest.mark.parametrize(("per", "argument"), [("variable", "clipnorm"), ("global", "global_clipnorm")])
def test_updates_with_clipping_are_those_of_keras(per, argument):
    """After three updates of Adam the weights agree with a stock model of the same norm."""
    ours = studied(GradientClipping(0.05, per))
    assert_same(ours, stock(keras.optimizers.Adam(schedule(), **{argument: 0.05})))
    assert apart(ours, studied()) > 1e-2


def test_the_gradient_of_a_penalty_is_inside_the_clip():
    """A penalty and clipping together give what Keras gives, where both are in front of the step."""
    penalty = keras.regularizers.L2(0.1)
    clipped = keras.optimizers.Adam(schedule(), global_clipnorm=0.05)
    expected = stock(clipped, kernel_regularizer=penalty, recurrent_regularizer=penalty)
    assert_same(studied(GradientClipping(0.05), L2(0.1)), expected)


@pytest.mark.parametrize("per", ["variable", "global"])
def test_short_gradients_keep_their_bits(per):
    """Gradients under the norm, zeros and, with no limit, any gradients pass as they are; none becomes NaN."""
    gradients = [tf.constant([0.1, -0.3]), tf.zeros((2, 2))]
    for norm in (1.0, math.inf):
        clipped = ClippingHook(norm, per=per).gradients(gradients, NOW)
        assert [each.numpy().tobytes() for each in clipped] == [each.numpy().tobytes() for each in gradients]
    zeros = [tf.zeros(2), tf.zeros((2, 2))]
    assert not any(each.numpy().any() for each in ClippingHook(math.inf, per=per).gradients(zeros, NOW))


@pytest.mark.parametrize(("per", "share"), [("variable", 3 / 4), ("global", 1.0)])
def test_the_clipped_share_counts_updates_and_begins_anew(per, share):
    """An update counts once, whether one gradient or all are too long; the next epoch starts at zero."""
    hook = ClippingHook(1.0, per=per)
    assert hook.figures() == {"clipped share": 0.0}
    for first, second in ((2.0, 0.1), (0.1, 2.0), (3.0, 3.0), (0.8, 0.8)):
        hook.gradients([tf.constant([first]), tf.constant([second])], NOW)
    assert hook.figures() == {"clipped share": share}
    hook.gradients([tf.constant([0.1]), tf.constant([0.1])], NOW)
    assert hook.figures() == {"clipped share": 0.0}


def test_the_clipped_share_is_a_curve_of_the_result():
    """One number per epoch: 1 where every gradient is too long, 0 where none is, and between them what is counted."""
    shares = {
        norm: train_afresh(waves(), with_both(GradientClipping(norm))).curves["clipped share"]
        for norm in (1e-6, 1e6, 0.4)
    }
    assert [shares[norm].tolist() for norm in (1e-6, 1e6)] == [[1.0] * 3, [0.0] * 3]
    assert 0 < shares[0.4].mean() < 1
    updates = -(-len(waves().folds[0].train.y) // RECIPE.batch_size)
    np.testing.assert_allclose(shares[0.4] * updates, np.round(shares[0.4] * updates), atol=1e-5)


# Noise


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("eta", PUBLISHED)
def test_the_standard_deviation_follows_the_published_schedule(eta, jit_compile):
    """Measured on 40 000 draws at updates 0, 100 and 1000 it is sqrt(eta / (1 + t)^.55)."""
    hook = NoiseHook(eta, 0.55)
    hook.stream.state.assign([3, 0])
    disturb = tf.function(hook.gradients, jit_compile=jit_compile)
    for t, listed in zip((0, 100, 1000), PUBLISHED[eta], strict=True):
        (drawn,) = disturb([tf.zeros((200, 200))], tf.constant(t, tf.int64))
        expected = math.sqrt(eta / (1 + t) ** 0.55)
        assert expected == pytest.approx(listed, abs=6e-4)
        assert np.std(drawn) == pytest.approx(expected, rel=4 / math.sqrt(2 * 40_000))
        assert abs(np.mean(drawn)) < 4 * expected / 200


def test_noise_is_fresh_for_every_variable_and_update():
    """Two gradients of one shape, and two updates, get uncorrelated noise; the same seed gives the same noise."""
    hook, draws = NoiseHook(1.0, 0.0), []
    disturb = tf.function(hook.gradients, jit_compile=True)
    for _ in range(2):
        hook.stream.state.assign([5, 0])
        draws += [[each.numpy() for each in disturb([tf.zeros(10_000)] * 2, NOW)] for _ in range(2)]
    np.testing.assert_array_equal(draws[:2], draws[2:])
    drawn = np.reshape(draws[:2], (4, -1))
    correlations = np.corrcoef(drawn)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(10_000)


def test_noise_is_added_to_the_gradient():
    """The gradient itself is still there under the noise."""
    hook = NoiseHook(1e-8, 0.55)
    (noisy,) = hook.gradients([tf.constant([3.0, -4.0])], NOW)
    np.testing.assert_allclose(noisy, [3.0, -4.0], atol=1e-3)


def test_noise_comes_after_the_clip_whatever_the_order_of_the_recipe():
    """The noise is not clipped with the gradient: it is as large as its schedule says."""
    for techniques in (BOTH, BOTH[::-1]):
        gradients = [tf.fill((200, 200), 7.0)]
        for hook in program_with(*techniques).network.updates:
            gradients = hook.gradients(gradients, NOW)
        # The clip leaves 200 x 200 entries of 0.05 / 200.
        assert np.std(gradients[0]) == pytest.approx(0.1, rel=0.02)
        assert np.mean(gradients[0]) == pytest.approx(0.05 / 200, abs=4 * 0.1 / 200)


def test_the_schedule_counts_updates_and_not_epochs():
    """Over two epochs of three updates the hook is told 0 to 5; a new run begins at 0 again."""
    program = program_with(GradientNoise(0.01))
    (hook,) = program.network.updates
    told, disturb = [], hook.gradients

    def listen(gradients, update):
        told.append(int(update))
        return disturb(gradients, update)

    hook.gradients = listen
    with eagerly():
        update(program)
        update(program)
        program.start(RECIPE.adding(GradientNoise(0.01)), seed=1)
        update(program)
    assert told == [0, 1, 2, 3, 4, 5, 0, 1, 2]


def test_forced_on_without_strength_both_train_as_the_baseline():
    """Their own code paths match every curve of the baseline over 3 epochs to 1e-5 relative."""
    off = train_afresh(waves(), with_both())
    for name, curve in trained().curves.items():
        np.testing.assert_allclose(off.curves[name], curve, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("technique", BOTH, ids=lambda technique: technique.name)
def test_each_of_them_acts_and_moves_no_start_and_no_order(technique):
    """Switched on in the same compiled epoch, it changes the losses; initial weights and batches stay."""
    on = train_afresh(waves(), with_both(technique))
    assert on.pairing == trained().pairing
    assert np.abs(on.curves["loss"] / trained().curves["loss"] - 1).max() > 1e-3


def test_noise_differs_between_seeds_and_not_between_reruns():
    """The stream of the noise comes from the run's seed."""
    recipe = with_both(GradientNoise(0.3))
    first, again, other = (train_afresh(waves(), recipe, seed=seed).curves["loss"] for seed in (0, 0, 1))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_evaluating_advances_no_stream_and_predicts_as_the_baseline():
    """At inference the network is the baseline's, bit for bit, and no variable moves."""
    x = tf.constant(waves().folds[0].test.x)
    noisy, plain = program_with(*BOTH), program_with()
    before = [variable.numpy() for variable in noisy.network.variables]
    with eagerly():
        outputs = [program.predict(x) for program in (noisy, plain)]
    assert outputs[0].tobytes() == outputs[1].tobytes()
    assert_same([variable.numpy() for variable in noisy.network.variables], before, atol=0)


def test_they_work_on_sequences_of_different_lengths():
    """On padded sequences both together change every update and leave finite weights."""
    ours, plain = studied(*BOTH, task=syllables), studied(task=syllables)
    assert all(np.isfinite(weight).all() for weight in ours)
    assert apart(ours, plain) > 1e-2


def test_strengths_share_a_compiled_epoch_and_off_is_the_baseline():
    """Another norm, eta or gamma has the same structure, another way to take the norm has not; off leaves nothing."""
    assert RECIPE.adding(GradientClipping(math.inf), GradientNoise(0.0)) == RECIPE
    assert GradientClipping(1.0).structure() == GradientClipping(2.0).structure()
    assert GradientClipping(1.0).structure() != GradientClipping(1.0, "variable").structure()
    assert GradientNoise(0.01).structure() == GradientNoise(0.3, gamma=0.2).structure()


def test_labels_tell_strength_and_form():
    """Each setting has a name of its own that reads as prose."""
    techniques = (
        GradientClipping(1),
        GradientClipping(1, "variable"),
        GradientNoise(0.3),
        GradientNoise(0.3, 1),
    )
    assert [technique.label for technique in techniques] == [
        "gradient clipping 1 over all variables",
        "gradient clipping 1 per variable",
        "gradient noise 0.3",
        "gradient noise 0.3 gamma 1",
    ]


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: GradientClipping(0), "norm=0"),
        (lambda: GradientClipping(-1.0), "norm=-1.0"),
        (lambda: GradientClipping(math.nan), "norm=nan"),
        (lambda: GradientClipping(1.0, "layer"), "per='layer'"),
        (lambda: GradientNoise(-0.3), "eta=-0.3"),
        (lambda: GradientNoise(math.nan), "eta=nan"),
        (lambda: GradientNoise(0.3, gamma=-1), "gamma=-1"),
        (lambda: NoisyOptimizer("adam", eta=-0.3), "eta=-0.3"),
        (lambda: NoisyOptimizer("adam", gamma=math.inf), "gamma=inf"),
        (
            lambda: NoisyOptimizer(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())),
            "optimizer=LossScaleOptimizer",
        ),
        (lambda: NoisyOptimizer(NoisyOptimizer("sgd")), "optimizer=GradientNoise"),
    ],
)
def test_a_setting_that_cannot_be_is_an_error_that_names_it(make, received):
    """Negative strengths, NaN, unknown words and optimizers made of others are refused, with what came at the end."""
    with pytest.raises(ValueError, match="Received: ") as error:
        make()
    assert str(error.value).endswith(f"Received: {received}")


# The optimizer for anybody's model


def noisy(optimizer, eta=0.3, **settings):
    """Return an optimizer with noise that is the same in every test run."""
    return NoisyOptimizer(optimizer, eta, **{"seed": 3, **settings})


def step(optimizer, gradient, value=0.0, steps=1):
    """Return how far a matrix of one value moves in one update, after some updates."""
    w = keras.Variable(np.full((200, 200), value, np.float32), name="w")
    for _ in range(steps):
        before = w.numpy()
        optimizer.apply([tf.fill((200, 200), gradient)], [w])
    return w.numpy() - before


def tiny(optimizer, units=4, **compiling):
    """Return a compiled model of two dense layers with equal weights every time."""
    layers = [keras.Input((3,)), keras.layers.Dense(units), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    model.compile(optimizer, "mse", **compiling)
    return model


X = np.random.default_rng(2).normal(size=(32, 3)).astype(np.float32)
Y = X[:, :1]


def fit(model, epochs=1):
    """Train a tiny model for two updates an epoch and return its weights."""
    model.fit(X, Y, batch_size=16, epochs=epochs, shuffle=False, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize(
    "clipping", [{}, {"clipnorm": 1.0}, {"global_clipnorm": 1.0}, {"clipvalue": 0.005}], ids=str
)
def test_the_optimizer_adds_noise_after_the_clip_of_the_other(clipping):
    """A step of SGD is the clipped gradient plus noise of the published size, which is not clipped."""
    for steps in (1, 4):
        moved = step(noisy(keras.optimizers.SGD(1.0, **clipping)), 9.0, steps=steps)
        gradient = 0.005 if clipping else 9.0  # a norm of 1 over 200 x 200 entries is .005 each
        expected = math.sqrt(0.3 / steps**0.55)
        assert np.std(moved) == pytest.approx(expected, rel=0.02)
        assert np.mean(moved) == pytest.approx(-gradient, abs=4 * expected / 200)


def test_the_optimizer_and_the_study_add_the_same_noise():
    """From one state of the stream both give the same weights after three updates of Adam with clipping."""
    program = program_with(*BOTH)
    wrapped = noisy(keras.optimizers.Adam(schedule(), global_clipnorm=0.05), eta=0.01)
    wrapped.stream.state.assign(program.network.placed["gradient_noise"][0].stream.state)
    assert_same(stock(wrapped), studied(*BOTH))


def test_without_noise_the_optimizer_is_the_other_one():
    """With eta 0 weights, iterations and learning rate are those of the other optimizer alone, bit for bit."""

    def adam():
        return keras.optimizers.Adam(schedule(), clipnorm=0.1, weight_decay=0.1, use_ema=True)

    alone, wrapped = (tiny(each, run_eagerly=True) for each in (adam(), noisy(adam(), eta=0.0)))
    for one, other in zip(fit(alone, 2), fit(wrapped, 2), strict=True):
        assert one.tobytes() == other.tobytes()
    assert int(wrapped.optimizer.iterations) == int(alone.optimizer.iterations) == 4
    assert float(wrapped.optimizer.learning_rate) == float(alone.optimizer.learning_rate)


def test_weight_decay_stays_outside_the_noise():
    """A decay of 1 takes a hundredth off the weights at a learning rate of .01, beside the noisy step."""
    inner = keras.optimizers.SGD(0.01, weight_decay=1.0)
    moved = step(noisy(inner, eta=0.01), 0.0, value=5.0)
    assert np.mean(moved) == pytest.approx(-0.05, abs=4 * 0.001 / 200)
    assert np.std(moved) == pytest.approx(0.001, rel=0.02)


def test_accumulated_gradients_get_noise_once_per_update():
    """With two batches to an update the weights move at every second one, and t counts updates."""
    inner = keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
    wrapped = noisy(inner)
    w = keras.Variable(np.zeros((200, 200), np.float32), name="w")
    sizes = []
    for _ in range(4):
        before = w.numpy()
        wrapped.apply([tf.zeros((200, 200))], [w])
        sizes.append(np.std(w.numpy() - before))
    expected = [0.0, math.sqrt(0.3), 0.0, math.sqrt(0.3 / 2**0.55)]
    np.testing.assert_allclose(sizes, expected, rtol=0.02)
    assert int(wrapped.iterations) == 2


def test_averaged_weights_are_put_in_place_after_fit():
    """With `use_ema` the model ends with the other optimizer's averages, as Keras does without the wrapper."""
    inner = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    model = tiny(noisy(inner, eta=0.01), run_eagerly=True)
    fit(model, 2)
    averages = [variable.numpy() for variable in inner.variables if "average" in variable.path]
    assert_same(model.get_weights(), averages, atol=0)


def test_the_learning_rate_is_that_of_the_other_optimizer():
    """Setting it, as callbacks do, reaches the optimizer that makes the step; a schedule refuses as always."""
    wrapped = noisy(keras.optimizers.SGD(0.5))
    wrapped.learning_rate = 0.1
    assert float(wrapped.inner_optimizer.learning_rate) == pytest.approx(0.1)
    assert np.std(step(wrapped, 0.0)) == pytest.approx(0.1 * math.sqrt(0.3), rel=0.02)
    model = tiny(noisy(keras.optimizers.SGD(0.5)), run_eagerly=True)
    model.fit(X, Y, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(lambda _: 0.25)])
    assert float(model.optimizer.learning_rate) == 0.25
    with pytest.raises(TypeError, match="LearningRateSchedule"):
        noisy(keras.optimizers.SGD(schedule())).learning_rate = 0.1


@pytest.mark.parametrize("jit_compile", [True, False])
def test_it_trains_compiled_and_goes_on_after_loading_as_if_it_had_never_stopped(jit_compile, tmp_path):
    """Compiled or not, two updates of `fit` are as noisy as they should be; a saved model keeps stream and moments."""
    inner = keras.optimizers.SGD(1.0, momentum=0.5, global_clipnorm=0.01)
    model = tiny(noisy(inner, eta=1.0, gamma=0.4), units=500, jit_compile=jit_compile)
    before = model.get_weights()[0]
    moved = fit(model)[0] - before
    assert np.std(moved) == pytest.approx(math.sqrt(1.5**2 + 2**-0.4), rel=4 / math.sqrt(2 * moved.size))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.optimizer.get_config()["optimizer"]["config"]["global_clipnorm"] == 0.01
    kept = [[variable.numpy() for variable in each.optimizer.variables] for each in (loaded, model)]
    assert_same(*kept, atol=0)
    assert_same(fit(loaded), fit(model))


@pytest.fixture
def mixed_precision():
    """Make mixed precision the default for one test."""
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("mixed_precision")
def test_mixed_precision_scales_the_loss_around_it(tmp_path):
    """Keras puts loss scaling around it by itself: the noise is not scaled, and a saved model comes back."""
    model = tiny(noisy(keras.optimizers.SGD(1.0, clipnorm=0.01), 1.0), units=500, jit_compile=False)
    assert type(model.optimizer) is keras.optimizers.LossScaleOptimizer
    before = model.get_weights()[0]
    moved = fit(model, 8)[0] - before
    updates = int(model.optimizer.iterations)
    assert 0 < updates < 16  # the scale begins too high, and such updates are skipped
    expected = math.sqrt(sum(1 / (1 + t) ** 0.55 for t in range(updates)))
    assert np.std(moved) == pytest.approx(expected, rel=4 / math.sqrt(2 * moved.size))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer.inner_optimizer) is NoisyOptimizer
    assert_same(fit(loaded), fit(model))


def test_a_fixed_loss_scale_is_undone_before_the_noise():
    """With `loss_scale_factor` on the other optimizer the loss is scaled and the noise is not."""
    wrapped = noisy(keras.optimizers.SGD(1.0, loss_scale_factor=8.0))
    assert float(wrapped.scale_loss(tf.constant(2.0))) == 16.0
    moved = step(wrapped, 16.0)
    assert np.mean(moved) == pytest.approx(-2.0, abs=0.02)
    assert np.std(moved) == pytest.approx(math.sqrt(0.3), rel=0.02)
    keras.optimizers.LossScaleOptimizer(wrapped)  # takes over the scaling
    assert wrapped.inner_optimizer.loss_scale_factor is None


def test_a_sparse_gradient_becomes_dense_and_noisy():
    """The rows of an embedding that no word asks for get noise too."""
    model = keras.Sequential([keras.Input((2,), dtype="int32"), keras.layers.Embedding(50, 40)])
    model.compile(noisy(keras.optimizers.SGD(1.0)), "mse", run_eagerly=True)
    (before,) = model.get_weights()
    model.train_on_batch(np.array([[0, 1]]), np.zeros((1, 2, 40)))
    assert np.std(model.get_weights()[0][2:] - before[2:]) == pytest.approx(math.sqrt(0.3), rel=0.1)


def test_it_is_rebuilt_from_its_config():
    """The copy has the settings of both optimizers and, with a seed, the same noise."""
    wrapped = noisy(keras.optimizers.SGD(0.5, clipvalue=2.0), gamma=1.0, seed=7, name="mine")
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(wrapped))
    assert type(copy) is NoisyOptimizer
    assert copy.get_config() == wrapped.get_config()
    assert_same([step(copy, 1.0)], [step(wrapped, 1.0)], atol=0)
    one, other = (step(NoisyOptimizer("sgd", 0.3), 0.0) for _ in range(2))  # without a seed
    assert np.abs(one - other).max() > 0
