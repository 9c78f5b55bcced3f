"""Mistakes of the recording: an array under another's name, at another step, or with another sign or factor.

One such mistake breaks several equations at once: the one of the array, and all that read it.  It is found by undoing
it: with the array as it should have been recorded, at least two of the failing equations hold.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref._util.verdict import within
from decolle_ref.oracle.check import equations
from decolle_ref.oracle.check.residual import Slot
from decolle_ref.oracle.diagnose.explanation import Cause, Explanation
from decolle_ref.oracle.diagnose.site import Site, lagged

READERS = {
    "Q": ("Q", "P"),
    "P": ("P", "U", "dW"),
    "R": ("R", "U"),
    "U": ("U", "R", "S", "Y", "delta"),
    "Y": ("Y", "e"),
    "e": ("e", "delta"),
    "delta": ("delta", "dW", "db"),
    "W": ("W", "U"),
    "b": ("b", "U"),
}
EDGE = 2  # the first and last steps, about which a shifted array says nothing
Undo = Callable[[Site], dict[str, Array]]


def candidates(failing: set[str]) -> Iterator[tuple[str, set[str], Undo]]:
    """The mistakes that may explain several of the failing equations: name, equations, and how to undo it.

    Parameters
    ----------
    failing : the equations that fail

    Yields
    ------
    name, equations, function
        The function takes a site and returns the arrays as they should have been recorded.
    """
    if {"Q", "P"} <= failing:
        yield (
            "Q and P are recorded under each other's name",
            {"Q", "P", "U", "dW"},
            lambda site: {"Q": site.trace["P"], "P": site.trace["Q"]},
        )
    for name, readers in READERS.items():
        if len(failing & set(readers)) >= 2 and name in failing:
            yield from _of_one(name, set(readers))


def _of_one(name: str, readers: set[str]) -> Iterator[tuple[str, set[str], Undo]]:
    def shifted(lag: int) -> Undo:
        return lambda site: {name: lagged(site.trace[name], -lag)}

    yield f"{name} is recorded one step late", readers, shifted(1)
    yield f"{name} is recorded one step early, such as after its update", readers, shifted(-1)
    yield f"{name} is recorded with the wrong sign", readers, lambda site: {name: -site.trace[name]}
    if name == "R":
        for words, sign in (("R is recorded times delta", 1.0), ("R is recorded times -delta, as U takes it", -1.0)):
            yield words, readers, _without_strength(sign)
    if name in ("Q", "P"):
        yield f"{name} is recorded without its gain", readers, _with_gain(name)


def _without_strength(sign: float) -> Undo:
    def undo(site: Site) -> dict[str, Array]:
        strength = equations.strength(site, site.arithmetic).value
        return {"R": sign * site.trace["R"] / np.where(strength == 0, 1, strength)}

    return undo


def _with_gain(name: str) -> Undo:
    decay = "beta" if name == "Q" else "alpha"
    return lambda site: {name: site.trace[name] * equations.gain(site, site.arithmetic, decay).value}


def explained_together(
    at: list[Site], slots: dict[str, dict[int, Slot]], failing: dict[str, list[int]]
) -> Explanation | None:
    """One mistake of the recording that explains at least two of the failing equations.

    Parameters
    ----------
    at : all layers
    slots : by equation and layer
    failing : the failing equations, with the layers in which they fail

    Returns
    -------
    Explanation or None
    """
    tried = 0
    for name, readers, undo in candidates(set(failing)):
        tried += 1
        broken = tuple(x for x in failing if x in readers)
        if len(broken) < 2:
            continue
        layers = sorted({layer for x in broken for layer in failing[x]})
        mended = {k: replace(at[k - 1], trace=at[k - 1].trace | undo(at[k - 1])) for k in layers}
        if all(_holds(mended[k], slots[x][k]) for x in broken for k in failing[x]):
            return Explanation(broken, tuple(layers), (Cause(name),), tried)
    return None


def _holds(site: Site, slot: Slot) -> bool:
    """Whether the equation holds with the arrays as they should be, apart from the first and last steps."""
    made = site.slot(slot.equation)
    inner = slice(EDGE, len(made.got) - EDGE)
    meets = within(made.got, made.expected, 4 * made.bound)  # an undone factor adds a rounding or two
    return len(made.got) > 2 * EDGE and bool(meets[inner].all())
