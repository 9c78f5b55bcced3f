"""The convolutional DECOLLE network of the Poisson MNIST experiment.  [K20 Sec. 4.2]

Three layers of 16, 24 and 32 channels, 7x7, padding 2, pooling 2, 1, 2, each with its own random readout of ten
classes, smooth L1 and Adamax.  On top there may be a linear layer, trained by the same loss, with the same input as the
readout of the third layer ("one additional fully connected layer without spiking neuron dynamics").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from decolle_ref import fast
from decolle_ref._util.check import Array, InputError, count
from decolle_ref.data.encode import poisson_steps
from decolle_ref.decolle import convnet, dialects, lif, network, readout
from decolle_ref.decolle.learner import Learner, OptState
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.network import Carry, Layer, Network
from decolle_ref.decolle.objective import Objective, smooth_l1
from decolle_ref.decolle.optim import Adamax, Schedule, stepwise
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.readout import Mask
from decolle_ref.decolle.synapse import Conv2d, Dense, Synapse, Weights
from decolle_ref.experiments.options import CommonSettings, option
from decolle_ref.fast import NetworkStepper

SHAPE, CLASSES = (1, 28, 28), 10
STAGES, KERNEL, PADDING = ((16, 2), (24, 1), (32, 2)), 7, 2  # stages: channels and size of the pool
SCALE = 50.0, 8.0, 8.0  # scales of the initial weights: the input is far sparser than the layers' spikes
FASTER = 8.0  # ratio of the learning rate of layer 1 to that of the others, for the same reason
OBJECTIVE = Objective(smooth_l1)
T = TypeVar("T")
WEIGHTS, ORDER, TRAIN, TEST = range(4)  # the purpose of each random stream


@dataclass(frozen=True)
class SequenceSettings(CommonSettings):
    """The settings of a network that learns at every step of a sequence after burn-in."""

    dialect: str = option("paper", "variant of DECOLLE", choices=dialects.DIALECTS)
    steps: int = option(500, "training: ms per sequence")
    burn_in: int = option(50, "ms without learning or votes at the beginning of a sequence", least=0)
    test_steps: int = option(1000, "test: ms per sequence")
    dropout: float = option(0.5, "probability that the readout does not read a neuron")
    learning_rate: float = option(5e-3, "learning rate per unit of normalised trace")
    beta2: float = option(0.95, "decay of Adamax's maximum")
    refractory_strength: float = option(0.0, "strength of the refractory term; the authors' script has none")
    tau_mem: float = option(0.020, "membrane time constant, in seconds", above_zero=True)
    tau_syn: float = option(0.0075, "synaptic time constant, in seconds", above_zero=True)

    def __post_init__(self) -> None:
        Adamax(beta2=self.beta2)  # raises where it makes no sense
        super().__post_init__()
        readout.drop_count("dropout", self.dropout)  # raises where it makes no sense
        shortest = min(self.steps, self.test_steps)
        if self.burn_in >= shortest:
            raise InputError(f"burn_in: expected fewer steps than the {shortest} shown, got {self.burn_in}")

    @property
    def updates_per_batch(self) -> int:
        """One update at every step after burn-in."""
        return self.steps - self.burn_in

    @property
    def neuron(self) -> LIF:
        """The neuron of all layers."""
        dialect = dialects.named(self.dialect)
        return lif.neuron(self.tau_mem, self.tau_syn, w=self.refractory_strength, dtype=np.float32, dialect=dialect)

    def rng(self, *stream: int) -> np.random.Generator:
        """A separate random stream for each purpose, so that a run can be resumed at any mini-batch."""
        return np.random.default_rng((self.seed, *stream))


@dataclass(frozen=True)
class Settings(SequenceSettings):
    """The settings of a run."""

    samples: int = option(3968, "training images, shown in whole mini-batches", quick=128, extendable=True)
    output_layer: bool = option(True, "train a linear layer on top of the third layer")
    convnet: bool = option(False, "train the conventional network beside it, on the same mini-batches")
    batch: int = option(64, "images per mini-batch")
    test_images: int = option(1024, "number of test images", quick=64)
    test_steps: int = option(300, "test: ms per image (the paper has 1000)")
    input_rate_hz: float = option(50.0, "input rate of a white pixel, in Hz")
    final_test: bool = option(False, "at the end, classify all test images, shown for 1 s each, as in the paper")
    test_dropout: bool = option(False, "leave dropout active at test")
    output_learning_rate: float = option(1e-3, "learning rate of the output layer")
    convnet_learning_rate: float = option(3e-4, "learning rate of the conventional network")
    halve_at: tuple[int, ...] = option((960, 1984, 2944), "numbers of samples at which all learning rates are halved")

    def __post_init__(self) -> None:
        super().__post_init__()
        count("samples", self.samples, self.batch)

    @property
    def batches(self) -> int:
        """The number of mini-batches."""
        return self.samples // self.batch


class Data(NamedTuple):
    """Images (n, 28, 28) of grey values 0..255 and labels (n,), as published."""

    x: Array
    labels: Array
    x_test: Array
    labels_test: Array


class Model(NamedTuple):
    """All networks that learn.  Weights and optimiser states have this order: layers, output layer, reference."""

    network: Network
    top: Dense | None
    reference: convnet.Net | None  # the conventional network
    learner: Learner  # of the layers
    top_learner: Learner

    @property
    def synapses(self) -> list[Synapse]:
        """The synapses of all networks."""
        synapses: list[Synapse] = [layer.synapse for layer in self.network]
        if self.top:
            synapses.append(self.top)
        if self.reference:
            synapses += [*(stage.synapse for stage in self.reference.stages), self.reference.top]
        return synapses

    @property
    def readouts(self) -> list[str]:
        """The names of all readouts."""
        layers = [f"layer {k + 1}" for k in range(len(self.network))]
        return layers + ["output"] * bool(self.top) + ["convnet"] * bool(self.reference)

    def split(self, states: tuple[T, ...]) -> tuple[tuple[T, ...], tuple[T, ...], tuple[T, ...]]:
        """The weights or optimiser states of the layers, of the output layer and of the reference."""
        above = len(self.network)
        last = above + bool(self.top)
        return states[:above], states[above:last], states[last:]


def build(settings: Settings) -> tuple[Model, Carry]:
    """All networks, and their initial weights, sampled with the seed."""
    rng = settings.rng(WEIGHTS)
    net, weights = layers(settings, rng, SHAPE, STAGES, SCALE, CLASSES)
    optimiser, schedule = Adamax(beta2=settings.beta2), halving(settings)
    rates = [learning_rates(settings.learning_rate, layer, FASTER if k == 0 else 1) for k, layer in enumerate(net)]
    learner = Learner(rates, optimiser, schedule)
    opt_state = learner.init(weights)
    learning_rate: Array = np.asarray(settings.output_learning_rate, np.float32)
    top_learner = Learner([Weights(learning_rate, learning_rate)], optimiser, schedule, update_layer=fast.update_layer)
    top = Dense(network.width(net[-1]), CLASSES) if settings.output_layer else None
    reference = convnet.build(SHAPE, STAGES, KERNEL, PADDING, CLASSES) if settings.convnet else None
    if top is not None:
        weights.append(Weights(np.zeros((CLASSES, top.n_in), np.float32), np.zeros(CLASSES, np.float32)))
        opt_state += top_learner.init(weights[-1:])
    if reference is not None:
        initial = convnet.init_weights(rng, reference, np.float32)
        weights += initial
        opt_state += pairs(convnet.init(optimiser, initial))
    return Model(net, top, reference, learner, top_learner), Carry(tuple(weights), (), opt_state)


def layers(
    settings: SequenceSettings,
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    stages: Sequence[tuple[int, int]],
    scales: Sequence[float],
    classes: int,
) -> tuple[Network, list[Weights]]:
    """The spiking layers for images of a shape, with stages of (channels, size of the pool), and their weights."""
    net: list[Layer] = []
    weights, dialect, neuron = [], dialects.named(settings.dialect), settings.neuron
    for (channels, size), scale in zip(stages, scales, strict=True):
        synapse = Conv2d(shape, channels, KERNEL, padding=PADDING)
        pool = None if size == 1 else MaxPool(synapse.shape, size)
        shape = synapse.shape if pool is None else pool.shape_out
        G = readout.sample_readout(rng, int(np.prod(shape)), classes, dtype=np.float32)
        net.append(network.with_dialect(dialect, Layer(synapse, neuron, G, objective=OBJECTIVE, pool=pool)))
        weights.append(synapse.init_weights(rng, neuron, scale))
    return tuple(net), weights


def learning_rates(learning_rate: float, layer: Layer, faster: float) -> Weights:
    """The learning rates of a layer; that of W is `faster` times as large, per unit of normalised trace."""
    rate: Array = np.asarray(learning_rate, np.float32)
    return Weights(W=rate * faster / lif.trace_gain(layer.neuron), b=rate)


def pairs(opt_states: Sequence[Any]) -> OptState:
    """The optimiser's states of W, b, W, b, ... as one pair for each layer."""
    return tuple(zip(opt_states[::2], opt_states[1::2], strict=True))


