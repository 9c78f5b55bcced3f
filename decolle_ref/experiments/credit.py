"""The terms that each method of the review leaves out of the gradient, on random networks that live.  [N19 Sec. III-V]

A network *lives* if its neurons fire at plausible rates, and if sigma' is not saturated, so that credit can reach its
weights.  `W_SCALE` and the other scales are therefore per unit of normalised trace (`spiking.trace_gain`): the size of
U does not depend on the time constants.  One network proves little about methods, so the table has many of them.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, validate_choice
from decolle_ref.credit import cost as costs
from decolle_ref.credit.audit import dropped
from decolle_ref.credit.audit.dropped import Comparison
from decolle_ref.credit.cost import Cost, Kernel, Target
from decolle_ref.credit.methods import feedback
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Synapses
from decolle_ref.decolle.surrogate import logistic, normalised, sharpened
from decolle_ref.experiments.harness import Experiment, Monitor, Report, Results, SingleStep
from decolle_ref.experiments.options import CommonSettings, option

COSTS = ("top", "local")
FEEDBACK: dict[str, Callable[[np.random.Generator, Sequence[int]], Route]] = {
    "none": lambda rng, sizes: feedback.local_errors,
    "alignment": lambda rng, sizes: feedback.alignment(feedback.sample_alignment(rng, sizes)),
    "direct": lambda rng, sizes: feedback.direct(feedback.sample_direct(rng, sizes)),
}
SURROGATE = normalised(sharpened(logistic, 3.0))
W_MEAN, W_SCALE, V_SCALE = 18.0, 5.0, 2.0  # per unit of normalised trace; the threshold is 1
INPUT_RATE = 0.1  # spikes per step, 100 Hz
TENTH = 0.1  # sigma' above this share of its largest value carries credit


@dataclass(frozen=True)
class Settings(CommonSettings):
    """The networks, the loss, and the methods to compare."""

    methods: tuple[str, ...] = option(
        (),
        f"methods to show in detail, of {', '.join(dropped.RULES)}; none: all in a table; local needs --cost local",
        positional=True,
    )
    reference: str = option("rtrl", "method that all others are compared with", choices=dropped.RULES)
    networks: int = option(10, "random networks, with the seeds from --seed on", quick=2)
    inputs: int = option(10, "input neurons")
    layers: tuple[int, ...] = option((8, 5), "neurons of each layer")
    steps: int = option(100, "time steps of 1 ms", quick=50)
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
    def seeds(self) -> range:
        """The seeds of all networks."""
        return range(self.seed, self.seed + self.networks)

    @property
    def names(self) -> tuple[str, ...]:
        """The methods to compare."""
        return self.methods or tuple(m for m in dropped.RULES if self.cost == "local" or m != "local")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, and neurons of each layer."""
        return (self.inputs, *self.layers)


class Network(NamedTuple):
    """One random network with its input and its loss."""

    cell: Neuron
    synapses: tuple[Synapses, ...]
    x: Array  # (T, 1, n_in), input spikes
    cost: Cost
    route: Route


def sample_network(settings: Settings, seed: int) -> Network:
    """The network of one seed."""
    rng = np.random.default_rng(seed)
    cell = spiking.neuron(surrogate=SURROGATE, activity=settings.activity, reset=settings.reset)
    synapses = _weights(rng, cell, settings.sizes)
    x = (rng.random((settings.steps, 1, settings.inputs)) < INPUT_RATE).astype(float)
    cost = _cost(settings, cell, x, rng)
    return Network(cell, synapses, x, cost, FEEDBACK[settings.feedback](rng, settings.layers))


def _weights(rng: np.random.Generator, cell: Neuron, sizes: Sequence[int]) -> tuple[Synapses, ...]:
    return spiking.init_weights(rng, sizes, W_SCALE, V_SCALE, W_MEAN, spiking.trace_gain(cell))


def _cost(settings: Settings, cell: Neuron, x: Array, rng: np.random.Generator) -> Cost:
    sizes = settings.layers
    if settings.cost == "top":
        other = spiking.forward(cell, _weights(rng, cell, settings.sizes), x).S[-1]
        kernel = Kernel(0.8, 0.9)
        return costs.global_cost(len(sizes), costs.van_rossum(kernel, other), kernel)
    goal = rng.normal(size=(settings.steps, 1, sizes[-1]))
    return Cost(tuple(Target(goal, rng.normal(size=(sizes[-1], n)) / np.sqrt(n)) for n in sizes))


