"""One executed notebook as a chapter: which outputs are shown, and how."""

from __future__ import annotations

import base64
import re

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lstmstudy.paths import ROOT
from lstmstudy.report import Chapter, said
from lstmstudy.report.chapters import ChapterExporter, chapter_anchors

FINDING = {"lstmstudy": {"finding": True}}


def render(*cells, name="01_dropout", error=None):
    """Return the cells as a section of the report."""
    chapter = Chapter(name, new_notebook(cells=list(cells)), error)
    return ChapterExporter().render(chapter, chapter_anchors([name])[name], {}, {})


def code(source, *outputs, tags=()):
    """Return an executed code cell."""
    cell = new_code_cell(source, outputs=list(outputs))
    cell.metadata["tags"] = list(tags)
    return cell


def shown(metadata=None, **data):
    """Return a displayed output; underscores in the kinds stand for slashes."""
    bundle = {kind.replace("_", "/"): content for kind, content in data.items()}
    return new_output("display_data", data=bundle, metadata=metadata or {})


def printed(text, name="stdout"):
    """Return what a cell printed."""
    return new_output("stream", name=name, text=text)


def test_title_is_taken_out_of_the_text():
    """The notebook's first heading is the chapter's title; the rest of its cell stays in the text."""
    section = render(new_markdown_cell("# Input *dropout*\n\nWhat it is."))
    assert section.title == "Input <em>dropout</em>"
    assert "What it is." in section.body
    assert "<h" not in section.body


def test_banner_of_papermill_is_left_out():
    """The red banners that papermill adds to a failed notebook are dropped, and do not hide the title."""
    banner = new_markdown_cell('<span style="color:red">An Exception was encountered</span>')
    banner.metadata["tags"] = ["papermill-error-cell-tag"]
    section = render(banner, new_markdown_cell("# Early stopping"))
    assert section.title == "Early stopping"
    assert "Exception" not in section.body


def test_chapter_that_never_started_is_named_after_its_file():
    """An empty notebook has a readable title and an empty body."""
    section = render(name="07_data_augmentation", error="the kernel died")
    assert section.title == "Data augmentation"
    assert not section.body.strip()


def test_picture_without_alt_text_says_that_it_has_none():
    """A picture that was not shown by the study's helper is announced as not described."""
    png = base64.b64encode(b"not really a picture").decode()
    body = render(code("plt.plot()", shown(image_png=png, text_plain="<Figure>"))).body
    assert 'alt="Figure without a written description"' in body
    assert f"data:image/png;base64,{png}" in body


def test_html_that_the_study_did_not_write_is_replaced_by_text():
    """Foreign HTML output, such as that of a library, is never trusted: its text stands in."""
    frame = "<iframe src='https://example.org'></iframe>"
    body = render(code("x", shown(text_html=frame, text_plain="a frame <1>"))).body
    assert "iframe" not in body
    assert "a frame &lt;1&gt;" in body


def test_progress_bars_are_left_out():
    """A widget is dropped, and of a line that was overwritten only its last state is shown."""
    widget = shown(text_plain="bar 0/9")
    widget.data["application/vnd.jupyter.widget-view+json"] = {"model_id": "x"}
    body = render(code("x", widget, printed("1 of 2\r2 of 2\ndone\n"))).body
    assert "bar 0/9" not in body
    assert "1 of 2" not in body
    assert "2 of 2\ndone" in body


def test_hidden_cells_are_left_out():
    """A cell tagged hide leaves neither code nor output."""
    body = render(code("secret = 1", printed("hush"), tags=["hide"]), code("shown = 2")).body
    assert "secret" not in body
    assert "hush" not in body
    assert "shown" in body


def test_error_stream_is_shown_only_where_the_chapter_failed():
    """What was printed to stderr is noise in a chapter that worked, and a hint in one that failed."""
    cell = code("x", printed("out of memory", name="stderr"))
    assert "out of memory" not in render(cell).body
    assert "out of memory" in render(cell, error="the kernel died").body


def test_failed_cell_ends_the_chapter():
    """The failure is shown with its traceback, relative to the checkout; what never ran is counted, not shown."""
    traceback = [f"\x1b[31mFile {ROOT}/lstmstudy/study/study.py:3\x1b[0m", "<b>"]
    error = new_output("error", ename="ValueError", evalue="<i>", traceback=traceback)
    section = render(code("x", error), new_markdown_cell("## Later"), code("y"), error="cell 1")
    assert "This cell stopped with ValueError" in section.body
    assert "&lt;i&gt;" in section.body
    assert "lstmstudy/study/study.py:3" in section.body
    assert str(ROOT) not in section.body
    assert "\x1b" not in section.body
    assert "Later" not in section.body
    assert section.unrun == 1


def test_code_is_folded_unless_it_is_for_reading():
    """Only a cell tagged show-code stands open; neighbours share a fold, parameters have their own."""
    body = render(
        code("profile = 'smoke'", tags=["parameters"]),
        code("profile = 'default'", tags=["injected-parameters"]),
        code("import keras", tags=["show-code"]),
        code("show_figure(a)"),
        code("say(b)"),
    ).body
    folds = re.findall(r'<details class="code"([^>]*)><summary>(\w+)', body)
    assert folds == [("", "Parameters"), (' open=""', "Code"), ("", "Code")]


def test_code_for_reading_stands_above_its_output_and_other_code_below():
    """A reader meets a figure or finding before the code that drew it, but copies code before its result."""
    other = render(code("x = 1", printed("result"))).body
    assert other.index("result") < other.index("Code")
    copied = render(code("x = 1", printed("result"), tags=["show-code"])).body
    assert copied.index("Code") < copied.index("result")


def test_finding_is_set_off():
    """What say() displayed stands in a box of its own, with its Markdown rendered."""
    body = render(code("say(x)", shown(FINDING, text_markdown="**6 %** less", text_plain="p"))).body
    assert '<div class="finding"><p><strong>6\N{NO-BREAK SPACE}%</strong> less</p>' in body


def test_findings_are_collected():
    """The sentences that a notebook displayed with say() are returned in order, and nothing else."""
    cells = [
        code("say()", shown(FINDING, text_plain="One.")),
        new_markdown_cell("prose"),
        code("x", printed("noise"), shown(text_plain="a value"), shown(FINDING, text_plain="Two.")),
    ]
    assert said(new_notebook(cells=cells)) == ["One.", "Two."]


def test_chapters_with_one_anchor_are_refused():
    """Two names that differ only in what an address cannot hold raise an error."""
    with pytest.raises(ValueError, match="Received: names="):
        chapter_anchors(["01 dropout", "01-dropout"])
