"""Names from a user's files in a real browser: shown as text, never obeyed."""

from __future__ import annotations

import html

import nbformat

from lstmstudy.gaps import Gap
from lstmstudy.report import About, Chapter, build_report

pytest_plugins = ["browser"]


def test_markup_in_names_is_text_in_the_browser(visit, tmp_path):
    """A task, a technique and a parameter called like markup are shown as that text, and nothing of it runs."""
    evil = "<img src=x onerror=alert(1)>"
    cells = [
        nbformat.v4.new_markdown_cell(f"# {evil}\n\n## {evil}\n\n{evil} [{evil}](javascript:alert(1))"),
        nbformat.v4.new_code_cell(
            evil,
            outputs=[
                nbformat.v4.new_output("display_data", {"text/html": evil, "text/plain": evil}),
                nbformat.v4.new_output("stream", name="stdout", text=evil),
                nbformat.v4.new_output("error", ename=evil, evalue=evil, traceback=[evil]),
            ],
        ),
    ]
    about = About(
        profile=evil,
        evidence=False,
        facts={evil: evil},
        claims=[evil],
        missing=[Gap(evil, evil, 1, 1, evil)],
        diverged=[Gap(evil, evil, 1, 2, evil)],
        problems=[evil],
        provenance={evil: evil},
        parameters=evil,
        citation=evil,
        downloads={"runs.csv.gz": evil.encode()},
    )
    out = tmp_path / "evil.html"
    chapter = Chapter("01_evil", nbformat.v4.new_notebook(cells=cells), evil)
    build_report([chapter], about, summary="99_comparison", out=out)
    visited = visit(out)
    dialogs = []
    visited.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    visited.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    visited.page.wait_for_timeout(300)
    assert dialogs == []
    assert visited.messages == []
    assert visited.requests == [f"file://{out}"]
    assert visited.page.locator("img").count() == 0
    assert visited.page.locator("body").inner_text().count(evil) > 15
    assert html.escape(evil, quote=False) in out.read_text(encoding="utf-8")
