"""MNIST with SpikeGrad: a convolutional network trained by spikes, on its equivalent ANN.  [T19 Sec. 4, Fig. 1a, 2a]

28x28-15C5-P2-40C5-P2-300-10 in float32, whole numbers of spikes both ways; with gradient="float" the errors are not
rounded.  Pixels enter as real numbers 0..1.  No augmentation.  All 60,000 training images are used and the accuracy
after the last epoch counts.  What the paper's text leaves open is ours: mini-batches of 50, momentum 0.9, a learning
rate that falls linearly to 0, weight decay.  They were chosen on the last 10,000 training images.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array, count, finite, not_negative, positive, validate_choice
from decolle_ref.data import mnist
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments.longrun import Interrupted, Progress, stop_requests, versions
from decolle_ref.experiments.spikegrad_state import Epoch, State, load, save
from decolle_ref.fast import spikegrad as fast
from decolle_ref.spikegrad import ann, network
from decolle_ref.spikegrad import operations as ops
from decolle_ref.spikegrad.learning import Descent, Step, accuracy, step
from decolle_ref.spikegrad.network import Network
from decolle_ref.spikegrad.operations import Synapses, macs, operations, relative, synapses

CHECKPOINT = "checkpoint.npz"
SHAPE = (28, 28, 1)
QUICK_IMAGES, QUICK_EPOCHS = 3000, 2
EVENTS, QUICK_EVENTS = 10, 2  # images that are run spike by spike in the end, 1 to 2 s each


@dataclass(frozen=True)
class Settings:
    """All that a run depends on.  Raises InputError for values that make no sense."""

    alpha: float = 100.0  # error scale
    gradient: str = "spike"
    epochs: int = 20
    seed: int = 0
    theta_ff: float = 1.0
    theta_bp: float = 1.0  # other than theta_ff, errors are rescaled by theta_ff / theta_bp in every layer
    learning_rate: float = 0.05  # of the mean gradient; alpha and the thresholds are divided out
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch: int = 50
    quick: bool = False  # QUICK_IMAGES of each set

    def __post_init__(self) -> None:
        count("epochs", self.epochs)
        count("seed", self.seed, 0)
        count("batch", self.batch)
        validate_choice("gradient", self.gradient, ann.GRADIENTS)
        for name in ("alpha", "theta_ff", "theta_bp"):
            positive(name, getattr(self, name))
        not_negative("learning_rate", self.learning_rate)
        Descent(self.momentum, self.weight_decay)  # raises where they make no sense


class Data(NamedTuple):
    """Images (n, 28, 28, 1) in 0..1, float32, and labels (n,)."""

    x: Array
    labels: Array
    x_test: Array
    labels_test: Array


class Problem(NamedTuple):
    """What a run works on, made from its settings and data alone."""

    settings: Settings
    net: Network
    wiring: list[Synapses]
    data: Data


def encode(images: Array, name: str = "images") -> Array:
    """Grey values 0..255 to real-valued inputs 0..1 with one channel, float32.  Raises InputError for NaN."""
    x = (finite(name, images) / np.float32(255)).astype(np.float32)
    return x[..., None]


def read(settings: Settings) -> Data:
    """MNIST as published, or the first images of each set for a quick run."""
    keep = QUICK_IMAGES if settings.quick else None
    (images, labels), (images_test, labels_test) = (mnist.load(split) for split in ("train", "test"))
    return Data(encode(images[:keep]), labels[:keep], encode(images_test[:keep]), labels_test[:keep])


def build(settings: Settings, data: Data) -> Problem:
    """The network and its data, checked."""
    mnist.validate(data.x, data.labels, "training", SHAPE)
    mnist.validate(data.x_test, data.labels_test, "test", SHAPE)
    net = network.named("mnist", settings.theta_ff, settings.theta_bp)
    return Problem(settings, net, [synapses(layer) for layer in net], data)


def begin(problem: Problem) -> State:
    """Weights from the seed, at rest."""
    rng = np.random.default_rng(problem.settings.seed)
    weights = network.init_weights(rng, problem.net, np.float32)
    return State(weights, tuple(map(Descent().start, weights)), [])


def batches(settings: Settings, n: int, epoch: int) -> Iterator[Array]:
    """Indices of the mini-batches of an epoch: an order of its own, so that a run can go on from any epoch."""
    order = np.random.default_rng((settings.seed, epoch + 1)).permutation(n)
    return (order[i : i + settings.batch] for i in range(0, n, settings.batch))


def rate(settings: Settings, done: float) -> float:
    """The learning rate after the fraction `done` of all updates: linearly to 0."""
    return settings.learning_rate * (1 - done)


def learn(problem: Problem, start: State, stopped: Callable[[], bool]) -> State | None:
    """One epoch; None if asked to stop within it."""
    settings, data, epoch, n = problem.settings, problem.data, len(start.history), len(problem.data.x)
    descent = Descent(settings.momentum, settings.weight_decay)
    weights, velocity = list(start.weights), list(start.velocity)
    seen, totals = 0, empty(len(weights))
    for index in batches(settings, n, epoch):
        if stopped():
            return None
        now = step(problem.net, weights, data.x[index], data.labels[index], settings.alpha, settings.gradient)
        lr = rate(settings, (epoch + seen / n) / settings.epochs)
        scale = settings.theta_bp / (settings.alpha * len(index))
        for k, layer in enumerate(problem.net):
            if layer.map.learns:
                weights[k], velocity[k] = descent.update(weights[k], velocity[k], now.increments[k], lr, scale)
        seen += len(index)
        totals = [total + more for total, more in zip(totals, counts(problem.wiring, now), strict=True)]
    correct = accuracy(problem.net, weights, data.x_test, data.labels_test)
    loss, *means = (total / n for total in totals)
    row = Epoch(loss, np.array(correct), np.array(rate(settings, epoch / settings.epochs)), *means)
    return State(tuple(weights), tuple(velocity), [*start.history, row])


def empty(layers: int) -> list[Array]:
    """`counts` of nothing."""
    return [np.zeros(()), np.zeros(layers - 1), np.zeros(layers), np.zeros(layers - 1), np.zeros(layers - 1)]


def counts(wiring: list[Synapses], now: Step) -> list[Array]:
    """Loss, spikes, error spikes and the operations of both phases, summed over a mini-batch."""
    spikes = np.array([np.abs(S).sum() for S in now.S[:-1]], np.float64)
    error_spikes = np.array([np.abs(E).sum() for E in now.E], np.float64)
    return [np.array(now.loss), spikes, error_spikes, *operations(wiring, now.S, now.E)]


def train(
    settings: Settings, out: Path, resume: bool = False, quiet: bool = False, data: Data | None = None
) -> dict[str, Any]:
    """Run into the folder `out`: checkpoint.npz after every epoch, results.json at the end.  Returns the results.

    Raises InputError for an `out` that cannot be written, data that are missing or damaged, or a checkpoint of other
    settings, and Interrupted after Ctrl-C.
    """
    folder = store.output_folder(out)
    problem = build(settings, read(settings) if data is None else data)
    state = begin(problem)
    if resume and (folder / CHECKPOINT).exists():
        state = load(folder / CHECKPOINT, asdict(settings), problem.net)
    else:
        (folder / "results.json").unlink(missing_ok=True)  # of an earlier run
    state = epochs(problem, state, folder, quiet)
    results = report(problem, state)
    store.write_json(folder / "results.json", results)
    return results


def epochs(problem: Problem, state: State, folder: Path, quiet: bool) -> State:
    """Learn until all epochs are done or the user asks to stop."""
    total = problem.settings.epochs
    bar = Progress(f"spikegrad-mnist, alpha {problem.settings.alpha:g}", total, len(state.history), quiet)
    try:
        with stop_requests() as stopped:
            while len(state.history) < total:
                after = learn(problem, state, stopped)
                if after is None:
                    done = f"stopped in epoch {len(state.history) + 1} of {total}"
                    raise Interrupted(f"{done}; --resume goes on from the end of epoch {len(state.history)}")
                state = after
                warn(problem.settings, state.history)
                save(folder / CHECKPOINT, asdict(problem.settings), state)
                last = state.history[-1]
                bar.advance(f"loss {last.loss:.4f}, test accuracy {100 * last.accuracy:.2f} %")
    finally:
        bar.close()
    return state


def report(problem: Problem, state: State) -> dict[str, Any]:
    """The contents of results.json.  Operations are relative to the multiply-accumulates of the ANN."""
    settings, net = problem.settings, problem.net
    rows = {name: np.stack([getattr(row, name) for row in state.history]) for name in Epoch._fields}
    if settings.gradient == "float":  # every connection multiplies
        rows["backward"] = np.broadcast_to(macs(net), rows["backward"].shape)
    return {
        "experiment": "spikegrad-mnist",
        "comparable": not settings.quick,
        "settings": asdict(settings),
        "versions": versions(),
        "connections": network.TOPOLOGIES["mnist"][0].split("-")[2:],
        "accuracy": float(rows["accuracy"][-1]),
        "starving": starving(rows["error_spikes"]),
        "redundancy": redundancy(problem, state.weights),
        "epochs": {
            **{name: rows[name].tolist() for name in ("loss", "accuracy", "learning_rate", "spikes", "error_spikes")},
            "forward": [relative(net, made) for made in rows["forward"]],
            "backward": [relative(net, made) for made in rows["backward"]],
            "forward_by_layer": (rows["forward"] / macs(net)).tolist(),
            "backward_by_layer": (rows["backward"] / macs(net)).tolist(),
        },
    }


def redundancy(problem: Problem, weights: tuple[Weights, ...]) -> dict[str, dict[str, float]]:
    """Spikes of the event-driven network over |totals|, on the test images with the largest loss.  [T19 Eq. 21]

    On most images the trained network is right and its error makes no spike.  bound: of spikes, summed over neurons.
    """
    data, images = problem.data, QUICK_EVENTS if problem.settings.quick else EVENTS
    hundreds = (data.x_test[i : i + 100] for i in range(0, len(data.x_test), 100))
    V = np.concatenate([fast.forward(problem.net, weights, x)[0] for x in hundreds])
    found: dict[str, dict[str, float]] = {phase: {} for phase in ("forward", "backward")}
    for i in np.argsort(-ann.cross_entropy(V, data.labels_test))[:images]:
        U = ann.top_error(V[i : i + 1], data.labels_test[i : i + 1], problem.settings.alpha)[0]
        for phase, numbers in ops.spent(problem.net, weights, data.x_test[i], U).items():
            found[phase] = {name: found[phase].get(name, 0) + more for name, more in numbers.items()}
    return {phase: sums | {"ratio": sums["spikes"] / max(1, sums["totals"])} for phase, sums in found.items()}


def starving(error_spikes: Array) -> list[int]:
    """Epochs in which no error spike reached each layer, so that it learned nothing.  (epochs, layers)."""
    return [int(n) for n in (error_spikes == 0).sum(axis=0)]


def warn(settings: Settings, history: list[Epoch]) -> None:
    """Warn, once for each layer, that alpha is too small for it."""
    epochs_without = starving(np.stack([row.error_spikes for row in history]))
    for k, without in enumerate(epochs_without, 1):
        if without == 1 and history[-1].error_spikes[k - 1] == 0:
            text = f"alpha = {settings.alpha:g}: no error spike reached layer {k} in epoch {len(history)}"
            warnings.warn(f"{text}, so it learned nothing; a larger alpha makes finer errors", stacklevel=2)


def one_line(results: dict[str, Any]) -> str:
    """The result in one line."""
    settings, last = results["settings"], results["epochs"]["backward"][-1]
    mark = "" if results["comparable"] else " (quick: not comparable)"
    return (
        f"spikegrad-mnist: test accuracy {100 * results['accuracy']:.2f} %, {len(results['epochs']['loss'])} epochs, "
        f"{settings['gradient']} gradient, alpha {settings['alpha']:g}, seed {settings['seed']}; "
        f"{last:.3f} operations per multiply-accumulate in backpropagation{mark}"
    )
