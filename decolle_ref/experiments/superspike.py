"""SuperSpike learns a train of five spikes: `decolle-ref superspike`.  [N19 Sec. V-B, Eq. 9-13]

    distance = sum_n (epsilon * (S - S*))^2 / sum_n (epsilon * S*)^2

the van Rossum distance of the output S from the target S*, relative to that of an output that never fires: 1 is what
silence reaches, about 1/5 is a spike too few or too many, 0 is S = S* to the step.

A trial shows the same 100 Poisson trains; the gradient, summed over the trial as it is carried forward, is followed by
one step of Adamax with beta1 = 0, whose rate per weight is that of the SuperSpike paper (ref. 2 of N19):
r = r0 / sqrt(v), v <- max(gamma v, g^2), gamma = beta2^2.  The weights of the best trial so far are kept.

| variant | learns |
| --- | --- |
| one neuron | by SuperSpike: the reset is in the dynamics, but not in the gradient |
| reset in the gradient | the same neuron by e-prop, which of a single neuron is the whole surrogate gradient |
| hidden layer | 20 neurons more, taught by direct random feedback |
| hidden layer fixed | the control: the same network, of which the output neuron alone learns |
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
from decolle_ref.experiments.harness import Experiment, Monitor, Results
from decolle_ref.experiments.options import option
from decolle_ref.experiments.study import Study, StudySettings, Unit

STEPS, INPUTS, HIDDEN, SPIKES, HZ = 400, 100, 20, 5, 10.0
ASKED = 0.05  # of the distance of a silent output
CELL = spiking.neuron(tau_mem=0.010, tau_syn=0.005, surrogate=sharpened(fast_sigmoid, 2.0))
KERNEL = costs.double_exponential(0.005, 0.010)
ADAMAX = Adamax(beta1=0.0, beta2=0.95)
ALONE, RESET, LAYERS, FIXED = "one neuron", "reset in the gradient", "hidden layer", "hidden layer fixed"
VARIANTS = (ALONE, RESET, LAYERS, FIXED)


class Task(NamedTuple):
    """What goes in, and what is to come out; for a batch of one."""

    x: Array  # (STEPS, 1, inputs)
    spikes: Array  # (STEPS, 1, 1), S*
    target: Target  # epsilon * S*


class Setting(NamedTuple):
    """A task, and who learns it how."""

    task: Task
    synapses: tuple[Synapses, ...]
    rates: tuple[float, ...]  # of learning, by layer
    method: Method
    route: Route


class Trial(NamedTuple):
    """One showing of the input, with the weights held."""

    U: Array  # (STEPS,), of the output neuron
    S: Array  # (STEPS,)
    dW: tuple[Array, ...]  # sum_n dL[n]/dW by layer


class Learned(NamedTuple):
    """One learning, trial by trial; entry 0 is before the first update."""

    distance: Array  # (trials + 1,)
    S: Array  # (trials + 1, STEPS), of the output neuron
    U_first: Array  # (STEPS,)
    U_best: Array  # (STEPS,), with the weights that are kept


def sample_task(rng: np.random.Generator) -> Task:
    """100 frozen Poisson trains of 10 Hz; a random target spike in each of five stretches, 14 steps apart or more."""
    x = poisson(rng, HZ, STEPS, INPUTS)[:, None, :].astype(float)
    stretch = (STEPS - 100) // SPIKES
    spikes = np.zeros((STEPS, 1, 1))
    spikes[60 + stretch * np.arange(SPIKES) + rng.integers(0, stretch - 13, SPIKES)] = 1
    return Task(x, spikes, costs.van_rossum(KERNEL, spikes))


def prepare(variant: str, seed: int) -> Setting:
    """The task of a seed, the same for all variants, and the start of one variant.

    The output is silent at first, and a hidden layer that learns nearly so.  One that is fixed fires at 25 Hz, as it
    serves best when it is lively.
    """
    rng = np.random.default_rng(seed)
    task = sample_task(rng)
    if variant in (ALONE, RESET):
        method = superspike.method if variant == ALONE else eprop.method
        return Setting(task, spiking.init_weights(rng, (INPUTS, 1), 0.1), (0.015,), method, feedback.local_errors)
    scale = 0.3 if variant == LAYERS else 1.0
    hidden, top = spiking.init_weights(rng, (INPUTS, HIDDEN), scale), spiking.init_weights(rng, (HIDDEN, 1), 0.1)
    if variant == FIXED:  # nothing changes below: what the hidden layer sends is the input of the output neuron
        sent = spiking.forward(CELL, hidden, task.x).S[0]
        return Setting(task._replace(x=sent), top, (0.05,), superspike.method, feedback.local_errors)
    route = feedback.direct(feedback.sample_direct(rng, (HIDDEN, 1)))
    return Setting(task, hidden + top, (0.003, 0.01), superspike.method, route)


def distance(task: Task, S: Array) -> float:
    """sum_n (epsilon * (S - S*))^2 / sum_n (epsilon * S*)^2; S (STEPS,).  [N19 Eq. 9]"""
    goal = task.target.goal
    gap = costs.filtered(KERNEL, S[:, None, None]) - goal
    return float((gap**2).sum() / (goal**2).sum())


def trial(setting: Setting, synapses: Sequence[Synapses]) -> Trial:
    """One trial, forward in time: nothing of the past is kept but traces.  [N19 Eq. 10-13]"""
    task, method = setting.task, setting.method
    cost = costs.global_cost(len(synapses), task.target, KERNEL)
    carry, dW, U = online.start(method, synapses, 1), [0 * W for W, _ in synapses], []
    for now in task.x:
        U.append(carry.neurons[-1].U[0, 0])
        carry, g = online.step(method, CELL, synapses, cost, carry, now, setting.route)
        dW = [total + layer.W for total, layer in zip(dW, g, strict=True)]
    return Trial(np.array(U), spiking.spikes(CELL, np.array(U)), tuple(dW))


def falling(trials: int) -> Schedule:
    """The factor 0.8, again and again: ten times, evenly over the last two thirds of the trials."""
    return stepwise(tuple(range(trials // 3, trials, max(1, trials // 15))), 0.8)


def learn(setting: Setting, trials: int) -> Learned:
    """W <- W - lr r * sum_n dL[n]/dW, `trials` times, V = 0 held.

    A distance of 0 ends it: then e = 0 at every step, hence dW = 0, and nothing would change any more.
    """
    synapses, schedule = setting.synapses, falling(trials)
    memory = tuple(ADAMAX.init(W) for W, _ in synapses)
    found, S, U = [], [], []
    for k in range(trials + 1):
        seen = trial(setting, synapses)
        found.append(distance(setting.task, seen.S))
        S.append(seen.S)
        U.append(seen.U)
        if found[-1] == 0:
            break
        rates = [np.asarray(rate * schedule(k)) for rate in setting.rates]
        moved, memory = update_each(ADAMAX, [W for W, _ in synapses], seen.dW, memory, rates)
        synapses = tuple(s._replace(W=W) for s, W in zip(synapses, moved, strict=True))
    left = trials + 1 - len(found)
    return Learned(np.array(found + left * found[-1:]), np.array(S + left * S[-1:]), U[0], U[int(np.argmin(found))])


@dataclass(frozen=True)
class Settings(StudySettings):
    """All that a run depends on."""

    trials: int = option(300, "trials of each training", quick=30)


class SuperSpike(Study):
    """Every variant learns the task of every seed."""

    result = Learned
    variants = VARIANTS

    def learn(self, unit: Unit, monitor: Monitor) -> Learned:
        """One training."""
        return learn(prepare(*unit), self.settings.trials)

    def status(self, state: tuple[Any, ...]) -> str:
        """The last distance."""
        return f"{self.units[len(state) - 1].variant}: {state[-1].distance.min():.3f}" if state else ""

    def report(self, state: tuple[Any, ...]) -> tuple[Results, dict[str, Array]]:
        """Distances by variant, and the first seed's task and learning."""
        by_variant = self.by_variant(state)
        variants = {variant: summary(by_seed) for variant, by_seed in by_variant.items()}
        task = prepare(ALONE, self.seeds[0]).task
        return {"seeds": list(self.seeds), "asked": ASKED, "variants": variants}, arrays(task, by_variant)


