"""All techniques by name: those that the modules of this package define."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from lstmstudy.recipe import Technique


def _defined_here() -> dict[str, type[Technique]]:
    """Import every module of this package and return the techniques in them; none loads TensorFlow.

    Raises:
        ValueError: If two of them have one name.
    """
    package = __name__.rpartition(".")[0]
    found: dict[str, type[Technique]] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        for value in vars(importlib.import_module(f"{package}.{module.name}")).values():
            if not (isinstance(value, type) and issubclass(value, Technique) and "name" in vars(value)):
                continue
            other = found.setdefault(value.name, value)
            if other is not value:
                modules = [other.__module__, value.__module__]
                raise ValueError(
                    f"Every technique has a name of its own. Received: name={value.name!r} in {modules=}"
                )
    return found


TECHNIQUES: dict[str, type[Technique]] = _defined_here()
