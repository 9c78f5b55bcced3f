"""Networks without time: backpropagation, and what may stand in for it.  [N19 Box 2, Eq. 6, 14, Sec. V-A, Fig. 5]

    a^(l) = W^(l) y^(l-1),   y^(l) = sigma(a^(l)),   y^(0) = x
    dL/dW_ij^(l) = delta_i^(l) y_j^(l-1)

Only the way delta comes about differs.  With delta^(L) = sigma'(a^(L)) dL/dy^(L) at the top:

    backpropagation            delta_i^(l) = sigma'(a_i^(l)) sum_k delta_k^(l+1) W_ki^(l+1)
    feedback alignment         delta_i^(l) = sigma'(a_i^(l)) sum_k delta_k^(l+1) G_ki^(l+1)
    direct feedback alignment  delta_i^(l) = sigma'(a_i^(l)) sum_k delta_k^(L)   H_ki^(l)
    local errors               delta_i^(l) = sigma'(a_i^(l)) sum_k dloss/dY_k    G_ki^(l),    Y = G^(l) y^(l)

The review prints Eq. 6 with the weights of layer l, where those of layer l+1 are meant, and delta^(L) without sigma'.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, validate_shape
from decolle_ref.decolle.surrogate import Function, Surrogate


class Activation(NamedTuple):
    """sigma and sigma'."""

    sigma: Function
    slope: Function


linear = Activation(lambda a: a, np.ones_like)
tanh = Activation(np.tanh, lambda a: np.asarray(1 - np.tanh(a) ** 2))


def of(surrogate: Surrogate) -> Activation:
    """sigma = the surrogate's primitive."""
    return Activation(surrogate.primitive, surrogate.derivative)


class Activity(NamedTuple):
    """One forward pass: y[0] = x, and a[l], y[l+1] of layer l+1."""

    a: tuple[Array, ...]  # (batch, n)
    y: tuple[Array, ...]


def forward(f: Activation, W: Sequence[Array], x: Array) -> Activity:
    """a^(l) = W^(l) y^(l-1), y^(l) = sigma(a^(l)).  [N19 Box 2]  x (batch, n_in)."""
    a: list[Array] = []
    y = [x]
    for weights in W:
        a.append(y[-1] @ weights.T)
        y.append(f.sigma(a[-1]))
    return Activity(tuple(a), tuple(y))


def backpropagation(f: Activation, W: Sequence[Array], seen: Activity, dL_dy: Array) -> tuple[Array, ...]:
    """delta^(l), l = 1..L: the error of the top through the transposed weights of the layer above.  [N19 Eq. 6]"""
    return _layer_by_layer(f, W[1:], seen, dL_dy)


def feedback_alignment(f: Activation, G: Sequence[Array], seen: Activity, dL_dy: Array) -> tuple[Array, ...]:
    """delta^(l): the same through fixed random G^(2..L), shaped like W^(2..L).  [N19 Sec. V-A]"""
    return _layer_by_layer(f, G, seen, dL_dy)


def _layer_by_layer(f: Activation, down: Sequence[Array], seen: Activity, dL_dy: Array) -> tuple[Array, ...]:
    deltas = [_top(f, seen, dL_dy)]
    for a, matrix in zip(seen.a[-2::-1], down[::-1], strict=True):
        deltas.append(f.slope(a) * (deltas[-1] @ matrix))
    return tuple(deltas[::-1])


def _top(f: Activation, seen: Activity, dL_dy: Array) -> Array:
    """delta^(L) = sigma'(a^(L)) dL/dy^(L)."""
    validate_shape("dL_dy", dL_dy, seen.y[-1].shape)  # else it would be spread over the batch in silence
    delta: Array = f.slope(seen.a[-1]) * dL_dy
    return delta


def direct_feedback_alignment(f: Activation, H: Sequence[Array], seen: Activity, dL_dy: Array) -> tuple[Array, ...]:
    """delta^(l): the error of the top straight to each hidden layer, by fixed H^(l), (n_L, n_l).  [N19 Sec. V-A]"""
    top = _top(f, seen, dL_dy)
    return (*(f.slope(a) * (top @ matrix) for a, matrix in zip(seen.a[:-1], H, strict=True)), top)


def local_errors(f: Activation, G: Sequence[Array], seen: Activity, target: Array, dL_dy: Array) -> tuple[Array, ...]:
    """delta^(l) of hidden layers from 1/2 (G^(l) y^(l) - target)^2 of their own; the top as ever.  [N19 Eq. 14]"""
    hidden = zip(seen.a[:-1], seen.y[1:-1], G, strict=True)
    return (*(f.slope(a) * ((y @ g.T - target) @ g) for a, y, g in hidden), _top(f, seen, dL_dy))


def gradient(deltas: Sequence[Array], seen: Activity) -> tuple[Array, ...]:
    """dL/dW_ij^(l) = delta_i^(l) y_j^(l-1), summed over the batch.  [N19 Eq. 6]"""
    return tuple(delta.T @ y for delta, y in zip(deltas, seen.y[:-1], strict=True))
