"""The experiment on LSTM regularization; these are the names that a notebook needs."""

from lstmstudy.figures import panels as panels
from lstmstudy.figures import plot_arm_curves as plot_arm_curves
from lstmstudy.figures import plot_dose_response as plot_dose_response
from lstmstudy.figures import plot_learning_curves as plot_learning_curves
from lstmstudy.figures import plot_paired_differences as plot_paired_differences
from lstmstudy.figures import plot_ranking as plot_ranking
from lstmstudy.figures import plot_stopping as plot_stopping
from lstmstudy.figures import say as say
from lstmstudy.figures import show_figure as show_figure
from lstmstudy.figures import style as style
from lstmstudy.figures import table as table
from lstmstudy.study import open_study as open_study
from lstmstudy.techniques import Dropout as Dropout
from lstmstudy.techniques import EarlyStopping as EarlyStopping
from lstmstudy.techniques import RecurrentDropout as RecurrentDropout
