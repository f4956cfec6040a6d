"""Keras layers for anybody's own model: importing this package loads TensorFlow."""

from lstmstudy.layers.augmentation import Augmentation as Augmentation
from lstmstudy.layers.candidate_dropout import CandidateDropout as CandidateDropout
from lstmstudy.layers.cell_hook import CellHook as CellHook
from lstmstudy.layers.cell_layer_norm import CellLayerNorm as CellLayerNorm
from lstmstudy.layers.gradient_noise import GradientNoise as GradientNoise
from lstmstudy.layers.input_dropout import InputDropout as InputDropout
from lstmstudy.layers.jitter import Jitter as Jitter
from lstmstudy.layers.lstm import LSTM as LSTM
from lstmstudy.layers.magnitude_warp import MagnitudeWarp as MagnitudeWarp
from lstmstudy.layers.mixup import Mixup as Mixup
from lstmstudy.layers.permutation import Permutation as Permutation
from lstmstudy.layers.recurrent_batch_norm import RecurrentBatchNorm as RecurrentBatchNorm
from lstmstudy.layers.recurrent_dropout import StateDropout as StateDropout
from lstmstudy.layers.scaling import Scaling as Scaling
from lstmstudy.layers.time_warp import TimeWarp as TimeWarp
from lstmstudy.layers.weight_drop import WeightDrop as WeightDrop
from lstmstudy.layers.window_slicing import WindowSlicing as WindowSlicing
from lstmstudy.layers.window_warp import WindowWarp as WindowWarp
from lstmstudy.layers.zoneout import Zoneout as Zoneout
