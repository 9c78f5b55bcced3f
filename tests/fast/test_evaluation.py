"""Evaluation with fixed weights against the one loop over time."""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from decolle_ref import fast
from decolle_ref._util.check import InputError
from decolle_ref.decolle import dialects, lif, network, readout
from decolle_ref.decolle.lif import State
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.objective import Objective, Regulariser
from decolle_ref.decolle.synapse import Dense, Weights
from decolle_ref.fast import evaluation, event_driven
from tests.support.conv import networks

DIALECTS = list(dialects.DIALECTS.values())
METHODS = ("product", "events")


class Expected(NamedTuple):
    """One layer by `network.run`, and how far rounding may move its U."""

    U: np.ndarray
    S: np.ndarray
    state: State
    error: np.ndarray


def dense_network(rng, dialect, sizes=(9, 8, 7), dtype=np.float64, shared=False):
    """Two dense layers with regularisers and a readout of U on top; the inputs may share their time constants."""
    net, weights = [], []
    for n_in, n in pairwise(sizes):
        taus = lif.sample_time_constants(rng, 1 if shared else n_in)
        neuron = lif.neuron(*taus, w=0.5, dtype=dtype, dialect=dialect)
        read = readout.sample_readout(rng, n, 3, 2.0, dtype)
        layer = Layer(Dense(n_in, n), neuron, read, objective=Objective(regulariser=Regulariser(0.1, 0.1)))
        net.append(network.with_dialect(dialect, layer))
        weights.append(layer.synapse.init_weights(rng, neuron, 10.0))
    return (*net[:-1], network.with_readout_of_U(net[-1])), tuple(weights)


def expectation(net, weights, spikes, start):
    """`network.run`, layer by layer.

    No term of U passes through more than 4 T + n_in + 10 roundings in either program: in each of two traces, two for a
    gain and at most 2 T for the decays and sums; n_in + 1 for the product, and a few for b, delta R and the powers of a
    decay.  All inputs and traces are >= 0, so |W| P + |b| + delta R bounds the sum of all absolute values, and two
    programs differ by at most 2 (eps/2) (4 T + n_in + 10) times it.
    """
    run = list(network.run(net, Carry(weights, start), spikes))
    layers = []
    for k, (layer, w) in enumerate(zip(net, weights, strict=True)):
        P, R, U, S = (np.stack([getattr(shown[k], x) for _, shown in run]) for x in "PRUS")
        sizes = layer.synapse.drive(Weights(np.abs(w.W), np.abs(w.b)), P) + layer.neuron.delta * R
        roundings = 4 * len(run) + layer.synapse.n_in + 10
        layers.append(Expected(U, S, run[-1][0].state[k], roundings * np.finfo(U.dtype).eps * sizes))
    return layers


def proves_something(expected):
    """No potential lies within rounding of the threshold, where spikes prove nothing."""
    return all((np.abs(e.U) > e.error).all() for e in expected)


def assert_evaluates(net, expected, state, layers):
    """U, S and the last state are those of the run, and Y is the readout of U."""
    for layer, e, last, ours in zip(net, expected, state, layers, strict=True):
        assert ours.U.dtype == e.U.dtype and ours.U.shape == e.U.shape
        assert (np.abs(ours.U - e.U) <= e.error).all()
        np.testing.assert_array_equal(ours.S, e.S)
        eps, activity = np.finfo(e.U.dtype).eps, getattr(layer.surrogate, layer.activity)(network.pooled(layer, ours.U))
        sizes = readout.output(layer.readout._replace(G=np.abs(layer.readout.G)), np.abs(activity))
        Y = readout.output(layer.readout, activity)
        assert (np.abs(ours.Y - Y) <= (network.width(layer) + 10) * eps * sizes).all() and ours.Y.dtype == Y.dtype
        np.testing.assert_array_equal(last.R, e.state.R)
        for trace, there in zip(last[:2], e.state[:2], strict=True):
            np.testing.assert_allclose(trace, there, rtol=(4 * len(e.U) + 10) * eps, atol=np.finfo(e.U.dtype).tiny)


def in_two_calls(net, weights, spikes, start, first, method="auto"):
    """The steps before `first`, and the others on two threads."""
    between, head = fast.evaluate(net, weights, spikes[:first], start, method=method)
    with fast.worker_pool(2) as workers:
        after, tail = fast.evaluate(net, weights, spikes[first:], between, workers, method)
    joined = [[np.concatenate(pair) for pair in zip(*parts, strict=True)] for parts in zip(head, tail, strict=True)]
    return after, [fast.Evaluation(*arrays) for arrays in joined]


@given(networks(strengths=(0.0, 0.5)), st.sampled_from([(), (3,), (2, 2)]), st.integers(1, 11))
@settings(max_examples=40)
def test_convolutions_with_any_pool_and_dialect_evaluate_as_the_definition_does(case, batch, first):
    net, weights, rng = case
    spikes, start = rng.random((12, *batch, net[0].synapse.n_in)) < 0.3, network.rest(net, batch)
    expected = expectation(net, weights, spikes, start)
    assume(proves_something(expected))
    assert_evaluates(net, expected, *fast.evaluate(net, weights, spikes))
    assert_evaluates(net, expected, *in_two_calls(net, weights, spikes, start, first))


