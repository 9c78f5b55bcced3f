"""Evaluation with fixed weights against the one loop over time."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decolle_ref import fast
from decolle_ref._util.check import InputError
from decolle_ref.decolle import dialects, lif, network, readout
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.objective import Objective, Regulariser
from decolle_ref.decolle.synapse import Dense
from tests.support.conv import networks


def dense_network(rng, dialect, sizes=(9, 8, 7), dtype=np.float64):
    """Two dense layers with regularisers, and a readout of U on top of them."""
    net, weights = [], []
    for n_in, n in pairwise(sizes):
        neuron = lif.neuron(*lif.sample_time_constants(rng, n_in), w=0.5, dtype=dtype, dialect=dialect)
        read = readout.sample_readout(rng, n, 3, 2.0, dtype)
        layer = Layer(Dense(n_in, n), neuron, read, objective=Objective(regulariser=Regulariser(0.1, 0.1)))
        net.append(network.with_dialect(dialect, layer))
        weights.append(layer.synapse.init_weights(rng, neuron, 10.0))
    return (*net[:-1], network.with_readout_of_U(net[-1])), tuple(weights)


def assert_evaluates(net, weights, spikes, batch, rtol, first):
    """Y, U, S and the last state of network.run, for all steps at once and in two calls.

    Where a potential lies within rounding of the threshold, spikes prove nothing and the case is skipped.
    """
    run = list(network.run(net, Carry(weights, network.rest(net, batch)), spikes))
    U = [np.stack([shown[k].U for _, shown in run]) for k in range(len(net))]
    scales = [max(1, np.abs(u).max()) for u in U]
    if any((np.abs(u) <= rtol * scale).any() for u, scale in zip(U, scales, strict=True)):
        return False
    after, whole = fast.evaluate(net, weights, spikes)
    between, start = fast.evaluate(net, weights, spikes[:first])
    with fast.worker_pool(2) as workers:
        end, rest = fast.evaluate(net, weights, spikes[first:], between, workers)
    for k, scale in enumerate(scales):
        for name in fast.Evaluation._fields:
            expected = np.stack([getattr(shown[k], name) for _, shown in run])
            ours = getattr(whole[k], name)
            assert ours.shape == expected.shape and ours.dtype == expected.dtype
            np.testing.assert_allclose(ours, expected, rtol=0, atol=rtol * scale)
            parts = np.concatenate([getattr(start[k], name), getattr(rest[k], name)])
            np.testing.assert_allclose(parts, expected, rtol=0, atol=rtol * scale)
        for state in (after[k], end[k]):
            for ours, expected in zip(state, run[-1][0].state[k], strict=True):
                np.testing.assert_allclose(ours, expected, rtol=rtol, atol=rtol)
    return True


@given(networks(strengths=(0.0, 0.5)), st.sampled_from([(), (3,), (2, 2)]), st.integers(1, 11))
@settings(max_examples=40)
def test_convolutions_with_any_pool_and_dialect_evaluate_as_the_definition_does(case, batch, first):
    net, weights, rng = case
    spikes = rng.random((12, *batch, net[0].synapse.n_in)) < 0.3
    assert_evaluates(net, weights, spikes, batch, 1e-12, first)


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)], ids=str)
@pytest.mark.parametrize("dialect", dialects.DIALECTS.values(), ids=lambda d: d.name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_dense_layers_evaluate_as_the_definition_does(dialect, batch, dtype, rng):
    """Two sums of at most 9 products each, in another order: 20 units in the last place of the largest."""
    net, weights = dense_network(rng, dialect, dtype=dtype)
    spikes = rng.random((40, *batch, 9)) < 0.3
    assert assert_evaluates(net, weights, spikes, batch, 20 * np.finfo(dtype).eps, 17)


def test_evaluation_refuses_what_does_not_fit_in_one_line(rng):
    net, weights = dense_network(rng, dialects.paper)
    for shape in ((9,), (5, 8), (5, 3, 10)):
        with pytest.raises(InputError, match=r"^spikes: expected shape \(steps, ..., 9\), got "):
            fast.evaluate(net, weights, np.ones(shape))
    with pytest.raises(InputError, match=r"^spikes: expected shape \(5, 2, 9\), got \(5, 9\)$"):
        fast.evaluate(net, weights, np.ones((5, 9)), network.rest(net, (2,)))
    with pytest.raises(InputError, match=r"^spikes: expected finite numbers, got nan"):
        fast.evaluate(net, weights, np.full((5, 9), np.nan))
    with pytest.raises(InputError, match=r"^weights: expected one per layer \(2\), got 1$"):
        fast.evaluate(net, weights[:1], np.ones((5, 9)))
