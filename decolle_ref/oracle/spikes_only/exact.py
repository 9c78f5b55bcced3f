"""The check below level L2 of a case whose numbers are exact: whatever the order of sums, only one trace is right.

Where the format of an implementation holds every number of a case and of all its sums, nothing is rounded.  So spikes
and weights must equal those of the reference, ties with the threshold included, and nothing is left undecided.

>>> holds(Need(significand=24, behind=10, before=3), Profile(format="float32"))
True
>>> holds(Need(significand=24, behind=10, before=3), Profile(format="float32", products="tf32"))
False
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.oracle.check.residual import Slot, first_failure
from decolle_ref.oracle.profile import FLOATS, Profile
from decolle_ref.oracle.spikes_only.driven import SpikesOnlyVerdict
from decolle_ref.oracle.trace import Trace
from decolle_ref.oracle.vectors.exactness import certify
from decolle_ref.oracle.vectors.number_kinds import Need


def holds(need: Need, profile: Profile) -> bool:
    """Whether a profile computes numbers that need so many bits without rounding.

    Parameters
    ----------
    need : the bits of every number and of every sum
    profile : the implementation's arithmetic

    Returns
    -------
    bool
    """
    if profile.fixed:
        return need.behind <= profile.fraction_bits and need.before <= profile.integer_bits
    formats = (profile.format, profile.accumulate, profile.products)
    return need.significand <= min(FLOATS[name].bits for name in formats if name)


def check(trace: Trace) -> SpikesOnlyVerdict | None:
    """Compare a trace of spikes and weights with the exact one.

    Parameters
    ----------
    trace : a trace of level L0 or L1, from `parse_trace`, of a case of an exact vector

    Returns
    -------
    SpikesOnlyVerdict or None
        None where the profile does not hold the numbers of the case.
    """
    certified, need = certify(trace.case)
    if not holds(need, trace.profile):
        return None
    slots = [slot for k in range(1, len(trace.layers) + 1) for slot in _slots(trace, certified, k)]
    decided = sum(slot.got.size for slot in slots if slot.equation == "S")
    return SpikesOnlyVerdict(trace.profile, decided, 0.0, 0.0, first_failure(slots))


def _slots(trace: Trace, certified: dict[str, Array], k: int) -> list[Slot]:
    """S of layer k, and its weights as far as the trace has them: the final ones are those after the last step."""
    arrays, steps, slots = trace.layers[k - 1].trace, len(trace.layers[k - 1].spikes_in), []
    for name in "SWb":
        final, rows = arrays.get(f"{name}_final"), arrays.get(name)
        got = [] if rows is None else list(rows)
        expected = [] if rows is None else list(certified[f"layer{k}_{name}"])
        if final is not None:
            right = certified[f"layer{k}_{name}_final"]
            unseen = 0 if rows is not None else steps
            got, expected = [*got, *[right] * unseen, final], [*expected, *[right] * unseen, right]
        if got:
            got_rows, right_rows = (np.stack(x).astype(np.float64) for x in (got, expected))
            slots.append(Slot(k, name, got_rows, right_rows, np.zeros_like(got_rows)))
    return slots
