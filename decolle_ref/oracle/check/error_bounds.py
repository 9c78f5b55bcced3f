"""Running error analysis: numbers with a bound on the error that an implementation makes when it computes them.

    |computed - value| <= err

An operation on operands with errors, whose exact result is z, has

    err = propagated + u (|z| + propagated) + tiny

where `propagated` is the error that the operands' errors cause, and u is the unit roundoff of the implementation plus
that of float64, in which the values here are computed.  The bound of a sum of n products is gamma_n = n u / (1 - n u)
times the sum of magnitudes; it holds for every order of summation, and with fused multiply-add.  In fixed point sums
are exact, and each product is off by at most one rounding.

>>> arithmetic = Arithmetic(Profile(format="float32"))
>>> product = arithmetic.multiply(exact(np.asarray(3.0)), exact(np.asarray(5.0)))
>>> float(product.value), bool(0 < product.err < 1e-5)
(15.0, True)
"""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle.surrogate import Surrogate
from decolle_ref.oracle.profile import FLOATS, ROUNDINGS, Profile

FLOAT64_UNIT = FLOATS["float64"].unit


class Bounded(NamedTuple):
    """Values, and the largest error that an implementation may make in computing them."""

    value: Array
    err: Array


def exact(x: Array) -> Bounded:
    """Numbers without an error."""
    x = np.asarray(x, np.float64)
    return Bounded(x, np.zeros_like(x))


def chosen(where: Array, a: Bounded, b: Bounded) -> Bounded:
    """a where `where` holds, else b."""
    return Bounded(np.where(where, a.value, b.value), np.where(where, a.err, b.err))


def hull(low: Array, high: Array) -> Bounded:
    """The interval from low to high."""
    value = low + (high - low) / 2
    return Bounded(value, np.maximum(np.abs(high - value), np.abs(value - low)))


