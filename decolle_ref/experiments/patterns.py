"""Random spike patterns classified by backpropagation through time: `decolle-ref patterns`.  [N19 Eq. 7, Sec. IV-B]

40 fixed patterns of random spikes, ten in each of four classes.  The classes are arbitrary, so a network can only
memorise them.  It has a recurrent hidden layer and four output neurons; the output that is the most active, after the
filter epsilon, names the class.  The loss is the cross-entropy at every step from FIRST on.

| rule | gradient |
| --- | --- |
| bptt | all terms, for W and V |
| reset detached | without the reset path |
| e-prop, random feedback | each hidden neuron's own past, with an error that fixed random weights send to it |
| output alone | the control: the hidden layer keeps its initial weights |

All rules start from the same weights and learn by Adamax.  The learning rate is a third of its value in the last third
of the training.  For each rule it is the best of 0.005, 0.015 and 0.03 on the noisy copies of four other seeds (100 to
103).  The noisy copies, with spikes moved and dropped, are only for testing: the control remembers most of the patterns
too, but not their copies.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Cost
from decolle_ref.credit.methods import bptt, feedback
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Paths, Synapses
from decolle_ref.decolle.objective import cross_entropy
from decolle_ref.decolle.optim import Adamax, stepwise, update_each
from decolle_ref.decolle.surrogate import fast_sigmoid, sharpened
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Experiment, Headline, Monitor, Results
from decolle_ref.experiments.options import option
from decolle_ref.experiments.study import Study, StudySettings, Unit

STEPS, INPUTS, HIDDEN, CLASSES, EACH, SPIKES = 80, 40, 50, 4, 10, 2  # SPIKES per input and pattern
FIRST = 20  # the loss begins at this step
GAIN = 5.0  # factor of epsilon * S in the softmax
JITTER, DROPPED, COPIES = 1.0, 0.05, 5  # noisy copies: shift in steps, share of spikes dropped, copies of each pattern
REQUIRED = 0.95
CELL = spiking.neuron(tau_mem=0.010, tau_syn=0.005, surrogate=sharpened(fast_sigmoid, 5.0))
KERNEL = costs.double_exponential(0.005, 0.020)
ADAMAX = Adamax(beta1=0.0, beta2=0.99)

BPTT, DETACHED, EPROP, CONTROL = "bptt", "reset detached", "e-prop, random feedback", "output alone"
OWN_PAST = Paths(recurrent=False, downstream=False)
RULES = {BPTT: Paths(), DETACHED: Paths(reset=False), EPROP: OWN_PAST, CONTROL: OWN_PAST}
LEARNING_RATES = {BPTT: 0.005, DETACHED: 0.005, EPROP: 0.015, CONTROL: 0.03}


class Task(NamedTuple):
    """Patterns with their classes, and noisy copies of them."""

    x: Array  # (STEPS, patterns, INPUTS)
    labels: Array  # (patterns,)
    x_noisy: Array
    labels_noisy: Array


class Training(NamedTuple):
    """The result of one training."""

    accuracy: Array  # (epochs + 1,), accuracy on the patterns, before every update and after the last
    noisy: Array | float  # accuracy on the noisy copies, at the end
    outputs: Array  # (STEPS, patterns, CLASSES), epsilon * S at the end
    spike_rates: Array  # spikes per step and neuron in each layer, at the end


def raster(times: Array) -> Array:
    """Spikes (STEPS, patterns, inputs) at times (patterns, inputs, spikes); times out of range are left out."""
    x = np.zeros((STEPS, *times.shape[:2]))
    for k in range(times.shape[2]):
        step = np.rint(times[:, :, k]).astype(int)
        there = (step >= 0) & (step < STEPS)
        pattern, channel = np.nonzero(there)
        x[step[there], pattern, channel] = 1
    return x


def sample_task(rng: np.random.Generator) -> Task:
    """Sample uniform spike times; class k has the patterns k, k + CLASSES, ..."""
    labels = np.arange(CLASSES * EACH) % CLASSES
    times = rng.integers(0, STEPS, (len(labels), INPUTS, SPIKES)).astype(float)
    copies = []
    for _ in range(COPIES):
        moved = times + rng.normal(0, JITTER, times.shape)
        copies.append(raster(np.where(rng.random(times.shape) < DROPPED, -1.0, moved)))
    return Task(raster(times), labels, np.concatenate(copies, axis=1), np.tile(labels, COPIES))


def init_network(rng: np.random.Generator) -> tuple[Synapses, ...]:
    """Sample the weights: small in the hidden layer, so that few outputs spike at first; V = 0 in the output layer."""
    hidden, top = spiking.init_weights(rng, (INPUTS, HIDDEN, CLASSES), 0.6, 0.3)
    return hidden, Synapses(top.W / 0.6, 0 * top.V)


def cost_of(labels: Array) -> Cost:
    """Cross-entropy of softmax(GAIN epsilon * S), the mean over patterns and steps from FIRST on."""
    goal = np.zeros((STEPS, len(labels), CLASSES))
    goal[FIRST:, np.arange(len(labels)), labels] = 1 / (len(labels) * (STEPS - FIRST))
    return costs.global_cost(2, costs.Target(goal, GAIN * np.eye(CLASSES), cross_entropy), KERNEL)


def outputs(synapses: tuple[Synapses, ...], x: Array) -> Array:
    """epsilon * S of the output neurons."""
    return costs.filtered(KERNEL, spiking.forward(CELL, synapses, x).S[-1])


def accuracy(y: Array, labels: Array) -> float:
    """Share of patterns for which the output of their class is the largest, summed from FIRST on; a tie is an error."""
    total = y[FIRST:].sum(axis=0)
    right = total[np.arange(len(labels)), labels]
    return float((right > np.where(np.eye(CLASSES)[labels] > 0, -np.inf, total).max(axis=1)).mean())


def gradient(
    rule: str, synapses: tuple[Synapses, ...], x: Array, cost: Cost, route: Route
) -> tuple[tuple[Synapses, ...], Array]:
    """dL/dW and dL/dV, computed by the rule, and epsilon * S of the outputs.  [N19 Eq. 7]"""
    tape = spiking.forward(CELL, synapses, x)
    e = costs.errors(cost, tape.S)
    if rule == EPROP:
        e = tuple(route(e, [spiking.sigma_prime(CELL, U) for U in tape.U]))  # all steps at once
    g = bptt.backward(CELL, synapses, tape, costs.dS(KERNEL, e), RULES[rule])
    return g, costs.filtered(KERNEL, tape.S[-1])


def learn(rule: str, seed: int, epochs: int) -> Training:
    """Train one network; every epoch is one update on all patterns."""
    rng = np.random.default_rng(seed)
    task, synapses = sample_task(rng), init_network(rng)
    route = feedback.direct(feedback.sample_direct(rng, (HIDDEN, CLASSES)))
    cost, accuracies = cost_of(task.labels), []
    opt_state = tuple(ADAMAX.init(array) for layer in synapses for array in layer)
    schedule = stepwise((2 * epochs // 3,), 1 / 3)
    for epoch in range(epochs):
        g, y = gradient(rule, synapses, task.x, cost, route)
        accuracies.append(accuracy(y, task.labels))
        flat, gradients = ([array for layer in layers for array in layer] for layers in (synapses, g))
        learning_rates = [np.asarray(LEARNING_RATES[rule] * schedule(epoch))] * len(flat)
        new, opt_state = update_each(ADAMAX, flat, gradients, opt_state, learning_rates)
        synapses = tuple(map(Synapses, new[::2], new[1::2]))
    tape = spiking.forward(CELL, synapses, task.x)
    y = costs.filtered(KERNEL, tape.S[-1])
    noisy = accuracy(outputs(synapses, task.x_noisy), task.labels_noisy)
    spike_rates = np.array([S.mean() for S in tape.S])
    return Training(np.array([*accuracies, accuracy(y, task.labels)]), noisy, y, spike_rates)


@dataclass(frozen=True)
class Settings(StudySettings):
    """The settings of a run."""

    epochs: int = option(120, "updates of each training", quick=20)


class Patterns(Study):
    """The study: every rule learns the patterns of every seed."""

    result = Training
    variants = tuple(RULES)

    def learn(self, unit: Unit, monitor: Monitor) -> Training:
        """Train one network by one rule with one seed."""
        return learn(*unit, self.settings.epochs)

    def fields(self, unit: Unit) -> dict[str, Field]:
        """Shares lie between 0 and 1."""
        shares = {"accuracy": (self.settings.epochs + 1,), "noisy": (), "spike_rates": (2,)}
        outputs = Field((STEPS, CLASSES * EACH, CLASSES))
        return {name: Field(shape, 0, 1) for name, shape in shares.items()} | {"outputs": outputs}

    def status(self, state: tuple[Any, ...]) -> str:
        """The last accuracy, behind the progress bar."""
        return f"{self.units[len(state) - 1].variant}: {state[-1].accuracy[-1]:.2f}" if state else ""

    def report(self, state: tuple[Any, ...]) -> tuple[Results, dict[str, Array]]:
        """Accuracies by rule, the first seed's patterns, and all curves (rules, seeds, epochs)."""
        by_rule = self.by_variant(state)
        task = sample_task(np.random.default_rng(self.seeds[0]))
        arrays = {"x": task.x.astype(np.uint8), "labels": task.labels, "outputs": by_rule[BPTT][0].outputs}
        arrays["accuracy"] = np.array([[result.accuracy for result in by_seed] for by_seed in by_rule.values()])
        rules = {rule: summary(by_seed) for rule, by_seed in by_rule.items()}
        return {"seeds": list(self.seeds), "asked": REQUIRED, "rules": rules}, arrays


