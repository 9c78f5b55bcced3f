"""First-spike times: the closed form, the causal set, and networks that are refused."""

import numpy as np
import pytest
from hypothesis import assume, given
from scipy.integrate import solve_ivp

from decolle_ref._util.check import InputError
from decolle_ref.credit import spike_time
from tests.support.spike_time import SEEDS, first_spike, random_network, random_neuron


@given(SEEDS)
def test_closed_form_equals_the_simulation(seed):
    w, t = random_neuron(seed)
    assume(
        spike_time.margin(w[None], spike_time.encode(t)[None]).min() > 1e-4
    )  # rounding of I, 1e-15, is divided by it
    got, expected = first_spike(w, t), spike_time.simulate(w, t)
    assert np.isinf(got) == np.isinf(expected)
    assert np.isinf(got) or abs(np.log(got) - expected) < 1e-10


@pytest.mark.parametrize("seed", range(20))
def test_simulation_follows_the_differential_equation(seed):
    w, t = random_neuron(seed)
    order = np.argsort(t)
    state, expected = np.zeros(2), np.inf

    def reaches(now, state):
        return state[0] - 1

    reaches.terminal, reaches.direction = True, 1
    for now, weight, then in zip(t[order], w[order], [*t[order][1:], np.inf], strict=True):
        if now < then:  # 30 time constants are as good as for ever
            state = state + np.array([0, weight])
            found = solve_ivp(lambda _, s: [s[1], -s[1]], (now, min(then, now + 30)), state, "DOP853", events=reaches,
                              rtol=1e-12, atol=1e-13)  # fmt: skip
            if found.t_events[0].size:
                expected = found.t_events[0][0]
                break
            state = found.y[:, -1]
        elif now < np.inf:
            state = state + np.array([0, weight])
    assert spike_time.simulate(w, t) == pytest.approx(expected, abs=1e-8)


@given(SEEDS)
def test_potential_is_below_one_before_the_spike_and_one_at_it_rising_with_the_current(seed):
    w, t = random_neuron(seed)
    spikes = spike_time.fire(w[None], spike_time.encode(t)[None])
    assume(np.isfinite(spikes.z).all() and spikes.I.min() > 1e-4)
    out, h = np.log(spikes.z[0, 0]), 1e-6
    before, at, after = spike_time.potential(w[None], t, np.array([out - h, out, out + h]))[:, 0]
    scale = np.abs(w).sum()
    assert at == pytest.approx(1, abs=1e-14 * scale)
    assert spikes.I[0, 0] == pytest.approx((w * np.exp(np.minimum(t - out, 0)))[t <= out].sum(), abs=1e-13 * scale)
    if np.abs(t - out).min() > h:
        assert (after - before) / (2 * h) == pytest.approx(spikes.I[0, 0], abs=1e-8 * scale)
    earlier = spike_time.potential(w[None], t, np.linspace(0, out, 200)[:-1])
    assert (earlier < 1 + 1e-14 * scale).all()


def test_a_sum_above_one_is_not_enough_for_a_causal_set():
    """The earliest senders with sum_C w > 1 give another spike time for most of the neurons that fire."""
    rng, wrong, fired = np.random.default_rng(0), 0, 0
    for _ in range(1000):
        w, t = rng.normal(0.5, 0.8, 6), np.sort(rng.uniform(0, 3, 6))
        expected = spike_time.simulate(w, t)
        if expected < np.inf:
            k = np.flatnonzero(np.cumsum(w) > 1)[0] + 1
            z = (w[:k] @ np.exp(t[:k])) / (w[:k].sum() - 1)
            fired += 1
            wrong += not np.isclose(z, np.exp(expected), rtol=1e-9)
            assert np.isclose(first_spike(w, t), np.exp(expected), rtol=1e-9)
    assert wrong > 0.75 * fired > 0.75 * 800  # measured: 691 of 842


