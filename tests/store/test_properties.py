"""Whatever a result holds comes back from the store bit for bit; whatever else lies there is found out."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from engine import made_outcome, made_result
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lstmstudy.parsing.untrusted import read_arrays
from lstmstudy.store.outcomes import RunStore, file_name, result_digest

IDENTITY = "1f" * 32
# A name in a zip archive ends at a zero byte; those of layers have none.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
KINDS = st.sampled_from([np.float32, np.float64, np.int64, np.int32, np.bool_, "<U3", ">f8"])
ARRAYS = KINDS.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, min_side=0, max_side=4)))
MANY = st.dictionaries(NAMES, ARRAYS, max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder for all examples; each begins a store of its own in it."""
    return tmp_path_factory.mktemp("store")


def emptied(folder):
    """Return an empty store."""
    for path in folder.iterdir():
        path.unlink()
    return RunStore(folder)


@given(curves=MANY, weights=MANY, predictions=MANY, words=st.text(max_size=20))
def test_any_result_comes_back(folder, curves, weights, predictions, words):
    """Names, kinds, shapes, NaN, empty arrays and words are the same, and so is the digest; numbers can be changed in place."""
    kept = {"curves": curves, "weights": weights, "predictions": predictions, "diverged": words}
    result = dataclasses.replace(made_result([3.0, 1.0]), **kept)
    emptied(folder).save(made_outcome(IDENTITY, result))
    found = RunStore(folder).load(IDENTITY).result
    for kind in ("curves", "weights", "predictions"):
        before, after = kept[kind], getattr(found, kind)
        assert list(before) == list(after)
        for name, array in before.items():
            assert (after[name].dtype, after[name].shape) == (array.dtype, array.shape)
            assert after[name].tobytes() == array.tobytes()
            assert after[name].flags.writeable
    assert found.diverged == words
    assert result_digest(found) == result_digest(result)


@given(st.data())
def test_any_other_byte_is_found(folder, data):
    """A file of which a byte is another, or is missing, or is too many, is set aside, and its run is missing."""
    store = emptied(folder)
    path = store.save(made_outcome(IDENTITY, made_result([3.0, 1.0, 2.0])))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.sampled_from(["altered", "cut", "longer"]))
    other = bytes([whole[place] ^ data.draw(st.integers(1, 255))])
    path.write_bytes(
        {
            "altered": whole[:place] + other + whole[place + 1 :],
            "cut": whole[:place],
            "longer": whole[:place] + other + whole[place:],
        }[damage]
    )
    fresh = RunStore(folder)
    assert fresh.record(IDENTITY) is None
    assert fresh.load(IDENTITY) is None
    assert [each.suffix for each in folder.iterdir()] == [".damaged"]


@given(st.data())
@settings(max_examples=60)
def test_altered_bytes_under_a_name_that_fits_them_raise_nothing(folder, data):
    """Somebody who alters a file and names it anew gets the run trained again, or an outcome of plain arrays; never an error."""
    whole = emptied(folder).save(made_outcome(IDENTITY, made_result([3.0, 1.0, 2.0]))).read_bytes()
    altered = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        altered[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    store = emptied(folder)
    (folder / file_name(IDENTITY, bytes(altered))).write_bytes(altered)
    store.record(IDENTITY)
    found = store.load(IDENTITY)
    assert found is None or all(array.dtype.kind in "fiubU" for array in found.result.weights.values())


@given(st.dictionaries(NAMES, ARRAYS, min_size=1, max_size=3), st.booleans())
def test_plain_arrays_are_read_as_numpy_reads_them(members, compressed):
    """Every array of an archive that numpy wrote is that of numpy, in the same order in memory."""
    file = io.BytesIO()
    named = {f"m/{name}": np.asfortranarray(array) for name, array in members.items()}
    (np.savez_compressed if compressed else np.savez)(file, **named)
    with np.load(io.BytesIO(file.getvalue())) as theirs:
        found = read_arrays(file)
        assert list(found) == theirs.files
        for name, array in found.items():
            assert array.dtype == theirs[name].dtype
            assert array.flags.f_contiguous == theirs[name].flags.f_contiguous
            assert array.flags.c_contiguous == theirs[name].flags.c_contiguous
            assert array.tobytes() == theirs[name].tobytes()


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_of_arrays_fail_otherwise(data):
    """What is no archive of arrays is a ValueError, whatever it is."""
    with pytest.raises(ValueError, match="no archive of plain arrays"):
        read_arrays(io.BytesIO(data))
