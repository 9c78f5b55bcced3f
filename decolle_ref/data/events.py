"""Events of an event camera as arrays, and the files of 5 bytes per event in which N-MNIST is published.

    byte 0   x, the column
    byte 1   y, the row, of which 0 is the top
    byte 2   bit 7 is the polarity, 1 for brighter and 0 for darker; bits 6 to 0 are bits 22 to 16 of the time
    byte 3   bits 15 to 8 of the time
    byte 4   bits 7 to 0 of the time, in microseconds

Source: the description of N-MNIST by Orchard, Jayawant, Cohen and Thakor, Frontiers in Neuroscience 9:437, 2015.  Their
recordings of a larger camera mark an overflow of the time by y = 240; the files read here have no such marks, and row
240 is a row like the others.

>>> import tempfile
>>> with tempfile.NamedTemporaryFile() as file:
...     _ = Path(file.name).write_bytes(bytes([3, 7, 0x81, 0x00, 0x02]))
...     read_bin(file.name).tolist()
[(3, 7, True, 65538)]
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from decolle_ref._util import reading, store
from decolle_ref._util.check import Array, InputError, as_array

__all__ = ["EVENT", "parse", "read_bin", "validate_side", "write_bin"]

EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "?"), ("t", "<i8")])
"""One event: column, row (0 is the top), polarity (True is brighter, False darker) and time in microseconds."""

RECORD = 5  # bytes of an event in a file
CHUNK = 1 << 16  # events decoded at a time
SIDE, END = 1 << 8, 1 << 23  # x and y are below SIDE, t is below END


def read_bin(path: str | Path, side: int = SIDE) -> Array:
    """The events of a file with 5 bytes per event, in the order of the file.

    Parameters
    ----------
    path : str or Path
    side : int
        x and y must be below it.

    Returns
    -------
    structured array of dtype EVENT, (events,)
        It takes 13 bytes per event, and reading takes only 2 MB more.

    Raises
    ------
    InputError
        If the file cannot be read, does not consist of whole events or has one outside of the image; the message names
        the byte.
    """
    path = Path(path)
    with reading.opened(path, "a file of events") as file:
        size = os.fstat(file.fileno()).st_size
        if size % RECORD:
            whole = size - size % RECORD
            raise InputError(
                f"{path}: expected {RECORD} bytes per event, got {size % RECORD} at byte {whole}, the last"
            )
        events = np.empty(size // RECORD, EVENT)
        for start in range(0, len(events), CHUNK):
            chunk = events[start : start + CHUNK]
            content = file.read(RECORD * len(chunk))
            if len(content) < RECORD * len(chunk):
                raise InputError(f"{path}: expected {size} bytes, got the end at byte {RECORD * start + len(content)}")
            _decode(content, chunk)
            validate_side(path, chunk, side, lambda event, start=start: RECORD * (start + event))  # type: ignore[misc]
    return events


def _decode(content: bytes, events: Array) -> None:
    """Write the events of these bytes into an array of as many events."""
    x, y, high, middle, low = np.frombuffer(content, np.uint8).reshape(-1, RECORD).T
    events["x"], events["y"], events["p"] = x, y, high >> 7
    events["t"] = (high & 0x7F).astype(np.int64) << 16 | middle.astype(np.int64) << 8 | low


def validate_side(path: Path, events: Array, side: int, place: Callable[[int], int]) -> None:
    """Raise InputError unless x and y of all events in a file are below `side`.

    Parameters
    ----------
    path : Path
        The file.
    events : structured array of dtype EVENT, (events,)
    side : int
    place : function of int
        The byte of the file at which the event of an index begins.
    """
    outside = np.flatnonzero((events["x"] >= side) | (events["y"] >= side))
    if outside.size:
        first = int(outside[0])
        x, y = events["x"][first], events["y"][first]
        raise InputError(f"{path}: expected x and y below {side} in the event at byte {place(first)}, got {x} and {y}")


def write_bin(path: str | Path, events: Array) -> None:
    """Write events to a file with 5 bytes per event, as `read_bin` reads it.

    Parameters
    ----------
    path : str or Path
        A file that is there is replaced.
    events : structured array with the fields x, y, p and t (microseconds), (events,)
        x and y below 256, t below 2^23, which is 8.4 s.

    Raises
    ------
    InputError
        If the file cannot hold these events.
    """
    parsed = parse("events", events, SIDE, END)
    content = np.empty((len(parsed), RECORD), np.uint8)
    content[:, 0], content[:, 1] = parsed["x"], parsed["y"]
    content[:, 2] = parsed["t"] >> 16 | parsed["p"].astype(np.int64) << 7
    content[:, 3], content[:, 4] = parsed["t"] >> 8 & 0xFF, parsed["t"] & 0xFF
    store.atomically(Path(path), lambda file: file.write(content.tobytes()))


def parse(name: str, events: npt.ArrayLike, side: int, end: int) -> Array:
    """Events from elsewhere as an array of dtype EVENT, after a check of their ranges.

    Parameters
    ----------
    name : str
        What they are called in the error message.
    events : structured array with the fields x, y, p and t, (events,)
        Of any integer types.
    side : int
        x and y must be below it.
    end : int
        t must be below it.

    Returns
    -------
    structured array of dtype EVENT, (events,)

    Raises
    ------
    InputError
        For another kind of array, and for the first number that is negative or too large.
    """
    array = as_array(name, events)
    if array.ndim != 1 or not {"x", "y", "p", "t"} <= set(array.dtype.names or ()):
        raise InputError(f"{name}: expected one axis and the fields x, y, p and t, got {array.dtype} {array.shape}")
    parsed = np.empty(len(array), EVENT)
    for field, limit in {"x": side, "y": side, "p": 2, "t": end}.items():
        values = array[field]
        if values.dtype.kind not in "biu" or values.ndim != 1:
            raise InputError(f"{name}: expected integers for {field}, got dtype {array.dtype[field]}")
        bad = np.flatnonzero((values < 0) | (values >= limit))
        if bad.size:
            raise InputError(f"{name}: expected {field} from 0 to {limit - 1}, got {values[bad[0]]} at event {bad[0]}")
        parsed[field] = values
    return parsed