class Arithmetic:
    """The operations of a profile, each with the bound of its result."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.step = ROUNDINGS[profile.rounding] * profile.quantum if profile.fixed else 0.0
        if profile.fixed:
            self.unit, self.tiny = FLOAT64_UNIT, 0.0
        else:
            float_format = FLOATS[profile.format]
            self.unit = float_format.unit + FLOAT64_UNIT
            self.tiny = float_format.smallest * (1.0 if profile.flush else float_format.unit)

    def rounded(self, value: Array, err: Array) -> Bounded:
        """The result of one operation; `err` is the error that the operands' errors cause."""
        err = err + self.unit * (np.abs(value) + err) + self.tiny + self.step
        return Bounded(np.clip(value, *self.profile.limits), err)

    def add(self, a: Bounded, b: Bounded) -> Bounded:
        """a + b."""
        value, err = a.value + b.value, a.err + b.err
        if self.profile.fixed:
            return Bounded(np.clip(value, *self.profile.limits), err + FLOAT64_UNIT * np.abs(value))
        return self.rounded(value, err)

    def subtract(self, a: Bounded, b: Bounded) -> Bounded:
        """a - b."""
        return self.add(a, Bounded(-b.value, b.err))

    def multiply(self, a: Bounded, b: Bounded) -> Bounded:
        """a b."""
        err = np.abs(a.value) * b.err + np.abs(b.value) * a.err + a.err * b.err
        return self.rounded(a.value * b.value, err)

    def divide(self, a: Bounded, b: Bounded) -> Bounded:
        """a / b, where b is certainly not 0."""
        room = np.abs(b.value) - b.err
        if not (room > 0).all():
            raise InputError("divide: expected a divisor that is not 0 within its error, got one that may be")
        value = a.value / b.value
        return self.rounded(value, (a.err + np.abs(value) * b.err) / room)

    def maximum(self, a: Bounded, b: Bounded) -> Bounded:
        """max(a, b), without rounding; where a or b is certainly larger, the error of the other does not count."""
        either = np.maximum(a.err, b.err)
        err = np.where(a.value - b.value > a.err + b.err, a.err, either)
        return Bounded(np.maximum(a.value, b.value), np.where(b.value - a.value > a.err + b.err, b.err, err))

    def clip(self, a: Bounded, low: float, high: float) -> Bounded:
        """min(max(a, low), high), without rounding."""
        return Bounded(np.clip(a.value, low, high), a.err)

    def derived(self, value: Array, roundings: int = 1) -> Bounded:
        """A constant that the implementation derives by `roundings` operations, on numbers up to 1 or `value`."""
        value = np.asarray(value, np.float64)
        return Bounded(value, roundings * (self.unit * np.abs(value) + self.tiny + self.step))

    def function(self, f: Callable[[Array], Array], x: Bounded, slope: float) -> Bounded:
        """f(x), with the declared error of sigma and sigma', and the Lipschitz constant `slope`."""
        value = np.asarray(f(x.value), np.float64)
        return self.declared(Bounded(value, slope * x.err))

    def sigma(self, surrogate: Surrogate, u: Bounded) -> Bounded:
        """sigma(u).  It never falls, so it lies between its values at the ends of the interval."""
        return self.declared(hull(surrogate.primitive(u.value - u.err), surrogate.primitive(u.value + u.err)))

    def slope(self, surrogate: Surrogate, u: Bounded) -> Bounded:
        """sigma'(u).  It falls on both sides of 0: it is largest where u is nearest to 0, and smallest at an end."""
        low, high = u.value - u.err, u.value + u.err
        ends = np.minimum(surrogate.derivative(low), surrogate.derivative(high))
        return self.declared(hull(ends, surrogate.derivative(np.clip(0.0, low, high))))

    def declared(self, x: Bounded) -> Bounded:
        """x plus the declared error of sigma and sigma'."""
        ulp = self.profile.quantum if self.profile.fixed else 2 * self.unit
        err = x.err + self.profile.sigma_ulps * ulp * np.maximum(np.abs(x.value) + x.err, 1) + self.tiny
        return Bounded(x.value, err)

    def gathered(self, *terms: Bounded) -> Bounded:
        """The sum of a few numbers in any order: no partial sum exceeds the sum of their magnitudes."""
        rows = ((term.value, term.err, np.abs(term.value)) for term in terms)
        value, err, size = (np.asarray(sum(x)) for x in zip(*rows, strict=True))
        if self.profile.fixed:
            return Bounded(np.clip(value, *self.profile.limits), err + FLOAT64_UNIT * size)
        n = len(terms) - 1
        return Bounded(value, (err + n * self.unit * (size + err)) * (1 + self.unit) ** n + n * self.tiny)

    def total(
        self, value: Array, size: Array, err: Array, terms: int, *more: Bounded, products: bool = True
    ) -> Bounded:
        """A sum of `terms` products whose magnitudes add up to `size`; the operands' errors cause the error `err`.

        more: further terms, added within the sum or after it, in any order.  products: False if the terms are plain
        numbers, so that no factor is rounded, and their sum in fixed point is exact.
        """
        profile, between = self.profile, self._between(value, more)
        factors = FLOATS[profile.products].unit if profile.products and products else 0.0
        off = (2 * factors + factors**2) * size  # the two factors of each product are rounded
        for x in more:
            value, size, err = value + x.value, size + np.abs(x.value) + x.err, err + x.err
        if profile.fixed:
            # an accumulator that saturates on the way loses at most the part of the magnitudes beyond the limit
            lost = np.maximum(size + terms * self.step - profile.limits[1], 0)
            err = err + (terms * self.step if products else 0.0) + (terms + len(more)) * FLOAT64_UNIT * size + lost
            return Bounded(np.clip(value, *profile.limits), err)
        unit = FLOATS[profile.accumulate].unit + FLOAT64_UNIT if profile.accumulate else self.unit
        n = terms + len(more) + 1
        if n * unit >= 1:
            raise InputError(f"profile: expected wider sums than {profile.format} for {n - 1} terms (accumulate)")
        gamma = n * unit / (1 - n * unit)
        err = err + off + gamma * (size + off) + n * self.tiny
        if not profile.accumulate:
            return Bounded(value, err + FLOAT64_UNIT * np.abs(value))
        err = (err + self.unit * between + len(more) * self.tiny) * (1 + self.unit) ** len(more)
        return self.rounded(value, err)

    def _between(self, value: Array, more: tuple[Bounded, ...]) -> Array:
        """The magnitudes of all numbers that are rounded to the format before the last addition.

        Where products are summed in a wider format, that sum may be rounded before the terms of `more` are added one
        by one.  A partial sum of r terms is at most the largest sum that any r of them make.
        """
        if not self.profile.accumulate or not more:
            return np.zeros(())
        addends = [value, *(x.value for x in more)]
        largest = np.abs(value)
        for r in range(2, len(addends)):
            sums = [np.abs(np.asarray(sum(subset))) for subset in combinations(addends, r)]
            largest = largest + np.max(np.broadcast_arrays(*sums), axis=0)
        return np.asarray(largest)
