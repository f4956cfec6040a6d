"""Where things lie, relative to the root of the checkout. Nothing else joins path strings."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the checkout
PARAMS = ROOT / "params"  # profiles; techniques/ has one file per technique
NOTEBOOKS = ROOT / "notebooks"  # sources, without outputs
REPORTS = ROOT / "reports"  # build products, one folder per profile
STORE = REPORTS / "store"  # outcomes of runs, shared by all profiles
PUBLISHED = REPORTS / "published"  # the published study: its runs in small, and its report


def relative(path: Path) -> str:
    """Return `path` as readers see it: relative to the checkout, with forward slashes."""
    try:
        return path.resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return path.name
