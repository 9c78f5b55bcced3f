"""Four routes for the error, side by side while they learn: do random weights teach?  [N19 Sec. V-A, Fig. 5]

    angle^(l) = arccos( <dW^(l), dW_bp^(l)> / |dW^(l)| |dW_bp^(l)| )

between the update of layer l by a rule and by backpropagation *at the same weights*, over all training data.  Where
backpropagation gives the gradient, a small step at less than 90 degrees to it lowers the loss.  At the start random
feedback points anywhere; in a layer of many weights that is about 90 degrees.  What makes the angle fall is not the
feedback, which is fixed: the forward weights turn towards it.

- rate network: tanh, two hidden layers, learns the function of a random teacher, which a linear fit does not
- spiking network: three layers of LIF neurons learn to tell frozen spike patterns apart, by the forward traces of
  SuperSpike; compared with backpropagation through time.  Both leave out the reset path, so that the top layer's
  angle is 0 and the others' is due to how the error comes down: by random weights, and without the layers' dynamics

The control trains the top layer alone.  What is called the end is the mean over the last fifth of the measurements.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Cost
from decolle_ref.credit.methods import bptt, feedback, online, superspike
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.neuron import rate, spiking
from decolle_ref.credit.neuron.spiking import Synapses
from decolle_ref.decolle.optim import Adamax, OptState, update_each
from decolle_ref.experiments.harness import Experiment, Monitor, Results
from decolle_ref.experiments.study import Study, StudySettings, Unit

BP, FA, DFA, LOCAL = "backpropagation", "feedback alignment", "direct feedback alignment", "local errors"
CONTROL = "top layer alone"
LEARNED = 0.1  # of the variance of the target: the loss on test data below which the rate network counts as trained
POINTS = 25  # measurements after the first

TEACHER, STUDENT, GAIN = (5, 20, 5), (5, 50, 50, 5), 4.0
TRAIN, TEST, BATCH, EPOCHS, STEP = 1000, 500, 40, 150, 0.2
NET, PATTERNS, STEPS, CLASSES, SPIKING_EPOCHS, SPIKING_STEP = (30, 30, 30, 30), 8, 40, 4, 100, 0.002
CELL = spiking.neuron(tau_mem=0.010, tau_syn=0.005, reset="detach")

State = TypeVar("State")
Rates = tuple[Array, ...]  # weights of the rate network by layer
Trained = tuple[tuple[Synapses, ...], tuple[OptState, ...]]  # the spiking network and its optimiser


class Curve(NamedTuple):
    """One training, measured at POINTS + 1 times or fewer."""

    epoch: Array  # (points,)
    angle: Array  # (points, hidden layers), degrees
    loss: Array  # (points,)


def angle(a: Array, b: Array) -> float:
    """The angle between two updates in degrees; 90 where one of them is 0, and nothing is gained or lost."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip((a * b).sum() / size, -1, 1)))) if size else 90.0


