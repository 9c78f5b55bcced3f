"""The loss along a line between two sets of weights, and the surrogate gradient on it.  [N19 Fig. 4]

A 2-2-2 network of spiking neurons learns to report by its output spikes which of its two inputs is the more active, by
backpropagation through time with a surrogate derivative.  Then the weights of its hidden layer follow the straight line

    W^(1)(s) = (1 - s) W^(1)_initial + s W^(1)_final,   0 <= s <= 1,

while all other weights keep their final values.  At each point these numbers are recorded:

    L(s)     the true loss, constant where no spike appears, vanishes or moves
    g(s)     = sum_ij dL/dW_ij^(1) dW_ij^(1)/ds, the surrogate gradient along the line
    norms    of dL/dW^(1): of the surrogate gradient, and of the "true" one by finite differences

Between two changes of the spikes g varies smoothly; where they change, it jumps as L does, but it is not 0 in between.
The *virtual* surrogate loss is L(0) + c int_0^s g, with c such that it ends at L(1).  On one line every g has an
integral; in more dimensions a surrogate gradient need not be the gradient of any function.  In the smooth twin of the
network it is the gradient of L: there g = dL/ds, which the run checks.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref import gradcheck
from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Cost
from decolle_ref.credit.methods import bptt
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Synapses
from decolle_ref.decolle.optim import Adamax, stepwise, update_each
from decolle_ref.decolle.surrogate import fast_sigmoid, sharpened
from decolle_ref.experiments.harness import Experiment, Monitor, Report, Results, SingleStep
from decolle_ref.experiments.options import CommonSettings, option

STEPS, SAMPLES = 60, 20  # steps of 1 ms; half of the samples belong to each class
MANY, FEW, LAST_INPUT = 3, 1, 30  # spikes of the two inputs, all before step LAST_INPUT
ANSWER = (30, 40)  # target: steps at which the output neuron of the right class spikes
W_RANGE = (0.1, 0.4)  # range of the uniform initial weights; with them hidden and output neurons spike before learning
LEARNING_RATE, DROP = 0.01, 0.3  # the learning rate falls by DROP after two thirds of the updates
TWIN_POINTS = 11
DIFFERENCE = 2e-4  # step of the finite differences in each hidden weight

CELL = spiking.neuron(tau_mem=0.010, tau_syn=0.005, surrogate=sharpened(fast_sigmoid, 5.0))
KERNEL = costs.double_exponential(tau_rise=0.005, tau_decay=0.050)


class Problem(NamedTuple):
    """The input spikes, the labels and the loss of the task."""

    x: Array  # (T, batch, 2), input spikes
    label: Array  # (batch,), the input that is the more active
    cost: Cost
    silent: float  # the loss of an output that never spikes, the unit of all losses below


class Walk(NamedTuple):
    """The loss and the surrogate gradient along the line."""

    s: Array  # (points,), from 0 to 1
    loss: Array  # L(s)
    surrogate: Array  # g(s)
    surrogate_norm: Array  # |dL/dW^(1)| of the surrogate gradient
    true_norm: Array  # the same of the true loss, by finite differences


def problem(rng: np.random.Generator) -> Problem:
    """Random spikes of two inputs.  Target: the output neuron of the right class spikes at ANSWER, the other never."""
    label = np.arange(SAMPLES) % 2
    x = np.zeros((STEPS, SAMPLES, 2))
    for sample in range(SAMPLES):
        for j in range(2):
            spikes = MANY if j == label[sample] else FEW
            x[rng.choice(LAST_INPUT, spikes, replace=False), sample, j] = 1
    target = np.zeros((STEPS, SAMPLES, 2))
    for n in ANSWER:
        target[n, np.arange(SAMPLES), label] = 1
    cost = costs.global_cost(2, costs.van_rossum(KERNEL, target), KERNEL)
    return Problem(x, label, cost, float(costs.value(cost, (0 * target, 0 * target))))


def loss(cell: Neuron, synapses: Sequence[Synapses], task: Problem) -> Array:
    """The van Rossum distance of the output from its target, 1 for a silent output.  [N19 Eq. 9]"""
    value: Array = costs.value(task.cost, spiking.forward(cell, synapses, task.x).S) / task.silent
    return value


def gradient(cell: Neuron, synapses: Sequence[Synapses], task: Problem) -> list[Array]:
    """dL/dW by layer, with sigma' in place of the derivative of the spikes.  [N19 Eq. 7]"""
    return [dW / task.silent for dW, _ in bptt.gradient(cell, synapses, task.x, task.cost)]


