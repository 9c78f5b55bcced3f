"""The conventional network: its gradients and its fast path."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from decolle_ref import gradcheck
from decolle_ref._util.check import InputError
from decolle_ref.decolle import convnet
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from decolle_ref.experiments.convnet import network
from decolle_ref.fast import worker_pool
from decolle_ref.fast.conv import Adjoint
from decolle_ref.fast.convnet import ConvnetStepper, outputs

SEEDS = st.integers(0, 2**32 - 1)
CHANNELS = st.sampled_from((1, 2, 3, 8))  # 8: one product per kernel row in the fast path, where the kernel is 2 or 3


@st.composite
def nets(draw, channels=CHANNELS, kernel=4):
    """Three stages of any channels, pools, kernel and padding, over any image that they fit into."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(4, 13)), draw(st.integers(4, 13)))
    stages = [(draw(channels), draw(st.integers(1, 3))) for _ in range(3)]
    try:
        return convnet.build(
            shape, stages, draw(st.integers(1, kernel)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
        )
    except InputError:
        assume(False)


def problem(net, seed, batch, dtype=np.float64):
    """Weights, images, and targets in both the quadratic and the linear part of smooth L1."""
    rng = np.random.default_rng(seed)
    weights = [Weights(2 * w.W, 2 * w.b) for w in convnet.init_weights(rng, net, dtype)]
    x = rng.normal(size=(batch, net.stages[0].synapse.n_in))
    return weights, x.astype(dtype), rng.normal(0, 2, (batch, net.top.n)).astype(dtype)


def flat(weights):
    return np.concatenate([array.ravel() for w in weights for array in w])


def like(weights, numbers):
    """The inverse of `flat`."""
    arrays, sizes = [array for w in weights for array in w], [array.size for w in weights for array in w]
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    parts = [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]
    return list(map(Weights, parts[::2], parts[1::2]))


def distance(got, expected):
    """The largest difference over the largest entry."""
    got, expected = flat(got), flat(expected)
    return np.abs(got - expected).max() / np.abs(expected).max()


@settings(max_examples=15)
@given(nets(st.integers(1, 3), 3), SEEDS, st.integers(1, 3))
def test_backpropagation_is_the_exact_gradient_of_all_weights(net, seed, batch):
    weights, x, target = problem(net, seed, batch)
    slopes = flat(convnet.gradient(net, weights, x, target))
    report = gradcheck.check(
        lambda w: convnet.loss(net, like(weights, w), x, target), slopes, flat(weights), tolerance=1e-10
    )
    assert report, str(report)


def test_every_layer_of_the_reference_network_gets_a_gradient():
    net = network()
    weights, x, target = problem(net, 0, 2)
    shapes = [(16, 1, 7, 7), (24, 16, 7, 7), (32, 24, 7, 7), (10, 512)]
    for slopes, shape in zip(convnet.gradient(net, weights, x, target), shapes, strict=True):
        assert slopes.W.shape == shape
        assert np.abs(slopes.W).max() > 0 < np.abs(slopes.b).max()


@st.composite
def convolutions(draw):
    shape = (draw(CHANNELS), draw(st.integers(1, 8)), draw(st.integers(1, 8)))
    geometry = [draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, 4))]
    try:
        return Conv2d(shape, draw(st.integers(1, 4)), *geometry)
    except InputError:
        assume(False)


def normal(rng, synapse, *batch):
    """Weights, dU and P."""
    shape = synapse.shape_W if isinstance(synapse, Conv2d) else (synapse.n, synapse.n_in)
    weights = Weights(rng.normal(size=shape), rng.normal(size=shape[0]))
    return weights, rng.normal(size=(*batch, synapse.n)), rng.normal(size=(*batch, synapse.n_in))


@given(
    convolutions() | st.builds(Dense, st.integers(1, 6), st.integers(1, 6)), SEEDS, st.sampled_from([(), (3,), (2, 2)])
)
def test_adjoint_is_the_adjoint_of_the_drive(synapse, seed, batch):
    """<dU, drive(P) - b> = <adjoint(dU), P>."""
    weights, dU, P = normal(np.random.default_rng(seed), synapse, *batch)
    without_bias = Weights(weights.W, 0 * weights.b)
    terms, others = dU * synapse.drive(without_bias, P), synapse.adjoint(weights, dU) * P
    assert others.shape == P.shape
    # the error of a sum is bounded by that of its terms, each of them a sum of fewer than 1000
    scale = np.abs(dU).sum() * np.abs(weights.W).sum() * np.abs(P).max()
    assert abs(terms.sum() - others.sum()) <= 1e3 * np.finfo(float).eps * scale


