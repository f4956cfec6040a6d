"""When window and target of a forecast can be changed as one series."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmstudy.data import TaskInfo


def unfit_beyond_one_step(info: TaskInfo) -> str:
    """Return why a change that depends on the time of the target makes no sense on a task, or ""."""
    if info.kind == "forecasting" and info.horizon != 1:
        return (
            "Window and target are changed as one series, which they are one step ahead only; this task looks "
            f"{info.horizon} steps ahead."
        )
    return ""
