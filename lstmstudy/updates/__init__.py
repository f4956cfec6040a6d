"""What happens around one update of the weights: penalties, gradients, constraints, averaging."""

from lstmstudy.updates.gradient_clipping import GradientClipping as GradientClipping
from lstmstudy.updates.gradient_noise import GradientNoise as GradientNoise
from lstmstudy.updates.max_norm import MaxNorm as MaxNorm
from lstmstudy.updates.update_hook import UpdateHook as UpdateHook
from lstmstudy.updates.weight_averaging import WeightAveraging as WeightAveraging
from lstmstudy.updates.weight_decay import WeightDecay as WeightDecay
from lstmstudy.updates.weight_penalty import WeightPenalty as WeightPenalty
