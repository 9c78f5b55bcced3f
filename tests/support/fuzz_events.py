"""Good files of events for the fuzzing, and readers whose answer must be that of the readers by hand.

A damaged file is refused by both, with its name and the byte, or read by both as the same events.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import InputError
from decolle_ref.data import aedat, dvsgesture, nmnist
from decolle_ref.data.events import EVENT, read_bin, write_bin
from tests.support.events import HEADER, Packet, Refused, aedat_by_hand, bin_by_hand, packed

SIDE = 34


def some_events(n: int, side: int = SIDE) -> Any:
    """Events within 300 ms, in the order of their times."""
    rng, events = np.random.default_rng(n), np.zeros(n, EVENT)
    for field, limit in {"x": side, "y": side, "p": 2, "t": 300_000}.items():
        events[field] = np.sort(rng.integers(0, limit, n)) if field == "t" else rng.integers(0, limit, n)
    return events


def write_events(folder: Path) -> None:
    write_bin(folder / "a.bin", some_events(60))


def read_events(folder: Path, out: Path) -> None:
    path = folder / "a.bin"
    same(path, read_bin, bin_by_hand)
    same(path, lambda path: read_bin(path, 100), lambda content: bin_by_hand(content, 100))


def write_aedat(folder: Path) -> None:
    """Packets of several types, with invalid events, empty packets and overflows."""
    polarities = [tuple(event) for event in some_events(20).tolist()]
    packets = [
        packed(polarities[:7], Packet(capacity=9)),
        packed([], Packet(kind=2, width=13, offset=12, number=2)) + bytes(26),
        packed([]),
        packed([(9, 9, 1, 11)], Packet(kind=0)),
        packed([(*event, k % 3 > 0) for k, event in enumerate(polarities[7:])], Packet(overflow=1, valid=5)),
        packed(polarities[:2], Packet(overflow=2**31 - 1)),
    ]
    (folder / "a.aedat").write_bytes(HEADER + b"".join(packets))


def read_aedat(folder: Path, out: Path) -> None:
    """All at once, without invalid events, within an image, and in chunks of a few events."""
    path = folder / "a.aedat"
    same(path, aedat.read_aedat, aedat_by_hand)
    same(path, lambda path: aedat.read_aedat(path, "drop", 99), lambda content: aedat_by_hand(content, True, 99))
    whole, aedat.CHUNK = aedat.CHUNK, 24
    try:
        same(path, lambda path: np.concatenate(list(aedat.stream_aedat(path))), aedat_by_hand)
    finally:
        aedat.CHUNK = whole


def write_nmnist(folder: Path) -> None:
    for number, label in ((1, 5), (2, 0), (3, 4)):
        (folder / f"nmnist/Train/{label}").mkdir(parents=True)
        write_bin(folder / f"nmnist/Train/{label}/{number:05d}.bin", some_events(20 + number))


def read_nmnist(folder: Path, out: Path) -> None:
    for recording in nmnist.recordings("train"):
        same(recording.path, lambda _, recording=recording: nmnist.load(recording), lambda x: bin_by_hand(x, SIDE))


def write_dvsgesture(folder: Path) -> None:
    home = folder / "dvsgesture"
    (home / "clips").mkdir(parents=True)
    (home / "gesture_mapping.csv").write_text("action,label\n" + "".join(f"wave{'_' * k} ,{k}\n" for k in range(1, 12)))
    (home / "trials_to_train.txt").write_text("user01_led.aedat\n")
    write_aedat(home)
    (home / "a.aedat").rename(home / "user01_led.aedat")
    rows = ("1,0,100000", "2,90000,200000", "2,2147483648,2147600000")
    (home / "user01_led_labels.csv").write_text("\n".join(["class,startTime_usec,endTime_usec", *rows, ""]))
    write_bin(home / "clips/01.bin", some_events(20, 128))


def read_dvsgesture(folder: Path, out: Path) -> None:
    dvsgesture.class_names()
    dvsgesture.clips()
    for path in dvsgesture.recordings("train"):
        labels = dvsgesture.read_labels(path.with_name(f"{path.stem}_labels.csv"))

        def by_hand(content: bytes, labels: Any = labels) -> list[Any]:
            events = aedat_by_hand(content, side=128)
            cut = [[(*e[:3], e[3] - start) for e in events if start <= e[3] < end] for _, start, end in labels]
            return [event for gesture in cut for event in gesture]

        same(path, lambda path: np.concatenate([events for _, events in dvsgesture.gestures(path)]), by_hand)


def same(path: Path, read: Callable[[Path], Any], by_hand: Callable[[bytes], list[Any]]) -> None:
    """Read a file in both ways and compare; raise the InputError that both agree on."""
    try:
        events = read(path).tolist()
    except InputError as refusal:
        if path.is_file():  # and not a pipe
            validate_refusal(path, str(refusal), by_hand)
        raise
    assert events == by_hand(path.read_bytes()), "other events"


def validate_refusal(path: Path, message: str, by_hand: Callable[[bytes], list[Any]]) -> None:
    assert message.startswith(f"{path}: expected ") and re.search(r"at byte \d+", message), message
    try:
        by_hand(path.read_bytes())
    except Refused:
        return
    raise AssertionError(f"refused a good file: {message}")
