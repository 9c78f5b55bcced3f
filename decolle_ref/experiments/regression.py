"""Regression with Poisson spike trains: three layers learn three functions of time.  [K20 Sec. 4.1, Fig. 1]

The input of every epoch is the same 500 ms.  Layer 1 learns a ramp, layer 2 a fast and layer 3 a slow sinusoid, each
through its own random readout, with one update at every millisecond after burn-in.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from decolle_ref import fast
from decolle_ref._util.check import Array
from decolle_ref.data import authors
from decolle_ref.data.encode import poisson
from decolle_ref.decolle import dialects, lif, network, readout
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Layer, Network
from decolle_ref.decolle.objective import Objective, Regulariser
from decolle_ref.decolle.optim import Adamax, stepwise
from decolle_ref.decolle.synapse import Dense, Weights
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Experiment, Headline, Monitor, Results, Run
from decolle_ref.experiments.options import CommonSettings, option

STEPS = 500
BURN_IN = 20
CHANNELS = 100
INPUT_RATE_HZ = 100.0
TARGETS = ("ramp", "fast", "slow")
SCALE = (
    10.0,
    30.0,
)  # scales of the initial weights in layer 1 and above: spikes are about three times sparser than the input
ACTIVE = 0.25  # fraction of potentials above threshold before learning, in a neuron without reset


@dataclass(frozen=True)
class Settings(CommonSettings):
    """The settings of a run."""

    epochs: int = option(200, "how often the sequence is shown", quick=5)
    layers: tuple[int, ...] = option((512, 512, 512), "neurons of each layer")
    input: str = option("poisson", "input spikes: our own, or the authors' recording", choices=("poisson", "authors"))
    dtype: str = option("float32", "precision", choices=("float32", "float64"))
    dialect: str = option("paper", "variant of DECOLLE", choices=dialects.DIALECTS)
    learning_rate: float = option(1e-3, "learning rate per unit of normalised trace")
    # the paper's 0.95 averages over 20 ms, 0.999 over the whole sequence
    beta2: float = option(0.999, "decay of Adamax's maximum; the paper has 0.95")
    readout_amplitude: float = option(
        2.0, "the readout's weights are uniform within it, over the square root of n", above_zero=True
    )
    # lambda1 lowers every U above -0.01, while lambda2 raises all U: as printed, the two balance when
    # lambda2 / lambda1 = 5 % of the potentials lie above -0.01
    lambda1: float = option(0.08, "strength of the first regulariser [K20 Eq. 4]")
    lambda2: float = option(0.004, "strength of the second regulariser [K20 Eq. 4]")

    def __post_init__(self) -> None:
        Adamax(beta2=self.beta2)  # raises where it makes no sense
        super().__post_init__()


class Problem(NamedTuple):
    """The network, its learner, its input and its targets; the settings determine all of them."""

    network: Network
    weights: tuple[Weights, ...]  # before learning
    learner: Learner
    spikes: Array  # (STEPS, CHANNELS)
    targets: Array  # (STEPS, layers, 1)


class Measured(NamedTuple):
    """The measurements of one pass over the sequence, after burn-in."""

    mse: Array  # (layers,), mean of (Y - Yhat)^2
    spike_rate: Array  # (layers,), spikes per neuron and step


def targets(layers: int) -> Array:
    """Ramp x, fast 0.5 cos(200 x / 2 / pi), slow 0.5 sin(100 x / 2 / pi), x = n/499; in turn.  (STEPS, layers, 1)."""
    x = np.arange(STEPS) / (STEPS - 1)
    three = (x, 0.5 * np.cos(200 * x / 2 / np.pi), 0.5 * np.sin(100 * x / 2 / np.pi))
    return np.stack([three[k % 3] for k in range(layers)], axis=1)[..., None]


def build(settings: Settings) -> Problem:
    """The network, its input and its learner, sampled with the seed."""
    rng = np.random.default_rng(settings.seed)
    if settings.input == "authors":
        spikes = authors.regression()["input_spikes"]
    else:
        spikes = poisson(rng, INPUT_RATE_HZ, STEPS, CHANNELS)
    dialect = dialects.named(settings.dialect)
    objective = Objective(regulariser=Regulariser(settings.lambda1, settings.lambda2, "membrane"))
    layers, weights, learning_rates = [], [], []
    n_in, below = CHANNELS, spikes
    for k, n in enumerate(settings.layers):
        tau_mem, tau_syn = lif.sample_time_constants(rng, n_in)
        neuron = lif.neuron(tau_mem, tau_syn, dtype=settings.dtype, dialect=dialect)
        G = readout.sample_readout(rng, n, 1, settings.readout_amplitude, settings.dtype)
        layers.append(network.with_dialect(dialect, Layer(Dense(n_in, n), neuron, G, objective=objective)))
        initial = layers[-1].synapse.init_weights(rng, neuron, SCALE[min(k, 1)])
        settled, below = settle(layers[-1], initial, below)
        weights.append(settled)
        learning_rate = np.asarray(settings.learning_rate, settings.dtype)
        learning_rates.append(Weights(W=learning_rate / lif.trace_gain(neuron), b=learning_rate))
        n_in = n
    updates = settings.epochs * (STEPS - BURN_IN)
    schedule = stepwise((updates * 2 // 5, updates * 3 // 5, updates * 4 // 5), 0.2)
    learner = Learner(learning_rates, Adamax(beta2=settings.beta2), schedule, BURN_IN)
    goals = targets(len(layers)).astype(settings.dtype)
    return Problem(tuple(layers), tuple(weights), learner, spikes, goals)


def settle(layer: Layer, weights: Weights, spikes: Array) -> tuple[Weights, Array]:
    """Shift the biases so that the fraction ACTIVE of all potentials exceeds the threshold; returns weights and spikes.

    Without this shift the fraction of active neurons varies between seeds, and the more the higher the layer is.
    """
    free = layer._replace(neuron=layer.neuron._replace(delta=np.zeros_like(layer.neuron.delta)))
    U = np.stack([s.U for s in alone(free, weights, spikes)])[BURN_IN:]
    shift = np.quantile(U, 1 - ACTIVE).astype(U.dtype)
    settled = Weights(weights.W, weights.b - shift)
    return settled, np.stack([s.S for s in alone(layer, settled, spikes)])


def alone(layer: Layer, weights: Weights, spikes: Array) -> Iterator[network.Snapshot]:
    """Run one layer alone, without learning."""
    start = Carry((weights,), network.rest([layer]))
    return (snapshot for _, (snapshot,) in network.run([layer], start, spikes))


def at_rest(problem: Problem, carry: Carry) -> Carry:
    """The start of a pass over the sequence."""
    return carry._replace(state=network.rest(problem.network), n=0)


def learn(problem: Problem, start: Carry) -> tuple[Carry, Measured]:
    """One pass over the sequence with learning; measures each layer after burn-in."""
    goals = list(problem.targets.swapaxes(0, 1))
    carry, layers = fast.learn(problem.network, at_rest(problem, start), problem.spikes, goals, problem.learner)
    squared = [((layer.Y - goal) ** 2)[BURN_IN:].mean(dtype=float) for layer, goal in zip(layers, goals, strict=True)]
    return carry, Measured(np.array(squared), np.array([layer.spike_rate[BURN_IN:].mean() for layer in layers]))


def watch(problem: Problem, weights: tuple[Weights, ...]) -> tuple[Measured, dict[str, Array]]:
    """One pass over the sequence without learning: the measurements of `learn`, and the states of [K20 Fig. 1].

    The states are Y of all layers, and the input spikes, P, Q, U, S, sigma'(U), dY and dU of the top layer; time first.
    """
    _, layers = fast.evaluate(problem.network, weights, problem.spikes)
    Y, spike_rate = np.stack([x.Y for x in layers], axis=1), np.stack([x.S.mean(axis=1) for x in layers], axis=1)
    measured = Measured(((Y - problem.targets) ** 2)[BURN_IN:].mean(axis=(0, 2)), spike_rate[BURN_IN:].mean(axis=0))
    below = problem.spikes if len(layers) == 1 else layers[-2].S
    top, start = problem.network[-1:], Carry(weights[-1:], network.rest(problem.network[-1:]))
    snapshots = [s for _, (s,) in network.run(top, start, below, problem.targets[:, -1:])]
    states = {name: np.stack([getattr(s, name) for s in snapshots]) for name in ("P", "Q", "U", "S", "dY", "dU")}
    derivative = top[0].surrogate.derivative(states["U"])
    return measured, {"spikes_in": below, "derivative": derivative, "Y": Y, "target": problem.targets, **states}


class State(NamedTuple):
    """The state of a run between two epochs."""

    carry: Carry
    history: tuple[Measured, ...]  # one for each epoch


class Regression(Run[State]):
    """The run: each step is one epoch, a pass over the sequence with learning.  [K20 Sec. 4.1]"""

    checkpoint_every = 10

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.settings, self.steps = settings, settings.epochs
        self.problem = build(settings)
        self.before, self.untrained = watch(self.problem, self.problem.weights)

    def begin(self) -> State:
        """The initial weights."""
        weights = self.problem.weights
        return State(Carry(weights, (), self.problem.learner.init(weights)), ())

    def done(self, state: State) -> int:
        """The number of epochs so far."""
        return len(state.history)

    def step(self, state: State, monitor: Monitor) -> State:
        """Train for one epoch."""
        carry, measured = learn(self.problem, state.carry)
        return State(carry, (*state.history, measured))

    def status(self, state: State) -> str:
        """The errors of the last epoch."""
        return "mse " + " ".join(f"{m:.4f}" for m in state.history[-1].mse) if state.history else ""

    def pack(self, state: State) -> dict[str, Array]:
        """Weights, the optimiser's state, and the history (epochs, 2, layers)."""
        history: Array = np.array(state.history).reshape(len(state.history), 2, len(self.problem.network))
        return {**checkpoint.pack(state.carry), "history": history}

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> State:
        """The state from a checkpoint."""
        synapses = [layer.synapse for layer in self.problem.network]
        row = Field((2, len(synapses)), low=0, high=np.array([[np.inf], [1]]))  # of `Measured`
        history = checkpoint.history(path, arrays, "history", row, self.steps)
        carry = checkpoint.unpack(path, arrays, synapses, self.settings.dtype)
        checkpoint.validate_updates(path, carry, len(history) * (STEPS - BURN_IN))
        return State(carry, tuple(Measured(*row) for row in history))

    def report(self, state: State) -> tuple[Results, dict[str, Array]]:
        """Errors and spike rates before and after training, with learning off, and the states of [K20 Fig. 1]."""
        after, states = watch(self.problem, state.carry.weights)
        history = {name: [getattr(m, name).tolist() for m in state.history] for name in Measured._fields}
        return {
            "targets": [TARGETS[k % 3] for k in range(len(self.settings.layers))],
            "before": {name: values.tolist() for name, values in self.before._asdict().items()},
            "after": {name: values.tolist() for name, values in after._asdict().items()},
            "epochs": history,
        }, {**states, "Y_before": self.untrained["Y"]}


def one_line(results: Results) -> str:
    """The result in one line."""
    after = results["after"]
    layers = zip(results["targets"], after["mse"], after["spike_rate"], strict=True)
    text = ", ".join(f"{name} {mse:.5f} ({100 * rate:.1f} %)" for name, mse, rate in layers)
    return f"regression: mean squared error (spike rate) {text} after {len(results['epochs']['mse'])} epochs"


def headline(results: Results) -> Headline:
    """The error of every layer after training."""
    names = [f"{name} of layer {k}" for k, name in enumerate(results["targets"], 1)]
    return Headline("mean squared error", "", dict(zip(names, results["after"]["mse"], strict=True)))


EXPERIMENT = Experiment(
    name="regression",
    summary="three layers learn three functions of time [K20 Sec. 4.1, Fig. 1]",
    settings=Settings,
    make=Regression,
    one_line=one_line,
    headline=headline,
    example="--epochs 20 --layers 128 128 128",
)
