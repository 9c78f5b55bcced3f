"""The event-driven network for one sample: forward phase, backward phase, weight increments.  [T19 Eq. 1-8, Alg. 1-3]

With residual spikes [T19 Eq. 16, 19] the totals equal the integers of `ann` exactly.  Without them each total differs
by less than 1 from what the ANN computes from the totals of the layer below.  [T19 Eq. 9-13, 17, 20]

>>> from decolle_ref.spikegrad.network import parse
>>> net = parse("1x1x2-1-1")
>>> weights = [Weights(np.array([[1.25, -0.5]]), np.zeros(1)), Weights(np.ones((1, 1)), np.zeros(1))]
>>> phase = forward(net, weights, np.array([2.0, 1.0]), spiking_input=True)
>>> phase.totals[0], [spike.sign for spike in phase.spikes[0]]
(array([2.]), [1, 1])
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, finite, floats
from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad.events import Neurons, Phase, Spike, Targets, neurons
from decolle_ref.spikegrad.layers import IFLayer, IFNetwork
from decolle_ref.spikegrad.network import validate
from decolle_ref.spikegrad.routes import fan_in, fan_out

__all__ = [
    "EventOptions",
    "PhaseResult",
    "backward",
    "derivative",
    "forward",
    "increments",
    "input_spikes",
]

LIMIT = 1_000_000  # spikes of one phase
ROWS = 256  # error spikes whose increments are computed at a time


class PhaseResult(NamedTuple):
    """State of all layers after one phase, in the order of the network.

    Attributes
    ----------
    V
        V(T) or U(T) of each layer, (n,).
    totals
        S or E of each layer, the sum of the spikes sent, (n,).  The top layer does not spike in the forward phase and
        has V instead.
    spikes
        All spikes that each layer sent, in order.
    """

    V: list[Array]
    totals: list[Array]
    spikes: list[list[Spike]]


class EventOptions(NamedTuple):
    """Options of the event-driven run.  Only `residual` changes the totals.

    Attributes
    ----------
    order
        Which waiting spike is delivered next: "fifo", "lifo" or "random".
    rng
        Source of the random order.
    residual
        How totals are rounded at the end: "nearest", "floor" or "ceil"; None: not at all.
    limit
        How many spikes may be fired in one phase.
    """

    order: str = "fifo"
    rng: np.random.Generator | None = None
    residual: str | None = "nearest"
    limit: int = LIMIT


FIFO = EventOptions()


def forward(
    net: IFNetwork, weights: Sequence[Weights], x: Array, options: EventOptions = FIFO, spiking_input: bool = False
) -> PhaseResult:
    """The forward phase for one sample.  [T19 Eq. 1-4, 16, Alg. 1]

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    x
        The input, (n_in,).
    options
        How events are run.
    spiking_input
        False: x is multiplied with the weights of the first layer.  True: its entries are numbers of input spikes.

    Returns
    -------
    PhaseResult
        V, S and the spikes of all layers.

    Raises
    ------
    InputError
        For weights or an x that do not fit, fractions of input spikes, or more than `limit` spikes.
    """
    validate(net, weights)
    x = floats("x", finite("x", x), net[0].synapse.n_in)
    layers = [_at_rest(layer, w) for layer, w in zip(net, weights, strict=True)]
    if not spiking_input:
        layers[0].V[:] += net[0].synapse.drive(_without_bias(weights[0]), x[None])[0]
    routes = [fan_out(layer.synapse, w) for layer, w in zip(net, weights, strict=True)]
    phase = Phase("forward", layers, routes, len(net) - 1, options.order, options.rng, options.limit)
    phase.run(input_spikes(x) if spiking_input else [], options.residual)
    V = [layer.V for layer in layers]
    return PhaseResult(V, [*(layer.total for layer in layers[:-1]), V[-1]], phase.sent)


def _at_rest(layer: IFLayer, weights: Weights) -> Neurons:
    """V(0) = b."""
    no_input = np.zeros((1, layer.synapse.n_in), weights.b.dtype)
    return neurons(layer.synapse.drive(weights, no_input)[0], layer.theta_ff, layer.relu)


def _without_bias(weights: Weights) -> Weights:
    return Weights(weights.W, np.zeros_like(weights.b))


def input_spikes(x: Array) -> list[Spike]:
    """|x_j| spikes of the sign of x_j from each input j.

    Parameters
    ----------
    x
        Numbers of input spikes, (n_in,).

    Returns
    -------
    list of Spike
        The spikes, input by input.

    Raises
    ------
    InputError
        For fractions, and for more spikes than a phase may fire.
    """
    x = floats("x", finite("x", x), np.size(x))
    if (x != np.trunc(x)).any():
        raise InputError("x: expected whole numbers of input spikes, got fractions")
    if np.abs(x).sum() > LIMIT:
        raise InputError(f"x: expected at most {LIMIT} input spikes, got {np.abs(x).sum():g}")
    return [Spike(-1, j, int(np.sign(n))) for j, n in enumerate(x) for _ in range(int(abs(n)))]


def derivative(net: IFNetwork, forward_result: PhaseResult) -> list[Array]:
    """S'_i = 1 if V_i(T) > 0 or the total > 0; linear neurons and the top layer always 1.  [T19 Eq. 5]

    Parameters
    ----------
    net
        The layers, bottom up.
    forward_result
        What `forward` returned.

    Returns
    -------
    list of arrays of bool
        One per layer, (n,).

    Raises
    ------
    InputError
        For numbers that are not finite.
    """
    for k, arrays in enumerate(zip(forward_result.V, forward_result.totals, strict=True), start=1):
        for name, array in zip(("V", "total"), arrays, strict=True):
            floats(f"layer {k} {name}", finite(f"layer {k} {name}", array), net[k - 1].synapse.n)
    return [
        (V > 0) | (total > 0) if layer.relu and layer is not net[-1] else np.ones(V.shape, bool)
        for layer, V, total in zip(net, forward_result.V, forward_result.totals, strict=True)
    ]


def backward(
    net: IFNetwork, weights: Sequence[Weights], forward_result: PhaseResult, U: Array, options: EventOptions = FIFO
) -> PhaseResult:
    """The backward phase for one sample.  [T19 Eq. 6, 7, 19, Alg. 2]

    All neurons discretise their error in steps of Theta_bp; those with S' = 0 do not send it.

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    forward_result
        What `forward` returned.
    U
        Error of the top layer, (n_out,), as `ann.top_error` gives it; the phase starts from it.
    options
        How events are run.

    Returns
    -------
    PhaseResult
        U, E and the error spikes of all layers.

    Raises
    ------
    InputError
        For a U that does not fit, or more than `limit` spikes.
    """
    validate(net, weights)
    U = floats("U", finite("U", U), net[-1].synapse.n)
    start = [*(np.zeros(layer.synapse.n, U.dtype) for layer in net[:-1]), U]
    gates = derivative(net, forward_result)
    layers = [neurons(u, layer.theta_bp, sends=gate) for u, layer, gate in zip(start, net, gates, strict=True)]
    nowhere: Sequence[Targets] = []  # no spikes reach the top layer, which has its error from the start
    routes = [*(fan_in(layer.synapse, w) for layer, w in zip(net[1:], weights[1:], strict=True)), nowhere]
    phase = Phase("backward", layers[::-1], routes[::-1], len(net), options.order, options.rng, options.limit)
    phase.run([], options.residual)
    E = [layer.total * layer.sends for layer in layers]
    return PhaseResult([layer.V for layer in layers], E, phase.sent[::-1])


def increments(net: IFNetwork, x: Array, forward_result: PhaseResult, backward_result: PhaseResult) -> list[Weights]:
    """omega_ij / (-eta): x_j^(l-1) / eta is added to it with the sign of every error spike delta_i.  [T19 Eq. 8]

    Parameters
    ----------
    net
        The layers, bottom up.
    x
        The input, (n_in,).
    forward_result, backward_result
        What `forward` and `backward` returned.

    Returns
    -------
    list of Weights
        One per layer, of the shapes of its weights.
    """
    below = [floats("x", x, net[0].synapse.n_in), *forward_result.totals[:-1]]
    return [_increment(layer, S, spikes) for layer, S, spikes in zip(net, below, backward_result.spikes, strict=True)]


def _increment(layer: IFLayer, S_below: Array, spikes: list[Spike]) -> Weights:
    total = layer.synapse.gradient(np.zeros((1, layer.synapse.n), S_below.dtype), S_below[None])
    for first in range(0, len(spikes), ROWS):
        some = spikes[first : first + ROWS]
        delta = np.zeros((len(some), layer.synapse.n), S_below.dtype)  # one row for each error spike
        delta[np.arange(len(some)), [spike.place for spike in some]] = [spike.sign for spike in some]
        more = layer.synapse.gradient(delta, np.broadcast_to(S_below, (len(some), len(S_below))))
        total = Weights(total.W + more.W, total.b + more.b)
    return total
