"""Where things lie. Nothing else joins path strings."""

from __future__ import annotations

from pathlib import Path

CODE = Path(__file__).resolve().parent  # this package
SHIPPED = CODE / "shipped"  # in an installed package: params/ and notebooks/, for a folder of the user's
INSTALLED = SHIPPED.is_dir()


def _root() -> Path:
    """Return the checkout; for an installed package, the study's folder that the current one lies in, or that itself."""
    if not INSTALLED:
        return CODE.parent
    here = Path.cwd()
    # A notebook's kernel starts in notebooks/, below it.
    return next(
        (folder for folder in (here, *here.parents) if (folder / "params" / "claims.yaml").is_file()), here
    )


ROOT = _root()
PARAMS = ROOT / "params"  # profiles; techniques/ has one file per technique
NOTEBOOKS = ROOT / "notebooks"  # sources, without outputs
REPORTS = ROOT / "reports"  # build products, one folder per profile
STORE = REPORTS / "store"  # outcomes of runs, shared by all profiles
PUBLISHED = REPORTS / "published"  # the published study: its runs in small, and its report


def relative(path: Path) -> str:
    """Return `path` as readers see it: relative to the study's folder, with forward slashes."""
    try:
        return path.resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return path.name
