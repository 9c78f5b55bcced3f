"""Regression with Poisson spike trains: three layers learn three functions of time.  [K20 Sec. 4.1, Fig. 1]

A frozen 500 ms input is shown again and again; layer 1 learns a ramp, layer 2 a fast and layer 3 a slow sinusoid, each
through its own random readout, with one update at every millisecond after burn-in.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref import fast
from decolle_ref._util import store
from decolle_ref._util.check import Array, count, float_dtype, not_negative, positive, validate_choice, validate_shape
from decolle_ref.data import authors
from decolle_ref.data.encode import poisson
from decolle_ref.decolle import dialects, lif, network, readout
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Layer, Network
from decolle_ref.decolle.objective import Objective, Regulariser
from decolle_ref.decolle.optim import Adamax, stepwise
from decolle_ref.decolle.synapse import Dense, Weights
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.longrun import Interrupted, Progress, stop_requests, versions

STEPS = 500
BURN_IN = 20
CHANNELS = 100
RATE_HZ = 100.0
TARGETS = ("ramp", "fast", "slow")
SCALE = 10.0, 30.0  # of the initial weights in layer 1 and above, where spikes are about three times sparser
ACTIVE = 0.25  # fraction of potentials above threshold before learning, resets left out
QUICK_EPOCHS = 5
CHECKPOINT = "checkpoint.npz"
CHECKPOINT_EVERY = 10  # epochs
KIND = "decolle_ref regression checkpoint"
STATES = "decolle_ref regression states"


@dataclass(frozen=True)
class Settings:
    """All that a run depends on.  Raises InputError for values that make no sense."""

    epochs: int = 200
    seed: int = 0
    layers: tuple[int, ...] = (512, 512, 512)
    input: str = "poisson"
    dtype: str = "float32"
    learning_rate: float = 1e-3  # per unit of normalised trace
    beta2: float = 0.999  # the paper's 0.95 forgets within 20 ms; 0.999 remembers the whole sequence
    readout_amplitude: float = 2.0
    lambda1: float = 0.08  # pushes down every U above -0.01, while lambda2 pushes all of them up: as printed, the two
    lambda2: float = 0.004  # balance where lambda2 / lambda1 = 5 % of the potentials lie above
    dialect: str = "paper"
    quick: bool = False

    def __post_init__(self) -> None:
        count("epochs", self.epochs)
        count("seed", self.seed, 0)
        count("number of layers", len(self.layers))
        for size in self.layers:
            count("layers", size)
        validate_choice("input", self.input, ("poisson", "authors"))
        float_dtype(self.dtype)
        dialects.named(self.dialect)
        not_negative("learning_rate", self.learning_rate)
        positive("readout_amplitude", self.readout_amplitude)
        Adamax(beta2=self.beta2)  # raises where it makes no sense
        Regulariser(self.lambda1, self.lambda2)

    def plain(self) -> dict[str, Any]:
        """As JSON gives them back."""
        return asdict(self) | {"layers": list(self.layers)}


class Problem(NamedTuple):
    """What a run works on, made from its settings alone."""

    network: Network
    weights: tuple[Weights, ...]  # before learning
    learner: Learner
    spikes: Array  # (STEPS, CHANNELS)
    targets: Array  # (STEPS, layers, 1)


class Measured(NamedTuple):
    """One pass over the sequence, after burn-in."""

    mse: Array  # (layers,), mean of (Y - Yhat)^2
    rate: Array  # (layers,), spikes per neuron and step


def targets(layers: int) -> Array:
    """Ramp x, fast 0.5 cos(200 x / 2 / pi), slow 0.5 sin(100 x / 2 / pi), x = n/499; in turn.  (STEPS, layers, 1)."""
    x = np.arange(STEPS) / (STEPS - 1)
    three = (x, 0.5 * np.cos(200 * x / 2 / np.pi), 0.5 * np.sin(100 * x / 2 / np.pi))
    return np.stack([three[k % 3] for k in range(layers)], axis=1)[..., None]


def build(settings: Settings) -> Problem:
    """The network, its input and its learner, drawn from the seed."""
    rng = np.random.default_rng(settings.seed)
    if settings.input == "authors":
        spikes = authors.regression()["input_spikes"]
    else:
        spikes = poisson(rng, RATE_HZ, STEPS, CHANNELS)
    dialect = dialects.named(settings.dialect)
    objective = Objective(regulariser=Regulariser(settings.lambda1, settings.lambda2, "membrane"))
    layers, weights, rates = [], [], []
    n_in, below = CHANNELS, spikes
    for k, n in enumerate(settings.layers):
        tau_mem, tau_syn = lif.sample_time_constants(rng, n_in)
        neuron = lif.neuron(tau_mem, tau_syn, dtype=settings.dtype, dialect=dialect)
        G = readout.sample_readout(rng, n, 1, settings.readout_amplitude, settings.dtype)
        layers.append(network.with_dialect(dialect, Layer(Dense(n_in, n), neuron, G, objective=objective)))
        drawn = layers[-1].synapse.init_weights(rng, neuron, SCALE[min(k, 1)])
        settled, below = settle(layers[-1], drawn, below)
        weights.append(settled)
        rate = np.asarray(settings.learning_rate, settings.dtype)
        rates.append(Weights(W=rate / lif.trace_gain(neuron), b=rate))
        n_in = n
    updates = settings.epochs * (STEPS - BURN_IN)
    schedule = stepwise((updates * 2 // 5, updates * 3 // 5, updates * 4 // 5), 0.2)
    learner = Learner(rates, Adamax(beta2=settings.beta2), schedule, BURN_IN, fast.update_layer)
    goals = targets(len(layers)).astype(settings.dtype)
    return Problem(tuple(layers), tuple(weights), learner, spikes, goals)


def settle(layer: Layer, weights: Weights, spikes: Array) -> tuple[Weights, Array]:
    """Shift the biases until ACTIVE of all potentials exceed the threshold; returns them and the spikes that result.

    Without it the share of active neurons differs from seed to seed, the more so the higher the layer.
    """
    free = layer._replace(neuron=layer.neuron._replace(delta=np.zeros_like(layer.neuron.delta)))
    U = np.stack([s.U for s in alone(free, weights, spikes)])[BURN_IN:]
    shift = np.quantile(U, 1 - ACTIVE).astype(U.dtype)
    settled = Weights(weights.W, weights.b - shift)
    return settled, np.stack([s.S for s in alone(layer, settled, spikes)])


def alone(layer: Layer, weights: Weights, spikes: Array) -> Iterator[network.Snapshot]:
    """What one layer shows by itself, without learning."""
    start = Carry((weights,), network.rest([layer]))
    return (seen for _, (seen,) in network.run([layer], start, spikes))


def passes(
    problem: Problem, start: Carry, learner: Learner | None
) -> Iterator[tuple[Carry, tuple[network.Snapshot, ...]]]:
    """One showing of the sequence, from rest."""
    fresh = start._replace(state=network.rest(problem.network), n=0)
    return network.run(problem.network, fresh, problem.spikes, problem.targets, learner)


def learn(problem: Problem, start: Carry) -> tuple[Carry, Measured]:
    """Show the sequence once while the network learns, and measure each layer after burn-in."""
    layers = len(problem.network)
    squared, rate = np.zeros(layers), np.zeros(layers)
    carry = start
    for carry, shown in passes(problem, start, problem.learner):
        if carry.n > BURN_IN:
            goal = problem.targets[carry.n - 1]
            squared += [float(((s.Y - y) ** 2).mean()) for s, y in zip(shown, goal, strict=True)]
            rate += [float(s.S.mean()) for s in shown]
    return carry, Measured(squared / (STEPS - BURN_IN), rate / (STEPS - BURN_IN))


def watch(problem: Problem, weights: tuple[Weights, ...]) -> tuple[Measured, dict[str, Array]]:
    """Show the sequence once with learning off: what `learn` measures, and the states of [K20 Fig. 1].

    The outputs Y of all layers, and of the top layer its input spikes, P, Q, U, S, sigma'(U), dY and dU; time first.
    """
    shown = [s for _, s in passes(problem, Carry(weights, ()), None)]
    Y = np.stack([[layer.Y for layer in s] for s in shown])
    rate = np.array([[layer.S.mean() for layer in s] for s in shown])
    measured = Measured(((Y - problem.targets) ** 2)[BURN_IN:].mean(axis=(0, 2)), rate[BURN_IN:].mean(axis=0))
    top = {name: np.stack([getattr(s[-1], name) for s in shown]) for name in ("P", "Q", "U", "S", "dY", "dU")}
    below = problem.spikes if len(problem.network) == 1 else np.stack([s[-2].S for s in shown])
    derivative = problem.network[-1].surrogate.derivative(top["U"])
    return measured, {"spikes_in": below, "derivative": derivative, "Y": Y, "target": problem.targets, **top}


def train(settings: Settings, out: Path, resume: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Run [K20 Sec. 4.1] into the folder `out`: checkpoint.npz, states.npz, results.json.  Returns the results.

    Raises InputError for an `out` that cannot be written or a checkpoint that does not belong to these settings, and
    Interrupted after Ctrl-C, with a checkpoint left behind.
    """
    folder = store.output_folder(out)
    problem = build(settings)
    before, untrained = watch(problem, problem.weights)
    carry, history = begin(problem, settings, folder, resume)
    carry, history = epochs(problem, carry, history, settings, folder, quiet)
    after, states = watch(problem, carry.weights)
    arrays = {**states, "Y_before": untrained["Y"]}
    store.write_arrays(folder / "states.npz", STATES, arrays, {"settings": settings.plain()})
    results = report(settings, history, before, after)
    store.write_json(folder / "results.json", results)
    return results


