from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from decolle_ref._util.check import InputError
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from decolle_ref.fast import spikegrad as fast
from decolle_ref.spikegrad import ann, network, snn
from decolle_ref.spikegrad import operations as ops
from decolle_ref.spikegrad.events import Spike
from decolle_ref.spikegrad.layers import AveragePool, IFLayer
from decolle_ref.spikegrad.snn import EventOptions

DENSE = ((Dense(3, 4), Dense(4, 3), Dense(3, 2)), (Dense(4, 5), Dense(5, 3)), (Dense(2, 3),))
IMAGES = (
    (Conv2d((1, 5, 5), 2, 2), AveragePool((2, 4, 4)), Conv2d((2, 2, 2), 2, 2, padding=1), Dense(18, 3)),
    (Conv2d((2, 4, 4), 1, 3, padding=1), AveragePool((1, 4, 4)), Dense(4, 2)),
    (AveragePool((1, 4, 2)), Conv2d((1, 2, 1), 3, 1), Dense(6, 2)),
)
SYNAPSES = {repr(synapse): synapse for stack in DENSE + IMAGES for synapse in stack}
GRID = 4  # weights are multiples of 1 / 4, so that arithmetic is exact and ties with the thresholds abound

seeds = st.integers(0, 2**32 - 1)
orders = st.sampled_from(("fifo", "lifo", "random"))


def dyadic(rng, shape, reach):
    return rng.integers(-reach, reach, shape, endpoint=True) / GRID


def learns(synapse):
    return not isinstance(synapse, AveragePool)


def dyadic_weights(rng, stack):
    shapes = [synapse.shapes for synapse in stack]
    return [
        Weights(dyadic(rng, W, 5), dyadic(rng, b, 4)) if learns(synapse) else synapse.weights()
        for synapse, (W, b) in zip(stack, shapes, strict=True)
    ]


def problem(rng, stack, linear=False):
    """A network of dyadic weights and thresholds, an input of whole numbers, and an error for its top layer."""
    thresholds = 2.0 ** rng.integers(-1, 2, (len(stack), 2))
    relu = [learns(synapse) and not linear and rng.random() < 0.7 for synapse in stack]
    net = [IFLayer(m, bool(r), *map(float, theta)) for m, r, theta in zip(stack, relu, thresholds, strict=True)]
    return net, dyadic_weights(rng, stack), dyadic(rng, stack[0].n_in, 2 * GRID) // 1, dyadic(rng, stack[-1].n, 8)


def both_phases(net, weights, x, U, options, spiking_input=False):
    result = snn.forward(net, weights, x, options, spiking_input)
    errors = snn.backward(net, weights, result, U, options)
    return result, errors, snn.increments(net, x, result, errors)


def all_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


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


def chain(*layers):
    """Neurons one after the other, a single synapse each: (w, b, relu) -> network, weights."""
    net = [IFLayer(Dense(1, 1), relu) for _, _, relu in layers]
    return net, [Weights(np.array([[w]], float), np.array([b], float)) for w, b, _ in layers]


@pytest.mark.parametrize(
    ("drive", "nearest", "floor", "ceil"),
    [(0.5, 1, 0, 1), (-0.5, -1, -1, 0), (1.5, 2, 1, 2), (-1.5, -2, -2, -1), (2.25, 2, 2, 3), (-2.75, -3, -3, -2)],
)
def test_ties_are_rounded_away_from_zero_also_when_spikes_came_first(drive, nearest, floor, ceil):
    """Spikes beyond the total arrive first and are taken back: V ends at a tie on the far side."""
    detour = 3 * np.sign(drive)
    net = [IFLayer(Dense(2, 1), False), IFLayer(Dense(1, 1), False)]
    weights = [Weights(np.array([[detour, drive - detour]]), np.zeros(1)), Weights(np.ones((1, 1)), np.zeros(1))]
    for residual, total in (("nearest", nearest), ("floor", floor), ("ceil", ceil)):
        result = snn.forward(net, weights, np.ones(2), EventOptions(residual=residual), spiking_input=True)
        assert result.totals[0] == total


def test_a_neuron_fires_until_it_is_below_threshold_from_its_bias_too():
    net, weights = chain((5.25, 3, True), (1, 0, False))
    result = snn.forward(net, weights, np.ones(1), EventOptions(residual=None), spiking_input=True)
    assert result.totals[0] == 8 and result.V[0] == 0.25
    assert result.spikes[0] == [Spike(0, 0, 1)] * 8


def test_a_relu_neuron_takes_back_spikes_but_never_goes_below_zero():
    net, weights = chain((1, 0, True), (1, 0, False))
    weights[0] = Weights(np.array([[2.0, -5.0]]), np.zeros(1))
    net[0] = IFLayer(Dense(2, 1), True)
    result = snn.forward(net, weights, np.ones(2), spiking_input=True)
    assert [spike.sign for spike in result.spikes[0]] == [1, 1, -1, -1]
    assert result.totals[0] == 0 and result.V[0] == -3


