"""Events of a bright bar that moves over a dark ground: generated recordings, as an event camera would write them.

A pixel of an event camera sends an event when its brightness changes: p = 1 where it rises, p = 0 where it falls.  The
front edge of a bright bar passes the line c of pixels at the times

    t_on = (c - c0 + k side) / speed,      k = 0, 1, ...,        and its back edge at     t_off = t_on + width / speed.

The bar leaves the image on one side and enters it on the other.  Every time is moved at random, some events are lost,
and pixels send events without a cause (noise).

>>> events = record(np.random.default_rng(0), "right", side=8)
>>> events.dtype.names, bool((np.diff(events["t"]) >= 0).all())
(('x', 'y', 'p', 't'), True)
>>> frames(events, side=8, steps=100).shape  # 1 ms each, polarities x rows x columns
(100, 128)
"""

import numpy as np

from decolle_ref._util.check import Array, InputError, count, fraction, not_negative, positive, validate_choice
from decolle_ref.data.events import EVENT
from decolle_ref.data.frames import bin_events, dense

__all__ = ["DIRECTIONS", "frames", "record"]

DIRECTIONS = ("right", "left", "down", "up")
MICROSECONDS = 1_000_000


def record(
    rng: np.random.Generator,
    direction: str,
    side: int = 16,
    duration: float = 0.1,
    speed: float = 160.0,
    width: float = 3.0,
    jitter: float = 0.001,
    lost: float = 0.2,
    noise: float = 1.0,
) -> Array:
    """One recording of a bar that moves in one direction, from a random place.

    Parameters
    ----------
    rng : numpy.random.Generator
    direction : str
        "right", "left", "down" or "up".
    side : int
        Height and width of the image in pixels, at least 2.
    duration, jitter : float
        Length of the recording, and standard deviation of the times, in seconds.
    speed, width : float
        Of the bar, in pixels per second and in pixels.
    lost : float
        Probability in [0, 1) that an event of the bar is lost.
    noise : float
        Rate of events without a cause, in Hz per pixel.

    Returns
    -------
    structured array of dtype EVENT, (events,)
        In the order of their times, all in [0, duration).

    Raises
    ------
    InputError
        For another direction, and for a number that is out of range.
    """
    validate_choice("direction", direction, DIRECTIONS)
    _validate(side, duration, speed, width, jitter, lost, noise)
    line, place, p, t = _edges(rng, side, duration, speed, width)
    t = t + rng.normal(0, jitter, len(t))
    kept = (rng.random(len(t)) >= lost) & (t >= 0) & (t < duration)
    x, y = _oriented(direction, line[kept], place[kept], side)
    both = np.concatenate([_events(x, y, p[kept], t[kept]), _specks(rng, side, duration, noise)])
    return both[np.argsort(both["t"], kind="stable")]


def _validate(side: int, duration: float, speed: float, width: float, jitter: float, lost: float, noise: float) -> None:
    count("side", side, 2)
    positive("duration", duration, "seconds")
    positive("speed", speed, "pixels per second")
    positive("width", width, "pixels")
    not_negative("jitter", jitter)
    fraction("lost", lost)
    not_negative("noise", noise)


def _specks(rng: np.random.Generator, side: int, duration: float, noise: float) -> Array:
    """Events without a cause, at random pixels and times."""
    n = rng.poisson(noise * side * side * duration)
    x, y = rng.integers(side, size=(2, n))
    return _events(x, y, rng.integers(2, size=n), rng.uniform(0, duration, n))


def _edges(rng: np.random.Generator, side: int, duration: float, speed: float, width: float) -> tuple[Array, ...]:
    """(line, place along the line, polarity, time) of every passage of an edge over a pixel, for a bar to the right."""
    rounds = np.arange(-np.ceil(width / side), np.ceil(speed * duration / side) + 1)  # back edges of an earlier round
    line, place, k, p = np.meshgrid(np.arange(side), np.arange(side), rounds, (0, 1), indexing="ij")
    front = (line - rng.uniform(0, side) + k * side) / speed
    t = front + np.where(p == 1, 0.0, width / speed)
    return line.ravel(), place.ravel(), p.ravel(), t.ravel()


def _oriented(direction: str, line: Array, place: Array, side: int) -> tuple[Array, Array]:
    """(x, y) of a place on a line, counted in the direction of the movement."""
    line = side - 1 - line if direction in ("left", "up") else line
    return (line, place) if direction in ("left", "right") else (place, line)


def _events(x: Array, y: Array, p: Array, t: Array) -> Array:
    events = np.empty(len(t), EVENT)
    events["x"], events["y"], events["p"], events["t"] = x, y, p, np.floor(t * MICROSECONDS)
    return events


def frames(events: Array, side: int, steps: int, dt_us: int = 1000) -> Array:
    """Count events in bins: entry [n, (p, y, x)] is the number of events with dt_us n <= t < dt_us (n + 1).

    Parameters
    ----------
    events : structured array with the fields x, y, p and t (microseconds), (events,)
    side : int
        Height and width of the image in pixels.
    steps : int
        Number of bins; later events are left out.
    dt_us : int
        Length of a bin in microseconds.

    Returns
    -------
    array of int64, (steps, 2 side side)
        Flat in the order polarity, row, column, as `Conv2d((2, side, side), ...)` takes it.

    Raises
    ------
    InputError
        For an event outside the image, of another polarity or before time 0, and for a number below 1.
    """
    count("steps", steps)
    if (events["t"] < 0).any():
        raise InputError(f"t: expected 0 or more, got {events['t'].min()}")
    return dense(bin_events(events, side, side, side, 0, steps * count("dt_us", dt_us), dt_us))
