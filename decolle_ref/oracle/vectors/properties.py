"""A vector, and the proof that it would catch the mistake for which it exists.

A vector says which mistake it would catch (`why`) and proves it (`property`): for instance that a change moves the
trace by far more than rounding, that a tie is exact, or that the last step has a spike.  A vector whose property does
not hold is an error.

>>> letter("layer2_dW")
'dW'
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case, simulate
from decolle_ref.decolle.dialects import AXES
from decolle_ref.oracle.vectors import exactness, number_kinds

RECORDED = {"dW", "db", "W", "b"}  # what a trace has only with gradients
LIVELY = 0.02, 0.8  # the fraction of spikes of a lively layer
About = dict[str, Any]
Arrays = dict[str, Array]
Pair = tuple[About, Arrays]
Property = Callable[["Vector", Arrays], None]  # takes a vector and its reference trace


@dataclass(frozen=True)
class Vector:
    """A case that would catch a certain mistake.

    Parameters
    ----------
    id : its name in the catalogue
    about : the contents of case.json
    arrays : the arrays of the case by name
    why : the mistake that it would catch
    property : raises InputError unless it would; takes the vector and the reference trace
    bits : the bits of a significand, and of a fixed-point number, in which all numbers are exact (0: no claim); or None
    """

    id: str
    about: About
    arrays: Arrays
    why: str
    property: Property
    bits: tuple[int, int] | None = None


# Changes


class Change(NamedTuple):
    """A change of a case: its description in words, and the function that makes it."""

    words: str
    apply: Callable[[About, Arrays], Pair]


def axes(**options: str) -> Change:
    """Another dialect: one or more axes changed."""

    def apply(about: About, arrays: Arrays) -> Pair:
        dialect = Case(about, arrays).dialect()
        return {**about, "dialect": {axis: getattr(dialect, axis) for axis in AXES} | options}, arrays

    return Change(f"{options}", apply)


def layers(**settings: Any) -> Change:
    """Other settings in all layers."""
    return Change(f"{settings}", lambda about, a: (about | {"layers": [x | settings for x in about["layers"]]}, a))


def case(**keys: Any) -> Change:
    """Other keys of case.json."""
    return Change(f"{keys}", lambda about, arrays: (about | keys, arrays))


def array(symbol: str, change: Callable[[Array], Array]) -> Change:
    """Another array `symbol`, of the case or of every layer that has it."""

    def apply(about: About, arrays: Arrays) -> Pair:
        return about, {name: change(x) if symbol in (name, letter(name)) else x for name, x in arrays.items()}

    return Change(f"another {symbol}", apply)


# Claims


def expect(holds: bool, claim: str) -> None:
    """Raise InputError unless the claim holds."""
    if not holds:
        raise InputError(f"expected {claim}, got a case where it is not so")


def shows(*changes: tuple[Change, str]) -> Property:
    """Each change moves each array named with it: in some layer, by more than a thousandth of its largest entry."""

    def holds(vector: Vector, reference: Arrays) -> None:
        for change, names in changes:
            gradients = vector.about["targets"] and bool(RECORDED & set(names.split()))
            changed = simulate(Case(*change.apply(vector.about, vector.arrays)), gradients)
            for name in names.split():
                moved = any(_differ(reference[x], changed[x]) for x in reference if letter(x) == name)
                expect(moved, f"another {name} with {change.words}")

    return holds


def each(*properties: Property) -> Property:
    """All of these properties."""

    def holds(vector: Vector, reference: Arrays) -> None:
        for check_property in properties:
            check_property(vector, reference)

    return holds


def claims(claim: str, holds: Callable[[Arrays, Arrays], Any]) -> Property:
    """A claim about the reference trace and the case's arrays."""
    return lambda vector, reference: expect(bool(holds(reference, vector.arrays)), claim)


def lively(vector: Vector, reference: Arrays) -> None:
    """Every layer transmits between 2 % and 80 % of the spikes that it could."""
    for name, S in reference.items():
        if letter(name) == "S":
            expect(LIVELY[0] <= S.mean() <= LIVELY[1], f"{name} to hold 2 % to 80 % spikes")


def exact(vector: Vector, reference: Arrays) -> None:
    """The vector's bits hold all numbers of all steps, in any order of sums, and the reference trace is exact."""
    certified, need = exactness.certify(Case(vector.about, vector.arrays))
    expect(vector.bits is not None and need.fits(*vector.bits), f"bits that suffice, {need}")
    for name, fractions in certified.items():
        expect(bool((number_kinds.fractions(reference[name]) == fractions).all()), f"{name} exact")


def trace(vector: Vector) -> Arrays:
    """The reference trace.

    Parameters
    ----------
    vector : the vector

    Returns
    -------
    dict of str to array
        As `simulate` returns it, with gradients where there are targets.
    """
    return simulate(Case(vector.about, vector.arrays), vector.about["targets"])


def check(vector: Vector) -> None:
    """Validate that the vector's property holds.

    Parameters
    ----------
    vector : the vector

    Raises
    ------
    InputError
        If it does not; the message names the vector.
    """
    try:
        vector.property(vector, trace(vector))
    except InputError as problem:
        raise InputError(f"vector {vector.id}: {problem}") from None


def _differ(a: Array, b: Array) -> bool:
    return a.shape != b.shape or bool(np.abs(a - b).max(initial=0) > 1e-3 * np.abs(a).max(initial=0))


def letter(name: str) -> str:
    """The name of an array within its layer."""
    return name.partition("_")[2] if name.startswith("layer") else name
