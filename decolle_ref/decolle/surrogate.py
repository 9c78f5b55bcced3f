"""Surrogate derivatives, each as a triple: spike, derivative, primitive.  [K20 Sec. 3.2, N19 Fig. 3]

The spike function Theta has no useful derivative, so learning uses sigma' in its place.  sigma' is the true
derivative of a smooth function, its *primitive* sigma, which is what the readout of DECOLLE reads.  Because the three
stay together, every gradient here can be checked: derivative(x) = d primitive(x) / dx, and primitive(0) = 1/2.

`rise` is primitive(+inf) - primitive(-inf), the integral of the derivative.  It is not 1 for all of them; `normalised`
makes it 1.  All functions accept a real array of any shape, and a complex one for the complex-step check, where they
branch on the real part.  Integers and booleans are computed as float64, and NaN gives NaN.

>>> import numpy as np
>>> from decolle_ref import surrogate
>>> surrogate.fast_sigmoid.derivative(np.array([-1.0, 0.0, 1.0]))
array([0.25, 1.  , 0.25])
>>> surrogate.fast_sigmoid.primitive(np.array([-1.0, 0.0, 1.0]))
array([0. , 0.5, 1. ])
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from decolle_ref._util.check import Array, floats, positive

Function = Callable[[Array], Array]

LARGE = 2048  # numbers, from which on a comparison is faster than np.heaviside


def at_threshold(u: Array) -> Array:
    """Theta(u) = 1 if u >= 0 else 0.  [K20 Eq. 1]

    Parameters
    ----------
    u : array of any shape
        The membrane potential; the threshold lies at 0.

    Returns
    -------
    array
        Spikes, 0 or 1, of u's shape and real dtype.
    """
    return _fires(floats("u", u).real, 1.0)


def above_threshold(u: Array) -> Array:
    """Theta(u) = 1 if u > 0 else 0, the comparison of most public codes.

    Parameters
    ----------
    u : array of any shape
        The membrane potential; the threshold lies at 0.

    Returns
    -------
    array
        Spikes, 0 or 1, of u's shape and real dtype.
    """
    return _fires(floats("u", u).real, 0.0)


def _fires(u: Array, at_zero: float) -> Array:
    """The Heaviside function with this value at 0.  np.heaviside keeps NaN, but is slow where an array is large."""
    if u.size < LARGE or np.isnan(u).any():
        return np.asarray(np.heaviside(u, u.dtype.type(at_zero)))
    fires: Array = (u >= 0 if at_zero else u > 0).astype(u.dtype)
    return fires


@dataclass(frozen=True)
class Surrogate:
    """A spike function Theta, the sigma' that stands in for its derivative, and the primitive sigma of sigma'.

    Attributes
    ----------
    name : str
    derivative : function of an array
        sigma'.
    primitive : function of an array
        sigma, with sigma(0) = 1/2.
    rise : float
        sigma(+inf) - sigma(-inf).
    spike : function of an array
        Theta: `at_threshold` or `above_threshold`.
    """

    name: str
    derivative: Function
    primitive: Function
    rise: float
    spike: Function = at_threshold


def magnitude(x: Array) -> Array:
    """|x| on the real line, continued analytically on each side of 0 (np.abs would be the complex modulus).

    Parameters
    ----------
    x : real or complex array of any shape

    Returns
    -------
    array
        x or -x, whichever has the real part >= 0; x's shape and dtype.
    """
    x = floats("x", x)
    return np.abs(x) if x.dtype.kind == "f" else np.where(x.real < 0, -x, x)


def _odd(x: Array, half: Array) -> Array:
    """1/2 + half for x >= 0, 1/2 - half for x < 0: a primitive from its values for x >= 0."""
    return 0.5 + np.where(x.real < 0, -half, half)


def _logistic_derivative(x: Array) -> Array:
    z = np.exp(-magnitude(x))  # never overflows
    slope: Array = z / (1 + z) ** 2
    return slope


def _logistic(x: Array) -> Array:
    z = np.exp(-magnitude(x))
    sigma: Array = np.where(x.real < 0, z, 1) / (1 + z)
    return sigma


def _fast_sigmoid_derivative(x: Array) -> Array:
    slope: Array = 1 / (1 + magnitude(x)) ** 2
    return slope


def _fast_sigmoid(x: Array) -> Array:
    x = floats("x", x)
    if np.isinf(x.real).any():  # inf / inf is no number, and the largest number gives the limit
        x = np.where(np.isinf(x.real), np.copysign(np.finfo(x.dtype).max, x.real), x)
    sigma: Array = 0.5 + x / (1 + magnitude(x))
    return sigma


def _triangle(x: Array) -> Array:
    m = magnitude(x)
    return np.where(m.real >= 1, 0, 1 - m)


def _triangle_primitive(x: Array) -> Array:
    m = magnitude(x)
    inside = np.where(m.real >= 1, 1, m)
    return _odd(x, inside * (1 - inside / 2))


def _exponential_derivative(x: Array) -> Array:
    return np.exp(-magnitude(x))


def _exponential(x: Array) -> Array:
    return _odd(x, 1 - np.exp(-magnitude(x)))


def _boxcar_derivative(x: Array) -> Array:
    x = floats("x", x)
    inside = ((x.real > -0.5) & (x.real <= 0.5)).astype(x.dtype)
    return np.where(np.isnan(x), x, inside) if np.isnan(x).any() else inside


def _boxcar_primitive(x: Array) -> Array:
    x = floats("x", x)
    inside = np.where(x.real <= -0.5, 0, x + 0.5)
    return np.where(x.real > 0.5, 1, inside)


logistic = Surrogate("logistic", _logistic_derivative, _logistic, rise=1.0)
"""sigma'(x) = sigma(x) sigma(-x), sigma(x) = 1 / (1 + exp(-x)); the sigma of K20."""

