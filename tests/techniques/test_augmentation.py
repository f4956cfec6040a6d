"""Augmentations change training sequences as they say: lengths, padding, ends and labels kept."""

from __future__ import annotations

import dataclasses
import math
import re

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from engine import RECIPE, SYLLABLES, WAVES, forced, syllables, train_afresh, waves
from scipy import stats
from scipy.interpolate import CubicSpline

from lstmstudy import layers, paths, techniques
from lstmstudy.data import CATALOG
from lstmstudy.layers.augmentation import Augmentation
from lstmstudy.layers.mixup import symmetric_beta
from lstmstudy.layers.resampling import read, smooth
from lstmstudy.recipe import Recipe
from lstmstudy.training.network import Network
from lstmstudy.training.program import Program, limit_threads

limit_threads()

SETTINGS = {  # name of the class: its one strength where it is off, and where it is on
    "Jitter": ("sd", 0.0, 0.3),
    "Scaling": ("sd", 0.0, 0.3),
    "MagnitudeWarp": ("sd", 0.0, 0.3),
    "TimeWarp": ("sd", 0.0, 0.3),
    "WindowSlicing": ("cut", 0.0, 0.3),
    "WindowWarp": ("ratio", 0.0, 0.3),
    "Permutation": ("segments", 1, 4),
    "Mixup": ("alpha", 0.0, 1.0),
}
WARPS = ("TimeWarp", "WindowSlicing", "WindowWarp")  # these read a sequence at other times
CURVES = ("MagnitudeWarp", "TimeWarp")  # these have knots
LENGTHS = np.array([1, 2, 3, 5, 8, 13, 20, 21] * 4)
BATCH, STEPS = len(LENGTHS), 21
MASK = np.arange(STEPS) < LENGTHS[:, None]

every_augmentation = pytest.mark.parametrize("name", SETTINGS)
every_warp = pytest.mark.parametrize("name", WARPS)


def made(kind, *, on=True, seed=3, **options):
    """Return a layer, at its strength or off."""
    _, off, strong = SETTINGS[kind]
    return getattr(layers, kind)(strong if on else off, seed=seed, **options)


def sequences(batch=BATCH, steps=STEPS, features=3, seed=0):
    """Return random sequences, (batch, steps, features)."""
    return np.random.default_rng(seed).normal(size=(batch, steps, features)).astype(np.float32)


def padded(filling=0.0):
    """Return sequences of different lengths, `filling` behind their ends."""
    return np.where(MASK[:, :, None], sequences(), np.float32(filling))


def labels(batch=BATCH, classes=5):
    """Return one-hot labels, (batch, classes)."""
    return np.eye(classes, dtype=np.float32)[np.arange(batch) % classes]


def ramps(lengths=LENGTHS, steps=STEPS, features=2):
    """Return sequences that tell the time: 0, 1, 2, ... in every channel."""
    time = np.arange(steps, dtype=np.float32)
    return np.broadcast_to(time[:, None], (len(lengths), steps, features)).copy()


def times(layer, lengths=LENGTHS, steps=STEPS):
    """Return the times at which a layer reads each sequence: an array of its length for each."""
    mask = np.arange(steps) < lengths[:, None]
    outputs = layer(ramps(lengths, steps), mask=mask, training=True)
    assert (outputs[:, :, 0] == outputs[:, :, 1]).numpy().all()  # all channels alike
    return [row[:length, 0] for row, length in zip(outputs.numpy(), lengths, strict=True)]


def stream(layer):
    """Return the state of a layer's stream."""
    return layer.stream.state.numpy().tolist()


# What holds for every augmentation


@every_augmentation
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
def test_at_strength_zero_nothing_changes(name, mask):
    """Switched on with its off value, a layer returns what it got, bit for bit, targets included."""
    x, y = padded(), labels()
    outputs, targets = made(name, on=False).batch(x, y, mask)
    np.testing.assert_array_equal(outputs, x)
    np.testing.assert_array_equal(targets, y)


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "Permutation"])
def test_at_strength_zero_no_forecast_changes(name):
    """Window and target come back as they were."""
    series = sequences(features=1)
    x, y = made(name, on=False).joined(series[:, :-1], series[:, -1])
    np.testing.assert_array_equal(np.concatenate([x, y[:, None]], axis=1), series)


