"""One technique of the guide per file; `TECHNIQUES` has them all by name."""

from lstmstudy.techniques.dropout import Dropout as Dropout
from lstmstudy.techniques.early_stopping import EarlyStopping as EarlyStopping
from lstmstudy.techniques.recurrent_dropout import RecurrentDropout as RecurrentDropout
from lstmstudy.techniques.registry import TECHNIQUES as TECHNIQUES
from lstmstudy.techniques.technique import Technique as Technique
from lstmstudy.techniques.weight_drop import WeightDrop as WeightDrop
from lstmstudy.techniques.zoneout import Zoneout as Zoneout
