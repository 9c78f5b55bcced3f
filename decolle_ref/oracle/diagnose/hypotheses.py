"""Known mistakes of every equation, the most plausible first.

A hypothesis is *consistent with* the numbers if they meet it at all steps, and if it differs from the right equation
by more than both bounds together can hide.  This is not a proof: other mistakes may give the same numbers, and a
mistake that is not in the table is consistent with none.

>>> "U adds R" in [hypothesis.name for hypothesis in HYPOTHESES["U"]]
True
"""

from decolle_ref.oracle.diagnose import (
    backward,
    error,
    general,
    gradient,
    handed_on,
    membrane,
    readout,
    refractory,
    spikes,
    state,
    updates,
)
from decolle_ref.oracle.diagnose.estimates import Family
from decolle_ref.oracle.diagnose.hypothesis import Hypothesis
from decolle_ref.oracle.trace import LOSS, MEMORY, STATE

_TABLES: dict[str, list[Hypothesis | Family]] = {
    "Q": [*state.Q, *general.table("Q")],
    "P": [*state.P, *general.table("P")],
    "R": [*refractory.R, *general.table("R")],
    "U": [*membrane.U, *general.table("U")],
    "S": [*spikes.S, *general.table("S")],
    "Y": [*readout.Y, *general.table("Y")],
    "e": [*error.e, *general.table("e")],
    "delta": [*backward.delta, *general.table("delta")],
    "dW": [*gradient.dW, *general.table("dW")],
    "db": [*gradient.db, *general.table("db")],
    "W": [*updates.W, *general.table("W")],
    "b": [*updates.b, *general.table("b")],
}

HYPOTHESES: dict[str, tuple[Hypothesis, ...]] = {}  # without an unknown number
FAMILIES: dict[str, tuple[Family, ...]] = {}  # with a number that is estimated from the trace
_TABLES |= {_name: handed_on.table_of(_name) for _name in (LOSS, *STATE, *MEMORY)}
for _name, _every in _TABLES.items():
    HYPOTHESES[_name] = tuple(each for each in _every if isinstance(each, Hypothesis))
    FAMILIES[_name] = tuple(each for each in _every if isinstance(each, Family))
