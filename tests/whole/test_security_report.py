"""Names of a user, and notebooks of somebody else, in the report: in a real browser nothing of them runs or asks for anything."""

from __future__ import annotations

import base64

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lstmstudy.figures import plot_learning_curves, say, show, show_figure, table, tables
from lstmstudy.figures.data import keep
from lstmstudy.figures.style import style
from lstmstudy.figures.tables import Cell
from lstmstudy.report import About, Chapter, build_report

pytest_plugins = ["browser"]

ALERT = "window.pwned=1;alert(1)"
NAMES = [
    f"<script>{ALERT}</script>",
    f"</script><script>{ALERT}</script>",
    f"</style></title></textarea><script>{ALERT}</script>",
    f"<img src=x onerror={ALERT}>",
    f"<svg/onload={ALERT}>",
    f"<math><mtext></mtext><script>{ALERT}</script></math>",
    f"<!-- --><script>{ALERT}</script><!--",
    f"]]><script>{ALERT}</script>",
    f'" autofocus onfocus="{ALERT}" x="',
    f"' autofocus onfocus='{ALERT}' x='",
    f"[press](javascript:{ALERT})",
    f"[press](  JaVaScRiPt:{ALERT} 'title')",
    f"[press](data:text/html,<script>{ALERT}</script>)",
    f"[press][x]\n\n[x]: javascript:{ALERT}",
    f"<javascript:{ALERT}>",
    "![x](https://evil.example/x.png)",
    "![x](//evil.example/x.png)",
    f"`<script>{ALERT}</script>`",
    f"```html\n<script>{ALERT}</script>\n```",
    f"$\\href{{javascript:{ALERT}}}{{x}}$",
    f"$<img src=x onerror={ALERT}>$",
    f"$$\\text{{<img src=x onerror={ALERT}>}}$$",
    f"\\begin{{aligned}}<script>{ALERT}</script>\\end{{aligned}}",
    "<iframe src=https://evil.example></iframe>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<base href=https://evil.example>",
    "<style>@import 'https://evil.example/x.css';*{display:none}</style>",
    f"&lt;script&gt;{ALERT}&lt;/script&gt; &#60;script&#62;",
    f"&amp;lt;img src=x onerror={ALERT}&amp;gt;",
    "<form action=https://evil.example><button autofocus>x</button></form>",
    f"\x1b[31m<script>{ALERT}</script>\x1b[0m",
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-cmd|' /C calc'!A0",
    "@SUM(A1)",
]
FORMULAS = NAMES[-4:]


@pytest.fixture
def displayed(monkeypatch):
    """Return a function that returns what a call displays as outputs of a notebook."""
    outputs = []

    def publish(data, *, raw, metadata):
        assert raw
        outputs.append(new_output("display_data", data=data, metadata=metadata))

    monkeypatch.setattr(show, "publish", publish)
    monkeypatch.setattr(tables, "publish", publish)

    def call(function, *arguments, **settings):
        outputs.clear()
        function(*arguments, **settings)
        return list(outputs)

    return call


@pytest.fixture
def opened(visit, tmp_path):
    """Return a function that builds a report of some cells, opens it, unfolds and presses everything, and returns the visit."""

    def open_(cells, path=None, **about):
        out = path or tmp_path / "report.html"
        if path is None:
            chapter = Chapter("01_x", new_notebook(cells=cells))
            build_report([chapter], About(profile="mine", **about), summary="99_comparison", out=out)
        visited = visit(out)
        visited.dialogs = []
        visited.page.on("dialog", lambda dialog: (visited.dialogs.append(dialog.message), dialog.dismiss()))
        visited.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        visited.page.wait_for_timeout(300)
        return visited

    return open_


def harm(visited, *messages):
    """Return what ran, was asked for or stands in the page that must not; `messages` may stand in the console."""
    page = visited.page
    place = page.url.partition("#")[0]
    attributes = "[...document.querySelectorAll('*')].flatMap(each => each.getAttributeNames())"
    links = "[...document.links].map(each => each.protocol)"
    found = {
        "ran": page.evaluate("window.pwned"),
        "dialogs": visited.dialogs,
        "requests": {address.partition("#")[0] for address in visited.requests} ^ {place},
        "messages": set(visited.messages) - set(messages),
        "elements": page.locator("iframe, object, embed, base, form, body script ~ script").count(),
        "scripts": page.evaluate("document.scripts.length") - 1,
        "handlers": [name for name in page.evaluate(attributes) if name.startswith("on")],
        "links": set(page.evaluate(links)) - {"file:", "data:", "https:"},
    }
    return {name: value for name, value in found.items() if value}


