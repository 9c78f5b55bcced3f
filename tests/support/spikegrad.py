"""Networks of dyadic numbers in which arithmetic is exact and ties with the thresholds abound."""

import numpy as np
from hypothesis import strategies as st

from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from decolle_ref.spikegrad.layers import AveragePool, IFLayer

DENSE = ((Dense(3, 4), Dense(4, 3), Dense(3, 2)), (Dense(4, 5), Dense(5, 3)), (Dense(2, 3),))
IMAGES = (
    (Conv2d((1, 5, 5), 2, 2), AveragePool((2, 4, 4)), Conv2d((2, 2, 2), 2, 2, padding=1), Dense(18, 3)),
    (Conv2d((2, 4, 4), 1, 3, padding=1), AveragePool((1, 4, 4)), Dense(4, 2)),
    (AveragePool((1, 4, 2)), Conv2d((1, 2, 1), 3, 1), Dense(6, 2)),
)
GRID = 4  # weights are multiples of 1 / 4, so that arithmetic is exact and ties with the thresholds abound

seeds = st.integers(0, 2**32 - 1)
orders = st.sampled_from(("fifo", "lifo", "random"))


def dyadic(rng, shape, reach):
    return rng.integers(-reach, reach, shape, endpoint=True) / GRID


def learns(synapse):
    return not isinstance(synapse, AveragePool)


def dyadic_weights(rng, stack):
    shapes = [synapse.shapes for synapse in stack]
    return [
        Weights(dyadic(rng, W, 5), dyadic(rng, b, 4)) if learns(synapse) else synapse.weights()
        for synapse, (W, b) in zip(stack, shapes, strict=True)
    ]


def problem(rng, stack, linear=False):
    """A network of dyadic weights and thresholds, an input of whole numbers, and an error for its top layer."""
    thresholds = 2.0 ** rng.integers(-1, 2, (len(stack), 2))
    relu = [learns(synapse) and not linear and rng.random() < 0.7 for synapse in stack]
    net = [IFLayer(m, bool(r), *map(float, theta)) for m, r, theta in zip(stack, relu, thresholds, strict=True)]
    return net, dyadic_weights(rng, stack), dyadic(rng, stack[0].n_in, 2 * GRID) // 1, dyadic(rng, stack[-1].n, 8)


def all_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)
