"""Networks without time: backpropagation, and what may stand in for it.  [N19 Box 2, Eq. 6, 14, Sec. V-A, Fig. 5]

    a^(l) = W^(l) y^(l-1),   y^(l) = sigma(a^(l)),   y^(0) = x
    dW_ij^(l) = delta_i^(l) y_j^(l-1)

The methods differ only in delta, which the code calls dL_da.  With backpropagation delta is dL/da and dW is dL/dW; with
local errors both are derivatives of the layer's own loss; with random feedback, dW of a hidden layer is in general not
the gradient of any loss.  At the top, delta^(L) = sigma'(a^(L)) dL/dy^(L); below:

    backpropagation            delta_i^(l) = sigma'(a_i^(l)) sum_k delta_k^(l+1) W_ki^(l+1)
    feedback alignment         delta_i^(l) = sigma'(a_i^(l)) sum_k delta_k^(l+1) G_ki^(l+1)
    direct feedback alignment  delta_i^(l) = sigma'(a_i^(l)) sum_k delta_k^(L)   H_ki^(l)
    local errors               delta_i^(l) = sigma'(a_i^(l)) sum_k dloss/dY_k    G_ki^(l),    Y = G^(l) y^(l)

The review prints Eq. 6 with the weights of layer l, where those of layer l+1 are meant, and delta^(L) without sigma'.

>>> W = [np.ones((3, 2)), np.ones((1, 3))]
>>> record = forward(tanh, W, np.ones((5, 2)))
>>> dL_da = backpropagation(tanh, W, record, dL_dy=record.y[-1])
>>> [dW.shape for dW in gradient(dL_da, record)]
[(3, 2), (1, 3)]
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, floats, matrices
from decolle_ref.decolle.surrogate import Function


class Activation(NamedTuple):
    """sigma and sigma'."""

    sigma: Function
    sigma_prime: Function


linear = Activation(lambda a: a, np.ones_like)
tanh = Activation(np.tanh, lambda a: np.asarray(1 - np.tanh(a) ** 2))


class Record(NamedTuple):
    """A forward pass: a[l-1] and y[l] of layer l, and y[0] = x; (batch, n), or (T, batch, n) in `rnn`."""

    a: tuple[Array, ...]
    y: tuple[Array, ...]


def forward(f: Activation, W: Sequence[Array], x: Array) -> Record:
    """a^(l) = W^(l) y^(l-1), y^(l) = sigma(a^(l)).  [N19 Box 2]

    Parameters
    ----------
    f : Activation of all layers
    W : one (n, n_below) array per layer
    x : (batch, n_in)

    Returns
    -------
    Record

    Raises
    ------
    InputError : for shapes that do not fit
    """
    a: list[Array] = []
    y = [floats("x", x)]
    if y[0].ndim != 2:
        raise InputError(f"x: expected shape (batch, n_in), got {y[0].shape}")
    sizes = [y[0].shape[1], *(len(weights) if np.ndim(weights) else 0 for weights in W)]
    for weights in matrices("W", W, list(zip(sizes[1:], sizes[:-1], strict=True))):
        a.append(y[-1] @ weights.T)
        y.append(f.sigma(a[-1]))
    return Record(tuple(a), tuple(y))


def backpropagation(f: Activation, W: Sequence[Array], record: Record, dL_dy: Array) -> tuple[Array, ...]:
    """delta^(l), l = 1..L: the error of the top through the transposed weights of the layer above.  [N19 Eq. 6]

    Parameters
    ----------
    f, W : as in `forward`
    record : the forward pass
    dL_dy : (batch, n_L), derivative of the loss with respect to the output

    Returns
    -------
    dL/da of every layer, (batch, n)

    Raises
    ------
    InputError : for shapes that do not fit
    """
    return _layer_by_layer(f, W[1:], record, dL_dy)


