"""Markdown of notebooks as HTML of the report."""

from __future__ import annotations

import re

import pytest

from lstmstudy.report.markdown import Page, slug, to_html
from lstmstudy.report.maths import to_mathml


def make_page():
    """Return the page state of one chapter that knows another."""
    links = {"01_dropout": "#01_dropout", "02_recurrent": "#02_recurrent", "03_norm": "03_norm.html#03_norm"}
    return Page("01_dropout", links, {"dropout": "#claim.dropout"})


def test_headings_are_shifted_below_the_only_h1():
    """A notebook's h1 becomes h2, its h2 h3; none deeper than h6 comes out."""
    html = to_html("# One\n\n## Two\n\n###### Six\n", make_page())
    assert re.findall(r"<h(\d)", html) == ["2", "3", "6"]


def test_equal_headings_get_different_anchors():
    """Three headings of the same name can be linked to separately, and are listed for the contents."""
    page = make_page()
    html = to_html("## Strength\n\n## Strength\n\n## Strength\n", page)
    anchors = re.findall(r'id="([^"]+)"', html)
    assert len(set(anchors)) == 3
    assert anchors == [heading.anchor for heading in page.headings]
    assert all(anchor.startswith("01_dropout--strength") for anchor in anchors)


def test_formulas_become_mathml():
    """Inline, displayed and aligned formulas become math elements, and no dollar sign is left."""
    source = "Take $h_t$ and\n\n$$c_t = f_t \\odot c_{t-1}$$\n\n\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}\n"
    html = to_html(source, make_page())
    assert html.count("<math") == 3
    assert html.count('display="block"') == 2
    assert html.count("<mtr>") == 2
    assert "$" not in html
    assert "&</mi>" not in html


@pytest.mark.parametrize("latex", [r"\left(", r"\unknowncommand{x}"])
def test_formula_that_cannot_be_converted_is_shown_as_its_source(latex):
    """A broken formula costs only itself: its source stands there, escaped."""
    html = to_mathml(f"{latex} <b>", block=False)
    assert html.startswith("<code>")
    assert "&lt;b&gt;" in html


def test_bold_vectors_are_letters_of_their_own():
    """Bold italic letters are characters that browsers show bold, not an attribute that they ignore."""
    assert "\N{MATHEMATICAL BOLD ITALIC SMALL M}" in to_mathml(r"\boldsymbol{m}", block=False)


def test_distributed_as_is_an_operator():
    """The tilde of a distribution is the operator, with space around it."""
    assert "<mo>&#x0223C;</mo>" in to_mathml(r"m \sim p", block=False)


def test_raw_html_is_shown_as_text():
    """Script and other HTML in Markdown, in a block or a line, is never markup of the page."""
    html = to_html("<script>alert(1)</script>\n\na <img src=x onerror=alert(1)> b", make_page())
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_harmful_link_is_text():
    """A link that would run a script leads nowhere."""
    html = to_html("[a](javascript:alert(1)) [b](data:text/html,x) [c](../README.md)", make_page())
    assert "href" not in html


def test_links_to_notebooks_lead_to_their_chapters():
    """A link to a notebook of the report leads to its chapter or section; to any other, plain text; the web stays."""
    html = to_html(
        "[r](02_recurrent.ipynb) [s](./02_recurrent.ipynb#The-verdict) [n](99_none.ipynb) [o](03_norm.ipynb#A) "
        "[w](https://arxiv.org/abs/1)",
        make_page(),
    )
    assert '<a href="#02_recurrent">r</a>' in html
    assert '<a href="#02_recurrent--the-verdict">s</a>' in html
    assert '<a href="03_norm.html#03_norm--a">o</a>' in html
    assert "99_none" not in html
    assert '<a href="https://arxiv.org/abs/1">w</a>' in html


def test_a_table_scrolls_in_its_own_box_and_its_headers_have_a_scope():
    """A table of the prose may be wider than a phone, and a screen reader knows what its cells belong to."""
    html = to_html("| a | b |\n| - | -: |\n| $x$ | 2 |", make_page())
    assert html.startswith('<div class="scroll" tabindex="0"')
    assert '<th scope="col">a</th>' in html
    assert '<th scope="col" style="text-align:right">b</th>' in html
    assert '<td style="text-align:right">2</td>' in html
    assert html.count("<math") == 1


def test_the_id_of_a_claim_leads_to_its_row():
    """Code that is the id of a claim becomes a link, other code does not."""
    html = to_html("`dropout` `dropout-range`", make_page())
    assert '<a href="#claim.dropout"><code>dropout</code></a> <code>dropout-range</code>' in html


def test_picture_from_elsewhere_is_replaced_by_its_description():
    """A picture that the notebook does not carry would load from the network or be missing; one it carries stays."""
    html = to_html("![far](https://example.org/x.png) ![near](x.png)", make_page())
    assert "<img" not in html
    assert "far" in html
    carried = to_html("![mine](attachment:a.png)", make_page(), {"a.png": {"image/png": "AAAA"}})
    assert 'src="data:image/png;base64,AAAA"' in carried
    assert 'alt="mine"' in carried


@pytest.mark.parametrize(
    ("text", "wanted"), [("Does it help?", "does-it-help"), ("--", "section"), ("a -- b", "a-b")]
)
def test_slug_is_a_word_without_double_hyphens(text, wanted):
    """Slugs never hold the double hyphen that parts chapter and heading in an anchor."""
    assert slug(text) == wanted
