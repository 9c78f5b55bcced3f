"""What the regularisers of every dialect read, and where they act."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref import gradcheck
from decolle_ref.decolle import lif, network, readout, rule
from decolle_ref.decolle.dialects import dcll, decolle, decolle_base, decolle_nonorm, paper
from decolle_ref.decolle.layer import regularisers
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.objective import Objective, Regulariser, smooth_l1
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.surrogate import boxcar, fast_sigmoid, logistic
from decolle_ref.decolle.synapse import Dense, Weights
from tests.support.dialects import EACH


def silent_layer(dialect, U, **parts):
    """One step of a layer whose four potentials are U, with no error of its readout: what the regularisers give."""
    objective = Objective(smooth_l1, "sum", Regulariser(1.0, 1.0))
    plain = Layer(Dense(1, 4), lif.neuron(dialect=dialect), readout.Readout(np.zeros((1, 4)), np.zeros(1)))
    layer = network.with_dialect(dialect, plain._replace(objective=objective))._replace(**parts)
    if layer.pool is not None:
        layer = layer._replace(readout=readout.Readout(np.zeros((1, layer.pool.n)), np.zeros(1)))
    weights, rest = Weights(np.zeros((4, 1)), np.asarray(U, float)), lif.rest(layer.neuron, n_in=1, n=4)
    _, snapshot = network.forward(layer, weights, rest, np.zeros(1))
    return network.local_gradients(layer, snapshot, np.zeros(1))


@pytest.mark.parametrize("dialect", [decolle, decolle_base, decolle_nonorm], ids=lambda d: d.name)
def test_the_second_regulariser_of_2020_reads_the_logistic_function_whatever_the_surrogate(dialect):
    """U = -4: relu(0.1 - <sigma(U)>) = 0.0820, with the slope -sigma(U) sigma(-U) = -0.01766 of the mean."""
    silent = silent_layer(dialect, [-4.0] * 4)
    assert float(silent.loss) == pytest.approx(0.1 - 1 / (1 + np.exp(4)), rel=1e-13)
    np.testing.assert_allclose(4 * silent.dU, -np.exp(4) / (1 + np.exp(4)) ** 2, rtol=1e-13)


@pytest.mark.parametrize("dialect", [paper, dcll], ids=lambda d: d.name)
def test_the_second_regulariser_of_the_paper_and_of_2018_reads_the_surrogates_own_primitive(dialect):
    silent = silent_layer(dialect, [-0.45] * 4, surrogate=boxcar)
    assert float(silent.loss) == pytest.approx(0.05, rel=1e-13)
    np.testing.assert_array_equal(4 * silent.dU, -1)


@EACH
def test_lambda1_acts_before_the_pool_in_2018_and_after_it_in_2020(dialect):
    """Of U = 0.3, 0.2, 0.1, -5 one window passes on 0.3: <relu(U + 0.01)> is 0.31, or 0.63 / 4 over all of them."""
    loud = silent_layer(dialect, [0.3, 0.2, 0.1, -5.0], pool=MaxPool((1, 2, 2), 2))
    everywhere = dialect.name == "dcll"
    assert float(loud.loss) == pytest.approx(0.63 / 4 if everywhere else 0.31, rel=1e-13)
    np.testing.assert_array_equal(loud.dU, [0.25, 0.25, 0.25, 0] if everywhere else [1, 0, 0, 0])


def test_lambda2_acts_after_the_pool_in_2018_too():
    """Of four potentials -0.45 the window passes on the first, and relu(0.1 - 0.05) pushes that one alone."""
    silent = silent_layer(dcll, [-0.45] * 4, pool=MaxPool((1, 2, 2), 2), surrogate=boxcar)
    assert float(silent.loss) == pytest.approx(0.05, rel=1e-13)
    np.testing.assert_array_equal(silent.dU, [-1, 0, 0, 0])


def test_both_regularisers_stand_together_unless_there_is_a_pool_between_them():
    both, pool = Regulariser(0.3, 0.2), MaxPool((1, 2, 2), 2)
    plain = Layer(Dense(1, 4), lif.neuron(), readout.Readout(np.zeros((1, 4)), np.zeros(1)), lambda1_on="U")
    regular = plain._replace(objective=Objective(regulariser=both))
    assert regularisers(plain._replace(pool=pool)) == regularisers(plain) == (None, None)
    assert regularisers(regular) == regularisers(regular._replace(pool=pool, lambda1_on="u")) == (both, None)
    assert regularisers(regular._replace(pool=pool)) == (Regulariser(0.0, 0.2), Regulariser(0.3, 0.0))


def test_the_regularisers_of_the_error_signal_read_the_surrogate_by_default(rng):
    G, objective = readout.sample_readout(rng, 4, 2), Objective(regulariser=Regulariser(0.3, 0.2))
    dY, U = rng.normal(size=2), np.full(4, -2.0)
    own = rule.error_signal(G, logistic, objective, dY, U)
    np.testing.assert_array_equal(own, rule.error_signal(G, logistic, objective, dY, U, rate=logistic))
    assert not np.array_equal(own, rule.error_signal(G, logistic, objective, dY, U, rate=fast_sigmoid))


@EACH
@given(seed=st.integers(0, 2**32 - 1), shift=st.sampled_from([-3.0, 0.0]))
def test_with_a_pool_and_both_regularisers_the_update_is_still_that_exact_gradient(dialect, seed, shift):
    rng = np.random.default_rng(seed)
    objective = Objective(smooth_l1, "mean", Regulariser(0.3, 0.2))
    G = readout.Readout(rng.normal(size=(2, 2)), np.zeros(2))
    neuron = lif.neuron(*lif.sample_time_constants(rng, 4), dialect=dialect)
    plain = Layer(Dense(4, 10), neuron, G, objective=objective, pool=MaxPool((1, 2, 5), 2))
    layer = network.with_dialect(dialect, plain)
    weights = Weights(rng.normal(size=(10, 4)), rng.normal(shift, 1, 10))
    P, R, target = rng.random((3, 4)), rng.random((3, 10)), rng.normal(size=(3, 2))
    U = layer.synapse.drive(weights, P) - neuron.delta * R
    Y = readout.output(G, layer.surrogate.primitive(network.pooled(layer, U)))
    snapshot = network.local_gradients(layer, network.Snapshot(P, P, R, U, U, Y), target)
    dW = rule.gradient(layer.synapse, snapshot.dU, P).W

    def descended(W):
        return network.frozen_error_loss(layer, Weights(W, weights.b), P, R, snapshot.dY)

    report = gradcheck.check(descended, dW, weights.W)
    assert report, str(report)
