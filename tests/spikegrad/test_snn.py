"""Single spiking neurons, the count of operations, and input that is refused."""

from functools import partial

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.decolle.synapse import Dense, Weights
from decolle_ref.spikegrad import ann, network, routes, snn
from decolle_ref.spikegrad import operations as ops
from decolle_ref.spikegrad.events import Spike
from decolle_ref.spikegrad.layers import IFLayer
from decolle_ref.spikegrad.snn import EventOptions
from tests.support.spikegrad import IMAGES, dyadic, dyadic_weights, learns


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
    above_routes = [routes.fan_out(k.synapse, w) for k, w in zip(net, weights, strict=True)]
    delivered = [
        sum(len(above[spike.place][0]) for spike in spikes)
        for spikes, above in zip(result.spikes[:-1], above_routes[1:], strict=True)
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
