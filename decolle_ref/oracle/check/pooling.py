"""Which neurons of a pooling window may be its winner, where the numbers that decide have errors.

The winner has the largest key: U, or sigma(U) in dialects with `pool_S`.  Equal keys go to the first in reading order.
Two keys that differ by less than their errors may be equal in the implementation's format, or the other way round, so
either neuron is a right winner.
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check.error_bounds import Arithmetic, Bounded, chosen, exact, hull
from decolle_ref.oracle.trace import Operands


def transmitted(operands: Operands, arithmetic: Arithmetic, U: Bounded, alike: Array) -> tuple[Bounded, Array | None]:
    """The U that is transmitted and read, and which neurons may be the winners of their pooling windows.

    Neuron i may win unless the interval of another neuron lies above its own, or an equal one comes first.

    Parameters
    ----------
    operands : one layer of a trace
    arithmetic : the operations of the implementation's profile
    U : (..., n), before the pool
    alike : labels (..., n): neurons with one label, other than NaN, have one U, whatever its error

    Returns
    -------
    u : (..., n), or (..., windows): the interval of the potentials that may have won
    wins : (..., n), or None without a pool
    """
    pool = operands.layer.pool
    if pool is None:
        return U, None
    in_windows = pool.windows()
    by_sigma = operands.dialect.pooling == "pool_S"
    value, err = (x[..., in_windows] for x in (arithmetic.sigma(operands.layer.surrogate, U) if by_sigma else U))
    low, high = value - err, value + err
    first = np.tri(in_windows.shape[1], k=-1, dtype=bool)  # [i, j]: j comes before i
    beaten = (high[..., :, None] < low[..., None, :]) | (first & (high[..., :, None] <= low[..., None, :]))
    labels = alike[..., in_windows]
    beaten |= first & (labels[..., :, None] == labels[..., None, :])
    may = ~beaten.any(axis=-1)
    low, high = ((U.value + sign * U.err)[..., in_windows] for sign in (-1, 1))
    least = np.where(may, low, np.inf).min(axis=-1) if by_sigma else low.max(axis=-1)
    wins = np.zeros(U.value.shape, bool)
    wins[..., in_windows] = may
    return hull(least, np.where(may, high, -np.inf).max(axis=-1)), wins


def routed(operands: Operands, delta: Bounded, wins: Array | None) -> Bounded:
    """delta at the winner of each window, 0 elsewhere; between the two where several neurons may be the winner."""
    if wins is None:
        return delta
    assert operands.layer.pool is not None
    windows = operands.layer.pool.windows()
    value, err = (np.zeros(wins.shape) for _ in delta)
    value[..., windows], err[..., windows] = delta.value[..., None], delta.err[..., None]
    several = np.zeros(wins.shape, bool)
    several[..., windows] = wins[..., windows].sum(axis=-1, keepdims=True) > 1
    between = hull(np.minimum(value - err, 0), np.maximum(value + err, 0))
    return chosen(wins, chosen(several, between, Bounded(value, err)), exact(np.zeros(())))
