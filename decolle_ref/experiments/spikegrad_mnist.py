"""MNIST with SpikeGrad: a convolutional network trained by spikes, as its equivalent ANN.  [T19 Sec. 4, Fig. 1a, 2a]

28x28-15C5-P2-40C5-P2-300-10 in float32, with whole numbers of spikes in both phases; with gradient="float" the errors
are not rounded.  Pixels are real numbers 0..1, without augmentation.  All 60,000 training images are used, and the
result is the accuracy after the last epoch.  The paper's text leaves some settings open.  We take mini-batches of 50,
momentum 0.9, a learning rate that falls linearly to 0, and weight decay, chosen on the last 10,000 training images.
"""

import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, finite
from decolle_ref.data import mnist
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Experiment, Monitor, Results, Run, Stop
from decolle_ref.experiments.options import CommonSettings, option
from decolle_ref.fast import spikegrad as fast
from decolle_ref.fast.spikegrad import Step, accuracy, step
from decolle_ref.spikegrad import ann, network
from decolle_ref.spikegrad import operations as ops
from decolle_ref.spikegrad.learning import Descent
from decolle_ref.spikegrad.operations import Fans, count_fans, macs, operations, relative_operations

SHAPE = (28, 28, 1)
QUICK_IMAGES = 3000  # of each set
EVENTS, QUICK_EVENTS = 10, 2  # images that are run spike by spike after training, 1 to 2 s each


@dataclass(frozen=True)
class Settings(CommonSettings):
    """The settings of a run."""

    alpha: float = option(100.0, "scale of the error; too small a scale starves the lower layers", above_zero=True)
    gradient: str = option("spike", "errors as spikes, or not rounded", choices=ann.GRADIENTS)
    epochs: int = option(20, "how often all training images are shown", quick=2)
    theta_ff: float = option(1.0, "threshold of the forward phase", above_zero=True)
    # if it differs from theta_ff, every layer rescales the errors by theta_ff / theta_bp
    theta_bp: float = option(1.0, "threshold of the backward phase", above_zero=True)
    learning_rate: float = option(0.05, "learning rate of the mean gradient; it falls linearly to 0")
    momentum: float = option(0.9, "share of the last update that is kept")
    weight_decay: float = option(5e-4, "decay of the weights")
    batch: int = option(50, "images per mini-batch")

    def __post_init__(self) -> None:
        Descent(self.momentum, self.weight_decay)  # raises where they make no sense
        super().__post_init__()


class Data(NamedTuple):
    """Images (n, 28, 28, 1) in 0..1, float32, and labels (n,)."""

    x: Array
    labels: Array
    x_test: Array
    labels_test: Array


def encode(images: Array, name: str = "images") -> Array:
    """Grey values 0..255 to real-valued inputs 0..1 with one channel, float32.  Raises InputError for NaN."""
    x = (finite(name, images) / np.float32(255)).astype(np.float32)
    return x[..., None]


def read(settings: Settings) -> Data:
    """MNIST as published, or the first images of each set for a quick run."""
    keep = QUICK_IMAGES if settings.quick else None
    (images, labels), (images_test, labels_test) = (mnist.load(split) for split in ("train", "test"))
    return Data(encode(images[:keep]), labels[:keep], encode(images_test[:keep]), labels_test[:keep])


class Epoch(NamedTuple):
    """One row of the history.  Counts are means over samples; the top layer has no spikes in the forward phase."""

    loss: Array  # (), mean cross-entropy while learning
    accuracy: Array  # (), on the test images after the epoch
    learning_rate: Array  # (), at the start of the epoch
    spikes: Array  # (layers - 1,), sum of S per sample
    error_spikes: Array  # (layers,), sum of |E| per sample
    forward: Array  # (layers - 1,), synaptic operations per sample in the connections of layers 2, 3, ...
    backward: Array  # (layers - 1,), the same for the error spikes


class State(NamedTuple):
    """The state of a run between two epochs."""

    weights: tuple[Weights, ...]
    velocity: tuple[Weights, ...]
    history: tuple[Epoch, ...]


