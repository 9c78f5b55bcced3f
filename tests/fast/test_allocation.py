"""What a step allocates once its buffers exist: nothing that grows with the number of samples or weights."""

import tracemalloc

import numpy as np
import pytest

from decolle_ref.decolle import dialects
from decolle_ref.decolle.objective import LOSSES, Objective, Regulariser
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.experiments.poisson_mnist_network import Settings, build, masks, one_hot
from decolle_ref.fast import NetworkStepper, memory, spikegrad, worker_pool
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.dense import DenseStepper
from decolle_ref.fast.karatsuba import Karatsuba
from decolle_ref.spikegrad import network as if_network
from tests.support.dense import task


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


class Probe:
    """A sequence of inputs that notes the memory which was used between one and the next."""

    def __init__(self, spikes):
        self.spikes, self.peaks = spikes, []

    def __len__(self):
        return len(self.spikes)

    def __iter__(self):
        for x in self.spikes:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            yield x
            self.peaks.append(tracemalloc.get_traced_memory()[1] - before)


def dense_peak(name, loss, optimiser, activity, samples, n):
    """The bytes that a step of three layers of n neurons holds at most, once the first five are over."""
    objective, rng = Objective(loss, regulariser=Regulariser(0.1, 0.1, activity)), np.random.default_rng(0)
    case = task(rng, dialects.named(name), (n, n, n, n), (samples,), optimiser, objective, n_out=20, steps=9)
    stepper, probe = DenseStepper(case.network, case.start, case.learner), Probe(case.spikes)
    tracemalloc.start()
    stepper.run(probe, case.targets)
    tracemalloc.stop()
    return max(probe.peaks[5:])


OPTIONS = (Adamax(), "membrane"), (SGD(), "rate"), (Adamax(0.9), "rate"), (Adamax(), "rate"), (SGD(), "membrane")
DENSE = [
    (name, loss, *options)
    for name, loss, options in zip(dialects.DIALECTS, [*LOSSES.values()] * 2, OPTIONS, strict=False)
]


@pytest.fixture
def small_buffers():
    """NumPy's own buffers have a fixed number of entries, which are no concern here."""
    before = np.setbufsize(16)
    yield
    np.setbufsize(before)


@pytest.mark.parametrize(("name", "loss", "optimiser", "activity"), DENSE)
def test_a_step_of_dense_layers_allocates_nothing_that_grows(name, loss, optimiser, activity, small_buffers):
    """With twice the samples, and with four times the weights; and for a batch of one."""
    for samples in (1, 32):
        small, more_weights = (dense_peak(name, loss, optimiser, activity, samples, n) for n in (32, 64))
        assert more_weights - small < 256
    more_samples = dense_peak(name, loss, optimiser, activity, 64, 32)
    assert more_samples - small < 256
