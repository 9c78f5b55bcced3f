"""Events of a camera in the format AEDAT 3.1, in which DvsGesture is published: packets after a header of text.

    header    lines that begin with "#": the first is #!AER-DAT3.1, the last is #!END-HEADER
    packet    28 bytes: type, source (int16), size of an event in bytes, offset of its time, overflow of its time,
              capacity, number of events, number of valid events (int32); then the events.  All little-endian
    event     8 bytes in a packet of type 1 (polarity), as uint32 and int32:
              bit 0 is 1 for a valid event, bit 1 the polarity, bits 2 to 16 are y, bits 17 to 31 are x; then the time

The time in microseconds has 31 bits, which last for 36 minutes; the header of the packet counts its overflows:

    t = time + 2^31 overflow

Packets of other types (triggers, frames, inertial sensors) are skipped.  A packet may have room for more events than
it has (capacity); the file has the number of events.

Source: the description of AEDAT 3.1 by iniVation.

>>> import tempfile
>>> with tempfile.NamedTemporaryFile() as file:
...     write_aedat(file.name, np.array([(5, 9, True, 3), (6, 9, False, 1 << 32)], EVENT))
...     read_aedat(file.name).tolist()
[(5, 9, True, 3), (6, 9, False, 4294967296)]
"""

import os
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from decolle_ref._util import reading, store
from decolle_ref._util.check import Array, InputError, validate_choice
from decolle_ref.data.events import EVENT, parse, validate_side

__all__ = ["read_aedat", "stream_aedat", "write_aedat"]

FIRST, FORMAT, RAW, LAST = b"#!AER-DAT3.1", b"#Format:", b"RAW", b"#!END-HEADER"  # of the header
LONGEST = 1 << 12  # bytes of a line of the header
PACKET = struct.Struct("<2h6i")
EVENT_BYTES, TIME_OFFSET, POLARITY = 8, 4, 1
BITS = 31  # of a time
SIDE = 1 << 15  # x and y are below it
CHUNK = 1 << 18  # bytes of events decoded at a time
PIECE = 200  # bytes of memory of a piece beside its events
WRITTEN = 1 << 13  # events in a packet that is written
INVALID = ("keep", "drop")


class _Piece(NamedTuple):
    """Events of one packet: where they lie in the file, the overflow of their times, and their bytes."""

    place: int
    overflow: int
    content: bytes


