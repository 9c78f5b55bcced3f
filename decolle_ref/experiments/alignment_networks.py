"""The two networks of the alignment experiment, trained by every rule.  [N19 Sec. V-A, Fig. 5]

The rate network learns the function of a random teacher network; the spiking network learns to classify fixed patterns.
During each training the loss and the angles between its updates and those of backpropagation are measured regularly.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Cost
from decolle_ref.credit.methods import bptt, feedback, online, superspike
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.neuron import rate, spiking
from decolle_ref.credit.neuron.spiking import Synapses
from decolle_ref.decolle.optim import Adamax, OptState, update_each

BP, FA, DFA, LOCAL = "backpropagation", "feedback alignment", "direct feedback alignment", "local errors"
CONTROL = "top layer alone"
POINTS = 25  # measurements after the first

TEACHER, STUDENT, GAIN = (5, 20, 5), (5, 50, 50, 5), 4.0
TRAIN, TEST, BATCH, EPOCHS, STEP = 1000, 500, 40, 150, 0.2
NET, PATTERNS, STEPS, CLASSES, SPIKING_EPOCHS, SPIKING_STEP = (30, 30, 30, 30), 8, 40, 4, 100, 0.002
CELL = spiking.neuron(tau_mem=0.010, tau_syn=0.005, reset="detach")

HIDDEN_LAYERS = len(STUDENT) - 2  # as many as in NET

State = TypeVar("State")
Rates = tuple[Array, ...]  # weights of the rate network by layer
Trained = tuple[tuple[Synapses, ...], tuple[OptState, ...]]  # the spiking network and its optimiser


class Curve(NamedTuple):
    """The measurements during one training, at most POINTS + 1."""

    epoch: Array  # (points,)
    angle: Array  # (points, hidden layers), degrees
    loss: Array  # (points,)


def angle(a: Array, b: Array) -> float:
    """The angle between two updates in degrees; 90 where one of them is 0, because it does not change the loss."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip((a * b).sum() / size, -1, 1)))) if size else 90.0


def learn(
    start: State,
    epoch: Callable[[State], State],
    measure: Callable[[State], tuple[list[float], float]],
    epochs: int,
) -> Curve:
    """Train for some epochs; measure the hidden layers' angles and the loss at the start and at regular intervals."""
    state, every = start, max(1, epochs // POINTS)
    points = [(0, *measure(state))]
    for n in range(1, epochs + 1):
        state = epoch(state)
        if n % every == 0:
            points.append((n, *measure(state)))
    return Curve(*(np.array(column) for column in zip(*points, strict=True)))


class RateTask(NamedTuple):
    """Data from the teacher, the student's initial weights, and its fixed feedback weights."""

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
    """y = teacher(x), x ~ N(0, 1).  The student starts with small weights; feedback weights have the usual size."""
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
    """dL/dW of L = 1/2 sum (y^(L) - y)^2, computed by the rule."""
    record = rate.forward(rate.tanh, W, x)
    e = record.y[-1] - y
    routes: dict[str, Callable[[], Rates]] = {
        BP: lambda: rate.backpropagation(rate.tanh, W, record, e),
        FA: lambda: rate.feedback_alignment(rate.tanh, task.G, record, e),
        DFA: lambda: rate.direct_feedback_alignment(rate.tanh, task.H, record, e),
        LOCAL: lambda: rate.local_errors(rate.tanh, task.A, record, y, e),
        CONTROL: lambda: rate.direct_feedback_alignment(rate.tanh, [0 * h for h in task.H], record, e),
    }
    return rate.gradient(routes[rule](), record)


def unexplained(y: Array, target: Array) -> float:
    """Mean squared error over the variance of the target."""
    return float(((y - target) ** 2).mean() / target.var())


def linear_fit(task: RateTask) -> float:
    """The `unexplained` share of the test data after a linear fit by least squares, that is, without hidden layers."""
    W = np.linalg.lstsq(task.x, task.y, rcond=None)[0]
    return unexplained(task.x_test @ W, task.y_test)


def train_rate(rule: str, seed: int, epochs: int) -> Curve:
    """Stochastic gradient descent by one rule; all rules have the same initial weights, data and order of data."""
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
    """Fixed input patterns, the cost, the initial weights, and the feedback route of each rule."""

    x: Array
    cost: Cost
    synapses: tuple[Synapses, ...]
    routes: dict[str, Route]


def spiking_task(rng: np.random.Generator) -> SpikingTask:
    """The target: from step 10 on, each pattern raises the readout of its class, Y = G (epsilon * S)."""
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
    """dL/dW by backpropagation through time, or by SuperSpike's traces with the errors of the rule's feedback route."""
    if rule == BP:
        gradient = bptt.gradient(CELL, synapses, task.x, task.cost)
    else:
        gradient = online.gradient(superspike.method, CELL, synapses, task.x, task.cost, task.routes[rule])
    return [W for W, _ in gradient]


def train_spiking(rule: str, seed: int, epochs: int) -> Curve:
    """Adamax with the gradient of one rule; only W learns, V = 0.  The loss is relative to that of a silent network."""
    task, optimiser = spiking_task(np.random.default_rng(seed)), Adamax(beta2=0.999)

    def epoch(state: Trained) -> Trained:
        synapses, opt_state = state
        learning_rates = [np.asarray(SPIKING_STEP)] * len(synapses)
        dW = spiking_update(rule, task, synapses)
        new_W, opt_state = update_each(optimiser, [W for W, _ in synapses], dW, opt_state, learning_rates)
        return tuple(s._replace(W=W) for s, W in zip(synapses, new_W, strict=True)), opt_state

    def measure(state: Trained) -> tuple[list[float], float]:
        both = [spiking_update(r, task, state[0])[:-1] for r in (rule, BP)]
        S = spiking.forward(CELL, state[0], task.x).S
        silent = costs.value(task.cost, [np.zeros_like(layer) for layer in S])
        return [angle(*pair) for pair in zip(*both, strict=True)], float(costs.value(task.cost, S) / silent)

    opt_state = tuple(optimiser.init(s.W) for s in task.synapses)
    return learn((task.synapses, opt_state), epoch, measure, epochs)


class Training(NamedTuple):
    """How one of the networks is trained."""

    rules: tuple[str, ...]
    train: Callable[[str, int, int], Curve]  # of (rule, seed, epochs)
    epochs: int


NETWORKS = {
    "rate": Training((BP, FA, DFA, LOCAL, CONTROL), train_rate, EPOCHS),
    "spiking": Training((BP, FA, DFA, CONTROL), train_spiking, SPIKING_EPOCHS),
}
