"""What the hostile review reported of the core, one test per claim."""

import numpy as np
import pytest

from decolle_ref import SGD, Adamax, Carry, Dense, InputError, Layer, Learner, Weights, gradcheck, lif, network, readout
from decolle_ref import surrogate as surrogates
from decolle_ref.credit import spike_time
from decolle_ref.spikegrad import ann

F4 = np.dtype(np.float32)


def float32_network():
    rng, neuron = np.random.default_rng(0), lif.neuron(dtype=F4)
    layers = (Layer(Dense(4, 3), neuron, readout.sample_readout(rng, 3, 2, dtype=F4)),)
    return layers, (layers[0].synapse.init_weights(rng, neuron),)


@pytest.mark.parametrize("optimiser", [SGD(), Adamax()])
def test_rates_of_float64_leave_a_float32_network_in_float32(optimiser):
    layers, weights = float32_network()
    teacher = Learner([Weights(np.array(0.1), np.array(0.1))], optimiser, schedule=lambda n: np.float64(0.5))
    start = Carry(weights, network.rest(layers), teacher.init(weights))
    for carry, snapshots in network.run(layers, start, np.ones((5, 4)), [[np.ones(2)]] * 5, teacher):
        arrays = (*carry.weights[0], *carry.state[0], *snapshots[0])
        assert {x.dtype for x in arrays} == {F4}


def test_a_state_of_another_float_type_is_refused():
    layers, weights = float32_network()
    state = tuple(lif.State(*(x.astype(float) for x in s)) for s in network.rest(layers))
    with pytest.raises(InputError, match=r"^layer 1 P: expected float32, .*got float64$"):
        next(network.run(layers, Carry(weights, state), np.ones((1, 4))))


def test_numbers_must_be_finite_after_the_cast():
    layers, weights = float32_network()
    with pytest.raises(InputError, match=r"^delta as float32: expected finite numbers, got inf$"):
        lif.neuron(w=1e300, dtype=F4)
    with pytest.raises(InputError, match=r"^spikes at step 0 as float32: expected finite numbers, got inf"):
        next(network.run(layers, Carry(weights, network.rest(layers)), np.full((1, 4), 1e300)))
    with pytest.raises(InputError, match=r"^G as float32: expected finite numbers"):
        readout.sample_readout(np.random.default_rng(0), 3, 2, amplitude=1e300, dtype=F4)


@pytest.mark.parametrize("n", [-1, 0.5])
@pytest.mark.parametrize("field", ["n", "updates"])
def test_a_carry_counts_whole_steps(field, n):
    layers, weights = float32_network()
    start = Carry(weights, network.rest(layers))._replace(**{field: n})
    with pytest.raises(InputError, match=rf"^{field}: expected an integer >= 0, got {n}$"):
        next(network.run(layers, start, np.ones((1, 4))))


@pytest.mark.parametrize("size", [3, 5000])
@pytest.mark.parametrize("spike", [surrogates.at_threshold, surrogates.above_threshold])
def test_a_spike_function_keeps_nan_in_arrays_of_every_size(spike, size):
    u = np.linspace(-1, 1, size)
    u[1] = np.nan
    assert np.isnan(spike(u)[1]) and np.array_equal(np.delete(spike(u), 1), np.delete(u, 1) >= 0)


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_outside_the_classes_is_refused(label):
    expected = rf"expected integers from 0 to 1, got {label}$"
    with pytest.raises(InputError, match=rf"^labels: {expected}"):
        ann.cross_entropy(np.zeros((1, 2)), np.array([label]))
    with pytest.raises(InputError, match=rf"^target: {expected}"):
        spike_time.loss(np.ones((1, 2)), np.array([label]))


@pytest.mark.parametrize(
    "f, method", [(lambda x: (1e-300 * x).sum(), "complex_step"), (lambda x: 1e20 + x.sum(), "central")]
)
def test_the_checker_cannot_tell_what_underflows_or_is_rounded_away(f, method):
    report = gradcheck.check(f, np.zeros(2), np.ones(2), method)
    assert not report and "cannot tell" in str(report)


def test_the_checker_refuses_a_point_without_entries():
    with pytest.raises(InputError, match=r"^x: expected at least one entry, got shape \(0,\)$"):
        gradcheck.check(np.sum, np.zeros(0), np.zeros(0))


def test_a_flat_function_has_the_gradient_zero():
    assert gradcheck.check(lambda x: 0 * x.sum(), np.zeros(2), np.ones(2))
