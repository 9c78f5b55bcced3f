"""The fixed random readout that gives every layer an error of its own.  [K20 Sec. 3.2]

    Y_k = sum_i G_ki sigma(U_i) + c_k

G and c are drawn once and never learned.  The error dY_k = dL/dY_k travels back to the neurons of its layer through the
same G, and no further.  Dropout multiplies what is read, or Y, by 0 or 1/(1-p), and the error on its way back likewise.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import (
    Array,
    InputError,
    count,
    finite,
    float_dtype,
    fraction,
    positive,
    validate_choice,
    validate_dtype,
    validate_shape,
)


class Readout(NamedTuple):
    """G and c of one layer."""

    G: Array  # (n_out, n)
    c: Array  # (n_out,)


class Mask(NamedTuple):
    """Dropout at one step: factors on the activity before G, or on Y after it.  [K20 Table 2; dialects]"""

    activity: Array | float = 1.0  # (..., n)
    Y: Array | float = 1.0  # (..., n_out)


KEEP = Mask()


def sample_readout(
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


def validate(readout: Readout, n: int, dtype: np.dtype[Any], name: str) -> None:
    """Raise InputError unless G is (n_out, n) and c (n_out,), finite and of `dtype`."""
    n_out = readout.G.shape[0] if readout.G.ndim else 0
    for letter, array, shape in (("G", readout.G, (n_out, n)), ("c", readout.c, (n_out,))):
        validate_shape(f"{name} {letter}", finite(f"{name} {letter}", array), shape)
        validate_dtype(f"{name} {letter}", array, dtype)


def sample_mask(
    rng: np.random.Generator, p: float, place: str, sizes: tuple[int, ...], dtype: npt.DTypeLike = np.float64
) -> Mask:
    """Factors that are 0 with probability p, else 1/(1-p), of shape `sizes`; place is "activity" or "Y".

    One random byte decides, so p is taken to the nearest 256th.  Raises InputError for a p that is not in [0, 1) or
    nearer to 1 than to 255/256, or another place.
    """
    validate_choice("place", place, Mask._fields)
    count = drop_count("p", p)
    kept = rng.integers(0, 256, sizes, np.uint8) >= count
    return Mask(**{place: np.multiply(kept, 256 / (256 - count), dtype=float_dtype(dtype))})


def drop_count(name: str, p: float) -> int:
    """How many of the 256 values of a random byte drop an entry.  Raises InputError unless 0 <= p <= 255/256."""
    fraction(name, p)
    if round(256 * p) == 256:
        raise InputError(f"{name}: expected at most 255/256, got {p}")
    return round(256 * p)


def output(readout: Readout, activity: Array, mask: Mask = KEEP) -> Array:
    """Y_k = sum_i G_ki sigma(U_i) + c_k.  [K20 Sec. 3.2]  (..., n) -> (..., n_out)."""
    Y: Array = mask.Y * ((mask.activity * activity) @ readout.G.T + readout.c)
    return Y


def local_error(readout: Readout, dY: Array, mask: Mask = KEEP) -> Array:
    """sum_k G_ki dY_k: the error of the outputs, projected back on the neurons.  [K20 Eq. 3]

    (..., n_out) -> (..., n).  The paper's MSE special case prints error_i = Y_i - Yhat_i, without this projection.
    """
    back: Array = mask.activity * ((mask.Y * dY) @ readout.G)
    return back
