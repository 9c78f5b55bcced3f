"""The traces of many steps against `lif.step`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decolle_ref.decolle import dialects, lif
from decolle_ref.decolle.lif import State
from decolle_ref.fast.traces import traces

DIALECTS = list(dialects.DIALECTS.values())


def by_steps(neuron, P, Q, spikes):
    """P and Q before the first step and after every step, by the definition."""
    states = [State(P, Q, np.zeros(1, P.dtype))]
    for x in spikes:
        states.append(lif.step(neuron, lambda P: P[..., :1], np.zeros_like, states[-1], x)[0])
    return (np.stack([getattr(state, letter) for state in states]) for letter in "PQ")


@given(st.data())
@settings(max_examples=80)
def test_traces_are_those_of_the_definition(data):
    """In each trace a term passes through two roundings for its gain and at most 4 per step: decay, power and sums.

    All terms are >= 0, so the sum is as accurate as its terms, except where they are too small for the dtype.
    """
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    dialect, dtype = data.draw(st.sampled_from(DIALECTS)), data.draw(st.sampled_from([np.float32, np.float64]))
    steps, n_in = data.draw(st.integers(0, 150)), data.draw(st.integers(1, 5))
    taus = lif.sample_time_constants(rng, data.draw(st.sampled_from([1, n_in])))
    neuron = lif.neuron(*taus, dtype=dtype, dialect=dialect)
    shape = *data.draw(st.sampled_from([(), (3,), (2, 2)])), n_in
    P, Q, spikes = (rng.random((*some, *shape)).astype(dtype) for some in ((), (), (steps,)))
    bound = (2 * 4 * (steps + 1)) * np.finfo(dtype).eps
    for ours, expected in zip(traces(neuron, P, Q, spikes), by_steps(neuron, P, Q, spikes), strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, expected, rtol=bound, atol=np.finfo(dtype).tiny)


@pytest.mark.parametrize("steps, n_in", [(15, 3), (40, 2049)], ids=["few steps", "large arrays"])
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_traces_of_few_steps_and_of_large_arrays_have_the_bits_of_the_definition(dialect, steps, n_in, rng):
    neuron = lif.neuron(*lif.sample_time_constants(rng, n_in), dialect=dialect)
    P, Q, spikes = rng.random(n_in), rng.random(n_in), (rng.random((steps, n_in)) < 0.1).astype(float)
    for ours, expected in zip(traces(neuron, P, Q, spikes), by_steps(neuron, P, Q, spikes), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_a_decay_of_zero_forgets_at_once():
    neuron = lif.from_decays(0.0, 0.0, w=0.0)
    P, Q = traces(neuron, np.ones(1), np.ones(1), np.arange(1.0, 51.0)[:, None])
    np.testing.assert_array_equal(Q.ravel(), [1, *range(1, 51)])
    np.testing.assert_array_equal(P.ravel(), [1, 1, *range(1, 50)])
