"""The event-driven network: forward, backward and what it learns, for one sample.  [T19 Eq. 1-8, 16, 19, Alg. 1-3]

With residual spikes the totals equal the integers of `ann` exactly; without them they are within 1 of what the layer
below makes of them.  [T19 Eq. 9-13, 17, 20]
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, finite, validate_shape
from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad.events import Neurons, Phase, Spike, Targets, neurons
from decolle_ref.spikegrad.layers import Map
from decolle_ref.spikegrad.network import Layer, Network, validate

LIMIT = 1_000_000  # spikes of one phase
CHUNK = 256  # senders at a time when connections are listed


class Outcome(NamedTuple):
    """What one phase leaves behind, layer by layer in the order of the network."""

    V: list[Array]  # V(T) or U(T), shape of the layer
    totals: list[Array]  # S or E: the sum of spikes sent; in the top layer of the forward phase V, which does not spike
    spikes: list[list[Spike]]  # all spikes sent, in order


class Manner(NamedTuple):
    """How events are run.  Totals depend on `residual` alone."""

    order: str = "fifo"
    rng: np.random.Generator | None = None  # for order = "random"
    residual: str | None = "nearest"  # how totals are rounded in the end, or None: not at all
    limit: int = LIMIT


FIFO = Manner()


def forward(
    net: Network, weights: Sequence[Weights], x: Array, manner: Manner = FIFO, spiking_input: bool = False
) -> Outcome:
    """The forward phase for x of the first layer's shape_in.  [T19 Eq. 1-4, 16, Alg. 1]

    By default x is multiplied with the weights of the first layer; with spiking_input its entries are numbers of input
    spikes.  Raises InputError for weights or an x that do not fit, or for more than `limit` spikes.
    """
    validate(net, weights)
    validate_shape("x", finite("x", x), net[0].map.shape_in)
    layers = [_at_rest(layer, w) for layer, w in zip(net, weights, strict=True)]
    if not spiking_input:
        layers[0].V[:] += net[0].map.apply(weights[0].W, x[None])[0].ravel()
    routes = [fan_out(layer.map, w.W) for layer, w in zip(net, weights, strict=True)]
    phase = Phase("forward", layers, routes, len(net) - 1, manner.order, manner.rng, manner.limit)
    phase.run(input_spikes(x) if spiking_input else [], manner.residual)
    V = [own.V.reshape(layer.map.shape) for own, layer in zip(layers, net, strict=True)]
    S = [own.total.reshape(layer.map.shape) for own, layer in zip(layers, net, strict=True)]
    return Outcome(V, [*S[:-1], V[-1]], phase.sent)


def _at_rest(layer: Layer, weights: Weights) -> Neurons:
    """V(0) = b."""
    return neurons(np.broadcast_to(weights.b, layer.map.shape), layer.theta_ff, layer.relu)


def input_spikes(x: Array) -> list[Spike]:
    """|x_j| spikes of the sign of x_j from each input j."""
    if (x != np.trunc(x)).any():
        raise InputError("x: expected whole numbers of input spikes, got fractions")
    return [Spike(-1, j, int(np.sign(n))) for j, n in enumerate(x.ravel()) for _ in range(int(abs(n)))]


def derivative(net: Network, seen: Outcome) -> list[Array]:
    """S'_i = 1 if V_i(T) > 0 or the total > 0; linear neurons and the top layer always 1.  [T19 Eq. 5]"""
    return [
        (V > 0) | (total > 0) if layer.relu and layer is not net[-1] else np.ones(V.shape, bool)
        for layer, V, total in zip(net, seen.V, seen.totals, strict=True)
    ]


def backward(net: Network, weights: Sequence[Weights], seen: Outcome, U: Array, manner: Manner = FIFO) -> Outcome:
    """The backward phase after the forward phase `seen`; U of the top layer starts it.  [T19 Eq. 6, 7, 19, Alg. 2]

    All neurons discretise their error in steps of Theta_bp; those with S' = 0 keep it to themselves.
    """
    validate_shape("U", finite("U", U), net[-1].map.shape)
    start = [*(np.zeros(layer.map.shape, U.dtype) for layer in net[:-1]), U]
    layers = [
        neurons(u, layer.theta_bp, sends=gate) for u, layer, gate in zip(start, net, derivative(net, seen), strict=True)
    ]
    nowhere: list[Targets] = []  # into the top layer, which has its error already
    routes = [*(fan_in(layer.map, w.W) for layer, w in zip(net[1:], weights[1:], strict=True)), nowhere]
    phase = Phase("backward", layers[::-1], routes[::-1], len(net), manner.order, manner.rng, manner.limit)
    phase.run([], manner.residual)
    U_left = [own.V.reshape(layer.map.shape) for own, layer in zip(layers, net, strict=True)]
    E = [(own.total * own.sends).reshape(layer.map.shape) for own, layer in zip(layers, net, strict=True)]
    return Outcome(U_left, E, phase.sent[::-1])


def increments(net: Network, x: Array, seen: Outcome, errors: Outcome) -> list[Weights]:
    """omega_ij / (-eta): x_j^(l-1) / eta is added to it with the sign of every error spike delta_i.  [T19 Eq. 8]"""
    below = [x, *seen.totals[:-1]]
    return [_increment(layer, S, spikes) for layer, S, spikes in zip(net, below, errors.spikes, strict=True)]


def _increment(layer: Layer, S_below: Array, spikes: list[Spike]) -> Weights:
    if not layer.map.learns:
        return Weights(np.zeros((), S_below.dtype), np.zeros((), S_below.dtype))
    delta = np.zeros((len(spikes), int(np.prod(layer.map.shape))), S_below.dtype)  # one row for each error spike
    for row, spike in zip(delta, spikes, strict=True):
        row[spike.place] = spike.sign
    one_by_one = delta.reshape(len(spikes), *layer.map.shape)
    x = np.broadcast_to(S_below, (len(spikes), *layer.map.shape_in))
    return Weights(layer.map.increment(one_by_one, x), one_by_one.sum(axis=tuple(range(one_by_one.ndim - 1))))


def fan_out(connections: Map, W: Array) -> list[Targets]:
    """For each input j the neurons that it reaches, and w_ij."""
    return _targets(connections.shape_in, W.dtype, lambda spikes: connections.apply(W, spikes))


def fan_in(connections: Map, W: Array) -> list[Targets]:
    """For each neuron i the inputs that its errors go back to, and w_ij."""
    return _targets(connections.shape, W.dtype, lambda spikes: connections.adjoint(W, spikes))


def _targets(shape: tuple[int, ...], dtype: np.dtype[Any], travel: Callable[[Array], Array]) -> list[Targets]:
    """Send one spike from each sender, and see what arrives where."""
    n, found = int(np.prod(shape)), []
    for first in range(0, n, CHUNK):
        senders = np.arange(first, min(first + CHUNK, n))
        spikes = np.zeros((len(senders), n), dtype)
        spikes[np.arange(len(senders)), senders] = 1
        for arrived in travel(spikes.reshape(-1, *shape)).reshape(len(senders), -1):
            targets = np.flatnonzero(arrived)
            found.append((targets, arrived[targets]))
    return found
