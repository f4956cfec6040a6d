"""A profile as text: YAML with the reason of each entry beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.proposal.size import Size
    from lstmstudy.proposal.task import ProposedTask

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_COLUMN = 24  # where comments begin, unless an entry is longer


class _Arm(NamedTuple):
    """A technique of the proposed study.

    Attributes:
        name: Of its file in params/techniques/.
        why: What it is, or why it is there.
        compared: Which of its searches are compared, with the reason of each; () for a reading.
        group: From which size on it is there; 1 is always.
        grid: Values of its grid that replace those of its file, with their reason.
    """

    name: str
    why: str
    compared: tuple[tuple[str, str], ...]
    group: int
    grid: tuple[tuple[str, str, str], ...] = ()


_ARMS = (
    _Arm(
        "dropout",
        "noise on what enters each LSTM layer; what most would try first",
        (
            ("dropout per=step", "a fresh mask at every step"),
            ("dropout per=sequence", "one mask for all steps"),
        ),
        1,
    ),
    _Arm(
        "recurrent_dropout",
        "noise on what each LSTM layer carries through time",
        (
            ("recurrent_dropout form=step", "a fresh mask at every step"),
            ("recurrent_dropout form=sequence", "one mask for all steps"),
        ),
        1,
        (("form", "[step, sequence]", "those that are compared: each form is compiled anew"),),
    ),
    _Arm(
        "l2",
        "a price on squared weights",
        (("l2", "on all matrices"),),
        1,
        (("matrices", "[both]", "the same"),),
    ),
    _Arm("early_stopping", "a reading of the baseline: costs no run", (), 1),
    _Arm("layer_norm", "between LSTM layers", (("layer_norm", "the learning rate alone is tuned"),), 1),
    _Arm(
        "jitter", "noise on the training sequences", (("jitter", "as an augmentation that fits any data"),), 2
    ),
    _Arm("weight_decay", "decoupled from the gradient", (("weight_decay", "as in AdamW"),), 2),
    _Arm(
        "gradient_clipping",
        "a greatest norm for gradients",
        (("gradient_clipping per=global", "one norm over all variables"),),
        2,
        (("per", "[global]", "the same"),),
    ),
    _Arm(
        "sham",
        "nothing at all: measures the rule that judges",
        (("sham search=1", "does nothing"), ("sham search=2", "two of them can be set against each other")),
        2,
    ),
    _Arm("zoneout", "entries of the state that keep their value", (("zoneout", "cell and hidden state"),), 3),
    _Arm("gradient_noise", "noise on every update", (("gradient_noise", "it fades with training"),), 3),
    _Arm(
        "time_warp",
        "training sequences at a speed that changes",
        (("time_warp", "as an augmentation of series"),),
        3,
    ),
    _Arm(
        "weight_averaging",
        "an average of the weights",
        (("weight_averaging", "an ensemble for the price of one"),),
        3,
    ),
    _Arm("trio", "dropout, L2 and early stopping together", (("trio", "at the strengths of the guide"),), 3),
)
_UNJUDGED = (
    ("variance", "needs further runs of each arm, and says nothing about the error"),
    ("robust", "noise on the inputs takes long to evaluate"),
)


def profile_text(head: Sequence[str], task: ProposedTask, size: Size, updates: int) -> str:
    """Return the profile of a study.

    Args:
        head: Lines of the comment at its top.
        task: The section `task`.
        size: How large the study is.
        updates: Of one run.
    """
    arms = [arm for arm in _ARMS if arm.group <= size.arms]
    few = size.units < 12
    lines = [f"# {line}" for line in head]
    lines += [
        "task:",
        *_section([(key, scalar(value), task.reasons.get(key, "")) for key, value in task.settings.items()]),
    ]
    lines += ["techniques:", *_items([(arm.name, arm.why) for arm in arms])]
    lines += ["compared:  # at the strength and learning rate that search found, as medians over other tasks"]
    lines += _items([each for arm in arms for each in arm.compared])
    lines += ["unjudged:  # claims whose own runs are left to a larger profile", *_items(_UNJUDGED)]
    units = "fewer than the 12 with which a task is judged" if few else "12 or more are judged"
    lines += [f"units: {size.units}  # {units}; each has a fold and a seed of its own"]
    width = "large enough to overfit" if size.width == 32 else "narrower than usual, to save time"
    lines += [
        "network:",
        *_section([("layers", "2", "as in most guides"), ("width", str(size.width), width)]),
    ]
    lines += [
        "training:",
        *_section(
            [
                (
                    "epochs",
                    str(size.epochs),
                    f"{updates} updates of the weights{'; 40 epochs would take too long' if size.epochs < 40 else ''}",
                ),
                (
                    "batch_size",
                    str(size.batch_size),
                    "Keras's default" if size.batch_size == 32 else "as there are many samples",
                ),
                ("learning_rate", "0.003", "of the grids; what is compared has tuned ones"),
            ]
        ),
    ]
    lines += ["description:  # grids show how a strength acts, and judge nothing"]
    lines += _section([("units", str(size.described), "for each strength")])
    lines += ["grids:  # in place of those in params/techniques/"]
    for arm in arms:
        if arm.grid:
            lines += [f"  {arm.name}:", *_section([*arm.grid], indent=4)]
    return "\n".join(lines) + "\n"


def scalar(value: object) -> str:
    """Return a value as YAML on one line that reads back as just this value."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(scalar, value))}]"
    if isinstance(value, str) and not (_PLAIN.fullmatch(value) and yaml.safe_load(value) == value):
        return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=float("inf")).rstrip("\n")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _section(entries: Sequence[tuple[str, str, str]], indent: int = 2) -> list[str]:
    """Return lines of a mapping, with comments under one another."""
    texts = [f"{' ' * indent}{key}: {value}" for key, value, _ in entries]
    return _commented(texts, [why for *_, why in entries])


def _items(entries: Sequence[tuple[str, str]]) -> list[str]:
    """Return lines of a list, with comments under one another."""
    return _commented([f"  - {name}" for name, _ in entries], [why for _, why in entries])


def _commented(texts: Sequence[str], reasons: Sequence[str]) -> list[str]:
    column = max([_COLUMN, *(len(text) for text in texts if len(text) <= 2 * _COLUMN)])
    return [
        f"{text.ljust(column)} # {why}" if why else text for text, why in zip(texts, reasons, strict=True)
    ]
