"""The residual check: every equation, at every step, in every layer, on the implementation's own numbers.

|got - expected| <= bound,   with expected and bound from what the implementation itself wrote down

>>> slot = Slot(1, "U", got=np.ones((3, 1)), expected=np.array([[1.0], [1.0], [2.0]]), bound=np.full((3, 1), 0.5))
>>> failure = first_failure([slot])
>>> failure.step, failure.ratio
(2, 2.0)
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, validate_choice
from decolle_ref._util.verdict import within
from decolle_ref.oracle.check import equations, learning
from decolle_ref.oracle.check.error_bounds import Arithmetic
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.trace import ORDER, UPDATE, Operands, Trace, required

EQUATIONS = {**equations.FORWARD, **learning.BACKWARD, **learning.UPDATE}


class Slot(NamedTuple):
    """One equation of one layer over all steps; got, expected and bound have the shape (T, ...)."""

    layer: int  # from 1
    equation: str
    got: Array
    expected: Array
    bound: Array

    @property
    def holds(self) -> Array:
        """Where the equation holds; nowhere that a number is not finite."""
        return within(self.got, self.expected, self.bound)

    @property
    def ratio(self) -> Array:
        """|got - expected| / bound: at most 1 where the equation holds; infinite where a number is not finite.

        It is infinite, too, where the equation must hold exactly and does not.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            off = np.abs(self.got - self.expected)
            ratio = np.where(off == 0, 0.0 * self.bound, off / self.bound)
        return np.where(np.isfinite(ratio) & (self.bound < np.inf), ratio, np.inf)


@dataclass(frozen=True)
class Failure:
    """The first place where an equation does not hold."""

    step: int
    layer: int
    equation: str
    index: tuple[int, ...]  # within the step: (sample, neuron), or the index of a weight
    got: float
    expected: float
    bound: float
    ratio: float


@dataclass(frozen=True)
class Verdict:
    """The result of the residual check; true if every equation holds."""

    profile: Profile
    slots: tuple[Slot, ...]
    failure: Failure | None

    def __bool__(self) -> bool:
        return self.failure is None

    def worst(self) -> dict[tuple[int, str], float]:
        """The largest ratio of every equation of every layer: which part of its bound each one used."""
        return dict(self._worst)

    @cached_property
    def _worst(self) -> dict[tuple[int, str], float]:
        return {(slot.layer, slot.equation): float(slot.ratio.max(initial=0)) for slot in self.slots}


def check(trace: Trace) -> Verdict:
    """Evaluate all equations of the case on a trace that shows everything.

    Parameters
    ----------
    trace : a trace of level L2, from `parse_trace`

    Returns
    -------
    Verdict

    Raises
    ------
    InputError
        For a trace of another level, and for sums that the profile's format is too narrow to bound.
    """
    validate_choice("profile level", trace.profile.level, ("L2",))
    arithmetic, names = Arithmetic(trace.profile), required(trace.case.about)
    layers = enumerate(trace.layers, start=1)
    with np.errstate(all="ignore"):  # numbers near the end of the range may overflow; these never hold
        slots = [slot for k, operands in layers for slot in evaluate(k, operands, arithmetic, names)]
    return Verdict(trace.profile, tuple(slots), first_failure(slots))


def evaluate(k: int, operands: Operands, arithmetic: Arithmetic, names: list[str]) -> list[Slot]:
    """The slots of the named equations of layer k.

    Parameters
    ----------
    k : the number of the layer, from 1
    operands : the layer's part of the trace
    arithmetic : the operations of the implementation's profile
    names : keys of EQUATIONS

    Returns
    -------
    list of Slot
        One per name.  W and b have T + 1 steps where the trace holds the final weights.
    """
    slots = []
    for name in names:
        got = operands.trace[name]
        if name in UPDATE and f"{name}_final" in operands.trace:
            got = np.concatenate([got, operands.trace[f"{name}_final"][None]])
        slots.append(Slot(k, name, got, *EQUATIONS[name](operands, arithmetic)))
    return slots


def first_failure(slots: list[Slot]) -> Failure | None:
    """The first step, then the lowest layer, then the equation computed first, then the worst entry.

    Parameters
    ----------
    slots : the slots of any layers

    Returns
    -------
    Failure or None
        None if every equation holds.
    """
    failures = []
    for slot in slots:
        wrong = ~slot.holds
        steps = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
        if len(steps):
            failures.append((int(steps[0]), slot.layer, ORDER.index(slot.equation), slot, wrong[steps[0]]))
    if not failures:
        return None
    step, layer, _, slot, wrong = min(failures, key=lambda entry: entry[:3])
    ratio = slot.ratio[step]
    worst = np.where(wrong, ratio, -1.0).argmax()
    index = tuple(int(i) for i in np.unravel_index(worst, ratio.shape))
    got, expected, bound = (float(x[step][index]) for x in (slot.got, slot.expected, slot.bound))
    return Failure(step, layer, slot.equation, index, got, expected, bound, float(ratio[index]))
