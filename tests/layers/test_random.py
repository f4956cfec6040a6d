"""The random numbers of the layers: the published generator, and what their users rely on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from lstmstudy.layers.random import normal, philox, uniform


def stream(seed=1):
    """Return a stream at its start."""
    return keras.random.SeedGenerator(seed)


def compiled(draw, shape, numbers):
    """Return a function, compiled as in the study, that draws."""
    return tf.function(lambda: draw(shape, numbers), jit_compile=True)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0x00000000, 0x00000000), 0x00000000, (0xFF1DAE59, 0x6CD10DF2)),
        ((0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF, (0x2C3F628B, 0xAB4FD7AD)),
        ((0x243F6A88, 0x85A308D3), 0x13198A2E, (0xDD7CE038, 0xF62A4C12)),
    ],
)
def test_words_are_those_published(counter, key, expected):
    """The known answers that the authors of Philox give for two words and ten rounds."""
    first, second = (tf.constant([word], tf.uint32) for word in counter)
    words = philox(first, second, tf.constant(key, tf.uint32))
    assert tuple(int(word[0]) for word in words) == expected


@pytest.mark.parametrize(("draw", "cdf"), [(uniform, stats.uniform.cdf), (normal, stats.norm.cdf)])
def test_numbers_follow_their_distribution(draw, cdf):
    """By Kolmogorov and Smirnov's test; and neighbours are uncorrelated."""
    drawn = compiled(draw, (200_000,), stream())().numpy()
    assert stats.kstest(drawn, cdf).pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.01


def test_uniform_numbers_reach_0_and_never_1():
    """A rate of 0 drops nothing, as no number is below 0, and a rate of 1 drops all."""
    drawn = uniform((1 << 22,), stream())
    assert 0 <= float(tf.reduce_min(drawn)) < 1e-6
    assert 1 - 1e-6 < float(tf.reduce_max(drawn)) < 1


def test_normal_numbers_are_finite():
    """And as often above 0 as below, also at both ends of the uniform numbers behind them."""
    drawn = normal((1 << 22,), stream()).numpy()
    assert np.isfinite(drawn).all()
    assert 4.5 < np.abs(drawn).max() < 5.4
    assert np.mean(drawn > 0) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("draw", [uniform, normal])
def test_every_call_and_every_stream_draws_others(draw):
    """Neighbouring calls and seeds, too, have nothing in common."""
    one, other = stream(1), stream(2)
    draws = [draw((50_000,), numbers).numpy() for numbers in (one, one, other)]
    for i, first in enumerate(draws):
        for second in draws[i + 1 :]:
            assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
            assert np.mean(first == second) < 1e-3


@pytest.mark.parametrize("draw", [uniform, normal])
def test_the_numbers_follow_from_seed_and_call(draw):
    """A stream that is put back draws the same again."""
    one, other = stream(3), stream(3)
    first = draw((3, 4), one)
    np.testing.assert_array_equal(draw((3, 4), other), first)
    other.state.assign([3, 0])
    np.testing.assert_array_equal(draw((3, 4), other), first)


@pytest.mark.parametrize("draw", [uniform, normal])
def test_compiled_numbers_are_those_of_a_plain_call(draw):
    """To rounding, as XLA computes the inverse of the error function by itself."""
    np.testing.assert_allclose(
        compiled(draw, (5, 7), stream())(), draw((5, 7), stream()), rtol=1e-5, atol=1e-6
    )


def test_shapes_may_be_known_in_part():
    """As that of a batch whose size is open."""
    numbers = stream()
    drawn = tf.function(lambda x: uniform((2, tf.shape(x)[0], 3), numbers))
    assert drawn.get_concrete_function(tf.TensorSpec((None,))).structured_outputs.shape == (2, None, 3)
    assert drawn(tf.zeros(5)).shape == (2, 5, 3)
