import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref import gradcheck
from decolle_ref.decolle import lif, network, readout, rule
from decolle_ref.decolle.network import Layer, local_loss
from decolle_ref.decolle.objective import ACTIVITIES, LOSSES, REDUCTIONS, Objective, Regulariser
from decolle_ref.decolle.surrogate import SURROGATES, logistic
from decolle_ref.decolle.synapse import Dense, Weights

sizes = st.integers(1, 5)
strengths = st.just(0.0) | st.floats(0.01, 1)
regularisers = st.none() | st.builds(Regulariser, strengths, strengths, st.sampled_from(ACTIVITIES))
objectives = st.builds(Objective, st.sampled_from(list(LOSSES.values())), st.sampled_from(REDUCTIONS), regularisers)


@st.composite
def situations(draw):
    """A layer, its weights, any P and R, and a target."""
    n_in, n, n_out = draw(sizes), draw(sizes), draw(sizes)
    batch = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    neuron = lif.neuron(*lif.sample_time_constants(rng, n_in))
    G = readout.sample_readout(rng, n, n_out, amplitude=2.0)
    surrogate = draw(st.sampled_from(list(SURROGATES.values())))
    layer = Layer(Dense(n_in, n), neuron, G, surrogate, draw(objectives))
    weights = Weights(rng.normal(0, 1, (n, n_in)), rng.normal(0, 0.3, n))
    P, R = rng.exponential(0.5, (*batch, n_in)), rng.exponential(0.3, (*batch, n))
    return layer, weights, P, R, rng.normal(0, 2, (*batch, n_out))


def update(layer, weights, P, R, target):
    state = lif.State(P, np.zeros_like(P), R)
    _, snapshot = network.forward(layer, weights, state, np.zeros_like(P))
    return rule.gradient(layer.synapse, network.local_gradients(layer, snapshot, target).dU, P)


@given(situations())
def test_update_is_the_exact_gradient_of_the_local_loss(situation):
    layer, weights, P, R, target = situation
    dW, db = update(*situation)
    by_W = gradcheck.check(lambda W: local_loss(layer, Weights(W, weights.b), P, R, target), dW, weights.W)
    by_b = gradcheck.check(lambda b: local_loss(layer, Weights(weights.W, b), P, R, target), db, weights.b)
    assert by_W, str(by_W)
    assert by_b, str(by_b)


@given(situations())
def test_loss_in_the_snapshot_is_the_local_loss(situation):
    layer, weights, P, R, target = situation
    _, snapshot = network.forward(layer, weights, lif.State(P, np.zeros_like(P), R), np.zeros_like(P))
    assert network.local_gradients(layer, snapshot, target).loss == local_loss(*situation)


def test_taylor_remainder_of_the_local_loss_falls_with_the_square_of_the_step(rng):
    neuron = lif.neuron(*lif.sample_time_constants(rng, 7))
    layer = Layer(Dense(7, 6), neuron, readout.sample_readout(rng, 6, 3, 2.0))
    weights = Weights(rng.normal(0, 1, (6, 7)), rng.normal(0, 1, 6))
    P, R, target = rng.exponential(1, (4, 7)), rng.exponential(1, (4, 6)), rng.normal(0, 1, (4, 3))
    dW, _ = update(layer, weights, P, R, target)
    v = rng.normal(size=dW.shape)

    def loss(W):
        return local_loss(layer, Weights(W, weights.b), P, R, target)

    assert gradcheck.taylor_rate(loss, dW, weights.W, v) == pytest.approx(2, abs=0.05)
    assert gradcheck.taylor_rate(loss, 1.01 * dW, weights.W, v) < 1.9


def test_three_factors_of_one_synapse():
    """One input, one neuron, one output: dW = G dY * sigma'(U) * P, by hand."""
    layer = Layer(Dense(1, 1), lif.neuron(), readout.Readout(np.array([[2.0]]), np.zeros(1)))
    weights, P, R = Weights(np.array([[0.5]]), np.array([-1.0])), np.array([3.0]), np.array([0.25])
    U = 0.5 * 3.0 - 1.0 * 0.25 - 1.0
    sigma = 1 / (1 + np.exp(-U))
    dW, db = update(layer, weights, P, R, np.array([0.7]))
    by_hand = 2.0 * (2.0 * sigma - 0.7) * sigma * (1 - sigma)
    np.testing.assert_allclose([dW[0, 0], db[0]], [3.0 * by_hand, by_hand], rtol=1e-14)


def test_no_error_leaves_its_layer(rng):
    """Changing the target of one layer changes dU of that layer alone."""
    layers = [Layer(Dense(4, 4), lif.neuron(), readout.sample_readout(rng, 4, 2), logistic) for _ in range(3)]
    weights = [Weights(rng.normal(size=(4, 4)), rng.normal(size=4)) for _ in layers]
    state = tuple(lif.State(*rng.exponential(1, (3, 4))) for _ in layers)
    targets = rng.normal(size=(3, 2))
    other = targets.copy()
    other[1] += 1
    _, snapshots = network.step(layers, weights, state, np.ones(4), targets)
    _, changed = network.step(layers, weights, state, np.ones(4), other)
    same = [np.array_equal(a.dU, b.dU) for a, b in zip(snapshots, changed, strict=True)]
    assert same == [True, False, True]
