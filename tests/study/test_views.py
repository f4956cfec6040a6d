"""What a notebook shows of a study, a comparison, findings and a claim: true, whole, safe and without a theme."""

from __future__ import annotations

import dataclasses
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from judging import HELPS, TASKS, Made

from lstmstudy.figures.labels import effect_text
from lstmstudy.report.prepare import Prepare
from lstmstudy.store.outcomes import MissingRunsError, RunStore
from lstmstudy.study.ablation import Ablation
from lstmstudy.study.study import Study
from lstmstudy.techniques import Dropout, EarlyStopping
from lstmstudy.verdicts.words import effect

pytest_plugins = ["judging"]
pytestmark = pytest.mark.usefixtures("quick")

CLAIMS = (
    HELPS
    + """\
range:
  words: Good rates lie there.
  chapter: 01_dropout
  described: It cannot be reduced to a number.
"""
)
HOSTILE = "<script>alert(1)</script> & \"<img src=x onerror='alert(2)'>"
TAGS = {
    "p",
    "strong",
    "code",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "ul",
    "li",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a study of three tasks in which dropout helps, all of whose runs are stored."""
    made = Made(tmp_path_factory.mktemp("made"), CLAIMS)
    made.effects = {"dropout step": -0.2}
    return made


@pytest.fixture(scope="module")
def study(made, tmp_path_factory):
    """Return it as a notebook opens it."""
    return Study(made.plan, made.store(tmp_path_factory.mktemp("reports") / "store"))


@pytest.fixture(autouse=True)
def _no_training(monkeypatch):
    """Let any training fail a test."""
    monkeypatch.setattr(
        "lstmstudy.study.study.train_missing", lambda runs, *_: pytest.fail("trained") if runs else []
    )


class Reader(HTMLParser):
    """Collects what a page consists of."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.open, self.rows, self.text = set(), set(), [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        """Note a tag, and begin a row or a cell."""
        self.tags.add(tag)
        self.attributes |= {(name, value) for name, value in attrs}
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        """Check that it closes what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Collect the text, and that of a cell."""
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def shown(thing):
    """Return what a notebook shows of a thing, as it is read."""
    return Reader(thing._repr_html_())


def views(study):
    """Return each kind of thing that has a view."""
    findings = study.findings()
    arms = Ablation(study.plan, study.outcome, [study["dropout per=step"], study.arm(EarlyStopping(3))])
    return [study, arms, Ablation(study.plan, study.outcome, [study.baseline]), findings, *findings.claims]


def test_a_comparison_shows_the_effect_of_each_arm_on_each_task(study):
    """Cells are the effects with their intervals, beside them the share of units improved; the caption says the rest."""
    arms = study.tuned("dropout")
    ablation = study.ablate(*arms)
    page = shown(ablation)
    titles = [study.plan.tasks[task].info.title for task in TASKS]
    assert page.rows[0] == ["arm", *titles, "all tasks", "units improved"]
    for arm, row in zip(arms, page.rows[1:], strict=True):
        each = [ablation.effect(arm, task) for task in TASKS]
        whole = ablation.effect(arm)
        assert row == [
            arm.name,
            *map(effect_text, each),
            effect_text(whole),
            f"{100 * whole.improvement:.0f} %",
        ]
    assert (
        "against baseline, tuned: mean over units (12 units of each task) with its 95 % interval" in page.text
    )
    assert repr(ablation) == "<Ablation of 2 arms: dropout per step, tuned; dropout per sequence, tuned>"


def test_arms_with_several_controls_say_against_which_and_how_it_is_read(study):
    """The baseline that early stopping is compared with is read at its last epoch."""
    page = shown(Ablation(study.plan, study.outcome, [*study.tuned("dropout"), study.arm(EarlyStopping(3))]))
    assert [row[1] for row in page.rows] == [
        "against",
        "baseline, tuned",
        "baseline, tuned",
        "baseline, last",
    ]


def test_a_control_alone_shows_its_errors(study):
    """Mean, least and greatest over units on each task, in the metric of the task."""
    ablation = study.ablate()
    page = shown(ablation)
    assert page.rows[0][0] == "arm"
    assert [head.rpartition(", ")[2] for head in page.rows[0][1:]] == ["RMSE", "RMSE", "cross-entropy"]
    for task, cell in zip(TASKS, page.rows[1][1:], strict=True):
        errors = ablation.errors(study.baseline, task)
        assert cell == f"{errors.mean():.3g} [{errors.min():.3g}, {errors.max():.3g}]"


def test_what_a_comparison_lacks_is_said_in_words(made, tmp_path):
    """Units that differ between tasks, diverged runs, too few units, arms without any run, and nothing at all."""
    units = made.plan.units("sunspots", 12)
    gone = {("dropout step", "sunspots", unit.seed) for unit in units[4:]}
    made.missing, made.diverged = gone, {("dropout step", "digits_rows", 0)}
    try:
        study = Study(made.plan, made.store(tmp_path / "store"))
        arms = [study["dropout per=step"], study.arm(Dropout(0.45))]
        page = shown(Ablation(study.plan, study.outcome, arms))
    finally:
        made.missing, made.diverged = set(), set()
    assert page.rows[0][1:3] == ["Sunspots, 4 units", "Mackey-Glass, 12 units"]
    assert "[" not in page.rows[1][1]
    assert "Fewer than 6 units of a task have no interval." in page.text
    assert "1 run diverged and counts with the error of the naive method." in page.text
    assert "Not shown, as no unit has all its runs: dropout 0.45 per step." in page.text
    empty = Study(made.plan, RunStore(tmp_path / "empty" / "store"))
    page = shown(Ablation(empty.plan, empty.outcome, empty.tuned("dropout")))
    assert page.text.startswith("2 arms: no unit of any task has all its runs, so there is no number.")
    assert (
        "Not shown, as no unit has all its runs: dropout per step, tuned; dropout per sequence, tuned."
        in page.text
    )
    assert "no unit of any task" in shown(Ablation(empty.plan, empty.outcome, [empty.baseline])).text


def test_a_study_shows_what_it_is_and_how_many_runs_are_stored(made, study, tmp_path):
    """Network, training, tasks, techniques with their arms, and runs planned, stored and missing."""
    page = shown(study)
    n = len(study.plan.all_runs)
    assert "Study mine: 2 LSTM layers of 4 units and a dense head; 12 epochs of Adam at 0.003" in page.text
    assert f"{n} runs planned, {n} stored. " in page.text
    rows = {row[0]: row for row in page.rows}
    assert set(rows) == {
        "task",
        *(study.plan.tasks[task].info.title for task in TASKS),
        *("technique", "baseline", "dropout", "recurrent dropout", "L1", "L2", "L1L2", "layer norm", "sham"),
    }
    assert rows["Sunspots"][2:6] == ["24 steps of 1 channel", "1 step ahead", "sunspots (yearly mean)", "3"]
    own = {
        study.plan.run(recipe, unit).identity
        for arm in (*study.arms("dropout"), *study.tuned("dropout"))
        for task in arm.tasks
        for unit in study.plan.units(task, arm.units)
        for recipe in arm.on(task)
    }
    assert rows["dropout"][1:] == ["dropout", "0.1, 0.2, 0.3, 0.5", "8", "2", str(len(own)), str(len(own))]
    made.missing = {("dropout step", "sunspots", 0)}
    try:
        partial = Study(made.plan, made.store(tmp_path / "store"))
    finally:
        made.missing = set()
    text = shown(partial).text
    stored = len(partial.store.files())
    assert stored < n
    assert f"{n} runs planned, {stored} stored, {n - stored} missing. " in text
    assert (
        f"{n} runs planned, 0 stored, {n} missing. "
        in shown(Study(made.plan, RunStore(tmp_path / "none"))).text
    )
    assert repr(study) == "<Study 'mine': 3 tasks, 7 techniques, 12 units of each comparison>"


def test_findings_show_every_claim_with_its_verdict(study):
    """Those that are judged stand open with their effect, the others are folded away."""
    findings = study.findings()
    page = shown(findings)
    by_id = {row[1]: row for row in page.rows}
    for claim in findings.claims:
        assert by_id[claim.id][:3] == [claim.words, claim.id, claim.verdict]
    judged = findings.claims[0]
    assert (judged.id, judged.verdict) == ("helps", "supported")
    assert by_id["helps"][3] == effect(judged.contrasts[0], judged.contrasts[0].scale)
    assert "Findings of mine: 1 of 2 claims judged" in page.text
    opened, _, folded = findings._repr_html_().partition("<details>")
    assert "helps" in opened
    assert "Good rates lie there." in folded
    assert re.fullmatch(
        r"<Findings of 'mine': 1 of 2 claims judged, (\d+) of \1 runs stored>", repr(findings)
    )


def test_a_claim_shows_its_verdict_its_contrasts_and_on_what_it_hangs(study):
    """One that is not judged says why."""
    judged, described = study.findings().claims
    page = shown(judged)
    assert page.text.startswith("Dropout helps: supported")
    contrast = judged.contrasts[0]
    assert page.rows[1][3] == effect(contrast, contrast.scale)
    assert len(page.rows) == 1 + len(judged.contrasts)
    for variation in judged.robustness:
        assert f"{variation.change}, {variation.verdict}" in page.text
    assert "It cannot be reduced to a number." in shown(described).text
    assert repr(judged) == "<Claim 'helps': supported>"


def test_names_of_the_user_are_shown_and_never_become_markup(study):
    """Titles of tasks, names of arms, words of claims and problems are text, whatever they contain."""
    task = study.plan.tasks["sunspots"]
    info = dataclasses.replace(task.info, title=HOSTILE, unit=HOSTILE)
    tasks = {**study.plan.tasks, "sunspots": dataclasses.replace(task, info=info)}
    hostile = Study(dataclasses.replace(study.plan, tasks=tasks), study.store)
    arm = dataclasses.replace(hostile["dropout per=step"], name=HOSTILE)
    alone = dataclasses.replace(hostile.baseline, name=HOSTILE)
    lacking = dataclasses.replace(hostile.arm(Dropout(0.45)), name=HOSTILE)
    claim = study.findings().claims[0]
    contrast = claim.contrasts[0].model_copy(update={"arm": HOSTILE, "quantity": HOSTILE})
    words = {
        "words": HOSTILE,
        "verdict": HOSTILE,
        "reason": HOSTILE,
        "contrasts": (contrast,),
        "marks": (HOSTILE,),
    }
    claim = claim.model_copy(update=words)
    findings = study.findings().model_copy(
        update={"claims": (claim,), "problems": (HOSTILE,), "profile": HOSTILE}
    )
    for thing in (
        hostile,
        Ablation(hostile.plan, hostile.outcome, [arm]),
        Ablation(hostile.plan, hostile.outcome, [alone]),
        Ablation(hostile.plan, hostile.outcome, [arm, lacking]),
        claim,
        findings,
    ):
        page = shown(thing)
        assert HOSTILE in page.text
        assert page.tags <= TAGS


def test_a_view_fits_any_theme_and_asks_for_nothing(study):
    """No colour, no script, no address: style says on which side and how wide a column is, and that is all."""
    for thing in views(study):
        page = shown(thing)
        assert page.tags <= TAGS
        for name, value in page.attributes:
            assert name in {"style", "scope", "class", "open", "data-sort", "data-kind"}
            if name == "style":
                assert re.fullmatch(r"text-align:(left|right)(;white-space:nowrap|;min-width:\d+em)?", value)
        assert "http" not in unescape(thing._repr_html_())


def test_a_view_never_fails_and_never_trains(study, tmp_path):
    """Neither does a study whose store is empty or has no folder, nor a comparison of which nothing is left."""
    empty = Study(study.plan, RunStore(tmp_path / "nowhere" / "store"))
    for thing in (empty, *(Ablation(empty.plan, empty.outcome, [arm]) for arm in empty.all_arms)):
        assert shown(thing).text
        assert repr(thing).startswith("<")
    with pytest.raises(MissingRunsError, match="Received: run=baseline on sunspots, fold 0, seed 0"):
        empty.outcome(next(iter(empty.plan.runs([empty.baseline]).values())))
    assert shown(empty.findings()).text
    assert np.isfinite([len(repr(thing)) for thing in views(study)]).all()


def test_the_report_shows_a_view_by_its_line_of_text(study):
    """HTML that the study did not mark as a table of the report is left out of it, and the plain text stands in."""
    import nbformat

    output = nbformat.v4.new_output(
        "execute_result",
        data={"text/html": study._repr_html_(), "text/plain": repr(study)},
        execution_count=1,
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("study", outputs=[output])])
    page = type("Page", (), {"chapter": "01_dropout", "link": lambda _, place: place})()
    prepared, _ = Prepare().preprocess(notebook, {"failed": False, "page": page})
    assert prepared.cells[0].outputs[0].data == {"text/plain": repr(study)}
