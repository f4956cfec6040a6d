"""What was measured, as JSON and as a Markdown table."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.runs import versions

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        what: What was measured.
        mine: The study's figures.
        others: Those of what it is compared with, or a limit.
        unit: Their unit.
        at_least: What the ratio should reach, if there is a bar; the ratio is others over mine.
        is_limit: Whether `others` is a limit and not a measurement.
        is_check: Whether the row shows that both sides did the same, or a figure without a peer.
    """

    what: str
    mine: Sequence[float]
    others: Sequence[float]
    unit: str
    at_least: float | None = None
    is_limit: bool = False
    is_check: bool = False

    @property
    def ratio(self) -> float:
        """How much more the others take."""
        return median(self.others) / median(self.mine)

    @property
    def verdict(self) -> str:
        """Whether the bar is met."""
        if self.at_least is None:
            return ""
        return "met" if self.ratio >= self.at_least else "not met"

    def cells(self) -> list[str]:
        """Return the row as text."""
        bar = "" if self.at_least is None else f"{self.at_least:.2g}"
        ratio = "" if self.is_check else f"{self.ratio:.3g}"
        other = f"limit {self.others[0]:g}" if self.is_limit else _spread(self.others)
        return [self.what, _spread(self.mine), other, self.unit, ratio, bar, self.verdict]

    def __str__(self) -> str:
        return " | ".join(self.cells())


def machine() -> dict[str, str]:
    """Return where this was measured."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
        **versions(),
    }


def written(rows: Sequence[Row], where: dict[str, str], seconds: float) -> None:
    """Write ``reports/bench.json`` and ``reports/bench.md``."""
    content = {
        "machine": where,
        "seconds": round(seconds),
        "rows": [{**asdict(row), "ratio": row.ratio, "verdict": row.verdict} for row in rows],
    }
    (paths.REPORTS / "bench.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    head = ["what", "study", "other", "unit", "ratio", "bar", ""]
    table = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    lines = [f"| {' | '.join(cells)} |" for cells in table]
    facts = ", ".join(f"{key} {value}" for key, value in where.items())
    text = f"Medians, in brackets the least and the greatest. {facts}; {seconds / 60:.0f} minutes.\n\n"
    (paths.REPORTS / "bench.md").write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.4g}"
    return f"{median(values):.4g} [{min(values):.4g}, {max(values):.4g}]"
