"""All techniques by name: those that the modules of this package define."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from lstmstudy.techniques.technique import Technique


def _defined_here() -> dict[str, type[Technique]]:
    """Import every module of this package and return the techniques in them; none loads TensorFlow."""
    package = __name__.rpartition(".")[0]
    found = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        for value in vars(importlib.import_module(f"{package}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Technique) and "name" in vars(value):
                found[value.name] = value
    return found


TECHNIQUES: dict[str, type[Technique]] = _defined_here()
