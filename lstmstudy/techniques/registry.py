"""All techniques by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.techniques.dropout import Dropout
from lstmstudy.techniques.early_stopping import EarlyStopping
from lstmstudy.techniques.recurrent_dropout import RecurrentDropout

if TYPE_CHECKING:
    from lstmstudy.techniques.technique import Technique

TECHNIQUES: dict[str, type[Technique]] = {
    technique.name: technique for technique in (Dropout, RecurrentDropout, EarlyStopping)
}
