"""Generated recordings of moving bars, as the experiments on camera events take them."""

import numpy as np

from decolle_ref.data import moving_bar
from decolle_ref.data.frames import bin_events
from decolle_ref.experiments.event_run import Data

SIDE = 16


def bars(seed, n, n_test, duration=0.03):
    """n recordings for training and n_test for testing, of bars that move in one of four directions."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n + n_test) % len(moving_bar.DIRECTIONS)
    recordings = []
    for label in labels:
        events = moving_bar.record(rng, moving_bar.DIRECTIONS[label], SIDE, duration, speed=400.0)
        recordings.append(bin_events(events, SIDE, SIDE, SIDE, 0, round(1e6 * duration)))
    return Data(recordings[:n], labels[:n], recordings[n:], labels[n:], moving_bar.DIRECTIONS)
