"""A folder of the user's with the parameters and notebooks of an installed package."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.parsing.strict_yaml import ParamsError, shown

if TYPE_CHECKING:
    from pathlib import Path

_PARTS = ("params", "notebooks")


def start(folder: Path) -> None:
    """Copy the study's parameters and notebooks into a folder, and say what to do there.

    Args:
        folder: Where to; it is created, and nothing in it is overwritten.

    Raises:
        ParamsError: If params/ or notebooks/ is there already.
    """
    source = paths.SHIPPED if paths.INSTALLED else paths.ROOT
    for part in _PARTS:
        if (folder / part).exists():
            raise ParamsError(
                f"{part}/ is there already, and nothing is overwritten. Expected a new folder. "
                f"Received: folder={shown(str(folder))}"
            )
    for part in _PARTS:
        shutil.copytree(source / part, folder / part, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    print(
        f"{folder}/: params/ and notebooks/. Next, in that folder: lstmstudy report --profile smoke, "
        "and jupyter lab notebooks/"
    )
