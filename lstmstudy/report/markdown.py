"""Markdown of a notebook as HTML of the report: headings a level down, formulas as MathML, no raw HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape, unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from lstmstudy.report.maths import to_mathml

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAG = re.compile(r"<[^>]*>")
_MATH = re.compile(r"<math\b.*?</math>", re.DOTALL)
_PERCENT = re.compile(r"(?<=\d) %")
_NOTEBOOK = re.compile(r"(?:\./)?([^/#]+)\.ipynb(?:#(.*))?")


@dataclass
class Heading:
    """A heading below the title of a chapter."""

    level: int
    text: str
    anchor: str


@dataclass
class Page:
    """What the rendering of one chapter knows and collects.

    Attributes:
        chapter: Anchor of the chapter.
        links: Where the chapters are, by the name of the notebook: ``"#01_dropout"`` in the same page, or
            ``"01_dropout.html#01_dropout"``.
        claims: Where the claims are, by their ids.
        headings: The headings rendered so far.
    """

    chapter: str
    links: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    headings: list[Heading] = field(default_factory=list)

    def anchor(self, text: str) -> str:
        """Return an anchor for a heading, unlike any other in the page."""
        taken = {heading.anchor for heading in self.headings}
        # Slugs have no double hyphen, so a heading never gets the anchor of another chapter's.
        wanted = f"{self.chapter}--{slug(text)}"
        count = 1
        anchor = wanted
        while anchor in taken:
            count += 1
            anchor = f"{wanted}-{count}"
        return anchor

    def link(self, url: str) -> str | None:
        """Return where a link to a notebook leads in the report; None if there is no such chapter."""
        found = _NOTEBOOK.fullmatch(unquote(url))
        if found is None or found[1] not in self.links:
            return None
        place = self.links[found[1]]
        return f"{place}--{slug(found[2])}" if found[2] else place


def slug(text: str) -> str:
    """Return `text` as a word that can stand in an address: lower case, single hyphens."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "section"


def plain(html: str) -> str:
    """Return the text of a piece of HTML."""
    return unescape(_TAG.sub("", html)).replace("\N{NO-BREAK SPACE}", " ").strip()


class ReportRenderer(IPythonRenderer):
    """Renders one Markdown cell.

    Raw HTML is shown as text, since names from a user's files may stand in it. Pictures must be
    embedded or attached; any other is replaced by its description. Links to notebooks lead to their
    chapters.
    """

    def __init__(self, page: Page, attachments: dict[str, dict[str, str]]) -> None:
        super().__init__(
            escape=True, allow_harmful_protocols=False, exclude_anchor_links=True, attachments=attachments
        )
        self.page = page

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        """Return a heading one level lower, since the page's own title is the only h1."""
        del attrs
        words = plain(_MATH.sub(lambda found: f" {plain(found[0])} ", text))
        heading = Heading(min(level + 1, 6), " ".join(words.split()), self.page.anchor(words))
        self.page.headings.append(heading)
        title = f'<h{heading.level} id="{heading.anchor}">{text}</h{heading.level}>'
        name = escape(f"Link to {heading.text}")
        link = f'<a class="anchor" href="#{heading.anchor}" aria-label="{name}">#</a>'
        return f'<div class="heading">{title}{link}</div>\n'

    def text(self, text: str) -> str:
        """Return text; a number stays beside its sign of percent."""
        escaped: str = super().text(text)
        return _PERCENT.sub("\N{NO-BREAK SPACE}%", escaped)

    def block_math(self, body: str) -> str:
        """Return a formula on a line of its own, which scrolls where it is too wide."""
        return f'<span class="formula">{to_mathml(body, block=True)}</span>'

    def inline_math(self, body: str) -> str:
        """Return a formula within the text."""
        return to_mathml(body, block=False)

    def latex_environment(self, name: str, body: str) -> str:
        """Return a formula that stands in an environment of its own."""
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def block_mermaidjs(self, code: str) -> str:
        """Return a diagram's source: drawing it would need a script from elsewhere."""
        return f"<pre><code>{escape(code)}</code></pre>\n"

    def codespan(self, text: str) -> str:
        """Return code; the id of a claim leads to its row in the table of claims."""
        code: str = super().codespan(text)
        place = self.page.claims.get(text)
        return f'<a href="{place}">{code}</a>' if place else code

    def table(self, text: str) -> str:
        """Return a table in a box of its own, which scrolls where it is too wide."""
        return f'<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>\n{text}</table></div>\n'

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        """Return a cell of a table; a header says that it heads a column."""
        side = f' style="text-align:{align}"' if align else ""
        return f'  <th scope="col"{side}>{text}</th>\n' if head else f"  <td{side}>{text}</td>\n"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Return a picture that the notebook carries, or the description of one that it does not."""
        source = self._embed_image_or_attachment(url)
        if not source.startswith(self.GOOD_DATA_PROTOCOLS):
            return text
        rendered: str = super(IPythonRenderer, self).image(text, source, title)
        return rendered

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Return a link into the web or to another chapter; what a mailed page cannot reach is text."""
        place = self.page.link(url)
        if place:
            return f'<a href="{place}">{text}</a>'
        if not url.startswith(("https://", "http://", "mailto:")):
            return text
        rendered: str = super().link(text, url, title)
        return rendered


def to_html(source: str, page: Page, attachments: dict[str, dict[str, str]] | None = None) -> str:
    """Return the Markdown of a cell as HTML; its headings are added to `page`."""
    return str(MarkdownWithMath(renderer=ReportRenderer(page, attachments or {})).render(source))


def inline_html(source: str) -> str:
    """Return one line of Markdown as HTML without a paragraph around it."""
    html = to_html(source, Page("")).strip()
    return html.removeprefix("<p>").removesuffix("</p>")
