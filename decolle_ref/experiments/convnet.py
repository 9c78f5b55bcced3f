"""The conventional network on MNIST, trained conventionally: what DECOLLE is measured against.  [K20 Sec. 4.2]

28x28-16C7-P2-24C7-32C7-P2-10 with padding 2, as the spiking network has it, on grey values instead of spikes:
backpropagation, smooth L1 against one-hot labels, Adamax, float32, every training image once per epoch.  The error on
all test images after the last epoch counts.  What the paper's text leaves open is ours: mini-batches of 64 and a
learning rate that falls linearly to 0, from a value chosen in trials of 500 updates on training images alone.
`experiments.mnist` trains the same network beside DECOLLE, in the regimen of DECOLLE.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array, InputError, count, not_negative, validate_shape
from decolle_ref.data import mnist
from decolle_ref.decolle import convnet
from decolle_ref.decolle.convnet import OBJECTIVE, Net
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.synapse import Synapse, Weights
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.longrun import Interrupted, Progress, stop_requests, versions
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
from decolle_ref.fast.convnet import Stepper, outputs
from decolle_ref.fast.run import worker_pool

CHECKPOINT = "checkpoint.npz"
KIND = "decolle_ref analog checkpoint"
QUICK_IMAGES, QUICK_EPOCHS = 3000, 2


@dataclass(frozen=True)
class Settings:
    """All that a run depends on.  Raises InputError for values that make no sense."""

    epochs: int = 10
    seed: int = 0
    batch: int = 64
    learning_rate: float = 2e-3  # of the first update
    beta1: float = 0.9
    beta2: float = 0.999
    quick: bool = False  # QUICK_IMAGES of each set

    def __post_init__(self) -> None:
        count("epochs", self.epochs)
        count("seed", self.seed, 0)
        count("batch", self.batch)
        not_negative("learning_rate", self.learning_rate)
        Adamax(self.beta1, self.beta2)  # raises where they make no sense


class Problem(NamedTuple):
    """What a run works on, made from its settings and data alone."""

    settings: Settings
    net: Net
    data: Data
    order: Array  # (mini-batches, batch), indices of training images

    def end(self, epoch: int) -> int:
        """How many mini-batches, and so updates, are done after so many epochs; one may span two epochs."""
        return epoch * len(self.data.x) // self.settings.batch


class State(NamedTuple):
    """Where a run stands between two epochs."""

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


def build(settings: Settings, data: Data) -> Problem:
    """The network and its data, checked, and the order in which it sees them."""
    mnist.validate(data.x, data.labels, "training")
    mnist.validate(data.x_test, data.labels_test, "test")
    n = len(data.x)
    if n < settings.batch:
        raise InputError(f"training images: expected at least the {settings.batch} of one mini-batch, got {n}")
    return Problem(settings, network(), data, mini_batches(settings.seed, settings.epochs * n, settings.batch, n))


def train(
    settings: Settings,
    out: Path,
    resume: bool = False,
    quiet: bool = False,
    threads: int = 1,
    data: Data | None = None,
) -> dict[str, Any]:
    """Run into the folder `out`: checkpoint.npz after every epoch, results.json at the end.  Returns the results.

    The number of threads changes no result.  Raises InputError for an `out` that cannot be written, data that are
    missing or damaged, or a checkpoint of other settings, and Interrupted after Ctrl-C, with a checkpoint left behind.
    """
    folder = store.output_folder(out)
    problem = build(settings, read(settings) if data is None else data)
    state = begin(problem, folder, resume)
    with worker_pool(threads) as workers:
        state = epochs(problem, state, folder, workers, quiet)
    results = report(problem, state)
    store.write_json(folder / "results.json", results)
    return results


def begin(problem: Problem, folder: Path, resume: bool) -> State:
    """The start of a run, drawn from the seed, or the place where it was left."""
    settings, path = problem.settings, folder / CHECKPOINT
    if not (resume and path.exists()):
        checkpoint.put_aside(folder, CHECKPOINT)
        weights = convnet.init_weights(np.random.default_rng(settings.seed), problem.net, np.float32)
        memory = pairs(convnet.init(Adamax(settings.beta1, settings.beta2), weights))
        state = State(Carry(weights, (), memory), np.zeros((0, 2)))
        save(problem, state, folder)
        return state
    synapses: list[Synapse] = [*(stage.synapse for stage in problem.net.stages), problem.net.top]
    carry, (history,) = checkpoint.load(path, KIND, synapses, np.float32, asdict(settings), ["history"])
    validate_shape(f"{path} history", history, (min(len(history), settings.epochs), 2))
    checkpoint.require_updates(path, carry, problem.end(len(history)))
    return State(carry, history)


def save(problem: Problem, state: State, folder: Path) -> None:
    """Write the checkpoint."""
    histories = {"history": state.history}
    checkpoint.save(folder / CHECKPOINT, KIND, state.carry, histories, asdict(problem.settings))


def epochs(problem: Problem, state: State, folder: Path, workers: ThreadPoolExecutor, quiet: bool) -> State:
    """Learn until all epochs are done or the user asks to stop."""
    total, stepper = problem.settings.epochs, Stepper(problem.net, problem.settings.batch, workers)
    bar = Progress("analog", len(problem.order), state.carry.updates, quiet, unit="update")
    try:
        with stop_requests() as stopped:
            while (done := len(state.history)) < total:
                after = learn(problem, stepper, state, stopped, partial(bar.advance, told(problem, state)))
                if after is None:
                    where = f"stopped in epoch {done + 1} of {total}"
                    raise Interrupted(f"{where}; --resume goes on from the end of epoch {done}")
                carry, loss = after
                row = loss, error(problem, carry.weights, workers)
                state = State(carry, np.vstack([state.history, row]))
                save(problem, state, folder)
                bar.advance(told(problem, state), by=0)
    finally:
        bar.close()
    return state


def told(problem: Problem, state: State) -> str:
    """What stands behind the progress bar."""
    done, total = len(state.history), problem.settings.epochs
    if done == 0:
        return f"epoch 1 of {total}"
    loss, wrong = state.history[-1]
    return f"after epoch {done} of {total}: training loss {loss:.5f}, test error {100 * wrong:.2f} %"


def learn(
    problem: Problem, stepper: Stepper, state: State, stopped: Callable[[], bool], tick: Callable[[], None]
) -> tuple[Carry, float] | None:
    """One epoch: (carry, mean loss while learning); None if asked to stop within it."""
    settings, _, data, order = problem
    optimiser, losses = Adamax(settings.beta1, settings.beta2), []
    weights, memory = state.carry.weights, tuple(m for pair in state.carry.opt_state for m in pair)
    end = problem.end(len(state.history) + 1)
    for k in range(state.carry.updates, end):
        if stopped():
            return None
        target, lr = one_hot(data.labels[order[k]]), rate(settings, k / len(order))
        gradients = stepper.gradient(weights, grey(data.x[order[k]]), target)
        losses.append(float(OBJECTIVE.loss.terms(stepper.Y, target).mean()))
        weights, memory = convnet.update(optimiser, weights, gradients, memory, lr)
        tick()
    return Carry(weights, (), pairs(memory), updates=end), float(np.mean(losses))


def rate(settings: Settings, done: float) -> float:
    """The learning rate after the fraction `done` of all updates: linearly to 0."""
    return settings.learning_rate * (1 - done)


def error(problem: Problem, weights: Sequence[Weights], workers: ThreadPoolExecutor) -> float:
    """The fraction of test images whose largest output is not that of their class."""
    Y = outputs(problem.net, weights, grey(problem.data.x_test), workers)
    return float((Y.argmax(axis=1) != problem.data.labels_test).mean())


def report(problem: Problem, state: State) -> dict[str, Any]:
    """The contents of results.json."""
    loss, wrong = state.history.T.tolist()
    return {
        "experiment": "analog",
        "comparable": not problem.settings.quick,
        "settings": asdict(problem.settings),
        "versions": versions(),
        "epochs": {"error": wrong, "loss": loss},
        "error": wrong[-1],
    }


def one_line(results: dict[str, Any]) -> str:
    """The result in one line."""
    settings = results["settings"]
    mark = "" if results["comparable"] else " (quick: not comparable)"
    done = f"{settings['epochs']} epochs, seed {settings['seed']}"
    return f"analog: test error {100 * results['error']:.2f} % after {done}{mark}"
