"""The fixed random readout that gives every layer an error of its own.  [K20 Sec. 3.2]

    Y_k = sum_i G_ki sigma(U_i) + c_k

G and c are drawn once and never learned.  The error e_k = dL/dY_k travels back to the neurons of this layer through the
same G, and no further.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref.check import Array, count, exact_shape, finite, float_dtype, positive, same_dtype


class Readout(NamedTuple):
    """G and c of one layer."""

    G: Array  # (n_out, n)
    c: Array  # (n_out,)


def draw(
    rng: np.random.Generator,
    n: int,
    n_out: int,
    amplitude: float = 0.5,
    dtype: npt.DTypeLike = np.float64,
) -> Readout:
    """G_ki ~ U(-1, 1) amplitude / sqrt(n), c = 0.  [K20 Sec. 3.2; amplitude 0.5 in the authors' code]"""
    count("n", n)
    count("n_out", n_out)
    positive("amplitude", amplitude)
    G = rng.uniform(-1, 1, (n_out, n)) * (amplitude / np.sqrt(n))
    return Readout(G.astype(float_dtype(dtype)), np.zeros(n_out, dtype))


def require(readout: Readout, n: int, dtype: np.dtype[Any], name: str) -> None:
    """Raise InputError unless G is (n_out, n) and c (n_out,), finite and of `dtype`."""
    n_out = readout.G.shape[0] if readout.G.ndim else 0
    for letter, array, shape in (("G", readout.G, (n_out, n)), ("c", readout.c, (n_out,))):
        exact_shape(f"{name} {letter}", finite(f"{name} {letter}", array), shape)
        same_dtype(f"{name} {letter}", array, dtype)


def output(readout: Readout, activity: Array) -> Array:
    """Y_k = sum_i G_ki sigma(U_i) + c_k.  [K20 Sec. 3.2]  (..., n) -> (..., n_out)."""
    return activity @ readout.G.T + readout.c


def local_error(readout: Readout, e: Array) -> Array:
    """sum_k G_ki e_k: the error of the outputs, projected back on the neurons.  [K20 Eq. 3]

    (..., n_out) -> (..., n).  The paper's MSE special case prints error_i = Y_i - Yhat_i, without this projection.
    """
    return e @ readout.G
