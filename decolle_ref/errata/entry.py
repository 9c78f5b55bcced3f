"""One erratum: the printed form, the form that is meant, and a check that tells them apart."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from decolle_ref import gradcheck
from decolle_ref._util.check import Array

Kind = Literal["misprint", "open point"]
Check = Callable[[], tuple[float, float]]

EXACT = 0.0  # the tolerance of counts, and of arithmetic without rounding
ROUNDING = 1e-12


@dataclass(frozen=True)
class Erratum:
    """A place where a paper cannot be followed to the letter, or can be followed in two ways.

    check() -> (error of the printed form, error of the form meant).  The first exceeds `tolerance`, the second does
    not; `measures` says what the two numbers are.
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

    def show(self, error: float) -> str:
        """Two digits for a number that tells, "< tolerance" (or "0") for one that is there only by rounding."""
        if error > self.tolerance:
            return f"{error:.2g}"
        return f"< {self.tolerance:.0e}" if self.tolerance else "0"


def erratum(
    tag: str, kind: Kind, title: str, printed: str, meant: str, why: str, measures: str, tolerance: float = ROUNDING
) -> Callable[[Check], Erratum]:
    """Put the text of an erratum above the check that proves it."""
    return lambda check: Erratum(tag, kind, title, printed, meant, why, measures, tolerance, check)


def deviation(got: npt.ArrayLike, judge: npt.ArrayLike) -> float:
    """|got - judge| / |judge|, in the Euclidean norm over all entries."""
    return float(np.linalg.norm(np.subtract(got, judge)) / np.linalg.norm(judge))


def derivative(f: gradcheck.Function, x: Array) -> Array:
    """df/dx_k for every entry of x, by the complex step: exact to rounding, and no chain rule in sight."""
    entries = np.eye(x.size).reshape(-1, *x.shape)
    return np.array([gradcheck.complex_step(f, x, v) for v in entries]).reshape(x.shape)
