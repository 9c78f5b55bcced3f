"""How much work spikes make: synaptic operations, and how many spikes there can be.  [T19 Eq. 21, Fig. 1, 2]"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad import snn
from decolle_ref.spikegrad.network import Layer, Network
from decolle_ref.spikegrad.snn import Outcome


class Synapses(NamedTuple):
    """Connections of one layer."""

    fan_out: Array  # how many leave each input, shape_in
    fan_in: Array  # how many reach each neuron, shape
    total: int  # = multiply-accumulates of an ANN, for one sample


def synapses(layer: Layer) -> Synapses:
    """Counted by sending ones through weights of one."""
    W = np.ones(layer.map.shape_W)
    fan_out = layer.map.adjoint(W, np.ones((1, *layer.map.shape)))[0]
    fan_in = layer.map.apply(W, np.ones((1, *layer.map.shape_in)))[0]
    return Synapses(fan_out, fan_in, int(fan_in.sum()))


def count(spikes: Array, fan: Array) -> float:
    """Synaptic operations of a batch: the sum of |spikes| x synapses.  (batch, *shape), shape."""
    return float(np.abs(spikes).sum(axis=0, dtype=np.float64).ravel() @ fan.ravel())


class Operations(NamedTuple):
    """Synaptic operations of a batch in the connections of layers 2, 3, ...  Layer 1 multiplies real numbers."""

    forward: Array  # by the spikes of the layer below
    backward: Array  # by the error spikes of the layer above, on their way down


def operations(wiring: Sequence[Synapses], S: Sequence[Array], E: Sequence[Array]) -> Operations:
    """From the totals of spikes S and error spikes E of all layers, the fewest that there can be."""
    forward = [count(below, w.fan_out) for below, w in zip(S[:-1], wiring[1:], strict=True)]
    backward = [count(errors, w.fan_in) for errors, w in zip(E[1:], wiring[1:], strict=True)]
    return Operations(np.array(forward), np.array(backward))


def macs(net: Network) -> Array:
    """Multiply-accumulates of the ANN for one sample and one direction, in the connections of layers 2, 3, ..."""
    return np.array([synapses(layer).total for layer in net[1:]])


def relative(net: Network, made: Array) -> float:
    """Operations over multiply-accumulates, pooling layers left out as in the paper.  (layers - 1,), per sample."""
    learns = np.array([layer.map.learns for layer in net[1:]])
    return float(made[learns].sum() / macs(net)[learns].sum())


def sent(net: Network, seen: Outcome) -> list[Array]:
    """How many spikes each neuron sent in an event-driven phase, whatever their signs."""
    counts = []
    for layer, spikes in zip(net, seen.spikes, strict=True):
        places = np.array([spike.place for spike in spikes], int)
        counts.append(np.bincount(places, minlength=int(np.prod(layer.map.shape))).reshape(layer.map.shape))
    return counts


def most_forward(layer: Layer, weights: Weights, arriving: Array) -> Array:
    """At most (|b_i| + sum_j |w_ij| n_j) / Theta_ff + 1/2 spikes; 1/2 is for the residual one.  [T19 Eq. 21]

    arriving: n_j, (shape_in,), numbers of spikes, or |x| of a real-valued input.
    """
    most: Array = (np.abs(weights.b) + layer.map.apply(np.abs(weights.W), arriving[None])[0]) / layer.theta_ff + 0.5
    return most


def most_backward(layer: Layer, above: Layer, weights_above: Weights, arriving: Array) -> Array:
    """At most sum_k |w_ki| n_k / Theta_bp + 1/2 error spikes, if n_k arrive from the layer above.  [T19 Eq. 21]"""
    most: Array = above.map.adjoint(np.abs(weights_above.W), arriving[None])[0] / layer.theta_bp + 0.5
    return most


def spent(net: Network, weights: Sequence[Weights], x: Array, U: Array) -> dict[str, dict[str, int]]:
    """Spikes sent by the event-driven network for one sample, the sum of |totals|, and the bound of [T19 Eq. 21].

    spikes / totals is the redundancy, 1 at best.  Computed in float64.
    """
    exact = [Weights(w.W.astype(np.float64), w.b.astype(np.float64)) for w in weights]
    seen = snn.forward(net, exact, x.astype(np.float64))
    errors = snn.backward(net, exact, seen, U.astype(np.float64))
    forward, backward = sent(net, seen), sent(net, errors)
    ups = zip(net[:-1], exact[:-1], [np.abs(x), *forward[:-2]], strict=True)
    downs = zip(net[:-1], net[1:], exact[1:], backward[1:], strict=True)
    top = np.abs(U) / net[-1].theta_bp + 0.5
    return {
        "forward": _spent(forward[:-1], seen.totals[:-1], [most_forward(*up) for up in ups]),
        "backward": _spent(backward, errors.totals, [*(most_backward(*down) for down in downs), top]),
    }


def _spent(spikes: list[Array], totals: list[Array], bounds: list[Array]) -> dict[str, int]:
    columns = {"spikes": spikes, "totals": [np.abs(total) for total in totals], "bound": [np.floor(m) for m in bounds]}
    return {name: sum(int(layer.sum()) for layer in layers) for name, layers in columns.items()}
