"""MNIST: the four original idx files, gzip-compressed, and their download.  LeCun, Cortes, Burges; CC BY-SA 3.0.

>>> import tempfile
>>> with tempfile.NamedTemporaryFile() as file:
...     _ = Path(file.name).write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4])))
...     read_idx(Path(file.name)).tolist()
[5, 0, 4]
"""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from decolle_ref._util import reading, store
from decolle_ref._util.check import Array, InputError, finite, first_line, validate_choice, validate_shape
from decolle_ref.data import location
from decolle_ref.data.download import fetch

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist"
UNSIGNED_BYTE = 0x08  # the idx code of the only type that MNIST uses
LARGEST, MOST_AXES = 1 << 26, 4  # numbers and axes of an idx file; MNIST has 47 million on 3


class Idx(NamedTuple):
    """One published file."""

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
    """The images and labels of one split, from the data folder.

    Parameters
    ----------
    split : {"train", "test"}

    Returns
    -------
    images : array of uint8, (60000 or 10000, 28, 28)
        Grey values 0 to 255.
    labels : array of uint8, (60000 or 10000,)
        0 to 9.

    Raises
    ------
    InputError
        If a file is missing, damaged, or not the published one.
    """
    validate_choice("split", split, ("train", "test"))
    return _published(split, "images"), _published(split, "labels")


def validate(images: Array, labels: Array, name: str, shape: tuple[int, ...] = (28, 28)) -> None:
    """Raise InputError unless there is a finite image for every label and every label is an integer from 0 to 9.

    Parameters
    ----------
    images : array, (n, *shape)
    labels : array of int, (n,)
        At least one.
    name : str
        The name of the data, with which the message begins.
    shape : tuple of int
        The shape of one image.
    """
    validate_shape(f"{name} images", finite(f"{name} images", images), (len(labels), *shape))
    if len(labels) == 0 or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9:
        got = f"{labels.min()}..{labels.max()}" if len(labels) else "none"
        raise InputError(f"{name} labels: expected integers 0..9, got {got} ({labels.dtype})")


def _published(split: str, what: str) -> Array:
    file = FILES[split, what]
    path = location.find(f"mnist/{file.name}", ", or fetch it with --download")
    try:
        array = read_idx(path)
        if array.shape != file.shape:
            raise InputError(f"{path}: expected shape {file.shape}, got {array.shape}")
        if what == "labels" and array.max() > 9:
            raise InputError(f"{path}: expected labels 0..9, got {array.max()}")
        sha256 = hashlib.sha256(reading.read_bytes(path, "a gzip file")).hexdigest()
        if sha256 != file.sha256:
            raise InputError(f"{path}: expected the published file, got one with sha256 {sha256}")
    except InputError as problem:
        hint = f"the published file has sha256 {file.sha256}; remove this one and download it again"
        raise InputError(f"{problem} ({hint})") from None
    return array


def read_idx(path: Path) -> Array:
    """The array in a gzip-compressed idx file of unsigned bytes.

    The header consists of two zero bytes, the type, the number of axes, and the length of each axis as a big-endian
    uint32.

    Parameters
    ----------
    path : Path

    Returns
    -------
    array of uint8
        Its shape is that of the header.

    Raises
    ------
    InputError
        In one line, for a file that is damaged, truncated, too long, or of another type.
    """
    with reading.opened(path, "a gzip file") as packed:
        try:
            with gzip.GzipFile(fileobj=packed) as file:
                shape = _shape(path, file)
                size = math.prod(shape)
                content = file.read(size + 1)  # one byte more than there should be, because the rest may be huge
        except (OSError, EOFError, zlib.error) as problem:
            raise InputError(f"{path}: expected a whole gzip file, got a damaged one ({first_line(problem)})") from None
    if len(content) != size:
        got = len(content) if len(content) < size else f"{len(content)} or more"
        raise InputError(f"{path}: expected {size} bytes of data for shape {shape}, got {got}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _shape(path: Path, file: gzip.GzipFile) -> tuple[int, ...]:
    """The lengths of the axes in the header of an idx file, whose numbers are then next."""
    start = file.read(4)
    if len(start) < 4 or start[:3] != bytes((0, 0, UNSIGNED_BYTE)):
        raise InputError(f"{path}: expected an idx file of unsigned bytes, got one that begins {start.hex(' ')}")
    axes, lengths = start[3], file.read(4 * start[3])
    if len(lengths) < 4 * axes:
        raise InputError(f"{path}: expected a header of {4 + 4 * axes} bytes, got {4 + len(lengths)}")
    shape = struct.unpack(f">{axes}I", lengths)
    if not 1 <= axes <= MOST_AXES or not 1 <= math.prod(shape) <= LARGEST:
        raise InputError(f"{path}: expected 1 to {LARGEST} numbers on 1 to {MOST_AXES} axes, got shape {shape}")
    return shape


def download(mirror: str = MIRROR, quiet: bool = False) -> list[Path]:
    """Download the files that are not yet in the data folder.

    A file is written only when it is complete and its checksum is right; an interrupted download leaves nothing.

    Parameters
    ----------
    mirror : str
        The address of the folder from which the files are fetched.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    list of Path
        The paths of all four files.

    Raises
    ------
    InputError
        If the mirror cannot be reached, breaks off, or sends something else.
    """
    folder = location.folder() / "mnist"
    missing = [file for file in FILES.values() if not (folder / file.name).is_file()]
    if missing:  # a folder that has all four may be read-only
        store.output_folder(folder)
    for file in missing:
        content = fetch(f"{mirror}/{file.name}", "sha256", file.sha256, quiet)
        store.atomically(folder / file.name, lambda target, content=content: target.write(content))  # type: ignore[misc]
    return [folder / file.name for file in FILES.values()]
