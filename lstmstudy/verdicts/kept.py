"""What a study found, kept on disk with its tables until something that it rests on changes."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.claims.table import FILE
from lstmstudy.parsing.untrusted import open_plain, plain_bytes
from lstmstudy.source import package_modules, source_digest
from lstmstudy.store.atomic import write_whole
from lstmstudy.verdicts.bench import Bench
from lstmstudy.verdicts.document import Findings
from lstmstudy.verdicts.findings import findings_of
from lstmstudy.verdicts.rows import unit_rows
from lstmstudy.verdicts.tables import TABLES, read_tables, write_tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run
    from lstmstudy.store.outcomes import RunStore

FINDINGS, SCHEMA, STAMP = "findings.json", "findings.schema.json", "findings.stamp"
_BESIDE = (  # packages and modules that no finding rests on
    "__init__",
    "__main__",
    "about",
    "build",
    "diagnosis",
    "execution",
    "export",
    "figures",
    "findings",
    "gaps",
    "proposal",
    "provenance",
    "report",
    "semantics",
    "store.sharing",
    "store.turns",
    "study.asked",
    "study.results",
    "study.views",
    "traceback",
    "tuning",
    "verification",
    "workers",
)


def study_findings(plan: Plan, store: RunStore, outcome: Callable[[Run], Outcome], folder: Path) -> Findings:
    """Return what a study found; read from `folder` if it is current there; else computed, and written with its tables.

    Args:
        plan: The study.
        store: Where its outcomes are.
        outcome: Returns the outcome of a run, or raises MissingRunsError.
        folder: Where findings and tables lie; it is created.
    """
    stored = store.check(plan.all_runs)
    key = _key(plan, [path.name for path in stored.values()])
    stamp = folder / STAMP
    before = plain_bytes(stamp).decode(errors="replace").split()
    if before[:1] == [key]:
        if before[1:] == [_seal(folder)]:
            return read_findings(folder)
        print(f"{paths.relative(folder)}/: findings or tables were altered; computed again", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    rows, problems = unit_rows(Bench(plan, outcome))
    runs = [run for identity, run in plan.all_runs.items() if identity in stored]
    tables = write_tables(folder, plan, rows, outcome, runs)
    findings = findings_of(plan, tables, problems)
    write_whole(folder / FINDINGS, findings.model_dump_json(indent=1).encode())
    write_whole(folder / SCHEMA, json.dumps(Findings.model_json_schema(), indent=1).encode())
    write_whole(stamp, f"{key} {_seal(folder)}".encode())
    return findings


def _seal(folder: Path) -> str:
    """Return the hash of all that was written into a folder: damaged, or from another study, it is found out."""
    texts = [
        f"{name} {hashlib.sha256(plain_bytes(folder / name)).hexdigest()}"
        for name in (FINDINGS, SCHEMA, *TABLES)
    ]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def read_findings(folder: Path) -> Findings:
    """Return the findings that lie in a folder.

    Raises:
        OSError: If there are none.
        ValueError: If they are not as the document says.
    """
    with open_plain(folder / FINDINGS) as file:
        return Findings.model_validate_json(file.read())


def recomputed(plan: Plan, folder: Path) -> Findings:
    """Return the findings anew from the tables in a folder; no outcome is read."""
    return findings_of(plan, read_tables(folder), read_findings(folder).problems)


def _key(plan: Plan, files: list[str]) -> str:
    """Return the hash of everything that findings rest on."""
    texts = [
        json.dumps(plan.profile.model_dump(), sort_keys=True),
        *(
            (plan.folder / name).read_text(encoding="utf-8")
            for name in (FILE, "tuned.yaml")
            if (plan.folder / name).exists()
        ),
        *sorted(files),
        _code(),
    ]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@functools.cache
def _code() -> str:
    """Return the digest of the modules that findings rest on."""
    return source_digest(package_modules(without=_BESIDE))
