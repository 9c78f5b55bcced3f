"""The update of one dense layer, in place.  Tested bit for bit against `learner.update_layer`.

>>> synapse, optimiser = Dense(2, 1), Adamax()
>>> weights = Weights(np.zeros((1, 2)), np.zeros(1))
>>> state = optimiser.init(weights.W), optimiser.init(weights.b)
>>> rate = Weights(np.array(0.5), np.array(0.5))
>>> after, state = update_layer(optimiser, synapse, weights, state, np.ones((1, 1)), np.ones((1, 2)), rate)
>>> after.W is weights.W, weights.W.round(3)
(True, array([[-0.5, -0.5]]))
"""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError, floats
from decolle_ref.decolle.optim import Adamax, Moments, Optimiser, validate_arrays
from decolle_ref.decolle.synapse import Dense, Synapse, Weights

__all__ = ["adamax", "parse_adamax", "update_layer"]

BLOCK = 1 << 16  # numbers worked on at a time, so that they stay in cache through all passes of the update


def update_layer(
    optimiser: Optimiser,
    synapse: Synapse,
    weights: Weights,
    opt_state: Any,
    dU: Array,
    P: Array,
    learning_rate: Weights,
) -> tuple[Weights, Any]:
    """`learner.update_layer` for Adamax with beta1 = 0, overwriting `weights` and the arrays of `opt_state`.

    With beta1 = 0 the running mean m is the gradient itself, so the gradient is written straight into m.

    Parameters
    ----------
    optimiser, synapse
        Adamax with beta1 = 0, and a Dense synapse.
    weights, opt_state
        Weights of the layer and the moments of W and of b; overwritten.
    dU, P
        dL/dU, (..., n), and the traces, (..., n_in).
    learning_rate
        Of W and of b, of shapes that broadcast to theirs.

    Returns
    -------
    weights, opt_state
        The same arrays, after the update.

    Raises
    ------
    InputError
        For any other optimiser or synapse, and for shapes and dtypes that do not fit.
    """
    optimiser = parse_adamax(optimiser)
    if not isinstance(synapse, Dense):
        raise InputError(f"fast.update_layer: expected a Dense synapse, got {type(synapse).__name__}")
    moments_W, moments_b = opt_state
    _write_gradient(synapse, weights, Weights(moments_W.m, moments_b.m), dU, P)
    return weights, (
        adamax(optimiser, weights.W, moments_W, learning_rate.W),
        adamax(optimiser, weights.b, moments_b, learning_rate.b),
    )


def _write_gradient(synapse: Dense, weights: Weights, gradient: Weights, dU: Array, P: Array) -> None:
    """`Dense.gradient`, written into two arrays of the shapes of the weights."""
    for array, m in zip(weights, gradient, strict=True):
        validate_arrays(array, m)
    P = floats("P", P, ..., synapse.n_in)
    dU = floats("dU", dU, *P.shape[:-1], synapse.n)
    rows, columns = dU.reshape(-1, synapse.n), P.reshape(-1, synapse.n_in)
    if len(rows) == 1:
        np.multiply.outer(rows[0], columns[0], out=gradient.W)
    else:
        np.matmul(rows.T, columns, out=gradient.W)
    np.sum(rows, axis=0, out=gradient.b)


def parse_adamax(optimiser: Optimiser) -> Adamax:
    """Return the optimiser itself, as Adamax.

    Parameters
    ----------
    optimiser
        Any optimiser.

    Returns
    -------
    Adamax
        The same.

    Raises
    ------
    InputError
        Unless it is Adamax with beta1 = 0.
    """
    if not isinstance(optimiser, Adamax) or optimiser.beta1 != 0:
        raise InputError(f"fast: expected Adamax with beta1 = 0, got {optimiser}")
    return optimiser


def adamax(optimiser: Adamax, parameter: Array, opt_state: Moments, lr: Array) -> Moments:
    """u <- max(beta2 u, |g| + eps); W <- W - lr g / u, block by block, for the gradient g in opt_state.m.

    Parameters
    ----------
    optimiser
        Adamax with beta1 = 0.
    parameter
        W or b; overwritten.
    opt_state
        Its moments; m holds the gradient, u is overwritten.
    lr
        Learning rate, of a shape that broadcasts to that of `parameter`.

    Returns
    -------
    Moments
        The same arrays, with t + 1.
    """
    validate_arrays(parameter, opt_state.m, opt_state.u)
    height = max(1, BLOCK // max(1, parameter[0].size))
    lr = np.broadcast_to(floats("lr", lr, dtype=parameter.dtype), parameter.shape)
    for top in range(0, len(parameter), height):
        block = slice(top, top + height)
        g, u = opt_state.m[block], opt_state.u[block]
        scratch = np.abs(g)
        scratch += optimiser.eps
        u *= optimiser.beta2
        np.maximum(u, scratch, out=u)
        np.divide(g, u, out=scratch)
        scratch *= lr[block]
        parameter[block] -= scratch
    return opt_state._replace(t=opt_state.t + 1)
