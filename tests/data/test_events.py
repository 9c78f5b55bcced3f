"""Event arrays, and the files of 5 bytes per event."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref import InputError
from decolle_ref.data import events as module
from decolle_ref.data.events import EVENT, parse, read_bin, write_bin

BYTE, TIME = st.integers(0, 255), st.integers(0, 2**23 - 1)


def by_hand(content):
    """One event at a time, with Python's integers."""
    records = [content[k : k + 5] for k in range(0, len(content), 5)]
    return [(x, y, a >> 7 == 1, (a & 127) * 65536 + b * 256 + c) for x, y, a, b, c in records]


@given(st.lists(st.tuples(BYTE, BYTE, st.booleans(), TIME)))
def test_what_was_written_is_read(tmp_path_factory, events):
    path = tmp_path_factory.mktemp("bin") / "a.bin"
    write_bin(path, np.array(events, EVENT))
    assert read_bin(path).tolist() == events and path.stat().st_size == 5 * len(events)


def test_every_bit_is_read_as_the_description_says(tmp_path, rng, monkeypatch):
    """In chunks, the last of which is not full."""
    monkeypatch.setattr(module, "CHUNK", 30)
    content = rng.integers(0, 256, 5 * 100, np.uint8).tobytes()
    (tmp_path / "a.bin").write_bytes(content)
    events = read_bin(tmp_path / "a.bin")
    assert events.dtype == EVENT and events.tolist() == by_hand(content)


def test_a_file_that_ends_within_an_event_is_refused_with_the_place(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(12))
    with pytest.raises(InputError, match=re.escape(f"{path}: expected 5 bytes per event, got 2 at byte 10, the last")):
        read_bin(path)


def test_reading_takes_the_array_and_two_megabytes_more(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(5 * 400_000))
    tracemalloc.start()
    try:
        size = read_bin(tmp_path / "a.bin").nbytes
        assert tracemalloc.get_traced_memory()[1] < size + 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("field", "value", "limit"), [("x", 256, 255), ("y", 256, 255), ("t", 2**23, 2**23 - 1), ("t", -1, 2**23 - 1)]
)
def test_events_that_the_file_cannot_hold_are_refused_and_nothing_is_written(tmp_path, field, value, limit):
    events = np.zeros(3, EVENT)
    events[field][1] = value
    with pytest.raises(InputError, match=f"^events: expected {field} from 0 to {limit}, got {value} at event 1$"):
        write_bin(tmp_path / "a.bin", events)
    assert not list(tmp_path.iterdir())


def test_events_of_other_integer_types_are_parsed_and_other_arrays_refused():
    types = [("t", "<u4"), ("x", "i8"), ("y", "u1"), ("p", "u1")]
    assert parse("a", np.array([(9, 1, 2, 1)], types), 4, 10).tolist() == [(1, 2, True, 9)]
    with pytest.raises(InputError, match=r"^a: expected p from 0 to 1, got 2 at event 0$"):
        parse("a", np.array([(9, 1, 2, 2)], types), 4, 10)
    with pytest.raises(InputError, match=r"^a: expected integers for t, got dtype float64$"):
        parse("a", np.zeros(2, [("x", int), ("y", int), ("p", int), ("t", float)]), 4, 10)
    with pytest.raises(InputError, match=r"^a: expected integers for x, got dtype \('<i8', \(2,\)\)$"):
        parse("a", np.zeros(2, [("x", "<i8", 2), ("y", int), ("p", int), ("t", int)]), 4, 10)
    for wrong in (np.zeros((2, 2), EVENT), np.zeros(3), EVENT, [1, 2]):
        with pytest.raises(InputError, match=r"^a: expected one axis and the fields x, y, p and t"):
            parse("a", wrong, 4, 10)


def test_tonic_reads_the_same_events(tmp_path, rng):
    io = pytest.importorskip("tonic.io", reason="needs tonic")
    content = rng.integers(0, 256, (1000, 5), np.uint8)
    content[:, 1] %= 240  # which it takes for a mark
    (tmp_path / "a.bin").write_bytes(content.tobytes())
    theirs = io.read_mnist_file(str(tmp_path / "a.bin"), EVENT[["x", "y", "t", "p"]])
    for field in ("x", "y", "p", "t"):
        np.testing.assert_array_equal(theirs[field], read_bin(tmp_path / "a.bin")[field])


def test_an_event_outside_the_image_is_refused_with_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    path = tmp_path / "a.bin"
    write_bin(path, np.array([(0, 0, 1, 1), (33, 33, 1, 2), (2, 3, 0, 3), (5, 34, 1, 4)], EVENT))
    message = f"{path}: expected x and y below 34 in the event at byte 15, got 5 and 34"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_bin(path, side=34)
    assert len(read_bin(path, side=35)) == 4
