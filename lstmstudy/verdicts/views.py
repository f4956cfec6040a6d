"""What a notebook shows of findings and of a claim."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from lstmstudy.study.views import counted, paragraphs, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.verdicts.document import ClaimFound, Findings


def findings_text(findings: Findings) -> str:
    """Return findings in a line."""
    judged = sum(claim.judged for claim in findings.claims)
    return (
        f"<Findings of {findings.profile!r}: {judged} of {counted(len(findings.claims), 'claim')} judged, "
        f"{findings.runs.stored} of {findings.runs.planned} runs stored>"
    )


def findings_html(findings: Findings) -> str:
    """Return the claims with their verdicts; those that are not judged are folded away."""
    judged = [claim for claim in findings.claims if claim.judged]
    others = [claim for claim in findings.claims if not claim.judged]
    runs = findings.runs
    lacking = f", {runs.planned - runs.stored} missing" if runs.stored < runs.planned else ""
    count = f"{len(judged)} of {counted(len(findings.claims), 'claim')} judged, from {counted(runs.stored, 'run')}"
    words = [f"<strong>Findings of {escape(findings.profile)}</strong>: {count}{lacking}."]
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in findings.problems)
    seen = _claim_table(judged, "The claims that are judged; effects of the first contrast, mean over tasks")
    rest = _claim_table(others, "Claims that are not judged here")
    return (
        paragraphs(words)
        + seen
        + (_folded(f"{counted(len(others), 'claim')} not judged here", rest) if others else "")
        + (
            _folded(f"{counted(len(findings.problems), 'contrast')} not measured", f"<ul>{problems}</ul>")
            if problems
            else ""
        )
    )


def _folded(summary: str, html: str) -> str:
    return f"<details><summary>{summary}</summary>{html}</details>"


def _claim_table(claims: Sequence[ClaimFound], caption: str) -> str:
    from lstmstudy.figures.tables import Cell
    from lstmstudy.verdicts.words import effect

    rows = []
    for claim in claims:
        first = claim.contrasts[0] if claim.contrasts else None
        rows.append(
            {
                "claim": claim.words,
                "id": claim.id,
                "verdict": claim.verdict,
                "effect [95 % interval]": Cell(effect(first, first.scale), first.estimate) if first else "",
            }
        )
    return table_of(rows, caption) if rows else ""


def claim_text(claim: ClaimFound) -> str:
    """Return a claim in a line."""
    return f"<Claim {claim.id!r}: {claim.verdict}>"


def claim_html(claim: ClaimFound) -> str:
    """Return a claim with its verdict and each of its contrasts."""
    from lstmstudy.figures.tables import table_html
    from lstmstudy.verdicts.frames import contrast_frame

    words = [f"{escape(claim.words.rstrip('.'))}: <strong>{escape(claim.verdict)}</strong>"]
    words += [escape(text) for text in (claim.reason, *claim.marks) if text]
    if claim.p_adjusted is not None:
        words.append(f"p {claim.p_adjusted:.2g}, adjusted by Holm for all claims that are judged.")
    others = "; ".join(f"{escape(each.change)}, {escape(each.verdict)}" for each in claim.robustness)
    words += [f"The verdict if one choice were another: {others}."] if others else []
    frame = contrast_frame([claim], {})
    if not len(frame):
        return paragraphs(words)
    caption = f"Contrasts of {claim.id}, with 95 % intervals; p not adjusted"
    return (
        paragraphs(words[:1])
        + table_html(frame.drop(columns="claim"), caption=caption)
        + paragraphs(words[1:])
    )
