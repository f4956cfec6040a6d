"""The words that a semantics card answers with, and its columns."""

from __future__ import annotations

from typing import Final

YES: Final = "yes"
NO: Final = "no"
NOT_APPLICABLE: Final = "not applicable"
NOTHING: Final = "nothing is drawn"
ONCE: Final = "once for a run"
EXPECTATION: Final = "as the expectation"
PASSES: Final = "as a mean of noisy passes"
OTHER_WEIGHTS: Final = "with other weights"
SEVERAL: Final = "with several networks"
BY_PREDICTIONS: Final = "by its predictions"

STEPS: Final = "same at every step"
GATES: Final = "same for all gates"
SAMPLES: Final = "same for all samples"
MEAN: Final = "keeps the mean"
DRAWN: Final = "drawn anew for each batch"
INFERENCE: Final = "acts at inference"
METRIC: Final = "in the validation metric"
REPEATABLE: Final = "repeatable evaluation"
BIASES: Final = "moves biases by itself"

NOISE: Final = (STEPS, GATES, SAMPLES, MEAN)
COLUMNS: Final = (*NOISE, DRAWN, INFERENCE, METRIC, REPEATABLE, BIASES)
WORDS: Final = (
    *(YES, NO, NOT_APPLICABLE, NOTHING, ONCE),
    *(EXPECTATION, PASSES, OTHER_WEIGHTS, SEVERAL, BY_PREDICTIONS),
)


def said(true: bool) -> str:
    """Return a yes or no."""
    return YES if true else NO
