"""The report as one file: what is in it, what never is, and that it is the same twice."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lstmstudy.figures import plot_learning_curves, say, show, show_figure, table, tables
from lstmstudy.figures.colour import PAPER, PAPER_DARK
from lstmstudy.figures.tables import Cell
from lstmstudy.gaps import Gap
from lstmstudy.paths import ROOT
from lstmstudy.report import About, Chapter, build_report, said

EVIL = "<script>alert(1)</script>"
ALT = 'Test error falls to 1.2 & "stays" there < 2.'
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Reads a page into its elements and checks that they are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        """Keep the element and remember that it is open."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Keep the element."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """Check that the last open element is the one that ends."""
        assert self.open.pop() == tag

    def all(self, tag):
        """Return the attributes of every element with this tag."""
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture
def cell(monkeypatch):
    """Return a function that makes an executed code cell from what a call displays."""
    outputs = []

    def publish(data, *, raw, metadata):
        assert raw
        outputs.append(new_output("display_data", data=data, metadata=metadata))

    monkeypatch.setattr(show, "publish", publish)
    monkeypatch.setattr(tables, "publish", publish)

    def make(source, *calls, tags=()):
        outputs.clear()
        for call in calls:
            call()
        made = new_code_cell(source, outputs=list(outputs))
        made.metadata["tags"] = list(tags)
        return made

    return make


def draw():
    """Show a small figure."""
    ax = plot_learning_curves({"test": np.array([[3.0, 2.0], [2.0, 1.2]])}, metric="RMSE")
    show_figure(ax.figure, alt=ALT)


@pytest.fixture
def chapters(cell):
    """Return a chapter, a failed chapter and the summary."""
    dropout = new_notebook(
        cells=[
            new_markdown_cell(
                "# Input dropout\n\nEntries are zeroed with $p$.\n\n$$\\tilde x = m \\odot x$$"
            ),
            cell("profile = 'smoke'", tags=["parameters"]),
            cell(f"profile = '{EVIL}'", tags=["injected-parameters"]),
            new_markdown_cell("## Strength\n\n## Strength"),
            cell("show_figure(curves)", draw),
            cell("say(sentence)", lambda: say("Dropout lowered the error by **6 %**.")),
            cell("import keras", tags=["show-code"]),
        ]
    )
    failed = cell("study.ablate()", draw)
    failed.outputs += [
        new_output(
            "error",
            ename="ValueError",
            evalue=EVIL,
            traceback=[f"\x1b[31mFile {ROOT}/lstmstudy/study/study.py:3\x1b[0m", EVIL],
        ),
    ]
    banner = new_markdown_cell('<span style="color:red">An Exception was encountered</span>')
    banner.metadata["tags"] = ["papermill-error-cell-tag"]
    stopping = new_notebook(
        cells=[
            banner,
            new_markdown_cell("# Early stopping"),
            failed,
            new_markdown_cell("## Later"),
            cell("x"),
        ]
    )
    frame = pd.DataFrame({"claim": ["dropout"], "verdict": ["supported"]})
    summary = new_notebook(
        cells=[new_markdown_cell("# Comparison"), cell("t", lambda: table(frame, caption="Claims"))]
    )
    return [
        Chapter("01_dropout", dropout),
        Chapter("05_early_stopping", stopping, f"cell 2: ValueError: {EVIL}"),
        Chapter("99_comparison", summary),
    ]


@pytest.fixture
def build(chapters, tmp_path):
    """Return a function that builds the report and returns its text."""

    def make(chapters=chapters, beside=(), **changes):
        out = tmp_path / "report.html"
        about = {
            "profile": "smoke",
            "facts": {"Tasks": f"sunspots {EVIL}", "Runs": "12"},
            "claims": ["dropout"],
            "missing": [Gap(f"dropout {EVIL}", f"Sunspots {EVIL}", 1, 12, f"its worker {EVIL} ended twice")],
            "diverged": [Gap("batch norm", "Digits", 12, 12, f"training loss {EVIL} in epoch 4")],
            "problems": [f"dropout on {EVIL}: no unit has all its runs"],
            "provenance": {"Commit": "abc", "Machine": EVIL},
            "citation": f"@software{{{EVIL}}}",
            "downloads": {"runs.csv.gz": b"runs", "findings.json": EVIL.encode()},
        } | changes
        size = build_report(chapters, About(**about), summary="99_comparison", out=out, beside=beside)
        assert size == out.stat().st_size
        return out.read_text(encoding="utf-8")

    return make


