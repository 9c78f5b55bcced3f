"""Tasks: what a student's function is compared with, and the hints for wrong answers.

An exercise of a notebook is a function that the student writes.  The notebook gives it to `teach.check` under the name
of its task, and **the function itself has this name too**: `teach.check("trace_step", trace_step)`.  The tasks of the
notebook `NN_name` lie in `teach/tasks/tNN_name.py`, in a tuple `TASKS`, in the order of the exercises.

Rules for authors: `draw` makes fresh arguments from the generator it gets, with sizes that all differ, so that a
transposed matrix cannot pass; no value is special (no zeros, no ones, no equal time constants), so that a missing
factor shows; `answer` of a slip may return another shape or raise an exception, where the mistake does so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

Function = Callable[..., Any]


class Slip(NamedTuple):
    """A wrong answer that students really give.

    Parameters
    ----------
    name : the mistake in a few words: "transposed", "without the surrogate derivative"
    answer : the function with this mistake, with the arguments of the solution
    hint : one or two sentences that help without giving the answer away
    """

    name: str
    answer: Function
    hint: str


@dataclass(frozen=True)
class Task:
    """One exercise.

    Parameters
    ----------
    name : unique among all notebooks; also the name of the student's function
    solution : returns an array, a number, a tuple of them, or a dictionary of them
    draw : generator -> tuple of random arguments; called several times
    slips : at least three wrong answers, each with its hint
    forms : at least two other correct answers: a loop, einsum, an equation solved in another order
    tolerance : relative to the largest expected value
    points : for `decolle-ref autograde`
    explain : a wrong function -> a hint, or "" if there is none; asked where no slip fits.  For a derivation of dL/dW
        on the network of the review this is `teach.derivation.explain`, and `draw` is `teach.derivation.draw`
    """

    name: str
    solution: Function
    draw: Callable[[np.random.Generator], tuple[Any, ...]]
    slips: tuple[Slip, ...]
    forms: tuple[Function, ...]
    tolerance: float = 1e-9
    points: int = 1
    explain: Callable[[Function], str] | None = None


State = Literal["pass", "to do", "not yet"]


@dataclass(frozen=True)
class Verdict:
    """The result of a check; `str(verdict)` is what `teach.check` prints.

    Parameters
    ----------
    task : its name
    state : "pass", "to do" (the function raises NotImplementedError), or "not yet"
    problem : what is wrong, in one line; empty unless the state is "not yet"
    hint : empty if none fits
    """

    task: str
    state: State
    problem: str = ""
    hint: str = ""

    def __bool__(self) -> bool:
        return self.state == "pass"

    def __str__(self) -> str:
        first = f"{self.state}: {self.task}" + (f": {self.problem}" if self.problem else "")
        return first + (f"\n  Hint: {self.hint}" if self.hint else "")

    def _ipython_display_(self) -> None:
        """Show nothing: `check` has printed the verdict already, and it may be the last line of a cell."""
