"""Two reports compared: what changed is named, what did not is not, and the page is safe."""

from __future__ import annotations

import json

import pytest
from judging import HELPS, PROFILE, Made

from lstmstudy.__main__ import main
from lstmstudy.provenance import FILE as PROVENANCE
from lstmstudy.report.difference import write_difference
from lstmstudy.verdicts.difference import difference
from lstmstudy.verdicts.kept import FINDINGS, study_findings

pytest_plugins = ["browser", "judging"]
pytestmark = pytest.mark.usefixtures("quick")

EVIL = "<img src=x onerror=alert(1)>"
ORIGIN = {
    "commit": "abc",
    "versions": {"keras": "3.15.1"},
    "trained on": [{"machine": {"processor": "A"}}],
    "profile": {"units": 12, "tasks": ["sunspots", "digits_rows"]},
}
CLAIMS = (
    HELPS
    + """\
other:
  words: L1 helps.
  chapter: 04_weight_penalties
  contrasts:
    - {arm: l1, control: baseline, expect: lower}
"""
)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """Return what a small study found."""
    root = tmp_path_factory.mktemp("old")
    made = Made(root, CLAIMS, PROFILE)
    made.effects = {"dropout step": -0.3}
    made.noise = 0.05
    return study_findings(made.plan, made.store(root / "store"), made.outcome, root / "out")


def changed(findings, *, shift=0.0, claims=(), **verdicts):
    """Return findings with other verdicts, without some claims, and with the effects of claims moved."""

    def moved(effect):
        ends = {key: getattr(effect, key) + shift for key in ("estimate", "low", "high")}
        return effect.model_copy(update=ends)

    new = []
    for claim in findings.claims:
        if claim.id in claims:
            continue
        contrasts = [
            moved(each).model_copy(update={"tasks": tuple(map(moved, each.tasks))})
            for each in claim.contrasts
        ]
        verdict = verdicts.get(claim.id, claim.verdict)
        new.append(claim.model_copy(update={"contrasts": tuple(contrasts), "verdict": verdict}))
    return findings.model_copy(update={"claims": tuple(new)})


def test_a_report_does_not_differ_from_itself(findings):
    """Nothing changed, and every effect with an interval was compared: of contrasts and techniques, of task and overall."""
    found = difference(findings, findings, ORIGIN, ORIGIN)
    assert (found.verdicts, found.effects, found.parameters) == ((), (), ())
    effects = [each for claim in findings.claims for each in claim.contrasts]
    effects += [each.effect for each in findings.techniques]
    assert found.compared == sum(1 + len(each.tasks) for each in effects)


def test_a_verdict_that_changed_is_named_with_both_effects(findings):
    """And a claim that only one of them has."""
    new = changed(findings, claims=["other"], helps="contradicted")
    found = difference(findings, new, {}, {})
    assert [(change.what, change.new.partition(":")[0]) for change in found.verdicts] == [
        ("Dropout helps. (helps)", "contradicted"),
        ("L1 helps. (other)", "not there"),
    ]
    assert found.verdicts[0].old.startswith("supported: \N{MINUS SIGN}")
    back = difference(new, findings, {}, {})
    assert [(change.old, change.new) for change in back.verdicts] == [
        (change.new, change.old) for change in found.verdicts
    ]


def test_effects_are_named_that_moved_beyond_an_interval_and_only_those(findings):
    """A shift within half an interval moves nothing; one beyond both moves every effect of every claim, seen from either."""
    contrasts = [each for claim in findings.claims for each in claim.contrasts]
    parts = [part for each in contrasts for part in (each, *each.tasks)]
    half = min(min(part.high - part.estimate, part.estimate - part.low) for part in parts)
    wide = max(part.high - part.low for part in parts)
    assert difference(findings, changed(findings, shift=0.9 * half), {}, {}).effects == ()
    for pair in ((findings, changed(findings, shift=wide)), (changed(findings, shift=wide), findings)):
        assert len(difference(*pair, {}, {}).effects) == len(parts)


def test_parameters_and_versions_that_differ_are_named_by_their_place(findings):
    """Each by its dotted name with both values, one that is only in one of them too; equal ones are left out."""
    later = json.loads(json.dumps(ORIGIN))
    later["versions"]["keras"] = "3.16.0"
    later["trained on"][0]["machine"]["processor"] = "B"
    later["profile"]["tasks"].append("elnino")
    later["profile"]["widths"] = [64]
    found = difference(findings, findings, ORIGIN, later)
    assert [tuple(change) for change in found.parameters] == [
        ("versions.keras", "3.15.1", "3.16.0"),
        ("trained on 1.machine.processor", "A", "B"),
        ("profile.tasks", "sunspots, digits_rows", "sunspots, digits_rows, elnino"),
        ("profile.widths", "not there", "64"),
    ]


@pytest.fixture
def reports(findings, tmp_path):
    """Return the folders of two reports, the second with names that look like markup."""
    folders = []
    for name, own in (("old", findings), ("new", changed(findings, helps=EVIL))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / FINDINGS).write_text(own.model_dump_json(), encoding="utf-8")
        (folder / PROVENANCE).write_text(json.dumps(ORIGIN | {"commit": f"{EVIL} {name}"}), encoding="utf-8")
        folders.append(folder)
    return folders


def test_the_page_shows_what_differs_as_text(reports, tmp_path):
    """Names are never markup, the same reports give the same bytes, and nothing is loaded."""
    out = tmp_path / "diff.html"
    write_difference(*reports, out)
    page = out.read_text(encoding="utf-8")
    assert EVIL not in page
    assert "&lt;img src=x onerror=alert(1)&gt; new" in page
    assert "<script" not in page
    write_difference(reports[0] / FINDINGS, reports[1] / FINDINGS, out)
    assert out.read_text(encoding="utf-8").count("<tr>") == page.count("<tr>")
    again = tmp_path / "again.html"
    write_difference(*reports, again)
    write_difference(*reports, out)
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_and_loads_nothing(reports, visit, tmp_path, scheme):
    """In a browser without a network axe finds nothing, the console is empty, and a phone needs no sideways scrolling."""
    out = tmp_path / "diff.html"
    write_difference(*reports, out)
    visited = visit(out, scheme=scheme, width=360, height=740)
    assert visited.violations() == []
    assert visited.messages == []
    assert visited.requests == [f"file://{out}"]
    assert visited.page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_command_says_what_changed_and_where_the_page_is(reports, tmp_path, capsys):
    """One line for each verdict, one for the counts, one for the page."""
    out = tmp_path / "pages" / "diff.html"
    assert main(["diff", *map(str, reports), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Dropout helps. (helps): supported")
    assert lines[1].startswith("1 verdict changed, 0 of ")
    assert lines[1].endswith("1 parameter or version differs")
    assert lines[2].endswith("diff.html")
    assert out.exists()


def test_a_folder_without_a_report_is_one_line(reports, tmp_path, capsys):
    """Nothing there, or findings that this version does not read, ends with what was expected, without a traceback."""
    assert main(["diff", str(tmp_path), str(reports[1])]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Expected the folder of a report" in line
    assert f"Received: {tmp_path}" in line
    (reports[0] / FINDINGS).write_text('{"version": 0}', encoding="utf-8")
    assert main(["diff", *map(str, reports)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not what this version reads" in line
