"""Streams of one seed are named, repeatable and independent of each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lstmstudy.streams import child_stream, generator, integer_seed

ROLES = ("batches", "init/lstm_1/kernel", "init/lstm_2/kernel", "masks/dropout_1", "masks/dropout_11", "a")


def test_a_stream_is_given_by_seed_and_role():
    """Asked for twice, a stream begins anew with the same numbers, whatever was drawn in between."""
    first = generator(7, "batches").normal(size=5)
    generator(7, "other").normal(size=100)
    assert generator(7, "batches").normal(size=5).tobytes() == first.tobytes()
    assert integer_seed(7, "batches") == integer_seed(7, "batches")


def test_streams_of_different_roles_and_seeds_differ():
    """No two of many seeds and roles share a first state."""
    pairs = list(itertools.product(range(20), ROLES))
    states = {tuple(child_stream(seed, role).generate_state(4)) for seed, role in pairs}
    assert len(states) == len(pairs)
    assert len({integer_seed(seed, role) for seed, role in pairs}) == len(pairs)


def test_streams_of_neighbouring_seeds_are_unrelated():
    """The draws of one role under 200 neighbouring seeds have the correlation of independent numbers."""
    draws = np.stack([generator(seed, "masks/dropout_1").normal(size=400) for seed in range(200)])
    neighbours = np.mean(draws[1:] * draws[:-1])
    assert abs(neighbours) < 4 / np.sqrt(199 * 400)


def test_an_integer_seed_fits_into_31_bits():
    """Libraries that take a signed 32-bit seed accept it."""
    seeds = [integer_seed(seed, "masks/dropout_1") for seed in range(200)]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert max(seeds) > 2**30


@pytest.mark.parametrize(
    ("seed", "role", "received"), [(-1, "batches", "Received: seed=-1"), (0, "", "Received: role=''")]
)
def test_a_stream_without_seed_or_role_is_an_error(seed, role, received):
    """The error says what came."""
    with pytest.raises(ValueError, match=rf"{received}$"):
        child_stream(seed, role)
