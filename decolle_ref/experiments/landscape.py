"""The loss along a line between weights, and what the surrogate gradient makes of it.  [N19 Fig. 4]

A 2-2-2 network of spiking neurons learns to tell by its output spikes which of its two inputs is the more active, by
backpropagation through time with a surrogate derivative.  Then the weights of its hidden layer walk the straight line

    W^(1)(s) = (1 - s) W^(1)_initial + s W^(1)_final,   0 <= s <= 1,

with all other weights as they ended, and at each point are recorded

    L(s)     the true loss, constant wherever no spike appears, vanishes or moves
    g(s)     = sum_ij dL/dW_ij^(1) dW_ij^(1)/ds, the surrogate gradient along the line

Between two changes of the spikes g varies smoothly; where they change, it jumps as L does, but it is not 0 in between.
The *virtual* surrogate loss is L(0) + c int_0^s g, with c such that it ends at L(1).  On one line every g has an
integral; in more dimensions a surrogate gradient need not be the gradient of any function.  In the smooth twin of the
network it is one: there g is dL/ds, which the run checks.
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

STEPS, SAMPLES = 60, 20  # of 1 ms; half of the samples in each class
MANY, FEW, LAST_INPUT = 3, 1, 30  # spikes of the two inputs, all before step LAST_INPUT
ANSWER = (30, 40)  # steps at which the output neuron of the right class is to spike
W_RANGE = (0.1, 0.4)  # initial weights are uniform in it: hidden and output neurons spike, so there is much to learn
LEARNING_RATE, DROP = 0.01, 0.3  # the learning rate falls by DROP after two thirds of the updates
TWIN_POINTS = 11

CELL = spiking.neuron(tau_mem=0.010, tau_syn=0.005, surrogate=sharpened(fast_sigmoid, 5.0))
KERNEL = costs.double_exponential(tau_rise=0.005, tau_decay=0.050)


class Problem(NamedTuple):
    """What is shown and asked."""

    x: Array  # (T, batch, 2), input spikes
    label: Array  # (batch,), the input that is the more active
    cost: Cost
    silent: float  # the loss of an output that never spikes: all losses below are in units of it


class Walk(NamedTuple):
    """What was recorded along the line."""

    s: Array  # (points,), from 0 to 1
    loss: Array  # L(s)
    surrogate: Array  # g(s)


def problem(rng: np.random.Generator) -> Problem:
    """Random spikes of two inputs; the output neuron of the right class is to spike at ANSWER, the other never."""
    label = np.arange(SAMPLES) % 2
    x = np.zeros((STEPS, SAMPLES, 2))
    for sample in range(SAMPLES):
        for j in range(2):
            spikes = MANY if j == label[sample] else FEW
            x[rng.choice(LAST_INPUT, spikes, replace=False), sample, j] = 1
    wanted = np.zeros((STEPS, SAMPLES, 2))
    for n in ANSWER:
        wanted[n, np.arange(SAMPLES), label] = 1
    cost = costs.global_cost(2, costs.van_rossum(KERNEL, wanted), KERNEL)
    return Problem(x, label, cost, float(costs.value(cost, (0 * wanted, 0 * wanted))))


def loss(cell: Neuron, synapses: Sequence[Synapses], asked: Problem) -> Array:
    """The van Rossum distance of the output to what is asked, 1 for a silent output.  [N19 Eq. 9]"""
    value: Array = costs.value(asked.cost, spiking.forward(cell, synapses, asked.x).S) / asked.silent
    return value


def gradient(cell: Neuron, synapses: Sequence[Synapses], asked: Problem) -> list[Array]:
    """dL/dW by layer, with sigma' for the derivative of the spikes.  [N19 Eq. 7]"""
    return [dW / asked.silent for dW, _ in bptt.gradient(cell, synapses, asked.x, asked.cost)]


def accuracy(synapses: Sequence[Synapses], asked: Problem) -> float:
    """The share of samples whose class spikes the most, in the filtered output; a tie is half right."""
    y = costs.filtered(KERNEL, spiking.forward(CELL, synapses, asked.x).S[-1]).sum(axis=0)
    each = np.arange(SAMPLES)
    lead = y[each, asked.label] - y[each, 1 - asked.label]
    return float((np.sign(lead) + 1).mean() / 2)


def initial(rng: np.random.Generator) -> tuple[Synapses, ...]:
    """Two layers of two neurons, without recurrent weights."""
    return tuple(Synapses(rng.uniform(*W_RANGE, (2, 2)), np.zeros((2, 2))) for _ in range(2))


