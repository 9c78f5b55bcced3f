"""What a vector must prove: that the bug it would catch, or its nearest relative among a case's own options, shows.

A vector says which bug it would catch (`why`) and proves it (`property`): that a change moves the trace by far more
than rounding; that a tie is exact; that the last step has a spike.  A vector whose property does not hold is an error,
not a vector.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case, simulate
from decolle_ref.decolle.dialects import AXES, named
from decolle_ref.oracle.vectors import exactness

LIVELY = 0.02, 0.8  # the share of spikes of a lively layer
About = dict[str, Any]
Arrays = dict[str, Array]
Trace = dict[str, Array]
Pair = tuple[About, Arrays]
Property = Callable[["Vector", Trace], None]  # of a vector and its reference trace


@dataclass(frozen=True)
class Vector:
    """A case, which bug it would catch, and the proof: a function that raises InputError unless it would."""

    id: str
    about: About
    arrays: Arrays
    why: str
    property: Property
    bits: tuple[int, int] | None = None  # all is exact in so many, of a significand and of fixed point (0: not said)


# Changes


class Change(NamedTuple):
    """Something done otherwise, in words and as a function of a case."""

    words: str
    apply: Callable[[About, Arrays], Pair]


def axes(**options: str) -> Change:
    """Another dialect: one or more axes changed."""

    def apply(about: About, arrays: Arrays) -> Pair:
        dialect = named(about["dialect"])
        return {**about, "dialect": {axis: getattr(dialect, axis) for axis in AXES} | options}, arrays

    return Change(f"{options}", apply)


def layers(**settings: Any) -> Change:
    """Other settings of all layers."""
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
    """Each change moves each of the arrays named after it, somewhere, by more than a thousandth of its size."""

    def holds(vector: Vector, ours: Trace) -> None:
        for change, names in changes:
            theirs = simulate(Case(*change.apply(vector.about, vector.arrays)), vector.about["targets"])
            for name in names.split():
                moved = any(_differ(ours[x], theirs[x]) for x in ours if letter(x) == name)
                expect(moved, f"another {name} with {change.words}")

    return holds


def each(*properties: Property) -> Property:
    """All of them."""

    def holds(vector: Vector, ours: Trace) -> None:
        for one in properties:
            one(vector, ours)

    return holds


def claims(claim: str, holds: Callable[[Trace, Arrays], Any]) -> Property:
    """A claim about the reference trace and the case's arrays."""
    return lambda vector, ours: expect(bool(holds(ours, vector.arrays)), claim)


def lively(vector: Vector, ours: Trace) -> None:
    """Every layer transmits between 2 % and 80 % of the spikes that it could."""
    for name, S in ours.items():
        if letter(name) == "S":
            expect(LIVELY[0] <= S.mean() <= LIVELY[1], f"{name} to hold 2 % to 80 % spikes")


def exact(vector: Vector, ours: Trace) -> None:
    """All numbers of all steps need no more bits than it says, in any order of sums; simulate finds exactly them."""
    certified, need = exactness.certify(Case(vector.about, vector.arrays))
    expect(vector.bits is not None and need.fits(*vector.bits), f"bits that suffice, {need}")
    for name, fractions in certified.items():
        expect(bool((exactness.fractions(ours[name]) == fractions).all()), f"{name} exact")


def trace(vector: Vector) -> Trace:
    """The reference trace."""
    return simulate(Case(vector.about, vector.arrays), vector.about["targets"])


def check(vector: Vector) -> None:
    """Run the vector's property.  Raises InputError, naming the vector, where it does not hold."""
    try:
        vector.property(vector, trace(vector))
    except InputError as problem:
        raise InputError(f"vector {vector.id}: {problem}") from None


def _differ(a: Array, b: Array) -> bool:
    return a.shape != b.shape or bool(np.abs(a - b).max(initial=0) > 1e-3 * np.abs(a).max(initial=0))


def letter(name: str) -> str:
    """The array's name within its layer."""
    return name.partition("_")[2] if name.startswith("layer") else name
