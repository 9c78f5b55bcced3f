"""The equivalent ANN: what all spikes of SpikeGrad sum up to, in one pass each way.  [T19 Eq. 14, 15, 18]

Activations S and errors E are whole numbers of spikes.  With gradient="float" the errors are not rounded: the
comparison of [T19 Tables 1, 2].
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad.network import Layer, Network


class Response(NamedTuple):
    """One layer after the forward phase, of a batch."""

    z: Array  # (sum_j w_ij S_j + b_i) / Theta_ff, not yet rounded; in the top layer V, not divided
    S: Array  # the total of spikes; in the top layer V


def nearest(x: Array) -> Array:
    """The nearest integer, ties away from zero.  [T19 Eq. 15]

    x - trunc(x) is exact, so that 0.49999999999999994 is rounded to 0, unlike by floor(|x| + 1/2).
    """
    whole = np.trunc(x)
    rest: Array = np.trunc(2 * (x - whole))
    return whole + rest


ROUNDINGS: dict[str, Callable[[Array], Array]] = {"nearest": nearest, "floor": np.floor, "ceil": np.ceil}
GRADIENTS = ("spike", "float")


def respond(layer: Layer, weights: Weights, S_below: Array, rounding: str = "nearest") -> Response:
    """S_i = relu(round((sum_j w_ij S_j + b_i) / Theta_ff)); linear neurons without relu.  [T19 Eq. 15]"""
    z = (layer.map.apply(weights.W, S_below) + weights.b) / layer.theta_ff
    S = ROUNDINGS[rounding](z)
    return Response(z, np.maximum(S, 0) if layer.relu else S)


def forward(net: Network, weights: Sequence[Weights], x: Array, rounding: str = "nearest") -> list[Response]:
    """All layers, bottom up.  The top layer integrates: z = S = V = sum_j w_ij S_j + b_i."""
    responses: list[Response] = []
    S = x
    for layer, w in zip(net[:-1], weights[:-1], strict=True):
        responses.append(respond(layer, w, S, rounding))
        S = responses[-1].S
    V = net[-1].map.apply(weights[-1].W, S) + weights[-1].b
    return [*responses, Response(V, V)]


def derivative(layer: Layer, response: Response) -> Array:
    """S'_i = 1 where z > 0, z before rounding; linear neurons always 1.  [T19 Eq. 5]"""
    gate: Array = response.z > 0
    return gate if layer.relu else np.ones_like(gate)


def softmax(V: Array) -> Array:
    """exp(V_k) / sum over classes."""
    e: Array = np.exp(V - V.max(axis=-1, keepdims=True))
    p: Array = e / e.sum(axis=-1, keepdims=True)
    return p


def cross_entropy(V: Array, labels: Array) -> Array:
    """-log softmax(V)_label of each sample.  (batch, classes), (batch,) -> (batch,)."""
    rows = V - V.max(axis=-1, keepdims=True)
    loss: Array = np.log(np.exp(rows).sum(axis=-1)) - rows[np.arange(len(V)), labels]
    return loss


def top_error(V: Array, labels: Array, alpha: float) -> Array:
    """U^L = alpha (softmax(V) - onehot): alpha times the gradient of the cross-entropy.  (batch, classes)."""
    p = softmax(V)
    p[np.arange(len(V)), labels] -= 1
    U: Array = p * V.dtype.type(alpha)
    return U


def backward(
    net: Network,
    weights: Sequence[Weights],
    responses: Sequence[Response],
    U: Array,
    gradient: str = "spike",
    rounding: str = "nearest",
) -> list[Array]:
    """E_i = S'_i round((1 / Theta_bp) sum_k w_ki E_k) of all layers, from U of the top layer down.  [T19 Eq. 18]"""
    errors: list[Array] = []
    for k in reversed(range(len(net))):
        total = U / net[k].theta_bp
        whole = ROUNDINGS[rounding](total) if gradient == "spike" else total
        gate = derivative(net[k], responses[k]) if k < len(net) - 1 else 1
        errors.insert(0, whole * gate)
        U = net[k].map.adjoint(weights[k].W, errors[0]) if k else U
    return errors


def increments(net: Network, x: Array, responses: Sequence[Response], errors: Sequence[Array]) -> list[Weights]:
    """omega_ij / (-eta) = sum over the batch of E_i S_j; E_i for the biases; pooling learns nothing.  [T19 Eq. 14]"""
    below = [x, *(response.S for response in responses[:-1])]
    return [increment(layer, E, S) for layer, E, S in zip(net, errors, below, strict=True)]


def increment(layer: Layer, E: Array, S_below: Array) -> Weights:
    """Of one layer."""
    if not layer.map.learns:
        return Weights(np.zeros((), E.dtype), np.zeros((), E.dtype))
    return Weights(layer.map.increment(E, S_below), E.reshape(-1, E.shape[-1]).sum(axis=0))
