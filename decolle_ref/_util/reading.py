"""The one reader of files that others wrote: it says no before it opens a pipe, and before it fills the memory.

    opened, read_bytes, read_text   a regular file of at most so many bytes
    read_json, parse_json           JSON of bounded size and depth, with finite numbers, and text that can be printed
    read_npz, read_arrays           an archive of plain arrays, whose declared sizes are bounded before they are read
    header                          shape, order and dtype of a plain .npy file

Everything else raises InputError, in one line.

>>> parse_json(b'{"steps": 5}')
{'steps': 5}
>>> parse_json(b'[1e999]')
Traceback (most recent call last):
ValueError: expected a finite number, got 1e999
"""

import json
import math
import os
import stat
import sys
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from decolle_ref._util.check import Array, InputError, first_line

LARGEST = 1 << 20  # bytes of text; a case needs a few hundred
LARGEST_ARCHIVE = 1 << 30  # bytes
UNPACKED = 1 << 26  # bytes: a compressed archive may become so large, and one without compression as large as its file
DEEPEST = 32  # lists and objects within each other
HEADER = 12 + 10000  # bytes of an .npy header that numpy reads without trust
DIRECTORY = 1 << 20  # bytes of the table of contents of an archive
READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@contextmanager
def opened(path: Path, what: str, largest: int | None = LARGEST_ARCHIVE) -> Iterator[IO[bytes]]:
    """The opened file, which is a regular file of at most `largest` bytes: reading a pipe or a device might never end.

    `what` says in the message what was expected, such as "a JSON file".  A problem with the disk within the block
    raises InputError too.
    """
    try:
        _validate(path, _status(path), what, largest)
        with open(path, "rb", opener=_without_waiting) as file:
            _validate(path, os.fstat(file.fileno()), what, largest)  # what was opened, should it have been exchanged
            yield file
    except OSError as problem:
        raise InputError(f"{path}: expected {what}, got none ({problem.strerror or first_line(problem)})") from None


def _status(path: Path) -> os.stat_result:
    try:
        return os.stat(path)
    except ValueError as problem:  # NUL or half a surrogate pair in the name
        raise OSError(first_line(problem)) from None


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe without a writer does not block


def _validate(path: Path, status: os.stat_result, what: str, largest: int | None) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path}: expected {what}, got something else (not a regular file)")
    if largest is not None and status.st_size > largest:
        raise InputError(f"{path}: expected {what} of at most {largest} bytes, got {status.st_size}")


def read_bytes(path: Path, what: str, largest: int = LARGEST_ARCHIVE) -> bytes:
    """The content of a regular file."""
    with opened(path, what, largest) as file:
        return file.read(os.fstat(file.fileno()).st_size)  # no more, should the file grow


def read_text(path: Path, what: str, largest: int = LARGEST) -> str:
    """The content of a regular file in UTF-8."""
    try:
        return read_bytes(path, what, largest).decode()
    except UnicodeDecodeError as problem:
        raise InputError(f"{path}: expected {what} in UTF-8, got something else ({first_line(problem)})") from None


def read_json(path: Path, number: Callable[[str], float] = float) -> Any:
    """The JSON value in a file; `number` makes a number from the text of one that has a point or an exponent."""
    content = read_bytes(path, "a JSON file", LARGEST)
    try:
        return parse_json(content, number)
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{path}: expected JSON, got something else ({first_line(problem)})") from None


def parse_json(content: bytes | str, number: Callable[[str], float] = float) -> Any:
    """A JSON value without NaN, without a key that stands twice in one object, and within the limits of this module.

    Raises ValueError, or RecursionError where the value is nested far too deeply.
    """
    text = content.decode() if isinstance(content, bytes) else content
    value = json.loads(
        text,
        parse_constant=_refuse,
        parse_int=_integer,
        parse_float=lambda digits: number(_finite(digits)),
        object_pairs_hook=_unique,
    )
    _validate_value(value, DEEPEST)
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _integer(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else 1 << 63  # because reading very many digits takes long
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"expected an integer of 64 bits, got one of {len(digits)} digits")
    return number


def _finite(digits: str) -> str:
    if math.isinf(float(digits)):
        raise ValueError(f"expected a finite number, got {digits[:20]}")
    return digits


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return dict(pairs)