@every_augmentation
def test_training_changes_shape_and_type_of_nothing(name):
    """In both dtypes of mixed precision the result has the shape and dtype of the inputs, and it is another one."""
    for dtype in ("float32", "float16", "float64"):
        x = sequences().astype(dtype)
        outputs, _ = made(name, dtype=dtype).batch(x, labels(), MASK)
        assert outputs.dtype == dtype
        assert outputs.shape == x.shape
        assert np.isfinite(outputs).all()
        assert (outputs != x).numpy().any()


@every_augmentation
def test_nothing_happens_at_inference(name):
    """The inputs pass unchanged and the stream stands still."""
    layer, x = made(name), sequences()
    before = stream(layer)
    for outputs in (layer(x), layer(x, training=False)):
        np.testing.assert_array_equal(outputs, x)
    assert stream(layer) == before


@every_augmentation
def test_every_call_draws_anew_and_a_seed_draws_the_same(name):
    """Two batches, two seeds and two layers without a seed differ; equal seeds give equal bytes."""
    x, y = sequences(), labels()

    def draws(layer):
        return [layer.batch(x, y, None)[0].numpy().tobytes() for _ in range(2)]

    assert draws(made(name)) == draws(made(name))
    several = [
        *draws(made(name)),
        *draws(made(name, seed=4)),
        *draws(made(name, seed=None)),
        *draws(made(name, seed=None)),
    ]
    assert len(set(several)) == len(several)


@every_augmentation
def test_every_sample_has_a_draw_of_its_own(name):
    """Equal sequences in one batch come out different."""
    x = np.repeat(sequences(batch=1), 32, axis=0)
    if name == "Mixup":
        x[1:] += 1  # with equal partners no mixture could be told from another
    outputs = made(name).batch(x, labels(32), None)[0].numpy()
    assert len({row.tobytes() for row in outputs}) > 4


@every_augmentation
def test_padding_is_neither_changed_nor_read(name):
    """Whatever stands behind the end of a sequence stays there, and what counts does not depend on it."""
    clean, dirty = (made(name).batch(padded(filling), labels(), MASK)[0].numpy() for filling in (0, math.nan))
    assert (clean[~MASK] == 0).all()
    assert np.isnan(dirty[~MASK]).all()
    np.testing.assert_array_equal(dirty[MASK], clean[MASK])
    np.testing.assert_array_equal((clean != 0).any(axis=-1), MASK)  # every length is what it was


@every_augmentation
def test_the_side_of_the_padding_does_not_matter(name):
    """A sequence padded in front, as Keras's `pad_sequences` does, is changed like one padded behind."""
    behind = made(name).batch(padded(), labels(), MASK)[0].numpy()
    in_front = np.stack([np.roll(row, -n, axis=0) for row, n in zip(padded(), LENGTHS, strict=True)])
    mask = np.arange(STEPS) >= STEPS - LENGTHS[:, None]
    outputs = made(name).batch(in_front, labels(), mask)[0].numpy()
    np.testing.assert_array_equal(outputs[mask], behind[MASK])
    assert (outputs[~mask] == 0).all()


def test_no_step_becomes_padding():
    """A step that counts and turns to zero in every channel gets a tiny number, which a Masking layer sees."""

    class Silence(Augmentation):
        def transform(self, series, lengths):
            del lengths
            return tf.zeros_like(series)

    outputs = Silence().batch(padded(), labels(), MASK)[0]
    np.testing.assert_array_equal(keras.layers.Masking().compute_mask(outputs), MASK)
    assert np.abs(outputs).max() < 1e-15
    assert (Silence().batch(padded(), labels(), None)[0] == 0).numpy().all()


@every_augmentation
def test_a_sequence_of_one_step_stays_one(name):
    """Its step keeps its place; what resamples or reorders time leaves it as it is."""
    x = sequences(steps=1)
    for mask in (None, np.ones((len(x), 1), bool)):
        outputs = made(name).batch(x, labels(), mask)[0].numpy()
        assert np.isfinite(outputs).all()
        assert (outputs == x).all() == (name in (*WARPS, "Permutation"))


@every_augmentation
def test_the_gradient_passes(name):
    """What stands in front of the layer is reached by a finite gradient, which is that of the changed values."""
    x = tf.constant(padded())
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(made(name).batch(x, labels(), MASK)[0] ** 2)
    gradient = tape.gradient(loss, x).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient[MASK]).max(axis=-1) > 0).mean() > 0.5


