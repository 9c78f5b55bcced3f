"""From the events of a camera to integer frames: crop, downsample by summing, and bin.  [K20 Sec. 4.3]

    frame[n, (p, i, j)] = number of events of polarity p with    dt n <= t - start < dt (n + 1)
                          and pixel (y, x) in row i and column j of the grid of factor x factor blocks.

A recording has few events and many frames, so its events stay a list until their step is shown: `stream`
makes the dense frames of a mini-batch one step at a time.

>>> events = np.array([(0, 0, 1, 100), (1, 1, 1, 900), (3, 0, 0, 1500)], [(c, "<i8") for c in "xypt"])
>>> recording = bin_events(events, sensor=4, crop=4, size=2)
>>> recording.steps, dense(recording).tolist()  # 1 ms per step; polarity 0 first
(2, [[0, 0, 0, 0, 2, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0]])
>>> [x.tolist() for x in stream([recording, recording], [0, 1], steps=1)]
[[[0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]]
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, count, float_dtype

__all__ = ["Recording", "bin_events", "dense", "random_starts", "stream"]

POLARITIES = 2


class Recording(NamedTuple):
    """A recording as the entries of its frames: every event adds 1 to one entry.

    Attributes
    ----------
    place : array of uint16 or uint32, (events,)
        Index into a flat frame (polarity, row, column), in the order of time.
    ends : array of int64, (1 + steps,)
        Frame n has the events ends[n] to ends[n + 1].
    shape : (2, size, size)
        Of a frame.
    """

    place: Array
    ends: Array
    shape: tuple[int, int, int]

    @property
    def steps(self) -> int:
        """The number of frames."""
        return len(self.ends) - 1

    @property
    def n(self) -> int:
        """The number of entries of a frame."""
        return int(np.prod(self.shape))

    def at(self, step: int) -> Array:
        """The entries to which the events of one step add 1; none after the end."""
        return self.place[self.ends[step] : self.ends[step + 1]] if step < self.steps else self.place[:0]


def bin_events(
    events: Array,
    sensor: int,
    crop: int,
    size: int,
    start_us: int = 0,
    stop_us: int | None = None,
    dt_us: int = 1000,
) -> Recording:
    """Cut the middle out of the image, sum blocks of pixels, and count events in bins of time.

    Parameters
    ----------
    events : structured array with the fields x, y, p and t (microseconds), (events,)
    sensor : int
        Height and width of the sensor in pixels.
    crop : int
        Height and width of the square that is cut out of its middle; events outside are left out.
    size : int
        Height and width of a frame; a divisor of `crop`.  Each entry sums (crop / size)^2 pixels.
    start_us, stop_us : int
        The part of the recording, in microseconds; events outside are left out.  None is the last event.
    dt_us : int
        Length of a bin in microseconds.

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        For an event outside the sensor or of another polarity, and for sizes or times that do not fit.
    """
    factor = _factor(sensor, crop, size)
    count("dt_us", dt_us)
    _validate(events, sensor)
    t = events["t"].astype(np.int64) - start_us
    length = (int(t.max(initial=-1)) + 1) if stop_us is None else stop_us - start_us
    steps = count("number of steps", -(-length // dt_us), 0)
    margin = (sensor - crop) // 2
    x, y = (events[c].astype(np.int64) - margin for c in "xy")
    inside = (t >= 0) & (t < length) & (x >= 0) & (x < crop) & (y >= 0) & (y < crop)
    x, y, p, t = (values[inside] for values in (x, y, events["p"], t))
    step = t // dt_us
    place = ((p * np.int64(size) + y // factor) * size + x // factor)[np.argsort(step, kind="stable")]
    n = POLARITIES * size * size
    per_step = np.bincount((1 + step).astype(np.intp), minlength=1 + steps)  # intp has 32 bits in a browser
    ends = np.cumsum(per_step, dtype=np.int64)
    return Recording(place.astype(np.uint16 if n <= 1 << 16 else np.uint32), ends, (POLARITIES, size, size))


def _factor(sensor: int, crop: int, size: int) -> int:
    """The side of a block of pixels that becomes one entry."""
    count("size", size)
    count("crop", crop, size)
    count("sensor", sensor, crop)
    if crop % size:
        raise InputError(f"size: expected a divisor of the {crop} pixels that are cut out, got {size}")
    return crop // size


def _validate(events: Array, sensor: int) -> None:
    for name, limit in (("x", sensor), ("y", sensor), ("p", POLARITIES)):
        largest = events[name].max(initial=0)
        if largest >= limit:
            raise InputError(f"{name}: expected less than {limit}, got {largest}")


def dense(recording: Recording) -> Array:
    """All frames of a recording: the definition of what `stream` shows.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    array of int64, (steps, 2 size size)
    """
    step = np.repeat(np.arange(recording.steps), np.diff(recording.ends).astype(np.intp))
    frames = np.zeros((recording.steps, recording.n), np.int64)
    np.add.at(frames, (step, recording.place), 1)
    return frames


def random_starts(rng: np.random.Generator, recordings: Sequence[Recording], steps: int) -> list[int]:
    """A random first step of each recording, so that `steps` steps fit; 0 in a recording that is not longer.

    Parameters
    ----------
    rng : numpy.random.Generator
    recordings : sequence of Recording
    steps : int

    Returns
    -------
    list of int
    """
    return [int(rng.integers(max(0, recording.steps - steps) + 1)) for recording in recordings]


def stream(
    recordings: Sequence[Recording], starts: Sequence[int], steps: int, dtype: npt.DTypeLike = np.float32
) -> Iterator[Array]:
    """The frames of a mini-batch, step by step; only one step is ever dense.

    Parameters
    ----------
    recordings : sequence of Recording
        One per sample, all of one shape.
    starts : sequence of int
        The first step of each.
    steps : int
        How many steps are shown; after its end a recording has empty frames.
    dtype : float64 or float32
        Of the frames.

    Yields
    ------
    array, (samples, 2 size size)

    Raises
    ------
    InputError
        For recordings of different shapes, a start for only some of them, or another dtype; at once, not at the first
        step.
    """
    kind = float_dtype(dtype)
    count("recordings", len(recordings))
    if len({recording.shape for recording in recordings}) > 1:
        raise InputError(f"recordings: expected one shape, got {sorted({r.shape for r in recordings})}")
    if len(starts) != len(recordings):
        raise InputError(f"starts: expected {len(recordings)}, one per recording, got {len(starts)}")

    def frames() -> Iterator[Array]:
        for n in range(steps):
            frame = np.zeros((len(recordings), recordings[0].n), kind)
            for row, recording, first in zip(frame, recordings, starts, strict=True):
                np.add.at(row, recording.at(first + n), 1)
            yield frame

    return frames()