class SpikeGradMnist(Run[State]):
    """The run: each step is one epoch."""

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: Data | None = None) -> None:
        self.settings, self.steps = settings, settings.epochs
        images = read(settings) if data is None else data
        mnist.validate(images.x, images.labels, "training", SHAPE)
        mnist.validate(images.x_test, images.labels_test, "test", SHAPE)
        self.data = images._replace(
            x=images.x.reshape(len(images.x), -1), x_test=images.x_test.reshape(len(images.x_test), -1)
        )
        self.net = network.named("mnist", settings.theta_ff, settings.theta_bp)
        self.fans: list[Fans] = [count_fans(layer) for layer in self.net]
        self.descent = Descent(settings.momentum, settings.weight_decay)

    def begin(self) -> State:
        """The initial weights, sampled with the seed, and zero velocity."""
        weights = network.init_weights(np.random.default_rng(self.settings.seed), self.net, np.float32)
        return State(weights, tuple(map(self.descent.start, weights)), ())

    def done(self, state: State) -> int:
        """The number of epochs so far."""
        return len(state.history)

    def status(self, state: State) -> str:
        """The loss and accuracy of the last epoch."""
        if not state.history:
            return f"alpha {self.settings.alpha:g}"
        return f"loss {state.history[-1].loss:.4f}, test accuracy {100 * state.history[-1].accuracy:.2f} %"

    def step(self, state: State, monitor: Monitor) -> State:
        """Train for one epoch."""
        settings, data, epoch, n = self.settings, self.data, len(state.history), len(self.data.x)
        weights, velocity = list(state.weights), list(state.velocity)
        samples, totals = 0, empty(len(weights))
        for index in batches(settings, n, epoch):
            if monitor.stopped():
                raise Stop
            result = step(self.net, weights, data.x[index], data.labels[index], settings.alpha, settings.gradient)
            learning_rate = settings.learning_rate * (1 - (epoch + samples / n) / settings.epochs)
            scale = settings.theta_bp / (settings.alpha * len(index))
            for k, layer in enumerate(self.net):
                if layer.learns:
                    weights[k], velocity[k] = self.descent.update(
                        weights[k], velocity[k], result.increments[k], learning_rate, scale
                    )
            samples += len(index)
            totals = [total + more for total, more in zip(totals, counts(self.fans, result), strict=True)]
        correct = accuracy(self.net, weights, data.x_test, data.labels_test)
        loss, *means = (total / n for total in totals)
        learning_rate = settings.learning_rate * (1 - epoch / settings.epochs)
        history = (*state.history, Epoch(loss, np.array(correct), np.array(learning_rate), *means))
        warn(settings, history)
        return State(tuple(weights), tuple(velocity), history)

    def pack(self, state: State) -> dict[str, Array]:
        """Weights, their velocity, and every column of the history."""
        arrays = {name: np.array([getattr(row, name) for row in state.history]) for name in Epoch._fields}
        for k, (w, v) in enumerate(zip(state.weights, state.velocity, strict=True)):
            arrays |= {f"W{k}": w.W, f"b{k}": w.b, f"v_W{k}": v.W, f"v_b{k}": v.b}
        return arrays

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> State:
        """The state from a checkpoint."""
        layers = range(len(self.net))
        columns = [checkpoint.history(path, arrays, name, row, self.steps) for name, row in self.row().items()]
        with checkpoint.complete(path):
            history = tuple(Epoch(*row) for row in zip(*columns, strict=True))
            weights = tuple(Weights(arrays[f"W{k}"], arrays[f"b{k}"]) for k in layers)
            velocity = tuple(Weights(arrays[f"v_W{k}"], arrays[f"v_b{k}"]) for k in layers)
        for parameters in (weights, velocity):
            network.validate(self.net, parameters)
        return State(weights, velocity, history)

    def row(self) -> dict[str, Field]:
        """Shape and limits of each field of `Epoch`."""
        counts = {name: Field((len(self.net) - 1,), low=0) for name in ("spikes", "forward", "backward")}
        limits = {"loss": Field(low=0), "accuracy": Field(low=0, high=1)}
        limits |= {"learning_rate": Field(low=0, high=self.settings.learning_rate)}
        limits |= counts | {"error_spikes": Field((len(self.net),), low=0)}
        return {name: limits[name] for name in Epoch._fields}

    def report(self, state: State) -> tuple[Results, dict[str, Array]]:
        """The curves by epoch.  Operations are relative to the multiply-accumulates of the ANN."""
        net, rows = self.net, {name: np.stack([getattr(row, name) for row in state.history]) for name in Epoch._fields}
        if self.settings.gradient == "float":  # every connection multiplies
            rows["backward"] = np.broadcast_to(macs(net), rows["backward"].shape)
        return {
            "connections": network.TOPOLOGIES["mnist"][0].split("-")[2:],
            "accuracy": float(rows["accuracy"][-1]),
            "starving": starving(rows["error_spikes"]),
            "redundancy": self.redundancy(state.weights),
            "epochs": {
                **{name: rows[name].tolist() for name in Epoch._fields[:5]},
                "forward": [relative_operations(net, made) for made in rows["forward"]],
                "backward": [relative_operations(net, made) for made in rows["backward"]],
                "forward_by_layer": (rows["forward"] / macs(net)).tolist(),
                "backward_by_layer": (rows["backward"] / macs(net)).tolist(),
            },
        }, {}

    def redundancy(self, weights: tuple[Weights, ...]) -> dict[str, dict[str, float]]:
        """Spikes of the event-driven network over |totals|, on the test images with the largest loss.  [T19 Eq. 21]

        The trained network classifies most images correctly, and then its error causes no spike.  `bound` is the bound
        on the number of spikes, summed over neurons.
        """
        data, images = self.data, QUICK_EVENTS if self.settings.quick else EVENTS
        hundreds = (data.x_test[i : i + 100] for i in range(0, len(data.x_test), 100))
        V = np.concatenate([fast.forward(self.net, weights, x)[0][-1] for x in hundreds])
        sums: dict[str, dict[str, float]] = {phase: {} for phase in ("forward", "backward")}
        for i in np.argsort(-ann.cross_entropy(V, data.labels_test))[:images]:
            U = ann.top_error(V[i : i + 1], data.labels_test[i : i + 1], self.settings.alpha)[0]
            for phase, numbers in ops.count_spikes(self.net, weights, data.x_test[i], U).items():
                sums[phase] = {name: sums[phase].get(name, 0) + more for name, more in numbers.items()}
        return {phase: n | {"ratio": n["spikes"] / max(1, n["totals"])} for phase, n in sums.items()}


