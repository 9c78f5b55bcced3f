"""Interval arithmetic: operations whose operands have errors from earlier steps.

An operation on exact operands, whose result the format can hold, makes no error.  So a silent layer stays at exactly 0,
and multiples of powers of two stay exact.  0 x = 0, 1 x = x and 0 + x = x make no error, either, whatever that of x.

>>> x = hull(np.asarray(1.0), np.asarray(2.0))
>>> float(x.value), float(x.err)
(1.5, 0.5)
"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.surrogate import Function, Surrogate
from decolle_ref.oracle.check.error_bounds import Arithmetic, Bounded, chosen, exact, hull
from decolle_ref.oracle.profile import FLOATS

Bilinear = Callable[[Array, Array], Array]


class Intervals(Arithmetic):
    """The operations of a profile, on numbers whose errors come from earlier steps."""

    def holds(self, size: Array, grain: Array) -> Array:
        """Can the format hold every multiple of the power of two `grain` up to `size`?"""
        if self.profile.fixed:
            return np.asarray((grain >= self.profile.quantum) & (size <= self.profile.limits[1]))
        float_format = FLOATS[self.profile.format]
        return np.asarray((size < 2.0**float_format.bits * grain) & (grain >= float_format.smallest))

    def add(self, a: Bounded, b: Bounded) -> Bounded:
        """a + b."""
        result, clean = super().add(a, b), np.asarray(a.err + b.err == 0)
        if clean.any():
            fits = self.holds(np.abs(a.value) + np.abs(b.value), np.minimum(grain(a.value), grain(b.value)))
            result = chosen(fits & clean, exact(a.value + b.value), result)
        return chosen(is_exactly(a, 0), b, chosen(is_exactly(b, 0), a, result))

    def multiply(self, a: Bounded, b: Bounded) -> Bounded:
        """a b."""
        result, clean = super().multiply(a, b), np.asarray(a.err + b.err == 0)
        if clean.any():
            fits = self.holds(np.abs(a.value * b.value), grain(a.value) * grain(b.value))
            result = chosen(fits & clean, exact(a.value * b.value), result)
        result = chosen(is_exactly(a, 1), b, chosen(is_exactly(b, 1), a, result))
        return chosen(is_exactly(a, 0) | is_exactly(b, 0), exact(np.zeros(())), result)

    def divide(self, a: Bounded, b: Bounded) -> Bounded:
        """a / b, where b is certainly not 0; exact for a power of two b."""
        result = super().divide(a, b)
        value = a.value / b.value
        fits = (grain(b.value) == np.abs(b.value)) & self.holds(np.abs(value), grain(value))
        return chosen(fits & (a.err + b.err == 0), exact(value), result)

    def product(
        self, f: Bilinear, a: Bounded, b: Bounded, terms: int, *more: Bounded, products: bool = True
    ) -> Bounded:
        """f(a, b) + more, summed in any order; f is a sum of `terms` products of an entry of a and an entry of b.

        |(a + da)(b + db) - a b| <= (|a| + |da|) |db| + |da| |b|, summed; each product is a multiple of grain a grain b.
        """
        most = np.abs(a.value) + a.err
        value, size = f(a.value, b.value), f(most, np.abs(b.value) + b.err)
        err = f(most, b.err) + f(a.err, np.abs(b.value))
        result = self.total(value, size, err, terms, *more, products=products)
        for x in more:
            value, size, err = value + x.value, size + np.abs(x.value) + x.err, err + x.err
        if (err > 0).all():
            return result
        least = np.min([grain(a.value).min() * grain(b.value).min(), *(grain(x.value).min() for x in more)])
        fits = (size == 0) | (self.holds(size, least) & (not self.profile.products))
        return chosen(fits & (err == 0), exact(value), result)

    def slope(self, surrogate: Surrogate, u: Bounded) -> Bounded:
        """sigma'(u).  Where it is exactly 0 or 1, as a boxcar always is, it is computed without an error."""
        low, high = u.value - u.err, u.value + u.err
        ends, top = (surrogate.derivative(x) for x in (np.stack([low, high]), np.clip(0.0, low, high)))
        one = (ends.min(axis=0) == top) & ((top == 0) | (top == 1))
        return chosen(one, exact(top), super().slope(surrogate, u))


def grain(x: Array) -> Array:
    """The largest power of two that divides x; infinity for 0."""
    significand, exponent = np.frexp(x)
    whole = (np.asarray(significand) * 2.0**53).astype(np.int64)
    return np.where(whole == 0, np.inf, np.ldexp((whole & -whole).astype(float), exponent - 53))


def is_exactly(a: Bounded, number: float) -> Array:
    """Where a is this number, without error."""
    return np.asarray((a.value == number) & (a.err == 0))


def rising(f: Function, x: Bounded) -> Bounded:
    """f(x) for a function that never falls and that an implementation computes without an error; NaN where x is."""
    low, high = (np.where(np.isnan(end), np.nan, f(end)) for end in (x.value - x.err, x.value + x.err))
    return hull(low, high)
