"""What a report says about itself: its size, and where its numbers come from."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from typing import TYPE_CHECKING, Any

from lstmstudy import paths
from lstmstudy.execution import text_hash
from lstmstudy.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lstmstudy.plan import Plan


def facts(plan: Plan, stored: int, wanted: int) -> dict[str, str]:
    """Return what stands under the report's title."""
    size, training = plan.profile.network, plan.profile.training
    return {
        "Tasks": ", ".join(plan.tasks[name].info.title for name in plan.profile.tasks),
        "Paired units": f"{plan.profile.units} for each task",
        "Runs": f"{stored} of {wanted}",
        "Network": f"{size.layers} LSTM layers of {size.width}, {training.epochs} epochs, batch {training.batch_size}",
    }


def provenance(plan: Plan, stored: Mapping[str, Path]) -> dict[str, str]:
    """Return where the report's numbers come from: the same runs give the same lines."""
    machines = {str(record["machine"]["processor"]) for record in _some_records(stored)}
    return {
        "Commit": _commit(),
        "Profile": json.dumps(plan.profile.model_dump(), sort_keys=True),
        "Tuned": _tuned(plan),
        "Runs": f"sha256 {text_hash(sorted(path.name for path in stored.values()))}",
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("keras", "numpy", "papermill", "nbconvert")},
        "Trained on": "; ".join(sorted(machines)) or "not available",
        "Data": "; ".join(task.info.source for task in plan.tasks.values()),
    }


def _tuned(plan: Plan) -> str:
    """Return for which tasks learning rates and strengths are taken from elsewhere, and from where."""
    notes = [f"{plan.tasks[task].info.title}: {note}" for task, note in plan.tuned_notes.items() if note]
    return " ".join(notes) or "Each task at this size."


def _some_records(stored: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Return the records of a few runs, enough to name the machines."""
    store = RunStore()
    identities = sorted(stored)
    records = (store.record(identity) for identity in identities[:: max(len(identities) // 20, 1)])
    return [record for record in records if record is not None]


def _commit() -> str:
    """Return the commit of the checkout, and whether files differ from it."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + (" with changes" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "not available"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(paths.ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
