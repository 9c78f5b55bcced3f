"""Intervals below L2: the true value of every operation lies within its bounds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.surrogate import SURROGATES
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.spikes_only import bounded_learning
from decolle_ref.oracle.spikes_only.intervals import Intervals, chosen, grain
from tests.support.spikes_only import FORMATS, at

number, size = st.floats(-4, 4), st.floats(0, 2)


@given(st.sampled_from(sorted(SURROGATES)), number, size, st.floats(-1, 1))
def test_sigma_and_its_slope_lie_within_their_bounds_anywhere_in_the_interval(name, u, err, where):
    surrogate, arithmetic = SURROGATES[name], Intervals(at("L1"))
    x, inside = Bounded(np.asarray(u), np.asarray(err)), np.asarray(u + where * err)
    for bound, f in ((arithmetic.sigma, surrogate.primitive), (arithmetic.slope, surrogate.derivative)):
        result = bound(surrogate, x)
        assert abs(f(inside) - result.value) <= result.err + 1e-15
    assert bound(surrogate, exact(np.asarray(u))).err < 1e-14


@given(number, size, st.floats(0, 3), st.floats(0, 1), *[st.floats(-1, 1)] * 2)
def test_a_step_of_adamax_lies_within_its_bound_anywhere_in_the_intervals(g, err, u, room, where, there):
    arithmetic = Intervals(at("L1"))
    moments = Bounded(np.asarray(u), np.asarray(room))
    ratio, (_, after) = bounded_learning.adamax(
        Adamax(), arithmetic, Bounded(np.asarray(g), np.asarray(err)), exact(np.zeros(())), moments
    )
    inside, old = g + where * err, max(u + there * room, 0)
    new = max(0.95 * old, abs(inside) + 1e-8)
    assert abs(inside / new - ratio.value) <= ratio.err * (1 + 1e-12)
    assert abs(new - after.value) <= after.err * (1 + 1e-12)
    assert ratio.err <= 1 + 1e-12  # never wider than from -1 to 1


@given(st.sampled_from(FORMATS), *[st.integers(-(2**20), 2**20)] * 2, *[st.integers(-20, 6)] * 2)
def test_what_the_format_holds_is_not_rounded(name, i, j, k, m):
    profile = PROFILES[name]
    arithmetic, x, y = Intervals(profile), np.asarray(i * 2.0**k), np.asarray(j * 2.0**m)
    for result, value in (
        (arithmetic.multiply(exact(x), exact(y)), x * y),
        (arithmetic.add(exact(x), exact(y)), x + y),
    ):
        assert result.err > 0 or (result.value == value and (profile.quantise(value) == value or x * y in (0, x, y)))
    assert i == 0 or (x / grain(x)) % 2 == 1
    interval = Bounded(np.asarray(3.0), np.asarray(0.5))
    for same in (arithmetic.multiply(exact(np.ones(())), interval), arithmetic.add(interval, exact(np.zeros(())))):
        assert same == chosen(np.asarray(True), interval, interval)
    assert arithmetic.multiply(interval, exact(np.zeros(()))) == (0, 0)
