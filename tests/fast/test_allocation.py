"""What a step allocates once its buffers exist: nothing that grows with the number of samples."""

import tracemalloc

import numpy as np
import pytest

from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.experiments.poisson_mnist_network import Settings, build, masks, one_hot
from decolle_ref.fast import NetworkStepper, memory, spikegrad, worker_pool
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.karatsuba import Karatsuba
from decolle_ref.spikegrad import network as if_network


def peak(step) -> int:
    """The bytes that the third step holds at most, beyond what it found."""
    step()
    step()
    tracemalloc.start()
    step()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def training_step(batch, workers, refractory_strength):
    settings = Settings(batch=batch, output_layer=False, refractory_strength=refractory_strength)
    model, carry = build(settings)
    rng, net, learner = np.random.default_rng(0), model.network, model.learner
    x, mask = rng.random((1, batch, 784)).astype(np.float32), masks(0.5, net, rng, batch)
    target, opt_state = one_hot(rng.integers(0, 10, batch)), learner.init(carry.weights[: len(net)])
    stepper = NetworkStepper(net, batch, workers, chunk=batch)

    def step():
        stepper.step(carry.weights[: len(net)], x, target, mask)
        stepper.update(learner, carry.weights[: len(net)], opt_state, 1)

    return step


@pytest.mark.parametrize("refractory_strength", [0.0, 0.3])
def test_a_step_of_convolutions_allocates_no_array_of_neurons_and_samples(refractory_strength, monkeypatch):
    """The smallest such array has 512 neurons; what grows by less are outputs of the 10 classes."""
    monkeypatch.setattr(memory, "BLOCK", 1 << 10)
    with worker_pool(1) as workers:
        few, many = (peak(training_step(batch, workers, refractory_strength)) for batch in (16, 80))
    assert many - few < 512 * 64 * 4 / 2


@pytest.mark.parametrize("method", [Patches, Karatsuba])
def test_products_of_a_convolution_allocate_nothing_that_grows_with_the_samples(method):
    def step(batch):
        synapse = Conv2d((4, 9, 9), 8, 5, padding=2)
        weights = Weights(np.ones(synapse.shape_W), np.ones(8))
        products = method(synapse, (9, 9), batch, np.dtype(float))
        P, U = np.ones((4, 9, 9, batch)), np.ones((8, 81 * batch))

        def work():
            products.load(P)
            products.drive(weights, U)
            products.gradient(U, weights)

        return work

    assert peak(step(256)) - peak(step(64)) < 81 * 192  # bytes; NumPy's own buffers end at 8192 numbers


def test_a_step_of_spikegrad_allocates_no_array_of_neurons_and_samples(monkeypatch):
    """The smallest such array has 300 neurons; what grows by less are outputs of the 10 classes."""
    monkeypatch.setattr(memory, "BLOCK", 1 << 10)
    monkeypatch.setattr(spikegrad, "CHUNK", 80)
    net, rng = if_network.named("mnist"), np.random.default_rng(0)
    weights = if_network.init_weights(rng, net, np.float32)

    def step(batch):
        memories, x = [], rng.random((batch, 784)).astype(np.float32)
        labels = rng.integers(0, 10, batch)
        return lambda: spikegrad.step(net, weights, x, labels, 100.0, "float", memories=memories)

    assert peak(step(80)) - peak(step(16)) < 300 * 64 * 4 / 2
