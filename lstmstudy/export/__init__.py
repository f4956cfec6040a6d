"""What a study leaves behind for use elsewhere: trained models, and scripts that train them anew."""

from lstmstudy.export.lines import NoScriptError
from lstmstudy.export.script import training_script
from lstmstudy.export.stock import to_keras
from lstmstudy.export.trained import NoModelError, trained_model

__all__ = ["NoModelError", "NoScriptError", "to_keras", "trained_model", "training_script"]
