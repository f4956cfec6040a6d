"""Named random streams: every consumer of randomness owns one child of the run's seed."""

from __future__ import annotations

import numpy as np


def child_stream(seed: int, role: str) -> np.random.SeedSequence:
    """Return the stream of one named consumer, e.g. ``"init/lstm_1/kernel"`` or ``"batches"``.

    Streams of different roles are independent, so a new consumer moves no other stream.

    Args:
        seed: The run's seed, a non-negative integer.
        role: Name of the consumer, not empty.

    Raises:
        ValueError: If the seed is negative or the role is empty.
    """
    if seed < 0:
        msg = f"The seed of a stream is a non-negative integer. Received: seed={seed}"
        raise ValueError(msg)
    if not role:
        msg = f"A stream is named by its consumer, such as 'batches'. Received: role={role!r}"
        raise ValueError(msg)
    return np.random.SeedSequence(seed, spawn_key=tuple(role.encode()))


def generator(seed: int, role: str) -> np.random.Generator:
    """Return a NumPy generator on the stream of `role`."""
    return np.random.default_rng(child_stream(seed, role))


def integer_seed(seed: int, role: str) -> int:
    """Return a 31-bit integer drawn from the stream of `role`, for libraries that want a number."""
    return int(child_stream(seed, role).generate_state(1)[0] & 0x7FFFFFFF)
