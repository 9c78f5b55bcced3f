"""Convolutions and decays per input in `rescale`."""

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.decolle import lif, network, readout
from decolle_ref.decolle.dialects import dcll, decolle_base, decolle_nonorm, paper
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.rescale import rescale, shift
from decolle_ref.decolle.synapse import Conv2d, Weights
from tests.support.dialects import EACH, recorded


def conv_stack(rng, shape_in=(2, 5, 4), per_channel=True):
    """A lively convolution of the paper's dialect whose decays differ by input channel, or by input."""
    synapse = Conv2d(shape_in, 3, 3, padding=1)
    tau = lif.sample_time_constants(rng, shape_in[0] if per_channel else synapse.n_in)
    tau = [np.repeat(t, shape_in[1] * shape_in[2]) for t in tau] if per_channel else tau
    neuron = lif.neuron(*tau, w=rng.uniform(0.5, 2, synapse.n))
    weights = synapse.init_weights(rng, neuron, scale=10.0)
    layer = Layer(synapse, neuron, readout.sample_readout(rng, synapse.n, 2))
    return layer, Weights(weights.W, -np.abs(weights.b))


@EACH
def test_a_convolution_with_decays_per_channel_maps_exactly(dialect, rng):
    layer, weights = conv_stack(rng)
    twin = rescale(layer.neuron, weights, paper, dialect)
    other = network.with_dialect(dialect, layer._replace(neuron=twin.neuron))
    spikes = rng.random((50, layer.synapse.n_in)) < 0.3
    ((U, S),) = recorded([layer], [weights], spikes)
    ((V, Z),) = recorded([other], [twin.weights], spikes)
    later = shift(1, paper, dialect)
    np.testing.assert_allclose(V[: 50 - later], U[later:], rtol=0, atol=1e-12 * np.abs(U).max())
    assert S.sum() > 10 and Z.sum() > 10
    np.testing.assert_array_equal(twin.weights.W, weights.W * twin.ratio)


@pytest.mark.parametrize("shape_in", [(2, 5, 4), (1, 1, 3)], ids=["other sizes", "n_in equal to the kernel"])
def test_a_convolution_with_decays_per_input_has_no_map_between_gains_and_the_axis_is_named(shape_in, rng):
    layer, weights = conv_stack(rng, shape_in, per_channel=False)
    with pytest.raises(InputError, match=r"^rescale: .* paper and dcll, which differ in gains one and inverse$"):
        rescale(layer.neuron, weights, paper, dcll)
    same_gains = rescale(layer.neuron, weights, paper, decolle_nonorm)
    np.testing.assert_array_equal(same_gains.weights.W, weights.W)


def test_dialects_with_the_same_gains_keep_them_in_float32_too(rng):
    neuron = lif.neuron(*lif.sample_time_constants(rng, 40), dtype=np.float32, dialect=dcll)
    twin = rescale(neuron, Weights(np.ones((1, 40), np.float32), np.zeros(1, np.float32)), dcll, decolle_base)
    np.testing.assert_array_equal(twin.ratio, 1)


def test_decays_that_do_not_fit_the_weights_are_refused_by_rescale():
    neuron = lif.neuron(tau_mem=np.full(3, 0.02))
    for W in (np.ones((2, 4)), np.ones((2, 4, 3, 3))):
        with pytest.raises(InputError, match=r"^rescale: expected one decay.* 4 .*, got 3$"):
            rescale(neuron, Weights(W, np.zeros(2)), paper, dcll)
