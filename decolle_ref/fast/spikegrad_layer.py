"""The connections of one layer of `fast.spikegrad`, on arrays (n, batch): up, down, and the weight increment.

Tested through `fast.spikegrad` against `drive`, `adjoint` and `gradient` of the connections.
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.fast.conv import Adjoint, Patches
from decolle_ref.fast.memory import Empty, Memory
from decolle_ref.fast.pool import window_views
from decolle_ref.spikegrad.layers import AveragePool, Connections


def drive(synapse: Connections, weights: Weights, S_below: Array, patches: Patches | None, empty: Empty) -> Array:
    """`drive` of (n_in, batch) -> (n, batch), with the `load_patches` of S_below."""
    U = empty((synapse.n, S_below.shape[1]), S_below.dtype)
    if patches is not None:
        patches.drive(weights, U.reshape(patches.n, -1))
    elif isinstance(synapse, AveragePool):
        first, *others = _views(synapse, S_below)
        total = U.reshape(first.shape)
        total[...] = first
        for other in others:
            total += other
        U *= weights.W
    else:
        np.matmul(weights.W, S_below, out=U)
        U += weights.b[:, None]
    return U


def load_patches(synapse: Connections, S_below: Array, empty: Empty) -> Patches | None:
    """The windows of S_below (n_in, batch) that a convolution sees; None for other connections."""
    if not isinstance(synapse, Conv2d):
        return None
    batch = S_below.shape[1]
    patches = Patches(synapse, synapse.shape[1:], batch, S_below.dtype, empty)
    patches.load(S_below.reshape(*synapse.shape_in, batch))
    return patches


def _views(pool: AveragePool, x: Array) -> list[Array]:
    channels, rows, columns = pool.shape
    return window_views(x, (channels, rows, pool.size, columns, pool.size, x.shape[1]))


def increment(synapse: Connections, weights: Weights, S_below: Array, patches: Patches | None, E: Array) -> Weights:
    """`gradient` of E (n, batch), with the `load_patches` of S_below."""
    if patches is None:
        return synapse.gradient(E.T, S_below.T)
    result = Weights(np.empty_like(weights.W), np.empty_like(weights.b))
    patches.gradient(E.reshape(patches.n, -1), result)
    return result


def adjoint(synapse: Connections, weights: Weights, E: Array, memory: Memory) -> Array:
    """`adjoint` of (n, batch) -> (n_in, batch)."""
    down = memory.empty((synapse.n_in, E.shape[1]), E.dtype)
    if isinstance(synapse, AveragePool):
        for view in _views(synapse, down):
            np.multiply(weights.W, E.reshape(view.shape), out=view)
    elif isinstance(synapse, Conv2d):
        used = memory.used
        back = Adjoint(synapse, synapse.shape[1:], E.shape[1], E.dtype, memory.empty)
        back(weights, E.reshape(synapse.channels, -1), down.reshape(*synapse.shape_in, -1))
        memory.release(used)
    else:
        np.matmul(weights.W.T, E, out=down)
    return down