def learn(
    start: State,
    epoch: Callable[[State], State],
    measure: Callable[[State], tuple[list[float], float]],
    epochs: int,
) -> Curve:
    """Train for some epochs; measure the angles of the hidden layers and the loss before, now and then, and after."""
    state, every = start, max(1, epochs // POINTS)
    points = [(0, *measure(state))]
    for n in range(1, epochs + 1):
        state = epoch(state)
        if n % every == 0:
            points.append((n, *measure(state)))
    return Curve(*(np.array(column) for column in zip(*points, strict=True)))


class RateTask(NamedTuple):
    """A teacher's function, and the student's start and fixed feedback."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array
    W: Rates
    G: list[Array]  # feedback alignment, shaped like W^(2..L)
    H: list[Array]  # direct feedback alignment, (n_L, n_l)
    A: list[Array]  # auxiliary readouts of the local errors, (n_L, n_l)


def weights(rng: np.random.Generator, sizes: Sequence[int], gain: float) -> Rates:
    """W_ij ~ N(0, gain^2 / n_below)."""
    return tuple(W for W, _ in spiking.init_weights(rng, sizes, gain))


def rate_task(rng: np.random.Generator) -> RateTask:
    """y = teacher(x), x ~ N(0, 1); a student that starts small, and feedback of the size of usual weights."""
    x = rng.standard_normal((TRAIN + TEST, TEACHER[0]))
    y = rate.forward(rate.tanh, weights(rng, TEACHER, GAIN), x).y[-1]
    hidden = STUDENT[1:]
    return RateTask(
        x[:TRAIN],
        y[:TRAIN],
        x[TRAIN:],
        y[TRAIN:],
        weights(rng, STUDENT, 0.5),
        feedback.sample_alignment(rng, hidden),
        feedback.sample_direct(rng, hidden),
        feedback.sample_direct(rng, hidden),
    )


def rate_update(rule: str, task: RateTask, W: Rates, x: Array, y: Array) -> Rates:
    """dL/dW of L = 1/2 sum (y^(L) - y)^2, as the rule has it."""
    seen = rate.forward(rate.tanh, W, x)
    e = seen.y[-1] - y
    routes: dict[str, Callable[[], Rates]] = {
        BP: lambda: rate.backpropagation(rate.tanh, W, seen, e),
        FA: lambda: rate.feedback_alignment(rate.tanh, task.G, seen, e),
        DFA: lambda: rate.direct_feedback_alignment(rate.tanh, task.H, seen, e),
        LOCAL: lambda: rate.local_errors(rate.tanh, task.A, seen, y, e),
        CONTROL: lambda: rate.direct_feedback_alignment(rate.tanh, [0 * h for h in task.H], seen, e),
    }
    return rate.gradient(routes[rule](), seen)


def unexplained(y: Array, target: Array) -> float:
    """Mean squared error over the variance of the target."""
    return float(((y - target) ** 2).mean() / target.var())


def linear_fit(task: RateTask) -> float:
    """What no hidden layer at all leaves unexplained of the test data, fitted by least squares."""
    W = np.linalg.lstsq(task.x, task.y, rcond=None)[0]
    return unexplained(task.x_test @ W, task.y_test)


def train_rate(rule: str, seed: int, epochs: int) -> Curve:
    """Stochastic gradient descent by one rule; every rule meets the same weights, data and order of data."""
    rng = np.random.default_rng(seed)
    task = rate_task(rng)

    def epoch(W: Rates) -> Rates:
        for k in rng.permutation(TRAIN).reshape(-1, BATCH):
            update = rate_update(rule, task, W, task.x[k], task.y[k])
            W = tuple(w - STEP / BATCH * dW for w, dW in zip(W, update, strict=True))
        return W

    def measure(W: Rates) -> tuple[list[float], float]:
        both = [rate_update(r, task, W, task.x, task.y)[:-1] for r in (rule, BP)]
        y = rate.forward(rate.tanh, W, task.x_test).y[-1]
        return [angle(*pair) for pair in zip(*both, strict=True)], unexplained(y, task.y_test)

    return learn(task.W, epoch, measure, epochs)


class SpikingTask(NamedTuple):
    """Frozen patterns, what to say to each, and the network's start and fixed feedback."""

    x: Array
    cost: Cost
    synapses: tuple[Synapses, ...]
    routes: dict[str, Route]


def spiking_task(rng: np.random.Generator) -> SpikingTask:
    """Each pattern is to raise the readout of its class, Y = G (epsilon * S), from step 10 on."""
    x = (rng.random((STEPS, PATTERNS, NET[0])) < 0.1).astype(float)
    goal = np.where(np.eye(CLASSES)[np.arange(PATTERNS) % CLASSES] > 0, 0.5, -0.5 / (CLASSES - 1))
    rise = np.clip(np.arange(STEPS) / 10 - 1, 0, 1)[:, None, None]
    G = rng.normal(0, 3 / np.sqrt(NET[-1]), (CLASSES, NET[-1]))
    cost = costs.global_cost(len(NET) - 1, costs.Target(rise * goal, G), costs.double_exponential(0.005, 0.010))
    return SpikingTask(
        x,
        cost,
        spiking.init_weights(rng, NET, 0.4),
        {
            FA: feedback.alignment(feedback.sample_alignment(rng, NET[1:])),
            DFA: feedback.direct(feedback.sample_direct(rng, NET[1:])),
            CONTROL: feedback.local_errors,
        },
    )


def spiking_update(rule: str, task: SpikingTask, synapses: tuple[Synapses, ...]) -> list[Array]:
    """dL/dW: backpropagation through time, or SuperSpike's traces with the errors that a route brings."""
    if rule == BP:
        gradient = bptt.gradient(CELL, synapses, task.x, task.cost)
    else:
        gradient = online.gradient(superspike.method, CELL, synapses, task.x, task.cost, task.routes[rule])
    return [W for W, _ in gradient]


def train_spiking(rule: str, seed: int, epochs: int) -> Curve:
    """Adamax by one rule on feed-forward weights, V = 0; the loss is relative to that of a silent network."""
    task, optimiser = spiking_task(np.random.default_rng(seed)), Adamax(beta2=0.999)

    def epoch(state: Trained) -> Trained:
        synapses, memory = state
        rates = [np.asarray(SPIKING_STEP)] * len(synapses)
        dW = spiking_update(rule, task, synapses)
        moved, memory = update_each(optimiser, [W for W, _ in synapses], dW, memory, rates)
        return tuple(s._replace(W=W) for s, W in zip(synapses, moved, strict=True)), memory

    def measure(state: Trained) -> tuple[list[float], float]:
        both = [spiking_update(r, task, state[0])[:-1] for r in (rule, BP)]
        S = spiking.forward(CELL, state[0], task.x).S
        silent = costs.value(task.cost, [np.zeros_like(layer) for layer in S])
        return [angle(*pair) for pair in zip(*both, strict=True)], float(costs.value(task.cost, S) / silent)

    memory = tuple(optimiser.init(s.W) for s in task.synapses)
    return learn((task.synapses, memory), epoch, measure, epochs)


NETWORKS: dict[str, tuple[tuple[str, ...], Callable[[str, int, int], Curve], int]] = {
    "rate": ((BP, FA, DFA, LOCAL, CONTROL), train_rate, EPOCHS),
    "spiking": ((BP, FA, DFA, CONTROL), train_spiking, SPIKING_EPOCHS),
}


def at_end(x: Array) -> list[Any]:
    """The mean over the last fifth of the measurements (points, ...)."""
    mean: list[Any] = x[-max(1, len(x) // 5) :].mean(axis=0).tolist()
    return mean


def summary(curves: list[Curve]) -> dict[str, Any]:
    """Start and end of one rule, by seed; angles by seed and hidden layer."""
    return {
        "angle_start": [c.angle[0].tolist() for c in curves],
        "angle_end": [at_end(c.angle) for c in curves],
        "loss_start": [float(c.loss[0]) for c in curves],
        "loss_end": [at_end(c.loss) for c in curves],
    }


class Alignment(Study):
    """Both networks trained by every rule."""

    result = Curve
    variants = tuple(f"{name}: {rule}" for name, (rules, _, _) in NETWORKS.items() for rule in rules)

    def learn(self, unit: Unit, monitor: Monitor) -> Curve:
        """One training."""
        name, rule = unit.variant.split(": ")
        _, train, epochs = NETWORKS[name]
        return train(rule, unit.seed, epochs // 25 if self.settings.quick else epochs)

    def status(self, state: tuple[Any, ...]) -> str:
        """The last loss."""
        return f"loss {state[-1].loss[-1]:.3f}" if state else ""

    def report(self, state: tuple[Any, ...]) -> tuple[Results, dict[str, Array]]:
        """Angles and losses at the start and end, and all curves (rules, seeds, points, ...)."""
        results: Results = {"seeds": list(self.seeds), "learned_below": LEARNED}
        arrays, by_variant = {}, self.by_variant(state)
        for name, (rules, _, _) in NETWORKS.items():
            curves = [by_variant[f"{name}: {rule}"] for rule in rules]
            results[name] = {rule: summary(by_seed) for rule, by_seed in zip(rules, curves, strict=True)}
            arrays[f"{name}_epoch"] = curves[0][0].epoch
            for field in ("angle", "loss"):
                arrays[f"{name}_{field}"] = np.array([[getattr(c, field) for c in by_seed] for by_seed in curves])
        results["linear_fit"] = [linear_fit(rate_task(np.random.default_rng(s))) for s in self.seeds]
        return results, arrays


def span(values: Any, unit: str = "", digits: int = 0) -> str:
    """Smallest to largest over the seeds."""
    return f"{np.min(values):.{digits}f} to {np.max(values):.{digits}f}{unit}"


def table(results: Results) -> str:
    """Fig. 5 in numbers, as a table in Markdown: smallest to largest over the seeds."""
    lines = [
        "| network, rule | layer 1: angle at start, end (degrees) | layer 2: the same | loss at start | at end |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in NETWORKS:
        for rule, found in results[name].items():
            start, end = np.array(found["angle_start"]).T, np.array(found["angle_end"]).T
            angles = [
                f"{span(a)}, {span(b)}" if rule in (FA, DFA, LOCAL) else "–" for a, b in zip(start, end, strict=True)
            ]
            losses = [span(found[key], digits=3) for key in ("loss_start", "loss_end")]
            lines.append(" | ".join([f"| {name}, {rule}", *angles, *losses]) + " |")
    return "\n".join(lines)


def one_line(results: Results) -> str:
    """The result in one line."""
    ends = {rule: np.array(results["rate"][rule]["angle_end"]).max(axis=0) for rule in (FA, DFA)}
    angles = ", ".join(f"{rule} at most {one:.0f} and {two:.0f}" for rule, (one, two) in ends.items())
    loss = max(max(results["rate"][rule]["loss_end"]) for rule in ends)
    return (
        f"alignment: degrees from backpropagation in layers 1, 2 over {len(results['seeds'])} seeds: {angles}; "
        f"test loss at most {loss:.3f} of the variance (learned: below {results['learned_below']:g})"
    )


EXPERIMENT = Experiment(
    name="alignment",
    summary="angles of random feedback to backpropagation over training [N19 Fig. 5]",
    group="experiments",
    settings=StudySettings,
    make=Alignment,
    one_line=one_line,
    table=table,
    example="--repeats 2",
)