def compare(
    settings: Settings, network: Network, tick: Callable[[str], None] = lambda text: None
) -> dict[str, Comparison]:
    """Compare every method with the reference on one network; call `tick` after each."""
    cell, synapses, x, cost, route = network
    comparisons = {}
    for m in settings.names:
        comparisons[m] = dropped.compare(cell, synapses, x, cost, m, settings.reference, route)
        tick(m)
    return comparisons


def signs_of_life(network: Network) -> dict[str, list[float]]:
    """For each layer the spikes per neuron and step, and the share of neurons and steps where sigma' carries credit."""
    tape = spiking.forward(network.cell, network.synapses, network.x)
    top = float(network.cell.surrogate.derivative(np.zeros(())))
    live = [spiking.sigma_prime(network.cell, U) > TENTH * top for U in tape.U]
    return {"rates": [float(S.mean()) for S in tape.S], "unsaturated": [float(share.mean()) for share in live]}


class Credit(SingleStep):
    """The run: it compares every method with the reference on every network."""

    tick_name = "method"

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: None = None) -> None:
        self.settings, self.parts = settings, settings.networks * len(settings.names)

    def compute(self, monitor: Monitor) -> Report:
        """The numbers of every method, their table, and an account in words of each method named in the settings."""
        settings = self.settings
        networks = [sample_network(settings, seed) for seed in settings.seeds]
        comparisons = [compare(settings, network, monitor.tick) for network in networks]
        methods = {m: _numbers([c[m] for c in comparisons]) for m in settings.names}
        life = [signs_of_life(network) for network in networks]
        return {
            "methods": methods,
            **{name: [network[name] for network in life] for name in life[0]},
            "table": _table(methods, settings.networks),
            "accounts": [_account(comparisons[0][m], m, settings) for m in settings.methods],
        }, {}


def _numbers(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The numbers of one method; lists have one entry per network."""
    pairs = [(dropped.flat(c.method), dropped.flat(c.reference)) for c in comparisons]
    norms = [np.linalg.norm(exact) or 1 for _, exact in pairs]
    terms = [
        {t.name: float(np.linalg.norm(dropped.flat(t.gradient)) / norm) for t in c.terms}
        for c, norm in zip(comparisons, norms, strict=True)
    ]
    return {
        "cosine": [dropped.cosine(*pair) for pair in pairs],
        "relative_error": [dropped.relative_error(*pair) for pair in pairs],
        "terms": {name: [sizes[name] for sizes in terms] for name in terms[0]},
        "remainder": max(map(dropped.remainder, comparisons)),
    }


def _table(methods: dict[str, dict[str, Any]], networks: int) -> str:
    names = ("feedback", *spiking.Paths._fields)
    rows: list[Sequence[str]] = [("method", "cosine", "rel. error", *names, "remainder")]
    for method, numbers in methods.items():
        sizes = [_spread(numbers["terms"].get(name, [0.0])) for name in names]
        near = (_spread(numbers["cosine"]), _spread(numbers["relative_error"]))
        rows.append((method, *near, *sizes, f"{numbers['remainder']:.0e}"))
    return f"median (lowest to highest) of {networks} random networks\n{dropped.aligned(rows)}"


def _spread(values: Sequence[float]) -> str:
    if not np.any(values):
        return "-"
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _account(comparison: Comparison, method: str, settings: Settings) -> str:
    return f"the network of seed {settings.seed}\n{dropped.account(comparison, method, settings.reference)}"


def table(results: Results) -> str:
    """The table, and the account of each method named in the settings."""
    return "\n\n".join([results["table"], *results["accounts"]])


def one_line(results: Results) -> str:
    """The result in one line."""
    worst = max(numbers["remainder"] for numbers in results["methods"].values())
    closes = "method + omitted terms = reference" if worst < 1e-10 else "the terms DO NOT ADD UP to the reference"
    networks = results["settings"]["networks"]
    return f"credit: {closes} for {len(results['methods'])} methods on {networks} networks, worst remainder {worst:.0e}"


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
