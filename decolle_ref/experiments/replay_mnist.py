"""MNIST's test images, shown to the networks that the authors trained, in the `dcll` dialect.  [K20 Sec. 4.2]

Weights, decays, gains and readouts are those in the authors' files (`data.authors.mnist`); nothing is fitted.  Input
spikes are sampled as in their script: 100 Hz for a white pixel.  Every network begins each image at rest, and every
readout votes at each step after burn-in.  In the short run a trained output layer takes the place of the readout of
layer 3; that readout itself is measured too.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, between, count
from decolle_ref.data import authors, mnist
from decolle_ref.data.encode import poisson_steps
from decolle_ref.decolle import dialects, lif, network
from decolle_ref.decolle.network import Layer, Network
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.readout import Readout
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Monitor, Results, Run
from decolle_ref.experiments.options import CommonSettings, option
from decolle_ref.experiments.poisson_mnist_network import CLASSES, KERNEL, PADDING, SHAPE, STAGES, grey
from decolle_ref.experiments.votes import Votes, poll
from decolle_ref.fast import NetworkStepper

RECORDINGS = ("regression", "mnist")
NETWORKS = tuple(authors.MNIST)
READOUTS = ("layer 1", "layer 2", "layer 3", "output")
BATCH, BLOCK = 64, 2  # images together, steps at a time


@dataclass(frozen=True)
class Settings(CommonSettings):
    """All that a run depends on.  The replay of the regression has nothing random and reads `recording` alone."""

    recording: str = option("regression", "what to replay", choices=RECORDINGS, positional=True)
    images: int = option(10000, "mnist: number of test images", quick=256)
    steps: int = option(300, "mnist: ms per image (the authors' script has 1500)")
    burn_in: int = option(50, "mnist: ms without votes at the beginning of an image", least=0)
    input_rate_hz: float = option(100.0, "mnist: input rate of a white pixel, in Hz")

    def __post_init__(self) -> None:
        super().__post_init__()
        count("steps", self.steps, self.burn_in + 1)


class Trained(NamedTuple):
    """A network that the authors trained."""

    network: Network
    weights: tuple[Weights, ...]
    top: Weights | None  # of the output layer


def build(stored: Mapping[str, Array]) -> Trained:
    """The stored network in the dialect `dcll`, in float32.

    The gains are those of the file: g_P = tau_m/dt and g_Q = tau_s/dt, which differ in the last bits from 1/(1 - alpha)
    and 1/(1 - beta).
    """
    layers, weights, shape = [], [], SHAPE
    for k, (channels, size) in enumerate(STAGES, 1):
        constants = (f"layer{k}_{x}" for x in ("alpha", "beta", "tau_m_over_dt", "tau_s_over_dt"))
        alpha, beta, tau_m, tau_s = (x.reshape(()) if x.size == 1 else x for x in map(stored.__getitem__, constants))
        refractory = stored["gamma"], stored["w_refractory"]
        neuron = lif.from_decays(alpha, beta, *refractory, np.float32, dialects.dcll, gain_Q=tau_s, gain_P=tau_m)
        synapse = Conv2d(shape, channels, KERNEL, padding=PADDING)
        pool = None if size == 1 else MaxPool(synapse.shape, size)
        shape = synapse.shape if pool is None else pool.shape_out
        readout = Readout(stored[f"layer{k}_G"], stored[f"layer{k}_c"])
        layers.append(network.with_dialect(dialects.dcll, Layer(synapse, neuron, readout, pool=pool)))
        weights.append(Weights(stored[f"layer{k}_W"], stored[f"layer{k}_b"]))
    top = Weights(stored["layer3_top_W"], stored["layer3_top_b"]) if "layer3_top_W" in stored else None
    return Trained(tuple(layers), tuple(weights), top)


def vote(settings: Settings, trained: Trained, images: Array, first: int, workers: ThreadPoolExecutor) -> Votes:
    """Show images, the first of which has the number `first`, and let every step after burn-in vote."""
    stepper = NetworkStepper(trained.network, len(images), workers, BLOCK)
    rng = np.random.default_rng((settings.seed, first))
    stream = poisson_steps(rng, settings.input_rate_hz * grey(images))
    votes, steps = Votes(len(READOUTS), len(images)), range(settings.burn_in, settings.steps)
    return poll(votes, stepper, trained.weights, stream, steps, lambda: outputs(trained, stepper))


def outputs(trained: Trained, stepper: NetworkStepper) -> Array:
    """Y of all readouts: (steps, readouts, images, classes).  Without an output layer its place repeats layer 3's."""
    Y = [stepper.outputs(k) for k in range(len(trained.network))]
    if trained.top is None:
        return np.stack([*Y, Y[-1]], axis=1)
    a = stepper.read(len(Y) - 1)
    return np.stack([*Y, Dense(a.shape[-1], CLASSES).drive(trained.top, a)], axis=1)


