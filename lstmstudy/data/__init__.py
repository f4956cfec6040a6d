"""Tasks: what is predicted from what, split into folds without leakage."""

from lstmstudy.data.catalog import CATALOG, TASK_NAMES, open_task
from lstmstudy.data.task import Fold, Part, Task, TaskInfo

__all__ = ["CATALOG", "TASK_NAMES", "Fold", "Part", "Task", "TaskInfo", "open_task"]
