"""Spikes, in any order, add up to the integers of the ANN; without residual spikes they are within 1 of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decolle_ref.data import cifar10, location
from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad import ann, network, snn
from decolle_ref.spikegrad import operations as ops
from decolle_ref.spikegrad.snn import EventOptions
from tests.support.spikegrad import DENSE, IMAGES, all_equal, dyadic, orders, problem, seeds


def both_phases(net, weights, x, U, options, spiking_input=False):
    result = snn.forward(net, weights, x, options, spiking_input)
    errors = snn.backward(net, weights, result, U, options)
    return result, errors, snn.increments(net, x, result, errors)


def assert_equality(net, weights, x, U, options, spiking_input):
    """Totals, derivatives, errors and increments of the spikes equal those of the ANN, to the last bit."""
    result, errors, increments = both_phases(net, weights, x, U, options, spiking_input)
    responses = ann.forward(net, weights, x[None], options.residual)
    E = ann.backward(net, weights, responses, U[None], rounding=options.residual)
    all_equal(result.totals, [r.S[0] for r in responses])
    all_equal(
        snn.derivative(net, result)[:-1],
        [ann.derivative(k, r)[0] for k, r in zip(net[:-1], responses[:-1], strict=True)],
    )
    all_equal(errors.totals, [e[0] for e in E])
    for ours, theirs in zip(increments, ann.increments(net, x[None], responses, E), strict=True):
        all_equal(ours, theirs)


@settings(max_examples=1400)
@given(seeds, st.sampled_from(DENSE), orders, st.booleans())
def test_spikes_add_up_to_the_integers_of_the_ann_in_both_phases_and_in_the_increments(seed, stack, order, spiking):
    """[T19 Eq. 14, 17, 20]"""
    rng = np.random.default_rng(seed)
    assert_equality(*problem(rng, stack), EventOptions(order, rng), spiking)


@settings(max_examples=350)
@given(seeds, st.sampled_from(IMAGES), orders, st.booleans())
def test_the_equality_holds_with_convolution_and_pooling(seed, stack, order, spiking):
    rng = np.random.default_rng(seed)
    assert_equality(*problem(rng, stack), EventOptions(order, rng), spiking)


def test_the_equality_holds_for_the_network_of_the_paper(rng):
    net = network.named("mnist")
    weights = [Weights(np.rint(64 * w.W) / 64, np.rint(64 * w.b) / 64) for w in network.init_weights(rng, net)]
    x = np.rint(16 * rng.random(784) * rng.integers(0, 2, 784)) / 16
    assert_equality(net, weights, x, dyadic(rng, 10, 40), EventOptions(), False)


@pytest.mark.study
@pytest.mark.skipif(not (location.folder() / cifar10.FOLDER).is_dir(), reason="CIFAR-10 is not in the data folder")
@pytest.mark.parametrize("number", range(20))
def test_the_equality_holds_for_twenty_images_of_cifar10_at_an_eighth_of_the_width(number, rng):
    net = network.named("cifar10", width=1 / 8)
    weights = [Weights(np.rint(256 * w.W) / 256, w.b) for w in network.init_weights(rng, net)]
    images, labels = cifar10.read(location.folder() / cifar10.FOLDER / "test_batch.bin")
    x = images[number].transpose(2, 0, 1).ravel() / 256  # dyadic, so that no sum is rounded
    V = ann.forward(net, weights, x[None])[-1].S
    U = np.rint(100 * ann.top_error(V, labels[number : number + 1], 1.0)[0])
    assert U.any()
    assert_equality(net, weights, x, U, EventOptions(), False)


@settings(max_examples=300)
@given(seeds, st.sampled_from(DENSE + IMAGES), orders, st.sampled_from(("floor", "ceil")))
def test_other_residual_rules_give_other_roundings_exactly(seed, stack, order, residual):
    rng = np.random.default_rng(seed)
    assert_equality(*problem(rng, stack), EventOptions(order, rng, residual), False)


@settings(max_examples=30)
@given(seeds, st.sampled_from(DENSE + IMAGES))
def test_the_order_of_events_changes_neither_totals_nor_what_is_left(seed, stack):
    rng = np.random.default_rng(seed)
    net, weights, x, U = problem(rng, stack)
    outcomes = [both_phases(net, weights, x, U, EventOptions(order, rng), True) for order in ("fifo", "lifo", "random")]
    for result, errors, _ in outcomes[1:]:
        all_equal(result.totals + result.V, outcomes[0][0].totals + outcomes[0][0].V)
        all_equal(errors.totals + errors.V, outcomes[0][1].totals + outcomes[0][1].V)


@given(seeds, st.sampled_from(DENSE + IMAGES), orders, st.booleans())
def test_without_residual_spikes_totals_are_within_1_of_the_anns_on_the_same_inputs(seed, stack, order, linear):
    """[T19 Eq. 9-13]; for ReLU neurons after the ReLU."""
    rng = np.random.default_rng(seed)
    net, weights, x, U = problem(rng, stack, linear)
    result, errors, _ = both_phases(net, weights, x, U, EventOptions(order, rng, None))
    below = [x, *result.totals[:-1]]
    for layer, w, S_in, S, V in zip(net[:-1], weights[:-1], below[:-1], result.totals[:-1], result.V[:-1], strict=True):
        z = ann.respond(layer, w, S_in[None]).z[0]
        assert (np.abs(S - (np.maximum(z, 0) if layer.relu else z)) < 1).all()
        if not layer.relu:
            np.testing.assert_array_equal(V, layer.theta_ff * (z - S))
            assert (np.abs(V) < layer.theta_ff).all()
    arriving = [
        k.synapse.adjoint(w, E[None])[0] for k, w, E in zip(net[1:], weights[1:], errors.totals[1:], strict=True)
    ]
    for layer, gate, arrived, E, left in zip(
        net, snn.derivative(net, result), [*arriving, U], errors.totals, errors.V, strict=True
    ):
        assert (np.abs(E - gate * arrived / layer.theta_bp) < 1).all()
        assert (np.abs(left) < layer.theta_bp).all()


@given(seeds, st.sampled_from(DENSE + IMAGES), orders)
def test_the_number_of_spikes_lies_between_the_total_and_the_papers_bound(seed, stack, order):
    """[T19 Eq. 21]"""
    rng = np.random.default_rng(seed)
    net, weights, x, U = problem(rng, stack)
    result, errors, _ = both_phases(net, weights, x, U, EventOptions(order, rng), True)
    forward, backward = ops.spikes_sent(net, result), ops.spikes_sent(net, errors)
    for k in range(len(net) - 1):
        arriving = forward[k - 1] if k else np.abs(x)
        assert (np.abs(result.totals[k]) <= forward[k]).all()
        assert (forward[k] <= ops.forward_bound(net[k], weights[k], arriving)).all()
        assert (np.abs(errors.totals[k]) <= backward[k]).all()
        assert (backward[k] <= ops.backward_bound(net[k], net[k + 1], weights[k + 1], backward[k + 1])).all()
