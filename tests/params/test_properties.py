"""Whatever stands in a parameter file: it is read as it stands, or one line says what is wrong."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from planning import parameters

from lstmstudy.params.profile import load_profile
from lstmstudy.parsing.strict_yaml import ParamsError, read_mapping

MINE = """\
tasks: [sunspots, digits_rows]
techniques: [dropout, l2]
compared: [dropout]
units: 3
widths: [16, 64]
network: {layers: 2, width: 8}
training: {epochs: 6, batch_size: 32, learning_rate: 0.003}
description: {tasks: [sunspots], units: 2}
designs: {}
grids: {dropout: {rate: [0.3], per: [step]}}
tuning: {trials: 4, units: 2, learning_rate: {from: 0.001, to: 0.01, scale: log}}
"""
NAMES = st.sampled_from(
    [
        "sunspots",
        "dropout",
        "l2",
        "rate",
        "units",
        "name",
        "task",
        "csv",
        "kind",
        "ucr",
        "../../x",
        "=1",
        "on",
    ]
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    NAMES,
    st.text(max_size=8),
    st.binary(max_size=4),
    st.dates(),
    st.datetimes(timezones=st.none()),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.one_of(NAMES, PLAIN), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of parameters with a profile called mine."""
    return parameters(tmp_path_factory.mktemp("params"), MINE)


def refused_in_one_line(call, *arguments):
    """Return the result of a call, or None if it ends in a message of one line that says what came."""
    try:
        return call(*arguments)
    except ParamsError as error:
        message = str(error)
    assert message.isprintable()
    assert "Received: " in message
    return None


@st.composite
def altered(draw):
    """Return the profile with one to three values replaced, keys added or taken away, at any depth."""
    content = yaml.safe_load(MINE)
    for _ in range(draw(st.integers(1, 3))):
        place = content
        while True:
            key = draw(st.sampled_from(sorted(place)))
            if not isinstance(place[key], dict) or not place[key] or draw(st.booleans()):
                break
            place = place[key]
        if draw(st.booleans()):
            place[draw(st.one_of(st.just(key), NAMES, st.text(max_size=6)))] = draw(VALUES)
        else:
            del place[key]
        if not place:
            place["units"] = draw(VALUES)
    return content


@given(altered())
@settings(max_examples=60)
@example({"units": float("nan")})
@example({**yaml.safe_load(MINE), "grids": {"dropout": {"rate": [10**400]}}})
def test_any_mapping_is_a_profile_or_one_line(folder, content):
    """What YAML can say either loads, with the values that stand there, or ends in one line that names what came."""
    (folder / "mine.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    profile = refused_in_one_line(load_profile, "mine", folder)
    if profile is not None:
        found = profile.model_dump(mode="json", by_alias=True)
        for key in ("units", "network", "training"):
            assert found[key] == content[key]


COUNTS = st.integers(1, 1000)
PROFILES = st.fixed_dictionaries(
    {
        "tasks": st.lists(
            st.sampled_from(["sunspots", "elnino", "co2", "digits_rows"]), min_size=1, unique=True
        ),
        "techniques": st.lists(st.sampled_from(["dropout", "l2", "jitter"]), min_size=1, unique=True),
        "units": COUNTS,
        "network": st.fixed_dictionaries({"layers": st.integers(1, 8), "width": st.integers(1, 2048)}),
        "training": st.fixed_dictionaries(
            {"epochs": COUNTS, "batch_size": COUNTS, "learning_rate": st.floats(1e-300, 1)}
        ),
    },
    optional={
        "widths": st.lists(COUNTS, min_size=1, max_size=3, unique=True),
        "description": st.fixed_dictionaries({"units": COUNTS}),
    },
)


@given(PROFILES)
def test_a_profile_comes_back_as_it_was_written(folder, content):
    """Every value, floats to the last bit, is the one in the file, also once the profile itself is written and read."""
    for _ in range(2):
        (folder / "mine.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        profile = load_profile("mine", folder)
        found = json.loads(profile.model_dump_json(exclude_unset=True, exclude={"name"}))
        assert found == content
        content = found


@given(st.dictionaries(st.text(max_size=8), VALUES.filter(lambda value: value == value), max_size=4))  # noqa: PLR0124 - NaN is not
def test_a_mapping_with_names_for_keys_comes_back(folder, content):
    """Texts, numbers, dates, bytes and what holds them are read as they were written; other keys are refused."""
    path = folder / "any.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    found = refused_in_one_line(read_mapping, path)
    if found is None:
        assert not _has_names_only(content)
    else:
        assert repr(found) == repr(_sorted(content))


def _has_names_only(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_has_names_only, value.values()))
    return all(map(_has_names_only, value)) if isinstance(value, list) else True


def _sorted(value):
    """Return a value as it is dumped: keys in their order."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(each) for each in value]
    return value


YAML = st.lists(
    st.sampled_from(
        [
            *"\n \t:-[]{},&*!?|>%@`'\"#a1.~=\0",
            "<<: ",
            "!!python/object/apply:os.system ",
            "\n  ",
            ": ",
            "- ",
            "&a ",
            "*a ",
        ]
    ),
    max_size=30,
).map(lambda parts: "".join(parts).encode())


@given(st.one_of(YAML, st.binary(max_size=60)))
@settings(max_examples=150)
def test_any_bytes_are_a_mapping_or_one_line(folder, data):
    """Whatever a file holds, nothing but plain values comes of it."""
    path = folder / "any.yaml"
    path.write_bytes(data)
    found = refused_in_one_line(read_mapping, path)
    assert found is None or _is_plain(found)


def _is_plain(value):
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if isinstance(value, (list, set, tuple)):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str, bytes, dt.date, dt.datetime)
