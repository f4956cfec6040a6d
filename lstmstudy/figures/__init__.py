"""Figures, findings and tables of the notebooks."""

from lstmstudy.figures.curves import plot_arm_curves as plot_arm_curves
from lstmstudy.figures.curves import plot_learning_curves as plot_learning_curves
from lstmstudy.figures.effects import plot_dose_response as plot_dose_response
from lstmstudy.figures.effects import plot_stopping as plot_stopping
from lstmstudy.figures.ensembles import plot_ambiguity as plot_ambiguity
from lstmstudy.figures.gradients import plot_flatness as plot_flatness
from lstmstudy.figures.gradients import plot_noise_schedule as plot_noise_schedule
from lstmstudy.figures.rows import plot_paired_differences as plot_paired_differences
from lstmstudy.figures.rows import plot_ranking as plot_ranking
from lstmstudy.figures.show import say as say
from lstmstudy.figures.show import show_figure as show_figure
from lstmstudy.figures.style import panels as panels
from lstmstudy.figures.style import style as style
from lstmstudy.figures.tables import effect_cell as effect_cell
from lstmstudy.figures.tables import table as table
from lstmstudy.figures.weights import plot_prices as plot_prices
from lstmstudy.figures.weights import plot_weight_changes as plot_weight_changes
