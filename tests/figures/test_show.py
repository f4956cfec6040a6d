"""Figures, findings and tables as a notebook receives them."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from lstmstudy.figures import panels, plot_learning_curves, say, show, show_figure, table, tables
from lstmstudy.figures.colour import INK, PAPER, PAPER_DARK, dark_counterpart
from lstmstudy.figures.data import as_csv
from lstmstudy.figures.svg import to_svg
from lstmstudy.figures.tables import Cell


@pytest.fixture
def shown(monkeypatch):
    """Collect what is displayed, as (data, metadata)."""
    calls = []

    def publish(data, *, raw, metadata):
        assert raw
        calls.append((data, metadata))

    monkeypatch.setattr(show, "publish", publish)
    monkeypatch.setattr(tables, "publish", publish)
    return calls


def make_figure(title="five < six & seven"):
    """Return a small figure of the study."""
    ax = plot_learning_curves({"test": np.array([[3.0, 2.0, 1.5], [2.0, 1.0, 1.2]])}, metric="RMSE")
    ax.set_title(title)
    return ax.figure


@pytest.mark.parametrize("alt", ["", "  \n", None])
def test_figure_without_alt_text_is_refused(alt, shown):
    """A figure that blind readers could not read is never displayed."""
    with pytest.raises(ValueError, match="Received: alt="):
        show_figure(make_figure(), alt=alt)
    assert shown == []


def test_figure_is_displayed_once_with_its_alt_text_and_closed(shown):
    """The output is one SVG with the alt text in its metadata, and the figure is closed."""
    show_figure(make_figure(), alt='Test error falls to 1.3 "at last" & stays.')
    ((data, metadata),) = shown
    assert metadata == {"image/svg+xml": {"alt": 'Test error falls to 1.3 "at last" & stays.'}}
    assert data["image/svg+xml"].startswith("<svg")
    assert plt.get_fignums() == []


def test_the_numbers_of_a_figure_are_displayed_with_it(shown):
    """The bundle has the data as CSV; a figure of which nothing is kept has none."""
    figure = make_figure()
    numbers = as_csv(figure)
    show_figure(figure, alt="a")
    show_figure(plt.figure(), alt="b")
    assert numbers.splitlines()[1].startswith("test,RMSE,1,2.5,")
    assert shown[0][0]["text/csv"] == numbers
    assert shown[0][0].keys() == {"image/svg+xml", "image/png", "text/plain", "text/csv"}
    assert shown[1][0].keys() == {"image/svg+xml", "image/png", "text/plain"}


def test_the_title_stands_above_the_figure(shown):
    """A title is displayed first, marked as such, and is known beside the alt text; without one there is none."""
    show_figure(make_figure(), alt="a", title=" Dropout\n helps <most> ")
    (data, metadata), (_, about) = shown
    assert data == {"text/plain": "Dropout helps <most>", "text/markdown": "**Dropout helps <most>**"}
    assert metadata == {"lstmstudy": {"title": True}}
    assert about == {"image/svg+xml": {"alt": "a", "title": "Dropout helps <most>"}}
    show_figure(make_figure(), alt="a", title=" ")
    assert len(shown) == 3
    assert shown[2][1] == {"image/svg+xml": {"alt": "a"}}


def test_same_figure_gives_the_same_bytes():
    """Two drawings of one figure are equal byte for byte, and a different figure is not."""
    assert to_svg(make_figure(), title="a") == to_svg(make_figure(), title="a")
    assert to_svg(make_figure(), title="a") != to_svg(make_figure("other"), title="a")


def test_the_last_digits_of_a_layout_are_not_in_the_bytes():
    """The solver that places axes leaves them to chance; what is drawn is the same, clips and their names too."""
    drawn = []
    for chance in (0.0, 1e-13, -1e-13):
        figure, axes = plt.subplots(1, 2)
        for number, ax in enumerate(axes):
            ax.plot([0, 1], [0, 1])
            ax.set_position([0.1 + number / 2 + chance, 0.1, 0.3 + chance, 0.8])
        drawn.append(to_svg(figure, title="a"))
    assert drawn[0] == drawn[1] == drawn[2]
    clips = re.findall(r'<clipPath id="(\w+)"', drawn[0])
    assert len(set(clips)) == 2
    assert set(re.findall(r"url\(#(\w+)\)", drawn[0])) == set(clips)


def test_svg_is_well_formed_and_small_and_loads_nothing():
    """The SVG parses, names no address but its own namespaces, has no date, and keeps text as text."""
    svg = to_svg(make_figure(), title="What it shows <here>")
    root = ET.fromstring(svg)  # noqa: S314 (our own figure)
    assert root.find("{http://www.w3.org/2000/svg}title").text == "What it shows <here>"
    addresses = set(re.findall(r"https?://[^\s\"']+", svg))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "metadata" not in svg
    assert "five &lt; six &amp; seven" in svg
    assert len(svg) < 20_000


def test_every_colour_has_a_counterpart_for_dark_pages():
    """Each painted colour is turned by a rule for dark mode, the paper into the dark page."""
    svg = to_svg(make_figure(), title="a")
    rules = svg[svg.index("@media") : svg.index("</style>")]
    painted = set(re.findall(r'style="[^"]*?(?:fill|stroke): (#[0-9a-f]{6})', svg))
    assert {INK, PAPER} <= painted
    for colour in painted:
        assert f": {colour}" in rules
        assert dark_counterpart(colour) in rules
    assert f"{{fill:{PAPER_DARK}!important}}" in rules


def test_nothing_is_painted_in_matplotlib_default_black():
    """Text and lines without a colour of their own would vanish on a dark page."""
    svg = to_svg(make_figure(), title="a")
    assert "#000000" not in svg
    for text in re.findall(r"<text [^>]*>", svg):
        assert "fill: #" in text


def test_finding_is_marked_as_such(shown):
    """A finding is displayed as text and Markdown, with a mark that the report looks for."""
    say("Dropout helps:\n **6 %**.")
    ((data, metadata),) = shown
    assert data == {"text/plain": "Dropout helps: **6 %**.", "text/markdown": "Dropout helps: **6 %**."}
    assert metadata == {"lstmstudy": {"finding": True}}
    with pytest.raises(ValueError, match="Received: finding="):
        say(" ")


def test_several_findings_become_a_list(shown):
    """Each of several sentences is an item of a Markdown list; a single one stands as it is, and none is an error."""
    say(["Dropout\nhelps.", "Noise does not."])
    say(["Dropout helps."])
    assert [data["text/markdown"] for data, _ in shown] == [
        "- Dropout helps.\n- Noise does not.",
        "Dropout helps.",
    ]
    for nothing in ([], ["Dropout helps.", ""]):
        with pytest.raises(ValueError, match="Received: finding="):
            say(nothing)


def test_cells_sort_by_their_number_lead_somewhere_and_have_a_kind(shown):
    """A cell carries the number, link and word that it was given, escaped; a link that is no notebook is none."""
    evil = '"><script>alert(1)</script>'
    cells = [
        Cell("\N{MINUS SIGN}5 %", -0.05),
        Cell("01 dropout", notebook="01_dropout.ipynb#The-verdict"),
        Cell("supported", kind=evil),
        Cell("x", notebook="javascript:alert(1)//.ipynb"),
        Cell(evil, notebook=f"{evil}.ipynb"),
    ]
    frame = pd.DataFrame([{str(place): each for place, each in enumerate(["a", *cells])}])
    table(frame, caption="c", filters=["1", "3"], ids=["claim.a"])
    ((data, _),) = shown
    html = data["text/html"]
    assert 'data-sort="-0.05">\N{MINUS SIGN}5 %</td>' in html
    assert '<a href="01_dropout.ipynb#The-verdict">01 dropout</a>' in html
    assert html.count("<a ") == 1
    assert "<script>" not in html
    assert 'data-filters="1 3"' in html
    assert '<tr id="claim.a">' in html
    assert "Cell(" not in data["text/plain"]
    for wrong in ({"filters": ["verdict"]}, {"ids": ["a", "b"]}):
        with pytest.raises(ValueError, match="Received: filters="):
            table(frame, caption="c", **wrong)


def test_table_is_escaped_and_every_header_has_a_scope(shown):
    """Names from a user's file stay text, and each header says whether it heads a row or a column."""
    evil = "<script>alert(1)</script>"
    frame = pd.DataFrame({"task <b>": [evil, "b"], "why": ["c", evil], "error": [0.123456, np.nan]})
    table(frame, caption="Errors & more")
    ((data, metadata),) = shown
    html = data["text/html"]
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") == 2
    assert "task &lt;b&gt;" in html
    headers = re.findall(r"<th [^>]*>", html)
    assert len(headers) == 5
    assert all('scope="row"' in header or 'scope="col"' in header for header in headers)
    assert "<caption>Errors &amp; more</caption>" in html
    assert "0.1235" in html
    assert "not available" in html
    assert metadata["lstmstudy"] == {"table": "Errors & more"}


