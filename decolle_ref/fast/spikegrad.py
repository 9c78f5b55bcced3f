"""The equivalent ANN of SpikeGrad for training, in place.  [T19 Eq. 14, 15, 18]

`forward` and `backward` are tested against `ann.forward`, `ann.backward` and `ann.increments`, `nearest` against
`ann.nearest`, and `step` against all of them.  Inside, arrays are (n, batch), and convolutions are the `Patches` of
`fast.conv`; arguments and results are (batch, n), as in the definitions.

>>> from decolle_ref.spikegrad import network
>>> net = network.parse("4x4-2C3-10")
>>> weights = network.init_weights(np.random.default_rng(0), net)
>>> result = step(net, weights, np.ones((5, 16)), np.arange(5), alpha=100.0, gradient="spike")
>>> result.S[0].shape, result.increments[0].W.shape
((5, 8), (2, 1, 3, 3))
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util import check
from decolle_ref._util.check import Array, InputError, finite, floats, validate_choice, validate_one_per_layer
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.pool import window_views
from decolle_ref.spikegrad import ann
from decolle_ref.spikegrad.layers import AveragePool, Connections, IFLayer, IFNetwork

__all__ = ["Cache", "Step", "accuracy", "backward", "forward", "nearest", "step"]

EVALUATION_BATCH = 100  # samples at a time in `accuracy`


class Cache(NamedTuple):
    """The results of one layer that the backward phase needs.

    Attributes
    ----------
    S_below
        Its inputs, (n_in, batch).
    gate
        S', (n, batch); None for linear neurons and the top layer.
    """

    S_below: Array
    gate: Array | None


class Step(NamedTuple):
    """Results of one mini-batch, before the update.

    Attributes
    ----------
    loss
        Cross-entropy, summed over the batch, in nats.
    increments
        sum of E_i S_j, which is alpha / Theta_bp times the gradient of the loss, for each layer.
    S
        Totals of spikes of each layer, (batch, n); in the top layer V.
    E
        Totals of error spikes of each layer, (samples, n), of the samples whose error makes spikes.
    """

    loss: float
    increments: list[Weights]
    S: list[Array]
    E: list[Array]


def nearest(x: Array) -> Array:
    """`ann.nearest`, overwriting x.  Assumes floats.

    Parameters
    ----------
    x
        Any array of floats.

    Returns
    -------
    array
        x itself, rounded.
    """
    whole = np.trunc(x)
    x -= whole
    x += x
    np.trunc(x, out=x)
    x += whole
    return x


def forward(net: IFNetwork, weights: Sequence[Weights], x: Array) -> tuple[list[Array], list[Cache]]:
    """`ann.forward` with rounding to the nearest integer.

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    x
        Inputs, (batch, n_in).

    Returns
    -------
    S, caches
        Totals of all layers, (batch, n), with V of the top layer last; and the arguments of `backward`.
    """
    validate_one_per_layer("weights", weights, len(net))
    weights = [layer.synapse.parse(w) for layer, w in zip(net, weights, strict=True)]
    x = floats("x", x, np.shape(x)[0] if np.ndim(x) else 0, net[0].synapse.n_in)
    below, totals, caches = np.ascontiguousarray(x.T), [], []
    for layer, w in zip(net, weights, strict=True):
        S, gate = _drive(layer.synapse, w, below), None
        if layer is not net[-1]:
            S /= layer.theta_ff
            gate = S > 0 if layer.relu else None
            nearest(S)
            if layer.relu:
                np.maximum(S, 0, out=S)
        caches.append(Cache(below, gate))
        totals.append(S.T)
        below = S
    return totals, caches


def _drive(synapse: Connections, weights: Weights, S_below: Array) -> Array:
    """`drive` of (n_in, batch) -> (n, batch)."""
    if isinstance(synapse, Conv2d):
        U = np.empty((synapse.channels, synapse.n // synapse.channels * S_below.shape[1]), S_below.dtype)
        _patches(synapse, S_below).drive(weights, U)
        return U.reshape(synapse.n, -1)
    if isinstance(synapse, AveragePool):
        return np.asarray(weights.W * sum(_views(synapse, S_below))).reshape(synapse.n, -1)
    U = weights.W @ S_below
    U += weights.b[:, None]
    return U


def _patches(synapse: Conv2d, S_below: Array) -> Patches:
    batch = S_below.shape[1]
    patches = Patches(synapse, synapse.shape[1:], batch, S_below.dtype)
    patches.load(S_below.reshape(*synapse.shape_in, batch))
    return patches


def _views(pool: AveragePool, x: Array) -> list[Array]:
    channels, rows, columns = pool.shape
    return window_views(x, (channels, rows, pool.size, columns, pool.size, x.shape[1]))


def backward(
    net: IFNetwork, weights: Sequence[Weights], caches: Sequence[Cache], U: Array, gradient: str = "spike"
) -> tuple[list[Array], list[Weights]]:
    """`ann.backward` with rounding to the nearest integer, and `ann.increments`.

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    caches
        What `forward` returned.
    U
        Error of the top layer before rounding, (batch, n_out).
    gradient
        "spike", or "float" for errors that are not rounded.

    Returns
    -------
    errors, increments
        E of every layer, (batch, n), and one `Weights` per layer.
    """
    errors: list[Array] = []
    increments: list[Weights] = []
    U = floats("U", U, caches[-1].S_below.shape[1], net[-1].synapse.n)
    weights = [layer.synapse.parse(w) for layer, w in zip(net, weights, strict=True)]
    E = np.ascontiguousarray(U.T)
    for layer, w, cache in zip(reversed(net), reversed(weights), reversed(caches), strict=True):
        E = E / layer.theta_bp
        if gradient == "spike":
            nearest(E)
        if cache.gate is not None:
            E *= cache.gate
        errors.insert(0, E.T)
        increment, E = _backward_layer(layer, w, cache.S_below, E, lowest=layer is net[0])
        increments.insert(0, increment)
    return errors, increments


def _backward_layer(layer: IFLayer, weights: Weights, S_below: Array, E: Array, lowest: bool) -> tuple[Weights, Array]:
    """The increment of a layer, and the error (n_in, batch) that it sends down; the lowest layer sends none."""
    synapse, down = layer.synapse, np.empty_like(S_below)
    if isinstance(synapse, Conv2d):
        patches, maps = _patches(synapse, S_below), E.reshape(synapse.channels, -1)
        increment = Weights(np.empty_like(weights.W), np.empty_like(weights.b))
        patches.gradient(maps, increment)
        if not lowest:
            patches.adjoint(weights, maps, down.reshape(*synapse.shape_in, -1))
    elif isinstance(synapse, AveragePool):
        increment = synapse.gradient(E.T, S_below.T)
        for view in _views(synapse, down):
            np.multiply(weights.W, E.reshape(view.shape), out=view)
    else:
        increment = synapse.gradient(E.T, S_below.T)
        if not lowest:
            down = weights.W.T @ E
    return increment, down


def step(net: IFNetwork, weights: Sequence[Weights], x: Array, labels: Array, alpha: float, gradient: str) -> Step:
    """Forward phase, top error and backward phase of one mini-batch.

    A sample whose error stays below half a threshold makes no error spike, so that the backward phase leaves it out.
    Sparse errors save time in this way: almost half of the step once most samples are classified correctly.

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    x, labels
        Inputs, (batch, n_in), and the class of each sample, (batch,).
    alpha
        Error scale.
    gradient
        "spike", or "float" for errors that are not rounded.

    Returns
    -------
    Step
        Loss, increments and totals.
    """
    validate_choice("gradient", gradient, ann.GRADIENTS)
    S, caches = forward(net, weights, x)
    loss = float(ann.cross_entropy(S[-1], labels).sum())
    U = ann.top_error(S[-1], labels, alpha)
    if gradient == "spike":
        active: Array = np.abs(U).max(axis=1) >= net[-1].theta_bp / 2
        active[0] |= not active.any()  # at least one sample, because the shape of an empty array is ambiguous
        if not active.all():
            U, caches = U[active], [_select(cache, active) for cache in caches]
    errors, increments = backward(net, weights, caches, U, gradient)
    return Step(loss, increments, S, errors)


def _select(cache: Cache, samples: Array) -> Cache:
    return Cache(cache.S_below[:, samples], None if cache.gate is None else cache.gate[:, samples])


def accuracy(net: IFNetwork, weights: Sequence[Weights], x: Array, labels: Array) -> float:
    """Share of images whose largest V is that of their label.

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    x, labels
        Inputs, (samples, n_in), and the class of each sample, (samples,).

    Returns
    -------
    float
        Between 0 and 1.
    """
    if not np.ndim(x) or not len(x):
        raise InputError(f"x: expected at least one sample, got shape {np.shape(x)}")
    parsed, right = check.labels("labels", labels, net[-1].synapse.n, np.shape(x)[:1]), 0
    for i in range(0, len(x), EVALUATION_BATCH):
        S, _ = forward(net, weights, x[i : i + EVALUATION_BATCH])
        V = finite("V", S[-1])
        right += int((V.argmax(axis=1) == parsed[i : i + EVALUATION_BATCH]).sum())
    return right / len(x)
