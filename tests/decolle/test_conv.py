"""Convolution, pooling and dropout: definitions, and the gradients of whole networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from decolle_ref import gradcheck
from decolle_ref._util.check import InputError
from decolle_ref.decolle import lif, network, readout, rule
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from tests.support.conv import masks, networks, spikes, targets

sizes = st.integers(1, 4)


@st.composite
def convolutions(draw):
    kernel, padding = draw(sizes), draw(st.integers(0, 2))
    least = max(1, kernel - 2 * padding)
    shape = (draw(sizes), draw(st.integers(least, 7)), draw(st.integers(least, 7)))
    synapse = Conv2d(shape, draw(sizes), kernel, draw(st.integers(1, 3)), padding)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return synapse, Weights(rng.normal(size=synapse.shape_W), rng.normal(size=synapse.channels)), rng


@given(convolutions())
def test_the_drive_is_scipys_correlation_of_every_padded_channel(case):
    synapse, (W, b), rng = case
    P = rng.normal(size=(2, *synapse.shape_in))
    pad = synapse.padding
    padded = np.pad(P, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    expected = np.array([[correlate(image, kernel, "valid")[0] for kernel in W] for image in padded])
    expected = expected[..., :: synapse.stride, :: synapse.stride] + b[:, None, None]
    got = synapse.drive(Weights(W, b), P.reshape(2, -1))
    terms = np.prod(synapse.shape_W[1:]) + 2  # rounding errors of a sum of so many terms
    bound = terms * np.finfo(float).eps * (np.abs(W).sum(axis=(1, 2, 3)).max() * np.abs(P).max() + np.abs(b).max())
    np.testing.assert_allclose(got, expected.reshape(2, -1), rtol=0, atol=2 * bound)


@given(convolutions())
def test_gradient_is_the_adjoint_of_the_drive(case):
    """<dU, drive(dW, db; P)> = <gradient(dU, P), (dW, db)>, because the drive is linear in the weights."""
    synapse, weights, rng = case
    P, dU = rng.normal(size=(2, 3, synapse.n_in)), rng.normal(size=(2, 3, synapse.n))
    got = synapse.gradient(dU, P)
    forward = (dU * synapse.drive(weights, P)).sum()
    back = (got.W * weights.W).sum() + (got.b * weights.b).sum()
    scale = (np.abs(dU) * synapse.drive(Weights(np.abs(weights.W), np.abs(weights.b)), np.abs(P))).sum()
    assert abs(forward - back) <= 1e-13 * scale


@given(sizes, sizes, st.integers(0, 2**32 - 1))
def test_a_kernel_as_large_as_the_image_is_a_dense_layer(n, side, seed):
    rng = np.random.default_rng(seed)
    conv, dense = Conv2d((2, side, side), n, side), Dense(2 * side**2, n)
    W, b, P = rng.normal(size=conv.shape_W), rng.normal(size=n), rng.normal(size=(3, dense.n_in))
    dense_weights = Weights(W.reshape(n, -1), b)
    np.testing.assert_allclose(conv.drive(Weights(W, b), P), dense.drive(dense_weights, P), rtol=1e-12, atol=1e-12)


@given(networks(strengths=(0.0, 0.5)))
@settings(max_examples=25)
def test_update_of_three_convolutional_layers_is_the_exact_gradient_entry_by_entry(case):
    """Through pooling and dropout, in every dialect and for every loss; W and b of each layer, by complex step."""
    net, weights, rng = case
    batch = 2
    inputs = [spikes(rng, net, batch) for _ in range(6)]
    *_, (carry, _) = network.run(net, Carry(weights, network.rest(net, (batch,))), inputs)  # activity reaches the top
    mask, goal = masks(rng, net, batch), targets(rng, net, batch)
    _, snapshots = network.step(net, weights, carry.state, inputs[0], goal, mask)
    for layer, w, snapshot, m in zip(net, weights, snapshots, mask, strict=True):
        gradient = rule.gradient(layer.synapse, snapshot.dU, snapshot.P)
        constants = (layer, snapshot, m)
        by_W = gradcheck.check(lambda W, w=w, f=constants: descended(f, Weights(W, w.b)), gradient.W, w.W)
        by_b = gradcheck.check(lambda b, w=w, f=constants: descended(f, Weights(w.W, b)), gradient.b, w.b)
        assert by_W, str(by_W)
        assert by_b, str(by_b)
        if layer.activity == "primitive":  # then it is the gradient of the local loss itself
            loss = lambda W, f=constants, w=w, t=goal[0]: local(f, Weights(W, w.b), t)  # noqa: E731
            assert gradcheck.check(loss, gradient.W, w.W)


def local(constants, weights, target):
    """The layer's loss, with P, R and dropout held constant."""
    layer, snapshot, mask = constants
    return network.local_loss(layer, weights, snapshot.P, snapshot.R, target, mask)