def figure(names):
    """Return a figure on which every name is drawn, and in whose numbers all of them stand."""
    with style():
        _, ax = plt.subplots()
        ax.plot([0, 1], [0, 1], label=names[0])
        ax.set_title(names[1])
        ax.set_xlabel(names[2])
    keep(ax, [dict.fromkeys(["name", *names], name) for name in names])
    return ax.figure


@pytest.mark.filterwarnings("ignore:Glyph")  # of a control character, in no font
def test_names_are_text_wherever_the_report_shows_them(opened, displayed):
    """In tables, headers, captions, cells that are links, titles, alt texts, findings, the numbers behind a figure and downloads."""
    frame = pd.DataFrame({name: [name, Cell(name, 1.0, name, name)] for name in NAMES}, index=NAMES[:2])
    outputs = [
        *displayed(table, frame, caption=" ".join(NAMES[:9]), filters=[NAMES[0]], ids=[NAMES[8], NAMES[9]]),
        *(each for name in NAMES for each in displayed(say, f"{name} lowers the error on {name}.")),
        *displayed(say, NAMES),
    ]
    for names in zip(NAMES[::3], NAMES[1::3], NAMES[2::3], strict=True):
        outputs += displayed(show_figure, figure(names), alt=" ".join(names), title=" ".join(names))
    curves = plot_learning_curves({"test": np.array([[3.0, 2.0]])}, metric=NAMES[0])
    outputs += displayed(show_figure, curves.figure, alt=" ".join(NAMES), title=" ".join(NAMES))
    everything = "\n".join(NAMES)
    cells = [
        *(
            new_markdown_cell(
                f"# {name}\n\n## {name}\n\n{name}\n\n- {name}\n\n| a | b |\n|---|---|\n| {name} | x |"
            )
            for name in NAMES
        ),
        new_code_cell(everything, outputs=outputs),
    ]
    visited = opened(
        cells,
        facts=dict(zip(NAMES, NAMES, strict=True)),
        claims=NAMES,
        problems=NAMES,
        provenance=dict(zip(NAMES, NAMES, strict=True)),
        parameters=everything,
        citation=everything,
        downloads={"units.csv": everything.encode(), **{name: everything.encode() for name in NAMES}},
    )
    assert harm(visited) == {}
    assert visited.page.evaluate("[...document.images].filter(each => !each.naturalWidth).length") == 0
    assert visited.page.locator("body").inner_text().count(NAMES[0]) > 20
    for button in visited.page.locator("button.sort").all()[:3]:
        button.click()
    visited.page.locator("input[type=search]").first.fill(NAMES[0])
    for link in visited.page.get_by_text("press", exact=True).all():
        link.click(force=True, no_wait_after=True)
    visited.page.wait_for_timeout(200)
    assert harm(visited) == {}


def test_a_table_that_the_page_saves_has_no_formula(opened, displayed, tmp_path):
    """Texts that a spreadsheet would compute begin with a quote; effects and numbers stay as they are."""
    kept = ["+3.1 % [+1.0, \N{MINUS SIGN}2.0]", "+5", "-1.5e-05", "\N{MINUS SIGN}4 %", "plain"]
    frame = pd.DataFrame({"name": [*FORMULAS, *kept]}, index=[f"row {n}" for n in range(9)])
    visited = opened([new_code_cell("x", outputs=displayed(table, frame, caption="Names"))])
    with visited.page.expect_download() as download:
        visited.page.get_by_role("button", name="Save as CSV: Names").click()
    download.value.save_as(tmp_path / "saved.csv")
    saved = pd.read_csv(tmp_path / "saved.csv", dtype=str)
    assert saved["name"].tolist() == [*(f"'{name}" for name in FORMULAS), *kept]


HTML = [
    f"<script>{ALERT}</script>",
    f"<table class=study-table><tr><td onclick={ALERT}>x</td></tr></table>",
    f'<table><tr><td><img src="x" onerror="{ALERT}"></td></tr></table>',
    f'<table><tr><td><a href="javascript:{ALERT}">press</a></td></tr></table>',
    f'<table><tr><td><a href="01_x.ipynb" onfocus="{ALERT}" autofocus>press</a></td></tr></table>',
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<iframe src="https://evil.example"></iframe>',
    '<style>@import url("https://evil.example/x.css");</style>',
    '<form action="https://evil.example"><button>press</button></form>',
    f"<svg><script>{ALERT}</script></svg>",
    f'<table><caption>x</caption><thead></thead></table><svg onload="{ALERT}',
]