def test_one_compiled_function_serves_every_strength_and_length():
    """XLA compiles all augmentations at once; strengths are variables, off is exact there too."""
    traced = []
    made_once = {name: made(name) for name in SETTINGS}

    @tf.function(jit_compile=True)
    def compiled(x, y, mask):
        traced.append(1)
        return {name: layer.batch(x, y, mask)[0] for name, layer in made_once.items()}

    def run():
        return compiled(tf.constant(padded()), tf.constant(labels()), tf.constant(MASK))

    on = run()
    for name, layer in made_once.items():
        field, off, _ = SETTINGS[name]
        getattr(layer, field).assign(off)
    for name, outputs in run().items():
        np.testing.assert_array_equal(outputs, padded(), err_msg=name)
        before = on[name].numpy()
        assert (before != padded())[MASK].mean() > 0.1, name
        assert np.isfinite(before).all(), name
        assert (before[~MASK] == 0).all(), name
    assert len(traced) == 1


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "Mixup"])
def test_one_traced_function_serves_every_size(name):
    """Batch and time may be unknown when a graph is built."""
    layer, eager = made(name), made(name)
    traced = tf.function(lambda x: layer(x, training=True), input_signature=[tf.TensorSpec((None, None, 3))])
    for batch, steps in ((4, 9), (1, 2), (3, 1)):
        x = sequences(batch, steps)
        np.testing.assert_allclose(traced(x), eager(x, training=True), atol=1e-5)


# Each one by itself


def test_jitter_has_the_standard_deviation_that_it_says():
    """Noise is normal with that standard deviation, independent over samples, steps and channels."""
    x = np.zeros((50, 40, 3), np.float32)
    for sd in (0.03, 1.5):
        noise = layers.Jitter(sd, seed=1)(x, training=True).numpy() / sd
        assert abs(noise.std() - 1) < 4 / math.sqrt(2 * noise.size)
        assert stats.kstest(noise.ravel(), "norm").pvalue > 0.001
        for one, other in (
            (noise[1:], noise[:-1]),
            (noise[:, 1:], noise[:, :-1]),
            (noise[..., 1:], noise[..., :-1]),
        ):
            assert abs((one * other).mean()) < 4 / math.sqrt(one.size)


def test_jitter_is_the_noise_of_keras_without_its_limit():
    """The stock layer has the same standard deviation, and refuses one above 1."""
    x = np.zeros((100, 40, 3), np.float32)
    stock = keras.layers.GaussianNoise(0.1, seed=1)(x, training=True).numpy()
    ours = layers.Jitter(0.1, seed=1)(x, training=True).numpy()
    assert stats.ks_2samp(stock.ravel(), ours.ravel()).pvalue > 0.001
    with pytest.raises(ValueError, match="stddev"):
        keras.layers.GaussianNoise(1.5)


def test_jitter_leaves_the_target_as_it_was_measured():
    """Only the window of a forecast gets noise."""
    series = sequences(features=1)
    x, y = made("Jitter").joined(series[:, :-1], series[:, -1])
    assert (x != series[:, :-1]).numpy().all()
    np.testing.assert_array_equal(y, series[:, -1])


def test_scaling_is_one_factor_for_a_sample_and_channel():
    """The factor is normal around 1, constant in time, and differs between samples and channels."""
    x = sequences(batch=500) + 10
    factor = layers.Scaling(0.1, seed=1)(x, training=True).numpy() / x
    assert np.ptp(factor, axis=1).max() < 1e-5
    factor = (factor[:, 0] - 1) / 0.1
    assert stats.kstest(factor.ravel(), "norm").pvalue > 0.001
    assert abs((factor[:, 1:] * factor[:, :-1]).mean()) < 4 / math.sqrt(factor.size)


def test_scaling_gives_the_target_the_factor_of_its_window():
    """Window and target keep their ratio."""
    series = sequences(features=1) + 10
    x, y = made("Scaling").joined(series[:, :-1], series[:, -1])
    np.testing.assert_allclose(y / x[:, 3], series[:, -1] / series[:, 3], rtol=1e-5)
    assert (y != series[:, -1]).numpy().all()


