"""The convolutional DECOLLE network for the events of a camera.  [K20 Sec. 4.3, Table 2]

Three layers of 64, 128 and 128 channels, 7x7, padding 2, pooling 2, 1, 2, each with its own dense random readout of the
classes, dropout of 0.5 before it, smooth L1 and Adamax.  The input are two images of counts: 32x32 for each polarity.

>>> from decolle_ref.decolle.network import width
>>> net = build(EventSettings(), classes=11).network
>>> [(layer.synapse.shape, width(layer)) for layer in net]
[((64, 30, 30), 14400), ((128, 13, 13), 21632), ((128, 11, 11), 3200)]
"""

from dataclasses import dataclass
from typing import NamedTuple

from decolle_ref._util.check import positive
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Network
from decolle_ref.decolle.optim import Adamax, stepwise
from decolle_ref.experiments.options import option
from decolle_ref.experiments.poisson_mnist_network import WEIGHTS, SequenceSettings, layers, learning_rates

STAGES = ((64, 2), (128, 1), (128, 2))  # channels and size of the pool  [K20 Table 2]
SCALES = 16.0, 8.0, 8.0  # of the initial weights: the input is far sparser than the layers' spikes
FASTER = 8.0  # ratio of the learning rate of layer 1 to that of the others, for the same reason
DIVISOR = 5.0  # of the learning rates  [K20 Sec. 4.3]


@dataclass(frozen=True)
class EventSettings(SequenceSettings):
    """The settings of a run; the defaults are the paper's network and regime."""

    mini_batches: int = option(3000, "number of mini-batches", quick=2)
    batch: int = option(72, "recordings per mini-batch", quick=4)
    width: float = option(1.0, "channels relative to the paper's 64, 128, 128", quick=0.0625, above_zero=True)
    size: int = option(32, "height and width of a frame in pixels, after summing blocks of pixels", quick=16)
    steps: int = option(500, "training: ms per sequence, from a random moment of the recording")
    test_steps: int = option(1800, "test: ms per sequence, from the start of the recording")
    test_every: int = option(100, "mini-batches between two tests")
    test_dropout: bool = option(True, "leave dropout active at test, as the paper does")
    divide_every: int = option(1000, "mini-batches after which the learning rate is divided by 5")


class Model(NamedTuple):
    """The network, what trains it, and where it starts."""

    network: Network
    learner: Learner
    start: Carry


def stages(relative_width: float) -> list[tuple[int, int]]:
    """The channels and the pool of each layer, for a width relative to the paper's; at least one channel."""
    positive("width", relative_width)
    return [(max(1, round(relative_width * channels)), size) for channels, size in STAGES]


def build(settings: EventSettings, classes: int) -> Model:
    """The network of [K20 Table 2], its learner, and its initial weights, sampled with the seed."""
    shape = 2, settings.size, settings.size
    net, weights = layers(settings, settings.rng(WEIGHTS), shape, stages(settings.width), SCALES, classes)
    rates = [learning_rates(settings.learning_rate, layer, FASTER if k == 0 else 1) for k, layer in enumerate(net)]
    drops = range(settings.divide_every, settings.mini_batches, settings.divide_every)
    schedule = stepwise(tuple(settings.updates_per_batch * k for k in drops), 1 / DIVISOR)
    learner = Learner(rates, Adamax(beta2=settings.beta2), schedule)
    return Model(net, learner, Carry(tuple(weights), (), learner.init(weights)))
