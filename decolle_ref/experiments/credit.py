"""The terms that each method of the review leaves out of the gradient, on one random network.  [N19 Sec. III-V]"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError, validate_choice
from decolle_ref.credit import cost as costs
from decolle_ref.credit.audit import dropped
from decolle_ref.credit.audit.dropped import Comparison
from decolle_ref.credit.cost import Cost, Kernel, Target
from decolle_ref.credit.methods import feedback
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.experiments.harness import Experiment, Monitor, Report, Results, SingleStep
from decolle_ref.experiments.options import CommonSettings, option

COSTS = ("top", "local")
FEEDBACK: dict[str, Callable[[np.random.Generator, Sequence[int]], Route]] = {
    "none": lambda rng, sizes: feedback.local_errors,
    "alignment": lambda rng, sizes: feedback.alignment(feedback.sample_alignment(rng, sizes)),
    "direct": lambda rng, sizes: feedback.direct(feedback.sample_direct(rng, sizes)),
}


@dataclass(frozen=True)
class Settings(CommonSettings):
    """One network, one loss, and the methods to compare."""

    methods: tuple[str, ...] = option(
        (),
        f"methods to show in detail, of {', '.join(dropped.RULES)}; none: all in a table; local needs --cost local",
        positional=True,
    )
    reference: str = option("rtrl", "method that all others are compared with", choices=dropped.RULES)
    inputs: int = option(10, "input neurons")
    layers: tuple[int, ...] = option((8, 5), "neurons of each layer")
    steps: int = option(40, "time steps of 1 ms", quick=10)
    activity: str = option("primitive", "spiking network, or its smooth twin", choices=spiking.ACTIVITIES)
    reset: str = option("through", "what gradients do at the reset", choices=spiking.RESETS)
    cost: str = option("top", "van Rossum distance at the top, or a loss of every layer at every step", choices=COSTS)
    feedback: str = option("none", "how the error reaches the hidden layers", choices=FEEDBACK)

    def __post_init__(self) -> None:
        super().__post_init__()
        for method in self.methods:
            validate_choice("method", method, dropped.RULES)
        if self.cost == "top" and "local" in (*self.methods, self.reference):
            raise InputError("method: local needs --cost local, a loss without a filter in every layer, got --cost top")

    @property
    def names(self) -> tuple[str, ...]:
        """The methods to compare."""
        return self.methods or tuple(m for m in dropped.RULES if self.cost == "local" or m != "local")


def compare(settings: Settings, tick: Callable[[str], None] = lambda text: None) -> dict[str, Comparison]:
    """Compare every method with the reference; call `tick` after each."""
    rng, sizes = np.random.default_rng(settings.seed), (settings.inputs, *settings.layers)
    cell = spiking.neuron(theta=0.5, surrogate=logistic, activity=settings.activity, reset=settings.reset)
    synapses = spiking.init_weights(rng, sizes, 2.0, 1.0)
    x = (rng.random((settings.steps, 1, settings.inputs)) < 0.4).astype(float)
    cost = _cost(settings, cell, x, rng)
    route = FEEDBACK[settings.feedback](rng, settings.layers)
    comparisons = {}
    for m in settings.names:
        comparisons[m] = dropped.compare(cell, synapses, x, cost, m, settings.reference, route)
        tick(m)
    return comparisons


def _cost(settings: Settings, cell: Neuron, x: Array, rng: np.random.Generator) -> Cost:
    sizes = settings.layers
    if settings.cost == "top":
        other = spiking.forward(cell, spiking.init_weights(rng, (settings.inputs, *sizes), 2.0, 1.0), x).S[-1]
        kernel = Kernel(0.8, 0.9)
        return costs.global_cost(len(sizes), costs.van_rossum(kernel, other), kernel)
    goal = rng.normal(size=(settings.steps, 1, sizes[-1]))
    return Cost(tuple(Target(goal, rng.normal(size=(sizes[-1], n)) / np.sqrt(n)) for n in sizes))


class Credit(SingleStep):
    """The run: it compares every method with the reference."""

    tick_name = "method"

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.settings, self.parts = settings, len(settings.names)

    def compute(self, monitor: Monitor) -> Report:
        """The numbers of every method, their table, and an account in words of each method named in the settings."""
        comparisons, settings = compare(self.settings, monitor.tick), self.settings
        return {
            "methods": {name: _numbers(comparison) for name, comparison in comparisons.items()},
            "table": dropped.table(comparisons),
            "accounts": [dropped.account(comparisons[m], m, settings.reference) for m in settings.methods],
        }, {}


def _numbers(comparison: Comparison) -> dict[str, Any]:
    g, exact = dropped.flat(comparison.method), dropped.flat(comparison.reference)
    norm = np.linalg.norm(exact) or 1
    return {
        "cosine": dropped.cosine(g, exact),
        "relative_error": dropped.relative_error(g, exact),
        "terms": {t.name: float(np.linalg.norm(dropped.flat(t.gradient)) / norm) for t in comparison.terms},
        "remainder": dropped.remainder(comparison),
    }


def table(results: Results) -> str:
    """The table, and the account of each method named in the settings."""
    return "\n\n".join([results["table"], *results["accounts"]])


def one_line(results: Results) -> str:
    """The result in one line."""
    worst = max(numbers["remainder"] for numbers in results["methods"].values())
    closes = "method + omitted terms = reference" if worst < 1e-10 else "the terms DO NOT ADD UP to the reference"
    return f"credit: {closes} for {len(results['methods'])} methods, worst relative remainder {worst:.0e}"


EXPERIMENT = Experiment(
    name="credit",
    summary="what every method of credit assignment leaves out, term by term [N19]",
    group="experiments",
    settings=Settings,
    make=Credit,
    one_line=one_line,
    table=table,
    example="eprop superspike --layers 20 10",
)
