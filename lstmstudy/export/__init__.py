"""What a study leaves behind for use elsewhere: trained models, and scripts that train them anew."""

from lstmstudy.export.lines import NoScriptError as NoScriptError
from lstmstudy.export.script import training_script as training_script
from lstmstudy.export.stock import to_keras as to_keras
from lstmstudy.export.trained import NoModelError as NoModelError
from lstmstudy.export.trained import trained_model as trained_model