def test_no_spike_is_lost_between_two_causal_sets_by_rounding():
    """The full test z_last <= z_out <= z_next fails with one set after z_next and with the next before z_last."""
    lost, rng = 0, np.random.default_rng(0)
    for _ in range(1000):
        w, first = rng.uniform([1.1, 0.1], [3, 2]), rng.uniform(0.5, 2)
        alone = w[0] * first / (w[0] - 1)
        second = np.nextafter(alone, 0)
        both = (w[0] * first + w[1] * second) / (w[0] + w[1] - 1)
        lost += both < second < alone
        z = spike_time.fire(w[None], np.array([[first, second]])).z[0, 0]
        assert z == pytest.approx(alone, rel=1e-14)
    assert lost > 50  # measured: 85


def test_the_order_in_which_senders_are_numbered_does_not_matter():
    w, z = np.array([[0.7, 1.2, -0.4, 0.9]]), np.array([[3.0, 1.0, 2.0, 1.5]])
    shuffle = np.array([2, 0, 3, 1])
    spikes, shuffled = spike_time.fire(w, z), spike_time.fire(w[:, shuffle], z[:, shuffle])
    assert spikes.z == shuffled.z and (spikes.C[..., shuffle] == shuffled.C).all()
    assert spikes.C.tolist() == [[[False, True, True, True]]]


@given(SEEDS)
def test_later_inputs_by_the_same_delay_make_later_spikes_by_that_delay(seed):
    net = random_network(seed)
    z = spike_time.encode(net.t)
    one, other = spike_time.forward(net.W, z)[-1], spike_time.forward(net.W, 8 * z)[-1]
    assert (other.z == 8 * one.z).all() and (other.C == one.C).all()  # exact: 8 is a power of two


@given(SEEDS)
def test_a_sender_split_into_two_simultaneous_ones_changes_nothing(seed):
    w, t = random_neuron(seed)
    assume(spike_time.margin(w[None], spike_time.encode(t)[None]).min() > 1e-4)
    twice, at = np.append(w, w[0] - 1.5), np.append(t, t[0])
    twice[0] = 1.5
    one, two = first_spike(w, t), first_spike(twice, at)
    assert two == pytest.approx(one, rel=1e-10)
    z = spike_time.encode(at)[None]
    dz_dw, _ = spike_time.derivatives(twice[None], z, spike_time.fire(twice[None], z))
    assert dz_dw[0, 0, 0] == dz_dw[0, 0, -1]


@given(SEEDS)
def test_a_silent_sender_changes_nothing_and_has_no_gradient(seed):
    w, t = random_neuron(seed)
    more, z = np.append(w, 7.0)[None], spike_time.encode(np.append(t, np.inf))[None]
    spikes = spike_time.fire(more, z)
    assert spikes.z[0, 0] == first_spike(w, t)
    dz_dw, dz_dz = spike_time.derivatives(more, z, spikes)
    assert dz_dw[0, 0, -1] == dz_dz[0, 0, -1] == 0


def test_weights_must_sum_to_more_than_the_threshold():
    assert first_spike(np.array([1.0]), np.array([0.0])) == np.inf
    assert first_spike(np.array([1 + 2.0**-30]), np.array([0.0])) == 2.0**30 + 1


def test_nothing_comes_from_silent_senders_alone():
    spikes = spike_time.fire(np.full((2, 3), 5.0), np.full((1, 3), np.inf))
    assert np.isinf(spikes.z).all() and not spikes.C.any()


def test_an_inhibiting_arrival_in_time_silences_and_too_late_does_nothing():
    w = np.array([1.5, -1.0])
    assert first_spike(w, np.array([0.0, np.log(2.9)])) == np.inf
    assert first_spike(w, np.array([0.0, np.log(3.1)])) == pytest.approx(3, rel=1e-15)


@given(SEEDS, SEEDS)
def test_weight_changes_within_the_margin_keep_the_causal_set(seed, other):
    """At an arrival |dU| <= sum |dw|, so no arrival changes sides before sum |dw| reaches the margin."""
    w, t = random_neuron(seed)
    z = spike_time.encode(t)[None]
    dw = np.random.default_rng(other).normal(size=w.shape)
    dw *= 0.999 * spike_time.margin(w[None], z).min() / np.abs(dw).sum()
    assert (spike_time.fire(w[None], z).C == spike_time.fire((w + dw)[None], z).C).all()


