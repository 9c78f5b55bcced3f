"""Running error analysis: numbers that carry a bound on how far an implementation may be from them.

    |computed - value| <= err

An operation whose exact result is z, on operands with errors, gives err = (propagated) + u (|z| + propagated) + tiny,
with u the unit roundoff of the implementation plus that of float64, in which the values here are computed.  Sums of
products of n terms get gamma_n = n u / (1 - n u) times the sum of magnitudes, which holds for every order of summation
and with fused multiply-add.  In fixed point sums are exact and each product is off by at most one rounding.
"""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.oracle.profile import FLOATS, ROUNDINGS, Profile

OURS = FLOATS["float64"].unit


class Approx(NamedTuple):
    """Values, and by how much what an implementation computes may differ from them."""

    value: Array
    err: Array


def exact(x: Array) -> Approx:
    """Numbers without error."""
    x = np.asarray(x, np.float64)
    return Approx(x, np.zeros_like(x))


class Arithmetic:
    """The operations of one profile."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.step = ROUNDINGS[profile.rounding] * profile.quantum if profile.fixed else 0.0
        if profile.fixed:
            self.unit, self.tiny = OURS, 0.0
        else:
            of = FLOATS[profile.format]
            self.unit = of.unit + OURS
            self.tiny = of.smallest * (1.0 if profile.flush else of.unit)

    def rounded(self, value: Array, err: Array) -> Approx:
        """The result of one operation whose operands' errors alone would make `err`."""
        return Approx(
            np.clip(value, *self.profile.limits), err + self.unit * (np.abs(value) + err) + self.tiny + self.step
        )

    def add(self, a: Approx, b: Approx) -> Approx:
        """a + b."""
        value, err = a.value + b.value, a.err + b.err
        if self.profile.fixed:
            return Approx(np.clip(value, *self.profile.limits), err + OURS * np.abs(value))
        return self.rounded(value, err)

    def subtract(self, a: Approx, b: Approx) -> Approx:
        """a - b."""
        return self.add(a, Approx(-b.value, b.err))

    def multiply(self, a: Approx, b: Approx) -> Approx:
        """a b."""
        err = np.abs(a.value) * b.err + np.abs(b.value) * a.err + a.err * b.err
        return self.rounded(a.value * b.value, err)

    def divide(self, a: Approx, b: Approx) -> Approx:
        """a / b, for b that is not 0 within its error."""
        room = np.abs(b.value) - b.err
        if (room <= 0).any():
            raise InputError("divide: expected a divisor that is not 0 within its error, got one that may be")
        value = a.value / b.value
        return self.rounded(value, (a.err + np.abs(value) * b.err) / room)

    def maximum(self, a: Approx, b: Approx) -> Approx:
        """max(a, b): no rounding, and where one is larger for certain, no error of the other."""
        either = np.maximum(a.err, b.err)
        err = np.where(a.value - b.value > a.err + b.err, a.err, either)
        return Approx(np.maximum(a.value, b.value), np.where(b.value - a.value > a.err + b.err, b.err, err))

    def clip(self, a: Approx, low: float, high: float) -> Approx:
        """min(max(a, low), high): no rounding."""
        return Approx(np.clip(a.value, low, high), a.err)

    def derived(self, value: Array, roundings: int = 1) -> Approx:
        """A constant that the implementation derives by so many operations on numbers of size up to 1 and `value`."""
        value = np.asarray(value, np.float64)
        return Approx(value, roundings * (self.unit * np.abs(value) + self.tiny + self.step))

    def function(self, f: Callable[[Array], Array], x: Approx, slope: float) -> Approx:
        """f(x) for sigma and sigma': declared units in the last place of 1, and a Lipschitz constant."""
        value = np.asarray(f(x.value), np.float64)
        ulp = self.profile.quantum if self.profile.fixed else 2 * self.unit
        return Approx(value, slope * x.err + self.profile.sigma_ulps * ulp * np.maximum(np.abs(value), 1) + self.tiny)

    def gathered(self, *terms: Approx) -> Approx:
        """The sum of a few numbers in any order: no partial sum is larger than the sum of their magnitudes."""
        value, err, size = (
            np.asarray(sum(x)) for x in zip(*((t.value, t.err, np.abs(t.value)) for t in terms), strict=True)
        )
        if self.profile.fixed:
            return Approx(np.clip(value, *self.profile.limits), err + OURS * size)
        n = len(terms) - 1
        return Approx(value, (err + n * self.unit * (size + err)) * (1 + self.unit) ** n + n * self.tiny)

    def total(self, value: Array, size: Array, err: Array, terms: int, *more: Approx, products: bool = True) -> Approx:
        """A sum of `terms` products whose magnitudes add up to `size`, and whose operands' errors alone make `err`.

        more: what is added to it, within the sum or after it, in whatever order.  Without `products` the terms are
        there as they are: in fixed point their sum is exact, and no factor is rounded before it.
        """
        profile, between = self.profile, self._between(value, more)
        factors = FLOATS[profile.products].unit if profile.products and products else 0.0
        off = (2 * factors + factors**2) * size  # each product of two rounded factors
        for x in more:
            value, size, err = value + x.value, size + np.abs(x.value) + x.err, err + x.err
        if profile.fixed:
            # an accumulator that saturates on the way loses at most what the magnitudes have beyond the limit
            lost = np.maximum(size + terms * self.step - profile.limits[1], 0)
            err = err + (terms * self.step if products else 0.0) + (terms + len(more)) * OURS * size + lost
            return Approx(np.clip(value, *profile.limits), err)
        unit = FLOATS[profile.accumulate].unit + OURS if profile.accumulate else self.unit
        n = terms + len(more) + 1
        if n * unit >= 1:
            raise InputError(f"profile: expected wider sums than {profile.format} for {n - 1} terms (accumulate)")
        gamma = n * unit / (1 - n * unit)
        err = err + off + gamma * (size + off) + n * self.tiny
        if not profile.accumulate:
            return Approx(value, err + OURS * np.abs(value))
        err = (err + self.unit * between + len(more) * self.tiny) * (1 + self.unit) ** len(more)
        return self.rounded(value, err)

    def _between(self, value: Array, more: tuple[Approx, ...]) -> Array:
        """The magnitudes of all that is rounded to the format before the last addition.

        Where products are summed in a wider format, that sum may be rounded, and `more` added one after the other: a
        partial sum of r of them is at most the largest that any r of them make.
        """
        if not self.profile.accumulate or not more:
            return np.zeros(())
        addends = [value, *(x.value for x in more)]
        found = np.abs(value)
        for r in range(2, len(addends)):
            sums = [np.abs(np.asarray(sum(some))) for some in combinations(addends, r)]
            found = found + np.max(np.broadcast_arrays(*sums), axis=0)
        return np.asarray(found)
