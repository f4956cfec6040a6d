"""What a table may be studied for: the classes of its sequences, or else a forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.data.own.cells import label as short
from lstmstudy.data.own.sequences import LONGEST
from lstmstudy.parsing.strict_yaml import ParamsError, shown
from lstmstudy.proposal.columns import read_columns, table_key
from lstmstudy.proposal.forecast import forecasting_task
from lstmstudy.proposal.labelled import labelled_roles
from lstmstudy.proposal.roles import forecasting_roles
from lstmstudy.proposal.task import ProposedTask

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.proposal.columns import Column
    from lstmstudy.proposal.roles import Roles


def propose_task(
    data: Path, root: Path, *, target: str | None = None, label: str | None = None
) -> ProposedTask:
    """Return the task that a table is best studied for, as its columns look.

    Args:
        data: The file, CSV or Parquet.
        root: The root of the checkout, to which paths in a profile are relative.
        target: The column to forecast; None leaves it to the table.
        label: The column with the class of each sequence; the same.

    Raises:
        ParamsError: If anything is wrong with the table, or nothing in it can be studied: one line.
    """
    if target is not None and label is not None:
        raise ParamsError(
            "TARGET is forecast and LABEL is a class of sequences. Expected one of them. "
            f"Received: TARGET={shown(target)}, LABEL={shown(label)}"
        )
    table, columns = read_columns(data, root, target=target, label=label)
    key = table_key(data, root)
    labelled = labelled_roles(table, columns, label) if target is None else None
    if labelled is not None:
        return _classification(key, columns, labelled, data.stem)
    return forecasting_task(key, columns, forecasting_roles(table, columns, target), root)


def _classification(
    key: dict[str, str], columns: dict[str, Column], roles: Roles, title: str
) -> ProposedTask:
    """Return the task of telling sequences apart."""
    task = ProposedTask()
    for name, path in key.items():
        task.add(name, path)
    task.add(
        "kind", "classification", "the class of whole sequences; TARGET=column would forecast one instead"
    )
    for role, named in roles.columns.items():
        task.add(role, named, roles.reasons.get(role, ""))
    longest = max(map(len, roles.groups))
    if longest > LONGEST:
        task.add("window", longest, f"the longest sequence has {longest} steps")
    features = roles.columns["features"]
    cells = sum(map(len, roles.groups)) * len(features)
    task.fill(sum(columns[name].missing for name in features), cells)
    task.add("title", title, "how the report calls it")
    sequence, what = str(roles.columns["sequence"]), str(roles.columns["label"])
    task.seen = (
        f"{len(roles.groups)} sequences of {columns[what].distinct} classes, told apart by `{short(sequence)}`, with the "
        f"label `{short(what)}`"
    )
    return task
