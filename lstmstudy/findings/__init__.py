"""What notebooks show: one call, one figure, one sentence fed by data."""

from lstmstudy.findings.advice import advice
from lstmstudy.findings.answer import answer, forest
from lstmstudy.findings.augmentation import augmented_examples, fitness_table
from lstmstudy.findings.by_task import task_table
from lstmstudy.findings.combined import added_and_removed, interactions, rivals
from lstmstudy.findings.cost import cost_table
from lstmstudy.findings.ensembles import disagreement, ensemble_gains, member_counts
from lstmstudy.findings.finding import Finding, show
from lstmstudy.findings.gradients import clipped_shares, noise_schedule
from lstmstudy.findings.minima import flatness
from lstmstudy.findings.normalization import batch_sizes, lengths, modes
from lstmstudy.findings.overfitting import learning_curves, reference_table
from lstmstudy.findings.prices import prices_at_the_start
from lstmstudy.findings.semantics import semantics_card
from lstmstudy.findings.several import dose_responses, technique_effects
from lstmstudy.findings.stopping import stopping
from lstmstudy.findings.techniques import arm_curves, dose_response, paired_differences, validation_optima
from lstmstudy.findings.validation import (
    estimate_bias,
    estimate_errors,
    linear_check,
    real_series,
    residual_check,
    split_bars,
)
from lstmstudy.findings.verdicts import (
    calibration,
    chapter_verdicts,
    robustness_table,
    search_curves,
    verdict_table,
)
from lstmstudy.findings.weights import weight_changes, weight_table

__all__ = [
    "Finding",
    "added_and_removed",
    "advice",
    "answer",
    "arm_curves",
    "augmented_examples",
    "batch_sizes",
    "calibration",
    "chapter_verdicts",
    "clipped_shares",
    "cost_table",
    "disagreement",
    "dose_response",
    "dose_responses",
    "ensemble_gains",
    "estimate_bias",
    "estimate_errors",
    "fitness_table",
    "flatness",
    "forest",
    "interactions",
    "learning_curves",
    "lengths",
    "linear_check",
    "member_counts",
    "modes",
    "noise_schedule",
    "paired_differences",
    "prices_at_the_start",
    "real_series",
    "reference_table",
    "residual_check",
    "rivals",
    "robustness_table",
    "search_curves",
    "semantics_card",
    "show",
    "split_bars",
    "stopping",
    "task_table",
    "technique_effects",
    "validation_optima",
    "verdict_table",
    "weight_changes",
    "weight_table",
]
