"""AEDAT 3.1: every field of the format, what other readers get wrong, damage, and memory."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref import InputError
from decolle_ref.data import aedat
from decolle_ref.data.aedat import read_aedat, stream_aedat, write_aedat
from decolle_ref.data.events import EVENT
from tests.support.events import HEADER, Packet, aedat_by_hand, packed

MEBI = 1 << 20
PLACE = st.integers(0, 2**15 - 1)
TIME = st.integers(0, 2**62 - 1) | st.integers(-3, 3).map(lambda k: 5 * 2**31 + k)
FEW = [(1, 2, 1, 10), (3, 4, 0, 20)]


@pytest.fixture
def file(tmp_path):
    """Writes a file of a header and these packets."""

    def write(*packets, header=HEADER):
        path = tmp_path / "a.aedat"
        path.write_bytes(header + b"".join(packets))
        return path

    return write


@given(st.lists(st.tuples(PLACE, PLACE, st.booleans(), TIME)), st.integers(1, 5))
def test_what_was_written_is_read(tmp_path_factory, events, longest):
    """With short packets, and times before and after several overflows in any order."""
    path = tmp_path_factory.mktemp("aedat") / "a.aedat"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aedat, "WRITTEN", longest)
        write_aedat(path, np.array(events, EVENT))
    assert read_aedat(path, "drop").tolist() == read_aedat(path).tolist() == aedat_by_hand(path.read_bytes()) == events


def test_each_time_counts_on_by_the_overflow_of_its_own_packet(file):
    """Readers that ignore the field jump back by 36 minutes."""
    path = file(
        *(packed([(0, 0, 0, time)], Packet(overflow=k)) for k, time in ((0, 2**31 - 1), (1, 0), (1, 5), (7, 2)))
    )
    assert read_aedat(path)["t"].tolist() == [2**31 - 1, 2**31, 2**31 + 5, 7 * 2**31 + 2]


def test_packets_of_other_types_are_skipped_whatever_the_size_of_their_events(file):
    """Readers that ignore the type take triggers for polarities, and lose the place at a frame."""
    trigger = packed([(9, 9, 1, 11)], Packet(kind=0))
    frame = packed([], Packet(kind=2, width=133, offset=12, number=2)) + bytes(2 * 133)
    path = file(trigger, packed(FEW[:1]), frame, packed([], Packet(kind=3, width=36)), packed(FEW[1:]), trigger)
    assert read_aedat(path).tolist() == FEW


def test_the_events_of_a_packet_are_counted_by_their_number_and_not_by_the_capacity(file):
    assert read_aedat(file(packed(FEW, Packet(capacity=100)), packed(FEW))).tolist() == 2 * FEW


def test_invalid_events_are_kept_or_dropped_as_the_caller_says(file):
    path = file(packed([(1, 1, 0, 5, 1), (2, 2, 0, 6, 0), (3, 3, 1, 7, 1)], Packet(valid=2)))
    assert read_aedat(path)["x"].tolist() == [1, 2, 3]
    assert read_aedat(path, "drop")["x"].tolist() == [1, 3]
    for read in (read_aedat, stream_aedat):
        with pytest.raises(InputError, match=r"^invalid: expected one of keep, drop, got 'no'$"):
            read(path, "no")


def test_a_header_ends_at_its_last_line_or_else_before_the_first_line_without_a_hash(file):
    start = b"#!AER-DAT3.1\r\n#Source 1: # of a camera\r\n"
    assert read_aedat(file(packed(FEW), header=start)).tolist() == FEW
    hash_type = packed([(0, 0, 0, 0)], Packet(kind=35))  # this packet begins with "#"
    assert read_aedat(file(hash_type, packed(FEW), header=start + b"#!END-HEADER\r\n")).tolist() == FEW
    assert read_aedat(file(header=b"#!AER-DAT3.1\n")).tolist() == []


@pytest.mark.parametrize(
    ("lines", "place"), [(b"#" + 9000 * b"x" + b"\n", 14), (300 * (b"#" + 4000 * b"x" + b"\n"), 14 + 263 * 4002)]
)
def test_a_header_without_an_end_in_sight_is_refused(file, lines, place):
    """Of lines of at most 4 KiB it may have 1 MiB."""
    path = file(header=b"#!AER-DAT3.1\r\n" + lines)
    for read in (read_aedat, lambda path: list(stream_aedat(path))):
        with pytest.raises(InputError, match=f"expected a line of the header at byte {place}, got one without an end"):
            read(path)


END = len(HEADER)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected the line b'#!AER-DAT3.1' at byte 0, got b''"),
        (b"#!AER-DAT2.0\r\n", r"expected the line b'#!AER-DAT3.1' at byte 0, got b'#!AER-DAT2.0\r\n'"),
        (b"\x00\x01\n", r"expected the line b'#!AER-DAT3.1' at byte 0, got b'\x00\x01\n'"),
        (b"#!AER-DAT3.1", "expected the line b'#!AER-DAT3.1' at byte 0, got b'#!AER-DAT3.1'"),
        (b"#!AER-DAT3.14\n", r"expected the line b'#!AER-DAT3.1' at byte 0, got b'#!AER-DAT3.14\n'"),
        (b"#!AER-DAT3.1\r\n#Format: PNGFrames\r\n", "expected b'RAW' in the line at byte 14, got b'PNGFrames'"),
        (b"#!AER-DAT3.1\r\n#Format", "expected a line of the header at byte 14, got one without an end"),
        (HEADER + bytes(27), f"expected 28 bytes at byte {END}, got 27"),
        (HEADER + packed(FEW)[:-1], f"expected 16 bytes of events at byte {END + 28}, got 15"),
        (
            HEADER + packed(FEW, Packet(number=2**31 - 1)),
            f"expected 17179869176 bytes of events at byte {END + 28}, got 16",
        ),
        (
            HEADER + packed([], Packet(kind=2, width=2**31 - 1, number=2**31 - 1)),
            f"expected 4611686014132420609 bytes of events at byte {END + 28}, got 0",
        ),
        (
            HEADER + packed(FEW) + packed(FEW, Packet(number=-2, capacity=2)),
            f"expected a packet at byte {END + 44} with",
        ),
        (
            HEADER + packed(FEW, Packet(number=-2, capacity=2)),
            "overflow 0, valid -2, number -2, capacity 2, size 8, off",
        ),
        (HEADER + packed(FEW, Packet(capacity=1)), "got type 1, overflow 0, valid 2, number 2, capacity 1"),
        (HEADER + packed(FEW, Packet(valid=3)), "got type 1, overflow 0, valid 3, number 2, capacity 2"),
        (HEADER + packed(FEW, Packet(valid=-1)), "got type 1, overflow 0, valid -1, number 2, capacity 2"),
        (HEADER + packed(FEW, Packet(width=16)), "capacity 2, size 16, offset 4"),
        (
            HEADER + packed(FEW, Packet(kind=3, width=0)),
            "got type 3, overflow 0, valid 2, number 2, capacity 2, size 0",
        ),
        (HEADER + packed(FEW, Packet(kind=3, width=-8)), "capacity 2, size -8, offset 4"),
        (HEADER + packed(FEW, Packet(offset=0)), "capacity 2, size 8, offset 0"),
        (HEADER + packed(FEW, Packet(overflow=-1)), "got type 1, overflow -1, valid 2"),
        (HEADER + packed(FEW, Packet(kind=-32767)), "got type -32767, overflow 0, valid 2"),
        (
            HEADER + packed(FEW) + packed([*FEW, (0, 0, 0, -5)]),
            f"expected a time >= 0 in the event at byte {END + 44 + 28 + 16}, got -5",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_with_the_place_and_little_memory(tmp_path, content, message):
    path = tmp_path / "a.aedat"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        for read in (read_aedat, lambda path: list(stream_aedat(path))):
            with pytest.raises(InputError, match=re.escape(message)) as refusal:
                read(path)
            assert str(refusal.value).startswith(f"{path}: ")
        assert tracemalloc.get_traced_memory()[1] < MEBI
    finally:
        tracemalloc.stop()


def test_an_event_outside_the_image_is_refused_with_its_place_also_if_it_is_invalid(file):
    path = file(packed(FEW), packed([(1, 1, 1, 1), (0, 128, 1, 1, 0)]))
    assert read_aedat(path, side=129)["y"].max() == 128
    message = f"{path}: expected x and y below 128 in the event at byte {END + 44 + 28 + 8}, got 0 and 128"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_aedat(path, "drop", side=128)


def test_short_packets_are_joined_and_long_ones_divided_into_the_same_events(file, rng, monkeypatch):
    monkeypatch.setattr(aedat, "CHUNK", 800)
    events = [tuple(e) for e in rng.integers(0, 99, (1000, 4))]
    sizes = [0, 1, 1, 2, 0, 301, 5, 290, 0, 400]
    ends = np.cumsum(sizes)
    path = file(
        *(packed(events[end - n : end], Packet(overflow=k)) for k, (n, end) in enumerate(zip(sizes, ends, strict=True)))
    )
    chunks = list(stream_aedat(path))
    assert max(map(len, chunks)) < 200 and len(chunks) > 5
    assert np.concatenate(chunks).tolist() == read_aedat(path).tolist() == aedat_by_hand(path.read_bytes())


def test_reading_takes_at_most_twice_the_file_and_streaming_only_some_mebibytes(tmp_path, rng):
    events = np.zeros(2_500_000, EVENT)
    events["t"] = np.sort(rng.integers(0, 2**33, len(events)))
    path = tmp_path / "a.aedat"
    write_aedat(path, events)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        assert sum(len(chunk) for chunk in stream_aedat(path)) == len(events)
        streaming = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert len(read_aedat(path)) == len(events)
        assert tracemalloc.get_traced_memory()[1] < 2 * size
        assert streaming < 3 * MEBI
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("field", "limit"), [("x", 2**15), ("y", 2**15), ("t", 2**62)])
def test_events_that_the_file_cannot_hold_are_refused_and_nothing_is_written(tmp_path, field, limit):
    events = np.zeros(3, EVENT)
    events[field][2] = limit
    with pytest.raises(InputError, match=f"^events: expected {field} from 0 to {limit - 1}, got {limit} at event 2$"):
        write_aedat(tmp_path / "a.aedat", events)
    assert not list(tmp_path.iterdir())


def test_tonic_reads_the_same_events_where_there_is_neither_overflow_nor_another_type(tmp_path, rng, monkeypatch):
    io = pytest.importorskip("tonic.io", reason="needs tonic")
    header = io.read_aedat_header_from_file
    monkeypatch.setattr(io, "read_aedat_header_from_file", lambda path: header(path)[:2])  # 1.7.0 unpacks two of three
    events = np.empty(20_000, EVENT)
    events["x"], events["y"], events["p"] = (
        rng.integers(0, 128, 20_000),
        rng.integers(0, 128, 20_000),
        rng.random(20_000) < 0.5,
    )
    events["t"] = np.sort(rng.integers(0, 2**31, 20_000))
    write_aedat(tmp_path / "a.aedat", events)
    theirs = io.read_dvs_ibm(tmp_path / "a.aedat")[1]
    for field in ("x", "y", "p", "t"):
        np.testing.assert_array_equal(theirs[field], read_aedat(tmp_path / "a.aedat")[field])
