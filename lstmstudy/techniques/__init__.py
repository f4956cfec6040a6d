"""One technique of the guide per file; `TECHNIQUES` has them all by name."""

from lstmstudy.recipe import Technique
from lstmstudy.techniques.averaging import Averaging
from lstmstudy.techniques.bagging import Bagging
from lstmstudy.techniques.batch_norm import BatchNorm
from lstmstudy.techniques.boosting import Boosting
from lstmstudy.techniques.bundle import Bundle
from lstmstudy.techniques.cell_layer_norm import CellLayerNorm
from lstmstudy.techniques.dropout import Dropout
from lstmstudy.techniques.early_stopping import EarlyStopping
from lstmstudy.techniques.gradient_clipping import GradientClipping
from lstmstudy.techniques.gradient_noise import GradientNoise
from lstmstudy.techniques.jitter import Jitter
from lstmstudy.techniques.l1 import L1
from lstmstudy.techniques.l1l2 import L1L2
from lstmstudy.techniques.l2 import L2
from lstmstudy.techniques.layer_norm import LayerNorm
from lstmstudy.techniques.magnitude_warp import MagnitudeWarp
from lstmstudy.techniques.max_norm import MaxNorm
from lstmstudy.techniques.mixup import Mixup
from lstmstudy.techniques.monte_carlo_dropout import MonteCarloDropout
from lstmstudy.techniques.permutation import Permutation
from lstmstudy.techniques.recurrent_batch_norm import RecurrentBatchNorm
from lstmstudy.techniques.recurrent_dropout import RecurrentDropout
from lstmstudy.techniques.registry import TECHNIQUES
from lstmstudy.techniques.scaling import Scaling
from lstmstudy.techniques.sham import Sham
from lstmstudy.techniques.snapshots import Snapshots
from lstmstudy.techniques.time_warp import TimeWarp
from lstmstudy.techniques.trio import Trio
from lstmstudy.techniques.weight_averaging import WeightAveraging
from lstmstudy.techniques.weight_decay import WeightDecay
from lstmstudy.techniques.weight_drop import WeightDrop
from lstmstudy.techniques.window_slicing import WindowSlicing
from lstmstudy.techniques.window_warp import WindowWarp
from lstmstudy.techniques.zoneout import Zoneout

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "TECHNIQUES",
    "Averaging",
    "Bagging",
    "BatchNorm",
    "Boosting",
    "Bundle",
    "CellLayerNorm",
    "Dropout",
    "EarlyStopping",
    "GradientClipping",
    "GradientNoise",
    "Jitter",
    "LayerNorm",
    "MagnitudeWarp",
    "MaxNorm",
    "Mixup",
    "MonteCarloDropout",
    "Permutation",
    "RecurrentBatchNorm",
    "RecurrentDropout",
    "Scaling",
    "Sham",
    "Snapshots",
    "Technique",
    "TimeWarp",
    "Trio",
    "WeightAveraging",
    "WeightDecay",
    "WeightDrop",
    "WindowSlicing",
    "WindowWarp",
    "Zoneout",
]
