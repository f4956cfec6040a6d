"""Every class of a user's sequences is in each part of each fold, or one line says how many it needs."""

from __future__ import annotations

import numpy as np
import pytest
from planning import refusal

from lstmstudy.data.own import OwnTask
from lstmstudy.data.own.task import ENOUGH, build_own

OWN = OwnTask(csv="moves.csv", kind="classification", sequence="id", label="what")


def write(folder, few, many=30):
    """Write sequences of two steps, `few` of the class b and `many` of the class a."""
    rng = np.random.default_rng(0)
    kinds = ["b"] * few + ["a"] * many
    rows = [f"{number},{kind},{rng.normal():.4f}" for number, kind in enumerate(kinds) for _ in range(2)]
    (folder / "moves.csv").write_text("\n".join(["id,what,x", *rows, ""]), encoding="utf-8")


@pytest.mark.parametrize("many", [ENOUGH, 7, 30, 41])
def test_six_sequences_of_a_class_are_enough(tmp_path, many):
    """However the file, and with it the folds, are called, both classes are in all parts."""
    write(tmp_path, ENOUGH, many)
    for number in range(20):
        for fold in build_own(OWN, f"own_{number}", tmp_path).folds:
            assert all(set(part.y) == {0, 1} for part in (fold.train, fold.validation, fold.test))


def test_a_class_that_a_part_lacks_is_named(tmp_path):
    """Four sequences may leave it out of a part; then the line names class, part, fold and what is enough."""
    write(tmp_path, 4)
    messages = []
    for number in range(20):
        try:
            build_own(OWN, f"own_{number}", tmp_path)
        except ValueError:
            messages.append(refusal(build_own, OWN, f"own_{number}", tmp_path))
    assert messages
    for message in messages:
        assert message.startswith("moves.csv: column `what`: class `b` has 4 sequences, none of them in the ")
        assert " part of fold " in message
        assert "Expected at least 6 of each class" in message
        assert message.endswith("Received: sequences=4")
