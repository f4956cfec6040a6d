"""Keras layers for anybody's own model: importing this package loads TensorFlow."""

from lstmstudy.layers.augmentation import Augmentation
from lstmstudy.layers.candidate_dropout import CandidateDropout
from lstmstudy.layers.cell_hook import CellHook
from lstmstudy.layers.cell_layer_norm import CellLayerNorm
from lstmstudy.layers.gradient_noise import GradientNoise
from lstmstudy.layers.input_dropout import InputDropout
from lstmstudy.layers.jitter import Jitter
from lstmstudy.layers.lstm import LSTM
from lstmstudy.layers.magnitude_warp import MagnitudeWarp
from lstmstudy.layers.mixup import Mixup
from lstmstudy.layers.permutation import Permutation
from lstmstudy.layers.recurrent_batch_norm import RecurrentBatchNorm
from lstmstudy.layers.recurrent_dropout import StateDropout
from lstmstudy.layers.scaling import Scaling
from lstmstudy.layers.time_warp import TimeWarp
from lstmstudy.layers.weight_drop import WeightDrop
from lstmstudy.layers.window_slicing import WindowSlicing
from lstmstudy.layers.window_warp import WindowWarp
from lstmstudy.layers.zoneout import Zoneout

__all__ = [
    "LSTM",
    "Augmentation",
    "CandidateDropout",
    "CellHook",
    "CellLayerNorm",
    "GradientNoise",
    "InputDropout",
    "Jitter",
    "MagnitudeWarp",
    "Mixup",
    "Permutation",
    "RecurrentBatchNorm",
    "Scaling",
    "StateDropout",
    "TimeWarp",
    "WeightDrop",
    "WindowSlicing",
    "WindowWarp",
    "Zoneout",
]