def summary(trainings: list[Training]) -> dict[str, Any]:
    """Accuracies of one rule, by seed."""
    return {
        "accuracy_start": [float(training.accuracy[0]) for training in trainings],
        "accuracy_end": [float(training.accuracy[-1]) for training in trainings],
        "accuracy_noisy": [float(training.noisy) for training in trainings],
        "spikes_per_step": [training.spike_rates.tolist() for training in trainings],
    }


def table(results: Results) -> str:
    """The smallest and largest accuracy at the end over the seeds, by rule, as a table in Markdown."""
    lines = ["| rule | patterns learned | noisy copies |", "| --- | --- | --- |"]
    for rule, numbers in results["rules"].items():
        spans = [f"{min(numbers[k]):.1%} to {max(numbers[k]):.1%}" for k in ("accuracy_end", "accuracy_noisy")]
        lines.append(f"| {rule} | {spans[0]} | {spans[1]} |")
    return "\n".join(lines)


def one_line(results: Results) -> str:
    """The result in one line."""
    worst, noisy = (min(results["rules"][BPTT][key]) for key in ("accuracy_end", "accuracy_noisy"))
    return (
        f"patterns: backpropagation through time gets at least {worst:.1%} of {CLASSES * EACH} patterns right "
        f"over {len(results['seeds'])} seeds (required: more than {results['asked']:.0%}), {noisy:.1%} of noisy copies"
    )


def headline(results: Results) -> Headline:
    """The accuracy by rule at the end, as a mean over the trainings."""
    ends = {rule: numbers["accuracy_end"] for rule, numbers in results["rules"].items()}
    return Headline("patterns learned", "%", {rule: 100 * float(np.mean(end)) for rule, end in ends.items()})


EXPERIMENT = Experiment(
    name="patterns",
    summary="classify random spike patterns by backpropagation through time [N19 Eq. 7]",
    settings=Settings,
    make=Patterns,
    one_line=one_line,
    headline=headline,
    table=table,
    example="--repeats 1",
)