def _validate_value(value: Any, depth: int) -> None:
    """Raise ValueError for deep nesting, and for text with NUL or half a surrogate pair, which no file can hold."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"expected text, got {value[:20]!a}")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise ValueError(f"expected at most {DEEPEST} levels")
        for item in value if isinstance(value, list) else (*value, *value.values()):
            _validate_value(item, depth - 1)


def header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype of an .npy file, which is left at its first number.

    Nearly any exception may be raised by a malformed header.
    """
    start = BytesIO(file.read(HEADER))  # not from the file itself, because a header says how long it is
    version = np.lib.format.read_magic(start)
    if version not in READERS:
        raise ValueError(f"format version {version}")
    with warnings.catch_warnings(action="error"):  # numpy warns of headers that Python 2 wrote
        content = READERS[version](start)
    file.seek(start.tell())
    return content


def read_npz(path: Path, kind: str, names: Collection[str] | None = None) -> dict[str, Array]:
    """The arrays of an npz file by name, or those with these names, as far as they are there.

    Raises InputError, in one line, for anything but plain arrays, and before it reads a member whose size is false.
    """
    try:
        with opened(path, f"a {kind} file") as file:
            most = max(UNPACKED, _validate_directory(file))
            with zipfile.ZipFile(file) as archive:
                members = _members(archive, names)
                size = sum(entry.file_size for entry in members.values())
                if size > most:
                    raise ValueError(f"{size} bytes unpacked, more than {most}")
                return {name: _member(archive, entry) for name, entry in members.items()}
    except InputError:
        raise
    except Exception as problem:  # a damaged archive may raise nearly any exception
        raise InputError(f"{path}: expected a {kind} file, got something unreadable ({first_line(problem)})") from None


def _validate_directory(file: IO[bytes]) -> int:
    """The size of an archive.  Raises ValueError if its table of contents is too long to be read into memory."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    tail = file.read()  # the end record, and before it the place of what would lead to a larger one
    if tail[20:24] != b"PK\5\6" or tail[:4] == b"PK\6\7" or int.from_bytes(tail[32:36], "little") > DIRECTORY:
        raise ValueError("no archive of arrays")
    return size


def _members(archive: zipfile.ZipFile, names: Collection[str] | None) -> dict[str, zipfile.ZipInfo]:
    """The entries of the archive with these names, which are those of its files without .npy."""
    entries = archive.infolist()
    all_names = [entry.filename.removesuffix(".npy") for entry in entries]
    if len(set(all_names)) < len(entries):
        raise ValueError("a name stands twice")
    members = dict(zip(all_names, entries, strict=True))
    chosen = {name: entry for name, entry in members.items() if names is None or name in names}
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in chosen.values()):
        raise ValueError("another compression than deflate")
    return chosen


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Array:
    """One array, read after its header was compared with the size that the archive declares."""
    with archive.open(entry) as file:
        assert isinstance(file, zipfile.ZipExtFile)
        shape, fortran, dtype = header(file)
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "biufU" or not dtype.itemsize or size != entry.file_size - file.tell():
            raise ValueError(f"{entry.filename} is not a plain array of {entry.file_size} bytes")
        content = bytearray(size)
        if file.readinto(memoryview(content)) != size:
            raise ValueError(f"{entry.filename} ends early")
        if dtype.kind == "U" and (np.frombuffer(content, f"{dtype.byteorder}u4") > sys.maxunicode).any():
            raise ValueError(f"{entry.filename} has letters that do not exist")  # numpy would raise SystemError
        return np.ndarray(shape, dtype, content, order="F" if fortran else "C")


def read_arrays(path: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The (arrays, about) that `store.write_arrays` wrote.

    Raises InputError for a file that is missing, truncated, not an npz of plain arrays, or of another kind.
    """
    arrays = read_npz(path, kind)
    try:
        about = parse_json(str(arrays.pop("about")))
    except (KeyError, ValueError, RecursionError) as problem:
        raise InputError(f"{path}: expected a {kind} file, got something unreadable ({first_line(problem)})") from None
    actual = about.pop("kind", None) if isinstance(about, dict) else about
    if not isinstance(about, dict) or actual != kind:
        raise InputError(f"{path}: expected a {kind} file, got {str(actual)[:60]!r}")
    return arrays, about
