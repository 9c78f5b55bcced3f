"""N-MNIST: the digits of MNIST, shown on a screen and recorded by an event camera that moves three times in 0.3 s.

Orchard, Jayawant, Cohen and Thakor, Frontiers in Neuroscience 9:437, 2015; CC BY-SA 4.0.  The published archives are
unpacked in the data folder, where they make nmnist/Train/5/00001.bin and so on: the folder is the label, and the number
counts the images of MNIST from 1.  The test images count from 1 or go on from 60001.

>>> Recording(Path("Test/7/60001.bin"), 7, 0).label
7
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from decolle_ref._util.check import Array, InputError, validate_choice
from decolle_ref.data import location
from decolle_ref.data.events import read_bin

URL = "https://www.garrickorchard.com/datasets/n-mnist"
FOLDERS = {"train": "Train", "test": "Test"}
IMAGES = {"train": 60000, "test": 10000}  # of MNIST
LABELS = range(10)
SIDE = 34  # pixels of the image in width and height


class Recording(NamedTuple):
    """One recording of a digit.

    Attributes
    ----------
    path : Path
        Its file.
    label : int
        The digit, 0 to 9.
    image : int
        The image that it shows, `mnist.load(split)[0][image]`.
    """

    path: Path
    label: int
    image: int


def recordings(split: str) -> tuple[Recording, ...]:
    """The recordings of one split that are in the data folder, in the order of MNIST.

    Parameters
    ----------
    split : {"train", "test"}

    Returns
    -------
    tuple of Recording
        At least one.

    Raises
    ------
    InputError
        If there is none, or if a number does not belong to the split or stands twice.
    """
    validate_choice("split", split, FOLDERS)
    hint = f", or unpack the archives of {URL} there"
    folder = location.find_folder(f"nmnist/{FOLDERS[split]}", hint)
    paths = [path for label in LABELS for path in sorted((folder / str(label)).glob("[!.]*.bin"))]
    in_order = sorted((_recording(path, split) for path in paths), key=lambda recording: recording.image)
    if not in_order:
        raise InputError(f"data: expected recordings such as 5/00001.bin in {folder}, found none (look at {URL})")
    for first, second in pairwise(in_order):
        if first.image == second.image:
            raise InputError(f"data: expected one recording of each image, got {first.path} and {second.path}")
    return tuple(in_order)


def _recording(path: Path, split: str) -> Recording:
    number = int(path.stem) if re.fullmatch("[0-9]{1,6}", path.stem) else 0
    if split == "test" and number > IMAGES["train"]:
        number -= IMAGES["train"]
    if not 1 <= number <= IMAGES[split]:
        raise InputError(f"data: expected {path} to be named by the number of an image, 1 to {IMAGES[split]}")
    return Recording(path, int(path.parent.name), number - 1)


def load(recording: Recording) -> Array:
    """The events of one recording.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    structured array of dtype `events.EVENT`, (events,)
        x and y below 34, t in microseconds.

    Raises
    ------
    InputError
        If the file is damaged or has events outside of the image.
    """
    return read_bin(recording.path, SIDE)