@pytest.mark.parametrize("nodes", [2, 3, 4, 6])
def test_a_smooth_curve_is_the_cubic_spline_through_its_nodes(nodes):
    """For every length it equals SciPy's spline over equidistant nodes from the first step to the last."""
    values = sequences(BATCH, nodes, 3)
    curves = smooth(tf.constant(values), tf.constant(sequences()), tf.constant(LENGTHS, tf.int32)).numpy()
    for value, curve, length in zip(values, curves, LENGTHS, strict=True):
        if length > 1:
            spline = CubicSpline(np.linspace(0, length - 1, nodes), value)
            np.testing.assert_allclose(curve[:length], spline(np.arange(length)), atol=2e-5)
        else:
            np.testing.assert_allclose(curve[0], value[0], atol=1e-6)


def test_a_magnitude_warp_is_a_smooth_factor():
    """The factor is normal around 1 at both ends, one curve for a sample and channel, and free of jumps."""
    x = np.ones((400, 60, 2), np.float32)
    factor = layers.MagnitudeWarp(0.2, knots=4, seed=1)(x, training=True).numpy()
    for end in (0, -1):
        assert stats.kstest(((factor[:, end] - 1) / 0.2).ravel(), "norm").pvalue > 0.001
    assert abs(np.corrcoef(factor[:, 0, 0], factor[:, 0, 1])[0, 1]) < 0.2
    roughness = np.abs(np.diff(factor, n=2, axis=1)).max(axis=1) / np.ptp(factor, axis=1)
    assert roughness.max() < 0.1  # neighbouring draws would give about 1


@pytest.mark.parametrize("knots", [1, 4, 7])
def test_a_curve_has_as_many_nodes_as_said(knots):
    """Curves have the dimension of their nodes: the knots and two ends; of speeds a common factor drops out."""
    factor = layers.MagnitudeWarp(0.01, knots=knots, seed=1)(np.ones((200, 60, 1), np.float32), training=True)
    speed = np.diff(times(layers.TimeWarp(0.01, knots=knots, seed=2), np.full(200, 60), 60))
    for curves, dimension in ((factor.numpy()[:, :, 0], knots + 2), (speed, knots + 1)):
        sizes = np.linalg.svd(curves - 1, compute_uv=False)
        assert (sizes / sizes[0] > 0.05).sum() == dimension


def test_a_magnitude_warp_runs_on_over_the_target():
    """Window and target get the factors of one curve, the target the last."""
    ones = np.ones((8, STEPS, 1), np.float32)
    x, y = made("MagnitudeWarp").joined(ones[:, :-1], ones[:, -1])
    curve = made("MagnitudeWarp")(ones, training=True)
    np.testing.assert_array_equal(tf.concat([x, y[:, None]], axis=1), curve)


@every_warp
def test_a_warp_goes_forward_and_reads_nothing_outside(name):
    """The times at which a sequence is read rise from step to step and stay within it, however strong the warp."""
    field, *_ = SETTINGS[name]
    for strength in (0.05, 0.3, 0.9):
        layer = getattr(layers, name)(**{field: strength}, seed=2)
        for read_at in times(layer):
            assert (np.diff(read_at) > 0).all()
            assert read_at[0] >= 0
            assert read_at[-1] <= len(read_at) - 1


def test_a_time_warp_runs_forward_where_the_curve_would_turn_back():
    """With a standard deviation of 5 most speeds would be below zero; the slowest is still forward."""
    read_at = np.stack(times(layers.TimeWarp(5.0, seed=2), np.full(50, STEPS)))
    assert np.diff(read_at).min() > 0


@pytest.mark.parametrize("name", ["TimeWarp", "WindowWarp"])
def test_a_warp_keeps_both_ends(name):
    """The first and the last step are what they were, exactly, for every length; so is a forecast's target."""
    for read_at in times(made(name)):
        assert read_at[0] == 0
        assert read_at[-1] == len(read_at) - 1
    series = sequences(features=1)
    x, y = made(name).joined(series[:, :-1], series[:, -1])
    np.testing.assert_array_equal(y, series[:, -1])
    assert (x != series[:, :-1]).numpy().any()


def test_a_time_warp_changes_its_speed_by_its_strength():
    """The speed between two steps, over its mean, varies smoothly and about as much as the nodes."""
    read_at = np.stack(times(layers.TimeWarp(0.2, seed=2), np.full(400, 60), 60))
    speed = np.diff(read_at)
    assert speed.mean() == pytest.approx(1, abs=1e-5)
    assert 0.1 < speed.std() < 0.25
    assert np.abs(np.diff(speed)).max() < 0.25  # independent draws would differ by 0.8 somewhere


def test_a_slice_has_its_length_and_exact_ends():
    """Every output is a straight run over a whole number of steps, from one step to another, exactly."""
    for cut in (0.05, 0.1, 0.5, 0.99):
        for read_at in times(layers.WindowSlicing(cut, seed=2)):
            length = len(read_at)
            kept = max(min(math.ceil(round((1 - cut) * length, 6)), length - 1), min(2, length))
            start, end = read_at[0], read_at[-1]
            assert start == int(start)
            assert end - start == kept - 1
            np.testing.assert_allclose(read_at, np.linspace(start, end, length), atol=1e-5)


def test_a_slice_starts_anywhere_with_equal_chances():
    """Of 20 steps 18 are kept: the starts 0, 1 and 2, the last possible one, are equally frequent."""
    read_at = np.stack(times(layers.WindowSlicing(0.1, seed=2), np.full(600, 20), 20))
    starts = np.bincount(read_at[:, 0].astype(int))
    assert len(starts) == 3
    assert stats.chisquare(starts).pvalue > 0.001


def warped_by_hand(length, start, window, factor):
    """Return the times at which a window warp reads a sequence."""
    old = [0, start, start + window, length - 1]
    new = [0, start, start + window * factor, length - 1 + window * (factor - 1)]
    return np.interp(np.linspace(0, new[-1], length), new, old)


def test_a_window_warp_resamples_one_window():
    """Every output is that of one start and one factor, and all starts and both factors come up."""
    for length, ratio, window in ((20, 0.1, 2), (8, 0.1, 1), (21, 0.3, 7)):
        layer = layers.WindowWarp(ratio, seed=2)
        cases = [(start, factor) for start in range(length - window) for factor in (0.5, 2.0)]
        expected = np.stack([warped_by_hand(length, start, window, factor) for start, factor in cases])
        read_at = np.stack(times(layer, np.full(600, length), length))
        apart = np.abs(read_at[:, None] - expected).max(axis=-1)
        assert apart.min(axis=1).max() < 1e-4
        counts = np.bincount(apart.argmin(axis=1), minlength=len(cases))
        assert stats.chisquare(counts).pvalue > 0.001


def test_reading_interpolates_linearly_and_stops_at_the_ends():
    """Between two steps it takes their weighted mean; outside it holds the first and the last step."""
    series = tf.constant([[[1.0], [3.0], [math.nan]]])
    positions = tf.constant([[-1.0, 0.0, 0.25, 1.0, 1.5]])
    outputs = read(series, positions, tf.constant([2]))
    np.testing.assert_allclose(outputs[0, :, 0], [1, 1, 1.5, 3, 3])


def test_a_permutation_keeps_the_multiset_and_its_segments():
    """Within its length a sequence has the same steps, in whole segments whose lengths differ by one at most."""
    numbers = set()
    for order in times(layers.Permutation(4, seed=2), np.tile(LENGTHS, 10)):
        np.testing.assert_array_equal(np.sort(order), np.arange(len(order)))
        begins = np.flatnonzero(np.diff(order, prepend=-2) != 1)
        assert len(begins) <= min(4, len(order))
        if len(order) == 20 and len(set(order[begins])) == 4:
            assert set(np.diff([*begins, 20])) == {5}
        numbers.add(len(begins))
    assert numbers == {1, 2, 3, 4}


def test_the_number_of_segments_is_drawn_from_one_to_the_largest():
    """A quarter of the sequences is cut into each number; two segments change places half of the time."""
    orders = times(layers.Permutation(4, seed=2), np.full(4000, 20), 20)
    # Some draws leave neighbours together: n segments stay in order with probability 1 / n!.
    same = np.mean([(order == np.arange(20)).all() for order in orders])
    expected = np.mean([1 / math.factorial(n) for n in (1, 2, 3, 4)])
    assert abs(same - expected) < 4 * math.sqrt(expected * (1 - expected) / len(orders))
    first = np.mean([order[0] == 10 for order in orders])  # halves or quarters, the later half in front
    assert abs(first - (1 / 4 * 1 / 2 + 1 / 4 * 1 / 4)) < 4 * math.sqrt(0.19 * 0.81 / len(orders))


