"""CIFAR-10 in its binary version (cifar-10-binary.tar.gz): plain bytes, no pickles.  Krizhevsky, 2009.

The archive is unpacked in the data folder, where it makes cifar-10-batches-bin/data_batch_1.bin and so on.  A record is
one byte of label and 3,072 bytes of image: the 32 x 32 red values row by row, then the green ones, then the blue ones.

>>> import tempfile
>>> with tempfile.NamedTemporaryFile() as file:
...     _ = Path(file.name).write_bytes(bytes([7]) + bytes(3072))
...     images, labels = read(Path(file.name))
>>> images.shape, labels.tolist()
((1, 32, 32, 3), [7])
"""

import io
import tarfile
from pathlib import Path

import numpy as np

from decolle_ref._util import reading, store
from decolle_ref._util.check import Array, InputError, validate_choice
from decolle_ref.data import location
from decolle_ref.data.download import fetch

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # published checksum of the archive
FOLDER = "cifar-10-batches-bin"
FILES = {"train": tuple(f"data_batch_{k}.bin" for k in range(1, 6)), "test": ("test_batch.bin",)}
RECORD = 1 + 3 * 32 * 32  # bytes
IMAGES = 10000  # per file


def load(split: str) -> tuple[Array, Array]:
    """The images and labels of one split, from the data folder.

    Parameters
    ----------
    split : {"train", "test"}

    Returns
    -------
    images : array of uint8, (50000 or 10000, 32, 32, 3)
        Row, column, colour; 0 to 255.
    labels : array of uint8, (50000 or 10000,)
        0 to 9.

    Raises
    ------
    InputError
        If a file is missing, truncated or too long, or has a label above 9.
    """
    validate_choice("split", split, FILES)
    paths = [location.find(f"{FOLDER}/{name}", ", or fetch it with --download") for name in FILES[split]]
    for path in paths:
        size = path.stat().st_size
        if size != IMAGES * RECORD:
            raise InputError(f"{path}: expected {IMAGES * RECORD} bytes, got {size} (unpack {URL} again: md5 {MD5})")
    images, labels = zip(*(read(path) for path in paths), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def download(url: str = URL, quiet: bool = False) -> list[Path]:
    """Download the archive and unpack its data, unless all of them are in the data folder.

    Parameters
    ----------
    url : str
        The address of the archive.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    list of Path
        The paths of all six files.

    Raises
    ------
    InputError
        If the address cannot be reached, breaks off, or sends something else.
    """
    folder = location.folder() / FOLDER
    paths = [folder / name for names in FILES.values() for name in names]
    if all(path.is_file() for path in paths):
        return paths
    store.output_folder(folder)
    with tarfile.open(fileobj=io.BytesIO(fetch(url, "md5", MD5, quiet))) as archive:
        for path in paths:
            member = archive.extractfile(f"{FOLDER}/{path.name}")
            assert member is not None  # the checksum says that it is a file
            content = member.read(IMAGES * RECORD + 1)
            store.atomically(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
    return paths


def read(path: Path) -> tuple[Array, Array]:
    """The images and labels of one file with any number of whole records.

    Parameters
    ----------
    path : Path

    Returns
    -------
    images : array of uint8, (n, 32, 32, 3)
    labels : array of uint8, (n,)

    Raises
    ------
    InputError
        If the last record is not whole, if there is none, or if a label is above 9.
    """
    content = reading.read_bytes(path, "a CIFAR-10 file")
    if not content or len(content) % RECORD:
        raise InputError(f"{path}: expected whole records of {RECORD} bytes, got {len(content)} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].copy()  # because a view would keep the images in memory
    if labels.max() > 9:
        raise InputError(f"{path}: expected labels 0..9, got {labels.max()}")
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels
