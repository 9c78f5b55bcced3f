"""The fast path of convolutional networks against its definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decolle_ref._util.check import InputError
from decolle_ref.decolle import dialects, network
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.objective import Objective, Regulariser
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.experiments.poisson_mnist_network import Settings, build, one_hot
from decolle_ref.experiments.poisson_mnist_network import masks as mnist_masks
from decolle_ref.fast import NetworkStepper, worker_pool
from decolle_ref.fast.conv import Patches, bands, spans
from decolle_ref.fast.layer_buffers import logistic_and_slope
from tests.support.conv import OUT, layer, masks, networks, spikes, targets

TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}


def close(ours, expected, dtype, factor=1.0):
    """Equal to the tolerance of the type, relative to the largest entry."""
    scale = max(np.abs(expected).max(), np.finfo(dtype).tiny)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=factor * TOLERANCE[dtype] * scale)


@st.composite
def products(draw):
    kernel, padding = draw(st.integers(1, 5)), draw(st.integers(0, 3))
    least = max(1, kernel - 2 * padding)
    shape = (draw(st.integers(1, 9)), draw(st.integers(least, 9)), draw(st.integers(least, 9)))
    synapse = Conv2d(shape, draw(st.integers(1, 4)), kernel, draw(st.integers(1, 3)), padding)
    return synapse, np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


@given(products())
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_patches_equal_the_direct_definition(dtype, case):
    synapse, rng = case
    batch = 3
    weights = Weights(rng.normal(size=synapse.shape_W).astype(dtype), rng.normal(size=synapse.channels).astype(dtype))
    P = rng.exponential(size=(batch, synapse.n_in)).astype(dtype)
    dU = rng.normal(size=(batch, synapse.n)).astype(dtype)
    patches = Patches(synapse, synapse.shape[1:], batch, np.dtype(dtype))
    patches.load(P.T.reshape(*synapse.shape_in, batch))
    U = np.empty((synapse.channels, synapse.n // synapse.channels * batch), dtype)
    patches.drive(weights, U)
    close(U.reshape(synapse.n, batch).T, synapse.drive(weights, P), dtype)
    ours = Weights(np.empty_like(weights.W), np.empty_like(weights.b))
    patches.gradient(dU.T.reshape(synapse.channels, -1), ours)
    expected = synapse.gradient(dU, P)
    close(ours.W, expected.W, dtype)
    close(ours.b, expected.b, dtype)


@given(products(), st.data())
def test_patches_of_the_first_rows_and_columns_equal_those_of_the_definition(case, data):
    """Where a pool leaves neurons out, products are made for the others alone."""
    synapse, rng = case
    rows, columns = (data.draw(st.integers(1, side)) for side in synapse.shape[1:])
    batch = 2
    weights = Weights(rng.normal(size=synapse.shape_W), rng.normal(size=synapse.channels))
    P, dU = rng.exponential(size=(batch, synapse.n_in)), np.zeros((batch, *synapse.shape))
    dU[:, :, :rows, :columns] = rng.normal(size=(batch, synapse.channels, rows, columns))
    patches = Patches(synapse, (rows, columns), batch, np.dtype(float))
    patches.load(P.T.reshape(*synapse.shape_in, batch))
    U = np.empty((synapse.channels, rows * columns * batch))
    patches.drive(weights, U)
    whole = synapse.drive(weights, P).reshape(batch, *synapse.shape)[:, :, :rows, :columns]
    close(U.reshape(synapse.channels, rows, columns, batch), whole.transpose(1, 2, 3, 0), np.float64)
    ours = Weights(np.empty_like(weights.W), np.empty_like(weights.b))
    used = dU[:, :, :rows, :columns].transpose(1, 2, 3, 0).reshape(synapse.channels, -1)
    patches.gradient(np.ascontiguousarray(used), ours)
    close(ours.W, synapse.gradient(dU.reshape(batch, -1), P).W, np.float64)


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 4), st.integers(1, 9))
def test_spans_are_where_a_kernel_place_sees_the_image(kernel, stride, padding, side_in):
    side = max(1, (side_in + 2 * padding - kernel) // stride + 1)
    inputs = {(at, o): o * stride + at - padding for at in range(kernel) for o in range(side)}
    expected = {pair: i for pair, i in inputs.items() if 0 <= i < side_in}
    result = {}
    for at, out, image in spans(kernel, stride, padding, side_in, side):
        pairs = zip(range(side)[out], range(side_in)[image], strict=True)
        result |= {(at, o): i for o, i in pairs}
    assert result == expected


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 4), st.integers(1, 9))
def test_bands_are_the_kernel_rows_on_the_image_for_every_row_of_neurons(kernel, stride, padding, side_in):
    side = max(1, (side_in + 2 * padding - kernel) // stride + 1)
    expected = {y: [r for r in range(kernel) if 0 <= stride * y + r - padding < side_in] for y in range(side)}
    result = {}
    for out, rows, image in bands(kernel, stride, padding, side_in, side):
        for y in range(side)[out]:
            result[y] = list(range(kernel))[rows]
            assert not result[y] or image + stride * (y - out.start) == stride * y + rows.start - padding
    assert result == expected


@given(networks(strengths=(0.0, 0.5)), st.integers(1, 5), st.integers(1, 3))
@settings(max_examples=40)
def test_fast_steps_equal_the_definition_in_every_dialect(case, batch, chunk):
    """Y, S, gradients from dU and states over several steps, with pooling, dropout, refractoriness, any cut."""
    net, weights, rng = case
    state = network.rest(net, (batch,))
    with worker_pool(2) as workers:
        stepper = NetworkStepper(net, batch, workers, chunk=chunk)
        for _ in range(8):
            x, goal, mask = spikes(rng, net, batch), targets(rng, net, batch), masks(rng, net, batch)
            state, snapshots = network.step(net, weights, state, x, goal, mask)
            stepper.step(weights, x[None], goal[0], mask)
            for k, (stage, snapshot) in enumerate(zip(net, snapshots, strict=True)):
                expected = stage.synapse.gradient(snapshot.dU, snapshot.P)
                close(stepper.outputs(k)[0], snapshot.Y, np.float64)
                for ours, theirs in zip(summed(stepper, k), expected, strict=True):
                    close(ours, theirs, np.float64)


def summed(stepper, k):
    return [sum(chunks) for chunks in zip(*(layers[k].gradient for layers in stepper.buffers), strict=True)]


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_learning_fast_equals_network_run(dtype, rng):
    """Weights after 20 updates with dropout; potentials stay off the threshold by more than rounding here."""
    net, weights = zip(*(layer(rng, shape, 3, 3, 1, 1, pool, dtype=dtype) for shape, pool in SMALL), strict=True)
    learner = Learner([Weights(np.asarray(1e-3, dtype), np.asarray(1e-3, dtype))] * 2, Adamax(), lambda n: 0.99**n)
    batch = 5
    stream = [(spikes(rng, net, batch), targets(rng, net, batch), masks(rng, net, batch)) for _ in range(20)]
    inputs, goals, mask = zip(*stream, strict=True)
    start = Carry(weights, network.rest(net, (batch,)), learner.init(weights))
    run = list(network.run(net, start, inputs, goals, learner, mask))
    expected = run[-1][0]
    pairs = [pair for _, snapshots in run for pair in zip(net, snapshots, strict=True)]
    nearest = min(np.abs(network.pooled(stage, snapshot.U)).min() for stage, snapshot in pairs)
    assert nearest > 20 * np.finfo(dtype).eps  # else rounding could turn a spike
    ours = tuple(Weights(w.W.copy(), w.b.copy()) for w in weights)
    opt_state = learner.init(ours)
    with worker_pool(2) as workers:
        stepper = NetworkStepper(net, batch, workers, chunk=2)
        for n, (x, goal, m) in enumerate(stream):
            stepper.step(ours, x[None], goal[0], m)
            opt_state = stepper.update(learner, ours, opt_state, n)
    for w, theirs in zip(ours, expected.weights, strict=True):
        close(w.W, theirs.W, dtype, 100)  # 20 updates, each by a quotient g / u of rounded gradients
        close(w.b, theirs.b, dtype, 100)
    assert [m.t for pair in opt_state for m in pair] == [20] * 4


SMALL = (((1, 8, 8), 2), ((3, 4, 4), 0))


@given(networks(strengths=(0.0, 0.5)), st.integers(1, 4))
@settings(max_examples=30)
def test_many_steps_at_once_equal_step_by_step(case, steps):
    net, weights, rng = case
    batch, blocks = 3, 3
    x = np.stack([spikes(rng, net, batch) for _ in range(steps * blocks)])
    with worker_pool(1) as workers:
        single, many = NetworkStepper(net, batch, workers), NetworkStepper(net, batch, workers, steps, chunk=2)
        for first in range(0, len(x), steps):
            block = x[first : first + steps]
            many.step(weights, block)
            expected = []
            for now in block:
                single.step(weights, now[None])
                expected.append([np.concatenate([single.outputs(k)[0], single.read(k)[0]], 1) for k in range(3)])
            for k in range(3):
                ours = np.concatenate([many.outputs(k), many.read(k)], axis=2)
                close(ours, np.stack([e[k] for e in expected]), np.float64)


@pytest.mark.parametrize("dialect", ["paper", "dcll"])
def test_the_papers_network_in_float32_equals_its_definition(dialect):
    """16, 24 and 32 channels with pooling, dropout and refractoriness: gradients of all layers after ten steps."""
    model, carry = build(Settings(dialect=dialect, refractory_strength=0.3, output_layer=False))
    net, weights, rng, batch = model.network, carry.weights, np.random.default_rng(1), 3
    state = network.rest(net, (batch,))
    with worker_pool(2) as workers:
        stepper = NetworkStepper(net, batch, workers, chunk=2)
        for _ in range(10):
            x, mask = spikes(rng, net, batch, 0.05), mnist_masks(Settings().dropout, net, rng, batch)
            goal = one_hot(rng.integers(0, 10, batch))
            state, snapshots = network.step(net, weights, state, x, [goal] * 3, mask)
            stepper.step(weights, x[None], goal, mask)
    for k, (stage, snapshot) in enumerate(zip(net, snapshots, strict=True)):
        expected = stage.synapse.gradient(snapshot.dU, snapshot.P)
        assert np.abs(expected.W).max() > 0
        for ours, theirs in zip(summed(stepper, k), expected, strict=True):
            close(ours, theirs, np.float32)


def test_the_fused_logistic_is_off_by_a_few_units_in_the_last_place_of_one():
    u = np.linspace(-40, 40, 10001, dtype=np.float32)
    sigma, slope = np.empty_like(u), np.empty_like(u)
    logistic_and_slope(u, sigma, slope)
    exact = u.astype(float)
    assert np.abs(sigma - logistic.primitive(exact)).max() < 4 * np.finfo(np.float32).eps
    assert np.abs(slope - logistic.derivative(exact)).max() < 4 * np.finfo(np.float32).eps


def test_the_number_of_threads_changes_no_bit(rng):
    net, weights = zip(*(layer(rng, shape, 3, 3, 1, 1, pool) for shape, pool in SMALL), strict=True)
    x, goal = spikes(rng, net, 9), targets(rng, net, 9)[0]
    gradients = []
    for threads in (1, 3):
        with worker_pool(threads) as workers:
            stepper = NetworkStepper(net, 9, workers, chunk=2)
            for _ in range(4):
                stepper.step(weights, x[None], goal)
            gradients.append([part for k in range(2) for part in summed(stepper, k)])
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_the_fast_path_cannot_do_is_refused_in_one_line(rng):
    conv, _ = layer(rng, (1, 4, 4), 2, 3, 1, 1, 0)
    with worker_pool(1) as workers:
        with pytest.raises(InputError, match=r"fast: expected no regulariser, got one"):
            NetworkStepper([conv._replace(objective=Objective(regulariser=Regulariser(0.1)))], 1, workers)
        stepper = NetworkStepper([conv], 1, workers)
        with pytest.raises(InputError, match=r"fast: expected Adamax with beta1 = 0, got SGD\(\)"):
            stepper.update(Learner([], SGD()), (), (), 0)


def test_several_steps_at_a_time_cannot_learn_and_the_stepper_says_so(rng):
    """Four steps with one target gave a quarter of the gradients."""
    conv, weights = layer(rng, (1, 4, 4), 2, 3, 1, 1, 0)
    x, goal = np.stack([spikes(rng, [conv], 3) for _ in range(4)]), targets(rng, [conv], 3)[0]
    with worker_pool(1) as workers:
        stepper = NetworkStepper([conv], 3, workers, steps=4)
        with pytest.raises(InputError, match=r"^target: expected none while steps = 4, because .* got one$"):
            stepper.step([weights], x, goal)
        stepper.step([weights], x)
        with pytest.raises(InputError, match=r"^NetworkStepper.update: expected steps = 1, got steps = 4$"):
            stepper.update(Learner([], Adamax()), [weights], (), 0)


def test_the_stepper_refuses_shapes_that_do_not_fit_in_one_line(rng):
    conv, weights = layer(rng, (1, 4, 4), 2, 3, 1, 1, 0)
    with worker_pool(1) as workers:
        stepper = NetworkStepper([conv], 3, workers, chunk=2)
        for x in (np.ones((2, 3, 16)), np.ones((3, 16)), np.ones((1, 4, 16))):
            with pytest.raises(InputError, match=r"^spikes: expected shape \(1, 3, 16\), got "):
                stepper.step([weights], x)
        with pytest.raises(InputError, match=r"^target: expected shape \(3, 3\), got \(1, 3\)$"):
            stepper.step([weights], np.ones((1, 3, 16)), np.ones((1, OUT)))


def test_the_stepper_refuses_a_dialect_that_is_said_once(rng):
    conv, _ = layer(rng, (1, 4, 4), 2, 3, 1, 1, 0, dialects.dcll)
    with worker_pool(1) as workers, pytest.raises(InputError, match=r"^layer 2: expected lif.neuron and network.with_"):
        NetworkStepper([conv, network.with_dialect(dialects.paper, conv)], 1, workers)
