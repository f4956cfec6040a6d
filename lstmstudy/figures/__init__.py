"""Figures, findings and tables of the notebooks."""

from lstmstudy.figures.curves import plot_arm_curves as plot_arm_curves
from lstmstudy.figures.curves import plot_learning_curves as plot_learning_curves
from lstmstudy.figures.effects import plot_dose_response as plot_dose_response
from lstmstudy.figures.effects import plot_stopping as plot_stopping
from lstmstudy.figures.labels import effect_text as effect_text
from lstmstudy.figures.rows import plot_paired_differences as plot_paired_differences
from lstmstudy.figures.rows import plot_ranking as plot_ranking
from lstmstudy.figures.show import say as say
from lstmstudy.figures.show import show_figure as show_figure
from lstmstudy.figures.style import panels as panels
from lstmstudy.figures.style import style as style
from lstmstudy.figures.tables import table as table
