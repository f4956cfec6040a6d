"""Raw series and labelled sequences as well-kept libraries ship them; nothing here needs a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Sequences:
    """Labelled sequences before scaling, with the samples that may be learned from and those of the test.

    Attributes:
        x: Float64 (n, T, F), in the unit of the source, zeros after the end of each sequence.
        lengths: Int32 (n,), valid steps.
        labels: Int32 (n,), classes counted from 0.
        pool: Int64, indices of the samples that training and validation parts are drawn from.
        test: Int64, indices of the test samples.
    """

    x: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int32]
    pool: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]


def sunspots() -> npt.NDArray[np.float64]:
    """Return the mean sunspot number of each year from 1700 to 2008, shape (309,)."""
    from statsmodels.datasets import sunspots as dataset

    return np.asarray(dataset.load_pandas().data["SUNACTIVITY"], dtype=np.float64)


def elnino() -> npt.NDArray[np.float64]:
    """Return the sea surface temperature in degrees Celsius, monthly from 1950 to 2010, shape (732,)."""
    from statsmodels.datasets import elnino as dataset

    months = dataset.load_pandas().data.drop(columns="YEAR")  # a row per year, a column per month
    return np.asarray(months, dtype=np.float64).ravel()


def co2() -> npt.NDArray[np.float64]:
    """Return weekly carbon dioxide in ppm from March 1958 to 2001, shape (2284,), missing weeks as NaN."""
    from statsmodels.datasets import co2 as dataset

    return np.asarray(dataset.load_pandas().data["co2"], dtype=np.float64)


def digits_rows() -> Sequences:
    """Return 1797 images of 8 rows by 8 pixels in [0, 1], each row a time step.

    The pool is the first half; the last 600 images are the test. Neighbours in the source resemble each
    other, perhaps as one writer made them, so a test part mixed from all of it would be easier.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    n = len(bunch.target)
    return Sequences(
        x=bunch.images / 16.0,
        lengths=np.full(n, 8, dtype=np.int32),
        labels=bunch.target.astype(np.int32),
        pool=np.arange(898),
        test=np.arange(n - 600, n),
    )


def japanese_vowels() -> Sequences:
    """Return 640 utterances, 7 to 29 steps of 12 cepstrum coefficients, labelled by 9 speakers.

    The first 270 are the official training part (the pool), the other 370 the official test part.
    """
    from aeon.datasets import load_japanese_vowels

    official_train, train_speakers = load_japanese_vowels(split="train")
    official_test, test_speakers = load_japanese_vowels(split="test")
    x, lengths = stacked([*official_train, *official_test])
    speakers = np.concatenate([train_speakers, test_speakers]).astype(np.int32)  # "1" to "9"
    pool = np.arange(len(official_train))
    return Sequences(x, lengths, speakers - 1, pool, np.arange(pool.size, len(x)))


def stacked(
    collection: Sequence[npt.NDArray[np.float64]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Return sequences of aeon, each (channels, steps), as one array with zeros at their ends, and their lengths.

    Returns:
        Float64 (n, T, channels), T being the longest; and int32 (n,).
    """
    lengths = np.array([each.shape[1] for each in collection], dtype=np.int32)
    x = np.zeros((len(collection), lengths.max(), collection[0].shape[0]))
    for row, each in zip(x, collection, strict=True):
        row[: each.shape[1]] = each.T
    return x, lengths
