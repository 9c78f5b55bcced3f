"""Mistakes of precision that any equation can have: a narrower format, another rounding.

A narrower format shows in the numbers themselves: it holds all of them.  Another rounding shows in the sides to which
they are off.  So here the numbers of the trace are the evidence, within a bound that is wider than that of the profile.
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref._util.verdict import beyond, within
from decolle_ref.oracle.check.error_bounds import Bounded
from decolle_ref.oracle.diagnose.hypothesis import EVIDENCE, Hypothesis, Inapplicable, Result
from decolle_ref.oracle.diagnose.site import Site
from decolle_ref.oracle.profile import FLOATS, PROFILES, Profile


def rounded(name: str) -> list[Hypothesis]:
    """The numbers of a narrower format."""
    made = []
    for other in ("float32", "tf32", "bfloat16", "float16"):
        made.append(Hypothesis(f"{name} is computed in {other}", result=_in_format(other)))
    few = f"{name} is computed in a format of fewer bits"
    return [
        *made,
        Hypothesis(few, result=_in_few_bits, detail=lambda site: f"{bits(site.trace[name])} bits", whole=True),
        Hypothesis(f"{name} is computed with rounding down, not to the nearest", result=_one_sided(False), whole=True),
        Hypothesis(
            f"{name} is computed with rounding towards zero, not to the nearest", result=_one_sided(True), whole=True
        ),
    ]


def _in_format(name: str) -> Result:
    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        ours = site.profile
        if ours.fixed or FLOATS[name].bits >= FLOATS[ours.format].bits:
            raise Inapplicable
        narrow = _narrow(name)
        if not (narrow.quantise(got) == got).all() or len(np.unique(got)) < 8:
            raise Inapplicable
        room = FLOATS[ours.format].unit / FLOATS[name].unit  # how much wider the bound may be
        return _accepted(made, got, made.err / room + narrow.ulp(made.value))

    return result


def _accepted(made: Bounded, got: Array, err: Array) -> Bounded:
    """The numbers of the trace, which the narrow format holds, if they lie within its bound."""
    if not within(got, made.value, err).all():
        raise Inapplicable
    return Bounded(got, made.err)


def _one_sided(to_zero: bool) -> Result:
    """Numbers off by at most two bounds of rounding to the nearest, all of them on one side."""

    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        side = np.where(made.value < 0, -1, 1) if to_zero else 1
        wrong = beyond(got, made.value, made.err)
        enough = len(np.unique(got[wrong])) >= EVIDENCE
        if not enough or (side * (got - made.value) > made.err).any():
            raise Inapplicable
        return _accepted(made, got, 2 * made.err)

    return result


def bits(x: Array) -> int:
    """The bits of the shortest significand that holds all of these numbers.

    Parameters
    ----------
    x : float64

    Returns
    -------
    int
    """
    numbers = np.abs(np.ldexp(np.frexp(x)[0], 53)).astype(np.int64)
    numbers = numbers[numbers > 0]
    return 53 - int(np.log2(numbers & -numbers).min()) if len(numbers) else 0


def _in_few_bits(made: Bounded, site: Site, got: Array) -> Bounded:
    n, ours = bits(got), site.profile
    if ours.fixed or not FLOATS["float16"].bits < n <= FLOATS[ours.format].bits - 4 or len(np.unique(got)) < 8:
        raise Inapplicable
    unit = 2.0**-n
    return _accepted(made, got, made.err * unit / FLOATS[ours.format].unit + 2 * unit * np.abs(made.value))


def _narrow(name: str) -> Profile:
    return Profile("tf32", "bfloat16") if name == "tf32" else PROFILES[name]
