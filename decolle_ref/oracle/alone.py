"""Run the step that fails alone: if it passes, the failure depends on what came before it."""

import numpy as np

from decolle_ref._util.check import InputError
from decolle_ref.cases import Case
from decolle_ref.oracle.backends import Backend, Unsupported, answer
from decolle_ref.oracle.check import ends, residual
from decolle_ref.oracle.trace import parse_trace

LINE = (
    "the failing step alone, started from the backend's own numbers, {}: the failure depends on earlier steps or "
    "earlier runs, such as a state or a counter that is left over"
)


def result(backend: Backend, case: Case) -> str:
    """What two runs of a short case say about a failure that it should show.

    Parameters
    ----------
    backend : the implementation
    case : one or two steps, which start from the backend's own numbers

    Returns
    -------
    str
        "passes", "gives another answer each time", or nothing if it fails as the whole case did.
    """
    try:
        one, other = (answer(backend, case.about, case.arrays) for _ in range(2))
        trace = parse_trace(case, one, backend.profile)
        passes = bool(ends.check(trace, residual.check(trace)))
    except (InputError, Unsupported):
        return ""
    if one.keys() != other.keys() or not all(np.array_equal(one[x], other[x], equal_nan=True) for x in one):
        return "gives another answer each time"
    return "passes" if passes else ""
