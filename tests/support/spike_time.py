"""Random networks and neurons of first-spike times: weights of both signs, silent and simultaneous senders."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from decolle_ref._util.check import Array
from decolle_ref.credit import spike_time

SEEDS = st.integers(0, 2**32 - 1)


class Random(NamedTuple):
    W: list[Array]
    t: Array
    c: Array  # the loss is sum c t_out over the outputs that fire


def random_network(seed):
    """1 to 3 layers of 1 to 5 neurons; weights of both signs, a tenth of the senders silent, some simultaneous."""
    rng = np.random.default_rng(seed)
    sizes, batch = rng.integers(1, 6, rng.integers(2, 5)), rng.integers(1, 4)
    W = [rng.normal(2.5 / m, 1.5 / np.sqrt(m), (n, m)) for m, n in pairwise(sizes)]
    t = rng.uniform(0, 3, (batch, sizes[0]))
    t[rng.random(t.shape) < 0.1] = np.inf
    if sizes[0] > 1 and rng.random() < 0.3:
        t[:, 1] = t[:, 0]
    return Random(W, t, rng.normal(size=(batch, sizes[-1])))


def random_neuron(seed):
    """w, t of 1 to 8 senders: weights of both signs, some senders silent, some simultaneous."""
    rng = np.random.default_rng(seed)
    m = rng.integers(1, 9)
    t = rng.uniform(0, 3, m)
    t[rng.random(m) < 0.1] = np.inf
    if rng.random() < 0.3:
        t[: m // 2] = t[0]
    return rng.normal(0.6, 0.8, m), t


def first_spike(w, t):
    return spike_time.fire(w[None], spike_time.encode(t)[None]).z[0, 0]
