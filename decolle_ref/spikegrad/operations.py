"""The cost of spikes: synaptic operations, and bounds on the number of spikes.  [T19 Eq. 21, Fig. 1, 2]

>>> from decolle_ref.spikegrad.network import parse
>>> macs(parse("4x4-2C3-P2-10"))  # multiply-accumulates in the pooling and in the dense layer
array([ 8, 20])
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, finite, floats
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad import snn
from decolle_ref.spikegrad.layers import IFLayer, IFNetwork
from decolle_ref.spikegrad.snn import PhaseResult

__all__ = [
    "Fans",
    "Operations",
    "backward_bound",
    "count_fans",
    "count_spikes",
    "forward_bound",
    "macs",
    "operations",
    "relative_operations",
    "spikes_sent",
]


class Fans(NamedTuple):
    """Numbers of connections of one layer.

    Attributes
    ----------
    fan_out
        How many leave each input, (n_in,).
    fan_in
        How many reach each neuron, (n,).
    total
        How many there are: the multiply-accumulates of an ANN for one sample.
    """

    fan_out: Array
    fan_in: Array
    total: int


def count_fans(layer: IFLayer | Layer) -> Fans:
    """Send ones through weights of one, and read how many arrive.

    Parameters
    ----------
    layer
        Any layer, of SpikeGrad or of DECOLLE.

    Returns
    -------
    Fans
        Its numbers of connections.
    """
    synapse = layer.synapse
    shape_W, shape_b = synapse.shapes
    ones = Weights(np.ones(shape_W), np.zeros(shape_b))
    fan_out = synapse.adjoint(ones, np.ones((1, synapse.n)))[0]
    fan_in = synapse.drive(ones, np.ones((1, synapse.n_in)))[0]
    return Fans(fan_out, fan_in, int(fan_in.sum()))


class Operations(NamedTuple):
    """Synaptic operations of a batch in the connections of layers 2, 3, ...  Layer 1 multiplies real numbers.

    Attributes
    ----------
    forward
        Operations by the spikes of the layer below, (layers - 1,).
    backward
        Operations by the error spikes of the layer above, (layers - 1,).
    """

    forward: Array
    backward: Array


def operations(fans: Sequence[Fans], S: Sequence[Array], E: Sequence[Array]) -> Operations:
    """sum of |spikes| x connections.  From totals of spikes, this is the smallest possible number.

    Parameters
    ----------
    fans
        `count_fans` of every layer.
    S, E
        Totals of spikes and of error spikes of every layer, (batch, n) each.

    Returns
    -------
    Operations
        Summed over the batch.
    """
    forward = [_deliveries(below, layer.fan_out) for below, layer in zip(S[:-1], fans[1:], strict=True)]
    backward = [_deliveries(errors, layer.fan_in) for errors, layer in zip(E[1:], fans[1:], strict=True)]
    return Operations(np.array(forward), np.array(backward))


def _deliveries(spikes: Array, fan: Array) -> float:
    fan = floats("fan", fan)
    return float(
        np.abs(floats("spikes", spikes, len(spikes) if np.ndim(spikes) else 0, *fan.shape)).sum(
            axis=0, dtype=np.float64
        )
        @ fan
    )


def macs(net: IFNetwork) -> Array:
    """Multiply-accumulates of the ANN for one sample and one direction, in the connections of layers 2, 3, ...

    Parameters
    ----------
    net
        The layers, bottom up.

    Returns
    -------
    array of int
        (layers - 1,).
    """
    return np.array([count_fans(layer).total for layer in net[1:]])


def relative_operations(net: IFNetwork, operations: Array) -> float:
    """Operations over multiply-accumulates, without the pooling layers, as in the paper.  [T19 Fig. 1, 2]

    Parameters
    ----------
    net
        The layers, bottom up.
    operations
        Operations of one sample in the connections of layers 2, 3, ..., (layers - 1,).

    Returns
    -------
    float
        The ratio.
    """
    operations = floats("operations", operations, len(net) - 1)
    learns = np.array([layer.learns for layer in net[1:]])
    return float(operations[learns].sum() / macs(net)[learns].sum())


def spikes_sent(net: IFNetwork, result: PhaseResult) -> list[Array]:
    """How many spikes each neuron sent in an event-driven phase, whatever their signs.

    Assumes a result that `snn.forward` or `snn.backward` made.

    Parameters
    ----------
    net
        The layers, bottom up.
    result
        What `snn.forward` or `snn.backward` returned.

    Returns
    -------
    list of arrays of int
        One per layer, (n,).
    """
    places = [np.array([spike.place for spike in spikes], int) for spikes in result.spikes]
    return [np.bincount(place, minlength=layer.synapse.n) for layer, place in zip(net, places, strict=True)]


def forward_bound(layer: IFLayer, weights: Weights, arriving: Array) -> Array:
    """At most (|b_i| + sum_j |w_ij| n_j) / Theta_ff + 1/2 spikes; 1/2 is for the residual one.  [T19 Eq. 21]

    Parameters
    ----------
    layer, weights
        The layer and its weights.
    arriving
        n_j, (n_in,): numbers of spikes, or |x| of a real-valued input.

    Returns
    -------
    array
        The bound for each neuron, (n,).
    """
    sizes = layer.synapse.parse(Weights(*(np.abs(floats(x, array)) for x, array in zip("Wb", weights, strict=True))))
    arriving = floats("arriving", arriving, layer.synapse.n_in)
    return np.asarray(layer.synapse.drive(sizes, arriving[None])[0] / layer.theta_ff + 0.5)


def backward_bound(layer: IFLayer, above: IFLayer, weights_above: Weights, arriving: Array) -> Array:
    """At most sum_k |w_ki| n_k / Theta_bp + 1/2 error spikes, if n_k arrive from the layer above.  [T19 Eq. 21]

    Parameters
    ----------
    layer, above
        Two neighbouring layers.
    weights_above
        Weights of the upper one.
    arriving
        n_k, numbers of error spikes of the upper layer, (above.synapse.n,).

    Returns
    -------
    array
        The bound for each neuron of the lower layer, (n,).
    """
    sizes = weights_above._replace(W=np.abs(floats("W", weights_above.W)))
    arriving = floats("arriving", arriving, above.synapse.n)
    return np.asarray(above.synapse.adjoint(sizes, arriving[None])[0] / layer.theta_bp + 0.5)


def count_spikes(net: IFNetwork, weights: Sequence[Weights], x: Array, U: Array) -> dict[str, dict[str, int]]:
    """Run the event-driven network on one sample and count its spikes, in float64.  [T19 Eq. 21]

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    x
        The input, (n_in,).
    U
        Error of the top layer, (n_out,).

    Returns
    -------
    dict
        For "forward" and "backward": the number of "spikes" sent, the sum of |totals| as "totals", and the "bound" on
        the number of spikes.  spikes / totals is the redundancy, at best 1.
    """
    x, U = floats("x", finite("x", x), net[0].synapse.n_in), floats("U", finite("U", U), net[-1].synapse.n)
    exact = [Weights(w.W.astype(np.float64), w.b.astype(np.float64)) for w in weights]
    result = snn.forward(net, exact, x.astype(np.float64))
    errors = snn.backward(net, exact, result, U.astype(np.float64))
    forward, backward = spikes_sent(net, result), spikes_sent(net, errors)
    ups = zip(net[:-1], exact[:-1], [np.abs(x), *forward[:-2]], strict=True)
    downs = zip(net[:-1], net[1:], exact[1:], backward[1:], strict=True)
    top = np.abs(U) / net[-1].theta_bp + 0.5
    return {
        "forward": _sums(forward[:-1], result.totals[:-1], [forward_bound(*up) for up in ups]),
        "backward": _sums(backward, errors.totals, [*(backward_bound(*down) for down in downs), top]),
    }


def _sums(spikes: list[Array], totals: list[Array], bounds: list[Array]) -> dict[str, int]:
    columns = {"spikes": spikes, "totals": [np.abs(total) for total in totals], "bound": [np.floor(m) for m in bounds]}
    return {name: sum(int(layer.sum()) for layer in layers) for name, layers in columns.items()}
