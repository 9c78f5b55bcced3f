"""Functions of potentials and outputs, written into arrays that exist already.

Tested against `surrogate`, `objective.LOSSES` and the definitions that they name.

>>> U, sigma, slope, scratch = np.zeros(1), np.empty(1), np.empty(1), np.empty(1)
>>> write_logistic(U, sigma, slope, scratch)
>>> sigma, slope
(array([0.5]), array([0.25]))
"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle import dialects
from decolle_ref.decolle.objective import Loss, cross_entropy, smooth_l1, squared_error
from decolle_ref.decolle.surrogate import Function, Surrogate, above_threshold, at_threshold, boxcar, logistic

__all__ = ["spike_writer", "surrogate_writer", "write_error", "write_logistic"]

SurrogateWriter = Callable[[Array, Array, Array, Array], None]
"""(U, sigma, slope, scratch), all of one shape: overwrites the last three."""


def write_logistic(U: Array, sigma: Array, slope: Array, scratch: Array) -> None:
    """sigma(U) = |[U > 0] - q| and sigma'(U) = q - q^2, where q = sigma(-|U|) = z / (1 + z) and z = exp(-|U|).

    No overflow, and no digits lost where sigma' is small.

    Parameters
    ----------
    U
        Potentials, any shape.
    sigma, slope, scratch
        Of the shape of U; overwritten.
    """
    np.abs(U, out=slope)
    np.negative(slope, out=slope)
    np.exp(slope, out=slope)
    np.add(slope, 1, out=sigma)
    slope /= sigma
    np.multiply(slope, slope, out=scratch)
    np.greater(U, 0, out=sigma)
    sigma -= slope
    np.abs(sigma, out=sigma)
    slope -= scratch


def _write_fast_sigmoid_10(U: Array, sigma: Array, slope: Array, scratch: Array) -> None:
    """sigma'(U) = 1 / (1 + 10 |U|)^2; sigma is left as it is."""
    np.abs(U, out=slope)
    slope *= 10
    slope += 1
    slope *= slope
    np.divide(1, slope, out=slope)


def _write_boxcar(U: Array, sigma: Array, slope: Array, scratch: Array) -> None:
    """sigma'(U) = 1 for -1/2 < U <= 1/2, else 0; sigma is left as it is."""
    np.greater(U, -0.5, out=slope)
    np.less_equal(U, 0.5, out=scratch)
    slope *= scratch


_SLOPES: dict[Function, SurrogateWriter] = {
    dialects.decolle.triple().derivative: _write_fast_sigmoid_10,
    boxcar.derivative: _write_boxcar,
}


def surrogate_writer(surrogate: Surrogate, reads_primitive: bool) -> SurrogateWriter:
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
        (U, sigma, slope, scratch), which overwrites the last three.
    """
    if surrogate.derivative is logistic.derivative and surrogate.primitive is logistic.primitive:
        return write_logistic
    if not reads_primitive and surrogate.derivative in _SLOPES:
        return _SLOPES[surrogate.derivative]

    def write(U: Array, sigma: Array, slope: Array, scratch: Array) -> None:
        sigma[...] = surrogate.primitive(U)
        slope[...] = surrogate.derivative(U)

    return write


def spike_writer(spike: Function) -> Callable[[Array, Array], None]:
    """The function (U, S) that writes Theta(U) into S.  A potential that is not a number gives no spike here.

    Parameters
    ----------
    spike
        Of a surrogate.

    Returns
    -------
    function
    """
    if spike is at_threshold:
        return lambda U, S: np.greater_equal(U, 0, out=S)  # type: ignore[return-value]
    if spike is above_threshold:
        return lambda U, S: np.greater(U, 0, out=S)  # type: ignore[return-value]

    def write(U: Array, S: Array) -> None:
        S[...] = spike(U)

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
            np.clip(dY, -1, 1, out=dY)
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
