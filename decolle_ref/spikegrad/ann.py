"""The equivalent ANN: the sums of all spikes of SpikeGrad, computed in one pass each way.  [T19 Eq. 14, 15, 18]

Activations S and errors E are whole numbers of spikes.  With gradient="float" the errors are not rounded, for the
comparison of [T19 Tables 1, 2].  These are the definitions; `fast.spikegrad` trains with the same numbers.

>>> nearest(np.array([0.4, 0.5, -2.5]))
array([ 0.,  1., -3.])
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util import check
from decolle_ref._util.check import Array, InputError, floats, validate_choice, validate_one_per_layer
from decolle_ref.decolle.objective import log_softmax, softmax
from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad.layers import IFLayer, IFNetwork

__all__ = [
    "GRADIENTS",
    "ROUNDINGS",
    "Response",
    "backward",
    "cross_entropy",
    "derivative",
    "forward",
    "increments",
    "nearest",
    "respond",
    "top_error",
]


class Response(NamedTuple):
    """One layer after the forward phase of a batch.

    Attributes
    ----------
    z
        (sum_j w_ij S_j + b_i) / Theta_ff, not yet rounded, (batch, n); in the top layer V, which is not divided.
    S
        Totals of spikes, (batch, n); in the top layer V.
    """

    z: Array
    S: Array


def nearest(x: Array) -> Array:
    """Round to the nearest integer, ties away from zero.  [T19 Eq. 15]

    x - trunc(x) is exact, so that 0.49999999999999994 is rounded to 0, which floor(|x| + 1/2) would round to 1.

    Parameters
    ----------
    x
        Any array of floats.

    Returns
    -------
    array
        Of the shape and dtype of x.
    """
    x = floats("x", x)
    whole = np.trunc(x)
    rest: Array = np.trunc(2 * (x - whole))
    return whole + rest


ROUNDINGS: dict[str, Callable[[Array], Array]] = {"nearest": nearest, "floor": np.floor, "ceil": np.ceil}
GRADIENTS = ("spike", "float")


def respond(layer: IFLayer, weights: Weights, S_below: Array, rounding: str = "nearest") -> Response:
    """S_i = relu(round((sum_j w_ij S_j + b_i) / Theta_ff)); linear neurons without relu.  [T19 Eq. 15]

    Parameters
    ----------
    layer, weights
        The layer and its weights.
    S_below
        Totals of the layer below, or real-valued inputs, (batch, n_in).
    rounding
        "nearest", "floor" or "ceil".

    Returns
    -------
    Response
        z and S, (batch, n) each.

    Raises
    ------
    InputError
        For shapes that do not fit, and another rounding.
    """
    validate_choice("rounding", rounding, ROUNDINGS)
    z = _drive(layer, weights, S_below) / layer.theta_ff
    S = ROUNDINGS[rounding](z)
    return Response(z, np.maximum(S, 0) if layer.relu else S)


def forward(net: IFNetwork, weights: Sequence[Weights], x: Array, rounding: str = "nearest") -> list[Response]:
    """All layers, bottom up.  The top layer integrates: z = S = V = sum_j w_ij S_j + b_i.  [T19 Eq. 15]

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    x
        Inputs, (batch, n_in).
    rounding
        "nearest", "floor" or "ceil".

    Returns
    -------
    list of Response
        One per layer.

    Raises
    ------
    InputError
        As `respond`, and for another number of weights.
    """
    validate_one_per_layer("weights", weights, len(net))
    responses: list[Response] = []
    S = x
    for layer, w in zip(net[:-1], weights[:-1], strict=True):
        responses.append(respond(layer, w, S, rounding))
        S = responses[-1].S
    V = _drive(net[-1], weights[-1], S)
    return [*responses, Response(V, V)]


def _drive(layer: IFLayer, weights: Weights, S_below: Array) -> Array:
    """W S + b, for arrays that fit the layer."""
    S_below = floats("S_below", S_below, np.shape(S_below)[0] if np.ndim(S_below) else 0, layer.synapse.n_in)
    return layer.synapse.drive(layer.synapse.parse(weights), S_below)


def derivative(layer: IFLayer, response: Response) -> Array:
    """S'_i = 1 where z > 0, with z before rounding; linear neurons always 1.  [T19 Eq. 5]

    Parameters
    ----------
    layer
        The layer.
    response
        Its response to a batch.

    Returns
    -------
    array of bool
        (batch, n).

    Raises
    ------
    InputError
        For NaN.
    """
    if np.isnan(floats("z", response.z)).any():
        raise InputError("z: expected numbers, got NaN")
    gate: Array = response.z > 0
    return gate if layer.relu else np.ones_like(gate)


def cross_entropy(V: Array, labels: Array) -> Array:
    """-log softmax(V)_label of each sample.

    Parameters
    ----------
    V
        Integration variables of the top layer, (batch, classes).
    labels
        Class of each sample, integers, (batch,).

    Returns
    -------
    array
        (batch,), in nats.

    Raises
    ------
    InputError
        For labels that are not one class for each sample.
    """
    log_p = log_softmax(V)
    parsed = _parse_labels(labels, log_p)
    loss: Array = -log_p[np.arange(len(log_p)), parsed]
    return loss


def _parse_labels(labels: Array, V: Array) -> Array:
    """One class for each sample of V (batch, classes)."""
    if V.ndim != 2:
        raise InputError(f"V: expected shape (batch, classes), got {V.shape}")
    return check.labels("labels", labels, V.shape[1], V.shape[:1])


def top_error(V: Array, labels: Array, alpha: float) -> Array:
    """U^L = alpha (softmax(V) - onehot): alpha times the gradient of the cross-entropy.

    Parameters
    ----------
    V
        Integration variables of the top layer, (batch, classes).
    labels
        Class of each sample, integers, (batch,).
    alpha
        Error scale.

    Returns
    -------
    array
        (batch, classes), in the dtype of V.

    Raises
    ------
    InputError
        For labels that are not one class for each sample.
    """
    p = softmax(V)
    p[np.arange(len(p)), _parse_labels(labels, p)] -= 1
    U: Array = p * p.dtype.type(alpha)
    return U


def backward(
    net: IFNetwork,
    weights: Sequence[Weights],
    responses: Sequence[Response],
    U: Array,
    gradient: str = "spike",
    rounding: str = "nearest",
) -> list[Array]:
    """E_i = S'_i round((1 / Theta_bp) sum_k w_ki E_k), from U of the top layer down.  [T19 Eq. 18]

    Parameters
    ----------
    net, weights
        The layers and their weights, bottom up.
    responses
        What `forward` returned.
    U
        Error of the top layer before rounding, (batch, n_out), as `top_error` gives it.
    gradient
        "spike", or "float" for errors that are not rounded.
    rounding
        "nearest", "floor" or "ceil".

    Returns
    -------
    list of arrays
        E of every layer, (batch, n) each.

    Raises
    ------
    InputError
        For shapes that do not fit, another gradient or rounding, and a response that is NaN.
    """
    validate_choice("gradient", gradient, GRADIENTS)
    validate_choice("rounding", rounding, ROUNDINGS)
    U = floats("U", U, *responses[-1].S.shape)
    weights = [layer.synapse.parse(w) for layer, w in zip(net, weights, strict=True)]
    errors: list[Array] = []
    for k in reversed(range(len(net))):
        total = U / net[k].theta_bp
        whole = ROUNDINGS[rounding](total) if gradient == "spike" else total
        gate = derivative(net[k], responses[k]) if k < len(net) - 1 else 1
        errors.insert(0, whole * gate)
        U = net[k].synapse.adjoint(weights[k], errors[0]) if k else U
    return errors


def increments(net: IFNetwork, x: Array, responses: Sequence[Response], errors: Sequence[Array]) -> list[Weights]:
    """omega_ij / (-eta) = sum over the batch of E_i S_j; E_i for the biases; pooling learns nothing.  [T19 Eq. 14]

    Parameters
    ----------
    net
        The layers, bottom up.
    x
        Inputs, (batch, n_in).
    responses, errors
        What `forward` and `backward` returned.

    Returns
    -------
    list of Weights
        One per layer, of the shapes of its weights.
    """
    below = [x, *(response.S for response in responses[:-1])]
    return [layer.synapse.gradient(E, S) for layer, E, S in zip(net, errors, below, strict=True)]
