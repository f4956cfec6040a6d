"""What notebooks show: one call, one figure, one sentence fed by data."""

from lstmstudy.findings.cost import cost_table as cost_table
from lstmstudy.findings.finding import Finding as Finding
from lstmstudy.findings.finding import show as show
from lstmstudy.findings.overfitting import learning_curves as learning_curves
from lstmstudy.findings.overfitting import reference_table as reference_table
from lstmstudy.findings.ranking import ranking as ranking
from lstmstudy.findings.ranking import task_table as task_table
from lstmstudy.findings.stopping import stopping as stopping
from lstmstudy.findings.techniques import arm_curves as arm_curves
from lstmstudy.findings.techniques import dose_response as dose_response
from lstmstudy.findings.techniques import paired_differences as paired_differences
