import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from decolle_ref._util.check import InputError
from decolle_ref.decolle import lif
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.surrogate import at_threshold

taus = st.floats(0.002, 0.050)


def impulse(steps, at=0):
    x = np.zeros((steps, 1))
    x[at] = 1
    return x


def traces(neuron, spikes, drive=lambda P: P):
    """(P, U, S) over time for input spikes (T, n_in), as many neurons as inputs."""
    state = lif.rest(neuron, spikes.shape[1], spikes.shape[1], spikes.shape[2:])
    P, U, S = [], [], []
    for x in spikes:
        P.append(state.P)
        state, _, u, s = lif.step(neuron, drive, at_threshold, state, x)
        U.append(u), S.append(s)
    return np.array(P), np.array(U), np.array(S)


@given(taus, taus, st.integers(0, 2**32 - 1))
def test_P_is_the_closed_form_kernel_sum(tau_mem, tau_syn, seed):
    spikes = np.random.default_rng(seed).integers(0, 3, (120, 1)).astype(float)
    neuron = lif.neuron(tau_mem, tau_syn)
    P, _, _ = traces(neuron, spikes)
    kernel = lif.srm_kernel(float(neuron.alpha), float(neuron.beta), 120)
    np.testing.assert_allclose(P[:, 0], np.convolve(spikes[:, 0], kernel)[:120], rtol=1e-12, atol=1e-12)


