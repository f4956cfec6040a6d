"""What every test process needs before TensorFlow is imported anywhere in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hypothesis
import pytest

from lstmstudy.runs import ENGINE
from lstmstudy.stats import sample

TESTS = Path(__file__).parent

# Few examples, the same at every call; --hypothesis-profile=thorough looks longer, and elsewhere each time.
hypothesis.settings.register_profile(
    "stable", derandomize=True, database=None, deadline=None, max_examples=30, print_blob=False
)
hypothesis.settings.register_profile("thorough", database=None, deadline=None, max_examples=1000)
hypothesis.settings.load_profile("stable")
# Plugins that test modules import from, too:
pytest.register_assert_rewrite("browser", "checkout", "judging", "studying")
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3",  # no start-up lines between those of pytest
    CUDA_VISIBLE_DEVICES="-1",  # results are those of the processor
    TF_ENABLE_ONEDNN_OPTS="0",  # its kernels round differently from one processor to the next
    XLA_FLAGS=ENGINE["xla_flags"],
)

# Minutes each: one that began last would be waited for by an idle core.
FIRST = (
    "whole/test_smoke.py",
    "test_build.py",
    "whole/test_faults.py",
    "whole/test_tutorial.py",
    "store/test_published.py",
    "export/test_trained.py",
)


def pytest_collection_modifyitems(items):
    """Let the modules that take longest begin first."""
    items.sort(key=lambda item: item.path.relative_to(TESTS).as_posix() not in FIRST)


@pytest.fixture(autouse=True)
def _close_figures():
    """Close every figure that a test leaves open."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def few_units(monkeypatch):
    """Give intervals to the few units of tests whose numbers are reckoned by hand."""
    monkeypatch.setattr(sample, "FEWEST", 2)
