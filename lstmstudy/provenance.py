"""Where a report's numbers come from: its size, commit, versions, machines, parameters, and how to cite it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from lstmstudy import paths
from lstmstudy.execution import text_hash
from lstmstudy.store.atomic import write_whole
from lstmstudy.verdicts.tables import COST, RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lstmstudy.plan import Plan
    from lstmstudy.verdicts.document import Findings

FILE = "provenance.json"
_PACKAGES = ("keras", "numpy", "scipy", "matplotlib", "papermill", "nbconvert")


def facts(plan: Plan, findings: Findings) -> dict[str, str]:
    """Return what stands under the report's title."""
    size, training, runs = plan.profile.network, plan.profile.training, findings.runs
    lost = runs.planned - runs.stored
    return {
        "Tasks": ", ".join(task.title for task in findings.tasks),
        "Paired units": f"{plan.profile.units} a task",
        "Runs": f"{runs.stored} of {runs.planned}",
        "Failed": f"{lost} missing, {runs.diverged} diverged" if lost or runs.diverged else "none",
        "Network": f"{size.layers} x {size.width} LSTM, {training.epochs} epochs, batch {training.batch_size}",
    }


def written_now() -> dict[str, Any]:
    """Return the commit of the checkout, and Python and the libraries with which reports are written."""
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def write_provenance(plan: Plan, folder: Path, written: Mapping[str, Any]) -> dict[str, Any]:
    """Write where the numbers in a folder come from beside them, and return it; the same runs give the same.

    Args:
        plan: The study.
        folder: Where its tables lie.
        written: As `written_now` has it.
    """
    machines = json.loads((folder / COST).read_text(encoding="utf-8"))["machines"]
    found = {
        **{name: written[name] for name in ("commit", "python", "versions")},
        "trained on": machines,
        "runs.csv": f"sha256 {text_hash([(folder / RUNS).read_text(encoding='utf-8')])}",
        "tuned": {task: note for task, note in plan.tuned_notes.items() if note},
        "data": {name: task.info.source for name, task in plan.tasks.items()},
        "profile": json.loads(plan.profile.model_dump_json()),
    }
    write_whole(folder / FILE, json.dumps(found, indent=1, ensure_ascii=False).encode())
    return found


def lines(provenance: dict[str, Any]) -> dict[str, str]:
    """Return provenance as the report shows it, a text for each label."""
    machines = provenance["trained on"]
    versions = {f"{name} {version}" for each in machines for name, version in each["versions"].items()}
    return {
        "Commit": provenance["commit"],
        "Table of runs": provenance["runs.csv"],
        "Trained on": "\n".join(dict.fromkeys(str(each["machine"]["processor"]) for each in machines))
        or "not available",
        "Trained with": ", ".join(sorted(versions)),
        "Written with": ", ".join(
            [f"Python {provenance['python']}", *(f"{k} {v}" for k, v in provenance["versions"].items())]
        ),
        "Tuned": "\n".join(f"{task}: {note}" for task, note in provenance["tuned"].items())
        or "Each task at this size.",
        "Data": "\n".join(dict.fromkeys(provenance["data"].values())),
        "Behind a number": "units.csv has the runs of both sides of every contrast, arms.csv those of every arm, runs.csv "
        "what each of them is.\nOne of them again, beside what is stored: "
        f"python -m lstmstudy rerun RUN --profile {provenance['profile']['name']}",
    }


def parameters(provenance: dict[str, Any]) -> str:
    """Return everything that the profile decides, as YAML with a line for each key."""
    chosen = {key: value for key, value in provenance["profile"].items() if value not in (None, {}, [])}
    return str(
        yaml.safe_dump(chosen, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    ).strip()


def citation(provenance: dict[str, Any]) -> str:
    """Return how to cite the report, as BibTeX that says which of its states it is."""
    about = yaml.safe_load(_citation_file())
    authors = " and ".join(f"{{{author['name']}}}" for author in about["authors"])
    state = f"profile {provenance['profile']['name']}, commit {provenance['commit']}, runs {provenance['runs.csv']}"
    fields = {"title": about["title"], "author": authors, "version": str(about["version"]), "note": state}
    body = "".join(f"  {key:8}= {{{value}}},\n" for key, value in fields.items())
    return f"@software{{lstmstudy,\n{body}}}"


def _citation_file() -> str:
    """Return the text of CITATION.cff: of the checkout, or of the installed package."""
    if not paths.INSTALLED:
        return (paths.ROOT / "CITATION.cff").read_text(encoding="utf-8")
    return importlib.metadata.distribution("lstmstudy").read_text("licenses/CITATION.cff") or ""


def _commit() -> str:
    """Return the commit of the checkout, and whether files differ from it; of an installed package its version."""
    if paths.INSTALLED:  # the user's folder may lie in a repository of their own
        return f"release {importlib.metadata.version('lstmstudy')}"
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + (" with changes" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "not available"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(paths.ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
