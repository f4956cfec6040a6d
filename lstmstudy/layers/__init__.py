"""Keras layers for anybody's own model: importing this package loads TensorFlow."""

from lstmstudy.layers.candidate_dropout import CandidateDropout as CandidateDropout
from lstmstudy.layers.input_dropout import InputDropout as InputDropout
from lstmstudy.layers.lstm import LSTM as LSTM
from lstmstudy.layers.lstm import CellHook as CellHook
from lstmstudy.layers.recurrent_dropout import StateDropout as StateDropout
