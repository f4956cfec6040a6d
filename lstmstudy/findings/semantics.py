"""The semantics card: what each form of a technique really does, beside what Keras does under its name."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from lstmstudy.figures import table
from lstmstudy.findings.finding import listed
from lstmstudy.params.grids import technique_grid
from lstmstudy.techniques import TECHNIQUES, EarlyStopping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.techniques import Technique

_Card: TypeAlias = dict[str, dict[str, str]]  # cells by row and column


def semantics_card(*names: str) -> str:
    """Show what techniques do, each cell measured now on a tiny network, and return the main point as a sentence.

    Each form of a technique has a row, at the middle strength of its grid; a combination has those of its
    parts. Beneath them stands what the installed Keras has under that name. This loads TensorFlow and takes
    a second or two for each row.

    Args:
        names: Techniques, such as ``"dropout"``.

    Raises:
        ValueError: If there is no name, or one is unknown.
    """
    unknown = [name for name in names if name not in TECHNIQUES]
    if unknown or not names:
        msg = f"A card shows techniques. Expected some of {', '.join(sorted(TECHNIQUES))}. Received: {names=}"
        raise ValueError(msg)
    from lstmstudy.semantics import stock, studied
    from lstmstudy.semantics.counterparts import counterparts

    groups = []
    for forms in _by_technique(names):
        ours = {form.label: studied.measured(form) for form in forms}
        pieces = {piece.label: piece for form in forms for piece in counterparts(form)}
        theirs = {f"Keras: {label}": stock.measured(piece) for label, piece in pieces.items()}
        groups.append(_Group(forms[0], ours, theirs))
    version = metadata.version("keras")
    rows: _Card = {}
    for group in groups:
        rows |= group.ours | (group.theirs or {_none_of(group.technique): {}})
    _show(rows, version)
    return f"{_at_inference(groups)}; {_beside_keras(groups, version)}."


class _Group(NamedTuple):
    """The rows of one technique, by label: its forms, and what Keras has under its name."""

    technique: Technique
    ours: _Card
    theirs: _Card

    @property
    def title(self) -> str:
        """The technique's name in prose, without the setting that a label goes on with."""
        return self.technique.title.partition(",")[0]


def _by_technique(names: Sequence[str]) -> list[list[Technique]]:
    """Return the forms of the named techniques, or of their parts, each technique by itself."""
    forms = (part for name in names for form in _forms(name) for part in _parts(form))
    found: dict[str, list[Technique]] = {}
    for form in dict.fromkeys(forms):
        found.setdefault(form.name, []).append(form)
    return list(found.values())


def _forms(name: str) -> list[Technique]:
    """Return a technique in each of its variants, at the middle strength of its grid, the lower one of two."""
    variants: dict[str, list[Technique]] = {}
    for technique in technique_grid(name):
        variants.setdefault(technique.variant, []).append(technique)
    ordered = (sorted(forms, key=lambda form: form.strength) for forms in variants.values())
    return [forms[(len(forms) - 1) // 2] for forms in ordered]


def _parts(technique: Technique) -> list[Technique]:
    """Return what a technique consists of, early stopping included where it stops by itself."""
    word, _, patience = technique.reading.partition(" ")
    stops = word == "patience" and not technique.is_reading
    return [*technique.parts(), *([EarlyStopping(int(patience))] if stops else [])]


def _none_of(technique: Technique) -> str:
    """Return the label of a row without cells: what Keras calls by that name, if anything."""
    from lstmstudy.semantics.counterparts import names_like

    found = names_like(technique.name)
    return f"Keras: {listed(found)}, not measured" if found else f"Keras: nothing named {technique.title}"


def _show(rows: _Card, version: str) -> None:
    import pandas as pd

    from lstmstudy.semantics.words import COLUMNS, NOT_APPLICABLE

    frame = pd.DataFrame(
        [[cells.get(column, NOT_APPLICABLE) for column in COLUMNS] for cells in rows.values()],
        index=pd.Index(rows, name="form"),
        columns=list(COLUMNS),
    )
    told = [column for column in COLUMNS if (frame[column] != NOT_APPLICABLE).any()]
    table(
        frame[told],
        caption=f"What each form does, every cell measured just now, beside the installed Keras {version}",
    )


def _at_inference(groups: Sequence[_Group]) -> str:
    """Say which techniques act at inference, and how."""
    from lstmstudy.semantics.words import INFERENCE, NO, YES

    acting, silent = [], []
    for group in groups:
        words = dict.fromkeys(cells[INFERENCE] for cells in group.ours.values() if cells[INFERENCE] != NO)
        if words:
            acting.append(f"{group.title} acts{''.join(f' {word}' for word in words if word != YES)}")
        else:
            silent.append(group.title)
    if not acting:
        return f"Nothing of {listed(silent)} acts at inference"
    return f"At inference {listed(acting)}" + (f", and nothing of {listed(silent)} does" if silent else "")


def _beside_keras(groups: Sequence[_Group], version: str) -> str:
    """Say where Keras gives an answer that no form of the study gives."""
    from lstmstudy.semantics.words import NOT_APPLICABLE

    differences = []
    for group in groups:
        for label, cells in group.theirs.items():
            apart = []
            for column, word in cells.items():
                known = {ours.get(column, NOT_APPLICABLE) for ours in group.ours.values()} - {NOT_APPLICABLE}
                if known and word not in {*known, NOT_APPLICABLE}:
                    apart.append(f'"{column}" ({word})')
            if apart:
                differences.append(f"{label.removeprefix('Keras: ')} in {listed(apart)}")
    if differences:
        return f"the installed Keras {version} answers otherwise than every form here: {listed(differences)}"
    missing = [group.title for group in groups if not group.theirs]
    if len(missing) == len(groups):
        return f"the installed Keras {version} has nothing named {' or '.join(missing)}"
    return f"the installed Keras {version} gives no answer that no form here gives"
