"""The bound of every number of a golden trace: how far an implementation of a profile may be from it.

    bound = the largest error of one equation, evaluated on the operands of the golden trace itself

So it holds for an implementation whose operands at that step are those of the golden trace: for one equation, not for a
free run, in which errors add up and a threshold amplifies them.

>>> from decolle_ref.oracle.vectors import exactness, situations
>>> vector = next(situations.dyadic("float64"))
>>> found = bounds(vector, exactness.run(Case(vector.about, vector.arrays)), PROFILES["Q8.16"])
>>> float(found["layer1_S"].max()), bool(found["layer1_U"].max() < 1e-3)
(0.0, True)
"""

import numpy as np

from decolle_ref.cases import Case
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.check.error_bounds import Arithmetic
from decolle_ref.oracle.profile import PROFILES, Profile
from decolle_ref.oracle.trace import parse_trace, required
from decolle_ref.oracle.vectors.properties import Arrays, Vector


def bounds(vector: Vector, golden: Arrays, profile: Profile) -> Arrays:
    """The bound of every number of a golden trace.

    Parameters
    ----------
    vector : the vector
    golden : its golden trace, in floating point
    profile : the arithmetic of the implementation

    Returns
    -------
    dict of str to array
        Float64, with the names and the shapes of the golden trace; without the arrays that no equation gives, such as
        the final state.

    Raises
    ------
    InputError
        For sums that the profile's format is too narrow to bound.
    """
    trace = parse_trace(Case(vector.about, vector.arrays), golden, PROFILES["float64"])  # which holds every number
    arithmetic, names, found = Arithmetic(profile), required(vector.about), {}
    with np.errstate(all="ignore"):
        for k, operands in enumerate(trace.layers, start=1):
            for slot in residual.evaluate(k, operands, arithmetic, names):
                name, steps = f"layer{k}_{slot.equation}", vector.about["steps"]
                found[name] = np.broadcast_to(slot.bound, slot.got.shape)[:steps]
                if len(slot.got) > steps:
                    found[f"{name}_final"] = slot.bound[steps]
    return found
