"""Image classification with SpikeGrad: a network trained by spikes, as its equivalent ANN.  [T19 Sec. 4]

This is what `spikegrad_mnist` and `spikegrad_cifar10` share.  Everything is float32, with whole numbers of spikes in
both phases; with gradient="float" the errors are not rounded.  The result is the accuracy after the last epoch.  With
`held_out` the last training images are kept for the accuracy of every epoch, and the test images are classified once,
at the end.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.data import augment, mnist
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Monitor, Results, Run
from decolle_ref.experiments.options import CommonSettings, option
from decolle_ref.experiments.spikegrad_cost import expected, memory
from decolle_ref.experiments.spikegrad_epoch import Epoch, counts, empty, starving, warn
from decolle_ref.fast import spikegrad as fast
from decolle_ref.fast.memory import Memory
from decolle_ref.fast.spikegrad import Step, accuracy, step
from decolle_ref.spikegrad import ann, network
from decolle_ref.spikegrad import operations as ops
from decolle_ref.spikegrad.layers import IFLayer
from decolle_ref.spikegrad.learning import Descent
from decolle_ref.spikegrad.operations import Fans, count_fans, macs, relative_operations

EVENTS, QUICK_EVENTS = 10, 2  # images that are run spike by spike after training
PREFIXES = "", "v_", "sum_"  # of the arrays of a checkpoint: weights, velocities, sums


@dataclass(frozen=True)
class ImageSettings(CommonSettings):
    """The settings that both experiments have."""

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
    shift: int = option(0, "largest random shift of a training image, in pixels along each side", least=0)
    averaged: int = option(0, "number of last epochs whose weights are averaged for the result", least=0)
    held_out: int = option(0, "training images kept for the accuracy of every epoch", least=0)

    def __post_init__(self) -> None:
        Descent(self.momentum, self.weight_decay)  # raises where they make no sense
        super().__post_init__()
        if self.averaged > self.epochs:
            raise InputError(f"averaged: expected at most the {self.epochs} epochs, got {self.averaged}")


class Data(NamedTuple):
    """Images (n, channels, height, width), 0..255, and labels (n,), 0..9."""

    x: Array
    labels: Array
    x_test: Array
    labels_test: Array


class State(NamedTuple):
    """The state of a run between two epochs."""

    weights: tuple[Weights, ...]
    velocity: tuple[Weights, ...]
    total: tuple[Weights, ...]  # sums over the last epochs, for their mean
    history: tuple[Epoch, ...]


class Images(Run[State]):
    """The run: each step is one epoch.

    A subclass states the network and the data, and may vary the training images.
    """

    topology: str
    tick_name = "mini-batch"

    def __init__(
        self, settings: ImageSettings, workers: ThreadPoolExecutor | None, data: Data, net: tuple[IFLayer, ...]
    ) -> None:
        self.settings, self.steps, self.workers, self.net = settings, settings.epochs, workers, net
        self.memories: list[Memory] = []
        below = net[0].synapse
        shape = below.shape_in if isinstance(below, Conv2d) else (below.n_in,)
        mnist.validate(data.x, data.labels, "training", shape)
        mnist.validate(data.x_test, data.labels_test, "test", shape)
        self.n = len(data.x) - settings.held_out
        if self.n < 1:
            raise InputError(
                f"held_out: expected fewer than the {len(data.x)} training images, got {settings.held_out}"
            )
        self.data = data
        held = (data.x[self.n :], data.labels[self.n :])
        self.judged = held if settings.held_out else (data.x_test, data.labels_test)
        self.fans: list[Fans] = [count_fans(layer) for layer in net]
        self.descent = Descent(settings.momentum, settings.weight_decay)

    def begin(self) -> State:
        """The initial weights, sampled with the seed, and zero velocity."""
        weights = network.init_weights(np.random.default_rng(self.settings.seed), self.net, np.float32)
        start = tuple(map(self.descent.start, weights))
        return State(weights, start, start, ())

    def done(self, state: State) -> int:
        """The number of epochs so far."""
        return len(state.history)

    def ticks(self, step: int) -> int:
        """The mini-batches of `step` epochs."""
        return step * -(-self.n // self.settings.batch)

    def status(self, state: State) -> str:
        """The loss and accuracy of the last epoch."""
        if not state.history:
            return f"alpha {self.settings.alpha:g}"
        return f"loss {state.history[-1].loss:.4f}, accuracy {100 * state.history[-1].accuracy:.2f} %"

    def vary(self, rng: np.random.Generator, images: Array) -> Array:
        """The training images of one mini-batch, shifted at random if the settings say so."""
        return augment.shifted(rng, images, self.settings.shift) if self.settings.shift else images

    def step(self, state: State, monitor: Monitor) -> State:
        """Train for one epoch."""
        settings, data, epoch = self.settings, self.data, len(state.history)
        rng = np.random.default_rng((settings.seed, epoch + 1))  # one per epoch, so that a run can be resumed there
        weights, velocity, samples, totals = list(state.weights), list(state.velocity), 0, empty(len(self.net))
        for index in batches(rng, self.n, settings.batch):
            x = encode(self.vary(rng, data.x[index]))
            learning_rate = settings.learning_rate * (1 - (epoch + samples / self.n) / settings.epochs)
            result = self.learn(weights, velocity, x, data.labels[index], learning_rate)
            samples += len(index)
            totals = [total + more for total, more in zip(totals, counts(self.fans, result), strict=True)]
            monitor.tick()
        total = state.total
        if epoch >= settings.epochs - settings.averaged:
            total = tuple(Weights(s.W + w.W, s.b + w.b) for s, w in zip(total, weights, strict=True))
        after = State(tuple(weights), tuple(velocity), total, state.history)
        return after._replace(history=(*state.history, self.row(after, totals, epoch)))

    def learn(
        self, weights: list[Weights], velocity: list[Weights], x: Array, labels: Array, learning_rate: float
    ) -> Step:
        """Learn from one mini-batch; replaces the entries of weights and velocity."""
        settings = self.settings
        result = step(
            self.net, weights, x, labels, settings.alpha, settings.gradient, self.workers, memories=self.memories
        )
        scale = settings.theta_bp / (settings.alpha * len(x))
        for k, layer in enumerate(self.net):
            if layer.learns:
                weights[k], velocity[k] = self.descent.update(
                    weights[k], velocity[k], result.increments[k], learning_rate, scale
                )
        return result

    def forecast(self, done: int) -> str:
        """The expected duration and memory of the epochs that remain, from one mini-batch and the sizes of arrays."""
        start, data, some = self.begin(), self.data, slice(0, min(self.settings.batch, self.n))
        weights, velocity, x = list(start.weights), list(start.velocity), encode(data.x[some])
        return expected(
            learn=lambda: self.learn(weights, velocity, x, data.labels[some], 0.0),
            test=lambda: accuracy(self.net, start.weights, x, data.labels[some], self.workers),
            learned=(self.steps - done) * -(-self.n // self.settings.batch),
            tested=(self.steps - done) * len(self.judged[0]) / len(x),
            memory=memory(self.net, len(x)) + data.x.nbytes + data.x_test.nbytes,
        )

    def row(self, state: State, totals: list[Array], epoch: int) -> Epoch:
        """One row of the history."""
        settings, (x, labels) = self.settings, self.judged
        learning_rate = settings.learning_rate * (1 - epoch / settings.epochs)
        loss, *means = (total / self.n for total in totals)
        right = self.accuracy(self.weights(state, epoch + 1), x, labels)
        row = Epoch(loss, np.array(right), np.array(learning_rate), *means)
        warn(settings.alpha, (*state.history, row))
        return row

    def weights(self, state: State, epochs: int) -> tuple[Weights, ...]:
        """The weights that would be the result after so many epochs: the last ones, or the mean of some."""
        n = epochs - (self.settings.epochs - self.settings.averaged)
        return state.weights if n <= 0 else tuple(Weights(s.W / n, s.b / n) for s in state.total)

    def accuracy(self, weights: tuple[Weights, ...], x: Array, labels: Array) -> float:
        """The share of images that are classified correctly, a thousand at a time."""
        parts = [slice(i, i + 1000) for i in range(0, len(x), 1000)]
        right = sum(accuracy(self.net, weights, encode(x[i]), labels[i], self.workers) * len(labels[i]) for i in parts)
        return round(right) / len(x)

    def pack(self, state: State) -> dict[str, Array]:
        """Weights, their velocity and their sum, and every column of the history."""
        arrays = {name: np.array([getattr(row, name) for row in state.history]) for name in Epoch._fields}
        for prefix, parameters in zip(PREFIXES, state[:3], strict=True):
            for k, w in enumerate(parameters):
                arrays |= {f"{prefix}W{k}": w.W, f"{prefix}b{k}": w.b}
        return arrays

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> State:
        """The state from a checkpoint."""
        columns = [checkpoint.history(path, arrays, name, row, self.steps) for name, row in self.limits().items()]
        with checkpoint.complete(path):
            history = tuple(Epoch(*row) for row in zip(*columns, strict=True))
            weights, velocity, total = (
                tuple(Weights(arrays[f"{prefix}W{k}"], arrays[f"{prefix}b{k}"]) for k in range(len(self.net)))
                for prefix in PREFIXES
            )
        for parameters in (weights, velocity, total):
            network.validate(self.net, parameters)
        return State(weights, velocity, total, history)

    def limits(self) -> dict[str, Field]:
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
        weights, data = self.weights(state, self.steps), self.data
        tested = self.accuracy(weights, data.x_test, data.labels_test) if self.settings.held_out else None
        return {
            "connections": self.topology.split("-")[2:],
            "accuracy": float(rows["accuracy"][-1]) if tested is None else tested,
            "starving": starving(rows["error_spikes"]),
            "redundancy": self.redundancy(weights),
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
        hundreds = (encode(data.x_test[i : i + 100]) for i in range(0, len(data.x_test), 100))
        V = np.concatenate([fast.forward(self.net, weights, x)[0][-1] for x in hundreds])
        sums: dict[str, dict[str, float]] = {phase: {} for phase in ("forward", "backward")}
        for i in np.argsort(-ann.cross_entropy(V, data.labels_test))[:images]:
            U = ann.top_error(V[i : i + 1], data.labels_test[i : i + 1], self.settings.alpha)[0]
            for phase, numbers in ops.count_spikes(self.net, weights, encode(data.x_test[i : i + 1])[0], U).items():
                sums[phase] = {name: sums[phase].get(name, 0) + more for name, more in numbers.items()}
        return {phase: n | {"ratio": n["spikes"] / max(1, n["totals"])} for phase, n in sums.items()}


def encode(images: Array) -> Array:
    """Values 0..255 as real-valued inputs 0..1: (n, channels, height, width) to (n, n_in), float32."""
    x: Array = (images.reshape(len(images), -1) / np.float32(255)).astype(np.float32, copy=False)
    return x


def batches(rng: np.random.Generator, n: int, batch: int) -> Iterator[Array]:
    """Indices of the mini-batches of one epoch, in a random order."""
    order = rng.permutation(n)
    return (order[i : i + batch] for i in range(0, n, batch))


def one_line(results: Results) -> str:
    """The result in one line."""
    settings, last = results["settings"], results["epochs"]["backward"][-1]
    return (
        f"{results['experiment']}: test accuracy {100 * results['accuracy']:.2f} %, "
        f"{len(results['epochs']['loss'])} epochs, {settings['gradient']} gradient, alpha {settings['alpha']:g}, "
        f"seed {settings['seed']}; {last:.3f} operations per multiply-accumulate in backpropagation"
    )