def begin(problem: Problem, settings: Settings, folder: Path, resume: bool) -> tuple[Carry, list[Measured]]:
    """The start of a run, or the place where it was left."""
    if resume and (folder / CHECKPOINT).exists():
        path, synapses = folder / CHECKPOINT, [layer.synapse for layer in problem.network]
        carry, (history,) = checkpoint.load(path, KIND, synapses, settings.dtype, settings.plain(), ["history"])
        validate_shape("checkpoint history", history, (min(len(history), settings.epochs), 2, len(problem.network)))
        checkpoint.require_updates(path, carry, len(history) * (STEPS - BURN_IN))
        return carry, [Measured(*row) for row in history]
    (folder / "results.json").unlink(missing_ok=True)  # of an earlier run
    weights = tuple(Weights(w.W.copy(), w.b.copy()) for w in problem.weights)  # fast.update_layer overwrites its own
    carry = Carry(weights, (), problem.learner.init(weights))
    save(folder, carry, [], settings)
    return carry, []


def save(folder: Path, carry: Carry, history: list[Measured], settings: Settings) -> None:
    """Write the checkpoint."""
    rows: Array = np.array(history).reshape(len(history), 2, len(carry.weights))
    checkpoint.save(folder / CHECKPOINT, KIND, carry, {"history": rows}, settings.plain())