def test_numbers_stand_at_the_right_and_words_at_the_left(shown):
    """Numeric columns are right-aligned with a true minus, others left-aligned."""
    table(pd.DataFrame({"effect": [-1.5], "verdict": ["supported"]}, index=["dropout"]), caption="c")
    html = shown[0][0]["text/html"]
    assert re.search(r'<td style="text-align:right[^"]*" data-sort="-1.5">\N{MINUS SIGN}1.5</td>', html)
    assert re.search(r'<td style="text-align:left[^"]*">supported</td>', html)
    assert re.search(r'<th scope="row" style="text-align:left[^"]*">dropout</th>', html)


@pytest.mark.parametrize(
    ("frame", "caption"),
    [
        (pd.DataFrame({"a": [1]}), " "),
        (pd.DataFrame(), "c"),
        (pd.DataFrame({("a", "b"): [1]}), "c"),
    ],
)
def test_table_that_cannot_be_read_aloud_is_refused(frame, caption, shown):
    """No caption, no column and headers of several levels each raise an error."""
    with pytest.raises(ValueError, match="Received: "):
        table(frame, caption=caption)
    assert shown == []


def test_names_are_drawn_as_they_are(shown):
    """Dollars, markup and ampersands in the names of arms, tasks and metrics are shown as these signs."""
    name = "$x_1 <b>&"
    figure, (left, right) = panels([name, "other"])
    for ax in (left, right):
        plot_learning_curves({"test": [[2.0, 1.0]]}, metric=name, ax=ax)
    show_figure(figure, alt="a")
    svg = shown[0][0]["image/svg+xml"]
    assert svg.count(">$x_1 &lt;b&gt;&amp;<") == 3


def test_a_png_goes_with_the_figure_for_viewers_without_svg(shown):
    """Each figure also comes as a PNG, the same twice, as wide as the SVG in inches."""
    for _ in range(2):
        show_figure(make_figure(), alt="a")
    one, other = (data["image/png"] for data, _ in shown)
    assert one == other
    head = base64.b64decode(one)
    assert head.startswith(b"\x89PNG")
    assert b"Software" not in head
    assert int.from_bytes(head[16:20], "big") > 500
