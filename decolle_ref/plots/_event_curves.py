"""What the figures of `nmnist` and `dvsgesture` share: errors by layer and mini-batch, and the cost of the spikes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from decolle_ref.plots.style import BLUE, GREY, GRID, INK, ORANGE

Run = dict[str, Any]  # the results of experiments.event_run
LOOKS = {
    "layer 1": {"color": BLUE, "marker": "o"},
    "layer 2": {"color": ORANGE, "marker": "s"},
    "layer 3": {"color": INK, "marker": "^"},
}


def errors(axis: Any, runs: Sequence[Run]) -> None:
    """The test errors of every layer in %: their mean over the runs, and their range."""
    tests = sorted(set.intersection(*(set(run["mini_batches"]) for run in runs)))
    for name, look in LOOKS.items():
        table = [[run["error"][name][run["mini_batches"].index(k)] for k in tests] for run in runs]
        percent = 100 * np.array(table)
        axis.plot(tests, percent.mean(axis=0), label=name, ms=3, **look)
        axis.fill_between(tests, percent.min(axis=0), percent.max(axis=0), color=look["color"], alpha=0.15, lw=0)
    seeds = "one seed" if len(runs) == 1 else f"mean and range of {len(runs)} seeds"
    axis.set(xlabel="mini-batches", ylabel="test error (%)", ylim=(0, None), title=f"test error by layer: {seeds}")
    axis.grid(**GRID)


def operations(axis: Any, runs: Sequence[Run]) -> None:
    """Synaptic operations per ms of every layer beside the multiplications that dense frames would take."""
    names, places = list(LOOKS), np.arange(len(LOOKS))
    for shift, key, label, colour in (
        (-0.2, "multiplications_of_a_dense_frame", "multiplications for a dense frame", GREY),
        (0.2, "synaptic_operations", "synaptic operations of the spikes", BLUE),
    ):
        heights = [np.mean([run[key][name] for run in runs]) for name in names]
        axis.bar(places + shift, heights, 0.36, label=label, color=colour)
    for place, name in zip(places, names, strict=True):
        below = "input_rate" if name == "layer 1" else "spike_rate"
        rates = [run[below] if name == "layer 1" else run[below][names[place - 1]] for run in runs]
        top = np.mean([run["synaptic_operations"][name] for run in runs])
        axis.annotate(f"{100 * np.mean(rates):.1f} %", (place + 0.2, top), ha="center", va="bottom", fontsize=7)
    axis.set_xticks(places, names)
    axis.set(yscale="log", ylabel="per recording and ms", title="cost by layer; %: spikes per input and ms")
    axis.margins(y=0.2)
    axis.legend(fontsize=7)
