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
    "Q": state.Q,
    "P": state.P,
    "R": refractory.R,
    "U": membrane.U,
    "S": spikes.S,
    "Y": readout.Y,
    "e": error.e,
    "delta": backward.delta,
    "dW": gradient.dW,
    "db": gradient.db,
    "W": updates.W,
    "b": updates.b,
}

HYPOTHESES: dict[str, tuple[Hypothesis, ...]] = {  # without an unknown number
    name: tuple(general.ends(name)) for name in (LOSS, *STATE, *MEMORY)
}
FAMILIES: dict[str, tuple[Family, ...]] = {}  # with a number that is estimated from the trace
for _name, _table in _TABLES.items():
    _every = [*_table, *general.table(_name)]
    HYPOTHESES[_name] = tuple(each for each in _every if isinstance(each, Hypothesis))
    FAMILIES[_name] = tuple(each for each in _every if isinstance(each, Family))
