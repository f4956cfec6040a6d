"""What README.md says was found is what the published study found: every number is one of findings.json.

In the README a number is followed by a comment that names its source, such as ``+2.3 %<!-- l2 @ sunspots -->``:

- an arm or a claim, ``@`` a task if it is the effect there, ``#2`` for the second contrast of a claim;
- ``verdict: CLAIM``, the verdict in words;
- ``claims: VERDICT``, how many claims were judged so; ``judged``, ``runs``, ``units``, ``tasks``, ``trials``;
- ``rate: sham_alone``, a rate of the calibration, in percent; a sham technique by its name, as an arm;
- ``power: 1.1 18``, how often the first of the family finds such a planted effect with so many units;
- ``luck: TASK``, the standard deviation that two searches give there, in percent;
- ``error: TASK``, the test error of what is recommended there; ``simple: TASK``, that of the simple method.
"""

from __future__ import annotations

import math
import re

import pytest

from lstmstudy import paths
from lstmstudy.verdicts.document import Findings
from lstmstudy.verdicts.words import MINUS, amount, ends

README = (paths.ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## What we found\n")[2].partition("\n## ")[0]
SOURCED = re.compile(
    rf"(?P<said>\[[^\]\n]+\]|[{MINUS}+]?\d[\d.,\xa0]*(?: %)?|\*\*[^*]+\*\*)<!-- (?P<source>[^>]+?) -->"
)
NAMES = r"`[^`]*`|\]\([^)]*\)|\bL[12]\b|\bAR\(\d+\)|2 x 32|95 %|5 %"  # digits that are no finding


@pytest.fixture(scope="module")
def findings():
    """Return what the published study found."""
    path = paths.PUBLISHED / "findings.json"
    return Findings.model_validate_json(path.read_text(encoding="utf-8"))


def contrast(findings, source):
    """Return the effect that a source names, with the scale of its contrast."""
    name, _, task = source.partition(" @ ")
    name, _, place = name.partition(" #")
    arms = {each.arm: each.effect for each in findings.techniques}
    arms |= {each.arm: each for each in findings.calibration.shams}
    claims = {each.id: each for each in findings.claims}
    whole = arms[name] if name in arms else claims[name].contrasts[int(place or 1) - 1]
    if not task:
        return whole, whole.scale
    return {each.task: each for each in whole.tasks}[task], whole.scale


def rate(found, said):
    """Return a rate in percent, or the ends of its interval."""
    return (
        f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"
        if said.startswith("[")
        else f"{100 * found.share:.1f} %"
    )


def spoken(findings, said, source):
    """Return what the README should say where it says `said`."""
    judged = [claim for claim in findings.claims if claim.judged]
    counts = {
        "judged": len(judged),
        "runs": findings.runs.stored,
        "units": findings.tasks[0].units,
        "tasks": len(findings.tasks),
        "trials": findings.trials,
    }
    what, _, of = source.partition(": ")
    kinds = {
        "claims": lambda: str(sum(claim.verdict == of for claim in judged)),
        "verdict": lambda: f"**{next(claim.verdict for claim in findings.claims if claim.id == of)}**",
        "error": lambda: f"{next(each.error for each in findings.advice if each.task == of):.3f}",
        "simple": lambda: f"{next(each.simple_error for each in findings.tasks if each.name == of):.3f}",
        "luck": lambda: (
            f"{100 * math.expm1(next(each.sd for each in findings.calibration.luck if each.task == of)):.1f} %"
        ),
        "power": lambda: next(
            f"{100 * each.family.share:.0f} %"
            for each in findings.calibration.power
            if f"{each.planted:g} {each.units}" == of
        ),
        "rate": lambda: rate(getattr(findings.calibration, of), said),
    }
    if source in counts:
        return str(counts[source])
    if what in kinds:
        return kinds[what]()
    effect, scale = contrast(findings, source)
    if said.startswith("["):
        return ends(effect, scale)
    return amount(effect.estimate, scale)


@pytest.mark.parametrize("found", list(SOURCED.finditer(SECTION)), ids=lambda found: found["source"])
def test_a_number_of_the_readme_is_that_of_the_findings(findings, found):
    """Said and found are one text, to the last digit that is shown."""
    assert found["said"].replace("\N{NO-BREAK SPACE}", "") == spoken(findings, found["said"], found["source"])


def test_no_number_of_the_readme_is_without_a_source():
    """Apart from names, the section has no digit that no comment accounts for; and it is not empty."""
    assert len(SOURCED.findall(SECTION)) > 15
    rest = re.sub(NAMES, "", re.sub(r"<!--.*?-->", "", SOURCED.sub("", SECTION), flags=re.DOTALL))
    assert re.findall(r"\S*\d\S*", rest) == []
