"""The first failure over time: what the implementation wrote, what was expected, and the bound, at one entry.

>>> import numpy as np
>>> from decolle_ref.oracle.check.residual import Slot, first_failure
>>> from decolle_ref.oracle.profile import Profile
>>> slot = Slot(1, "b", got=np.array([[1.0], [3.0]]), expected=np.ones((2, 1)), bound=np.full((2, 1), 0.5))
>>> verdict = Verdict(Profile(), (slot,), first_failure([slot]))
>>> course = of(verdict)
>>> course.name, course.step, course.got.tolist()
('layer 1, b[0]', 1, [1.0, 3.0])
"""

from typing import NamedTuple

from decolle_ref._util.check import Array
from decolle_ref.oracle import report
from decolle_ref.oracle.check.residual import Verdict


class Course(NamedTuple):
    """One entry of one equation at all steps.

    Parameters
    ----------
    name : the layer and the entry in words
    step : at which the equation does not hold
    got, expected, bound : (T,), or T + 1 for weights whose last value was shown
    """

    name: str
    step: int
    got: Array
    expected: Array
    bound: Array


def of(verdict: Verdict) -> Course | None:
    """The course of the entry that fails first.

    Parameters
    ----------
    verdict : the result of the residual check

    Returns
    -------
    Course or None
        None if every equation holds.
    """
    failure = verdict.failure
    if failure is None:
        return None
    slot = next(s for s in verdict.slots if (s.layer, s.equation) == (failure.layer, failure.equation))
    name = f"layer {failure.layer}, {report.place(failure)}"
    got, expected, bound = (x.T[failure.index[::-1]] for x in (slot.got, slot.expected, slot.bound))  # x[:, *index]
    return Course(name, failure.step, got, expected, bound)
