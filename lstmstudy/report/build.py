"""All chapters in one HTML file that opens offline."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from lstmstudy.report.chapters import Chapter, ChapterExporter, Section, chapter_anchors
from lstmstudy.report.markdown import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TEMPLATE = Path(__file__).resolve().parent / "template"
_FOUND = "What was found"


def build_report(
    chapters: Sequence[Chapter],
    *,
    summary: str,
    profile: str,
    facts: Mapping[str, str],
    provenance: Mapping[str, str],
    missing: Sequence[str],
    out: Path,
) -> None:
    """Write the report; the same arguments always give the same bytes.

    The file loads nothing: figures, styles and script are inside it, and its content security policy
    forbids the rest. It appears whole or not at all.

    Args:
        chapters: The executed notebooks, in the order of the report.
        summary: Name of the chapter that comes first, as what was found; it may be absent.
        profile: Name of the study's size.
        facts: What stands under the title, such as the number of runs.
        provenance: What stands at the end, such as commit and machine.
        missing: Runs that the machine ended, one line each.
        out: Where to write it; its folder exists.

    Raises:
        ValueError: If there is no chapter, or two have the same name.
    """
    if not chapters:
        msg = "A report has at least one chapter. Received: chapters=[]"
        raise ValueError(msg)
    anchors = chapter_anchors(chapter.name for chapter in chapters)
    exporter = ChapterExporter()
    ordered = sorted(chapters, key=lambda chapter: chapter.name != summary)
    sections = [_entry(exporter.render(chapter, anchors), summary) for chapter in ordered]
    script = (_TEMPLATE / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = exporter.environment.get_template("page.html.j2").render(
        sections=sections,
        failed=[section for section in sections if section["error"]],
        profile=profile,
        facts=facts,
        provenance=provenance,
        missing=missing,
        css=Markup((_TEMPLATE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 (ours)
        script=Markup(script),  # noqa: S704 (ours)
        script_hash=Markup(f"sha256-{digest}"),  # noqa: S704 (base64)
    )
    _write_whole(out, page)


def _entry(section: Section, summary: str) -> dict[str, Any]:
    """Return a chapter as the page's template takes it, with its heading and its name in the contents."""
    heading = _FOUND if section.name == summary else section.title
    return asdict(section) | {"heading": heading, "nav": plain(heading), "body": section.body}


def _write_whole(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old file or the new one, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)  # mkstemp makes it private; reports are for sharing
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