def test_two_builds_are_equal_byte_for_byte(build):
    """The same chapters give the same page, although every cell has a random id."""
    assert build() == build()


def test_cell_ids_never_reach_the_page(build, chapters):
    """Random ids of cells would make every build different."""
    page = build()
    for chapter in chapters:
        for cell in chapter.notebook.cells:
            assert cell["id"] not in page


def test_alt_text_arrives_as_written_and_the_filler_never(build):
    """Each picture has the alt text that the notebook gave it, not the sentence nbconvert puts in."""
    page = build()
    pictures = Page(page).all("img")
    assert [picture["alt"] for picture in pictures] == [ALT, ALT]
    assert all(picture["src"].startswith("data:image/svg+xml;base64,") for picture in pictures)
    assert "No description has been provided" not in page


def test_nothing_is_loaded(build):
    """No style, script, picture, frame or font comes from outside the file, and the policy forbids it."""
    page = build()
    for tag, attrs in Page(page).elements:
        for key in ("src", "srcset", "poster", "background", "data"):
            assert attrs.get(key, "data:").startswith("data:")
        if tag == "link":
            assert attrs["href"].startswith("data:")
        assert tag not in {"iframe", "object", "embed", "base", "video", "audio"}
    assert "@import" not in page
    assert not re.search(r"url\((?!data:)", page)
    (policy,) = [meta for meta in Page(page).all("meta") if meta.get("http-equiv")]
    assert policy["content"].startswith("default-src 'none'; img-src data:;")


def test_policy_allows_exactly_the_script_of_the_page(build):
    """The hash in the policy is that of the only script, so that no injected one can run."""
    page = build()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert len(Page(page).all("script")) == 1


def test_names_and_messages_are_escaped(build):
    """Markup in names, parameters, errors, tracebacks, facts and missing runs is shown, never obeyed."""
    page = build()
    assert "alert(1)" in page
    assert EVIL not in page
    assert len(Page(page).all("script")) == 1


def test_summary_comes_first_as_what_was_found(build):
    """The comparison stands before the other chapters, under that heading, in page and contents."""
    page = build()
    headings = re.findall(r'<h2 id="[^"]*">(.*?)</h2>', page)
    assert headings[:3] == ["What was found", "Input dropout", "Early stopping"]
    assert "Comparison" not in headings


def test_page_has_one_h1_landmarks_and_a_way_past_the_contents(build):
    """A screen reader finds one title, the landmarks, the language and a skip link."""
    page = Page(build())
    assert len(page.all("h1")) == 1
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.all(landmark)) == 1
    assert page.all("html") == [{"lang": "en"}]
    assert page.all("a")[0]["href"] == f"#{page.all('main')[0]['id']}"


def test_headings_never_skip_a_level(build):
    """Each heading is at most one level below the one before it."""
    levels = [int(level) for level in re.findall(r"<h([1-6])", build())]
    assert levels[0] == 1
    assert max(np.diff(levels)) <= 1


def test_ids_are_unique_and_every_anchor_exists(build):
    """Each link within the page, from the contents or elsewhere, leads to one element."""
    page = Page(build())
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    anchors = [attrs["href"][1:] for attrs in page.all("a") if attrs["href"].startswith("#")]
    assert len(anchors) > 6
    assert set(anchors) <= set(ids)


def test_heading_named_like_a_figure_does_not_take_its_anchor(build, cell):
    """Headings such as "Figure 1" and "Title" keep the ids of the page unique."""
    cells = [new_markdown_cell("# A\n\n## Figure 1\n\n## Title"), cell("x", draw)]
    chapters = [Chapter("a", new_notebook(cells=cells)), Chapter("main", new_notebook())]
    ids = re.findall(r' id="([^"]+)"', build(chapters=chapters))
    assert len(set(ids)) == len(ids)


def test_formulas_are_mathml(build):
    """Formulas in prose need no script: they are math elements."""
    page = build()
    assert page.count("<math") == 2
    assert "MathJax" not in page


