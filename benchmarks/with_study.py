"""The study's side: a worker as `make report` has it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from peer import serve


def work(task: str, seed: int, path: str) -> dict[str, Any]:
    """Write the work for the other sides."""
    from grid import write_work

    write_work(task, seed, Path(path))
    return {}


def run(task: str, arm: str, seed: int, **size: int) -> dict[str, Any]:
    """Train one run as the study does; the seconds leave compiling out."""
    import psutil
    from grid import CACHE, run_of

    from lstmstudy.workers.pool import train_here

    outcome = train_here(run_of(task, arm, seed, **size), CACHE)
    curves, metric = outcome.result.curves, outcome.result.metric
    return {
        "seconds": outcome.record["seconds"],
        "loss": float(curves[f"train/{metric}"][-1]),
        "test": float(curves[f"test/{metric}"].min()),
        "mib": psutil.Process().memory_info().rss / 2**20,
    }


def epochs(task: str, width: int, steps: int = 0, repeats: int = 20) -> dict[str, Any]:
    """Time epochs of training alone; with `steps`, on made sequences of that length."""
    import dataclasses

    import numpy as np
    import tensorflow as tf
    from grid import run_of, task_of

    from lstmstudy.training.program import Program

    recipe, opened = run_of(task, "none", 1, width=width).recipe, task_of(task)
    part, info = opened.folds[0].train, opened.info
    x = part.x
    if steps:
        info = dataclasses.replace(info, window=steps)
        x = np.random.default_rng(1).normal(size=(len(part.y), steps, info.n_features)).astype(np.float32)
    program = Program(recipe, info, len(part.y))
    program.start(recipe, 1)
    given = tf.constant(x), tf.constant(part.y), np.arange(len(part.y)), np.full(program.n_batches, 0.003)
    program.train_epoch(*given)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        program.train_epoch(*given)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds}


def product(repeats: int = 20, inner: int = 1000) -> dict[str, Any]:
    """Time (32, 64) (64, 256) products in single precision, compiled and by NumPy; return operations per second."""
    import numpy as np
    import tensorflow as tf

    a = np.random.default_rng(1).normal(size=(32, 64)).astype(np.float32)
    b = np.random.default_rng(2).normal(size=(64, 256)).astype(np.float32)

    @tf.function(jit_compile=True)
    def many(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        def again(i: tf.Tensor, factor: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1, 1.0 + 1e-9 * tf.matmul(factor * a, b)[0, 0]  # so that no product can be left out

        return tf.while_loop(lambda i, _: i < inner, again, (tf.constant(0), tf.constant(1.0)))[1]

    compiled, plain, out = [], [], np.empty((32, 256), np.float32)
    many(tf.constant(a), tf.constant(b))
    for _ in range(repeats):
        began = time.perf_counter()
        many(tf.constant(a), tf.constant(b))
        compiled.append(time.perf_counter() - began)
        began = time.perf_counter()
        for _ in range(inner):
            np.dot(a, b, out=out)
        plain.append(time.perf_counter() - began)
    operations = 2 * 32 * 64 * 256 * inner
    return {
        "compiled": [operations / each for each in compiled],
        "numpy": [operations / each for each in plain],
    }


if __name__ == "__main__":
    from lstmstudy.training.program import limit_threads

    limit_threads()
    serve(work=work, run=run, epochs=epochs, product=product)
