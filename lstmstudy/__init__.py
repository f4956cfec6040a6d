"""The experiment on LSTM regularization; these are the names that a notebook needs."""

from lstmstudy.figures import say as say
from lstmstudy.figures import show_figure as show_figure
from lstmstudy.figures import table as table
from lstmstudy.findings import arm_curves as arm_curves
from lstmstudy.findings import cost_table as cost_table
from lstmstudy.findings import dose_response as dose_response
from lstmstudy.findings import learning_curves as learning_curves
from lstmstudy.findings import paired_differences as paired_differences
from lstmstudy.findings import ranking as ranking
from lstmstudy.findings import reference_table as reference_table
from lstmstudy.findings import show as show
from lstmstudy.findings import stopping as stopping
from lstmstudy.findings import task_table as task_table
from lstmstudy.study import open_study as open_study
from lstmstudy.techniques import Dropout as Dropout
from lstmstudy.techniques import EarlyStopping as EarlyStopping
from lstmstudy.techniques import RecurrentDropout as RecurrentDropout
