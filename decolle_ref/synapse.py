"""How inputs reach neurons: the drive W P + b, and its adjoint delta (x) P.  [K20 Eq. 1, 2]"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref.check import Array, count, exact_shape, finite, same_dtype
from decolle_ref.lif import LIF, trace_gain


class Weights(NamedTuple):
    """What is learned in one layer, or anything of the same shape: a gradient, learning rates, optimiser memory."""

    W: Array  # Dense: (n, n_in)
    b: Array  # Dense: (n,)


@dataclass(frozen=True)
class Dense:
    """Every input reaches every neuron."""

    n_in: int
    n: int

    def __post_init__(self) -> None:
        count("n_in", self.n_in)
        count("n", self.n)

    def drive(self, weights: Weights, P: Array) -> Array:
        """sum_j W_ij P_j + b_i.  [K20 Eq. 1]  (..., n_in) -> (..., n)."""
        return P @ weights.W.T + weights.b

    def gradient(self, delta: Array, P: Array) -> Weights:
        """dL/dW_ij = delta_i P_j and dL/db_i = delta_i, summed over the batch axes.  [K20 Eq. 3]"""
        delta, P = delta.reshape(-1, self.n), P.reshape(-1, self.n_in)
        return Weights(W=delta.T @ P, b=delta.sum(axis=0))

    def require(self, weights: Weights, dtype: np.dtype[Any], name: str) -> None:
        """Raise InputError unless `weights` has this synapse's shapes, only finite numbers, and `dtype`."""
        for letter, array, shape in (("W", weights.W, (self.n, self.n_in)), ("b", weights.b, (self.n,))):
            exact_shape(f"{name} {letter}", finite(f"{name} {letter}", array), shape)
            same_dtype(f"{name} {letter}", array, dtype)

    def draw(self, rng: np.random.Generator, lif: LIF, scale: float = 1.0, bias: float = 0.0) -> Weights:
        """W_ij ~ U(-1, 1) scale / (sqrt(n_in) trace_gain_j), b_i = bias + U(-0.1, 0.1).

        Per unit of normalised trace, so that the spread of U does not depend on the time constants drawn.
        """
        W = rng.uniform(-1, 1, (self.n, self.n_in)) * (scale / np.sqrt(self.n_in)) / trace_gain(lif)
        b = bias + rng.uniform(-0.1, 0.1, self.n)
        return Weights(W.astype(lif.alpha.dtype), b.astype(lif.alpha.dtype))