class ReplayMnist(Run[Array]):
    """Each step shows one batch of images to one network.  The state holds the mistakes: (batches done, readouts)."""

    step_name, checkpoint_every = "batch", 4

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: Any = None) -> None:
        self.settings, self.workers = settings, workers
        self.stored = {name: authors.mnist(name) for name in NETWORKS}
        self.trained = {name: build(stored) for name, stored in self.stored.items()}
        images, labels = mnist.load("test") if data is None else data
        mnist.validate(images, labels, "test")
        if settings.images > len(labels):
            raise InputError(f"images: expected at most {len(labels)}, got {settings.images}")
        self.images, self.labels = images[: settings.images], labels[: settings.images]
        self.batches = -(-settings.images // BATCH)
        self.steps = len(NETWORKS) * self.batches

    def begin(self) -> Array:
        """No batch is shown yet."""
        return np.zeros((0, len(READOUTS)), int)

    def done(self, state: Array) -> int:
        """Batches shown, to all networks."""
        return len(state)

    def step(self, state: Array, monitor: Monitor) -> Array:
        """Show one more batch."""
        name, first = NETWORKS[len(state) // self.batches], len(state) % self.batches * BATCH
        batch = slice(first, first + BATCH)
        votes = vote(self.settings, self.trained[name], self.images[batch], first, self.workers)
        return np.vstack([state, votes.wrong(self.labels[batch])])

    def pack(self, state: Array) -> dict[str, Array]:
        """The mistakes so far."""
        return {"mistakes": state}

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> Array:
        """The mistakes from a checkpoint."""
        row = Field((len(READOUTS),), 0, BATCH, whole=True)
        mistakes = checkpoint.history(path, arrays, "mistakes", row, self.steps)
        firsts = np.arange(len(mistakes)) % self.batches * BATCH
        shown = np.minimum(BATCH, len(self.labels) - firsts)  # images in each batch
        return between(f"{path} mistakes", mistakes, high=shown[:, None])

    def report(self, state: Array) -> tuple[Results, dict[str, Array]]:
        """The errors of all readouts beside the authors' last recorded ones, and the kernels."""
        wrong = state.reshape(len(NETWORKS), self.batches, len(READOUTS)).sum(axis=1) / len(self.labels)
        error = {name: self.by_readout(name, column) for name, column in zip(NETWORKS, wrong, strict=True)}
        kernels = {f"{name}_kernels": stored["layer1_W"][:, 0] for name, stored in self.stored.items()}
        return {"images": len(self.labels), "error": error, "recorded": recorded()}, kernels

    def by_readout(self, name: str, errors: Array) -> dict[str, float]:
        """The errors by name of the readout, without the output layer where there is none."""
        kept = READOUTS if self.trained[name].top is not None else READOUTS[:-1]
        return {readout: float(error) for readout, error in zip(kept, errors, strict=False)}


def recorded() -> dict[str, dict[str, float]]:
    """The authors' own test errors at their last evaluation, where their curves are in the data folder."""
    try:
        curves = authors.curves()
    except InputError:
        return {}
    readouts = {"mnist_long": READOUTS[:3], "mnist_short": (*READOUTS[:2], "output")}
    return {name: dict(zip(readouts[name], curves[name][-1, 1:4].tolist(), strict=True)) for name in NETWORKS}


def one_line(results: Results) -> str:
    """The result in one line."""
    parts = []
    for name, errors in results["error"].items():
        theirs = results["recorded"].get(name, {})
        cells = (
            f"{readout} {100 * error:.2f} %" + (f" ({100 * theirs[readout]:.2f})" if readout in theirs else "")
            for readout, error in errors.items()
        )
        parts.append(f"{name} {', '.join(cells)}")
    beside = " (recorded by the authors)" if results["recorded"] else ""
    return f"replay mnist: error{beside} on {results['images']} test images: {'; '.join(parts)}"
