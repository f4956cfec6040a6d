"""From a run to its outcome: importing this package loads nothing, its modules TensorFlow."""
