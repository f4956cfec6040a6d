"""What of an executed notebook the report shows."""

from __future__ import annotations

import csv
import io
import re
from html import escape, unescape
from typing import TYPE_CHECKING, Any

from nbconvert.preprocessors import Preprocessor

from lstmstudy.paths import ROOT

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from lstmstudy.report.markdown import Page

HIDDEN = {"hide", "papermill-error-cell-tag"}  # the second: papermill's own red banners
SHOW_CODE = "show-code"  # tag of cells whose code is for reading, such as plain Keras
NO_ALT = "Figure without a written description"
_PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
_TITLE = re.compile(r"\A\s*#[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|\Z)")
_SIZE = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)(pt|px)?" height="([\d.]+)(?:pt|px)?"')
# A table as `lstmstudy.figures.tables` writes it: no other tag, no attribute that does something, no other link.
_TABLE = re.compile(
    r"""(?:[^<>]++|</?(?:table|caption|thead|tbody|tr|th|td)(?:\ (?:class|id|scope|style|data-[a-z]+)="[^"<>]*+")*+>"""
    r"""|<a\ href="[\w-]+\.ipynb(?:\#[\w-]+)?">|</a>)*+""",
    re.VERBOSE,
)
_LINK = re.compile(r'<a href="([^"]*)">(.*?)</a>')
_ONTO_LINE = re.compile(r"[^\n]*\r(?!\n)")  # a progress bar overwrites its line


def split_title(notebook: NotebookNode) -> tuple[str | None, NotebookNode]:
    """Return the notebook's title (Markdown, from its first heading) and the notebook without it."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not HIDDEN & set(cell.metadata.get("tags", [])):
            found = _TITLE.match(cell.source)
            if found:
                cell.source = cell.source[found.end() :]
                return found[1], notebook
            if cell.source.strip():
                break
    return None, notebook


class Prepare(Preprocessor):
    """Leaves in a notebook what readers are to see, and gives the template what it needs.

    Dropped are: empty cells, the cells after one that failed (they never ran), the error stream of
    a chapter that did not fail, widgets, and HTML that the study did not write (its text stands in). Code
    cells that follow each other become one, so that a figure and its finding have one fold of code.
    Paths of this machine become relative. Each figure gets an anchor, an alt text, its size and its title,
    and links in tables lead to chapters.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Return the notebook as the report shows it; `resources` says how many cells never ran."""
        cells: list[NotebookNode] = []
        figures = 0
        for place, cell in enumerate(nb.cells):
            if cell.cell_type == "code":
                cell.outputs = [
                    kept
                    for kept in (_output(output, errors=resources["failed"]) for output in cell.outputs)
                    if kept is not None
                ]
                _attach_titles(cell)
                for output in cell.outputs:
                    figures += _describe(output, resources["page"].chapter, figures + 1)
                    _link(output, resources["page"])
                failed = any(output.output_type == "error" for output in cell.outputs)
            else:
                failed = False
            if cells and _role(cell) and _role(cells[-1]) in (_role(cell), "parameters"):
                if _role(cell) == "code":
                    cells[-1].metadata["tags"] = []
                cells[-1].source = f"{cells[-1].source}\n\n{cell.source}"
                cells[-1].outputs += cell.outputs
            elif cell.source.strip() or cell.get("outputs"):
                cells.append(cell)
            if failed:
                resources["unrun"] = sum(later.cell_type == "code" for later in nb.cells[place + 1 :])
                break
        nb.cells = cells
        return nb, resources


def _role(cell: NotebookNode) -> str | None:
    """Return what kind of code a cell has; cells of one kind are shown together. None: stands alone."""
    tags = cell.metadata.get("tags", [])
    if cell.cell_type != "code" or SHOW_CODE in tags:
        return None
    return "parameters" if {"parameters", "injected-parameters"} & set(tags) else "code"


def _output(output: NotebookNode, *, errors: bool) -> NotebookNode | None:
    """Return an output as the report shows it, or None; `errors` keeps the error stream."""
    if output.output_type == "error":
        output.traceback = [relative_text(line) for line in output.traceback]
        output.evalue = relative_text(str(output.evalue))
        return output
    if output.output_type == "stream":
        if output.name == "stderr" and not errors:
            return None
        output.text = _ONTO_LINE.sub("", relative_text(_joined(output.text)))
        return output if output.text.strip() else None
    data = output.data
    if any("widget" in kind for kind in data):
        return None
    ours = "table" in output.metadata.get("lstmstudy", {})
    if "text/html" in data and not (ours and _TABLE.fullmatch(_joined(data["text/html"]))):
        del data["text/html"]
    for kind in data:
        if kind.startswith("text/") or kind == "image/svg+xml":
            data[kind] = _joined(data[kind])
    if "text/plain" in data:
        data["text/plain"] = relative_text(data["text/plain"])
    return output if data else None


def _describe(output: NotebookNode, chapter: str, number: int) -> bool:
    """Give a picture its anchor, alt text and size; return whether `output` is one."""
    kind = next((kind for kind in _PICTURES if kind in output.get("data", {})), None)
    if kind is None:
        return False
    known = output.metadata.get(kind, {})
    about: dict[str, Any] = {"id": f"{chapter}.figure-{number}", "alt": known.get("alt") or NO_ALT}
    about["title"] = known.get("title", "")
    numbers = _joined(output.data.get("text/csv", ""))
    if numbers:
        about["csv"] = numbers
        about["rows"] = sum(1 for _ in csv.reader(io.StringIO(numbers))) - 1
    size = _SIZE.search(output.data[kind]) if kind == "image/svg+xml" else None
    if size:
        scale = 1.0 if size[2] == "px" else 4 / 3  # a point is 4/3 CSS pixels
        about |= {"width": round(float(size[1]) * scale), "height": round(float(size[3]) * scale)}
    output.metadata["report"] = about
    return True


def _attach_titles(cell: NotebookNode) -> None:
    """Drop the title that stands before a figure for readers of the notebook: the figure carries it too."""
    kept: list[NotebookNode] = []
    for output in cell.outputs:
        mark = output.get("metadata", {}).get("lstmstudy", {})
        if mark.get("title"):
            continue
        if mark.get("finding") and kept and any(kind in kept[-1].get("data", {}) for kind in _PICTURES):
            mark["note"] = True
        kept.append(output)
    cell.outputs = kept


def _link(output: NotebookNode, page: Page) -> None:
    """Let the links of a table lead to the chapters of the report; those that it lacks become text."""
    if "text/html" in output.get("data", {}):
        output.data["text/html"] = _LINK.sub(lambda found: _linked(found, page), output.data["text/html"])


def _linked(found: re.Match[str], page: Page) -> str:
    place = page.link(unescape(found[1]))
    return f'<a href="{escape(place)}">{found[2]}</a>' if place else found[2]


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def relative_text(text: str) -> str:
    """Return `text` with the paths of this checkout made relative to it."""
    return text.replace(f"{ROOT}/", "").replace(str(ROOT), ".")