def train(
    first: Sequence[Synapses], asked: Problem, updates: int, tick: Callable[[str], None]
) -> tuple[tuple[Synapses, ...], list[float]]:
    """Adamax on the surrogate gradient of all W: (last weights, the true loss before each update and at the end)."""
    optimiser, schedule = Adamax(beta1=0.9), stepwise((2 * updates // 3,), DROP)
    memory = tuple(optimiser.init(W) for W, _ in first)
    synapses, losses = tuple(first), []
    for k in range(updates):
        losses.append(float(loss(CELL, synapses, asked)))
        tick(f"training, loss {losses[-1]:.2f}")
        rates, dW = [np.array(LEARNING_RATE * schedule(k))] * len(first), gradient(CELL, synapses, asked)
        moved, memory = update_each(optimiser, [W for W, _ in synapses], dW, memory, rates)
        synapses = tuple(s._replace(W=W) for s, W in zip(synapses, moved, strict=True))
    return synapses, [*losses, float(loss(CELL, synapses, asked))]


def point(first: Sequence[Synapses], last: Sequence[Synapses], s: Any) -> tuple[Synapses, ...]:
    """The last weights, but W^(1) = (1 - s) W^(1)_first + s W^(1)_last; s may be complex."""
    return (last[0]._replace(W=(1 - s) * first[0].W + s * last[0].W), *last[1:])


def along(cell: Neuron, first: Sequence[Synapses], last: Sequence[Synapses], asked: Problem, s: float) -> float:
    """g(s) = sum_ij dL/dW_ij^(1) (W_last - W_first)_ij at one point of the line.  [N19 Fig. 4b]"""
    dW = gradient(cell, point(first, last, s), asked)[0]
    return float((dW * (last[0].W - first[0].W)).sum())


def walk(
    first: Sequence[Synapses], last: Sequence[Synapses], asked: Problem, points: int, tick: Callable[[str], None]
) -> Walk:
    """L(s) and g(s) of the spiking network at evenly spaced points.  [N19 Fig. 4]"""
    where, L, g = np.linspace(0, 1, points), [], []
    for s in where:
        L.append(float(loss(CELL, point(first, last, s), asked)))
        g.append(along(CELL, first, last, asked, s))
        tick(f"along the line, loss {L[-1]:.2f}")
    return Walk(where, np.array(L), np.array(g))


def finite_differences(walked: Walk) -> Array:
    """(L(s + ds) - L(s)) / ds between neighbours, (points - 1,): the "true" gradient of [N19 Fig. 4b]."""
    slope: Array = np.diff(walked.loss) / np.diff(walked.s)
    return slope


def virtual(walked: Walk) -> tuple[Array, float]:
    """L(0) + c int_0^s g by the trapezoidal rule, and the c with which it ends at L(1).  [N19 Fig. 4a]"""
    s, L, g = walked
    integral = np.concatenate([[0], np.cumsum((g[1:] + g[:-1]) / 2 * np.diff(s))])
    scale = float((L[-1] - L[0]) / integral[-1])
    return L[0] + scale * integral, scale


def twin_error(first: Sequence[Synapses], last: Sequence[Synapses], asked: Problem, points: int = TWIN_POINTS) -> float:
    """How far g is from dL/ds in the smooth twin, by complex step: the largest gap, relative to the largest |dL/ds|."""
    twin = CELL._replace(activity="primitive")

    def line(s: Array) -> Array:
        return loss(twin, point(first, last, s[0]), asked)

    where, v = np.linspace(0, 1, points), np.ones(1)
    exact = np.array([gradcheck.complex_step(line, np.array([s]), v) for s in where])
    ours = np.array([along(twin, first, last, asked, s) for s in where])
    return float(np.abs(ours - exact).max() / np.abs(exact).max())


def report(walked: Walk, losses: Sequence[float]) -> dict[str, Any]:
    """The numbers that stand for the figure."""
    curve, scale = virtual(walked)
    return {
        "loss_before_training": losses[0],
        "loss_after_training": losses[-1],
        "loss_at_start_of_line": float(walked.loss[0]),
        "points": len(walked.s),
        "levels_of_loss": len(np.unique(walked.loss)),
        "flat_share": float((finite_differences(walked) == 0).mean()),
        "surrogate_zero_share": float((walked.surrogate == 0).mean()),
        "virtual_scale": scale,
        "virtual_rms_gap": float(np.sqrt(((curve - walked.loss) ** 2).mean()) / np.ptp(walked.loss)),
        "virtual_correlation": float(np.corrcoef(curve, walked.loss)[0, 1]),
    }


@dataclass(frozen=True)
class Settings(CommonSettings):
    """All that a run depends on."""

    updates: int = option(200, "updates of the training", quick=60)
    points: int = option(401, "points of the line", quick=101, least=2)


class Landscape(SingleStep):
    """Train, then walk along the line."""

    tick_name = "pass"

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.settings, self.parts = settings, settings.updates + settings.points

    def compute(self, monitor: Monitor) -> Report:
        """The numbers of the figure, and what was recorded along the line."""
        settings, rng = self.settings, np.random.default_rng(self.settings.seed)
        task = problem(rng)
        first = initial(rng)
        last, losses = train(first, task, settings.updates, monitor.tick)
        walked = walk(first, last, task, settings.points, monitor.tick)
        weights = {f"W{l}_{at}": net[l - 1].W for at, net in (("first", first), ("last", last)) for l in (1, 2)}
        return {
            **report(walked, losses),
            "accuracy": accuracy(last, task),
            "twin_error": twin_error(first, last, task),
        }, {**walked._asdict(), "training_loss": np.array(losses), **weights}


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
