"""Surrogate derivatives, each as a triple: spike, derivative, primitive.  [K20 Sec. 3.2, N19 Fig. 3]

The spike function Theta has no useful derivative, so learning uses sigma' in its place.  sigma' is the true
derivative of a smooth function, its *primitive* sigma, which is what the readout of DECOLLE reads.  Keeping the three
together lets every gradient here be checked: derivative(x) = d primitive(x) / dx, and primitive(0) = 1/2.

`rise` is primitive(+inf) - primitive(-inf), the integral of the derivative.  It is not 1 for all of them; `normalised`
makes it so, as a named choice.  All functions accept any real array, and complex ones for the complex-step check,
where they branch on the real part.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from decolle_ref._util.check import Array, positive

Function = Callable[[Array], Array]


def at_threshold(u: Array) -> Array:
    """Theta(u) = 1 if u >= 0 else 0.  [K20 Eq. 1]"""
    return (u.real >= 0).astype(u.real.dtype)


def above_threshold(u: Array) -> Array:
    """Theta(u) = 1 if u > 0 else 0: as most public codes have it."""
    return (u.real > 0).astype(u.real.dtype)


@dataclass(frozen=True)
class Surrogate:
    """The triple (spike, derivative, primitive), with the rise of the primitive declared."""

    name: str
    derivative: Function
    primitive: Function
    rise: float
    spike: Function = at_threshold


def magnitude(x: Array) -> Array:
    """|x| on the real line, continued analytically on each side of 0 (np.abs would be the complex modulus)."""
    return np.where(x.real < 0, -x, x)


def _odd(x: Array, half: Array) -> Array:
    """1/2 + half for x >= 0, 1/2 - half for x < 0: a primitive from its values on the right."""
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
    sigma: Array = 0.5 + x / (1 + magnitude(x))
    return sigma


def _triangle(x: Array) -> Array:
    m = magnitude(x)
    return np.where(m.real < 1, 1 - m, 0 * m)


def _triangle_primitive(x: Array) -> Array:
    m = magnitude(x)
    return _odd(x, np.where(m.real < 1, m * (1 - m / 2), 0.5 + 0 * m))


def _exponential_derivative(x: Array) -> Array:
    return np.exp(-magnitude(x))


def _exponential(x: Array) -> Array:
    return _odd(x, 1 - np.exp(-magnitude(x)))


def _boxcar_derivative(x: Array) -> Array:
    return ((x.real > -0.5) & (x.real <= 0.5)).astype(x.dtype)


def _boxcar_primitive(x: Array) -> Array:
    inside = np.where(x.real > -0.5, x + 0.5, 0 * x)
    return np.where(x.real <= 0.5, inside, 1 + 0 * x)


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

SURROGATES = {s.name: s for s in (logistic, fast_sigmoid, piecewise_linear, exponential, boxcar)}


def normalised(surrogate: Surrogate) -> Surrogate:
    """The same shape with rise 1: sigma'/rise, and 1/2 + (sigma - 1/2)/rise, from 0 to 1."""
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

    Raises InputError unless slope > 0.
    """
    positive("slope", slope)
    return replace(
        surrogate,
        name=f"{surrogate.name}({slope:g}x)",
        derivative=lambda x: surrogate.derivative(slope * x),
        primitive=lambda x: 0.5 + (surrogate.primitive(slope * x) - 0.5) / slope,
        rise=surrogate.rise / slope,
    )
