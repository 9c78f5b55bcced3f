"""The angle between the updates of random feedback and backpropagation while networks learn.  [N19 Sec. V-A, Fig. 5]

    angle^(l) = arccos( <dW^(l), dW_bp^(l)> / |dW^(l)| |dW_bp^(l)| )

between the update of layer l by a rule and by backpropagation *at the same weights*, over all training data.  Where
backpropagation gives the gradient, a small step at less than 90 degrees to it lowers the loss.  At the start random
feedback points anywhere; in a layer of many weights that is about 90 degrees.  The angle falls because the forward
weights turn towards the feedback, which is fixed.

- rate network: tanh, two hidden layers; it learns the function of a random teacher network, which a linear fit cannot
- spiking network: three layers of LIF neurons learn to classify fixed spike patterns with the forward traces of
  SuperSpike; the reference is backpropagation through time.  Both leave out the reset path.  So the top layer's angle
  is 0, and the angles of the other layers come only from the way in which the error reaches them

The control trains the top layer alone.  A value "at the end" is the mean over the last fifth of the measurements.
"""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments.alignment_networks import (
    DFA,
    FA,
    HIDDEN_LAYERS,
    LOCAL,
    NETWORKS,
    POINTS,
    Curve,
    linear_fit,
    rate_task,
)
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.harness import Experiment, Monitor, Results
from decolle_ref.experiments.study import Study, StudySettings, Unit

LEARNED = 0.1  # the rate network has learned if its loss on test data is below this share of the target's variance


def at_end(x: Array) -> list[Any]:
    """The mean over the last fifth of the measurements (points, ...)."""
    mean: list[Any] = x[-max(1, len(x) // 5) :].mean(axis=0).tolist()
    return mean


def summary(curves: list[Curve]) -> dict[str, Any]:
    """Angles and losses of one rule at the start and at the end: angles by seed and hidden layer, losses by seed."""
    return {
        "angle_start": [c.angle[0].tolist() for c in curves],
        "angle_end": [at_end(c.angle) for c in curves],
        "loss_start": [float(c.loss[0]) for c in curves],
        "loss_end": [at_end(c.loss) for c in curves],
    }


class Alignment(Study):
    """Both networks trained by every rule."""

    result = Curve
    variants = tuple(f"{name}: {rule}" for name, network in NETWORKS.items() for rule in network.rules)

    def learn(self, unit: Unit, monitor: Monitor) -> Curve:
        """Train one network by one rule with one seed."""
        name, rule = unit.variant.split(": ")
        return NETWORKS[name].train(rule, unit.seed, self.epochs(unit))

    def epochs(self, unit: Unit) -> int:
        """The length of the training."""
        epochs = NETWORKS[unit.variant.split(": ")[0]].epochs
        return epochs // 25 if self.settings.quick else epochs

    def fields(self, unit: Unit) -> dict[str, Field]:
        """Angles lie between 0 and 180 degrees, and a loss is not negative."""
        epochs = self.epochs(unit)
        points = 1 + epochs // max(1, epochs // POINTS)
        epoch = Field((points,), 0, epochs, whole=True)
        return {"epoch": epoch, "angle": Field((points, HIDDEN_LAYERS), 0, 180), "loss": Field((points,), low=0)}

    def status(self, state: tuple[Any, ...]) -> str:
        """The last loss, behind the progress bar."""
        return f"loss {state[-1].loss[-1]:.3f}" if state else ""

    def report(self, state: tuple[Any, ...]) -> tuple[Results, dict[str, Array]]:
        """Angles and losses at the start and end, and all curves (rules, seeds, points, ...)."""
        results: Results = {"seeds": list(self.seeds), "learned_below": LEARNED}
        arrays, by_variant = {}, self.by_variant(state)
        for name, network in NETWORKS.items():
            curves = [by_variant[f"{name}: {rule}"] for rule in network.rules]
            results[name] = {rule: summary(by_seed) for rule, by_seed in zip(network.rules, curves, strict=True)}
            arrays[f"{name}_epoch"] = curves[0][0].epoch
            for field in ("angle", "loss"):
                arrays[f"{name}_{field}"] = np.array([[getattr(c, field) for c in by_seed] for by_seed in curves])
        results["linear_fit"] = [linear_fit(rate_task(np.random.default_rng(s))) for s in self.seeds]
        return results, arrays


def span(values: Any, digits: int = 0) -> str:
    """The smallest and the largest value over the seeds, as text."""
    return f"{np.min(values):.{digits}f} to {np.max(values):.{digits}f}"


def table(results: Results) -> str:
    """Fig. 5 in numbers, as a table in Markdown: smallest to largest over the seeds."""
    lines = [
        "| network, rule | layer 1: angle at start, end (degrees) | layer 2: the same | loss at start | at end |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in NETWORKS:
        for rule, numbers in results[name].items():
            start, end = np.array(numbers["angle_start"]).T, np.array(numbers["angle_end"]).T
            angles = [
                f"{span(a)}, {span(b)}" if rule in (FA, DFA, LOCAL) else "–" for a, b in zip(start, end, strict=True)
            ]
            losses = [span(numbers[key], digits=3) for key in ("loss_start", "loss_end")]
            lines.append(" | ".join([f"| {name}, {rule}", *angles, *losses]) + " |")
    return "\n".join(lines)


def one_line(results: Results) -> str:
    """The result in one line."""
    ends = {rule: np.array(results["rate"][rule]["angle_end"]).max(axis=0) for rule in (FA, DFA)}
    angles = ", ".join(f"{rule} at most {first:.0f} and {second:.0f}" for rule, (first, second) in ends.items())
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
