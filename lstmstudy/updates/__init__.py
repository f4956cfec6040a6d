"""What happens around one update of the weights: penalties, gradients, constraints, averaging."""

from lstmstudy.updates.gradient_clipping import GradientClipping
from lstmstudy.updates.gradient_noise import GradientNoise
from lstmstudy.updates.max_norm import MaxNorm
from lstmstudy.updates.update_hook import UpdateHook
from lstmstudy.updates.weight_averaging import WeightAveraging
from lstmstudy.updates.weight_decay import WeightDecay
from lstmstudy.updates.weight_penalty import WeightPenalty

__all__ = [
    "GradientClipping",
    "GradientNoise",
    "MaxNorm",
    "UpdateHook",
    "WeightAveraging",
    "WeightDecay",
    "WeightPenalty",
]
