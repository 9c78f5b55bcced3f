"""The neuron in continuous time [N19 Eq. 1-3], compared with its discrete form; Fig. 1 and 3."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from decolle_ref._util.check import InputError
from decolle_ref.credit.neuron import continuous, spiking
from decolle_ref.credit.neuron.spiking import Neuron, Synapses
from decolle_ref.experiments import lif_dynamics
from decolle_ref.plots import lif_dynamics as lif_dynamics_figure
from decolle_ref.plots import surrogates
from decolle_ref.plots.style import save

EPS = np.finfo(float).eps
TAU = st.floats(0.001, 0.05)
STEPS = 0.0005 * 0.5 ** np.arange(5)  # dt, in seconds


def discrete_psp(weight, tau_mem, tau_syn, dt, steps):
    """U[n] of the network of Eq. 4, 5 after one input spike at n = 0."""
    cell = spiking.neuron(tau_mem, tau_syn, dt, theta=1e3)
    x = np.zeros((steps, 1, 1))
    x[0] = 1
    synapses = [Synapses(np.array([[weight]]), np.zeros((1, 1)))]
    return spiking.forward(cell, synapses, x).U[0][:, 0, 0]


def discrete_rates(currents, tau_mem, dt, duration=1.0):
    """Spikes per second of one neuron of Eq. 5 per constant current; from the intervals between spikes."""
    # alpha = 0: the current is what came in at the last step; the input is 1 at every step
    cell = Neuron(alpha=0.0, beta=1 - continuous.gain(tau_mem, dt))
    n = len(currents)
    synapses = [Synapses(continuous.gain(tau_mem, dt) * currents[:, None], np.zeros((n, n)))]
    S = spiking.forward(cell, synapses, np.ones((round(duration / dt), 1, 1))).S[0][:, 0]
    at = [np.flatnonzero(S[:, k]) for k in range(n)]
    return np.array([(len(a) - 1) / (a[-1] - a[0]) / dt if len(a) > 1 else 0.0 for a in at]), S


def order(errors):
    """The exponent p of errors ~ dt^p."""
    return np.polyfit(np.log(STEPS), np.log(errors), 1)[0]


@given(TAU, TAU, st.floats(0.0001, 0.1))
def test_psp_solves_the_two_equations(tau_mem, tau_syn, t):
    def slope(_, state):
        I, U = state
        return continuous.dI_dt(I, tau_syn), continuous.dU_dt(U, I, tau_mem)

    solved = solve_ivp(slope, (0, t), [1.0, 0.0], rtol=1e-9, atol=1e-12, method="DOP853").y[1, -1]
    assert continuous.psp(t, tau_mem, tau_syn) == pytest.approx(solved, rel=1e-6, abs=1e-9)


def test_the_sign_printed_in_equation_3_makes_excitation_inhibit():
    tau_mem, tau_syn, t = 0.010, 0.005, 0.007

    def printed(_, state):
        I, U = state
        return -I / tau_syn, -(U + I) / tau_mem

    U = solve_ivp(printed, (0, t), [1.0, 0.0], rtol=1e-9, atol=1e-12).y[1, -1]
    assert U == pytest.approx(-continuous.psp(t, tau_mem, tau_syn), rel=1e-6)
    assert U < -0.2


def test_psp_is_the_closed_form_away_from_equal_constants_and_before_the_spike_0():
    t, tau_mem, tau_syn = np.linspace(0, 0.1, 50).reshape(5, 10), 0.02, 0.005
    formula = tau_syn / (tau_mem - tau_syn) * (np.exp(-t / tau_mem) - np.exp(-t / tau_syn))
    np.testing.assert_allclose(continuous.psp(t, tau_mem, tau_syn), formula, rtol=0, atol=4 * EPS)
    np.testing.assert_array_equal(continuous.psp([-1.0, -1e-9, 0.0], tau_mem, tau_syn), 0)


@given(TAU, st.floats(-1e-3, 1e-3))
@example(0.010, 1e-14)  # where the closed form is wrong by about 1 %
def test_psp_passes_smoothly_through_equal_time_constants(tau, gap):
    t = np.linspace(0, 0.2, 40)
    limit = t / tau * np.exp(-t / tau)
    np.testing.assert_allclose(continuous.psp(t, tau, tau), limit, rtol=0, atol=2 * EPS)
    # psp changes by no more than its largest value 1/e for a relative change of 1, hence by |gap| at most
    near = continuous.psp(t, tau, tau * (1 + gap))
    np.testing.assert_allclose(near, limit, rtol=0, atol=abs(gap) + 4 * EPS)


@given(TAU, TAU)
def test_a_long_train_of_spikes_adds_up_to_the_mean_current(tau_mem, tau_syn):
    # the area of psp is tau_syn, the area of the current of one spike; trapezoid, hence the tolerance
    t = np.linspace(0, 30 * (tau_mem + tau_syn), 200_001)
    assert np.trapezoid(continuous.psp(t, tau_mem, tau_syn), t) == pytest.approx(tau_syn, rel=1e-4)


@pytest.mark.parametrize("taus", [(0.010, 0.005), (0.005, 0.010), (0.008, 0.008)])
def test_the_discrete_psp_tends_to_the_analytic_one_with_first_order(taus):
    def error(dt):
        steps = round(0.05 / dt)
        U = discrete_psp(continuous.gain(taus[0], dt), *taus, dt, steps)
        return np.abs(U - continuous.psp(dt * np.arange(steps), *taus)).max()

    errors = [error(dt) for dt in STEPS]
    assert order(errors) == pytest.approx(1, abs=0.05)
    # a delay of dt at a slope of 1/tau_mem at most, and a gain of 1 + dt / (2 tau_syn) on values below 1
    assert (np.array(errors) <= STEPS / taus[0] + STEPS / (2 * taus[1])).all()


@given(TAU, TAU, st.sampled_from([0.0005, 0.001]))
def test_with_the_factor_psp_of_dt_the_discrete_psp_is_exact_and_one_step_late(tau_mem, tau_syn, dt):
    U = discrete_psp(float(continuous.psp(dt, tau_mem, tau_syn)), tau_mem, tau_syn, dt, 60)
    exact = continuous.psp(dt * (np.arange(60) - 1), tau_mem, tau_syn)
    np.testing.assert_allclose(U, exact, rtol=0, atol=60 * EPS)  # a rounding per step


def test_the_discrete_f_I_curve_tends_to_the_analytic_one_with_first_order():
    currents, tau_mem = np.linspace(1.1, 4, 30), 0.010
    exact = continuous.firing_rate(currents, tau_mem)
    errors = [np.abs(discrete_rates(currents, tau_mem, dt)[0] / exact - 1).max() for dt in STEPS]
    assert order(errors) == pytest.approx(1, abs=0.25)  # a rate in steps is a staircase, so the errors scatter
    assert errors[-1] < 0.02


def test_without_the_gain_the_discrete_neuron_is_driven_ten_times_too_hard():
    tau_mem, dt = 0.010, 0.001
    assert 1 / continuous.gain(tau_mem, dt) == pytest.approx(10.5, abs=0.01)
    plain = discrete_rates(np.array([0.9]) / continuous.gain(tau_mem, dt), tau_mem, dt)[0]
    assert plain > 10 and continuous.firing_rate(0.9, tau_mem) == 0


def test_up_to_the_threshold_current_the_rate_is_0_in_both():
    currents = np.array([-3.0, 0.0, 0.5, 0.999])
    np.testing.assert_array_equal(continuous.firing_rate([*currents, 1.0], 0.010), 0)
    assert not discrete_rates(currents, 0.010, 0.0005)[1].any()


@given(TAU, st.floats(0.1, 5), st.floats(1.001, 50))
def test_at_the_interval_of_the_rate_U_is_at_threshold(tau_mem, theta, ratio):
    I = ratio * theta
    interval = 1 / continuous.firing_rate(I, tau_mem, theta)
    U = -I * np.expm1(-interval / tau_mem)
    assert U == pytest.approx(theta, rel=50 * 8 * EPS)  # up to 50: U is a small part of I


def test_far_above_threshold_the_rate_is_that_of_an_integrator_without_leak():
    assert continuous.firing_rate(1e6, 0.010) == pytest.approx(1e6 / 0.010, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: continuous.psp(np.nan, 0.01, 0.005), "^t: expected finite numbers, got nan$"),
        (lambda: continuous.psp(0.0, 0.0, 0.005), "^tau_mem: expected finite numbers > 0 seconds, got 0.0$"),
        (lambda: continuous.psp(0.0, 0.01, -1.0), "^tau_syn: expected finite numbers > 0 seconds, got -1.0$"),
        (lambda: continuous.firing_rate([1.0, np.inf], 0.01), r"^I: expected finite numbers, got inf at index \(1,\)$"),
        (lambda: continuous.firing_rate(2.0, 0.01, 0.0), "^theta: expected finite numbers > 0, got 0.0$"),
        (lambda: continuous.firing_rate(2.0, np.nan), "^tau_mem: expected finite numbers > 0 seconds, got nan$"),
        (lambda: continuous.gain(0.01, 0.0), "^dt: expected finite numbers > 0 seconds, got 0.0$"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_the_example_of_figure_1_is_below_threshold_while_its_inputs_are_sparse(rng):
    trace = lif_dynamics.simulate(rng)
    sparse = trace.t < lif_dynamics.SPARSE
    assert 0.3 < trace.U[sparse].max() < 0.9
    assert not trace.S[sparse].any() and trace.S[~sparse].sum() >= 5


def test_single_psps_of_figure_1_are_the_analytic_ones(rng):
    trace = lif_dynamics.simulate(rng)
    until = int(np.flatnonzero(trace.x.any(axis=1))[1])  # the second spike
    first, j = np.argwhere(trace.x)[0]
    exact = lif_dynamics.WEIGHTS[j] * continuous.psp(
        trace.t[:until] - trace.t[first], lif_dynamics.TAU_MEM, lif_dynamics.TAU_SYN
    )
    np.testing.assert_allclose(
        trace.U[:until], exact, atol=lif_dynamics.WEIGHTS[j] * 2 * lif_dynamics.DT / lif_dynamics.TAU_MEM
    )


def test_figures_1_and_3_are_drawn(rng, tmp_path):
    for name, figure in (
        ("fig1", lif_dynamics_figure.plot(lif_dynamics.simulate(rng))),
        ("fig3", surrogates.plot()),
    ):
        save(figure, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
