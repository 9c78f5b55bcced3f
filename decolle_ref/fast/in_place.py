"""Functions of potentials and outputs, written into arrays that exist already.

Tested against `surrogate`, `objective.LOSSES` and the definitions that they name.

>>> arrays = Potentials.zeros((1, 1), np.dtype(float))
>>> write_logistic(arrays)
>>> arrays.sigma, arrays.slope
(array([[0.5]]), array([[0.25]]))
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle import dialects
from decolle_ref.decolle.objective import Loss, cross_entropy, smooth_l1, squared_error
from decolle_ref.decolle.surrogate import Function, Surrogate, above_threshold, at_threshold, boxcar, logistic

__all__ = ["Potentials", "spike_writer", "surrogate_writer", "write_error", "write_logistic"]


class Potentials(NamedTuple):
    """U and what is computed from it at one step, all of one shape.

    Attributes
    ----------
    U, S, sigma, slope : arrays
        U, Theta(U), sigma(U) and sigma'(U).
    scratch : array
    flag : array of booleans
        The results of comparisons: NumPy writes them sooner here than as floats.
    """

    U: Array
    S: Array
    sigma: Array
    slope: Array
    scratch: Array
    flag: Array

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: np.dtype[Any]) -> "Potentials":
        """New arrays of this shape."""
        U, S, sigma, slope, scratch = (np.zeros(shape, dtype) for _ in range(5))
        return cls(U, S, sigma, slope, scratch, np.zeros(shape, bool))


Writer = Callable[[Potentials], None]
"""Reads U, and overwrites the other arrays that it needs."""


def write_logistic(arrays: Potentials) -> None:
    """sigma(U) = |[U > 0] - q| and sigma'(U) = q - q^2, where q = sigma(-|U|) = z / (1 + z) and z = exp(-|U|).

    No overflow, and no digits lost where sigma' is small.

    Parameters
    ----------
    arrays
        All but S are used.
    """
    U, _, sigma, slope, scratch, flag = arrays
    np.abs(U, out=slope)
    np.negative(slope, out=slope)
    np.exp(slope, out=slope)
    np.add(slope, 1, out=sigma)
    slope /= sigma
    np.multiply(slope, slope, out=scratch)
    np.greater(U, 0, out=flag)
    np.copyto(sigma, flag)
    sigma -= slope
    np.abs(sigma, out=sigma)
    slope -= scratch


def _write_fast_sigmoid_10(arrays: Potentials) -> None:
    """sigma'(U) = 1 / (1 + 10 |U|)^2; sigma is left as it is."""
    slope = arrays.slope
    np.abs(arrays.U, out=slope)
    slope *= 10
    slope += 1
    slope *= slope
    np.divide(1, slope, out=slope)


def _write_boxcar(arrays: Potentials) -> None:
    """sigma'(U) = 1 for -1/2 < U <= 1/2, else 0; sigma is left as it is."""
    U, _, _, slope, scratch, flag = arrays
    np.greater(U, -0.5, out=flag)
    np.copyto(slope, flag)
    np.less_equal(U, 0.5, out=flag)
    np.copyto(scratch, flag)
    slope *= scratch


_SLOPES: dict[Function, Writer] = {
    dialects.decolle.triple().derivative: _write_fast_sigmoid_10,
    boxcar.derivative: _write_boxcar,
}


def surrogate_writer(surrogate: Surrogate, reads_primitive: bool) -> Writer:
    """The function that writes sigma(U) and sigma'(U); by the definition, with new arrays, where there is no other.

    Parameters
    ----------
    surrogate
        The triple.
    reads_primitive
        Whether sigma(U) is needed; sigma'(U) always is.

    Returns
    -------
    function
        Of `Potentials`.
    """
    if surrogate.derivative is logistic.derivative and surrogate.primitive is logistic.primitive:
        return write_logistic
    if not reads_primitive and surrogate.derivative in _SLOPES:
        return _SLOPES[surrogate.derivative]

    def write(arrays: Potentials) -> None:
        arrays.sigma[...] = surrogate.primitive(arrays.U)
        arrays.slope[...] = surrogate.derivative(arrays.U)

    return write


def spike_writer(spike: Function) -> Writer:
    """The function that writes Theta(U) into S.  A potential that is not a number gives no spike here.

    Parameters
    ----------
    spike
        Of a surrogate.

    Returns
    -------
    function
        Of `Potentials`.
    """
    if spike not in (at_threshold, above_threshold):
        return lambda arrays: np.copyto(arrays.S, spike(arrays.U))
    compare = np.greater_equal if spike is at_threshold else np.greater

    def write(arrays: Potentials) -> None:
        compare(arrays.U, 0, out=arrays.flag)
        np.copyto(arrays.S, arrays.flag)

    return write


def write_error(loss: Loss, Y: Array, target: Array, dY: Array, column: Array) -> None:
    """The slope of a loss: d sum(terms) / dY.

    Parameters
    ----------
    loss
        Any; those of `objective.LOSSES` need no new arrays.
    Y, target
        (batch, n_out).
    dY
        The output, of the same shape.
    column
        (batch, 1), overwritten.
    """
    if loss is squared_error or loss is smooth_l1:
        np.subtract(Y, target, out=dY)
        if loss is smooth_l1:
            np.maximum(dY, -1, out=dY)
            np.minimum(dY, 1, out=dY)
    elif loss is cross_entropy:
        np.max(Y, axis=1, keepdims=True, out=column)
        np.subtract(Y, column, out=dY)
        np.exp(dY, out=dY)
        np.sum(dY, axis=1, keepdims=True, out=column)
        dY /= column
        np.sum(target, axis=1, keepdims=True, out=column)
        dY *= column
        dY -= target
    else:
        dY[...] = loss.slope(Y, target)
