"""The ANN of integers: its layers, its rounding, its gradients, its fast path and its topologies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.fast import spikegrad as fast
from decolle_ref.spikegrad import ann, network
from decolle_ref.spikegrad import operations as ops
from decolle_ref.spikegrad.layers import IFLayer
from tests.support.spikegrad import DENSE, IMAGES, all_equal, dyadic, learns, problem, seeds

SYNAPSES = {repr(synapse): synapse for stack in DENSE + IMAGES for synapse in stack}


def without_bias(synapse, W):
    return Weights(W, np.zeros(synapse.shapes[1]))


@given(seeds, st.sampled_from(sorted(SYNAPSES)))
def test_adjoint_and_increment_belong_to_apply(seed, name):
    """<E, W x> = <adjoint(E), x> = <increment(E, x), W>."""
    rng, synapse = np.random.default_rng(seed), SYNAPSES[name]
    weights = without_bias(synapse, dyadic(rng, synapse.shapes[0], 5))
    x, E = dyadic(rng, (2, synapse.n_in), 9), dyadic(rng, (2, synapse.n), 9)
    product = (E * synapse.drive(weights, x)).sum()
    assert product == (synapse.adjoint(weights, E) * x).sum()
    if learns(synapse):
        assert product == (synapse.gradient(E, x).W * weights.W).sum()


@given(seeds, st.sampled_from([synapse for synapse in SYNAPSES.values() if isinstance(synapse, Conv2d)]))
def test_convolution_is_scipys_cross_correlation(seed, synapse):
    rng, pad = np.random.default_rng(seed), synapse.padding
    W, x = dyadic(rng, synapse.shape_W, 5), dyadic(rng, synapse.shape_in, 9)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    y = synapse.drive(without_bias(synapse, W), x.reshape(1, -1)).reshape(synapse.shape)
    for i in range(synapse.channels):
        theirs = sum(signal.correlate2d(padded[j], W[i, j], "valid") for j in range(synapse.shape_in[0]))
        np.testing.assert_allclose(y[i], theirs, rtol=0, atol=1e-13)


@pytest.mark.parametrize("gradient", ann.GRADIENTS)
@given(seed=seeds, stack=st.sampled_from(DENSE + IMAGES))
def test_the_fast_path_equals_the_definitions(gradient, seed, stack):
    rng = np.random.default_rng(seed)
    net, weights, _, _ = problem(rng, stack)
    x, U = dyadic(rng, (3, stack[0].n_in), 9), dyadic(rng, (3, stack[-1].n), 16)
    responses = ann.forward(net, weights, x)
    E = ann.backward(net, weights, responses, U, gradient)
    S, caches = fast.forward(net, weights, x)
    np.testing.assert_array_equal(S[-1], responses[-1].S)
    all_equal(S, [r.S for r in responses])
    errors, increments = fast.backward(net, weights, caches, U.copy(), gradient)
    all_equal(errors, E)
    for ours, theirs in zip(increments, ann.increments(net, x, responses, E), strict=True):
        all_equal(ours, theirs)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.sampled_from((np.float32, np.float64)))
def test_rounding_is_to_the_nearest_integer_and_away_from_zero_at_ties(values, dtype):
    x = np.array([*values, 0.5, -0.5, 1.5, -2.5, np.nextafter(0.5, 0), -np.nextafter(0.5, 0)]).astype(dtype)
    rounded = ann.nearest(x)
    assert (np.abs(x - rounded) <= 0.5).all()
    ties = np.abs(x - rounded) == 0.5
    assert (np.abs(rounded) > np.abs(x))[ties].all()
    np.testing.assert_array_equal(fast.nearest(x.copy()), rounded)


def test_float_errors_are_the_exact_gradient_where_nothing_is_rounded(rng):
    """Complex step through a linear network of real-valued activations, all thresholds equal."""
    theta, alpha = 0.75, 3.0
    net = [IFLayer(synapse, False, theta, theta) for synapse in IMAGES[0]]
    weights = network.init_weights(rng, net)
    x, labels = rng.normal(size=(2, 25)), np.array([0, 2])

    def responses(W0):
        S, result = x, []
        for k, layer in enumerate(net):
            W = W0 if k == 0 else weights[k].W
            top = layer is net[-1]
            S = layer.synapse.drive(weights[k]._replace(W=W), S) / (1 if top else theta)
            result.append(ann.Response(S, S))
        return result

    real = responses(weights[0].W)
    U = ann.top_error(real[-1].S, labels, alpha)
    ours = ann.increments(net, x, real, ann.backward(net, weights, real, U, "float"))[0].W * theta / alpha
    for index in np.ndindex(*ours.shape):
        moved = weights[0].W.astype(complex)
        moved[index] += 1e-30j
        V = responses(moved)[-1].S
        p = np.exp(V) / np.exp(V).sum(axis=1, keepdims=True)
        slope = -np.log(p[np.arange(2), labels]).sum().imag / 1e-30
        assert slope == pytest.approx(ours[index], rel=1e-10, abs=1e-12)


def test_the_top_error_is_alpha_times_softmax_minus_onehot():
    U = ann.top_error(np.log(np.array([[1.0, 3.0], [1.0, 1.0]])), np.array([1, 0]), 100)
    np.testing.assert_allclose(U, [[25, -25], [-50, 50]], rtol=1e-14)
    assert ann.top_error(np.zeros((1, 2), np.float32), np.array([0]), 10).dtype == np.float32


def test_the_topologies_of_the_paper():
    mnist, cifar10 = network.named("mnist"), network.named("cifar10")
    assert [k.synapse.shape for k in mnist[:-2]] == [(15, 24, 24), (15, 12, 12), (40, 8, 8), (40, 4, 4)]
    assert [k.synapse.n for k in mnist[-2:]] == [300, 10]
    assert [k.relu for k in mnist] == [True, False, True, False, True, False]
    assert [k.synapse.shape for k in cifar10[-5:-3]] == [(1024, 8, 8), (512, 8, 8)]
    assert [k.synapse.n for k in cifar10[-3:]] == [1024, 512, 10]
    # 5 x 5 x 15 inputs for each of 8 x 8 x 40 neurons; 4 x 4 x 40 inputs for each of 300; 300 for each of 10
    assert ops.macs(mnist).tolist() == [8640, 375 * 2560, 2560, 640 * 300, 300 * 10]


def test_the_cifar10_network_passes_generated_images_both_ways(rng):
    net = network.named("cifar10")
    weights = network.init_weights(rng, net, np.float32)
    network.validate(net, weights)
    x = rng.random((1, 3 * 32 * 32)).astype(np.float32)
    (*_, V), caches = fast.forward(net, weights, x)
    errors, increments = fast.backward(net, weights, caches, ann.top_error(V, np.array([3]), 400))
    assert V.shape == (1, 10) and V.dtype == np.float32
    for layer, E, increment in zip(net, errors, increments, strict=True):
        assert E.shape == (1, layer.synapse.n) and (E == np.trunc(E)).all()
        assert increment.W.shape == layer.synapse.shapes[0]
