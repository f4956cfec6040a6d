"""Formulas as MathML, so that the page needs neither a script nor a network to show them."""

from __future__ import annotations

import re
import unicodedata
from html import escape

# Environments that latex2mathml does not know, and those that it knows and look the same.
_ENVIRONMENTS = {"aligned": "split", "align": "align*", "equation": "", "equation*": "", "gathered": "matrix"}
_ENVIRONMENT = re.compile(r"\\(begin|end)\{(" + "|".join(map(re.escape, _ENVIRONMENTS)) + r")\}")
_UNKNOWN = re.compile(r">\\[A-Za-z]+<")
_BOLD_ITALIC = re.compile(r'<mi mathvariant="bold-italic">([A-Za-z])</mi>')
_BARE_AMPERSAND = re.compile(r"&(?!#x?[0-9A-Fa-f]+;|[a-z]+;)")
_NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'  # not needed inside HTML


def to_mathml(latex: str, *, block: bool) -> str:
    """Return a formula as a ``<math>`` element; one that cannot be converted as its source in ``<code>``.

    Args:
        latex: The formula without its dollar signs.
        block: Whether it stands on a line of its own.
    """
    from latex2mathml.converter import convert

    source = _ENVIRONMENT.sub(_known_environment, latex.strip())
    try:
        mathml = convert(source, display="block" if block else "inline")
    except Exception:  # noqa: BLE001 (the converter raises many kinds; a formula must not cost the report)
        return f"<code>{escape(latex)}</code>"
    if _UNKNOWN.search(mathml):
        return f"<code>{escape(latex)}</code>"
    mathml = _BARE_AMPERSAND.sub("&amp;", mathml.replace(_NAMESPACE, "", 1))
    mathml = mathml.replace("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>")  # "is distributed as"
    return _BOLD_ITALIC.sub(_bold_italic, mathml)


def _known_environment(found: re.Match[str]) -> str:
    known = _ENVIRONMENTS[found[2]]
    return rf"\{found[1]}{{{known}}}" if known else ""


def _bold_italic(found: re.Match[str]) -> str:
    """Return the letter as a bold italic character of its own; browsers ignore the attribute."""
    size = "CAPITAL" if found[1].isupper() else "SMALL"
    letter = unicodedata.lookup(f"MATHEMATICAL BOLD ITALIC {size} {found[1].upper()}")
    return f"<mi>{letter}</mi>"
