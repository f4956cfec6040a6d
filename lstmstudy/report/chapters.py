"""One executed notebook as a chapter of the report, through nbconvert and a template of our own."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import Highlight2HTML, ansi2html
from traitlets.config import Config

from lstmstudy.report.markdown import Heading, Page, inline_html, slug, to_html
from lstmstudy.report.prepare import HIDDEN, Prepare, relative_text, split_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbformat import NotebookNode

_PLAIN = ",.-_()*!:;/$@'"  # as safe in the address of a link as letters and digits are
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Chapter:
    """A notebook after its execution.

    Attributes:
        name: Its file name without ``.ipynb``, such as ``"01_dropout"``.
        notebook: The executed notebook; as far as it came, if it failed.
        error: What stopped it, such as ``"cell 7: ValueError: ..."``; None if nothing did.
    """

    name: str
    notebook: NotebookNode
    error: str | None = None


@dataclass(frozen=True)
class Section:
    """A chapter as HTML.

    Attributes:
        name: Name of the notebook.
        anchor: Its place in the page.
        title: Its title, as HTML.
        headings: The headings below the title.
        body: Its content, as HTML.
        error: What stopped it, or None.
        unrun: How many code cells were never reached.
    """

    name: str
    anchor: str
    title: Markup
    headings: tuple[Heading, ...]
    body: Markup
    error: str | None
    unrun: int


def said(notebook: NotebookNode) -> list[str]:
    """Return the sentences that the notebook's cells displayed with ``say``, in order; those of a list apart."""
    return [
        sentence.removeprefix("- ")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.get("metadata", {}).get("lstmstudy", {}).get("finding")
        for sentence in output.data["text/plain"].splitlines()
    ]


class ChapterExporter(HTMLExporter):
    """Exports the cells of a notebook as HTML without a page around them.

    nbconvert walks the cells and picks the richest form of each output; the template in this package,
    found by its path and never installed, says how they look. Everything is escaped unless a filter
    made it HTML.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            template_name="template", extra_template_basedirs=[str(_HERE)], preprocessors=[Prepare], **kwargs
        )

    @property
    def default_config(self) -> Config:
        """Which form of an output is preferred, and which cells are left out."""
        forms = ["image/svg+xml", "image/png", "image/jpeg", "text/html", "text/markdown", "text/plain"]
        config = Config(
            {
                "NbConvertBase": {"display_data_priority": forms},
                "TagRemovePreprocessor": {"enabled": True, "remove_cell_tags": HIDDEN},
                "Prepare": {"enabled": True},
            }
        )
        merged = super().default_config.copy()
        merged.merge(config)
        return merged

    def _create_environment(self) -> jinja2.Environment:
        environment = super()._create_environment()
        environment.autoescape = True
        environment.trim_blocks = environment.lstrip_blocks = True
        highlight = Highlight2HTML(pygments_lexer="ipython3", parent=self)
        environment.filters["code"] = lambda source: Markup(  # noqa: S704 (pygments escapes)
            # Long lines scroll; the script takes the stop away where they do not.
            highlight(source).replace("<pre>", '<pre tabindex="0">', 1)
        )
        environment.filters["ansi"] = lambda text: Markup(ansi2html(text))  # noqa: S704 (it escapes)
        environment.filters["markdown"] = _markdown
        environment.filters["csv_url"] = lambda text: (
            f"data:text/csv;charset=utf-8,{quote(text, safe=_PLAIN)}"
        )
        return environment

    def render(
        self, chapter: Chapter, anchor: str, links: Mapping[str, str], claims: Mapping[str, str]
    ) -> Section:
        """Return `chapter` as HTML.

        Args:
            chapter: The chapter; its notebook is not changed.
            anchor: Its place in the page.
            links: As in `Page`.
            claims: As in `Page`.
        """
        title, notebook = split_title(copy.deepcopy(chapter.notebook))
        page = Page(anchor, links, claims)
        body, resources = self.from_notebook_node(
            notebook, {"page": page, "unrun": 0, "failed": chapter.error is not None}
        )
        fallback = chapter.name.lstrip("0123456789_").replace("_", " ").capitalize() or chapter.name
        return Section(
            name=chapter.name,
            anchor=page.chapter,
            title=Markup(inline_html(title or fallback)),  # noqa: S704 (raw HTML is escaped)
            headings=tuple(resources["page"].headings),
            body=Markup(body),  # noqa: S704 (the template escapes)
            error=relative_text(chapter.error) if chapter.error else None,
            unrun=resources["unrun"],
        )


def chapter_anchors(names: Iterable[str]) -> dict[str, str]:
    """Return an anchor per chapter name.

    Raises:
        ValueError: If two chapters would have the same.
    """
    known = list(names)
    anchors = {name: slug(name) for name in known}
    if len(set(anchors.values())) < len(known):
        msg = f"Chapters need different names. Received: names={known}"
        raise ValueError(msg)
    return anchors


@jinja2.pass_context
def _markdown(context: jinja2.runtime.Context, source: str) -> Markup:
    cell = context.get("cell", {})
    html = to_html(source, context["resources"]["page"], cell.get("attachments", {}))
    return Markup(html)  # noqa: S704 (raw HTML is escaped)
