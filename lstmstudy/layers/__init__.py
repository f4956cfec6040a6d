"""Keras layers for anybody's own model: importing this package loads TensorFlow."""

from lstmstudy.layers.candidate_dropout import CandidateDropout as CandidateDropout
from lstmstudy.layers.cell_hook import CellHook as CellHook
from lstmstudy.layers.input_dropout import InputDropout as InputDropout
from lstmstudy.layers.lstm import LSTM as LSTM
from lstmstudy.layers.recurrent_dropout import StateDropout as StateDropout
from lstmstudy.layers.weight_drop import WeightDrop as WeightDrop
from lstmstudy.layers.zoneout import Zoneout as Zoneout
