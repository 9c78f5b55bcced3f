"""Gradients of spike times and of the loss."""

import numpy as np
import pytest
from hypothesis import assume, given

from decolle_ref import gradcheck
from decolle_ref.credit import spike_time
from tests.support.spike_time import SEEDS, random_network

NEAR = 1e-3  # |U - 1| at an arrival, below which a step of differences may change a causal set


def least_margin(net):
    z = spike_time.encode(net.t)
    presynaptic = (z, *(layer.z for layer in spike_time.forward(net.W, z)))
    return min(spike_time.margin(W, below).min() for W, below in zip(net.W, presynaptic, strict=False))


def packed(net):
    """All weights and all arrivals in one vector; a sender that is silent has an entry that does nothing."""
    return np.concatenate([*(W.ravel() for W in net.W), np.where(np.isfinite(net.t), net.t, 0).ravel()])


def loss_of(net):
    """sum c t_out as a function of that vector."""
    sizes = np.cumsum([W.size for W in net.W])

    def loss(x):
        *weights, t = np.split(x, sizes)
        z = np.where(np.isfinite(net.t), np.exp(t.reshape(net.t.shape)), np.inf)
        out = spike_time.forward([w.reshape(W.shape) for w, W in zip(weights, net.W, strict=True)], z)[-1].z
        fires = np.isfinite(out)
        return (net.c * np.where(fires, np.log(np.where(fires, out, 1)), 0)).sum()

    return loss


def gradient_of(net):
    """Its gradient by `backward`: dt_out/dz_out = 1 / z_out, dL/dt = z dL/dz."""
    z = spike_time.encode(net.t)
    layers = spike_time.forward(net.W, z)
    dW, dz = spike_time.backward(net.W, z, layers, net.c / layers[-1].z)
    return np.concatenate([*(g.ravel() for g in dW), (dz * np.where(np.isfinite(z), z, 0)).ravel()])


@given(SEEDS)
def test_backward_is_the_complex_step_derivative_of_weights_and_arrivals(seed):
    net = random_network(seed)
    assume(least_margin(net) > 1e-9)
    assert gradcheck.check(loss_of(net), gradient_of(net), packed(net), tolerance=1e-12)


@given(SEEDS)
def test_backward_agrees_with_finite_differences_away_from_changes_of_a_causal_set(seed):
    net = random_network(seed)
    assume(least_margin(net) > NEAR)
    f, x, h = loss_of(net), packed(net), 1e-5  # five points: h^4 / I^4 of truncation, 1e-8, and eps / (h I) of rounding
    steps = h * np.eye(len(x))
    expected = np.array([(8 * (f(x + v) - f(x - v)) - f(x + 2 * v) + f(x - 2 * v)) / (12 * h) for v in steps])
    got = gradient_of(net)
    assert np.abs(got - expected).max() <= 1e-6 * np.abs(expected).max()


def test_few_networks_are_near_a_change_of_a_causal_set():
    margins = np.array([least_margin(random_network(seed)) for seed in range(1000)])
    assert (margins > 1e-9).all()
    assert (margins < NEAR).mean() < 0.03  # measured: 1.1 %


def test_gradient_jumps_where_the_causal_set_changes_and_the_spike_time_does_not():
    w = np.array([[2.0, 1.0]])  # alone, the first sender brings a spike at z = 2
    z = np.array([[[1.0, 2 + d]] for d in (1e-9, -1e-9)])
    pair = np.stack([w, w])
    later, earlier = spikes = spike_time.fire(pair, z).z[:, 0, 0]
    assert later == pytest.approx(earlier, abs=2e-9) and (spikes == pytest.approx(2))
    _, dz_dz = spike_time.derivatives(pair, z, spike_time.fire(pair, z))
    assert dz_dz[:, 0, 0].tolist() == [[2, 0], [1, 0.5]]
    assert spike_time.margin(pair, z).max() < 1e-9
    assert spike_time.margin(w, np.array([[1.0, 2.0]])) == 0


def test_a_silent_neuron_has_no_gradient_and_the_weight_sum_wakes_it():
    W, z = np.array([[0.2, 0.1, 0.3]]), spike_time.encode([[0.0, 1.0, 2.0]])
    layers = spike_time.forward([W], z)
    (dW,), dz = spike_time.backward([W], z, layers, np.ones((1, 1)))
    assert np.isinf(layers[-1].z).all() and not dW.any() and not dz.any()
    while spike_time.weight_sum(W) > 0:
        W = W - 0.05 * spike_time.weight_sum_gradient(W)
    assert np.isfinite(spike_time.fire(W, z).z).all()


def test_weight_sum_slope_is_its_derivative(rng):
    W = rng.normal(0.3, 0.5, (6, 4))
    assert 0 < (W.sum(axis=1) < 1).sum() < 6
    assert gradcheck.check(spike_time.weight_sum, spike_time.weight_sum_gradient(W), W)


def test_error_is_the_derivative_of_the_loss(rng):
    z, target = rng.uniform(1, 9, (5, 4)), np.array([0, 1, 2, 3, 0])
    z[0, 3] = np.inf
    fires = np.isfinite(z)

    def loss(x):
        return spike_time.loss(np.where(fires, x, np.inf), target)

    assert gradcheck.check(loss, spike_time.error(z, target), np.where(fires, z, 0))


def test_loss_is_minus_the_log_of_the_softmax_and_survives_late_spikes():
    z, target = np.array([[2.0, 3.0]]), np.array([1])
    assert spike_time.loss(z, target) == pytest.approx(-np.log(np.exp(-3) / (np.exp(-2) + np.exp(-3))), rel=1e-15)
    assert spike_time.loss(z + 1e6, target) == pytest.approx(spike_time.loss(z, target), rel=1e-9)


def test_loss_is_infinite_where_the_wanted_neuron_is_silent_and_the_error_is_finite():
    z, target = np.array([[np.inf, 1.0], [np.inf, np.inf]]), np.array([0, 1])
    assert spike_time.loss(z[:1], target[:1]) == spike_time.loss(z[1:], target[1:]) == np.inf
    assert spike_time.error(z, target).tolist() == [[0, -1], [0, 0]]
