"""All chapters in one HTML file that opens offline, and each in one of its own."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from lstmstudy.report.chapters import Chapter, ChapterExporter, Section, chapter_anchors
from lstmstudy.report.markdown import plain
from lstmstudy.store.atomic import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lstmstudy.gaps import Gap

LIMIT = 8_000_000  # bytes that a report may have: a mail takes it, and a phone opens it
_TEMPLATE = Path(__file__).resolve().parent / "template"
_FOUND = "What was found"
_SECTION = re.compile(r'href="#(((?:[a-z0-9_]|-(?!-))+)--[^"]*)"')  # of a chapter
_TYPES = {".json": "application/json", ".gz": "application/gzip"}


@dataclass(frozen=True)
class About:
    """What a page says beside its chapters.

    Attributes:
        profile: Name of the study's size.
        evidence: Whether it judges anything; else a banner says that it is no evidence.
        facts: What stands under the title, such as the number of runs.
        claims: Ids of the claims; where the summary is in the page, each leads to its row there.
        missing: Runs without an outcome.
        diverged: Runs that ended early.
        problems: What could not be measured, one line each.
        provenance: What stands at the end, such as commit and machine.
        parameters: Everything that the profile decides, as YAML.
        citation: How to cite the report.
        downloads: Files that the page carries, by name.
    """

    profile: str
    evidence: bool = True
    facts: Mapping[str, str] = field(default_factory=dict)
    claims: Iterable[str] = ()
    missing: Sequence[Gap] = ()
    diverged: Sequence[Gap] = ()
    problems: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    parameters: str = ""
    citation: str = ""
    downloads: Mapping[str, bytes] = field(default_factory=dict)


def build_report(
    chapters: Sequence[Chapter], about: About, *, summary: str, out: Path, beside: Iterable[str] = ()
) -> int:
    """Write the report, or a page with some of its chapters, and return its size in bytes.

    The same arguments always give the same bytes. The file loads nothing: figures, styles and script are
    inside it, and its content security policy forbids the rest. It appears whole or not at all.

    Args:
        chapters: The executed notebooks, in the order of the report.
        about: What stands around them.
        summary: Name of the chapter that comes first, as what was found; it may be absent.
        out: Where to write it; its folder exists.
        beside: Names of chapters that have pages of their own in the same folder.

    Raises:
        ValueError: If there is no chapter, or two have the same name.
    """
    if not chapters:
        msg = "A report has at least one chapter. Received: chapters=[]"
        raise ValueError(msg)
    names = [chapter.name for chapter in chapters]
    anchors = chapter_anchors([*names, *(name for name in beside if name not in names)])
    links = {
        name: f"#{anchor}" if name in names else f"{name}.html#{anchor}" for name, anchor in anchors.items()
    }
    table = links.get(summary, "").partition("#")[0] if summary in links else None
    claims = {} if table is None else {each: f"{table}#claim.{each}" for each in about.claims}
    exporter = ChapterExporter()
    ordered = sorted(chapters, key=lambda chapter: chapter.name != summary)
    rendered = [exporter.render(each, anchors[each.name], links, claims) for each in ordered]
    known = {heading.anchor for section in rendered for heading in section.headings}
    sections = [_entry(section, summary, known) for section in rendered]
    script = (_TEMPLATE / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = exporter.environment.get_template("page.html.j2").render(
        sections=sections,
        failed=[section for section in sections if section["error"]],
        about=about,
        downloads={name: _data_url(name, data) for name, data in about.downloads.items()},
        css=Markup((_TEMPLATE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 (ours)
        script=Markup(script),  # noqa: S704 (ours)
        script_hash=Markup(f"sha256-{digest}"),  # noqa: S704 (base64)
    )
    data = page.encode()
    write_whole(out, data)
    return len(data)


def build_pages(chapters: Sequence[Chapter], about: About, *, summary: str, folder: Path) -> None:
    """Write each chapter as a page of its own, whose links lead to the pages of the others.

    Args:
        chapters: The executed notebooks.
        about: What stands around them; downloads are left to the report.
        summary: Name of the chapter with the table of claims.
        folder: Where to write them; it exists.
    """
    names = [chapter.name for chapter in chapters]
    light = replace(about, downloads={})
    for chapter in chapters:
        build_report([chapter], light, summary=summary, out=folder / f"{chapter.name}.html", beside=names)


def _entry(section: Section, summary: str, known: set[str]) -> dict[str, Any]:
    """Return a chapter as the page's template takes it, with its heading and its name in the contents.

    A link to a section that its chapter lacks leads to the chapter.
    """
    heading = _FOUND if section.name == summary else section.title
    body = _SECTION.sub(lambda link: link[0] if link[1] in known else f'href="#{link[2]}"', str(section.body))
    return asdict(section) | {"heading": heading, "nav": plain(heading), "body": Markup(body)}  # noqa: S704


def _data_url(name: str, data: bytes) -> str:
    kind = _TYPES.get(Path(name).suffix, "text/plain")
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