@given(convolutions(), SEEDS, st.integers(1, 4))
def test_adjoint_of_patches_equals_the_definition(synapse, seed, batch):
    weights, dU, _ = normal(np.random.default_rng(seed), synapse, batch)
    adjoint = Adjoint(synapse, synapse.shape[1:], batch, np.dtype(float))
    back = np.full((*synapse.shape_in, batch), np.nan)
    adjoint(weights, np.ascontiguousarray(dU.T).reshape(synapse.channels, -1), back)
    expected = synapse.adjoint(weights, dU)
    np.testing.assert_allclose(back.reshape(-1, batch).T, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))


@given(nets(), SEEDS, st.integers(1, 5), st.integers(1, 3))
def test_fast_step_equals_the_definition_for_any_cut(net, seed, batch, chunk):
    weights, x, target = problem(net, seed, batch)
    with worker_pool(2) as workers:
        stepper = ConvnetStepper(net, batch, workers, chunk, np.float64)
        stepper.gradient(weights, -x, target)  # what an earlier batch left behind plays no part
        assert distance(stepper.gradient(weights, x, target), convnet.gradient(net, weights, x, target)) <= 1e-12
    expected = convnet.forward(net, weights, x).Y
    np.testing.assert_allclose(stepper.Y, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(5))
def test_fast_step_in_float32_equals_the_definition_in_float64(seed):
    net = convnet.build((1, 14, 14), [(8, 2), (6, 1), (4, 2)], 5, 2)
    weights, x, target = problem(net, seed, 8, np.float32)
    with worker_pool(1) as workers:
        found = ConvnetStepper(net, 8, workers, chunk=3).gradient(weights, x, target)
    assert {array.dtype for w in found for array in w} == {np.dtype(np.float32)}
    double = [Weights(w.W.astype(float), w.b.astype(float)) for w in weights]
    assert distance(found, convnet.gradient(net, double, x.astype(float), target.astype(float))) <= 1e-5


def test_the_number_of_threads_changes_no_bit():
    net = network()
    weights, x, target = problem(net, 0, 20, np.float32)
    found = []
    for threads in (1, 3):
        with worker_pool(threads) as workers:
            found.append(flat(ConvnetStepper(net, 20, workers, chunk=3).gradient(weights, x, target)))
    np.testing.assert_array_equal(*found)


@given(nets(), SEEDS, st.integers(1, 9))
def test_outputs_do_not_depend_on_how_the_images_are_cut(net, seed, batch):
    weights, x, _ = problem(net, seed, 9)
    expected = convnet.forward(net, weights, x).Y
    with worker_pool(2) as workers:
        found = outputs(net, weights, x, workers, batch)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def bars(rng, n, side=10):
    """Noisy images of one bar, and which way it runs: horizontal or vertical."""
    x, labels = rng.normal(0, 0.2, (n, side, side)), rng.integers(0, 2, n)
    for image, label in zip(x, labels, strict=True):
        (image if label == 0 else image.T)[rng.integers(side)] += 1
    return x.reshape(n, -1), labels


def test_it_learns_which_way_a_bar_runs(rng):
    net = convnet.build((1, 10, 10), [(8, 2), (8, 1), (8, 2)], 3, 1, 2)
    weights, optimiser = convnet.init_weights(rng, net), Adamax()
    opt_state = convnet.init(optimiser, weights)
    for _ in range(150):
        x, labels = bars(rng, 16)
        slopes = convnet.gradient(net, weights, x, np.eye(2)[labels])
        weights, opt_state = convnet.update(optimiser, weights, slopes, opt_state, 3e-3)
    x, labels = bars(rng, 500)
    assert (convnet.forward(net, weights, x).Y.argmax(axis=1) != labels).mean() < 0.05


def test_a_network_without_a_stage_is_refused():
    with pytest.raises(InputError, match="stages: expected at least one, got none"):
        convnet.build((1, 28, 28), [], 7)
