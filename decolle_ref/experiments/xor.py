"""Temporal exclusive or of two spikes, each early or late: the right output has to fire first.  [N19 Sec. V-D, Fig. 7]

2 inputs, 4 hidden neurons, 2 outputs, one spike each.  Output 0 should fire first if both inputs come at the same time,
output 1 if one is early and the other late.  Gradient descent on the loss of `credit.spike_time` plus `WAKING` times
the weight-sum cost, with all four patterns in a batch.  Each layer's gradient is clipped to the length `CLIP`, because
it has no bound where a neuron barely fires.

Initial weights are W_ij ~ N(MEAN / m, SPREAD^2 / m) for m senders.  A network has learned if all four patterns are
right after the last update; every seed has one attempt.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import spike_time
from decolle_ref.experiments.harness import Experiment, Headline, Monitor, Report, Results, SingleStep
from decolle_ref.experiments.options import CommonSettings, option

SIZES = (2, 4, 2)
EARLY, LATE = 0.0, 2.0  # in synaptic time constants
PATTERNS = np.array([[EARLY, EARLY], [LATE, LATE], [EARLY, LATE], [LATE, EARLY]])
TARGET = np.array([0, 0, 1, 1])
MEAN, SPREAD = 3.0, 1.0  # mean and deviation of the sum of a neuron's weights, which has to be above 1
LEARNING_RATE, CLIP, WAKING, EPOCHS = 0.2, 1.0, 1.0, 500
POINTS = 601  # times at which the potentials are drawn


class Trained(NamedTuple):
    """Many networks, trained in parallel."""

    W: tuple[Array, ...]  # (networks, n, m) per layer
    updates: Array  # (networks,), updates until all four patterns were right and stayed right; -1: not learned
    untrained: int  # number of networks with all four patterns right before the first update


def init_weights(seeds: Sequence[int]) -> tuple[Array, ...]:
    """W_ij ~ N(MEAN / m, SPREAD^2 / m) in every layer: one network per seed, independent of the other seeds."""
    networks = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        networks.append([rng.normal(MEAN / m, SPREAD / np.sqrt(m), (n, m)) for m, n in pairwise(SIZES)])
    return tuple(np.stack(layer) for layer in zip(*networks, strict=True))


def respond(W: Sequence[Array]) -> tuple[spike_time.Spikes, ...]:
    """The spike times of every network for the four patterns."""
    return spike_time.forward(W, _inputs(W))


def _inputs(W: Sequence[Array]) -> Array:
    return np.broadcast_to(spike_time.encode(PATTERNS), (*W[0].shape[:-2], *PATTERNS.shape))


def right(layers: Sequence[spike_time.Spikes]) -> Array:
    """True if the right output fires first in all four patterns, and a tie is not right.  (networks,)"""
    return np.asarray((spike_time.winner(layers[-1].z) == TARGET).all(axis=-1))


def gradient(W: Sequence[Array], layers: Sequence[spike_time.Spikes], waking: float) -> tuple[Array, ...]:
    """d (loss + waking weight_sum) / dW of every layer; backpropagation gives the part of the loss."""
    dW, _ = spike_time.backward(W, _inputs(W), layers, spike_time.error(layers[-1].z, TARGET))
    return tuple(g + waking * spike_time.weight_sum_gradient(w) for g, w in zip(dW, W, strict=True))


def clipped(g: Array) -> Array:
    """g, shortened to length CLIP where it is longer.  (networks, n, m)"""
    length = np.sqrt((g**2).sum(axis=(-1, -2), keepdims=True))
    return np.asarray(g / np.maximum(length / CLIP, 1))


def train(
    W: tuple[Array, ...], waking: float = WAKING, epochs: int = EPOCHS, tick: Callable[[str], None] = lambda text: None
) -> Trained:
    """W <- W - LEARNING_RATE clipped(dL/dW), `epochs` times; calls `tick` after each update."""
    layers = respond(W)
    good, updates = right(layers), np.zeros(len(W[0]), int)
    untrained = int(good.sum())
    for update in range(1, epochs + 1):
        W = tuple(w - LEARNING_RATE * clipped(g) for w, g in zip(W, gradient(W, layers, waking), strict=True))
        layers, before = respond(W), good
        good = right(layers)
        updates[good & ~before] = update
        tick(f"waking {waking:g}: {good.sum()} of {len(good)} right")
    return Trained(W, np.where(good, updates, -1), untrained)


@dataclass(frozen=True)
class Settings(CommonSettings):
    """The settings of a run."""

    networks: int = option(100, "number of networks, each with a seed of its own, counted from --seed", quick=10)

    @property
    def seeds(self) -> range:
        """The seeds of all networks."""
        return range(self.seed, self.seed + self.networks)


class Xor(SingleStep):
    """The run: it trains all networks in parallel, with the weight-sum cost and without it."""

    tick_name, parts = "update", 2 * EPOCHS

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.seeds = settings.seeds

    def compute(self, monitor: Monitor) -> Report:
        """The number of networks that learned, and the first network for the figure."""
        waking = train(init_weights(self.seeds), tick=monitor.tick)
        without = train(init_weights(self.seeds), waking=0, tick=monitor.tick)
        first = tuple(w[0] for w in waking.W)
        return {"constants": constants(), **summary(self.seeds, waking, without), "shown": show(first)}, arrays(first)


def constants() -> dict[str, Any]:
    """The constants of the task, for the record."""
    start = {"mean_of_weight_sum": MEAN, "standard_deviation_of_weight_sum": SPREAD}
    task = {"sizes": list(SIZES), "early": EARLY, "late": LATE}
    descent = {"learning_rate": LEARNING_RATE, "clip": CLIP, "waking": WAKING, "epochs": EPOCHS}
    return {"task": task, "start": start, **descent}


def summary(seeds: Sequence[int], waking: Trained, without: Trained) -> dict[str, Any]:
    """The numbers of networks that learned, with and without the weight-sum cost, and of updates until then."""
    updates = waking.updates[waking.updates >= 0]
    return {
        "networks": len(seeds),
        "learned": len(updates),
        "failed_seeds": [seeds[int(k)] for k in np.flatnonzero(waking.updates < 0)],
        "updates": {"median": float(np.median(updates)), "most": int(updates.max())} if len(updates) else None,
        "learned_without_waking": int((without.updates >= 0).sum()),
        "right_before_training": waking.untrained,
    }


def show(W: Sequence[Array]) -> dict[str, Any]:
    """The outputs of one network, and the largest difference between the closed form and the simulation."""
    layers = respond(W)
    return {
        "inputs": PATTERNS.tolist(),
        "outputs": [[_number(t) for t in row] for row in np.log(layers[-1].z)],
        "winner": spike_time.winner(layers[-1].z).tolist(),
        "target": TARGET.tolist(),
        "simulation_max_difference": _number(disagreement(W, layers)),
    }


def _number(t: float) -> float | None:
    """A time, or None for infinity, which JSON does not have."""
    return float(t) if np.isfinite(t) else None


def disagreement(W: Sequence[Array], layers: Sequence[spike_time.Spikes]) -> float:
    """The largest difference of all spike times from those of `simulate`; inf if a neuron fires in only one of them."""
    worst, times_in = 0.0, PATTERNS
    for weights, spikes in zip(W, layers, strict=True):
        times = np.log(spikes.z)
        expected = np.array([[spike_time.simulate(w, t) for w in weights] for t in times_in])
        differ = times != expected  # two silent neurons agree, and inf - inf would be NaN
        worst = max(worst, float(np.abs(times[differ] - expected[differ]).max(initial=0)))
        times_in = expected
    return worst


def arrays(W: Sequence[Array]) -> dict[str, Array]:
    """The arrays of the figure: spike times and potentials of both layers; U of a neuron is NaN after its spike."""
    t = [PATTERNS, *(np.log(layer.z) for layer in respond(W))]
    at = np.linspace(0, max(float(x[np.isfinite(x)].max(initial=LATE)) for x in t) + 0.5, POINTS)
    plotted: dict[str, Array] = {"at": at, "target": TARGET, "t_input": t[0], "t_hidden": t[1], "t_output": t[2]}
    for name, weights, times_in, times in zip(("hidden", "output"), W, t[:-1], t[1:], strict=True):
        U = np.stack([spike_time.potential(weights, arrivals, at) for arrivals in times_in])
        plotted[f"U_{name}"] = np.where(at[:, None] <= times[:, None, :], U, np.nan)
    return plotted


def one_line(results: Results) -> str:
    """The result in one line."""
    speed = f" (median {results['updates']['median']:g} updates)" if results["updates"] else ""
    return (
        f"xor: learned by {results['learned']} of {results['networks']} networks{speed}, "
        f"{results['learned_without_waking']} without the weight-sum cost, "
        f"{results['right_before_training']} untrained"
    )


def headline(results: Results) -> Headline:
    """The share of networks that learned, with and without the weight-sum cost."""
    learned = {"with the weight-sum cost": "learned", "without it": "learned_without_waking"}
    shares = {name: 100 * results[key] / results["networks"] for name, key in learned.items()}
    return Headline("networks that learned", "%", shares)


EXPERIMENT = Experiment(
    name="xor",
    summary="temporal exclusive or by gradients of spike times [N19 Fig. 7]",
    settings=Settings,
    make=Xor,
    one_line=one_line,
    headline=headline,
    example="--networks 20",
)
