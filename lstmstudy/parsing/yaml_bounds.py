"""How much a YAML file may hold, looked at before anything is built from it: a few lines can stand for any number of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEEPEST = 50  # collections in one another; libyaml overflows its stack far beyond
_MOST = 200_000  # values, those that aliases repeat counted each time; params/tuned.yaml has a tenth


def excess(events: Iterable[yaml.Event]) -> str:
    """Return what is too much about a file, with its line, what is expected and what came; or "".

    That is collections too deep in one another, one that contains itself, or too many values once aliases are expanded.

    Args:
        events: Of its text, as ``yaml.parse`` yields them.
    """
    values = 0
    waiting: list[tuple[str, int]] = []  # open collections: their anchor, and the values in front of them
    sizes: dict[str, int] = {}  # values of what an anchor names; "" is that of what has none
    for event in events:
        anchor = getattr(event, "anchor", None) or ""
        line = f"line {event.start_mark.line + 1}" if event.start_mark else "line 1"
        if isinstance(event, yaml.AliasEvent):
            if anchor in [name for name, _ in waiting]:
                return (
                    f"{line}: `{anchor}` contains itself. Expected values that end. Received: alias=*{anchor}"
                )
            values += sizes.get(anchor, 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            name, before = waiting.pop()
            sizes[name] = values - before
        elif isinstance(event, yaml.NodeEvent):
            sizes[anchor] = 1
            waiting += [(anchor, values)] if isinstance(event, yaml.CollectionStartEvent) else []
            values += 1
        if len(waiting) > _DEEPEST:
            return (
                f"{line}: lists and mappings stand too deep in one another. Expected at most {_DEEPEST} levels. "
                f"Received: levels={len(waiting)}"
            )
        if values > _MOST:
            return (
                f"{line}: the file has too many values, those that aliases repeat counted each time. Expected at most "
                f"{_MOST}: leave some out. Received: values={values}"
            )
    return ""