def test_failed_chapter_is_shown_with_what_it_did(build):
    """The failure is named at the top and in its chapter, whose content up to there is kept."""
    page = build()
    assert "1 of 3 chapters failed." in page
    chapter = page[page.index('<section id="05_early_stopping"') :]
    assert "This chapter failed." in chapter
    assert "1 cell after that never ran." in chapter
    assert "This cell stopped with ValueError" in chapter
    assert "<img" in chapter
    assert "Later" not in chapter
    assert "An Exception was encountered" not in page


def test_what_is_missing_stands_at_the_top_and_with_its_reason_at_the_end(build):
    """Missing and diverged runs are counted and named before the first chapter, and listed with reasons after the last."""
    page = build()
    top, rest = page.split('<section id="99_comparison"')
    end = rest[rest.index('<section id="report.failures"') :]
    named = EVIL.replace("<", "&lt;").replace(">", "&gt;")
    assert "<strong>1 run is missing</strong>" in top
    assert f"<li>dropout {named} on Sunspots {named}: 1 of 12 missing</li>" in top
    assert "<strong>12 runs diverged</strong>" in top
    assert "<li>batch norm on Digits: all 12 diverged</li>" in top
    assert "<strong>1 comparison could not be measured</strong>" in top
    assert f"its worker {named} ended twice" in end
    assert f"training loss {named} in epoch 4" in end
    assert f"dropout on {named}: no unit has all its runs" in end
    whole = build(missing=[], diverged=[], problems=[])
    assert "missing</strong>" not in whole
    assert "None. Every run has an outcome, and none diverged." in whole


def test_many_gaps_are_named_in_part_at_the_top(build):
    """Of more than six recipes the first are named and the others counted; all of them stand at the end."""
    page = build(missing=[Gap(f"dropout 0.{n}", "Sunspots", 2, 12, "it died") for n in range(1, 10)])
    top, rest = page.split('<section id="99_comparison"')
    assert "<strong>18 runs are missing</strong>" in top
    assert "dropout 0.6 on Sunspots: 2 of 12 missing" in top
    assert "dropout 0.7" not in top
    assert "and 3 more" in top
    assert all(f"dropout 0.{n}</th>" in rest for n in range(1, 10))


def test_a_profile_that_judges_nothing_is_no_evidence(build):
    """A banner says so before anything else; where claims are judged there is none."""
    assert "Not evidence." in build(evidence=False).split("<main")[0]
    assert "Not evidence." not in build()


def test_downloads_and_citation_are_in_the_page(build):
    """Files come out of the page byte for byte, and the citation as text."""
    links = {attrs["download"]: attrs["href"] for attrs in Page(build()).all("a") if "download" in attrs}
    assert base64.b64decode(links["runs.csv.gz"].removeprefix("data:application/gzip;base64,")) == b"runs"
    assert base64.b64decode(links["findings.json"].partition("base64,")[2]).decode() == EVIL
    assert "@software{&lt;script&gt;" in build()


def test_the_numbers_behind_a_figure_come_out_of_the_page(build, chapters):
    """Each figure has the CSV that its notebook gave it, once, under a fold that counts its rows."""
    (given,) = [
        output.data["text/csv"]
        for cell in chapters[0].notebook.cells
        for output in cell.get("outputs", [])
        if "text/csv" in output.get("data", {})
    ]
    page = build()
    links = [attrs["href"] for attrs in Page(page).all("a") if attrs.get("download", "").endswith(".csv")]
    assert unquote(links[0].removeprefix("data:text/csv;charset=utf-8,")) == given
    assert f'Data<span class="count">{len(given.splitlines()) - 1} rows' in page


def test_a_title_stands_over_its_figure_and_only_there(build, cell):
    """The title that readers of the notebook see above a figure becomes the caption of it, once."""

    def titled():
        ax = plot_learning_curves({"test": np.array([[3.0, 2.0]])}, metric="RMSE")
        show_figure(ax.figure, alt=ALT, title=f"Dropout {EVIL} helps")
        say("It does.")

    notebook = new_notebook(cells=[new_markdown_cell("# A"), cell("show(finding)", titled)])
    page = build(chapters=[Chapter("a", notebook)])
    shown = EVIL.replace("<", "&lt;").replace(">", "&gt;")
    assert page.count(f"<figcaption>Dropout {shown} helps") == 1
    assert f"<strong>Dropout {shown} helps</strong>" not in page
    assert '<div class="prose note"><p>It does.</p>' in page


