"""The equivalent ANN for training: the same numbers as `ann`, with in-place work and matrix products.  [T19 Eq. 14-18]

Each piece is tested against its definition in `layers` and `ann`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad.layers import AveragePool, Conv, Map
from decolle_ref.spikegrad.network import Layer, Network


class Cache(NamedTuple):
    """What the backward phase needs of one layer."""

    columns: Array  # inputs of every neuron, one row for each place; empty in pooling layers
    gate: Array | None  # S', or None for linear neurons
    S: Array


def nearest(x: Array) -> Array:
    """`ann.nearest`, overwriting x."""
    whole = np.trunc(x)
    x -= whole
    x += x
    np.trunc(x, out=x)
    x += whole
    return x


def columns(connections: Map, x: Array) -> Array:
    """Rows of inputs, so that `apply` is one matrix product: (batch x places, inputs of one neuron)."""
    if not isinstance(connections, Conv):
        return x.reshape(len(x), -1)
    pad, size = connections.pad, connections.size
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))) if pad else x
    windows = sliding_window_view(x, (size, size), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    return np.ascontiguousarray(windows).reshape(-1, size * size * x.shape[3])


def matrix(connections: Map, W: Array) -> Array:
    """W as (inputs of one neuron, n), to be multiplied with `columns`."""
    return W.reshape(-1, connections.n) if isinstance(connections, Conv) else W.T


def apply(connections: Map, W: Array, x: Array) -> tuple[Array, Array]:
    """(`connections.apply`, columns)."""
    if isinstance(connections, AveragePool):
        return _pool(connections, W, x), np.empty((0, 0), x.dtype)
    rows = columns(connections, x)
    return (rows @ matrix(connections, W)).reshape(-1, *connections.shape), rows


def _pool(connections: AveragePool, W: Array, x: Array) -> Array:
    y: Array = np.zeros((len(x), *connections.shape), x.dtype)
    for p, q in np.ndindex(connections.size, connections.size):
        y += x[:, p :: connections.size, q :: connections.size]
    y *= W
    return y


def adjoint(connections: Map, W: Array, delta: Array) -> Array:
    """`connections.adjoint`."""
    if not isinstance(connections, Conv):
        return connections.adjoint(W, delta)
    size, pad, (rows, across, _) = connections.size, connections.pad, connections.shape
    height, width, channels = connections.shape_in
    back = delta.reshape(-1, connections.n) @ matrix(connections, W).T
    back = back.reshape(-1, rows, across, size, size, channels)
    padded: Array = np.zeros((len(delta), height + 2 * pad, width + 2 * pad, channels), back.dtype)
    for r, c in np.ndindex(rows, across):  # whole windows: longer runs of memory than one place of the window each
        padded[:, r : r + size, c : c + size] += back[:, r, c]
    return padded[:, pad : pad + height, pad : pad + width]


def forward(net: Network, weights: Sequence[Weights], x: Array) -> tuple[Array, list[Cache]]:
    """`ann.forward`: V of the top layer, and what the backward phase needs of every layer."""
    kept: list[Cache] = []
    for layer, w in zip(net[:-1], weights[:-1], strict=True):
        z, rows = _integrate(layer, w, x)
        z /= layer.theta_ff
        gate = z > 0 if layer.relu else None
        x = nearest(z)
        if layer.relu:
            np.maximum(x, 0, out=x)
        kept.append(Cache(rows, gate, x))
    V, rows = _integrate(net[-1], weights[-1], x)
    return V, [*kept, Cache(rows, None, V)]


def _integrate(layer: Layer, weights: Weights, x: Array) -> tuple[Array, Array]:
    V, rows = apply(layer.map, weights.W, x)
    if layer.map.learns:
        V += weights.b
    return V, rows


def only(kept: Sequence[Cache], samples: Array) -> list[Cache]:
    """What was kept of some samples of the batch, given by a mask."""

    def some(columns: Array) -> Array:
        places = len(columns) // len(samples)
        return columns[np.repeat(samples, places)] if places else columns

    return [Cache(some(own.columns), None if own.gate is None else own.gate[samples], own.S[samples]) for own in kept]


def backward(
    net: Network, weights: Sequence[Weights], kept: Sequence[Cache], U: Array, gradient: str = "spike"
) -> tuple[list[Array], list[Weights]]:
    """(`ann.backward`, `ann.increments`).  U of the top layer is overwritten."""
    errors: list[Array] = []
    increments: list[Weights] = []
    for layer, w, own in zip(reversed(net), reversed(weights), reversed(kept), strict=True):
        U /= layer.theta_bp
        E = nearest(U) if gradient == "spike" else U
        if own.gate is not None:
            E *= own.gate
        errors.insert(0, E)
        increments.insert(0, increment(layer.map, E, own.columns))
        if layer is not net[0]:
            U = adjoint(layer.map, w.W, E)
    return errors, increments


def increment(connections: Map, E: Array, rows: Array) -> Weights:
    """`ann.increment` from columns."""
    if isinstance(connections, AveragePool):
        return Weights(np.zeros((), E.dtype), np.zeros((), E.dtype))
    flat = E.reshape(-1, E.shape[-1])
    db = np.ones(len(flat), E.dtype) @ flat  # many times faster than a sum over the long axis
    if isinstance(connections, Conv):
        return Weights((rows.T @ flat).reshape(connections.shape_W), db)
    return Weights(flat.T @ rows, db)