def summary(found: Sequence[Learned]) -> dict[str, Any]:
    """Distances before learning, of the weights kept, and after the last trial; trials until below ASKED; by seed."""
    below = [np.flatnonzero(one.distance < ASKED) for one in found]
    return {
        "distance_start": [float(one.distance[0]) for one in found],
        "distance_kept": [float(one.distance.min()) for one in found],
        "distance_last": [float(one.distance[-1]) for one in found],
        "updates_until_below_asked": [int(k[0]) if len(k) else None for k in below],
    }


def arrays(task: Task, done: dict[str, list[Learned]]) -> dict[str, Array]:
    """What the figure needs: the first seed's task and learning by one neuron, and all curves."""
    one = done[ALONE][0]
    drawn = {"x": task.x[:, 0].astype(np.uint8), "target": task.spikes[:, 0, 0].astype(np.uint8)}
    drawn |= {"S": one.S.astype(np.uint8), "U_first": one.U_first, "U_best": one.U_best}
    return drawn | {"distance": np.array([[one.distance for one in done[variant]] for variant in VARIANTS])}


def one_line(results: Results) -> str:
    """The result in one line."""
    best = {variant: max(found["distance_kept"]) for variant, found in results["variants"].items()}
    words = ", ".join(f"{variant} {100 * value:.1f} %" for variant, value in best.items())
    return (
        f"superspike: largest distance from the target over {len(results['seeds'])} seeds, relative to silence: "
        f"{words} (asked: below {100 * results['asked']:g} % by one neuron)"
    )


EXPERIMENT = Experiment(
    name="superspike",
    summary="learn a train of spikes by forward traces [N19 Eq. 9-13]",
    settings=Settings,
    make=SuperSpike,
    one_line=one_line,
    example="--repeats 1 --trials 100",
)