def test_links_to_notebooks_and_claims_lead_into_the_page(build, cell):
    """A link to a notebook leads to its chapter or section, in tables and in prose, and the id of a claim to its row."""
    frame = pd.DataFrame(
        {
            "claim": ["a", "b"],
            "chapter": [
                Cell("dropout", notebook="01_dropout.ipynb#The-verdict"),
                Cell("x", notebook="12_gone.ipynb"),
            ],
        }
    )
    prose = new_markdown_cell(
        "# Comparison\n\n`dropout` and [chapter](01_dropout.ipynb), [gone](12_gone.ipynb), "
        "[no such section](01_dropout.ipynb#Nothing)"
    )
    notebook = new_notebook(
        cells=[prose, cell("t", lambda: table(frame, caption="Claims", ids=["claim.dropout", "claim.b"]))]
    )
    dropout = new_notebook(cells=[new_markdown_cell("# Dropout\n\n## The verdict\n\n`dropout` fails")])
    chapters = [Chapter("01_dropout", dropout), Chapter("99_comparison", notebook)]
    page = build(chapters=chapters)
    assert page.count('<a href="#claim.dropout"><code>dropout</code></a>') == 2
    assert '<a href="#01_dropout">chapter</a>, gone' in page
    assert '<a href="#01_dropout--the-verdict">dropout</a>' in page
    assert '<a href="#01_dropout">no such section</a>' in page
    assert '<td style="text-align:left;white-space:nowrap">x</td>' in page
    alone = build(chapters=chapters[:1], beside=["01_dropout", "99_comparison"])
    assert '<a href="99_comparison.html#claim.dropout"><code>dropout</code></a>' in alone


def test_chapters_with_one_name_are_refused(build, chapters):
    """Two chapters that would share an anchor, or none at all, raise an error."""
    with pytest.raises(ValueError, match="Received: names="):
        build(chapters=[*chapters, chapters[0]])
    with pytest.raises(ValueError, match="Received: chapters="):
        build(chapters=[])


def test_building_changes_no_notebook(build, chapters):
    """The executed notebooks can be written to disk after the report as they were."""
    before = [repr(chapter.notebook) for chapter in chapters]
    build()
    assert [repr(chapter.notebook) for chapter in chapters] == before


def test_report_is_replaced_whole_or_not_at_all(build, chapters, tmp_path, monkeypatch):
    """A build that cannot finish writing leaves the old report and no other file."""
    before = build()

    def fail(self, target):
        message = f"no room for {self} at {target}"
        raise OSError(message)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        build(chapters=chapters[:1])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == before


def test_figures_have_the_paper_of_the_page():
    """A figure's background is that of the page in light and in dark mode, so that no edge shows."""
    css = (ROOT / "lstmstudy" / "report" / "template" / "report.css").read_text(encoding="utf-8")
    assert re.findall(r"--paper: (#[0-9a-f]{6})", css) == [PAPER, PAPER_DARK]


def test_executed_notebook_reaches_the_report(build):
    """What a real kernel displays, figure, finding and table, arrives in the page with its marks."""
    source = (
        "import pandas as pd\n"
        "from lstmstudy.figures import plot_learning_curves, say, show_figure, table\n"
        "ax = plot_learning_curves({'test': [[3.0, 2.0], [2.0, 1.0]]}, metric='RMSE')\n"
        f"show_figure(ax.figure, alt={ALT!r})\n"
        "say('It *falls*.')\n"
        "table(pd.DataFrame({'a': ['b']}), caption='Claims')"
    )
    notebook = new_notebook(cells=[new_markdown_cell("# Real"), new_code_cell(source)])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    page = build(chapters=[Chapter("a", notebook)])
    assert said(notebook) == ["It *falls*."]
    assert [picture["alt"] for picture in Page(page).all("img")] == [ALT]
    assert "<p>It <em>falls</em>.</p>" in page
    assert "<caption>Claims</caption>" in page