@given(taus, taus, st.integers(0, 2**32 - 1))
def test_P_is_two_first_order_filters_of_scipy_in_a_row(tau_mem, tau_syn, seed):
    spikes = np.random.default_rng(seed).integers(0, 2, (300, 1)).astype(float)
    neuron = lif.neuron(tau_mem, tau_syn)
    a, b = float(neuron.alpha), float(neuron.beta)
    P, _, _ = traces(neuron, spikes)
    filtered = lfilter([0, 1], [1, -a], lfilter([0, 1], [1, -b], spikes[:, 0]))
    np.testing.assert_allclose(P[:, 0], filtered, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gap", [0.0, 1e-14, 1e-10, 1e-6, 1e-4])
def test_kernel_does_not_cancel_where_alpha_meets_beta(gap):
    a, b, P, Q = 0.9, 0.9 + gap, 0.0, 0.0
    for n, eps in enumerate(lif.srm_kernel(a, b, 100)):
        assert eps == pytest.approx(P, rel=1e-12)
        P, Q = a * P + Q, b * Q + (n == 0)


def test_psp_tends_to_the_analytic_double_exponential_as_dt_vanishes():
    tau_mem, tau_syn = 0.020, 0.005
    peak_time = tau_mem * tau_syn / (tau_mem - tau_syn) * np.log(tau_mem / tau_syn)
    amplitude = tau_mem * tau_syn / (tau_mem - tau_syn) * (np.exp(-peak_time / tau_mem) - np.exp(-peak_time / tau_syn))
    errors = []
    for dt in (1e-3, 1e-4, 1e-5):
        P, _, _ = traces(lif.neuron(tau_mem, tau_syn, dt=dt), impulse(round(0.05 / dt)))
        assert dt * P.argmax() == pytest.approx(peak_time, abs=2 * dt)
        errors.append(abs(dt * P.max() - amplitude) / amplitude)
    assert errors[2] < 2e-3
    assert errors[0] > 5 * errors[1] > 25 * errors[2]  # first order in dt


def test_an_input_spike_reaches_U_two_steps_later():
    _, U, _ = traces(lif.neuron(), impulse(6, at=1), drive=lambda P: P - 1)
    np.testing.assert_array_equal(U[:4, 0] > -1, [False, False, False, True])


def test_a_spike_lowers_the_potential_by_delta_from_the_next_step_and_decays_with_gamma():
    neuron = lif.neuron(tau_ref=0.00286, w=3.0)
    _, U, S = traces(neuron, np.zeros((5, 1)), drive=lambda P: P)
    np.testing.assert_array_equal(S[:, 0], [1, 0, 0, 0, 0])
    np.testing.assert_allclose(U[1:, 0], -3.0 * neuron.gamma ** np.arange(4), rtol=1e-15)


def test_the_constants_of_the_authors_code_are_the_defaults():
    """20 ms, 7.5 ms, 2.86 ms, steps of 1 ms, and a refractory strength of 1."""
    neuron = lif.neuron()
    np.testing.assert_allclose(neuron[:3], np.exp(-1 / np.array([20, 7.5, 2.86])), rtol=1e-15)
    assert neuron.delta == lif.from_decays(0.9, 0.8, 0.5).delta == 1
    assert lif.LIF(*neuron[:6])[6:] == (0, 0, None)


def test_each_input_keeps_its_own_time_constants():
    tau_mem, tau_syn = np.array([0.010, 0.030]), np.array([0.005, 0.009])
    P, _, _ = traces(lif.neuron(tau_mem, tau_syn), np.repeat(impulse(50), 2, axis=1))
    for j in range(2):
        alone, _, _ = traces(lif.neuron(tau_mem[j], tau_syn[j]), impulse(50))
        np.testing.assert_array_equal(P[:, j], alone[:, 0])


def test_drawn_time_constants_lie_in_the_papers_ranges(rng):
    tau_mem, tau_syn = lif.sample_time_constants(rng, 1000)
    assert 0.005 <= tau_mem.min() < 0.006 and 0.034 < tau_mem.max() <= 0.035
    assert 0.005 <= tau_syn.min() < 0.0052 and 0.0098 < tau_syn.max() <= 0.010


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_asked_for_is_kept_through_a_step(dtype):
    neuron = lif.neuron(np.array([0.01, 0.02]), dtype=dtype)
    state, _, U, S = lif.step(neuron, lambda P: P, at_threshold, lif.rest(neuron, 2, 2), np.ones(2, dtype))
    assert {x.dtype for x in (*neuron[:6], *state, U, S)} == {np.dtype(dtype)}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_an_input_that_spikes_at_every_step_brings_P_to_the_trace_gain(dialect):
    neuron = lif.neuron([0.010, 0.030], [0.005, 0.009], dialect=dialect)
    P, _, _ = traces(neuron, np.ones((1500, 2)))
    np.testing.assert_allclose(P[-1], lif.trace_gain(neuron), rtol=1e-12)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_the_traces_that_U_read_are_the_old_or_the_new_ones(dialect):
    neuron = lif.neuron(dialect=dialect)
    state = lif.State(np.array([0.25]), np.array([0.5]), np.array([0.75]))
    after, read, _, _ = lif.step(neuron, lambda P: P, at_threshold, state, np.ones(1))
    assert read == (state, after._replace(R=state.R))[neuron.U_reads]


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn", "tau_ref", "dt"])
@pytest.mark.parametrize("value", [0.0, -0.01, np.nan, np.inf])
def test_time_constants_must_be_positive_and_finite(name, value):
    with pytest.raises(InputError, match=rf"^{name}: expected finite numbers > 0 seconds, got {value}$"):
        lif.neuron(**{name: value})


def test_the_bad_entry_of_an_array_is_named():
    with pytest.raises(InputError, match=r"^tau_mem: .* got -0.01 at index \(1,\)$"):
        lif.neuron(tau_mem=[0.02, -0.01])


@pytest.mark.parametrize("bad", ["float16", "int32", "nonsense"])
def test_other_dtypes_are_refused(bad):
    with pytest.raises(InputError, match="dtype: expected float32 or float64"):
        lif.neuron(dtype=bad)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_given_gains_are_taken_as_they_are_and_gamma_is_needed_only_where_something_is_refractory(dialect):
    gains = {"gain_Q": 7.69, "gain_P": np.array([10.0, 9.5])}
    neuron = lif.from_decays(0.9, 0.87, w=0.0, dialect=dialect, **gains)
    assert neuron.gain_Q == 7.69 and neuron.gain_P.tolist() == [10.0, 9.5]
    assert neuron.delta == neuron.gamma == 0
    own = lif.from_decays(0.9, 0.87, 0.5, dialect=dialect)
    half = lif.from_decays(0.9, 0.87, 0.5, dialect=dialect, gain_Q=7.69)
    assert half == own._replace(gain_Q=np.array(7.69))
    narrow = lif.from_decays(0.9, 0.87, 0.5, dtype=np.float32, dialect=dialect, **gains)
    assert {x.dtype for x in narrow[:6]} == {np.dtype(np.float32)}


def test_gamma_left_out_and_gains_that_are_not_positive_are_refused():
    with pytest.raises(InputError, match=r"^gamma: expected a decay where w > 0, got none$"):
        lif.from_decays(0.9, 0.87)
    with pytest.raises(InputError, match=r"^gamma: expected a decay where w > 0, got none$"):
        lif.from_decays(0.9, 0.87, w=[0.0, 1.0])
    for name in ("gain_Q", "gain_P"):
        with pytest.raises(InputError, match=rf"^{name}: expected finite numbers > 0, got 0.0$"):
            lif.from_decays(0.9, 0.87, 0.9, **{name: 0.0})
