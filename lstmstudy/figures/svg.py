"""A figure as one small, deterministic SVG that is readable on light and on dark pages; and as a PNG beside it."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from typing import TYPE_CHECKING

from lstmstudy.figures.colour import dark_counterpart
from lstmstudy.figures.style import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_PAINT = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")
_BEFORE_ROOT = re.compile(r"\A.*?(?=<svg\b)", re.DOTALL)  # XML declaration and document type
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_FAMILIES = re.compile(r"'DejaVu Sans'(?:, [^;\"]*)?")
_NO_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # in a name: no viewer would show the figure
_GEOMETRY = re.compile(r' (?:d|x|y|transform)="[^"]*"')
_CLIP = re.compile(r'<clipPath id="(\w+)">(.*?)</clipPath>', re.DOTALL)
_DPI = 200  # of what is an image inside the SVG
_PNG_DPI = 130  # sharp enough beside the SVG, at a third of its size again
_DECIMALS = re.compile(r"(\.\d\d)\d+")  # hundredths of a point are enough, and a third of the size
_MINUS_ZERO = re.compile(r"-(0(?:\.0+)?)(?![.\d])")


def to_svg(figure: Figure, *, title: str) -> str:
    """Return `figure` as SVG text; the same figure always gives the same bytes.

    Its background is painted and its colours follow ``prefers-color-scheme``, so that it can be read
    wherever it is shown: on a light page, on a dark one, and in JupyterLab, whose theme an image
    cannot see. Text stays text, in the reader's own font.

    Args:
        figure: The figure; it is not changed.
        title: What the figure shows, for readers who cannot see it.
    """
    buffer = io.StringIO()
    # Without a layout engine, labels at line ends may lie outside the canvas.
    box = "tight" if figure.get_layout_engine() is None else None
    with style():
        metadata = {"Date": None, "Creator": None, "Title": title}
        figure.savefig(buffer, format="svg", dpi=_DPI, bbox_inches=box, metadata=metadata)
    svg = _METADATA.sub("", _BEFORE_ROOT.sub("", buffer.getvalue()), count=1)
    svg = _FAMILIES.sub("sans-serif", _NO_XML.sub("\N{REPLACEMENT CHARACTER}", svg))
    svg = _named_by_what_shows(_GEOMETRY.sub(lambda found: _rounded(found[0]), svg))
    return svg.replace("</style>", f"{_rules(svg)}</style>", 1).strip()


def _rounded(geometry: str) -> str:
    return _MINUS_ZERO.sub(r"\1", _DECIMALS.sub(r"\1", geometry))


def _named_by_what_shows(svg: str) -> str:
    """Return `svg` with names of its clips that follow from their written figures.

    Matplotlib's follow from all digits, of which the solver of the layout leaves the last ones to chance.
    """
    names = {name: f"p{hashlib.sha256(clip.encode()).hexdigest()[:10]}" for name, clip in _CLIP.findall(svg)}
    return re.sub(r"\bp[0-9a-f]{10}\b", lambda found: names.get(found[0], found[0]), svg)


def to_png(figure: Figure) -> str:
    """Return `figure` as a PNG in base64, on light paper; the same figure always gives the same bytes."""
    buffer = io.BytesIO()
    box = "tight" if figure.get_layout_engine() is None else None
    with style():
        figure.savefig(buffer, format="png", dpi=_PNG_DPI, bbox_inches=box, metadata={"Software": None})
    return base64.b64encode(buffer.getvalue()).decode()


def _rules(svg: str) -> str:
    """Return style rules that give `svg` the reader's font, and dark counterparts of its colours."""
    painted = sorted(set(_PAINT.findall(svg)))
    dark = "".join(
        f'[style*="{what}: {colour}"]{{{what}:{dark_counterpart(colour)}!important}}'
        for what, colour in painted
    )
    if "<image" in svg:
        dark += "image{filter:invert(1) hue-rotate(180deg)}"
    return f"text{{font-family:{_FONTS}!important}}@media (prefers-color-scheme:dark){{{dark}}}"
