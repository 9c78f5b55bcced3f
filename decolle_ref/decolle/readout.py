"""The fixed random readout that gives every layer an error of its own.  [K20 Sec. 3.2]

    Y_k = sum_i G_ki sigma(U_i) + c_k

G and c are sampled once and never learned.  The error dY_k = dL/dY_k travels back to the neurons of its layer through
the same G, and no further.  Dropout multiplies the activity before G, or Y after it, by 0 or 1/(1-p), and the error on
its way back by the same factors.

>>> import numpy as np
>>> from decolle_ref import Readout, readout
>>> fixed = Readout(G=np.array([[1.0, -1.0]]), c=np.array([0.5]))
>>> readout.output(fixed, activity=np.array([0.75, 0.25]))
array([1.])
>>> readout.local_error(fixed, dY=np.array([2.0]))
array([ 2., -2.])
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
    validate_broadcast,
    validate_choice,
    validate_dtype,
    validate_shape,
)


class Readout(NamedTuple):
    """The fixed readout of one layer.

    Attributes
    ----------
    G : array of shape (n_out, n)
    c : array of shape (n_out,)
    """

    G: Array
    c: Array


class Mask(NamedTuple):
    """The factors by which dropout multiplies at one step.  [K20 Table 2; dialects]

    Attributes
    ----------
    activity : float or array of shape (..., n)
        Factors before G.
    Y : float or array of shape (..., n_out)
        Factors after G.
    """

    activity: Array | float = 1.0
    Y: Array | float = 1.0


KEEP = Mask()
"""No dropout."""


def sample_readout(
    rng: np.random.Generator,
    n: int,
    n_out: int,
    amplitude: float = 0.5,
    dtype: npt.DTypeLike = np.float64,
) -> Readout:
    """G_ki ~ U(-1, 1) amplitude / sqrt(n), c = 0.  [K20 Sec. 3.2; amplitude 0.5 in the authors' code]

    Parameters
    ----------
    rng : numpy Generator
    n, n_out : int
        Numbers of neurons and outputs.
    amplitude : float > 0
    dtype : float64 or float32

    Returns
    -------
    Readout

    Raises
    ------
    InputError
        For sizes below 1, an amplitude that is not positive, or another dtype.
    """
    count("n", n)
    count("n_out", n_out)
    positive("amplitude", amplitude)
    G = rng.uniform(-1, 1, (n_out, n)) * (amplitude / np.sqrt(n))
    return Readout(finite("G", G, float_dtype(dtype)), np.zeros(n_out, dtype))


def validate(readout: Readout, n: int, dtype: np.dtype[Any], name: str) -> None:
    """Raise InputError unless G is (n_out, n) and c (n_out,), finite and of `dtype`.

    Parameters
    ----------
    readout : Readout
    n : int
        Number of neurons, or of windows where the layer has a pool.
    dtype : numpy dtype
    name : str
        Begins the message.
    """
    n_out = readout.G.shape[0] if readout.G.ndim else 0
    for letter, array, shape in zip("Gc", readout, ((n_out, n), (n_out,)), strict=True):
        validate_shape(f"{name} {letter}", finite(f"{name} {letter}", array), shape)
        validate_dtype(f"{name} {letter}", array, dtype)


def sample_mask(
    rng: np.random.Generator, p: float, place: str, sizes: tuple[int, ...], dtype: npt.DTypeLike = np.float64
) -> Mask:
    """Factors that are 0 with probability p, else 1/(1-p).

    One random byte decides, so p is rounded to the nearest 256th.

    Parameters
    ----------
    rng : numpy Generator
    p : float in [0, 255/256]
    place : "activity" or "Y"
        Where dropout acts: before G or after it.
    sizes : tuple of int
        Shape of the factors.
    dtype : float64 or float32

    Returns
    -------
    Mask

    Raises
    ------
    InputError
        For another p or place.
    """
    validate_choice("place", place, Mask._fields)
    dropped = drop_count("p", p)
    kept = rng.integers(0, 256, sizes, np.uint8) >= dropped
    return Mask(**{place: np.multiply(kept, 256 / (256 - dropped), dtype=float_dtype(dtype))})


def parse_mask(mask: Mask, readout: Readout, sizes: tuple[int, ...], name: str, step: int = 0) -> Mask:
    """The factors of one step, finite in the dtype of the readout.

    Parameters
    ----------
    mask : Mask
    readout : Readout
    sizes : tuple of int
        Shape of the activity, (..., n); the factors broadcast to it, and to that of Y.
    name : str
        Begins the message.
    step : int
        Ends it.

    Returns
    -------
    Mask

    Raises
    ------
    InputError
        For anything but a Mask of numbers that fit.
    """
    if not isinstance(mask, Mask):
        raise InputError(f"{name} at step {step}: expected a Mask, got {type(mask).__name__}")
    names = [f"{name} of {place} at step {step}" for place in Mask._fields]
    factors = [finite(place, x, readout.G.dtype) for place, x in zip(names, mask, strict=True)]
    for place, factor, shape in zip(names, factors, (sizes, (*sizes[:-1], len(readout.c))), strict=True):
        validate_broadcast(place, factor, shape)
    return Mask(*factors)


def drop_count(name: str, p: float) -> int:
    """The number of values of a random byte that drop an entry: 256 p, rounded.

    Parameters
    ----------
    name : str
        Begins the message.
    p : float in [0, 255/256]

    Returns
    -------
    int

    Raises
    ------
    InputError
        For another p.
    """
    fraction(name, p)
    if round(256 * p) == 256:
        raise InputError(f"{name}: expected at most 255/256, got {p}")
    return round(256 * p)


def output(readout: Readout, activity: Array, mask: Mask = KEEP) -> Array:
    """Y_k = sum_i G_ki sigma(U_i) + c_k.  [K20 Sec. 3.2]

    Assumes arrays of these shapes, which `network.run` and `network.step` check.

    Parameters
    ----------
    readout : Readout
    activity : array of shape (..., n)
        sigma(U), or S in dialects that read spikes.
    mask : Mask

    Returns
    -------
    array of shape (..., n_out)
    """
    Y: Array = mask.Y * ((mask.activity * activity) @ readout.G.T + readout.c)
    return Y


def local_error(readout: Readout, dY: Array, mask: Mask = KEEP) -> Array:
    """sum_k G_ki dY_k: the error of the outputs, projected back on the neurons.  [K20 Eq. 3]

    The paper's special case for the squared error prints error_i = Y_i - Yhat_i, without this projection.
    Assumes arrays of these shapes, which `rule.error_signal` checks.

    Parameters
    ----------
    readout : Readout
    dY : array of shape (..., n_out)
        dL/dY.
    mask : Mask

    Returns
    -------
    array of shape (..., n)
    """
    error: Array = mask.activity * ((mask.Y * dY) @ readout.G)
    return error
