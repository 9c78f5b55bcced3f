"""Traces that are the same on every machine, and traces without any rounding, of the plain network.

In floating point every product and every sum is one rounded operation in a fixed order, without BLAS, exp or fused
operations, so a trace is the same to the last bit on every machine.  (np.einsum would not do: its order of sums depends
on the processor.)  In fractions nothing is rounded, and the bits that every sum needs are counted.  That proves that
every implementation with as many bits computes exactly these numbers, in any order of sums.

>>> from decolle_ref.decolle.dialects import DIALECTS
>>> portable({"layers": [{"loss": "squared_error", "surrogate": "logistic"}]}, DIALECTS["paper"])
False
"""

from itertools import takewhile
from typing import Any

import numpy as np

from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import Dialect
from decolle_ref.oracle.vectors.number_kinds import Need, counted, floats
from decolle_ref.oracle.vectors.plain_network import SLOPES, SURROGATES, Row, steps


def certify(case: Case) -> tuple[Row, Need]:
    """The exact trace of a case, and the bits that suffice for it.

    Parameters
    ----------
    case : a case with decays

    Returns
    -------
    dict of str to array of Fraction
        The trace.
    Need
        The bits that hold every number, in any order of sums.

    Raises
    ------
    InputError
        If a number is not a multiple of a power of two.
    """
    need = Need()
    return _stacked(list(steps(case, counted(need)))), need


def exact_steps(case: Case, significand: int | None = None, fixed: int | None = None) -> int:
    """The number of leading steps of a case that are exact, with their updates.

    Parameters
    ----------
    case : a case with decays
    significand, fixed : the bits of a significand, and of fixed-point numbers with their sign; None for no limit

    Returns
    -------
    int
    """
    need = Need()
    fits = (
        need.fits(significand, fixed) for _ in steps(case, counted(need))
    )  # the last row is the end of the run, not a step
    return min(sum(takewhile(bool, fits)), int(case.about["steps"]))


def run(case: Case) -> Row:
    """The trace of a case in its dtype, the same on every machine.

    Parameters
    ----------
    case : a case with decays, which is `portable`

    Returns
    -------
    dict of str to array
    """
    return _stacked(list(steps(case, floats(case.about["dtype"]))))


def portable(about: dict[str, Any], dialect: Dialect) -> bool:
    """Whether `run` can run a case: rational surrogates, no cross-entropy, and pooling that compares U itself.

    Parameters
    ----------
    about : the contents of case.json
    dialect : the dialect of the case

    Returns
    -------
    bool
    """
    layers = about["layers"]
    rational = all(layer.get("surrogate", dialect.surrogate) in SURROGATES for layer in layers)
    pooled = dialect.pooling == "pool_S" and any("pool" in layer for layer in layers)
    return rational and not pooled and all(layer["loss"] in SLOPES for layer in layers)


def _stacked(rows: list[Row]) -> Row:
    """The rows with time first, and the last row, where the run ended, as it is."""
    return {name: np.stack([row[name] for row in rows[:-1]]) for name in rows[0]} | rows[-1]
