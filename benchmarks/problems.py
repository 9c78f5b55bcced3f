"""The problems: networks, inputs and targets, as arrays of NumPy in float32."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref import fast
from decolle_ref._util.check import Array
from decolle_ref.decolle import lif, network, readout
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Layer, Network
from decolle_ref.decolle.objective import Objective, smooth_l1
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from decolle_ref.experiments import dvsgesture, event_network, poisson_mnist_network
from decolle_ref.experiments.event_network import EventSettings
from decolle_ref.fast.workers import CHUNK
from decolle_ref.spikegrad import network as spikegrad
from decolle_ref.spikegrad.layers import IFNetwork

CHANNELS, OUTPUTS, BURN_IN = 100, 10, 50
SCALE, BIAS = (16.0, 16.0, 16.0), -0.5  # initial weights: a few percent of the neurons of every layer spike
LEARNING_RATE = 1e-3  # per unit of normalised trace


class Result(NamedTuple):
    """What a block computed: Y of every layer, (steps, batch, n_out), and the weights or gradients after it."""

    Y: list[Array]
    arrays: list[Array]


Program = Callable[[], Result]
"""Makes all steps of a problem, each time from the same start."""


class Learning(NamedTuple):
    """A network that learns at every step.

    Attributes
    ----------
    network, start, learner : as `network.run` reads them
    spikes : array of shape (steps, batch, n_in)
    targets : array of shape (steps, batch, n_out)
        The same for all layers.
    chunk : int
        Samples of a convolution that one thread works on at a time.
    """

    network: Network
    start: Carry
    learner: Learner
    spikes: Array
    targets: Array
    chunk: int = CHUNK

    @property
    def rates(self) -> list[float]:
        """The learning rates of W, b, W, b, ... of all layers."""
        return [float(rate) for layer in self.learner.learning_rates for rate in layer]


class Evaluation(NamedTuple):
    """A network with fixed weights: spikes of shape (steps, batch, n_in)."""

    network: Network
    weights: tuple[Weights, ...]
    spikes: Array


class Images(NamedTuple):
    """A mini-batch of images for SpikeGrad: x of shape (batch, n_in), labels of shape (batch,)."""

    network: IFNetwork
    weights: tuple[Weights, ...]
    x: Array
    labels: Array
    alpha: float = 400.0


Problem = Learning | Evaluation | Images


def dense(n: int, batch: int, steps: int, density: float = 0.05) -> Learning:
    """Three dense layers of n neurons in the paper's dialect, 100 inputs, 10 outputs per layer, after a burn-in."""
    rng = np.random.default_rng(0)
    net, weights = _dense_layers(rng, CHANNELS, n, shared=False)
    rates = [Weights(np.float32(LEARNING_RATE / _gain(layer)), np.float32(LEARNING_RATE)) for layer in net]
    learner = Learner(rates)
    before, spikes = np.split(_spikes(rng, density, BURN_IN + steps, batch, CHANNELS), [BURN_IN])
    state, _ = fast.evaluate(net, weights, before)
    start = Carry(weights, state, learner.init(weights), BURN_IN)
    return Learning(net, start, learner, spikes, _targets(rng, steps, batch))


def fixed(n: int, batch: int, steps: int, shared: bool, density: float = 0.02) -> Evaluation:
    """Three dense layers of n inputs and n neurons, with one time constant per layer (`shared`) or per input."""
    rng = np.random.default_rng(0)
    net, weights = _dense_layers(rng, n, n, shared)
    return Evaluation(net, weights, _spikes(rng, density, steps, batch, n))


def mnist(batch: int, steps: int) -> Learning:
    """The convolutions of the Poisson MNIST experiment."""
    model, start = poisson_mnist_network.build(poisson_mnist_network.Settings(output_layer=False))
    rng = np.random.default_rng(0)
    spikes = _spikes(rng, 0.02, steps, batch, model.network[0].synapse.n_in)
    start = _resting(start, model.network, batch)
    return Learning(model.network, start, model.learner, spikes, _targets(rng, steps, batch))


def mnist_fixed(batch: int, steps: int) -> Evaluation:
    """The same network with fixed weights."""
    problem = mnist(batch, steps)
    return Evaluation(problem.network, problem.start.weights, problem.spikes)


def table_2(batch: int, steps: int, width: float = 1.0) -> Learning:
    """The network of [K20 Table 2] on random events at the rate of a DvsGesture clip: 80 per sample and step."""
    net, learner, start = event_network.build(EventSettings(width=width), OUTPUTS)
    rng, n_in = np.random.default_rng(0), net[0].synapse.n_in
    spikes = rng.poisson(80 / n_in, (steps, batch, n_in)).astype(np.float32)
    start = _resting(start, net, batch)
    return Learning(net, start, learner, spikes, _targets(rng, steps, batch), dvsgesture.CHUNK)


def images(name: str, width: float, batch: int) -> Images:
    """Random images for a SpikeGrad network at the start of training, where every sample has error spikes."""
    rng, net = np.random.default_rng(0), spikegrad.named(name, width=width)
    # multiples of 1 / 256, so that no sum is rounded and all routes make the same spikes
    weights = tuple(
        Weights(np.asarray(np.rint(256 * w.W) / 256), w.b) for w in spikegrad.init_weights(rng, net, np.float32)
    )
    x = rng.integers(0, 256, (batch, net[0].synapse.n_in)).astype(np.float32) / 256
    return Images(net, weights, x, rng.integers(0, 10, batch))


def flops(problem: Learning) -> float:
    """Floating-point operations of the matrix products of one step: 2 for every weight that a product applies.

    W P and the gradient dU P^T, G sigma(U) and G^T dY; all else, such as Adamax, is not counted.
    """
    batch = problem.spikes.shape[1]
    return float(sum(4 * batch * (_connections(layer) + layer.readout.G.size) for layer in problem.network))


def _connections(layer: Layer) -> int:
    synapse = layer.synapse
    if isinstance(synapse, Conv2d):
        return synapse.n * synapse.shape_in[0] * synapse.kernel**2
    return synapse.n * synapse.n_in


def _dense_layers(rng: np.random.Generator, n_in: int, n: int, shared: bool) -> tuple[Network, tuple[Weights, ...]]:
    net: list[Layer] = []
    weights: list[Weights] = []
    for scale in SCALE:
        tau_mem, tau_syn = lif.sample_time_constants(rng, 1 if shared else n_in)
        neuron = lif.neuron(tau_mem, tau_syn, dtype=np.float32)
        G = readout.sample_readout(rng, n, OUTPUTS, dtype=np.float32)
        net.append(Layer(Dense(n_in, n), neuron, G, objective=Objective(smooth_l1, "mean")))
        weights.append(net[-1].synapse.init_weights(rng, neuron, scale, bias=BIAS))
        n_in = n
    return tuple(net), tuple(weights)


def _resting(start: Carry, net: Network, batch: int) -> Carry:
    """The start of a new sequence, without the weights that belong to no layer of the network."""
    n = len(net)
    return Carry(start.weights[:n], network.rest(net, (batch,)), start.opt_state[:n])


def _gain(layer: Layer) -> float:
    return float(np.mean(lif.trace_gain(layer.neuron)))


def _spikes(rng: np.random.Generator, density: float, *shape: int) -> Array:
    return (rng.random(shape) < density).astype(np.float32)


def _targets(rng: np.random.Generator, steps: int, batch: int) -> Array:
    return rng.random((steps, batch, OUTPUTS), np.float32)


def flat(weights: Sequence[Weights]) -> list[Array]:
    """W, b, W, b, ... of all layers."""
    return [array for layer in weights for array in layer]
