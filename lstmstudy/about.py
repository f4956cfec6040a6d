"""What a report says of itself: its size, what it lacks, where its numbers come from, and what it carries."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

from lstmstudy.gaps import diverged_runs, missing_runs
from lstmstudy.provenance import citation, facts, lines, parameters, write_provenance, written_now
from lstmstudy.report import About
from lstmstudy.verdicts.kept import FINDINGS
from lstmstudy.verdicts.tables import RUNS, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lstmstudy.plan import Plan
    from lstmstudy.runs import Run
    from lstmstudy.verdicts.document import Findings
    from lstmstudy.workers.pool import Failure


def about_report(
    plan: Plan,
    findings: Findings,
    folder: Path,
    written: Mapping[str, Any] | None,
    *,
    runs: Mapping[str, Run],
    stored: Iterable[str],
    failures: Sequence[Failure],
) -> About:
    """Return what a page says beside its chapters, and write the provenance beside the tables.

    Args:
        plan: The study.
        findings: What it found.
        folder: Where findings and tables lie.
        written: With which commit, Python and libraries published runs were read; None where outcomes are whole.
        runs: The runs of the chapters, by identity.
        stored: Identities of those that have an outcome.
        failures: What training said of those that have none.
    """
    origin = write_provenance(plan, folder, written or written_now())
    packed = gzip.compress((folder / RUNS).read_bytes(), mtime=0)
    return About(
        profile=plan.profile.name,
        evidence=any(claim.judged for claim in findings.claims),
        facts=facts(plan, findings),
        claims=[claim.id for claim in findings.claims],
        missing=missing_runs(plan, runs, stored, failures),
        diverged=diverged_runs(plan, runs, read_tables(folder).runs),
        problems=findings.problems,
        provenance=lines(origin),
        parameters=parameters(origin),
        citation=citation(origin),
        downloads={f"{RUNS}.gz": packed, FINDINGS: (folder / FINDINGS).read_bytes()},
    )