def accuracy(synapses: Sequence[Synapses], task: Problem) -> float:
    """The share of samples for which the right output, filtered, is the larger one; a tie counts as half right."""
    y = costs.filtered(KERNEL, spiking.forward(CELL, synapses, task.x).S[-1]).sum(axis=0)
    sample = np.arange(SAMPLES)
    lead = y[sample, task.label] - y[sample, 1 - task.label]
    return float((np.sign(lead) + 1).mean() / 2)


def initial(rng: np.random.Generator) -> tuple[Synapses, ...]:
    """The initial weights: two layers of two neurons, without recurrent weights."""
    return tuple(Synapses(rng.uniform(*W_RANGE, (2, 2)), np.zeros((2, 2))) for _ in range(2))


def train(
    first: Sequence[Synapses], task: Problem, updates: int, tick: Callable[[str], None]
) -> tuple[tuple[Synapses, ...], list[float]]:
    """Adamax on the surrogate gradient of all W: (last weights, the true loss before and after each update)."""
    optimiser, schedule = Adamax(beta1=0.9), stepwise((2 * updates // 3,), DROP)
    opt_state = tuple(optimiser.init(W) for W, _ in first)
    synapses, losses = tuple(first), []
    for k in range(updates):
        losses.append(float(loss(CELL, synapses, task)))
        tick(f"training, loss {losses[-1]:.2f}")
        learning_rates, dW = [np.array(LEARNING_RATE * schedule(k))] * len(first), gradient(CELL, synapses, task)
        new_W, opt_state = update_each(optimiser, [W for W, _ in synapses], dW, opt_state, learning_rates)
        synapses = tuple(s._replace(W=W) for s, W in zip(synapses, new_W, strict=True))
    return synapses, [*losses, float(loss(CELL, synapses, task))]


def point(first: Sequence[Synapses], last: Sequence[Synapses], s: Any) -> tuple[Synapses, ...]:
    """The weights at s: the last ones, but W^(1) = (1 - s) W^(1)_first + s W^(1)_last; s may be complex."""
    return (last[0]._replace(W=(1 - s) * first[0].W + s * last[0].W), *last[1:])


def along(cell: Neuron, first: Sequence[Synapses], last: Sequence[Synapses], task: Problem, s: float) -> float:
    """g(s) = sum_ij dL/dW_ij^(1) (W_last - W_first)_ij at one point of the line."""
    dW = gradient(cell, point(first, last, s), task)[0]
    return float((dW * (last[0].W - first[0].W)).sum())


def true_norm(synapses: Sequence[Synapses], task: Problem) -> float:
    """The norm of the differences (L(W + h e_ij) - L(W)) / h over all hidden weights, h = DIFFERENCE.  [N19 Fig. 4b]"""
    hidden, *others = synapses
    here = loss(CELL, synapses, task)
    moved = [hidden.W + DIFFERENCE * (np.arange(4).reshape(2, 2) == k) for k in range(4)]
    slopes = [(loss(CELL, [hidden._replace(W=W), *others], task) - here) / DIFFERENCE for W in moved]
    return float(np.linalg.norm(slopes))


def walk(
    first: Sequence[Synapses], last: Sequence[Synapses], task: Problem, points: int, tick: Callable[[str], None]
) -> Walk:
    """Loss and gradients of the spiking network at evenly spaced points.  [N19 Fig. 4]"""
    position, rows = np.linspace(0, 1, points), []
    for s in position:
        here = point(first, last, s)
        L, dW = float(loss(CELL, here, task)), gradient(CELL, here, task)[0]
        g = (dW * (last[0].W - first[0].W)).sum()
        rows.append((L, g, np.linalg.norm(dW), true_norm(here, task)))
        tick(f"along the line, loss {L:.2f}")
    return Walk(position, *np.array(rows).T)


def finite_differences(line: Walk) -> Array:
    """(L(s + ds) - L(s)) / ds between neighbours, (points - 1,)."""
    slope: Array = np.diff(line.loss) / np.diff(line.s)
    return slope


def virtual(line: Walk) -> tuple[Array, float]:
    """L(0) + c int_0^s g by the trapezoidal rule, and the c with which it ends at L(1).  [N19 Fig. 4a]"""
    s, L, g = line.s, line.loss, line.surrogate
    integral = np.concatenate([[0], np.cumsum((g[1:] + g[:-1]) / 2 * np.diff(s))])
    scale = float((L[-1] - L[0]) / integral[-1])
    return L[0] + scale * integral, scale


def twin_error(first: Sequence[Synapses], last: Sequence[Synapses], task: Problem) -> float:
    """The largest |g - dL/ds| in the smooth twin, relative to the largest |dL/ds|; dL/ds by complex step."""
    twin = CELL._replace(activity="primitive")

    def line(s: Array) -> Array:
        return loss(twin, point(first, last, s[0]), task)

    position, v = np.linspace(0, 1, TWIN_POINTS), np.ones(1)
    exact = np.array([gradcheck.complex_step(line, np.array([s]), v) for s in position])
    g = np.array([along(twin, first, last, task, s) for s in position])
    return float(np.abs(g - exact).max() / np.abs(exact).max())


def report(line: Walk, losses: Sequence[float]) -> dict[str, Any]:
    """The numbers that summarise the figure."""
    curve, scale = virtual(line)
    return {
        "loss_before_training": losses[0],
        "loss_after_training": losses[-1],
        "loss_at_start_of_line": float(line.loss[0]),
        "points": len(line.s),
        "levels_of_loss": len(np.unique(line.loss)),
        "flat_share": float((finite_differences(line) == 0).mean()),
        "surrogate_zero_share": float((line.surrogate == 0).mean()),
        "virtual_scale": scale,
        "virtual_rms_gap": float(np.sqrt(((curve - line.loss) ** 2).mean()) / np.ptp(line.loss)),
        "virtual_correlation": float(np.corrcoef(curve, line.loss)[0, 1]),
    }


@dataclass(frozen=True)
class Settings(CommonSettings):
    """The settings of a run."""

    updates: int = option(200, "updates of the training", quick=60)
    points: int = option(401, "points of the line", quick=101, least=2)


class Landscape(SingleStep):
    """The run: train, then record the loss and the gradient along the line."""

    tick_name = "pass"

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.settings, self.parts = settings, settings.updates + settings.points

    def compute(self, monitor: Monitor) -> Report:
        """The numbers that summarise the figure, and the arrays that it plots."""
        settings, rng = self.settings, np.random.default_rng(self.settings.seed)
        task = problem(rng)
        first = initial(rng)
        last, losses = train(first, task, settings.updates, monitor.tick)
        line = walk(first, last, task, settings.points, monitor.tick)
        weights = {f"W{l}_{at}": net[l - 1].W for at, net in (("first", first), ("last", last)) for l in (1, 2)}
        return {
            **report(line, losses),
            "accuracy": accuracy(last, task),
            "twin_error": twin_error(first, last, task),
        }, {**line._asdict(), "training_loss": np.array(losses), **weights}


def one_line(results: Results) -> str:
    """The result in one line."""
    return (
        f"landscape: loss {results['loss_at_start_of_line']:.2f} to {results['loss_after_training']:.2f} "
        f"(1: silent output), "
        f"finite-difference gradient exactly 0 on {results['flat_share']:.0%} of the line, surrogate gradient on "
        f"{results['surrogate_zero_share']:.0%}; correlation of virtual and true loss "
        f"{results['virtual_correlation']:.2f}; {results['accuracy']:.0%} of samples right"
    )


EXPERIMENT = Experiment(
    name="landscape",
    summary="the loss along a line, its plateaus, and the surrogate gradient [N19 Fig. 4]",
    group="experiments",
    settings=Settings,
    make=Landscape,
    one_line=one_line,
)
