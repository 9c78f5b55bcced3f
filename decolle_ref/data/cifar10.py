"""CIFAR-10 in its binary version (cifar-10-binary.tar.gz): plain bytes, no pickles.  Krizhevsky, 2009.

Unpacked into the data folder as cifar-10-batches-bin/data_batch_1.bin and so on.  A record is one byte of label and
3,072 bytes of image: the 32 x 32 red values row by row, then the green ones, then the blue ones.
"""

from pathlib import Path

import numpy as np

from decolle_ref._util.check import Array, InputError, choice
from decolle_ref.data import location

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # of the archive, as published
FILES = {"train": tuple(f"data_batch_{k}.bin" for k in range(1, 6)), "test": ("test_batch.bin",)}
RECORD = 1 + 3 * 32 * 32
IMAGES = 10000  # in each file


def load(split: str) -> tuple[Array, Array]:
    """(images (n, 32, 32, 3) in 0..255, labels (n,) in 0..9), uint8, of "train" (50,000) or "test" (10,000).

    Raises InputError if a file is missing, truncated or too long, or has a label above 9.
    """
    choice("split", split, FILES)
    paths = [location.find(f"cifar-10-batches-bin/{name}") for name in FILES[split]]
    for path in paths:
        if path.stat().st_size != IMAGES * RECORD:
            raise InputError(
                f"{path}: expected {IMAGES * RECORD} bytes, got {path.stat().st_size} (unpack {URL} again: md5 {MD5})"
            )
    images, labels = zip(*(read(path) for path in paths), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def read(path: Path) -> tuple[Array, Array]:
    """(images (n, 32, 32, 3), labels (n,)) of one file with any number of whole records."""
    content = path.read_bytes()
    if not content or len(content) % RECORD:
        raise InputError(f"{path}: expected whole records of {RECORD} bytes, got {len(content)} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    if labels.max() > 9:
        raise InputError(f"{path}: expected labels 0..9, got {labels.max()}")
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels
