"""Is this the gradient of that loss?  Three tests, and a report that names the worst entry.

- complex step: Im f(x + i h v) / h, exact to rounding, where f is analytic (f must branch on the real part at kinks)
- central differences: (f(x + h v) - f(x - h v)) / 2h, for any smooth f, exact to about 1e-9
- Taylor remainder: |f(x + h v) - f(x) - h g.v| ~ h^p with p = 2 if g is the gradient, and p = 1 if it is not

Where rounding or underflow hides a difference as large as the tolerance, the report says "cannot tell".

The first two compare entry by entry, or along random directions v, which is cheap where there are many entries.
A loss is any function from one array to a number; a gradient is an array of the same shape.

>>> import numpy as np
>>> from decolle_ref.gradcheck import check
>>> x = np.array([1.0, 2.0])
>>> print(check(lambda x: (x**3).sum(), 3 * x**2, x))
complex_step over 2 entries: agrees, worst relative error 0.0e+00 (tolerance 1e-12)
>>> print(check(lambda x: (x**3).sum(), 2 * x**2, x))
complex_step over 2 entries: DISAGREES, worst relative error 3.3e-01 (tolerance 1e-12) at entry (1,): got 8, expected 12
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError, count, finite, floats, validate_choice, validate_shape

Function = Callable[[Array], Any]

COMPLEX_H = 1e-30  # no subtraction takes place, so h can be as small as one likes
CENTRAL_H = 6e-6  # about cbrt(eps): balances truncation against rounding
TAYLOR_H = tuple(2.0**-k for k in range(4, 11))
TOLERANCE = {"complex_step": 1e-12, "central": 1e-7}


@dataclass(frozen=True)
class Report:
    """The result of a check.  `bool(report)` is True if the gradient passes, `str(report)` says all in one line.

    Attributes
    ----------
    method, mode : str
        As in `check`.
    compared : int
        Number of entries or directions.
    error : float
        Worst |got - expected|, relative to the largest magnitude on either side.
    tolerance : float
    worst : tuple of int
        Index of the worst entry, or number of the worst direction.
    got, expected : float
        There, the derivative by `gradient` and that of f.
    precision : float
        The smallest relative error that the method can see at this x.
    """

    method: str
    mode: str
    compared: int
    error: float
    tolerance: float
    worst: tuple[int, ...]
    got: float
    expected: float
    precision: float = 0.0

    @property
    def verdict(self) -> str:
        """agrees, DISAGREES, or cannot tell: the error may be only that of the method, or hidden by it."""
        if self.error <= self.tolerance:
            return "agrees" if self.precision <= self.tolerance else "cannot tell"
        return "cannot tell" if self.error <= self.precision and np.isfinite(self.error) else "DISAGREES"

    def __bool__(self) -> bool:
        return self.verdict == "agrees"

    def __str__(self) -> str:
        text = f"{self.method} over {self.compared} {self.mode}: {self.verdict}, "
        text += f"worst relative error {self.error:.1e} (tolerance {self.tolerance:g})"
        if self.verdict == "cannot tell":
            text += f", but this method sees no error below {self.precision:.1e} here"
        elif not self:
            place = "entry" if self.mode == "entries" else "direction"
            text += f" at {place} {self.worst}: got {self.got:.6g}, expected {self.expected:.6g}"
        return text


def complex_step(f: Function, x: Array, v: Array) -> float:
    """Im f(x + i h v) / h: the derivative of f along v.

    Parameters
    ----------
    f : function from an array to a number
        It must accept complex arrays.
    x, v : arrays of equal shape

    Returns
    -------
    float

    Raises
    ------
    InputError
        If f does not return a single complex number, or if x and v are not numbers of one shape.
    """
    x, v = _parse_pair(x, v)
    value = np.asarray(f(x + 1j * COMPLEX_H * v))
    if not np.iscomplexobj(value):
        raise InputError("f: expected a complex value for a complex argument, got a real one (use method='central')")
    return _number(value.imag) / COMPLEX_H


def central(f: Function, x: Array, v: Array) -> float:
    """(f(x + h v) - f(x - h v)) / 2h: the derivative of f along v.

    Parameters
    ----------
    f : function from an array to a number
    x, v : arrays of equal shape

    Returns
    -------
    float

    Raises
    ------
    InputError
        If f does not return a single number, or if x and v are not numbers of one shape.
    """
    x, v = _parse_pair(x, v)
    h = _central_h(x)
    return (_number(f(x + h * v)) - _number(f(x - h * v))) / (2 * h)


def _central_h(x: Array) -> float:
    return CENTRAL_H * max(1.0, float(np.abs(x).max(initial=0)))


def taylor_rate(f: Function, gradient: Array, x: Array, v: Array) -> float:
    """The fitted exponent p of |f(x + h v) - f(x) - h g.v| ~ h^p: about 2 if g is the gradient, about 1 if not.

    Parameters
    ----------
    f : function from an array to a number
    gradient, x, v : arrays of equal shape

    Returns
    -------
    float
        Infinite if the remainder vanishes up to rounding, as for a linear f.

    Raises
    ------
    InputError
        If f does not return a single number, or not a finite one near x, or if shapes differ.
    """
    (x, v), gradient = _parse_pair(x, v), _parse_pair(x, gradient)[1]
    f0, slope = _number(f(x)), float((gradient * v).sum())
    remainders = np.array([abs(_number(f(x + h * v)) - f0 - h * slope) for h in TAYLOR_H])
    if not np.isfinite(remainders).all():
        raise InputError("f: expected finite values around x, got NaN or infinity")
    rounding = 100 * np.finfo(float).eps * max(abs(f0), abs(slope))
    usable = remainders > rounding
    if usable.sum() < 2:
        return np.inf
    return float(np.polyfit(np.log(np.array(TAYLOR_H)[usable]), np.log(remainders[usable]), 1)[0])


METHODS = {"complex_step": complex_step, "central": central}


def check(
    f: Function,
    gradient: Array,
    x: Array,
    method: str = "complex_step",
    mode: str = "entries",
    rng: np.random.Generator | None = None,
    directions: int = 10,
    tolerance: float | None = None,
) -> Report:
    """Compare `gradient` with the derivative of f at x.

    Parameters
    ----------
    f : function from an array to a number, the loss
    gradient, x : arrays of equal shape
    method : "complex_step" or "central"
    mode : "entries" or "directions"
        One comparison for each entry of x, or for each of some random directions.
    rng, directions : numpy Generator, int
        Source and number of the random directions.
    tolerance : float
        Relative to the largest magnitude compared; 1e-12 (complex_step) or 1e-7 (central) by default.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        For a shape or value that cannot be compared, and for an x without entries.
    """
    validate_choice("method", method, METHODS)
    validate_choice("mode", mode, ("entries", "directions"))
    x, gradient = _parse_point(x, gradient)
    vectors = _unit_vectors(x) if mode == "entries" else _random_directions(x, rng, directions)
    pairs = [(float((gradient * v).sum()), METHODS[method](f, x, v)) for v in vectors]
    got, expected = np.array(pairs).reshape(-1, 2).T
    error = _relative_error(got, expected)
    tolerance = TOLERANCE[method] if tolerance is None else tolerance
    precision = _precision(method, f, x, max(np.abs(got).max(), np.abs(expected).max()))
    k = int(error.argmax())
    worst = tuple(map(int, np.unravel_index(k, x.shape))) if mode == "entries" else (k,)
    numbers = float(error[k]), tolerance, worst, float(got[k]), float(expected[k]), precision
    return Report(method, mode, len(pairs), *numbers)


def _parse_point(x: Array, gradient: Array) -> tuple[Array, Array]:
    """x and the gradient there: finite numbers of one shape, with at least one entry."""
    x = finite("x", x).astype(float)
    if not x.size:
        raise InputError(f"x: expected at least one entry, got shape {x.shape}")
    return x, finite("gradient", gradient, shape=x.shape)


def _precision(method: str, f: Function, x: Array, scale: float) -> float:
    """The smallest relative error that the method can see, for derivatives as large as `scale`.

    Central differences lose what lies below the last bit of f, the complex step what underflows.
    """
    if method == "central":
        least = float(np.finfo(float).eps) * abs(_number(f(x))) / (2 * _central_h(x))
    else:
        least = float(np.finfo(float).tiny) / COMPLEX_H
        reach = abs(complex_step(f, x, _unequal(x) / COMPLEX_H)) * COMPLEX_H if scale == 0 else least
        least = 0.0 if reach == 0 or reach > least else least  # f is flat, up to its own rounding
    return float(least / scale) if scale else float(np.inf if least else 0.0)


def _unequal(x: Array) -> Array:
    """A direction in which all entries of x change, each by another amount of at most 1."""
    return (np.arange(x.size) + 1.0).reshape(x.shape) / x.size


def _parse_pair(x: Array, v: Array) -> tuple[Array, Array]:
    """Two arrays of floats, of one shape."""
    x, v = floats("x", x), floats("v", v)
    validate_shape("v", v, x.shape)
    return x, v


def _relative_error(got: Array, expected: Array) -> Array:
    """|got - expected| over the largest magnitude on either side; NaN counts as infinitely wrong."""
    difference = np.abs(got - expected)
    known = np.isfinite(difference)
    scale = max(np.abs(got[known]).max(initial=0), np.abs(expected[known]).max(initial=0))
    return np.where(known, difference / (scale or 1.0), np.inf)


def _unit_vectors(x: Array) -> Iterator[Array]:
    """One vector per entry of x."""
    for k in range(x.size):
        v = np.zeros(x.size)
        v[k] = 1
        yield v.reshape(x.shape)


def _random_directions(x: Array, rng: np.random.Generator | None, directions: int) -> Iterator[Array]:
    """Random vectors of length 1."""
    if rng is None:
        raise InputError("rng: expected a numpy Generator for random directions, got None")
    for _ in range(count("directions", directions)):
        v = rng.standard_normal(x.shape)
        yield v / np.linalg.norm(v)


def _number(value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1:
        raise InputError(f"f: expected a single number, got shape {array.shape}")
    return float(array.real.reshape(()))
