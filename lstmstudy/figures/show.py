"""What a notebook shows: a figure with its description, and a sentence that states a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import display
from matplotlib import pyplot as plt

from lstmstudy.figures.svg import to_svg

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

SVG = "image/svg+xml"
publish: Callable[..., None] = display  # IPython's function has no types


def show_figure(fig: Figure, *, alt: str) -> None:
    """Display `fig` as one SVG that carries `alt`, then close it.

    Args:
        fig: The figure; ``ax.figure`` of what a plot function returned.
        alt: A sentence that tells a reader who cannot see the figure what it shows.

    Raises:
        ValueError: If `alt` is empty.
    """
    sentence = _sentence("alt", alt, "what the figure shows, for readers who cannot see it")
    try:
        svg = to_svg(fig, title=sentence)
    finally:
        plt.close(fig)
    publish({SVG: svg, "text/plain": sentence}, raw=True, metadata={SVG: {"alt": sentence}})


def say(sentence: str) -> None:
    """Display a finding; the report sets it off from the prose and collects it.

    Args:
        sentence: The finding in words, with its numbers. Markdown and ``$maths$`` are allowed.

    Raises:
        ValueError: If it is empty.
    """
    text = _sentence("sentence", sentence, "a finding in words")
    publish({"text/plain": text, "text/markdown": text}, raw=True, metadata={"lstmstudy": {"finding": True}})


def _sentence(name: str, value: str, meaning: str) -> str:
    if not isinstance(value, str) or not value.strip():
        msg = f"`{name}` is {meaning}. Expected a sentence. Received: {name}={value!r}"
        raise ValueError(msg)
    return " ".join(value.split())
