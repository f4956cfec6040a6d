"""What a notebook shows: a figure with its description, and a sentence that states a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.collections import Collection
from matplotlib.lines import Line2D

from lstmstudy.figures.data import as_csv
from lstmstudy.figures.svg import to_png, to_svg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

CSV = "text/csv"
PNG = "image/png"
SVG = "image/svg+xml"
_MANY = 1500  # points; what draws more becomes an image inside the SVG
publish: Callable[..., None] = display  # IPython's function has no types


def show_figure(fig: Figure, *, alt: str, title: str = "") -> None:
    """Display `fig` as one SVG that carries `alt`, beside it its numbers as CSV, then close it.

    What draws very many points becomes an image inside the SVG, so that its size stays bounded. A PNG goes with
    it for viewers that show no SVG, as JupyterLab does in a notebook that somebody else executed.

    Args:
        fig: The figure; ``ax.figure`` of what a plot function returned.
        alt: A sentence that tells a reader who cannot see the figure what it shows.
        title: A short sentence that states the finding, shown above the figure; "" is none.

    Raises:
        ValueError: If `alt` is empty.
    """
    sentence = _sentence("alt", alt, "what the figure shows, for readers who cannot see it")
    heading = " ".join(title.split())
    try:
        for artist in fig.findobj(_draws_many_points):
            artist.set_rasterized(True)
        data, numbers = {SVG: to_svg(fig, title=sentence), "text/plain": sentence}, as_csv(fig)
        data[PNG] = to_png(fig)
    finally:
        plt.close(fig)
    about = {"alt": sentence}
    if numbers:
        data[CSV] = numbers
    if heading:
        about["title"] = heading
        text = {"text/plain": heading, "text/markdown": f"**{heading}**"}
        publish(text, raw=True, metadata={"lstmstudy": {"title": True}})
    publish(data, raw=True, metadata={SVG: about})


def say(finding: str | Sequence[str]) -> None:
    """Display a finding; the report sets it off from the prose and collects it.

    Args:
        finding: What was found, in words with its numbers; several of them become a list. Markdown and
            ``$maths$`` are allowed.

    Raises:
        ValueError: If there is none, or one is empty.
    """
    several = not isinstance(finding, str) and len(finding) > 1
    sentences = [finding] if isinstance(finding, str) else list(finding) or [""]
    texts = [_sentence("finding", each, "what was found in words") for each in sentences]
    text = "\n".join(f"- {each}" for each in texts) if several else texts[0]
    publish({"text/plain": text, "text/markdown": text}, raw=True, metadata={"lstmstudy": {"finding": True}})


def _sentence(name: str, value: str, meaning: str) -> str:
    if not isinstance(value, str) or not value.strip():
        msg = f"`{name}` is {meaning}. Expected a sentence. Received: {name}={value!r}"
        raise ValueError(msg)
    return " ".join(value.split())


def _draws_many_points(artist: Artist) -> bool:
    if isinstance(artist, Line2D):
        return np.size(artist.get_xdata(orig=False)) > _MANY
    if isinstance(artist, Collection):
        corners = sum(np.shape(path.vertices)[0] for path in artist.get_paths())
        return max(corners, np.shape(artist.get_offsets())[0]) > _MANY
    return False
