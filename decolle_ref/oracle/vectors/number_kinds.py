"""Two kinds of numbers for `exactness`: floating point with a fixed order of sums, and fractions with counted bits.

>>> need = Need()
>>> need.add_sum([Fraction(1), Fraction(-1), Fraction(1, 8)])
>>> need.significand, need.behind, need.before
(5, 3, 2)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError


class Numbers(NamedTuple):
    """A kind of numbers.

    Parameters
    ----------
    wide : converts an array exactly, for the formulas of the constants
    narrow : converts an array, and rounds it to this kind
    total : the sum over the last axis
    """

    wide: Callable[[Any], Array]
    narrow: Callable[[Any], Array]
    total: Callable[[Array], Array]

    def plus(self, *terms: Array) -> Array:
        """The sum of arrays, from left to right."""
        return self.total(np.stack(np.broadcast_arrays(*terms), axis=-1))


def in_order(terms: Array) -> Array:
    """((t_0 + t_1) + t_2) + ... over the last axis: the order of a running sum is fixed.

    Parameters
    ----------
    terms : (..., n)

    Returns
    -------
    array
        (...)
    """
    return np.asarray(np.add.accumulate(terms, axis=-1)[..., -1])


def floats(dtype: str) -> Numbers:
    """Floating-point numbers; constants are computed in float64 and rounded once.

    Parameters
    ----------
    dtype : "float32" or "float64"

    Returns
    -------
    Numbers
    """
    return Numbers(lambda x: np.asarray(x, np.float64), lambda x: np.asarray(x, np.dtype(dtype)), in_order)


def fractions(x: Any) -> Array:
    """The same numbers as exact fractions.

    Parameters
    ----------
    x : any array

    Returns
    -------
    array of Fraction
        Of dtype object.
    """
    array = np.asarray(x)
    flat = np.empty(array.size, dtype=object)
    flat[:] = [Fraction(value) for value in array.ravel().tolist()]
    return flat.reshape(array.shape)


@dataclass
class Need:
    """The bits that the sums so far need: of a significand, after the binary point, and before it.

    Every partial sum, in whatever order, is a multiple of the finest term's last bit 2^-f and at most A = sum_i |t_i|.
    So p bits suffice if A 2^f < 2^p.  In fixed point f bits after the point, and the bits of floor(A) before it,
    suffice.
    """

    significand: int = 0
    behind: int = 0
    before: int = 0

    def add_sum(self, terms: list[Fraction]) -> None:
        """Count the bits of one sum.  Raises InputError for a term that is not a multiple of a power of two."""
        finest = math.lcm(*(term.denominator for term in terms))
        if finest & (finest - 1):
            raise InputError(f"exact: expected multiples of a power of two, got a number with 1/{finest}")
        behind = finest.bit_length() - 1
        size = sum(abs(term.numerator) * (finest // term.denominator) for term in terms)  # A 2^f
        self.significand = max(self.significand, size.bit_length())
        self.behind = max(self.behind, behind)
        self.before = max(self.before, (size >> behind).bit_length())

    def fits(self, significand: int | None = None, fixed: int | None = None) -> bool:
        """Whether these bits suffice: of a significand, and of fixed-point numbers with their sign (None: no limit)."""
        width = 1 + self.before + self.behind
        return self.significand <= (significand or math.inf) and width <= (fixed or math.inf)


def counted(need: Need) -> Numbers:
    """Fractions, with the bits that they need.

    Parameters
    ----------
    need : counts the bits of every sum, and of every number that is kept

    Returns
    -------
    Numbers
    """

    def total(terms: Array) -> Array:
        for row in terms.reshape(-1, terms.shape[-1]).tolist():
            need.add_sum(row)
        return np.asarray(terms.sum(axis=-1))

    def narrow(x: Any) -> Array:
        kept = fractions(x)
        for number in kept.ravel().tolist():
            need.add_sum([number])
        return kept

    return Numbers(fractions, narrow, total)


# Surrogates and losses for both kinds of numbers

Pair = tuple[Callable[[Array], Array], Callable[[Array], Array]]


def _half(x: Array) -> Array:
    return (0 * x + 1) / 2  # in the kind of numbers of x


def _narrower(slope: int) -> Pair:
    return (lambda x: _half(x) + x / (1 + slope * abs(x)), lambda x: 1 / ((1 + slope * abs(x)) * (1 + slope * abs(x))))


SURROGATES: dict[str, Pair] = {  # sigma, sigma'
    "fast_sigmoid": _narrower(1),
    "fast_sigmoid_10": _narrower(10),
    "boxcar": (lambda x: np.minimum(np.maximum(x + _half(x), 0), 1), lambda x: 0 * x + ((2 * x > -1) & (2 * x <= 1))),
    "piecewise_linear": (
        lambda x: np.where(abs(x) < 1, _half(x) + x * (1 - abs(x) / 2), 0 * x + (x > 0)),
        lambda x: np.maximum(1 - abs(x), 0),
    ),
}
SLOPES: dict[str, Callable[[Array], Array]] = {  # the derivative of the loss at Y - target
    "squared_error": lambda d: d,
    "smooth_l1": lambda d: np.minimum(np.maximum(d, -1), 1),
}