def test_more_segments_than_steps_permute_single_steps():
    """Every order of three steps comes up, and nothing is lost."""
    orders = times(layers.Permutation(50, seed=2), np.full(500, 3), 5)
    assert len({tuple(order) for order in orders}) == 6


def test_a_permutation_refuses_to_forecast():
    """The layer raises an error that says why."""
    with pytest.raises(ValueError, match=r"has no next value.*Received: y.shape=\(4, 1\)$"):
        made("Permutation").joined(tf.zeros((4, 5, 1)), tf.zeros((4, 1)))


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 3.0, 50.0])
def test_weights_are_drawn_from_the_beta_distribution(alpha):
    """The distribution function is SciPy's, from the sharpest to the bluntest shape."""
    uniform = np.random.default_rng(1).random((2, 4000), dtype=np.float32)
    drawn = symmetric_beta(tf.constant(alpha), *uniform).numpy()
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    inner = drawn[(drawn > 0.001) & (drawn < 0.999)].astype(np.float64)  # float32 merges what is beyond
    beta = stats.beta(alpha, alpha)
    low, high = beta.cdf([0.001, 0.999])
    share = high - low
    assert abs(len(inner) / len(drawn) - share) <= 4 * math.sqrt(share * (1 - share) / len(drawn))
    assert stats.kstest(inner, lambda value: (beta.cdf(value) - low) / share).pvalue > 0.001


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
def test_mixup_mixes_labels_as_it_mixes_inputs(mask):
    """At every step that counts a sample consists of two others, or itself, in the proportions of its label."""
    who = np.eye(BATCH, dtype=np.float32)
    x = np.repeat(who[:, None], STEPS, axis=1)
    counting = np.ones_like(MASK) if mask is None else mask
    outputs, mixed = made("Mixup").batch(x * counting[:, :, None], who, mask)
    mixed = mixed.numpy()
    for row, label, counts in zip(outputs.numpy(), mixed, counting, strict=True):
        np.testing.assert_allclose(row[counts], np.tile(label, (counts.sum(), 1)), atol=1e-6)
    assert mixed.min() >= 0
    np.testing.assert_allclose(mixed.sum(axis=1), 1, atol=1e-6)
    own = np.diag(mixed)
    assert own.min() >= 0.5
    assert len(set(own)) > BATCH / 2
    partners = mixed - np.diag(own) > 0  # a permutation may leave some samples to themselves
    assert partners.sum() > BATCH / 2
    assert partners.sum(axis=0).max() == partners.sum(axis=1).max() == 1


def test_mixup_stretches_a_partner_to_the_length_of_the_leading_sample():
    """Where every sequence tells the share of its time that has passed, so does every mixture."""
    lengths = np.maximum(LENGTHS, 2)[:, None]
    time = np.arange(STEPS)
    x = np.where(time < lengths, 1 + time / (lengths - 1), 0).astype(np.float32)[:, :, None]
    outputs, mixed = made("Mixup").batch(x, np.eye(BATCH, dtype=np.float32), time < lengths)
    np.testing.assert_allclose(outputs, x, atol=1e-5)
    assert (np.diag(mixed) < 0.9).mean() > 0.3


def test_mixup_mixes_a_target_as_its_window():
    """Window and target get the same partner and the same weight."""
    who = np.eye(16, dtype=np.float32)
    level = who @ np.arange(16, dtype=np.float32)[:, None]
    x, y = made("Mixup").joined(np.repeat(level[:, None], 5, axis=1), level)
    np.testing.assert_allclose(x, np.repeat(y[:, None], 5, axis=1), atol=1e-5)
    assert (y != level).numpy().any()


def test_mixup_inside_a_model_is_an_error():
    """Where no label can be reached, training is refused with a sentence on what to do."""
    with pytest.raises(ValueError, match=r"`batch\(x, y, mask\)`.*Received: training=True"):
        made("Mixup")(sequences(), training=True)


# In models and in the study