def test_outputs_of_somebody_elses_notebook_run_nothing(opened):
    """HTML, even where it is marked as a table of the study, scripts, widgets, pictures, Markdown, formulas, streams and errors."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="9pt" onload="{ALERT}"><script>{ALERT}</script><image href="https://evil.example/x.png"/></svg>'
    ours = {"lstmstudy": {"table": f'x" onfocus="{ALERT}" autofocus x="'}}
    quotes = f'" onerror="{ALERT}" x="'
    outputs = [
        *(
            new_output("display_data", {"text/html": html, "text/plain": "told"}, metadata=ours)
            for html in HTML
        ),
        *(new_output("display_data", {"text/html": html}) for html in HTML),
        new_output("display_data", {"application/javascript": ALERT, "text/plain": "told"}),
        new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}}),
        new_output(
            "display_data", {"text/latex": f"$\\href{{javascript:{ALERT}}}{{x}}$", "text/plain": "told"}
        ),
        new_output(
            "display_data",
            {"image/svg+xml": svg},
            metadata={"image/svg+xml": {"alt": quotes, "title": quotes}},
        ),
        new_output(
            "display_data", {"image/svg+xml": "x", "text/csv": f"a\n</script><script>{ALERT}</script>\n"}
        ),
        new_output("display_data", {"image/png": quotes}, metadata={"report": {"id": quotes, "alt": quotes}}),
        new_output(
            "display_data", {"text/markdown": "\n\n".join(NAMES)}, metadata={"lstmstudy": {"finding": True}}
        ),
        new_output("execute_result", {"text/html": HTML[0], "text/plain": NAMES[0]}),
        new_output("stream", name="stdout", text="\n".join(NAMES)),
        new_output("stream", name="stderr", text="\n".join(NAMES)),
        new_output("error", ename=NAMES[0], evalue=NAMES[3], traceback=NAMES),
    ]
    attached = {"x.png": {"image/png": quotes, "image/svg+xml": base64.b64encode(svg.encode()).decode()}}
    markdown = new_markdown_cell("![x](attachment:x.png)\n\n" + "\n\n".join([*HTML, *NAMES]))
    markdown.attachments = attached
    cells = [markdown, nbformat.v4.new_raw_cell(HTML[0]), new_code_cell("x", outputs=outputs)]
    cells[2].metadata["tags"] = ["show-code", quotes]
    visited = opened(cells)
    assert harm(visited, "Failed to load resource: net::ERR_INVALID_URL") == {}  # the picture that is none
    for link in visited.page.get_by_text("press", exact=True).all():
        link.click(force=True, no_wait_after=True)
    visited.page.wait_for_timeout(200)
    assert harm(visited, "Failed to load resource: net::ERR_INVALID_URL") == {}  # the picture that is none


def test_a_table_of_the_study_is_still_a_table(opened, displayed):
    """What is refused to others is not refused to our own tables: names with markup, links, filters and ids."""
    frame = pd.DataFrame({"claim": [Cell("<b>", 1.0, "01_x.ipynb#strength", "supported"), 'a "b" & c']})
    visited = opened(
        [
            new_code_cell(
                "x", outputs=displayed(table, frame, caption="Ours", filters=["claim"], ids=["a<b", "c"])
            )
        ]
    )
    assert visited.page.locator("table.study-table caption").inner_text() == "Ours"
    assert visited.page.locator("tbody tr").count() == 2
    assert visited.page.get_by_role("link", name="<b>", exact=True).count() == 1


def test_the_policy_of_the_page_alone_stops_scripts_and_requests(opened, tmp_path):
    """Even markup that somebody writes into the finished file runs no script, and asks for nothing."""
    opened([new_markdown_cell("# x")])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    evil = (
        f"<script>{ALERT}</script><img src=x onerror={ALERT}><svg onload={ALERT}></svg>"
        f"<a id=press href='javascript:{ALERT}'>press</a><iframe srcdoc='<script>parent.pwned=1</script>'></iframe>"
        "<img src=https://evil.example/x.png><link rel=stylesheet href=https://evil.example/x.css>"
        "<object data=https://evil.example></object><style>@import 'https://evil.example/y.css';</style>"
    )
    assert page.count("</main>") == 1
    edited = tmp_path / "edited.html"
    edited.write_text(page.replace("</main>", f"{evil}</main>"), encoding="utf-8")
    visited = opened([], path=edited)
    visited.page.locator("#press").click(no_wait_after=True)
    visited.page.wait_for_timeout(300)
    assert visited.page.evaluate("window.pwned") is None
    assert visited.dialogs == []
    asked = {address for address in visited.requests if "evil" in address}
    refused = [message for message in visited.messages if "Content Security Policy" in message]
    assert asked == {address for address in asked if any(address in message for message in refused)}
    assert len(refused) >= 7