def batches(settings: Settings, n: int, epoch: int) -> Iterator[Array]:
    """Indices of the mini-batches of an epoch; each epoch has its own seed, so that a run can be resumed there."""
    order = np.random.default_rng((settings.seed, epoch + 1)).permutation(n)
    return (order[i : i + settings.batch] for i in range(0, n, settings.batch))


def empty(layers: int) -> list[Array]:
    """Zeros in the shapes of `counts`."""
    return [np.zeros(()), np.zeros(layers - 1), np.zeros(layers), np.zeros(layers - 1), np.zeros(layers - 1)]


def counts(fans: list[Fans], result: Step) -> list[Array]:
    """Loss, spikes, error spikes and the operations of both phases, summed over a mini-batch."""
    spikes = np.array([np.abs(S).sum() for S in result.S[:-1]], np.float64)
    error_spikes = np.array([np.abs(E).sum() for E in result.E], np.float64)
    return [np.array(result.loss), spikes, error_spikes, *operations(fans, result.S, result.E)]


def starving(error_spikes: Array) -> list[int]:
    """The number of epochs in which a layer learned nothing, because no error spike (epochs, layers) reached it."""
    return [int(n) for n in (error_spikes == 0).sum(axis=0)]


def warn(settings: Settings, history: tuple[Epoch, ...]) -> None:
    """Warn, once for each layer, if alpha is too small for it."""
    epochs_without = starving(np.stack([row.error_spikes for row in history]))
    for k, without in enumerate(epochs_without, 1):
        if without == 1 and history[-1].error_spikes[k - 1] == 0:
            text = f"alpha = {settings.alpha:g}: no error spike reached layer {k} in epoch {len(history)}"
            warnings.warn(f"{text}, so it learned nothing; a larger alpha makes finer errors", stacklevel=2)


def one_line(results: Results) -> str:
    """The result in one line."""
    settings, last = results["settings"], results["epochs"]["backward"][-1]
    return (
        f"spikegrad-mnist: test accuracy {100 * results['accuracy']:.2f} %, {len(results['epochs']['loss'])} epochs, "
        f"{settings['gradient']} gradient, alpha {settings['alpha']:g}, seed {settings['seed']}; "
        f"{last:.3f} operations per multiply-accumulate in backpropagation"
    )


EXPERIMENT = Experiment(
    name="spikegrad-mnist",
    summary="MNIST by backpropagation with spikes [T19 Sec. 4]",
    settings=Settings,
    make=SpikeGradMnist,
    one_line=one_line,
    example="--alpha 50 --epochs 5",
    needs_mnist=True,
)
