"""Plain .npy files, read without trust: the header is compared with what is expected before any data is read.

The files are plain because a C program can read and write them, and because they cannot hide a huge array in a small
file, as compressed ones can.
"""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util import reading, store
from decolle_ref._util.check import Array, InputError, first_line

FLOATS = (np.dtype("<f4"), np.dtype("<f8"))
COUNTS = (np.dtype("u1"), np.dtype("<i4"), np.dtype("<i8"), np.dtype("?"))


def read(path: Path, shape: tuple[int, ...], dtypes: tuple[np.dtype[Any], ...] = FLOATS) -> Array:
    """The array in `path`, of exactly this shape, one of these dtypes, C order, and finite.

    Raises InputError, in one line, for anything else, before it reads data that the file does not have.
    """
    try:
        with reading.opened(path, "an array file", None) as file:  # its size is compared with the promised one
            header = reading.header(file)
            _validate(path, header, shape, dtypes)
            count, dtype = math.prod(shape), header[2]
            promised, size = count * dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
            if size != promised:
                raise ValueError(f"{promised} bytes of data promised, {size} there")
            array = np.fromfile(file, dtype, count).reshape(shape)
    except InputError:
        raise
    except Exception as problem:  # a malformed header may raise nearly any exception
        raise InputError(f"{path}: expected a plain .npy file, got something else ({first_line(problem)})") from None
    if not np.isfinite(array).all():
        raise InputError(f"{path}: expected finite numbers, got NaN or infinity")
    return array


def _validate(
    path: Path,
    header: tuple[tuple[int, ...], bool, np.dtype[Any]],
    expected: tuple[int, ...],
    dtypes: tuple[np.dtype[Any], ...],
) -> None:
    shape, fortran, dtype = header
    if dtype not in dtypes:
        raise InputError(f"{path}: expected dtype {' or '.join(d.str for d in dtypes)}, got {dtype}")
    if shape != expected:
        raise InputError(f"{path}: expected shape {expected}, got {shape}")
    if fortran:
        raise InputError(f"{path}: expected C order (last axis fastest), got Fortran order")


def write(path: Path, array: Array) -> None:
    """Write one array as a plain .npy file, little-endian and in C order.  An OSError names `path`."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
    with store.writing(path), path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(little))
        file.write(little.data)  # numpy's `tofile` would not notice a full disk