def feedback_alignment(f: Activation, G: Sequence[Array], record: Record, dL_dy: Array) -> tuple[Array, ...]:
    """delta^(l): the same through fixed random G^(2..L), shaped like W^(2..L).  [N19 Sec. V-A]

    Parameters
    ----------
    f, record, dL_dy : as in `backpropagation`
    G : one (n, n_below) array for each layer but the first

    Returns
    -------
    dL/da of every layer, (batch, n); only the last is exact

    Raises
    ------
    InputError : for shapes that do not fit
    """
    return _layer_by_layer(f, G, record, dL_dy)


def _layer_by_layer(f: Activation, down: Sequence[Array], record: Record, dL_dy: Array) -> tuple[Array, ...]:
    dL_da = [_top(f, record, dL_dy)]
    down = matrices("matrix", down, [(y.shape[1], x.shape[1]) for x, y in pairwise(record.a)])
    for a, matrix in zip(record.a[-2::-1], down[::-1], strict=True):
        dL_da.append(f.sigma_prime(a) * (dL_da[-1] @ matrix))
    return tuple(dL_da[::-1])


def _top(f: Activation, record: Record, dL_dy: Array) -> Array:
    """delta^(L) = sigma'(a^(L)) dL/dy^(L)."""
    dL_dy = floats("dL_dy", dL_dy, *record.y[-1].shape)  # else NumPy would broadcast it over the batch without a word
    return np.asarray(f.sigma_prime(record.a[-1]) * dL_dy)


def direct_feedback_alignment(f: Activation, H: Sequence[Array], record: Record, dL_dy: Array) -> tuple[Array, ...]:
    """delta^(l): the error of the top straight to each hidden layer, by fixed H^(l).  [N19 Sec. V-A]

    Parameters
    ----------
    f, record, dL_dy : as in `backpropagation`
    H : one (n_L, n) array per hidden layer

    Returns
    -------
    dL/da of every layer, (batch, n); only the last is exact

    Raises
    ------
    InputError : for shapes that do not fit
    """
    top = _top(f, record, dL_dy)
    H = matrices("H", H, [(top.shape[1], a.shape[1]) for a in record.a[:-1]])
    return (*(f.sigma_prime(a) * (top @ matrix) for a, matrix in zip(record.a[:-1], H, strict=True)), top)


def local_errors(f: Activation, G: Sequence[Array], record: Record, target: Array, dL_dy: Array) -> tuple[Array, ...]:
    """delta^(l) of each hidden layer from its own loss 1/2 (G^(l) y^(l) - target)^2.  [N19 Eq. 14]

    Parameters
    ----------
    f, record, dL_dy : as in `backpropagation`; the top layer learns from dL_dy as there
    G : one (n_out, n) array per hidden layer
    target : (batch, n_out)

    Returns
    -------
    dL/da of every layer, (batch, n); each is exact for its own loss

    Raises
    ------
    InputError : for shapes that do not fit
    """
    n_out = np.shape(target)[-1] if np.ndim(target) else 0
    target = floats("target", target, len(record.y[0]), n_out)
    G = matrices("G", G, [(n_out, a.shape[1]) for a in record.a[:-1]])
    hidden = zip(record.a[:-1], record.y[1:-1], G, strict=True)
    return (*(f.sigma_prime(a) * ((y @ g.T - target) @ g) for a, y, g in hidden), _top(f, record, dL_dy))


def gradient(dL_da: Sequence[Array], record: Record) -> tuple[Array, ...]:
    """dW_ij^(l) = delta_i^(l) y_j^(l-1), summed over the batch; dL/dW if delta is dL/da.  [N19 Eq. 6]

    Parameters
    ----------
    dL_da : delta of every layer, (batch, n)
    record : the forward pass

    Returns
    -------
    dL/dW of every layer, (n, n_below)

    Raises
    ------
    InputError : for shapes that do not fit
    """
    dL_da = matrices("dL_da", dL_da, [a.shape for a in record.a])
    return tuple(delta.T @ y for delta, y in zip(dL_da, record.y[:-1], strict=True))
