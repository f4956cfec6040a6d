"""What every test process needs before TensorFlow is imported anywhere in it."""

from __future__ import annotations

import os

import pytest

from lstmstudy.runs import ENGINE

# Plugins that test modules import from, too:
pytest.register_assert_rewrite("browser", "checkout", "judging", "studying")
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3",  # no start-up lines between those of pytest
    CUDA_VISIBLE_DEVICES="-1",  # results are those of the processor
    TF_ENABLE_ONEDNN_OPTS="0",  # its kernels round differently from one processor to the next
    XLA_FLAGS=ENGINE["xla_flags"],
)