def test_the_derivative_looks_at_the_sum_before_rounding():
    """z = 1/4 gives no spike, yet S' = 1.  [T19 Eq. 5]"""
    net, weights = chain((0.25, 0, True), (1, 0, False))
    result = snn.forward(net, weights, np.ones(1))
    (response, _) = ann.forward(net, weights, np.ones((1, 1)))
    assert result.totals[0] == response.S == 0
    assert snn.derivative(net, result)[0].all() and ann.derivative(net[0], response).all()


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


def test_synaptic_operations_count_every_delivery(rng):
    """Where all spikes of a neuron have one sign, as many targets are updated as the totals say."""
    stack = IMAGES[0]
    net = [IFLayer(synapse, learns(synapse)) for synapse in stack]
    weights = [
        Weights(np.abs(w.W) + 0.25 * learns(synapse), np.abs(w.b))
        for synapse, w in zip(stack, dyadic_weights(rng, stack), strict=True)
    ]
    x = np.abs(dyadic(rng, 25, 8))
    result = snn.forward(net, weights, x)
    routes = [snn.fan_out(k.synapse, w) for k, w in zip(net, weights, strict=True)]
    delivered = [
        sum(len(above[spike.place][0]) for spike in spikes)
        for spikes, above in zip(result.spikes[:-1], routes[1:], strict=True)
    ]
    fans = [ops.count_fans(layer) for layer in net]
    counts = ops.operations(fans, [S[None] for S in result.totals], [np.ones((1, k.synapse.n)) for k in net])
    np.testing.assert_array_equal(counts.forward, delivered)
    np.testing.assert_array_equal(counts.backward, ops.macs(net))  # one error spike from each neuron
    assert ops.relative_operations(net, counts.backward) == 1
    spikes = ops.count_spikes(net, weights, x, np.zeros(net[-1].synapse.n))
    assert spikes["forward"]["spikes"] == spikes["forward"]["totals"] == sum(map(len, result.spikes))
    assert spikes["backward"]["spikes"] == spikes["backward"]["totals"] == 0


def test_an_exploding_number_of_spikes_is_bounded_and_says_so():
    net, weights = chain(*[(100, 0, True)] * 4, (1, 0, False))
    with pytest.raises(
        InputError, match=r"forward phase: expected at most 5000 spikes \(limit\), got more, .* layer 2 of 5"
    ):
        snn.forward(net, weights, np.ones(1), EventOptions(limit=5000))
    result = snn.forward(net, weights, np.zeros(1))
    with pytest.raises(InputError, match=r"backward phase: expected at most 10 spikes \(limit\)"):
        snn.backward(net, weights, result, np.array([1e300]), EventOptions(limit=10))


two = partial(chain, (1, 0, True), (1, 0, False))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: IFLayer(Dense(1, 1), theta_ff=0), "theta_ff: expected finite numbers > 0, got 0"),
        (lambda: IFLayer(Dense(1, 1), theta_bp=-1.0), "theta_bp: expected finite numbers > 0, got -1.0"),
        (lambda: snn.forward(*two(), np.array([np.nan])), "x: expected finite numbers, got nan"),
        (lambda: snn.forward(*two(), np.ones(2)), r"x: expected shape \(1,\), got \(2,\)"),
        (lambda: snn.forward(*two(), np.array([0.5]), spiking_input=True), "expected whole numbers of input spikes"),
        (lambda: snn.forward(*two(), np.ones(1), EventOptions("random")), "rng: expected a numpy Generator"),
        (
            lambda: snn.forward(*two(), np.ones(1), EventOptions("up")),
            "order: expected one of fifo, lifo, random, got 'up'",
        ),
        (
            lambda: snn.forward(*two(), np.ones(1), EventOptions(residual="up")),
            "residual: expected one of nearest, floor",
        ),
        (lambda: snn.forward(two()[0], two()[1][:1], np.ones(1)), "expected weights for 2 layers, got 1"),
        (lambda: snn.forward(two()[0], [two()[1][0]._replace(b=np.ones(2))] * 2, np.ones(1)), "layer 1 b: expected sh"),
        (lambda: network.named("imagenet"), "topology: expected one of mnist, cifar10, got 'imagenet'"),
        (lambda: network.parse("28x28"), "topology: expected one like 28x28-15C5-P2-300-10, got 28x28"),
        (lambda: network.parse("28x28-15D5-10"), "expected parts like 15C5, P2 or 300, dense ones last, got 15D5"),
        (lambda: network.parse("28x28-10-P2"), "expected parts like 15C5, P2 or 300, dense ones last, got P2"),
        (lambda: network.parse("4x4-3C5-10"), "expected a window that fits"),
        (lambda: network.parse("5x5-P2-10"), "pooling: expected sides in multiples of 2"),
        (lambda: network.parse("5x5-0"), "size of a layer: expected an integer >= 1, got 0"),
        (lambda: network.validate([IFLayer(Dense(1, 2)), *two()[0]], two()[1]), r"expected inputs of shape \(2,\)"),
    ],
)
def test_bad_input_is_refused_in_one_line(wrong, message):
    with pytest.raises(InputError, match=message) as problem:
        wrong()
    assert "\n" not in str(problem.value)