@given(st.data())
@settings(max_examples=40)
def test_dense_layers_evaluate_as_the_definition_does(data):
    """In blocks of any size, from any state, by products and by columns of W."""
    draw, rng = data.draw, np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    dialect, dtype = draw(st.sampled_from(DIALECTS)), draw(st.sampled_from([np.float32, np.float64]))
    shared, batch = draw(st.booleans()), draw(st.sampled_from([(), (3,), (2, 2)]))
    net, weights = dense_network(rng, dialect, (draw(st.integers(1, 12)), 8, 7), dtype, shared)
    steps, density, rows = draw(st.integers(2, 70)), draw(st.sampled_from([0, 0.02, 0.3, 1])), draw(st.integers(1, 99))
    spikes = rng.integers(1, 3, shape := (steps, *batch, net[0].synapse.n_in)) * (rng.random(shape) < density)
    start = network.rest(net, batch)
    if draw(st.booleans()):
        start = tuple(State(*(rng.random(trace.shape).astype(dtype) for trace in state)) for state in start)
    expected = expectation(net, weights, spikes, start)
    assume(proves_something(expected))
    with mock.patch.object(evaluation, "ROWS", rows):
        for method in METHODS[: 1 + shared]:
            assert_evaluates(net, expected, *fast.evaluate(net, weights, spikes, start, method=method))
            first = draw(st.integers(1, steps - 1))
            assert_evaluates(net, expected, *in_two_calls(net, weights, spikes, start, first, method))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_every_bit_of_numbers_that_need_no_rounding_is_that_of_the_definition(dialect, method, rng):
    """Decays and gains that are powers of 2, small fractions as weights, counts as spikes: all sums are exact."""
    neuron = lif.from_decays(0.5, 0.5, 0.5, dialect=dialect)
    layer = network.with_dialect(dialect, Layer(Dense(5, 4), neuron, readout.sample_readout(rng, 4, 2)))
    weights = Weights(rng.integers(-8, 9, (4, 5)) / 4, rng.integers(-8, 9, 4) / 16)
    spikes, start = rng.integers(0, 3, (20, 3, 5)), network.rest([layer], (3,))
    (expected,) = expectation([layer], [weights], spikes, start)
    (state,), (ours,) = fast.evaluate([layer], [weights], spikes, start, method=method)
    assert expected.S.any() and not expected.S.all()
    for x, there in ((ours.U, expected.U), (ours.S, expected.S), *zip(state, expected.state, strict=True)):
        np.testing.assert_array_equal(x, there)


def test_a_spike_function_of_ones_own_is_evaluated_too(rng):
    net, weights = dense_network(rng, dialects.paper)
    own = [x._replace(surrogate=replace(x.surrogate, spike=lambda u: (u >= 0).astype(u.dtype))) for x in net]
    spikes = rng.random((30, 3, 9)) < 0.3
    for (_, a), (_, b) in zip(fast.evaluate(own, weights, spikes), fast.evaluate(net, weights, spikes), strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


@np.errstate(all="ignore")
def test_potentials_that_are_no_numbers_reach_spikes_and_R_as_in_the_definition():
    """Two traces overflow, and their difference is no number."""
    neuron = lif.from_decays(0.5, 0.5, 0.5)
    layer = Layer(Dense(2, 1), neuron, readout.Readout(np.ones((1, 1)), np.zeros(1)))
    weights, spikes = Weights(np.array([[1.0, -1.0]]), np.zeros(1)), np.full((6, 2), 1.5e308)
    run = list(network.run([layer], Carry((weights,), network.rest([layer])), spikes))
    (state,), (ours,) = fast.evaluate([layer], [weights], spikes)
    np.testing.assert_array_equal(ours.S, np.stack([shown.S for _, (shown,) in run]))
    assert np.isnan(ours.S[-1]).all() and np.isnan(state.R).all() and np.isnan(run[-1][0].state[0].R).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(0, 3), (0,), (20, 0)], ids=str)
def test_no_step_or_no_sample_gives_empty_arrays_and_the_state_before(shape, method, rng):
    net, weights = dense_network(rng, dialects.paper, shared=True)
    state, layers = fast.evaluate(net, weights, np.ones((*shape, 9)), method=method)
    assert [x.shape for x in layers[0]] == [(*shape, n) for n in (3, 8, 8)]
    for ours, before in zip(state, network.rest(net, shape[1:]), strict=True):
        for x, y in zip(ours, before, strict=True):
            np.testing.assert_array_equal(x, y)


def test_layers_with_few_spikes_are_driven_by_columns_of_W(rng):
    """The first layer of two, with limits so low that small layers meet them."""
    net, weights = dense_network(rng, dialects.paper, shared=True)
    spikes = rng.random((50, 2, 9)) < 0.02
    low = mock.patch.multiple(event_driven, INPUTS=9, NEURONS=1, PRODUCTS=1)
    with low, mock.patch.object(event_driven, "drive", wraps=event_driven.drive) as drive:
        fast.evaluate(net, weights, spikes)
        assert drive.call_count == 1
        fast.evaluate(net, weights, 1 - spikes)
        fast.evaluate(net, weights, spikes, method="product")
        assert drive.call_count == 1


def test_columns_of_W_are_chosen_for_large_layers_with_few_spikes_and_equal_time_constants(rng):
    steps, one, several = 1 << 12, lif.neuron(), lif.neuron(*lif.sample_time_constants(rng, 512))
    sparse, full = (np.broadcast_to(np.arange(512) < n, (steps, 512)) for n in (20, 30))
    cases = ((512, one, sparse, True), (512, one, full, False), (512, several, sparse, False))
    cases += ((100, one, sparse, False), (512, one, sparse[:100], False))
    for n, neuron, spikes, chosen in cases:
        assert event_driven.worthwhile(Dense(512, n), neuron, spikes) is chosen


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
    with pytest.raises(InputError, match=r"^method: expected one of auto, product, events, got 'spikes'$"):
        fast.evaluate(net, weights, np.ones((5, 9)), method="spikes")
    with pytest.raises(InputError, match=r"^layer 1: expected a Dense synapse and one alpha, beta and pair of gains"):
        fast.evaluate(net, weights, np.ones((5, 9)), method="events")