def halving(settings: Settings) -> Schedule:
    """The schedule: it halves the learning rates after so many samples, in whole mini-batches."""
    return stepwise(tuple(settings.updates_per_batch * (n // settings.batch) for n in settings.halve_at), 0.5)


def mini_batches(seed: int, samples: int, batch: int, n: int) -> Array:
    """Image indices (batches, batch): all n images in a random order, then all in another order, and so on."""
    rng = np.random.default_rng((seed, ORDER))
    order = np.concatenate([rng.permutation(n) for _ in range(-(-samples // n))])
    batches = samples // batch
    return order[: batches * batch].reshape(batches, batch)


def one_hot(labels: Array, classes: int = CLASSES) -> Array:
    """The targets of every readout: (n, classes)."""
    return np.eye(classes, dtype=np.float32)[labels]


def masks(dropout: float, net: Network, rng: np.random.Generator, *lead: int) -> list[Mask] | None:
    """Dropout masks by layer, of shape (*lead, width) or (*lead, classes) as in the dialect; None without dropout."""
    if dropout == 0:
        return None
    layer_masks = []
    for layer in net:
        size = network.width(layer) if layer.dropout == "activity" else len(layer.readout.c)
        layer_masks.append(readout.sample_mask(rng, dropout, layer.dropout, (*lead, size), np.float32))
    return layer_masks


def spikes(settings: Settings, rng: np.random.Generator, images: Array) -> Iterator[Array]:
    """Poisson spikes of images (n, 28, 28) of grey values 0..255, step by step, each (n, 784)."""
    return poisson_steps(rng, settings.input_rate_hz * grey(images))


def grey(images: Array) -> Array:
    """Images (n, 28, 28) of grey values 0..255 as vectors (n, 784) in 0..1."""
    flat: Array = (images.reshape(len(images), -1) / np.float32(255)).astype(np.float32)
    return flat


def answers(model: Model, weights: tuple[Weights, ...], stepper: NetworkStepper) -> Array:
    """Y of all readouts of spikes, with the output layer last: (steps, readouts, batch, CLASSES)."""
    Y = [stepper.outputs(k) for k in range(len(model.network))]
    if model.top is not None:
        Y.append(model.top.drive(weights[len(Y)], stepper.read(len(Y) - 1)))
    return np.stack(Y, axis=1)


def update_top(
    settings: Settings,
    model: Model,
    weights: tuple[Weights, ...],
    opt_state: OptState,
    stepper: NetworkStepper,
    target: Array,
    updates: int,
    rng: np.random.Generator,
) -> OptState:
    """Update the output layer, if there is one: in a linear layer P is the input, and dU is the error."""
    if model.top is None:
        return ()
    a = stepper.read(len(model.network) - 1)[0]
    if settings.dropout:
        a = a * readout.sample_mask(rng, settings.dropout, "activity", a.shape, np.float32).activity
    dY = OBJECTIVE.error(model.top.drive(weights[0], a), target)
    return model.top_learner.update([model.top], weights, opt_state, [dY], [a], updates)[1]


def update_reference(
    settings: Settings,
    model: Model,
    weights: tuple[Weights, ...],
    opt_state: OptState,
    stepper: fast.ConvnetStepper | None,
    images: Array,
    target: Array,
    updates: int,
) -> tuple[tuple[Weights, ...], OptState]:
    """Update the conventional network, if there is one, by backpropagation."""
    if stepper is None:
        return (), ()
    gradients = stepper.gradient(weights, images, target)
    learning_rate = settings.convnet_learning_rate * model.learner.schedule(updates)
    flat = [moments for pair in opt_state for moments in pair]
    weights, flat_after = convnet.update(model.learner.optimiser, weights, gradients, flat, learning_rate)
    return weights, pairs(flat_after)
