"""Files that somebody else may have written: opened without waiting, unpacked within bounds, and nothing in them is run."""

from __future__ import annotations

import io
import math
import os
import stat
import zipfile
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_ROOMY = 1 << 28  # bytes that any archive may unpack to
_RATIO = 20  # ... and a larger one to this many times its own; weights hardly shrink
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def open_plain(path: Path) -> io.BufferedReader:
    """Return a file that is open for reading as bytes.

    Raises:
        OSError: If it cannot be read, or is a folder, a device or a pipe: one could wait for that forever.
    """
    file = io.FileIO(path, "rb", opener=_without_waiting)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(0, "This is a device or a pipe")
    return io.BufferedReader(file)


def plain_bytes(path: Path) -> bytes:
    """Return the bytes of a file, none if it cannot be read."""
    try:
        with open_plain(path) as file:
            return file.read()
    except OSError:
        return b""


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_arrays(source: BinaryIO, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of an npz archive by name. Sizes are looked at before anything is unpacked.

    Args:
        source: The archive, from its first byte.
        names: Those to read; None reads all.

    Raises:
        ValueError: If it is damaged, holds pickled objects, unpacks to far more than its size, or an array has not the
            size that its shape promises.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            unpacked, size = sum(member.file_size for member in members), source.seek(0, os.SEEK_END)
            if unpacked > max(_ROOMY, _RATIO * size):
                msg = f"Expected at most {_RATIO} times as many bytes as are packed. Received: bytes={unpacked} of {size}"
                raise ValueError(msg)  # noqa: TRY301 - one of the kinds below
            named = {member.filename.removesuffix(".npy"): member for member in members}
            wanted = named if names is None else [name for name in names if name in named]
            return {name: _array(_content(archive, named[name])) for name in wanted}
    except MemoryError:  # that is no fault of the archive
        raise
    except Exception as error:  # noqa: BLE001 - a damaged archive can fail anywhere in its reader
        raise ValueError(f"This is no archive of plain arrays: {type(error).__name__}: {error}") from None


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return the bytes of a member: not more than its entry says, which may be a lie."""
    with archive.open(member) as file:
        return file.read(member.file_size + 1)


def _array(data: bytes) -> np.ndarray:
    """Return the array that a member holds."""
    file = io.BytesIO(data)
    shape, fortran_order, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    if dtype.hasobject:
        raise ValueError(f"Expected numbers or texts. Objects are not loaded. Received: dtype={dtype}")
    numbers = memoryview(data)[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(numbers):
        raise ValueError(f"Expected the bytes that the shape needs. Received: {shape=}, bytes={len(numbers)}")
    array: np.ndarray = np.ndarray(shape, dtype, buffer=numbers, order="F" if fortran_order else "C")
    return array.copy(order="K")
