"""DvsGesture: eleven gestures of 29 people in front of an event camera, in several lights.

Amir, Taba, Berg, Melano and others, CVPR 2017; CC BY 4.0, IBM Research.  The published archive is unpacked in the data
folder as dvsgesture/, with all files side by side:

    user01_natural.aedat         one person in one light, all gestures one after another
    user01_natural_labels.csv    class, start and end of each gesture, in microseconds of the recording
    trials_to_train.txt          the recordings that are for training, 98 of them; trials_to_test.txt has the other 24
    gesture_mapping.csv          the names of the classes 1 to 11; some of them end in a blank, which is left out here
    clips/01.bin                 1.45 s of one gesture, by its class; these files are not part of the published archive

Each row of a file of labels makes one gesture, with the events of start <= t < end, whatever the other rows say.  In
user22_led the end of class 9 lies behind the start of class 10: both gestures have the events between.  In
user26_fluorescent some classes stand twice: both gestures count.

>>> import tempfile
>>> with tempfile.NamedTemporaryFile() as file:
...     _ = Path(file.name).write_bytes(b"class,startTime_usec,endTime_usec\\n4,24,50\\n")
...     read_labels(file.name)
(Label(label=4, start=24, end=50),)
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from decolle_ref._util import reading
from decolle_ref._util.check import Array, InputError, validate_choice
from decolle_ref.data import location
from decolle_ref.data.aedat import stream_aedat
from decolle_ref.data.events import EVENT, read_bin

URL = "https://research.ibm.com/dvsgesture"
LISTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
CLASSES = 11
SIDE = 128  # pixels of the image in width and height
MOST = 100  # gestures of a recording; the published ones have about 12


class Label(NamedTuple):
    """One row of a file of labels: the class, 1 to 11, and the start and the end in microseconds."""

    label: int
    start: int
    end: int


class Gesture(NamedTuple):
    """One gesture.

    Attributes
    ----------
    label : int
        The class, 1 to 11.
    events : structured array of dtype `events.EVENT`, (events,)
        x and y are below 128; t counts microseconds from the start of the gesture.
    """

    label: int
    events: Array


def class_names() -> tuple[str, ...]:
    """The names of the eleven classes; that of class k stands at k - 1.

    Returns
    -------
    tuple of str

    Raises
    ------
    InputError
        If the file is missing or does not name each class once.
    """
    path = _find("gesture_mapping.csv")
    rows = [
        match.groups() for _, match in _rows(path, rb"([a-z_]{1,99}) *,([0-9]{1,2})", "name,class", b"action,label")
    ]
    names = {int(label): name.decode() for name, label in rows}
    if sorted(int(label) for _, label in rows) != list(range(1, CLASSES + 1)):
        raise InputError(f"{path}: expected the names of the classes 1 to {CLASSES}, got {sorted(names)}")
    return tuple(names[label] for label in sorted(names))


def recordings(split: str) -> tuple[Path, ...]:
    """The recordings of one published split.

    Parameters
    ----------
    split : {"train", "test"}

    Returns
    -------
    tuple of Path
        In the order of the list.

    Raises
    ------
    InputError
        If the list is damaged, or if it or a recording is not in the data folder.
    """
    return tuple(_find(name) for name in trials(split))


def trials(split: str) -> tuple[str, ...]:
    """The names of the recordings of one published split, such as "user24_led.aedat".

    Parameters
    ----------
    split : {"train", "test"}

    Returns
    -------
    tuple of str
        At least one, each once.

    Raises
    ------
    InputError
        If the list is missing or damaged.
    """
    validate_choice("split", split, LISTS)
    path = _find(LISTS[split])
    names = tuple(
        match[0].decode() for _, match in _rows(path, rb"user[0-9]{2}_[a-z_]{1,99}\.aedat", "user01_led.aedat")
    )
    if not names or len(set(names)) < len(names):
        raise InputError(f"{path}: expected the names of recordings, each once, got {len(names)} names")
    return names


def _find(name: str) -> Path:
    return location.find(f"dvsgesture/{name}", f", or unpack the archive of {URL} there")


def _rows(path: Path, pattern: bytes, example: str, header: bytes = b"") -> Iterator[tuple[int, re.Match[bytes]]]:
    """(byte, match) of each line of a text but the header; InputError for a line that is not like the example."""
    place = 0
    for line in reading.read_bytes(path, "a text", reading.LARGEST).splitlines(keepends=True):
        text = line.strip()
        match = re.fullmatch(pattern, text)
        if header and place == 0:
            if text != header:
                raise InputError(f"{path}: expected {header!r} at byte 0, got {text[:40]!r}")
        elif match:
            yield place, match
        elif text:
            raise InputError(f"{path}: expected a line like {example} at byte {place}, got {text[:40]!r}")
        place += len(line)


def read_labels(path: str | Path) -> tuple[Label, ...]:
    """The rows of a file of labels, in the order of the file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    tuple of Label
        At least one and at most 100.

    Raises
    ------
    InputError
        If the file is damaged, if a gesture ends before it starts, or if more than two take place at once; the message
        names the byte.
    """
    path = Path(path)
    pattern, header = rb"([0-9]{1,2}),([0-9]{1,18}),([0-9]{1,18})", b"class,startTime_usec,endTime_usec"
    rows = _rows(path, pattern, "class,start,end", header)
    labels = {place: Label(*map(int, match.groups())) for place, match in rows}
    if not 1 <= len(labels) <= MOST:
        raise InputError(f"{path}: expected 1 to {MOST} gestures, got {len(labels)}")
    for place, label in labels.items():
        if not (1 <= label.label <= CLASSES and label.start <= label.end):
            raise InputError(f"{path}: expected a class up to {CLASSES} and start <= end at byte {place}, got {label}")
        if sum(other.start <= label.start < other.end for other in labels.values()) > 2:  # each is a copy
            raise InputError(f"{path}: expected at most two gestures at once, got a third at byte {place}")
    return tuple(labels.values())


def gestures(recording: str | Path, invalid: str = "keep") -> tuple[Gesture, ...]:
    """The gestures of one recording, cut by the file of labels beside it.

    Parameters
    ----------
    recording : str or Path
        Such as user01_natural.aedat.
    invalid : {"keep", "drop"}
        As in `aedat.read_aedat`.

    Returns
    -------
    tuple of Gesture
        One for each row of labels.  Where the recording has no events at that time, the gesture has none.

    Raises
    ------
    InputError
        If one of the two files is missing or damaged, or has events outside of the image.
    """
    path = Path(recording)
    labels = read_labels(path.with_name(f"{path.stem}_labels.csv"))
    parts: list[list[Array]] = [[np.empty(0, EVENT)] for _ in labels]
    for events in stream_aedat(path, invalid, SIDE):
        for label, part in zip(labels, parts, strict=True):
            part.append(events[(label.start <= events["t"]) & (events["t"] < label.end)])
    return tuple(_gesture(label, part) for label, part in zip(labels, parts, strict=True))


def _gesture(label: Label, parts: list[Array]) -> Gesture:
    events = np.concatenate(parts)
    parts.clear()  # its memory is needed for the next one
    events["t"] -= label.start
    return Gesture(label.label, events)


def clips() -> tuple[Gesture, ...]:
    """The clips in the data folder, in the order of their classes.

    Returns
    -------
    tuple of Gesture
        At least one.

    Raises
    ------
    InputError
        If there is none, or if one is damaged or has events outside of the image.
    """
    folder = location.find_folder("dvsgesture/clips")
    paths = {label: folder / f"{label:02d}.bin" for label in range(1, CLASSES + 1)}
    present = tuple(Gesture(label, read_bin(path, SIDE)) for label, path in paths.items() if path.exists())
    if not present:
        raise InputError(f"data: expected clips such as 01.bin in {folder}, found none")
    return present