fast_sigmoid = Surrogate("fast_sigmoid", _fast_sigmoid_derivative, _fast_sigmoid, rise=2.0)
"""sigma'(x) = 1 / (1 + |x|)^2, sigma(x) = 1/2 + x / (1 + |x|), from -1/2 to 3/2.  [N19 Fig. 3]"""

piecewise_linear = Surrogate("piecewise_linear", _triangle, _triangle_primitive, rise=1.0)
"""sigma'(x) = max(0, 1 - |x|).  [N19 Fig. 3]"""

exponential = Surrogate("exponential", _exponential_derivative, _exponential, rise=2.0)
"""sigma'(x) = exp(-|x|), sigma(x) = 1/2 + sign(x) (1 - exp(-|x|)).  [N19 Fig. 3]"""

boxcar = Surrogate("boxcar", _boxcar_derivative, _boxcar_primitive, rise=1.0)
"""sigma'(x) = 1 for -1/2 < x <= 1/2, else 0; sigma is the hard sigmoid."""

identity = Surrogate("identity", lambda x: np.ones_like(floats("x", x)), lambda x: floats("x", x), rise=np.inf)
"""sigma'(x) = 1, sigma(x) = x: no surrogate, but how a readout reads U itself; `SURROGATES` leaves it out."""

SURROGATES = {s.name: s for s in (logistic, fast_sigmoid, piecewise_linear, exponential, boxcar)}


def normalised(surrogate: Surrogate) -> Surrogate:
    """The same shape with rise 1: sigma'/rise, and 1/2 + (sigma - 1/2)/rise, from 0 to 1.

    Parameters
    ----------
    surrogate : Surrogate

    Returns
    -------
    Surrogate
    """
    rise = surrogate.rise
    return replace(
        surrogate,
        name=f"{surrogate.name}/normalised",
        derivative=lambda x: surrogate.derivative(x) / rise,
        primitive=lambda x: 0.5 + (surrogate.primitive(x) - 0.5) / rise,
        rise=1.0,
    )


def sharpened(surrogate: Surrogate, slope: float) -> Surrogate:
    """The same height, `slope` times narrower: sigma'(slope x), and 1/2 + (sigma(slope x) - 1/2)/slope.

    Parameters
    ----------
    surrogate : Surrogate
    slope : float > 0

    Returns
    -------
    Surrogate

    Raises
    ------
    InputError
        Unless slope > 0.
    """
    positive("slope", slope)
    return replace(
        surrogate,
        name=f"{surrogate.name}({slope:g}x)",
        derivative=lambda x: surrogate.derivative(slope * x),
        primitive=lambda x: 0.5 + (surrogate.primitive(slope * x) - 0.5) / slope,
        rise=surrogate.rise / slope,
    )