def read_aedat(path: str | Path, invalid: str = "keep", side: int = SIDE) -> Array:
    """All polarity events of a file, in the order of the file.

    Parameters
    ----------
    path : str or Path
        A file of at most 1 GiB; `stream_aedat` reads longer ones.
    invalid : {"keep", "drop"}
        What becomes of events whose valid bit is 0.  Software of the camera clears this bit for events that a filter
        would remove.  They are kept unless you say otherwise: the camera did record them, and some programs write 0
        for every event.
    side : int
        x and y must be below it.

    Returns
    -------
    structured array of dtype EVENT, (events,)
        t counts on over the overflows.

    Raises
    ------
    InputError
        If the file is no AEDAT 3.1 file, ends early or contradicts itself; the message names the byte.
    """
    validate_choice("invalid", invalid, INVALID)
    path = Path(path)
    with reading.opened(path, "an AEDAT file") as file:
        events = np.empty(os.fstat(file.fileno()).st_size // EVENT_BYTES, EVENT)  # there cannot be more
        n = 0
        for chunk in _chunks(path, file, invalid == "drop", side):
            events[n : n + len(chunk)] = chunk
            n += len(chunk)
    return events[:n]  # no copy, which would need the memory twice


def stream_aedat(path: str | Path, invalid: str = "keep", side: int = SIDE) -> Iterator[Array]:
    """The polarity events of a file of any length, in chunks: 3 MB of memory are enough.

    Parameters
    ----------
    path, invalid, side
        As in `read_aedat`.

    Returns
    -------
    iterator of structured arrays of dtype EVENT
        Some may be empty.

    Raises
    ------
    InputError
        As `read_aedat` does, when the iterator comes to the place.
    """
    validate_choice("invalid", invalid, INVALID)
    return _stream(Path(path), invalid == "drop", side)


def _stream(path: Path, drop: bool, side: int) -> Iterator[Array]:
    with reading.opened(path, "an AEDAT file", largest=None) as file:
        yield from _chunks(path, file, drop, side)


def _chunks(path: Path, file: IO[bytes], drop: bool, side: int) -> Iterator[Array]:
    """The events of a file in chunks, each from many short packets or from a part of a long one."""
    _skip_header(path, file)
    pieces: list[_Piece] = []
    size = 0
    for piece in _pieces(path, file):
        pieces.append(piece)
        size += len(piece.content) + PIECE
        if size >= CHUNK:
            yield _decode(path, pieces, drop, side)
            pieces, size = [], 0
    yield _decode(path, pieces, drop, side)


def _skip_header(path: Path, file: IO[bytes]) -> None:
    """Leave the file at its first packet.  A header without its last line ends where a line begins without "#"."""
    line = file.readline(len(FIRST) + 2)
    if line not in (FIRST + b"\r\n", FIRST + b"\n"):
        raise InputError(f"{path}: expected the line {FIRST!r} at byte 0, got {line!r}")
    while line != LAST:
        place = file.tell()
        start = file.read(1)
        file.seek(place)
        if start != b"#":
            return
        line = _line(path, file)
        value = line.removeprefix(FORMAT).strip()
        if line.startswith(FORMAT) and value != RAW:
            raise InputError(f"{path}: expected {RAW!r} in the line at byte {place}, got {value[:20]!r}")


def _line(path: Path, file: IO[bytes]) -> bytes:
    """The next line of the header, without its end."""
    place = file.tell()
    line = file.readline(LONGEST)
    if not line.endswith(b"\n") or place > reading.LARGEST:
        raise InputError(f"{path}: expected a line of the header at byte {place}, got one without an end")
    return line.rstrip(b"\r\n")


def _pieces(path: Path, file: IO[bytes]) -> Iterator[_Piece]:
    """The events of all packets of polarities, at most CHUNK bytes at a time."""
    size, place = os.fstat(file.fileno()).st_size, file.tell()
    while place < size:
        kind, width, overflow, number = _packet(path, place, _read(path, file, place, PACKET.size))
        start, place = place + PACKET.size, place + PACKET.size + width * number
        if place > size:
            raise InputError(f"{path}: expected {place - start} bytes of events at byte {start}, got {size - start}")
        if kind != POLARITY:
            file.seek(place)
            continue
        for first in range(start, place, CHUNK):
            yield _Piece(first, overflow, _read(path, file, first, min(CHUNK, place - first)))


def _read(path: Path, file: IO[bytes], place: int, size: int) -> bytes:
    """So many bytes of a file that is at this place."""
    content = file.read(size)
    if len(content) < size:
        raise InputError(f"{path}: expected {size} bytes at byte {place}, got {len(content)}")
    return content


def _packet(path: Path, place: int, header: bytes) -> tuple[int, int, int, int]:
    """Type, size of an event, overflow and number of events of a packet, if its header does not contradict itself."""
    kind, _, width, offset, overflow, capacity, number, valid = PACKET.unpack(header)
    sizes = (width, offset) == (EVENT_BYTES, TIME_OFFSET) if kind == POLARITY else width > 0
    if not (sizes and kind >= 0 and overflow >= 0 and 0 <= valid <= number <= capacity):
        raise InputError(
            f"{path}: expected a packet at byte {place} with type and overflow >= 0, valid <= number <= capacity (and "
            f"size {EVENT_BYTES}, offset {TIME_OFFSET} for polarities), got type {kind}, overflow {overflow}, "
            f"valid {valid}, number {number}, capacity {capacity}, size {width}, offset {offset}"
        )
    return kind, width, overflow, number


def _decode(path: Path, pieces: list[_Piece], drop: bool, side: int) -> Array:
    """The events of these pieces."""
    counts = [len(piece.content) // EVENT_BYTES for piece in pieces]
    starts = np.cumsum([0, *counts])

    def place(event: int) -> int:
        k = int(np.searchsorted(starts, event, side="right")) - 1
        return pieces[k].place + EVENT_BYTES * int(event - starts[k])

    data, time = np.frombuffer(b"".join(piece.content for piece in pieces), "<u4").reshape(-1, 2).T
    negative = np.flatnonzero(time >> BITS)
    if negative.size:
        got = int(time[negative[0]]) - (1 << 32)
        raise InputError(f"{path}: expected a time >= 0 in the event at byte {place(negative[0])}, got {got}")
    events = np.empty(len(data), EVENT)
    events["x"], events["y"], events["p"] = data >> 17, data >> 2 & SIDE - 1, data >> 1 & 1
    events["t"] = time + np.repeat([piece.overflow << BITS for piece in pieces], counts)
    validate_side(path, events, side, place)
    return events[(data & 1).astype(bool)] if drop else events


def write_aedat(path: str | Path, events: Array) -> None:
    """Write events to an AEDAT 3.1 file, all of them valid.

    Parameters
    ----------
    path : str or Path
        A file that is there is replaced.
    events : structured array with the fields x, y, p and t (microseconds), (events,)
        x and y below 2^15, t below 2^62.

    Raises
    ------
    InputError
        If the file cannot hold these events.
    """
    parsed = parse("events", events, SIDE, 1 << 2 * BITS)
    content = np.empty((len(parsed), 2), "<u4")
    content[:, 0] = parsed["x"].astype("<u4") << 17 | parsed["y"].astype("<u4") << 2 | parsed["p"] << 1 | 1
    content[:, 1] = parsed["t"] & (1 << BITS) - 1
    overflows = parsed["t"] >> BITS
    lines = (FIRST, FORMAT + b" " + RAW, b"#Source 0: DVS128", b"#Start-Time: 1970-01-01 00:00:00 (TZ+0000)", LAST)

    def write(file: IO[bytes]) -> None:
        file.write(b"".join(line + b"\r\n" for line in lines))
        for start, end in _packets(overflows):
            number, overflow = end - start, int(overflows[start])
            file.write(PACKET.pack(POLARITY, 0, EVENT_BYTES, TIME_OFFSET, overflow, number, number, number))
            file.write(content[start:end].tobytes())

    store.atomically(Path(path), write)


def _packets(overflows: Array) -> Iterator[tuple[int, int]]:
    """(start, end) of packets in each of which the overflow is the same."""
    changes = np.flatnonzero(np.diff(overflows)) + 1
    for first, last in pairwise([0, *changes.tolist(), len(overflows)]):
        for start in range(first, last, WRITTEN):
            yield start, min(start + WRITTEN, last)
