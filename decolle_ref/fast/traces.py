"""The traces P and Q of [K20 Eq. 1] through many steps, by few operations where they are small.

Tested against `lif.step`.

>>> from decolle_ref.decolle import lif
>>> neuron = lif.from_decays(alpha=0.5, beta=0.5, w=0.0)
>>> P, Q = traces(neuron, np.zeros(1), np.zeros(1), np.array([[1.0], [0.0], [0.0]]))
>>> P.ravel(), Q.ravel()  # before the first step and after every step
(array([0., 0., 1., 1.]), array([0.  , 1.  , 0.5 , 0.25]))
"""

from itertools import pairwise
from math import isqrt

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.lif import LIF

__all__ = ["traces"]

SMALL = 2048  # numbers per step, below which a NumPy call costs more than its arithmetic
FEW = 16  # steps, below which blocks do not help


def traces(neuron: LIF, P: Array, Q: Array, spikes: Array) -> tuple[Array, Array]:
    """P[n+1] = alpha P[n] + g_P Q and Q[n+1] = beta Q[n] + g_Q S^in[n], through all steps.  [K20 Eq. 1]

    The recursions are linear.  With one alpha and one beta for all inputs, P may hold W P, Q W Q and `spikes` W S^in.
    Where arrays are large the bits are those of `lif.step`.

    Parameters
    ----------
    neuron
        Its `P_reads` says which Q is read.
    P, Q
        (..., m), before the first step.
    spikes
        (steps, ..., m).

    Returns
    -------
    P, Q
        (steps + 1, ..., m), before the first step and after every step.
    """
    steps = len(spikes)
    all_P, all_Q = (np.empty((steps + 1, *spikes.shape[1:]), spikes.dtype) for _ in range(2))
    all_P[0], all_Q[0] = P, Q
    np.multiply(neuron.gain_Q, spikes, out=all_Q[1:])
    _leak(neuron.beta, all_Q)
    np.multiply(neuron.gain_P, all_Q[neuron.P_reads :][:steps], out=all_P[1:])
    _leak(neuron.alpha, all_P)
    return all_P, all_Q


def _leak(decay: Array, y: Array) -> None:
    """y[n] <- y[n] + decay y[n-1], in place and for n = 1, 2, ...: in blocks where the arrays are small."""
    steps = len(y) - 1
    if steps < FEW or y[0].size > SMALL:
        _leak_by_steps(decay, y)
    else:
        side = isqrt(steps)
        _leak_by_blocks(decay, y[: 1 + side * (steps // side)], side)
        _leak_by_steps(decay, y[side * (steps // side) :])


def _leak_by_steps(decay: Array, y: Array) -> None:
    """The recursion, one step after the other."""
    leaked = np.empty_like(y[0])
    for before, now in pairwise(y):
        np.multiply(decay, before, out=leaked)
        np.add(now, leaked, out=now)


def _leak_by_blocks(decay: Array, y: Array, side: int) -> None:
    """The recursion inside all blocks of `side` steps at once, and then what each block inherits from the last one.

    y[k steps into a block] = (the sum inside the block) + decay^(k+1) y[end of the block before]
    """
    blocks = y[1:].reshape((len(y) - 1) // side, side, *y.shape[1:])
    _leak_by_steps(decay, blocks.swapaxes(0, 1))
    exponents = np.arange(1, side + 1).reshape(-1, *(1,) * (y.ndim - 1))
    powers = (decay.astype(np.float64) ** exponents).astype(y.dtype)
    inherited = np.empty_like(blocks[0])
    for before, block in zip((y[0], *blocks[:-1, -1]), blocks, strict=True):
        np.multiply(powers, before, out=inherited)
        np.add(block, inherited, out=block)