@pytest.mark.filterwarnings(
    # Keras 3.15 reads the variables of a stream in a way that NumPy 2 finds old-fashioned.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
def test_a_model_with_every_layer_survives_its_file(tmp_path):
    """A .keras file brings back settings, strengths that were changed, and the outputs; draws begin at the seed."""
    inputs = x = keras.Input((None, 3))
    x = keras.layers.Masking()(x)
    for name in SETTINGS:
        x = made(name, name=name, **({"knots": 3} if name in CURVES else {}))(x)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(x))
    model.get_layer("Jitter").sd.assign(0.7)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded(padded()), model(padded()))
    assert all(loaded.get_layer(name).knots == 3 for name in CURVES)
    for name, (field, _, strong) in SETTINGS.items():
        expected = 0.7 if name == "Jitter" else strong
        assert getattr(loaded.get_layer(name), field).numpy() == np.array(expected, np.float32)
        again = [
            made_model.get_layer(name).batch(padded(), labels(), MASK)[0] for made_model in (model, loaded)
        ]
        np.testing.assert_array_equal(*again)


def test_layers_train_in_a_plain_fit_and_evaluation_moves_no_stream():
    """Behind a Masking layer they act on every batch, the last one smaller, and only in training."""
    model = keras.Sequential(
        [
            keras.Input((STEPS, 3)),
            keras.layers.Masking(),
            *(made(name) for name in SETTINGS if name != "Mixup"),
            keras.layers.LSTM(4),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", jit_compile=False)
    augmentations = [layer for layer in model.layers if isinstance(layer, Augmentation)]
    history = model.fit(padded(), labels(), batch_size=12, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    before = [stream(layer) for layer in augmentations]
    assert all(state[1] > 0 for state in before)
    model.predict(padded(), verbose=0)
    assert [stream(layer) for layer in augmentations] == before


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@every_augmentation
def test_mixed_precision_works(name, policy):
    """Strengths stay float32, outputs have the compute dtype, and off is exact."""
    x = sequences().astype("float16")
    outputs = made(name, on=False, dtype=policy).batch(tf.constant(x), labels(), None)[0]
    np.testing.assert_array_equal(outputs, x)
    if name != "Mixup":
        outputs = made(name, dtype=policy)(x, training=True)
        assert outputs.dtype == policy.removeprefix("mixed_")
        assert np.isfinite(tf.cast(outputs, tf.float32)).all()


def instances(*, on):
    """Return every technique, at its strength or off."""
    return {
        name: getattr(techniques, name)(**{field: strong if on else off})
        for name, (field, off, strong) in SETTINGS.items()
    }


SMALL = dataclasses.replace(RECIPE, layers=1)


def together(task, *, on):
    """Return a recipe with all augmentations that fit a task, forced on even where they are off."""
    recipe = forced(None, SMALL)
    fitting = [technique for technique in instances(on=on).values() if not technique.unfit(task.info)]
    object.__setattr__(recipe, "techniques", tuple(sorted(fitting, key=lambda technique: technique.name)))
    return recipe


@pytest.mark.parametrize("task", [waves, syllables], ids=["forecasting", "classification"])
def test_forced_on_at_strength_zero_training_is_the_baselines(task):
    """All augmentations together, off, give the baseline's losses over 3 epochs; on, they give others."""
    baseline = train_afresh(task(), SMALL).curves
    off = train_afresh(task(), together(task(), on=False)).curves
    for name, curve in baseline.items():
        np.testing.assert_allclose(off[name], curve, rtol=1e-5, err_msg=name)
    on = train_afresh(task(), together(task(), on=True)).curves
    assert np.isfinite(on["loss"]).all()
    assert (np.abs(on["loss"] / baseline["loss"] - 1) > 1e-3).all()


@every_augmentation
def test_a_technique_places_its_layer_with_its_settings(name):
    """The layer has the technique's name and strength; off is off and on is on."""
    field, off, strong = SETTINGS[name]
    technique, resting = instances(on=True)[name], instances(on=False)[name]
    assert not technique.is_off
    assert resting.is_off
    assert technique.values == (field,)
    assert technique.strength == strong
    layer = technique.on_batch("mine")
    assert type(layer) is getattr(layers, name)
    assert layer.name == "mine"
    assert getattr(layer, field).numpy() == np.array(strong, np.float32)
    assert dataclasses.replace(technique, **{field: off}).structure() == technique.structure()


def test_soft_labels_reach_the_loss():
    """A mixed training batch has labels between 0 and 1, and the loss is their cross-entropy."""
    program = Program(SMALL.adding(techniques.Mixup(1.0)), SYLLABLES, 24)
    part = syllables().folds[0].train
    _, y = program._batch(tf.constant(part.x), tf.constant(part.y))
    y = y.numpy()
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
    assert ((y > 0.01) & (y < 0.99)).any()
    outputs = sequences(len(y), 1, SYLLABLES.n_outputs)[:, 0]
    expected = -(y * (outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True)))).sum(axis=1)
    np.testing.assert_allclose(program._losses(tf.constant(y), tf.constant(outputs)), expected, rtol=1e-5)


def test_what_makes_no_sense_on_a_task_is_said():
    """Permutation never forecasts; what depends on the target's time forecasts one step ahead; the rest is free."""
    ahead = dataclasses.replace(WAVES, horizon=3)
    unfit = {
        info: {name for name, technique in instances(on=True).items() if technique.unfit(info)}
        for info in (SYLLABLES, WAVES, ahead)
    }
    assert unfit == {
        SYLLABLES: set(),
        WAVES: {"Permutation"},
        ahead: {"Permutation", "MagnitudeWarp", *WARPS},
    }
    assert "3 steps ahead" in techniques.TimeWarp(0.2).unfit(ahead)
    assert techniques.Permutation(4).unfit(WAVES).endswith(".")


BAD = {
    "Jitter": (-0.1, math.inf, math.nan, True, "0.3"),
    "Scaling": (-0.1, math.inf, math.nan, True, "0.3"),
    "MagnitudeWarp": (-0.1, math.inf, math.nan, True, "0.3"),
    "TimeWarp": (-0.1, math.inf, math.nan, True, "0.3"),
    "WindowSlicing": (-0.1, 1, 1.5, math.nan, True, "0.3"),
    "WindowWarp": (-0.1, 1, 1.5, math.nan, True, "0.3"),
    "Permutation": (0, -1, 2.0, True, "4"),
    "Mixup": (-0.1, math.inf, math.nan, True, "0.3"),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_strength_outside_its_range_is_an_error_that_ends_with_what_came(name, value):
    """Layer and technique refuse it alike."""
    field, *_ = SETTINGS[name]
    for package in (layers, techniques):
        with pytest.raises(ValueError, match=re.escape(f"Received: {field}={value!r}") + "$"):
            getattr(package, name)(**{field: value})


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("knots", [0, 2.0, True])
def test_a_bad_number_of_knots_is_an_error(name, knots):
    """Layer and technique refuse it alike."""
    for package in (layers, techniques):
        with pytest.raises(ValueError, match=re.escape(f"Received: knots={knots!r}") + "$"):
            getattr(package, name)(0.2, knots=knots)


def test_inputs_without_a_time_axis_are_an_error():
    """A flat batch is refused by name of what was expected."""
    with pytest.raises(ValueError, match="expected ndim=3"):
        made("Jitter")(np.zeros((4, 3), np.float32))


# The notebook


def test_the_plain_lines_of_the_notebook_are_the_studys_network_and_noise():
    """07: both models to copy are the baseline at inference; in training they change inputs as the study does."""
    notebook = nbformat.read(paths.NOTEBOOKS / "07_augmentation.ipynb", as_version=4)
    names = {}
    for cell in notebook.cells:
        if "plain-keras" in cell.metadata.get("tags", []):
            exec(cell.source, names)  # noqa: S102 - our own cells
    study = Network(Recipe(), CATALOG["digits_rows"]).model
    x = sequences(5, 8, 8)
    rng = np.random.default_rng(1)
    for variable in study.trainable_variables:
        variable.assign(rng.normal(scale=0.4, size=variable.shape))
    for model in (names["noisy"], names["augmented"]):
        for theirs, ours in zip(model.trainable_variables, study.trainable_variables, strict=True):
            theirs.assign(ours)
        np.testing.assert_allclose(model(x), study(x), atol=1e-5)
        assert np.abs(model(x, training=True) - study(x)).max() > 1e-3
    jitter, time_warp = names["augmented"].layers[:2]
    assert names["noisy"].layers[0].stddev == pytest.approx(jitter.sd.numpy())
    for layer in (jitter, time_warp):
        ours = getattr(techniques, type(layer).__name__)(0.2).on_batch("ours")
        assert type(layer) is type(ours)
        assert getattr(layer, "knots", None) == getattr(ours, "knots", None)
