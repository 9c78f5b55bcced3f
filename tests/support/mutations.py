"""Small random damage to files: to their bytes, their numbers, their JSON, and the members of their archives."""

import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Rng = np.random.Generator
T = TypeVar("T")

NUMBERS: tuple[str, ...] = ("0", "-1", "1", "2", "65", "1e999", "-1e999", "1e308", "NaN", "0.5", "1e-320", "10000")
NUMBERS += ("4294967295", "9223372036854775807", "9223372036854775808", "1" + 400 * "0", "9" * 5000)
STRINGS = ("", "../../escaped", "/tmp/escaped", "a\0b", "\ud800", "\udfff", "a\nb", "x" * 3000, "NaN", "null", "..")
VALUES = (None, True, False, [], {}, [[]], -1, 0, 1, 2, 3, 0.5, -0.5, 1e300, 10000, 2**31, 2**63, 10**30, *STRINGS)
MARKS: tuple[bytes, ...] = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"\x93NUMPY", b"{'descr'", b"\x1f\x8b")
MARKS += (b"#!END-HEADER\r\n",)  # of archives, arrays, gzip files, AEDAT files


def pick(rng: Rng, options: Sequence[T]) -> T:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def block(rng: Rng, content: bytes) -> slice:
    """A short random part."""
    first = int(rng.integers(len(content) + 1))
    return slice(first, first + int(rng.integers(1, 40)))


def flip(rng: Rng, content: bytes) -> bytes:
    """Flip one bit."""
    changed = bytearray(content)
    if changed:
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def truncate(rng: Rng, content: bytes) -> bytes:
    """Keep the beginning."""
    return content[: int(rng.integers(len(content) + 1))]


def duplicate(rng: Rng, content: bytes) -> bytes:
    """Repeat a block, once or many times."""
    part = block(rng, content)
    return content[: part.stop] + pick(rng, (1, 1, 3, 1000)) * content[part] + content[part.stop :]


def delete(rng: Rng, content: bytes) -> bytes:
    """Leave a block out."""
    part = block(rng, content)
    return content[: part.start] + content[part.stop :]


def swap(rng: Rng, content: bytes) -> bytes:
    """Exchange two blocks of equal length."""
    changed, n = bytearray(content), int(rng.integers(1, 40))
    a, b = (int(rng.integers(max(1, len(content) - n))) for _ in range(2))
    changed[a : a + n], changed[b : b + n] = content[b : b + n], content[a : a + n]
    return bytes(changed)


def overwrite(rng: Rng, content: bytes) -> bytes:
    """Write an extreme binary number, often just behind the mark of a header or of a table of contents."""
    places = [m.start() for mark in MARKS for m in re.finditer(re.escape(mark), content)]
    near = pick(rng, places) + 46 if places and rng.random() < 0.7 else len(content)
    place = int(rng.integers(max(0, near - 46), near + 1))
    number = pick(
        rng, (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x80", b"\1", b"\xff", 8 * b"\xff")
    )
    return content[:place] + number + content[place + len(number) :]


def number(rng: Rng, content: bytes) -> bytes:
    """Replace a number that stands there in digits."""
    places = list(re.finditer(rb"-?\d+(\.\d+)?(e-?\d+)?", content[:20000]))
    if not places:
        return flip(rng, content)
    place = pick(rng, places)
    return content[: place.start()] + pick(rng, NUMBERS).encode() + content[place.end() :]


def structure(rng: Rng, content: bytes) -> bytes:
    """Edit JSON: another type, a missing or an additional key, nesting, names that no file can have."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return number(rng, content)
    path, here = [], value
    while isinstance(here, dict | list) and here and (not path or rng.random() < 0.7):
        path.append((here, pick(rng, list(here)) if isinstance(here, dict) else int(rng.integers(len(here)))))
        here = path[-1][0][path[-1][1]]
    if not path:
        return json.dumps(pick(rng, VALUES)).encode()
    parent, key = path[-1]
    edit = int(rng.integers(4))
    if edit == 0:
        del parent[key]
    elif edit == 1 and isinstance(parent, dict):
        parent[pick(rng, STRINGS)] = parent.pop(key)
    elif edit == 2:
        depth = pick(rng, (1, 2, 40, 2000))
        return json.dumps(value).encode().replace(json.dumps(here).encode(), depth * b"[" + b"1" + depth * b"]", 1)
    else:
        parent[key] = pick(rng, VALUES)
    return json.dumps(value).encode()


BYTES: tuple[Callable[[Rng, bytes], bytes], ...] = (
    flip,
    truncate,
    duplicate,
    delete,
    swap,
    overwrite,
    number,
    structure,
)


def edited(rng: Rng, content: bytes) -> bytes:
    """One to three edits."""
    for _ in range(int(rng.integers(1, 4))):
        content = pick(rng, BYTES)(rng, content)
    return content


def repacked(rng: Rng, content: bytes) -> bytes:
    """Edit one member of an archive, or its name, or add one, and pack all again with right checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = pick(rng, list(members))
    what = int(rng.integers(4))
    if what == 0:
        members[pick(rng, STRINGS).replace("\ud800", "d8").replace("\udfff", "df") + ".npy"] = members.pop(name)
    elif what == 1:
        members["more.npy"] = edited(rng, members[name])
    else:
        members[name] = edited(rng, members[name])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", pick(rng, (0, 0, 8, 8, 12, 14))) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return file.getvalue()


def mutated(rng: Rng, content: bytes) -> bytes:
    """A damaged copy; half of the archives and gzip files are damaged inside and packed again."""
    if rng.random() < 0.5:
        return edited(rng, content)
    try:
        if content[:4] == b"PK\3\4":
            return repacked(rng, content)
        if content[:2] == b"\x1f\x8b":
            return gzip.compress(edited(rng, gzip.decompress(content)), 1)
    except (OSError, EOFError, zlib.error):
        pass
    return edited(rng, content)
