"""Generated recordings for the experiments on camera events: the class is the quadrant that has more events."""

import numpy as np

from decolle_ref.data.events import EVENT
from decolle_ref.data.frames import bin_events
from decolle_ref.experiments.event_run import Data

SIDE, CLASSES = 16, ("upper left", "upper right", "lower left", "lower right")


def record(rng, label, duration):
    """Events of one recording: 6000 in a second anywhere, and as many in the quadrant of the class."""
    n = 6 * duration
    events = np.empty(2 * n, EVENT)
    for axis, bit in (("y", label // 2), ("x", label % 2)):
        events[axis] = rng.integers(SIDE, size=2 * n)
        events[axis][:n] = bit * SIDE // 2 + rng.integers(SIDE // 2, size=n)
    events["p"], events["t"] = rng.integers(2, size=2 * n), rng.integers(1000 * duration, size=2 * n)
    return events


def quadrants(seed, n, n_test, duration=30):
    """n recordings for training and n_test for testing, of some milliseconds."""
    rng, labels = np.random.default_rng(seed), np.arange(n + n_test) % len(CLASSES)
    recordings = [bin_events(record(rng, k, duration), SIDE, SIDE, SIDE, 0, 1000 * duration) for k in labels]
    return Data(recordings[:n], labels[:n], recordings[n:], labels[n:], CLASSES)
