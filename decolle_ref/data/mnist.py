"""MNIST: the four original idx files, gzip-compressed, and their download.  LeCun, Cortes, Burges; CC BY-SA 3.0."""

import gzip
import hashlib
import http.client
import struct
import urllib.error
import urllib.request
import zlib
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array, InputError, choice, exact_shape, finite, first_line
from decolle_ref._util.progress import Progress
from decolle_ref.data import location

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist"
UNSIGNED_BYTE = 0x08  # the idx code of the only type that MNIST uses
CHUNK = 1 << 16  # bytes fetched at a time


class Idx(NamedTuple):
    """One file as published."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    md5: str


FILES = {
    ("train", "images"): Idx(
        "train-images-idx3-ubyte.gz",
        (60000, 28, 28),
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    ),
    ("train", "labels"): Idx(
        "train-labels-idx1-ubyte.gz",
        (60000,),
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "d53e105ee54ea40749a09fcbcd1e9432",
    ),
    ("test", "images"): Idx(
        "t10k-images-idx3-ubyte.gz",
        (10000, 28, 28),
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "9fb629c4189551a2d022fa330f9573f3",
    ),
    ("test", "labels"): Idx(
        "t10k-labels-idx1-ubyte.gz",
        (10000,),
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
}


def load(split: str) -> tuple[Array, Array]:
    """(images (n, 28, 28) in 0..255, labels (n,) in 0..9), uint8, of "train" or "test".

    Raises InputError if a file is missing, damaged, truncated, of another shape, or has a label above 9.
    """
    choice("split", split, ("train", "test"))
    return _known(split, "images"), _known(split, "labels")


def validate(images: Array, labels: Array, name: str, shape: tuple[int, ...] = (28, 28)) -> None:
    """Raise InputError unless there is a finite image of `shape` for every label, and every label is one of 0..9."""
    exact_shape(f"{name} images", finite(f"{name} images", images), (len(labels), *shape))
    if len(labels) == 0 or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9:
        found = f"{labels.min()}..{labels.max()}" if len(labels) else "none"
        raise InputError(f"{name} labels: expected integers 0..9, got {found} ({labels.dtype})")


def _known(split: str, what: str) -> Array:
    file = FILES[split, what]
    path = location.find(f"mnist/{file.name}", ", or fetch it with --download")
    try:
        array = read_idx(path)
        if array.shape != file.shape:
            raise InputError(f"{path}: expected shape {file.shape}, got {array.shape}")
        if what == "labels" and array.max() > 9:
            raise InputError(f"{path}: expected labels 0..9, got {array.max()}")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != file.sha256:
            raise InputError(f"{path}: expected the published file, got one with sha256 {found}")
    except InputError as problem:
        hint = f"the published file has sha256 {file.sha256}; remove this one and download it again"
        raise InputError(f"{problem} ({hint})") from None
    return array


def read_idx(path: Path) -> Array:
    """The array in a gzip-compressed idx file of unsigned bytes.

    The header: two zero bytes, the type, the number of axes, then the length of each axis as big-endian uint32.
    Raises InputError, in one line, for a file that is damaged, truncated, too long, or of another type.
    """
    try:
        with gzip.open(path) as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as problem:
        raise InputError(f"{path}: expected a whole gzip file, got a damaged one ({first_line(problem)})") from None
    if len(content) < 4 or content[:3] != bytes((0, 0, UNSIGNED_BYTE)):
        raise InputError(f"{path}: expected an idx file of unsigned bytes, got one that begins {content[:4].hex(' ')}")
    axes, start = content[3], 4 + 4 * content[3]
    if len(content) < start:
        raise InputError(f"{path}: expected a header of {start} bytes, got {len(content)}")
    shape = struct.unpack(f">{axes}I", content[4:start])
    size = int(np.prod(shape, dtype=object))  # object: lengths that lie may not overflow
    if len(content) - start != size:
        raise InputError(f"{path}: expected {size} bytes of data for shape {shape}, got {len(content) - start}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def download(mirror: str = MIRROR, quiet: bool = False) -> list[Path]:
    """Fetch the files that are not yet in the data folder and keep those with the right checksum.  Returns all paths.

    Shows the bytes of each file as they come, unless `quiet`.  A file is written when it is whole and checked: whatever
    interrupts a download leaves nothing of it.  Raises InputError if the mirror cannot be reached, hangs up or sends
    something else.
    """
    folder = location.folder() / "mnist"
    missing = [file for file in FILES.values() if not (folder / file.name).is_file()]
    if missing:  # a folder that has all four may be read-only
        store.output_folder(folder)
    for file in missing:
        content = _fetch(f"{mirror}/{file.name}", file, quiet)
        store.atomically(folder / file.name, lambda target, content=content: target.write(content))  # type: ignore[misc]
    return [folder / file.name for file in FILES.values()]


def _fetch(url: str, file: Idx, quiet: bool) -> bytes:
    try:
        content, announced = _receive(url, file.name, quiet)
    except (OSError, http.client.HTTPException, ValueError) as problem:  # ValueError: no such kind of address
        if isinstance(problem, urllib.error.HTTPError):
            problem.close()  # such an error is an open answer too
        raise InputError(f"{url}: expected a download, got none ({first_line(problem)})") from None
    if announced is not None and len(content) != announced:
        raise InputError(f"{url}: expected {announced} bytes, got {len(content)}")
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise InputError(f"{url}: expected sha256 {file.sha256}, got {found}")
    return content


def _receive(url: str, name: str, quiet: bool) -> tuple[bytes, int | None]:
    """(what came, how many bytes were announced), the latter None where the server did not say."""
    content = bytearray()
    with urllib.request.urlopen(url, timeout=60) as answer:
        length = answer.headers["Content-Length"]
        announced = int(length) if length else None
        with closing(Progress(name, announced, quiet=quiet, unit="B", unit_scale=True)) as bar:
            while chunk := answer.read(CHUNK):
                content += chunk
                bar.advance("", by=len(chunk))
    return bytes(content), announced
