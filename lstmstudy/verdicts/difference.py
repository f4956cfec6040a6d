"""What differs between the findings of two reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lstmstudy.parsing.strict_yaml import printable
from lstmstudy.verdicts.words import contrast_name, effect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lstmstudy.verdicts.document import ClaimFound, ContrastFound, Findings, TaskEffect

ABSENT = "not there"


class Change(NamedTuple):
    """One thing in which two reports differ, in words."""

    what: str
    old: str
    new: str


@dataclass(frozen=True)
class Difference:
    """What differs between two reports.

    Attributes:
        verdicts: Claims with another verdict, or that only one report has.
        effects: Effects of which one report's estimate lies outside the other's 95 % interval.
        compared: How many effects both have with intervals.
        parameters: Parameters, versions, machines and other origins that differ.
    """

    verdicts: tuple[Change, ...]
    effects: tuple[Change, ...]
    compared: int
    parameters: tuple[Change, ...]


def difference(
    old: Findings, new: Findings, old_origin: dict[str, Any], new_origin: dict[str, Any]
) -> Difference:
    """Return what differs between two reports.

    Args:
        old: What the first one found.
        new: What the second one found.
        old_origin: Where the first one's numbers come from, as its ``provenance.json`` says; may be empty.
        new_origin: The same of the second.
    """
    before, after = (dict(_effects(each)) for each in (old, new))
    both = [name for name in before if name in after and _known(before[name], after[name])]
    moved = [name for name in both if _moved(before[name].found, after[name].found)]
    return Difference(
        verdicts=_printable(_verdicts(old, new)),
        effects=_printable(Change(name, before[name].words, after[name].words) for name in moved),
        compared=len(both),
        parameters=_printable(_changes(dict(_flat(old_origin)), dict(_flat(new_origin)))),
    )


def _printable(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes as a terminal may show them, whoever wrote the reports."""
    return tuple(Change(*map(printable, change)) for change in changes)


class _Effect(NamedTuple):
    found: ContrastFound | TaskEffect
    scale: str

    @property
    def words(self) -> str:
        return effect(self.found, self.scale)


def _verdicts(old: Findings, new: Findings) -> Iterator[Change]:
    before, after = ({claim.id: claim for claim in each.claims} for each in (old, new))
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name), after.get(name)
        verdicts = (one.verdict if one else ABSENT, other.verdict if other else ABSENT)
        if verdicts[0] != verdicts[1]:
            words = next(claim.words for claim in (other, one) if claim is not None)
            yield Change(f"{words} ({name})", *(map(_told, (one, other), verdicts)))


def _told(claim: ClaimFound | None, verdict: str) -> str:
    first = claim.contrasts[0] if claim and claim.contrasts else None
    return f"{verdict}: {effect(first, first.scale)}" if first else verdict


def _effects(findings: Findings) -> Iterator[tuple[str, _Effect]]:
    """Return every effect of a report by a name that both reports share."""
    contrasts = [(f"{claim.id}: ", each) for claim in findings.claims for each in claim.contrasts]
    contrasts += [("technique: ", technique.effect) for technique in findings.techniques]
    for kind, contrast in contrasts:
        name = f"{kind}{contrast_name(contrast)}"
        if len(contrast.tasks) > 1:
            yield f"{name}, all tasks", _Effect(contrast, contrast.scale)
        for task in contrast.tasks:
            yield f"{name}, {task.task}", _Effect(task, contrast.scale)


def _known(one: _Effect, other: _Effect) -> bool:
    ends = (one.found.low, one.found.high, other.found.low, other.found.high)
    return one.scale == other.scale and None not in ends


def _moved(one: ContrastFound | TaskEffect, other: ContrastFound | TaskEffect) -> bool:
    return not (_inside(other, one) and _inside(one, other))


def _inside(one: ContrastFound | TaskEffect, other: ContrastFound | TaskEffect) -> bool:
    """Whether an estimate lies in the other's interval."""
    return other.low is not None and other.high is not None and other.low <= one.estimate <= other.high


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Return a nested document as texts by dotted name; a list of plain values is one text."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for number, each in enumerate(value, start=1):
            yield from _flat(each, f"{name} {number}")
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _changes(old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        values = (old.get(name, ABSENT), new.get(name, ABSENT))
        if values[0] != values[1]:
            yield Change(name, *values)
