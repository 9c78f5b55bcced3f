"""Files of events made and read by hand: one event at a time, with Python's integers, from the descriptions."""

import struct
from typing import NamedTuple

HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"


class Refused(Exception):
    """A file that contradicts the description."""


class Packet(NamedTuple):
    """The fields of a packet's header; by default those that fit the events."""

    kind: int = 1
    source: int = 1
    width: int = 8
    offset: int = 4
    overflow: int = 0
    capacity: int | None = None
    number: int | None = None
    valid: int | None = None


FITTING = Packet()


def packed(events, packet=FITTING):
    """The bytes of a packet with these events (x, y, p, time), or (x, y, p, time, valid)."""
    number = len(events) if packet.number is None else packet.number
    capacity = number if packet.capacity is None else packet.capacity
    valid = number if packet.valid is None else packet.valid
    fields = packet._replace(capacity=capacity, number=number, valid=valid)
    words = [(x << 17 | y << 2 | p << 1 | (rest or [1])[0], t) for x, y, p, t, *rest in events]
    return struct.pack("<hhiiiiii", *fields) + b"".join(struct.pack("<Ii", *pair) for pair in words)


def bin_by_hand(content, side=256):
    """The events of a file with 5 bytes per event."""
    if len(content) % 5:
        raise Refused
    records = [content[k : k + 5] for k in range(0, len(content), 5)]
    events = [(x, y, a >> 7 == 1, (a & 127) * 65536 + b * 256 + c) for x, y, a, b, c in records]
    return inside(events, side)


def inside(events, side):
    """The events, if all of them are in the image."""
    if any(event[0] >= side or event[1] >= side for event in events):
        raise Refused
    return events


def aedat_by_hand(content, drop=False, side=1 << 15):
    """The polarity events of an AEDAT 3.1 file."""
    place, events = body(content), []
    while place < len(content):
        if place + 28 > len(content):
            raise Refused
        packet = validated(Packet(*struct.unpack("<hhiiiiii", content[place : place + 28])))
        place, end = place + 28, place + 28 + packet.width * packet.number
        if end > len(content):
            raise Refused
        if packet.kind == 1:
            events += [event(*struct.unpack("<Ii", content[k : k + 8]), packet) for k in range(place, end, 8)]
        place = end
    inside(events, side)
    return [tuple(e[:4]) for e in events if e[4] or not drop]


def event(data, time, packet):
    """(x, y, p, t, whether it is valid)."""
    if time < 0:
        raise Refused
    return data // 2**17, data // 4 % 2**15, data // 2 % 2 == 1, time + packet.overflow * 2**31, data % 2 == 1


def validated(packet):
    """A packet that can be."""
    if packet.kind < 0 or packet.width < 1 or packet.overflow < 0:
        raise Refused
    if packet.kind == 1 and (packet.width, packet.offset) != (8, 4):
        raise Refused
    if not 0 <= packet.valid <= packet.number <= packet.capacity:
        raise Refused
    return packet


def body(content):
    """Where the first packet begins."""
    place = 0
    while content[place : place + 1] == b"#":
        line, end, _ = content[place : place + 4096].partition(b"\n")
        text = line.rstrip(b"\r")
        if not end or (place == 0 and line not in (b"#!AER-DAT3.1", b"#!AER-DAT3.1\r")):
            raise Refused
        if text.startswith(b"#Format:") and text[8:].strip() != b"RAW":
            raise Refused
        place += len(line) + 1
        if text == b"#!END-HEADER":
            break
    if not place:
        raise Refused
    return place
