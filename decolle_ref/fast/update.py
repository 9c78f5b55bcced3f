"""The update of one layer in place, tested bit for bit against `learner.update_layer`."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle.optim import Adamax, Moments, Optimiser
from decolle_ref.decolle.synapse import Dense, Synapse, Weights

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
    """`learner.update_layer` for Adamax with beta1 = 0, overwriting the weights and optimiser state that it is given.

    With beta1 = 0 the running mean m is the gradient itself, so the gradient is written straight into m.
    Raises InputError for any other optimiser or synapse.
    """
    optimiser = parse_adamax(optimiser)
    if not isinstance(synapse, Dense):
        raise InputError(f"fast.update_layer: expected a Dense synapse, got {type(synapse).__name__}")
    of_W, of_b = opt_state
    rows, columns = dU.reshape(-1, synapse.n), P.reshape(-1, synapse.n_in)
    if len(rows) == 1:
        np.multiply.outer(rows[0], columns[0], out=of_W.m)
    else:
        np.matmul(rows.T, columns, out=of_W.m)
    np.sum(rows, axis=0, out=of_b.m)
    return weights, (
        adamax(optimiser, weights.W, of_W, learning_rate.W),
        adamax(optimiser, weights.b, of_b, learning_rate.b),
    )


def parse_adamax(optimiser: Optimiser) -> Adamax:
    """The optimiser itself.  Raises InputError unless it is Adamax with beta1 = 0."""
    if not isinstance(optimiser, Adamax) or optimiser.beta1 != 0:
        raise InputError(f"fast: expected Adamax with beta1 = 0, got {optimiser}")
    return optimiser


def adamax(optimiser: Adamax, parameter: Array, opt_state: Moments, lr: Array) -> Moments:
    """u <- max(beta2 u, |g| + eps); W <- W - lr g / u, block by block, for the gradient g that is in opt_state.m."""
    height = max(1, BLOCK // max(1, parameter[0].size))
    lr = np.broadcast_to(lr, parameter.shape)
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
