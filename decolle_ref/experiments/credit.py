"""What every method of the review drops, on one random network.  [N19 Sec. III-V]"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array, InputError, count, validate_choice
from decolle_ref.credit import cost as costs
from decolle_ref.credit.audit import dropped
from decolle_ref.credit.audit.dropped import Comparison
from decolle_ref.credit.cost import Cost, Kernel, Target
from decolle_ref.credit.methods import feedback
from decolle_ref.credit.methods.feedback import Route
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.experiments.longrun import Progress, versions

COSTS = ("top", "local")
FEEDBACK: dict[str, Callable[[np.random.Generator, Sequence[int]], Route]] = {
    "none": lambda rng, sizes: feedback.own,
    "alignment": lambda rng, sizes: feedback.alignment(feedback.sample_alignment(rng, sizes)),
    "direct": lambda rng, sizes: feedback.direct(feedback.sample_direct(rng, sizes)),
}
QUICK_STEPS = 10


class Settings(NamedTuple):
    """One network, one loss, and how they are looked at."""

    methods: tuple[str, ...] = ()  # none: all of them
    reference: str = "rtrl"
    sizes: tuple[int, ...] = (10, 8, 5)  # n_in, n_1, ..., n_L
    steps: int = 40
    activity: str = "primitive"
    reset: str = "through"
    cost: str = "top"  # van Rossum distance to another network's spikes, or a loss of every layer at every step
    feedback: str = "none"
    seed: int = 0
    quick: bool = False


def check(settings: Settings) -> None:
    """Raise InputError for what cannot be compared."""
    for method in (*settings.methods, settings.reference):
        validate_choice("method", method, dropped.RULES)
    validate_choice("cost", settings.cost, COSTS)
    validate_choice("feedback", settings.feedback, FEEDBACK)
    count("seed", settings.seed, 0)
    count("steps", settings.steps)
    for size in settings.sizes:
        count("layers", size)
    if len(settings.sizes) < 2:
        raise InputError(f"layers: expected n_in and at least one layer, got {len(settings.sizes)} number")
    if settings.cost == "top" and "local" in (*settings.methods, settings.reference):
        raise InputError("method: local needs --cost local, a loss without a filter in every layer, got --cost top")


def compare(settings: Settings, quiet: bool = True) -> dict[str, Comparison]:
    """Every method against the reference.  Raises InputError for settings that do not fit."""
    check(settings)
    rng = np.random.default_rng(settings.seed)
    cell = spiking.neuron(theta=0.5, surrogate=logistic, activity=settings.activity, reset=settings.reset)
    synapses = spiking.init_weights(rng, settings.sizes, 2.0, 1.0)
    x = (rng.random((settings.steps, 1, settings.sizes[0])) < 0.4).astype(float)
    cost = _cost(settings, cell, x, rng)
    route = FEEDBACK[settings.feedback](rng, settings.sizes[1:])
    names = settings.methods or tuple(m for m in dropped.RULES if settings.cost == "local" or m != "local")
    bar, found = Progress("credit", len(names), quiet=quiet, unit="method"), {}
    for m in names:
        found[m] = dropped.compare(cell, synapses, x, cost, m, settings.reference, route)
        bar.advance(m)
    bar.close()
    return found


def _cost(settings: Settings, cell: Neuron, x: Array, rng: np.random.Generator) -> Cost:
    sizes = settings.sizes[1:]
    if settings.cost == "top":
        other = spiking.forward(cell, spiking.init_weights(rng, settings.sizes, 2.0, 1.0), x).S[-1]
        kernel = Kernel(0.8, 0.9)
        return costs.on_top(len(sizes), costs.van_rossum(kernel, other), kernel)
    goal = rng.normal(size=(settings.steps, 1, sizes[-1]))
    return Cost(tuple(Target(goal, rng.normal(size=(sizes[-1], n)) / np.sqrt(n)) for n in sizes))


def run(settings: Settings, out: Path, quiet: bool = False) -> dict[str, Any]:
    """Compare, and write results.json into the folder `out`."""
    folder, found = store.output_folder(out), compare(settings, quiet)
    results = {
        "experiment": "credit",
        "settings": settings._asdict(),
        "quick": settings.quick,
        "versions": versions(),
        "methods": {name: _numbers(one) for name, one in found.items()},
        "table": dropped.table(found),
        "accounts": [dropped.account(found[m], m, settings.reference) for m in settings.methods],
    }
    store.write_json(folder / "results.json", results)
    return results


def _numbers(found: Comparison) -> dict[str, Any]:
    g, exact = dropped.flat(found.method), dropped.flat(found.reference)
    norm = np.linalg.norm(exact) or 1
    return {
        "cosine": dropped.cosine(g, exact),
        "relative_error": dropped.relative_error(g, exact),
        "terms": {t.name: float(np.linalg.norm(dropped.flat(t.gradient)) / norm) for t in found.terms},
        "remainder": dropped.remainder(found),
    }


def text(results: dict[str, Any]) -> str:
    """The table, and the account of each method that was asked for."""
    return "\n\n".join([results["table"], *results["accounts"]])


def one_line(results: dict[str, Any]) -> str:
    """The result in one line."""
    worst = max(numbers["remainder"] for numbers in results["methods"].values())
    closes = "method + omitted terms = reference" if worst < 1e-10 else "the terms DO NOT ADD UP to the reference"
    quick = " (quick: not comparable)" if results["quick"] else ""
    return f"credit: {closes} for {len(results['methods'])} methods, worst relative remainder {worst:.0e}{quick}"
