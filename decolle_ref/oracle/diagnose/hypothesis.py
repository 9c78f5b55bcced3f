"""A hypothesis: one mistake in one equation, as a change of its operands, of its form or of its result.

    value = result(equation(edit(site)))        or, with another form,  result(form(edit(site)))

Two hypotheses about one equation make a third, with both changes.  The bound follows from the changed expression, never
from the right one.  A hypothesis that lacks the numbers of some steps, such as the one before the first, says nothing
about them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref._util.verdict import beyond, within
from decolle_ref.oracle.check.error_bounds import Bounded
from decolle_ref.oracle.check.recording import room
from decolle_ref.oracle.check.residual import EQUATIONS, Slot
from decolle_ref.oracle.diagnose.site import Site

Edit = Callable[[Site], Site]
Form = Callable[[Site], Bounded]
Result = Callable[[Bounded, Site, Array], Bounded]  # the third is what the trace has
Words = Callable[[Site], str]
EVIDENCE = 16  # distinct numbers: of 325 pairs, each right by chance half the time, one in 200 runs fits as many


def unchanged(site: Site) -> Site:
    """The operands as they are.

    Parameters
    ----------
    site : the layer

    Returns
    -------
    Site
    """
    return site


class Inapplicable(Exception):
    """The hypothesis makes no sense for this layer, such as the transpose of a matrix that is not square."""


@dataclass(frozen=True)
class Hypothesis:
    """One mistake by name.

    Parameters
    ----------
    name : in words, the same for every trace
    edit : the change of the operands
    form : another expression in place of the equation, or None
    result : the change of the result, or None
    unknown : the steps about which it says nothing; negative ones count from the end
    detail : the numbers of this trace in words, or None
    whole : whether it needs all steps and neurons, so that a part of them cannot exclude it
    mistakes : how many mistakes it is made of
    """

    name: str
    edit: Edit = unchanged
    form: Form | None = None
    result: Result | None = None
    unknown: tuple[int, ...] = ()
    detail: Words | None = None
    whole: bool = False
    mistakes: int = 1

    @property
    def keeps_operands(self) -> bool:
        """Whether only the result is changed."""
        return self.form is None and self.edit is unchanged


def value(hypothesis: Hypothesis, site: Site, slot: Slot) -> Bounded:
    """The values that an implementation with this mistake would show, with their bound.

    Parameters
    ----------
    hypothesis : the mistake
    site : the layer
    slot : of the equation

    Returns
    -------
    Bounded
        Of the slot's shape.  At unknown steps it is the right value with a bound that reaches the trace.

    Raises
    ------
    Inapplicable
        If the mistake makes no sense for this layer.
    """
    try:
        edited = hypothesis.edit(site)
        if hypothesis.keeps_operands:
            made = Bounded(slot.expected, slot.bound)
        elif hypothesis.form is not None:
            made = hypothesis.form(edited)
            made = Bounded(
                made.value, made.err + room(site, site.arithmetic, slot.equation, np.abs(made.value) + made.err)
            )
        else:
            made = EQUATIONS[slot.equation](edited, site.arithmetic)
        if hypothesis.result is not None:
            made = hypothesis.result(made, edited, slot.got)
    except (ValueError, IndexError, ArithmeticError) as problem:
        # shapes that do not fit, a divisor that may be 0, an overflow
        raise Inapplicable(str(problem)) from None
    made = Bounded(*(np.array(np.broadcast_to(x, slot.got.shape)) for x in made))
    for step in hypothesis.unknown:
        if -len(slot.got) <= step < len(slot.got):
            made.value[step] = slot.expected[step]
            made.err[step] = np.abs(slot.got[step] - slot.expected[step])
    return made


def consistent(made: Bounded, right: Slot) -> bool:
    """Do the numbers meet the hypothesis everywhere, though they cannot meet both it and the right equation?

    Parameters
    ----------
    made : the values of the hypothesis with their bound, (T, ...)
    right : the numbers of the trace, and the right equation's values with their bound

    Returns
    -------
    bool
        True only if somewhere the two differ by more than twice the larger bound.
    """
    meets = within(right.got, made.value, made.err)
    return bool(meets.all() and differs(made, right).any())


def differs(made: Bounded, right: Slot) -> Array:
    """Where a hypothesis and the right equation differ by more than twice the larger bound.

    Parameters
    ----------
    made : the values of the hypothesis with their bound
    right : the slot of the right equation

    Returns
    -------
    array of bool
    """
    return beyond(made.value, right.expected, 2 * np.maximum(made.err, right.bound))


def evidence(hypothesis: Hypothesis, made: Bounded, right: Slot) -> int:
    """How many numbers of the trace speak for a hypothesis.

    Parameters
    ----------
    hypothesis : which says nothing about its unknown steps
    made : its values with their bound
    right : the slot of the right equation

    Returns
    -------
    int
        The distinct numbers other than 0 where the hypothesis and the right equation differ, at the steps that the
        hypothesis speaks about.
    """
    shows, steps = differs(made, right), len(right.got)
    shows[[step for step in hypothesis.unknown if -steps <= step < steps]] = False
    return len(np.setdiff1d(right.got[shows], 0.0))


def both(one: Hypothesis, other: Hypothesis) -> Hypothesis:
    """Two mistakes in one equation.

    Parameters
    ----------
    one, other : at most one of them has another form

    Returns
    -------
    Hypothesis

    Raises
    ------
    Inapplicable
        If both have another form, or are one mistake in two ways, which have one name.
    """
    if (one.form is not None and other.form is not None) or one.name == other.name:
        raise Inapplicable("two forms, or one mistake")
    results = [each for each in (one.result, other.result) if each is not None]

    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        for change in results:
            made = change(made, site, got)
        return made

    return Hypothesis(
        f"{one.name}, and {other.name}",
        unchanged if one.edit is other.edit is unchanged else lambda site: other.edit(one.edit(site)),
        one.form or other.form,
        result if results else None,
        one.unknown + other.unknown,
        whole=one.whole or other.whole,
        mistakes=one.mistakes + other.mistakes,
    )