def descended(constants, weights):
    """The function that the layer descends, with P, R, dY and dropout held constant."""
    layer, snapshot, mask = constants
    return network.frozen_error_loss(layer, weights, snapshot.P, snapshot.R, snapshot.dY, mask)


def test_the_gradient_is_that_of_the_local_loss_by_finite_differences_too(rng):
    synapse = Conv2d((2, 6, 6), 3, 3, padding=1)
    pool = MaxPool(synapse.shape, 2)
    layer = Layer(synapse, lif.neuron(), readout.sample_readout(rng, pool.n, 4, 2.0), pool=pool)
    weights = synapse.init_weights(rng, layer.neuron, 3.0)
    P, target = rng.exponential(1, (2, synapse.n_in)), rng.normal(size=(2, 4))
    mask = readout.sample_mask(rng, 0.5, "activity", (2, pool.n))
    state = lif.State(P, np.zeros_like(P), np.zeros((2, synapse.n)))
    _, snapshot = network.forward(layer, weights, state, np.zeros_like(P), mask)
    gradient = rule.gradient(synapse, network.local_gradients(layer, snapshot, target, mask).dU, P)
    loss = lambda W: network.local_loss(layer, Weights(W, weights.b), P, snapshot.R, target, mask)  # noqa: E731
    assert gradcheck.check(loss, gradient.W, weights.W, "central")
    loss_of_b = lambda b: network.local_loss(layer, Weights(weights.W, b), P, snapshot.R, target, mask)  # noqa: E731
    assert gradcheck.check(loss_of_b, gradient.b, weights.b, "central")


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_pick_takes_the_largest_of_each_window_and_route_is_its_adjoint(channels, size, seed):
    rng = np.random.default_rng(seed)
    pool = MaxPool((channels, size + 2, 2 * size + 1), size)
    x = rng.integers(-3, 3, (2, pool.n_in)).astype(float)
    winners = pool.winners(x)
    rows, columns = pool.shape_out[1:]
    tiles = x.reshape(2, *pool.shape)[:, :, : rows * size, : columns * size]
    expected = tiles.reshape(2, channels, rows, size, columns, size).max(axis=(3, 5))
    np.testing.assert_array_equal(pool.pick(x, winners), expected.reshape(2, -1))
    dU = rng.normal(size=(2, pool.n))
    assert (dU * pool.pick(x, winners)).sum() == pytest.approx((pool.route(dU, winners) * x).sum(), rel=1e-12)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex128])
def test_pick_and_route_keep_the_kind_of_number(kind):
    pool, x = MaxPool((1, 2, 4), 2), np.arange(8).astype(kind)
    picked = pool.pick(x, pool.winners(x))
    routed = pool.route(picked, pool.winners(x))
    assert picked.tolist() == [5, 7] and routed.tolist() == [0, 0, 0, 0, 0, 5, 0, 7]
    assert picked.dtype == routed.dtype == kind


