"""SuperSpike learns a train of five spikes: `decolle-ref superspike`.  [N19 Sec. V-B, Eq. 9-13]

    distance = sum_n (epsilon * (S - S*))^2 / sum_n (epsilon * S*)^2

is the van Rossum distance of the output S from the target S*, relative to that of an output that never fires.  It is 1
for a silent output, about 1/5 for one missing or additional spike, and 0 only if S = S* at every step.

In every trial the input is the same 100 Poisson trains.  The gradient is computed forward in time and summed over the
trial; then Adamax with beta1 = 0 makes one update.  Its learning rate per weight is that of the SuperSpike paper (ref.
2 of N19): r = r0 / sqrt(v), v <- max(gamma v, g^2), gamma = beta2^2.  The weights of the best trial so far are kept.

| variant | how it learns |
| --- | --- |
| one neuron | by SuperSpike: the reset is in the dynamics, but not in the gradient |
| reset in the gradient | the same neuron by e-prop, which gives the whole surrogate gradient of a single neuron |
| hidden layer | with 20 hidden neurons, which receive their error by direct random feedback |
| hidden layer fixed | the control: the same network, but only the output neuron learns |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Target
from decolle_ref.credit.methods import eprop, feedback, online, superspike
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.methods.online import Method
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Synapses
from decolle_ref.data.encode import poisson
from decolle_ref.decolle.optim import Adamax, Schedule, stepwise, update_each
from decolle_ref.decolle.surrogate import fast_sigmoid, sharpened
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Experiment, Headline, Monitor, Results
from decolle_ref.experiments.options import option
from decolle_ref.experiments.study import Study, StudySettings, Unit

STEPS, INPUTS, HIDDEN, SPIKES, HZ = 400, 100, 20, 5, 10.0
REQUIRED = 0.05  # share of the distance of a silent output
CELL = spiking.neuron(tau_mem=0.010, tau_syn=0.005, surrogate=sharpened(fast_sigmoid, 2.0))
KERNEL = costs.double_exponential(0.005, 0.010)
ADAMAX = Adamax(beta1=0.0, beta2=0.95)
ALONE, RESET, LAYERS, FIXED = "one neuron", "reset in the gradient", "hidden layer", "hidden layer fixed"
VARIANTS = (ALONE, RESET, LAYERS, FIXED)


class Task(NamedTuple):
    """The input spikes and the target output; the batch has one sample."""

    x: Array  # (STEPS, 1, inputs)
    spikes: Array  # (STEPS, 1, 1), S*
    target: Target  # epsilon * S*


class Problem(NamedTuple):
    """A task, the initial weights, and the method that learns it."""

    task: Task
    synapses: tuple[Synapses, ...]
    learning_rates: tuple[float, ...]  # by layer
    method: Method
    route: Route


class Trial(NamedTuple):
    """One pass over the input with constant weights."""

    U: Array  # (STEPS,), U of the output neuron
    S: Array  # (STEPS,)
    dW: tuple[Array, ...]  # sum_n dL[n]/dW by layer


class Training(NamedTuple):
    """The result of one training, trial by trial; entry 0 is before the first update."""

    distance: Array  # (trials + 1,)
    S: Array  # (trials + 1, STEPS), S of the output neuron
    U_first: Array  # (STEPS,)
    U_best: Array  # (STEPS,), with the weights that are kept


def sample_task(rng: np.random.Generator) -> Task:
    """100 fixed Poisson trains of 10 Hz, and five random target spikes, at least 14 steps apart."""
    x = poisson(rng, HZ, STEPS, INPUTS)[:, None, :].astype(float)
    stretch = (STEPS - 100) // SPIKES
    spikes = np.zeros((STEPS, 1, 1))
    spikes[60 + stretch * np.arange(SPIKES) + rng.integers(0, stretch - 13, SPIKES)] = 1
    return Task(x, spikes, costs.van_rossum(KERNEL, spikes))


def prepare(variant: str, seed: int) -> Problem:
    """The task of a seed, the same for all variants, and the initial weights and method of one variant.

    The output is silent at first, and so is a hidden layer that learns, nearly.  A fixed hidden layer fires at 25 Hz,
    because the output neuron learns best from active inputs.
    """
    rng = np.random.default_rng(seed)
    task = sample_task(rng)
    if variant in (ALONE, RESET):
        method = superspike.method if variant == ALONE else eprop.method
        return Problem(task, spiking.init_weights(rng, (INPUTS, 1), 0.1), (0.015,), method, feedback.local_errors)
    scale = 0.3 if variant == LAYERS else 1.0
    hidden, top = spiking.init_weights(rng, (INPUTS, HIDDEN), scale), spiking.init_weights(rng, (HIDDEN, 1), 0.1)
    if variant == FIXED:  # the hidden spikes never change, so they are computed once and become the input
        hidden_spikes = spiking.forward(CELL, hidden, task.x).S[0]
        return Problem(task._replace(x=hidden_spikes), top, (0.05,), superspike.method, feedback.local_errors)
    route = feedback.direct(feedback.sample_direct(rng, (HIDDEN, 1)))
    return Problem(task, hidden + top, (0.003, 0.01), superspike.method, route)


def distance(task: Task, S: Array) -> float:
    """sum_n (epsilon * (S - S*))^2 / sum_n (epsilon * S*)^2; S (STEPS,).  [N19 Eq. 9]"""
    goal = task.target.goal
    gap = costs.filtered(KERNEL, S[:, None, None]) - goal
    return float((gap**2).sum() / (goal**2).sum())


def trial(problem: Problem, synapses: Sequence[Synapses]) -> Trial:
    """One trial, forward in time: traces are the only memory of the past.  [N19 Eq. 10-13]"""
    task, method = problem.task, problem.method
    cost = costs.global_cost(len(synapses), task.target, KERNEL)
    carry, dW, U = online.start(method, synapses, 1), [0 * W for W, _ in synapses], []
    for spikes_in in task.x:
        U.append(carry.neurons[-1].U[0, 0])
        carry, g = online.step(method, CELL, synapses, cost, carry, spikes_in, problem.route)
        dW = [total + layer.W for total, layer in zip(dW, g, strict=True)]
    return Trial(np.array(U), spiking.spikes(CELL, np.array(U)), tuple(dW))


def falling(trials: int) -> Schedule:
    """A schedule that multiplies the learning rates by 0.8 ten times, evenly over the last two thirds of the trials."""
    return stepwise(tuple(range(trials // 3, trials, max(1, trials // 15))), 0.8)


def learn(problem: Problem, trials: int) -> Training:
    """W <- W - lr r * sum_n dL[n]/dW, `trials` times; V = 0 does not learn.

    A distance of 0 ends the training: then e = 0 at every step, hence dW = 0, and W would not change any more.
    """
    synapses, schedule = problem.synapses, falling(trials)
    opt_state = tuple(ADAMAX.init(W) for W, _ in synapses)
    distances, S, U = [], [], []
    for k in range(trials + 1):
        last = trial(problem, synapses)
        distances.append(distance(problem.task, last.S))
        S.append(last.S)
        U.append(last.U)
        if distances[-1] == 0:
            break
        learning_rates = [np.asarray(rate * schedule(k)) for rate in problem.learning_rates]
        new_W, opt_state = update_each(ADAMAX, [W for W, _ in synapses], last.dW, opt_state, learning_rates)
        synapses = tuple(s._replace(W=W) for s, W in zip(synapses, new_W, strict=True))
    best, left = int(np.argmin(distances)), trials + 1 - len(distances)
    return Training(np.array(distances + left * distances[-1:]), np.array(S + left * S[-1:]), U[0], U[best])


@dataclass(frozen=True)
class Settings(StudySettings):
    """The settings of a run."""

    trials: int = option(300, "trials of each training", quick=30)


class SuperSpike(Study):
    """The study: every variant learns the task of every seed."""

    result = Training
    variants = VARIANTS

    def learn(self, unit: Unit, monitor: Monitor) -> Training:
        """Train one variant with one seed."""
        return learn(prepare(*unit), self.settings.trials)

    def fields(self, unit: Unit) -> dict[str, Field]:
        """A distance is not negative, and a spike is 0 or 1."""
        trials = self.settings.trials + 1
        U = dict.fromkeys(("U_first", "U_best"), Field((STEPS,)))
        return {"distance": Field((trials,), low=0), "S": Field((trials, STEPS), 0, 1, whole=True), **U}

    def status(self, state: tuple[Any, ...]) -> str:
        """The smallest distance of the last training, behind the progress bar."""
        return f"{self.units[len(state) - 1].variant}: {state[-1].distance.min():.3f}" if state else ""

    def report(self, state: tuple[Any, ...]) -> tuple[Results, dict[str, Array]]:
        """Distances by variant, and the task and training of the first seed."""
        by_variant = self.by_variant(state)
        variants = {variant: summary(by_seed) for variant, by_seed in by_variant.items()}
        task = prepare(ALONE, self.seeds[0]).task
        return {"seeds": list(self.seeds), "asked": REQUIRED, "variants": variants}, arrays(task, by_variant)


def summary(trainings: Sequence[Training]) -> dict[str, Any]:
    """Distances before training, with the weights kept, and after the last trial; updates until below REQUIRED."""
    below = [np.flatnonzero(training.distance < REQUIRED) for training in trainings]
    return {
        "distance_start": [float(training.distance[0]) for training in trainings],
        "distance_kept": [float(training.distance.min()) for training in trainings],
        "distance_last": [float(training.distance[-1]) for training in trainings],
        "updates_until_below_asked": [int(k[0]) if len(k) else None for k in below],
    }


def arrays(task: Task, by_variant: dict[str, list[Training]]) -> dict[str, Array]:
    """The arrays of the figure: the first seed's task and its training of one neuron, and all curves."""
    first = by_variant[ALONE][0]
    plotted = {"x": task.x[:, 0].astype(np.uint8), "target": task.spikes[:, 0, 0].astype(np.uint8)}
    plotted |= {"S": first.S.astype(np.uint8), "U_first": first.U_first, "U_best": first.U_best}
    return plotted | {"distance": np.array([[t.distance for t in by_variant[variant]] for variant in VARIANTS])}


def one_line(results: Results) -> str:
    """The result in one line."""
    best = {variant: max(numbers["distance_kept"]) for variant, numbers in results["variants"].items()}
    words = ", ".join(f"{variant} {100 * value:.1f} %" for variant, value in best.items())
    return (
        f"superspike: largest distance from the target over {len(results['seeds'])} seeds, relative to silence: "
        f"{words} (required: below {100 * results['asked']:g} % by one neuron)"
    )


def headline(results: Results) -> Headline:
    """The distance with the kept weights by variant, relative to silence, as a mean over the trainings."""
    kept = {variant: numbers["distance_kept"] for variant, numbers in results["variants"].items()}
    return Headline("relative distance", "%", {variant: 100 * float(np.mean(x)) for variant, x in kept.items()})


EXPERIMENT = Experiment(
    name="superspike",
    summary="learn a train of spikes by forward traces [N19 Eq. 9-13]",
    settings=Settings,
    make=SuperSpike,
    one_line=one_line,
    headline=headline,
    example="--repeats 1 --trials 100",
)
