"""The conventional network on MNIST, trained by backpropagation: the baseline for DECOLLE.  [K20 Sec. 4.2]

28x28-16C7-P2-24C7-32C7-P2-10 with padding 2, the shape of the spiking network, on grey values instead of spikes:
backpropagation, smooth L1 against one-hot labels, Adamax, float32, every training image once per epoch.  The result is
the error on all test images after the last epoch.  The paper's text leaves mini-batches and learning rate open.  We
take mini-batches of 64 and a learning rate that falls linearly to 0, from a value chosen in trials of 500 updates on
training images alone.  `poisson_mnist` trains the same network beside DECOLLE, with as many updates as DECOLLE makes.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.data import mnist
from decolle_ref.decolle import convnet
from decolle_ref.decolle.convnet import OBJECTIVE, Net
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.synapse import Synapse, Weights
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Experiment, Headline, Monitor, Results, Run
from decolle_ref.experiments.options import CommonSettings, option
from decolle_ref.experiments.poisson_mnist_network import (
    CLASSES,
    KERNEL,
    PADDING,
    SHAPE,
    STAGES,
    Data,
    grey,
    mini_batches,
    one_hot,
    pairs,
)
from decolle_ref.fast.convnet import ConvnetStepper, outputs

QUICK_IMAGES = 3000  # of each set
ROW = Field((2,), low=0, high=np.array([np.inf, 1]))  # of the history: loss and error


@dataclass(frozen=True)
class Settings(CommonSettings):
    """The settings of a run."""

    epochs: int = option(10, "how often all training images are shown", quick=2)
    batch: int = option(64, "images per mini-batch")
    learning_rate: float = option(2e-3, "learning rate of the first update; it falls linearly to 0")
    beta1: float = option(0.9, "decay of Adamax's mean")
    beta2: float = option(0.999, "decay of Adamax's maximum")

    def __post_init__(self) -> None:
        Adamax(self.beta1, self.beta2)  # raises where they make no sense
        super().__post_init__()


class State(NamedTuple):
    """The state of a run between two epochs."""

    carry: Carry
    history: Array  # (epochs, 2): mean loss while learning, error on the test images afterwards


def network() -> Net:
    """The conventional network."""
    return convnet.build(SHAPE, STAGES, KERNEL, PADDING, CLASSES)


def read(settings: Settings) -> Data:
    """MNIST as published, or the first images of each set for a quick run."""
    keep = QUICK_IMAGES if settings.quick else None
    (x, labels), (x_test, labels_test) = (mnist.load(split) for split in ("train", "test"))
    return Data(x[:keep], labels[:keep], x_test[:keep], labels_test[:keep])


def learning_rate(settings: Settings, fraction: float) -> float:
    """The learning rate after a fraction of all updates; it falls linearly to 0."""
    return settings.learning_rate * (1 - fraction)


class Convnet(Run[State]):
    """The run: each step is one epoch.  A mini-batch may span two epochs."""

    tick_name = "update"

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: Data | None = None) -> None:
        self.settings, self.steps, self.workers = settings, settings.epochs, workers
        self.data, self.net = self.prepare(data)
        n = len(self.data.x)
        if n < settings.batch:
            raise InputError(f"training images: expected at least the {settings.batch} of one mini-batch, got {n}")
        self.optimiser = Adamax(settings.beta1, settings.beta2)
        self.order = mini_batches(settings.seed, settings.epochs * n, settings.batch, n)
        self.stepper = ConvnetStepper(self.net, settings.batch, workers)

    def prepare(self, data: Data | None) -> tuple[Data, Net]:
        """The images, which are read if there are none, and the network for them."""
        data = read(self.settings) if data is None else data
        mnist.validate(data.x, data.labels, "training")
        mnist.validate(data.x_test, data.labels_test, "test")
        return data, network()

    def vectors(self, images: Array) -> Array:
        """The inputs of the network, (n, n_in)."""
        return grey(images)

    def begin(self) -> State:
        """The initial weights, sampled with the seed."""
        weights = convnet.init_weights(np.random.default_rng(self.settings.seed), self.net, np.float32)
        return State(Carry(weights, (), pairs(convnet.init(self.optimiser, weights))), np.zeros((0, 2)))

    def done(self, state: State) -> int:
        """The number of epochs so far."""
        return len(state.history)

    def ticks(self, step: int) -> int:
        """The number of mini-batches, and so of updates, after `step` epochs."""
        return step * len(self.data.x) // self.settings.batch

    def status(self, state: State) -> str:
        """The loss and error of the last epoch."""
        epoch, total = len(state.history), self.steps
        if epoch == 0:
            return f"epoch 1 of {total}"
        loss, wrong = state.history[-1]
        return f"after epoch {epoch} of {total}: training loss {loss:.5f}, test error {100 * wrong:.2f} %"

    def step(self, state: State, monitor: Monitor) -> State:
        """Train for one epoch."""
        settings, order, losses = self.settings, self.order, []
        weights, opt_state = state.carry.weights, tuple(m for pair in state.carry.opt_state for m in pair)
        end = self.ticks(len(state.history) + 1)
        for k in range(state.carry.updates, end):
            target = one_hot(self.data.labels[order[k]], self.net.top.n)
            gradients = self.stepper.gradient(weights, self.vectors(self.data.x[order[k]]), target)
            losses.append(float(OBJECTIVE.loss.terms(self.stepper.Y, target).mean()))
            lr = learning_rate(settings, k / len(order))
            weights, opt_state = convnet.update(self.optimiser, weights, gradients, opt_state, lr)
            monitor.tick()
        row = float(np.mean(losses)), self.error(weights)
        return State(Carry(weights, (), pairs(opt_state), updates=end), np.vstack([state.history, row]))

    def error(self, weights: Sequence[Weights]) -> float:
        """The fraction of test images for which the largest output is not that of the right class."""
        Y = outputs(self.net, weights, self.vectors(self.data.x_test), self.workers)
        return float((Y.argmax(axis=1) != self.data.labels_test).mean())

    def pack(self, state: State) -> dict[str, Array]:
        """Weights, optimiser states and the history."""
        return {**checkpoint.pack(state.carry), "history": state.history}

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> State:
        """The state from a checkpoint."""
        synapses: list[Synapse] = [*(stage.synapse for stage in self.net.stages), self.net.top]
        carry = checkpoint.unpack(path, arrays, synapses, np.float32)
        history = checkpoint.history(path, arrays, "history", ROW, self.steps)
        checkpoint.validate_updates(path, carry, self.ticks(len(history)))
        return State(carry, history)

    def report(self, state: State) -> tuple[Results, dict[str, Array]]:
        """Losses and errors by epoch."""
        loss, wrong = state.history.T.tolist()
        return {"epochs": {"error": wrong, "loss": loss}, "error": wrong[-1]}, {}


def one_line(results: Results) -> str:
    """The result in one line."""
    settings = results["settings"]
    length = f"{settings['epochs']} epochs, seed {settings['seed']}"
    return f"{results['experiment']}: test error {100 * results['error']:.2f} % after {length}"


def headline(results: Results) -> Headline:
    """The test error after the last epoch."""
    return Headline("test error", "%", {"": 100 * results["error"]})


EXPERIMENT = Experiment(
    name="convnet",
    summary="the conventional network on MNIST, trained by backpropagation [K20 Sec. 4.2]",
    settings=Settings,
    make=Convnet,
    one_line=one_line,
    headline=headline,
    example="--epochs 2 --threads 2",
    download=mnist.download,
    cuts_batches=True,
)