def epochs(
    problem: Problem, carry: Carry, history: list[Measured], settings: Settings, folder: Path, quiet: bool
) -> tuple[Carry, list[Measured]]:
    """Show the sequence until all epochs are done or the user asks to stop."""
    bar = Progress("regression", settings.epochs, len(history), quiet)
    try:
        with stop_requests() as stopped:
            while len(history) < settings.epochs:
                carry, measured = learn(problem, carry)
                history = [*history, measured]
                bar.advance("mse " + " ".join(f"{m:.4f}" for m in measured.mse))
                done = len(history)
                if stopped() or done % CHECKPOINT_EVERY == 0 or done == settings.epochs:
                    save(folder, carry, history, settings)
                if stopped() and done < settings.epochs:
                    raise Interrupted(f"stopped after epoch {done} of {settings.epochs}; --resume goes on from there")
    finally:
        bar.close()
    return carry, history


def report(settings: Settings, history: list[Measured], before: Measured, after: Measured) -> dict[str, Any]:
    """The contents of results.json."""
    names = [TARGETS[k % 3] for k in range(len(settings.layers))]
    return {
        "experiment": "regression",
        "comparable": not settings.quick,
        "settings": settings.plain(),
        "versions": versions(),
        "targets": names,
        "before": {name: values.tolist() for name, values in before._asdict().items()},
        "after": {name: values.tolist() for name, values in after._asdict().items()},
        "epochs": {
            "mse": [m.mse.tolist() for m in history],
            "rate": [m.rate.tolist() for m in history],
        },
    }


def one_line(results: dict[str, Any]) -> str:
    """The result in one line."""
    after = results["after"]
    layers = zip(results["targets"], after["mse"], after["rate"], strict=True)
    text = ", ".join(f"{name} {mse:.5f} ({100 * rate:.1f} %)" for name, mse, rate in layers)
    mark = "" if results["comparable"] else " [quick: not comparable]"
    return f"regression: mean squared error (spike rate) {text} after {len(results['epochs']['mse'])} epochs{mark}"
