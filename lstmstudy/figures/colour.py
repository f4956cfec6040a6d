"""Colours: one hue per technique, one shade per strength, and a counterpart of each for dark pages.

Shades are made in OKLCH (Ottosson 2020, "A perceptual color space for image processing"), where
equal steps of lightness look equal in every hue.
"""

from __future__ import annotations

import functools
import hashlib
import math
from typing import NamedTuple

INK = "#1f262e"  # text
INK_SOFT = "#5b6570"  # axes, ticks, notes
GRID = "#e3e7eb"
BAND = "#8a96a3"  # the band of no practical difference
PAPER = "#ffffff"  # the report's page in light mode
PAPER_DARK = "#15191e"  # the report's page in dark mode

_WEAK, _STRONG = 0.63, 0.38  # lightness of the weakest and the strongest arm; 3:1 on white or better
_LABEL = 0.50  # text is never lighter than this, so that it keeps 4.5:1 on white
_CHROMA = 0.125


class _Hue(NamedTuple):
    """Hue in degrees of OKLCH, chroma, and the strengths that get the lightest and darkest shade."""

    degrees: float
    weakest: float = 1e-5
    strongest: float = 1.0
    scale: str = "log"
    chroma: float = _CHROMA


# Ochre (85) and teal (195) are left to validation and test curves. Neighbours in a chapter are far apart.
_HUES = {
    "baseline": _Hue(250, chroma=0.02),
    "dropout": _Hue(255, 0.05, 0.6, "linear"),
    "recurrent_dropout": _Hue(40, 0.05, 0.6, "linear"),
    "early_stopping": _Hue(145, 1, 20),
    "layer_norm": _Hue(300),
    "cell_layer_norm": _Hue(235),
    "batch_norm": _Hue(20),
    "recurrent_batch_norm": _Hue(120),
    "l1": _Hue(20),
    "l2": _Hue(265),
    "l1l2": _Hue(315),
    "weight_decay": _Hue(220),
    "max_norm": _Hue(150, 0.25, 4.0),
    "gradient_noise": _Hue(65, 0.01, 1.0),
    "gradient_clipping": _Hue(230, 0.05, 5.0),
    "jitter": _Hue(130, 0.01, 0.5),
    "scaling": _Hue(0, 0.02, 0.5),
    "magnitude_warp": _Hue(285, 0.02, 0.5),
    "time_warp": _Hue(245, 0.02, 0.8),
    "window_slicing": _Hue(30, 0.03, 0.5),
    "window_warp": _Hue(165, 0.03, 0.5),
    "permutation": _Hue(325, 1, 10),
    "mixup": _Hue(100, 0.05, 2.0),
    "bagging": _Hue(160, 1, 20),
    "boosting": _Hue(50, 1, 20),
    "averaging": _Hue(280, 1, 20),
    "zoneout": _Hue(340, 0.01, 0.6, "linear"),
    "weight_drop": _Hue(110, 0.05, 0.6, "linear"),
    "weight_averaging": _Hue(115, 0.5, 1.0, "linear"),
    "monte_carlo_dropout": _Hue(235, 0.05, 0.6, "linear"),
    "snapshots": _Hue(355, 1, 20),
    "bundle": _Hue(290, chroma=0.17),
    "trio": _Hue(10, chroma=0.15),
}
_SPARE = (5, 25, 55, 105, 120, 155, 225, 240, 270, 285, 310, 330)  # hues of techniques without an entry


def technique_colour(technique: str, strength: float | None = None) -> str:
    """Return the colour of an arm as ``#rrggbb``: the technique gives the hue, the strength the shade.

    The same technique and strength have the same colour in every figure, whatever else is drawn;
    stronger is darker. Without a strength it is the middle shade.
    """
    hue = _hue(technique)
    share = 0.5 if strength is None or technique == "baseline" else _share(hue, strength)
    return oklch(_WEAK + (_STRONG - _WEAK) * share, hue.chroma, hue.degrees)


def text_colour(colour: str) -> str:
    """Return `colour`, made darker where text in it would be hard to read on white."""
    lightness, chroma, degrees = _to_oklch(colour)
    return oklch(min(lightness, _LABEL), chroma, degrees)


@functools.cache
def dark_counterpart(colour: str) -> str:
    """Return the colour that plays the part of `colour` on a dark page: lightness turned round, hue kept."""
    if colour == PAPER:
        return PAPER_DARK
    lightness, chroma, degrees = _to_oklch(colour)
    return oklch(min(1.19 - 0.98 * lightness, 0.95), chroma, degrees)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21, as WCAG 2 defines it."""
    bright, dim = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def oklch(lightness: float, chroma: float, degrees: float) -> str:
    """Return an OKLCH colour as ``#rrggbb``; chroma that the screen cannot show is reduced."""
    for step in range(40, -1, -1):
        linear = _linear_rgb(lightness, chroma * step / 40, degrees)
        if all(-1e-4 <= part <= 1 + 1e-4 for part in linear):
            break
    return "#" + "".join(f"{round(255 * _encode(min(max(part, 0.0), 1.0))):02x}" for part in linear)


def _hue(technique: str) -> _Hue:
    if technique in _HUES:
        return _HUES[technique]
    # Not Python's hash(), which differs from process to process.
    place = hashlib.sha256(technique.encode()).digest()[0] % len(_SPARE)
    return _Hue(_SPARE[place])


def _share(hue: _Hue, strength: float) -> float:
    low, high, value = hue.weakest, hue.strongest, abs(strength)
    if hue.scale == "log":
        if value <= 0:
            return 0.0
        low, high, value = math.log(low), math.log(high), math.log(value)
    share = (value - low) / (high - low)
    return min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.5


def _linear_rgb(lightness: float, chroma: float, degrees: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(math.radians(degrees)), chroma * math.sin(math.radians(degrees))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _to_oklch(colour: str) -> tuple[float, float, float]:
    red, green, blue = (_decode(int(colour[start : start + 2], 16) / 255) for start in (1, 3, 5))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360


def _encode(part: float) -> float:
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def _decode(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _luminance(colour: str) -> float:
    red, green, blue = (_decode(int(colour[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
