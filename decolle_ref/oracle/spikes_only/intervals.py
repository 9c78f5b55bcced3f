"""Errors carried from step to step: operations that know what is exact, and functions of intervals.

An operation whose operands have no error, and whose result the format can hold, makes none; so silence stays silent,
and what is dyadic stays exact.  0 x = 0, 1 x = x and 0 + x = x make none either, whatever the error of x.
"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.surrogate import Function, Surrogate
from decolle_ref.oracle.check.error_bounds import Approx, Arithmetic, exact
from decolle_ref.oracle.profile import FLOATS

Bilinear = Callable[[Array, Array], Array]


class Carrying(Arithmetic):
    """The operations of one profile, on numbers whose errors come from earlier steps."""

    def holds(self, size: Array, grain: Array) -> Array:
        """Can the format hold every multiple of the power of two `grain` up to `size`?"""
        if self.profile.fixed:
            return np.asarray((grain >= self.profile.quantum) & (size <= self.profile.limits[1]))
        of = FLOATS[self.profile.format]
        return np.asarray((size < 2.0**of.bits * grain) & (grain >= of.smallest))

    def add(self, a: Approx, b: Approx) -> Approx:
        """a + b."""
        found, clean = super().add(a, b), np.asarray(a.err + b.err == 0)
        if clean.any():
            fits = self.holds(np.abs(a.value) + np.abs(b.value), np.minimum(grain(a.value), grain(b.value)))
            found = chosen(fits & clean, exact(a.value + b.value), found)
        return chosen(is_exactly(a, 0), b, chosen(is_exactly(b, 0), a, found))

    def multiply(self, a: Approx, b: Approx) -> Approx:
        """a b."""
        found, clean = super().multiply(a, b), np.asarray(a.err + b.err == 0)
        if clean.any():
            fits = self.holds(np.abs(a.value * b.value), grain(a.value) * grain(b.value))
            found = chosen(fits & clean, exact(a.value * b.value), found)
        found = chosen(is_exactly(a, 1), b, chosen(is_exactly(b, 1), a, found))
        return chosen(is_exactly(a, 0) | is_exactly(b, 0), exact(np.zeros(())), found)

    def divide(self, a: Approx, b: Approx) -> Approx:
        """a / b, for b that is not 0 within its error; by a power of two, exactly."""
        found = super().divide(a, b)
        value = a.value / b.value
        fits = (grain(b.value) == np.abs(b.value)) & self.holds(np.abs(value), grain(value))
        return chosen(fits & (a.err + b.err == 0), exact(value), found)

    def product(self, f: Bilinear, a: Approx, b: Approx, terms: int, *more: Approx, products: bool = True) -> Approx:
        """f(a, b) + more, one sum in whatever order; f adds up `terms` products of an entry of a and one of b.

        |(a + da)(b + db) - a b| <= (|a| + |da|) |db| + |da| |b|, summed; each product is a multiple of grain a grain b.
        """
        most = np.abs(a.value) + a.err
        value, size = f(a.value, b.value), f(most, np.abs(b.value) + b.err)
        err = f(most, b.err) + f(a.err, np.abs(b.value))
        found = self.total(value, size, err, terms, *more, products=products)
        for x in more:
            value, size, err = value + x.value, size + np.abs(x.value) + x.err, err + x.err
        if (err > 0).all():
            return found
        least = np.min([grain(a.value).min() * grain(b.value).min(), *(grain(x.value).min() for x in more)])
        fits = (size == 0) | (self.holds(size, least) & (not self.profile.products))
        return chosen(fits & (err == 0), exact(value), found)

    def sigma(self, surrogate: Surrogate, u: Approx) -> Approx:
        """sigma(u), which never falls: between its values at the ends."""
        return self._declared(hull(surrogate.primitive(u.value - u.err), surrogate.primitive(u.value + u.err)))

    def slope(self, surrogate: Surrogate, u: Approx) -> Approx:
        """sigma'(u), which falls away from 0: largest where u comes nearest to 0, smallest at one of the ends.

        Where it is 0 or 1, as a boxcar always is, it takes no arithmetic.
        """
        low, high = u.value - u.err, u.value + u.err
        ends = np.minimum(surrogate.derivative(low), surrogate.derivative(high))
        found = hull(ends, surrogate.derivative(np.clip(0.0, low, high)))
        return chosen(is_exactly(found, 0) | is_exactly(found, 1), found, self._declared(found))

    def _declared(self, x: Approx) -> Approx:
        """With the declared error of sigma and sigma' on top."""
        ulp = self.profile.quantum if self.profile.fixed else 2 * self.unit
        return Approx(
            x.value, x.err + self.profile.sigma_ulps * ulp * np.maximum(np.abs(x.value) + x.err, 1) + self.tiny
        )


def grain(x: Array) -> Array:
    """The largest power of two that divides x; infinity for 0."""
    significand, exponent = np.frexp(x)
    whole = (np.asarray(significand) * 2.0**53).astype(np.int64)
    return np.where(whole == 0, np.inf, np.ldexp((whole & -whole).astype(float), exponent - 53))


def is_exactly(a: Approx, number: float) -> Array:
    """Where a is this number, without error."""
    return np.asarray((a.value == number) & (a.err == 0))


def chosen(where: Array, a: Approx, b: Approx) -> Approx:
    """a where `where` holds, else b."""
    return Approx(np.where(where, a.value, b.value), np.where(where, a.err, b.err))


def hull(low: Array, high: Array) -> Approx:
    """Everything from low to high."""
    value = low + (high - low) / 2
    return Approx(value, np.maximum(np.abs(high - value), np.abs(value - low)))


def rising(f: Function, x: Approx) -> Approx:
    """f(x) for a function that never falls and makes no error of its own."""
    return hull(f(x.value - x.err), f(x.value + x.err))
