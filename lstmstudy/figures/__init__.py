"""Figures, findings and tables of the notebooks."""

from lstmstudy.figures.curves import plot_arm_curves, plot_learning_curves
from lstmstudy.figures.effects import plot_dose_response, plot_stopping
from lstmstudy.figures.ensembles import plot_ambiguity
from lstmstudy.figures.gradients import plot_flatness, plot_noise_schedule
from lstmstudy.figures.rows import plot_paired_differences, plot_ranking
from lstmstudy.figures.show import say, show_figure
from lstmstudy.figures.style import panels, style
from lstmstudy.figures.tables import effect_cell, table
from lstmstudy.figures.weights import plot_prices, plot_weight_changes

__all__ = [
    "effect_cell",
    "panels",
    "plot_ambiguity",
    "plot_arm_curves",
    "plot_dose_response",
    "plot_flatness",
    "plot_learning_curves",
    "plot_noise_schedule",
    "plot_paired_differences",
    "plot_prices",
    "plot_ranking",
    "plot_stopping",
    "plot_weight_changes",
    "say",
    "show_figure",
    "style",
    "table",
]
