"""One erratum: the printed form, the form that is meant, and a check that tells them apart.

>>> @erratum("K20 Eq. 0", "misprint", "a sum", "1 + 1 = 3", "1 + 1 = 2", "Arithmetic.", "The sum, against 2.", EXACT)
... def total() -> tuple[float, float]:
...     return deviations([2.0], printed=[3.0], meant=[1.0 + 1.0])
>>> total.check()
(0.5, 0.0)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from decolle_ref import gradcheck
from decolle_ref._util.check import Array

Kind = Literal["misprint", "open point"]
Check = Callable[[], tuple[float, float]]

__all__ = ["EXACT", "ROUNDING", "Check", "Erratum", "Kind", "derivative", "deviation", "deviations", "erratum"]

EXACT = 0.0  # the tolerance of counts, and of arithmetic without rounding
ROUNDING = 1e-12


@dataclass(frozen=True)
class Erratum:
    """A place where a paper cannot be followed to the letter, or where it has two readings.

    check() -> (error of the printed form, error of the form that is meant).  The first exceeds `tolerance`, the second
    does not; `measures` says what the two numbers are.
    """

    tag: str  # "N19 Eq. 6 (weights)"
    kind: Kind
    title: str
    printed: str
    meant: str
    why: str
    measures: str
    tolerance: float
    check: Check

    def holds(self) -> bool:
        """True if the check tells the two forms apart: the first fails it, the second passes."""
        printed, meant = self.check()
        return printed > self.tolerance >= meant

    def show(self, error: float) -> str:
        """Two digits for an error above the tolerance, "< tolerance" (or "0") for one that is only rounding."""
        if error > self.tolerance:
            return f"{error:.2g}"
        return f"< {self.tolerance:.0e}" if self.tolerance else "0"


def erratum(
    tag: str, kind: Kind, title: str, printed: str, meant: str, why: str, measures: str, tolerance: float = ROUNDING
) -> Callable[[Check], Erratum]:
    """A decorator: put the text of an erratum above the check that proves it.  The arguments are those of `Erratum`."""
    return lambda check: Erratum(tag, kind, title, printed, meant, why, measures, tolerance, check)


def deviation(got: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """|got - expected| / |expected|, in the Euclidean norm over all entries."""
    return float(np.linalg.norm(np.subtract(got, expected)) / np.linalg.norm(expected))


def deviations(expected: npt.ArrayLike, printed: npt.ArrayLike, meant: npt.ArrayLike) -> tuple[float, float]:
    """The deviations of the printed form and of the form that is meant, both from the expected value."""
    return deviation(printed, expected), deviation(meant, expected)


def derivative(f: gradcheck.Function, x: Array) -> Array:
    """df/dx_k for every entry of x, by the complex step: exact to rounding, and without the chain rule."""
    entries = np.eye(x.size).reshape(-1, *x.shape)
    return np.array([gradcheck.complex_step(f, x, v) for v in entries]).reshape(x.shape)