@given(SEEDS)
def test_no_neuron_is_silent_where_every_weight_sum_is_above_one_and_every_input_comes(seed):
    net = random_network(seed)
    W = [w + np.maximum(1.01 - w.sum(axis=1, keepdims=True), 0) / w.shape[1] for w in net.W]
    assert sum(spike_time.weight_sum(w) for w in W) == 0
    t = np.where(np.isfinite(net.t), net.t, 5)
    assert all(np.isfinite(layer.z).all() for layer in spike_time.forward(W, spike_time.encode(t)))


def test_the_winner_fires_first_and_alone():
    z = np.array([[2, 1, np.inf], [2, 2, 3], [np.inf, np.inf, np.inf], [3, 2, 2.5]])
    assert spike_time.winner(z).tolist() == [1, -1, -1, 1]


def test_networks_side_by_side_do_not_see_each_other():
    nets = [random_network(3)._replace(W=[w * s for w in random_network(3).W]) for s in (0.8, 1.0, 1.3)]
    z = spike_time.encode(np.stack([net.t for net in nets]))
    W = [np.stack(layer) for layer in zip(*(net.W for net in nets), strict=True)]
    layers = spike_time.forward(W, z)
    e = np.ones(layers[-1].z.shape)
    dW, dz = spike_time.backward(W, z, layers, e)
    spike_time.validate(W, z)
    for k, net in enumerate(nets):
        alone = spike_time.forward(net.W, z[k])
        dW_alone, dz_alone = spike_time.backward(net.W, z[k], alone, e[k])
        assert (alone[-1].z == layers[-1].z[k]).all()
        assert all(np.allclose(one, many[k], rtol=1e-13, atol=0) for one, many in zip(dW_alone, dW, strict=True))
        assert np.allclose(dz_alone, dz[k], rtol=1e-13, atol=0)


@pytest.mark.parametrize(
    ("t", "got"), [([0.0, np.nan], "nan"), ([-np.inf], "-inf"), ([301.0], "301.0"), (-1e9, "-1000000000.0")]
)
def test_times_that_cannot_be_encoded_are_refused(t, got):
    with pytest.raises(InputError, match=rf"^t: expected times within 300 .* or inf for no spike, got {got}$"):
        spike_time.encode(t)


@pytest.mark.parametrize(
    ("W", "z", "message"),
    [
        ([np.ones((2, 3))], np.ones(3), r"z: expected shape \(..., batch, n_in\) with n_in >= 1, got \(3,\)"),
        ([np.ones((2, 0))], np.ones((4, 0)), r"z: expected shape .*, got \(4, 0\)"),
        ([np.ones((2, 3))], [[1.0, np.nan, 1.0]], "z: expected exp.* got nan"),
        ([np.ones((2, 3))], [[1.0, -2.0, 1.0]], "z: expected exp.* got -2.0"),
        ([], np.ones((4, 3)), "W: expected at least one layer, got none"),
        ([[[1.0, np.inf, 1.0]]], np.ones((4, 3)), r"layer 1 W: expected finite numbers, got inf at index \(0, 1\)"),
        ([np.ones((2, 3)), np.ones((2, 3))], np.ones((4, 3)), r"layer 2 W: expected shape \(2, 2\), got \(2, 3\)"),
        ([np.ones(3)], np.ones((4, 3)), r"layer 1 W: expected shape \(1, 3\), got \(3,\)"),
        ([np.ones((0, 3))], np.ones((4, 3)), r"layer 1 W: expected shape \(1, 3\), got \(0, 3\)"),
        ([np.ones((2, 3))], np.ones((5, 4, 3)), r"layer 1 W: expected shape \(5, 2, 3\), got \(2, 3\)"),
    ],
)
def test_networks_that_cannot_run_are_refused(W, z, message):
    with pytest.raises(InputError, match=message):
        spike_time.validate(W, z)