def test_of_equal_entries_the_first_in_reading_order_wins():
    pool = MaxPool((1, 2, 4), 2)
    assert pool.winners(np.zeros(8)).tolist() == [0, 2]
    assert pool.winners(np.array([0, 1, 0, 0, 1, 1, 0, 2.0])).tolist() == [1, 7]


@given(networks(layers=1))
def test_pooled_layers_transmit_and_read_the_largest_potential_of_each_window(case):
    """max over S and over sigma(U) is Theta and sigma of the largest U: neither function ever falls."""
    (layer,), (w,), rng = case
    state = network.rest([layer], (2,))[0]
    P = rng.exponential(1, state.P.shape)
    _, snapshot = network.forward(layer, w, state._replace(P=P), np.zeros_like(P))
    if layer.pool is not None:
        winners = layer.pool.winners(snapshot.U)
        unpooled = layer.surrogate.spike(snapshot.U), layer.surrogate.primitive(snapshot.U)
        np.testing.assert_array_equal(snapshot.S, layer.pool.pick(unpooled[0], layer.pool.winners(unpooled[0])))
        largest = layer.pool.pick(unpooled[1], layer.pool.winners(unpooled[1]))
        np.testing.assert_array_equal(layer.surrogate.primitive(layer.pool.pick(snapshot.U, winners)), largest)


@given(st.floats(0, 0.9), st.sampled_from(readout.Mask._fields), st.integers(0, 2**32 - 1))
def test_dropout_keeps_the_mean_of_what_it_masks(p, place, seed):
    mask = getattr(readout.sample_mask(np.random.default_rng(seed), p, place, (100, 100)), place)
    share = 1 - round(256 * p) / 256
    assert set(np.unique(mask)) <= {0, 1 / share}
    assert abs((mask > 0).mean() - share) <= 6 * np.sqrt(share * (1 - share) / mask.size)


def test_without_dropout_a_mask_changes_nothing(rng):
    G = readout.sample_readout(rng, 5, 2)
    activity, dY = rng.normal(size=(3, 5)), rng.normal(size=(3, 2))
    ones = readout.Mask(np.ones((3, 5)), np.ones((3, 2)))
    np.testing.assert_array_equal(readout.output(G, activity, ones), readout.output(G, activity))
    np.testing.assert_array_equal(readout.local_error(G, dY, ones), readout.local_error(G, dY))


def test_shapes_that_do_not_fit_are_refused_in_one_line(rng):
    with pytest.raises(InputError, match=r"kernel: expected at most 4, the side of the padded image, got 5"):
        Conv2d((1, 2, 3), 1, 5, padding=1)
    with pytest.raises(InputError, match=r"shape_in: expected \(channels, height, width\), got \(1, 28\)"):
        Conv2d((1, 28), 2, 3)
    with pytest.raises(InputError, match=r"shape channels: expected an integer >= 1, got 0"):
        MaxPool((0, 4, 4), 2)
    with pytest.raises(InputError, match=r"size: expected at most 2, the side of the image, got 3"):
        MaxPool((1, 2, 3), 3)
    conv = Conv2d((1, 4, 4), 2, 3)
    wrong = Layer(conv, lif.neuron(), readout.sample_readout(rng, 1, 1), pool=MaxPool((1, 2, 2), 2))
    weights = conv.init_weights(rng, wrong.neuron)
    with pytest.raises(InputError, match=r"layer 1 pool: expected 8 neurons, got 4"):
        network.validate([wrong], [weights])
    with pytest.raises(InputError, match=r"layer 1 W: expected shape \(2, 1, 3, 3\), got \(2, 1, 3, 2\)"):
        network.validate([wrong._replace(pool=None)], [Weights(weights.W[..., :2], weights.b)])
    with pytest.raises(InputError, match=r"place: expected one of activity, Y, got 'before_G'"):
        readout.sample_mask(rng, 0.5, "before_G", (1, 1))
