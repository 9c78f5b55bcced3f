"""A small part of a large layer, on which mistakes that do not fit are told apart at a fraction of the cost.

Of the updates of W and b it is a few neurons at all steps, of every other equation a few steps.  A mistake must fit
the part before it is tried on the whole.  The first row of a part is not compared: it may depend on what was cut off.
"""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref._util.verdict import within
from decolle_ref.oracle.check.error_bounds import Bounded
from decolle_ref.oracle.check.residual import Slot
from decolle_ref.oracle.diagnose.site import Site
from decolle_ref.oracle.trace import UPDATE, Operands

LARGE = 30_000  # numbers of an equation, above which a part of it is tried first
STEPS, BEFORE = 8, 3  # of a part, and how many of them come before the first failure
NEURONS = 1
Part = TypeVar("Part", bound=Operands)
OF_WEIGHTS = ("W", "b", "dW", "db", "m_W", "u_W", "m_b", "u_b", "W_final", "b_final")


def part(site: Site, slot: Slot) -> tuple[Site, Slot]:
    """A part of the layer around the first failure of an equation; all of it, if it is small.

    Parameters
    ----------
    site : the layer
    slot : of the equation, which fails somewhere

    Returns
    -------
    site, slot
    """
    if slot.got.size <= LARGE:
        return site, slot
    wrong = ~slot.holds
    if slot.equation in UPDATE:
        neurons = np.unique(np.nonzero(wrong)[1])[:NEURONS]
        small = _of_neurons(site, neurons)
    else:
        first = int(np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))[0])
        start = max(0, min(first - BEFORE, len(wrong) - STEPS))
        small = _of_steps(site, slice(start, start + STEPS))
    return small, small.slot(slot.equation)


def meets(made: Bounded, slot: Slot) -> bool:
    """Whether the numbers of a part are those of a hypothesis, apart from its first row.

    Parameters
    ----------
    made : the values of the hypothesis with their bound
    slot : of the part

    Returns
    -------
    bool
    """
    return bool(within(slot.got, made.value, made.err)[1:].all())


def _of_neurons(site: Site, neurons: Array) -> Site:
    """The weights of some neurons, at all steps."""
    n = len(site.case["b"])
    rates = {f"rate_{x}": site.case[f"rate_{x}"] for x in UPDATE}
    case = {name: x[neurons] if name in OF_WEIGHTS else x for name, x in site.case.items()}
    case |= {name: x[neurons] if name == "rate_b" or x.ndim > 1 else x for name, x in rates.items() if len(x) == n}
    trace = {
        name: x[neurons] if name.endswith("_final") else x[:, neurons]
        for name, x in site.trace.items()
        if name in OF_WEIGHTS
    }
    return replace(site, case=case, trace=trace)


def _of_steps(site: Site, steps: slice) -> Site:
    """Some steps of a layer and its neighbours, which start from the numbers of the trace."""
    below, above = (None if x is None else _cut(x, steps) for x in (site.below, site.above))
    return replace(_cut(site, steps), below=below, above=above)


def _cut(operands: Part, steps: slice) -> Part:
    case = operands.case_from(steps) | {x: operands.trace[x][steps.start] for x in UPDATE if x in operands.trace}
    trace = {name: x[steps] for name, x in operands.trace.items() if not name.endswith("_final")}
    return replace(
        operands,
        case=case,
        trace=trace,
        spikes_in=operands.spikes_in[steps],
        learns=operands.learns[steps],
        schedule=None if operands.schedule is None else operands.schedule[steps],
    )
