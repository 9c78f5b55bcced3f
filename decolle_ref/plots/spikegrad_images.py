"""SpikeGrad on images: operations, test error and redundant spikes.  [T19 Fig. 1, 2]

`spikegrad_mnist` and `spikegrad_cifar10` draw their figures with it.

>>> runs = [{"settings": {"alpha": alpha, "seed": seed}} for seed in (0, 1) for alpha in (100.0, 2.0)]
>>> {alpha: len(group) for alpha, group in by_alpha(runs).items()}
{2.0: 2, 100.0: 2}
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.plots.style import CYCLE, GREY, INK, LINE_STYLES, figure_style

__all__ = ["by_alpha", "plot"]

MARKERS = "os^Dv<>P"
Run = dict[str, Any]  # the results of an experiment


def plot(runs: Sequence[Run], data: str, topology: str, panel: str) -> Any:
    """Draw operations of backpropagation, test error and redundant spikes for each error scale alpha.

    Top left: operations against epoch [T19 Fig. 1].  Top right: operations in each layer of the run with the most
    epochs [T19 Fig. 2].  Bottom left: test error.  Bottom right: spikes divided by |totals|.

    Parameters
    ----------
    runs : sequence of dict
        What the experiment returned, for one run or several.
    data, topology : str
        The names of the data and of the network, for the title.
    panel : {"a", "b"}
        The panel of the paper's figures.

    Returns
    -------
    matplotlib.figure.Figure
    """
    spike = [run for run in runs if run["settings"]["gradient"] == "spike"]
    mark = "" if all(run["comparable"] for run in runs) else " (quick run)"
    with figure_style() as plt:
        figure, axes = plt.subplots(2, 2, figsize=(8.4, 6.4))
        _operations(axes[0, 0], spike, panel)
        if spike:
            first = topology.split("-")[1]
            _by_layer(axes[0, 1], max(spike, key=lambda run: len(run["epochs"]["loss"])), first, panel)
        _accuracy(axes[1, 0], runs)
        _redundancy(axes[1, 1], spike)
        figure.suptitle(f"SpikeGrad on {data}, {topology} [T19 Fig. 1{panel}, 2{panel}]{mark}", fontsize=9)
    return figure


def by_alpha(runs: Sequence[Run]) -> dict[float, list[Run]]:
    """Group runs by their error scale; runs of one group differ in their seeds.

    Parameters
    ----------
    runs : sequence of dict
        What the experiment returned.

    Returns
    -------
    dict of float to list
        The runs of each alpha, in ascending order of alpha.
    """
    alphas = sorted({run["settings"]["alpha"] for run in runs})
    return {alpha: [run for run in runs if run["settings"]["alpha"] == alpha] for alpha in alphas}


def _look(k: int) -> dict[str, Any]:
    return {"color": CYCLE[k % len(CYCLE)], "ls": LINE_STYLES[k % 4], "marker": MARKERS[k % 8], "ms": 3}


def _curves(runs: Sequence[Run], name: str) -> Any:
    """(epochs, seeds) up to the shortest run."""
    shortest = min(len(run["epochs"][name]) for run in runs)
    return np.array([run["epochs"][name][:shortest] for run in runs]).T


def _percent(runs: Sequence[Run]) -> str:
    final = 100 * np.array([run["accuracy"] for run in runs])
    spread = f" ± {final.std(ddof=1):.2f}" if len(final) > 1 else ""
    return f"{final.mean():.2f}{spread} %, {len(runs[0]['epochs']['loss'])} epochs"


def _operations(axis: Any, runs: Sequence[Run], panel: str) -> None:
    for k, (alpha, same) in enumerate(by_alpha(runs).items()):
        curves = _curves(same, "backward")
        label = f"α = {alpha:g}: {_percent(same)}"
        axis.plot(1 + np.arange(len(curves)), curves.mean(axis=1), label=label, **_look(k))
    axis.axhline(1, color=GREY, lw=0.6)
    scale = _scale([_curves(same, "backward") for same in by_alpha(runs).values()])
    axis.set(
        xlabel="epoch", ylabel="operations / MACs of the ANN", yscale=scale, title=f"backpropagation [Fig. 1{panel}]"
    )
    axis.set_ylim(top=200)  # room for the legend above 1, where the ANN is
    if axis.lines[:-1]:
        axis.legend(title="error scale: test accuracy", fontsize=7, title_fontsize=7, loc="upper right")


def _by_layer(axis: Any, run: Run, first: str, panel: str) -> None:
    connections = [k for k, name in enumerate(run["connections"]) if not name.startswith("P")][::-1]  # downwards
    rows = np.array(run["epochs"]["backward_by_layer"])[:, connections]
    for k, epoch in enumerate(sorted({1, min(2, len(rows)), (len(rows) + 1) // 2, len(rows)})):
        axis.plot(range(len(connections)), rows[epoch - 1], label=f"epoch {epoch}", **_look(k))
    layers = [first, *run["connections"]]
    names = [f"{layers[k + 1]} → {layers[k]}" for k in connections]
    axis.set(
        xticks=range(len(connections)), xticklabels=names, ylabel="operations / MACs of the ANN", yscale=_scale(rows)
    )
    if len(names) > 4:
        axis.tick_params(axis="x", labelrotation=40, labelsize=7)
    axis.set(xlabel="connections, in the order in which errors travel")
    axis.set_title(f"backpropagation by layer, α = {run['settings']['alpha']:g} [Fig. 2{panel}]")
    axis.legend(fontsize=7)


def _scale(curves: Iterable[Array]) -> str:
    """The scale is logarithmic, unless no error spike was sent at all."""
    return "log" if any(np.any(array) for array in curves) else "linear"


def _accuracy(axis: Any, runs: Sequence[Run]) -> None:
    k = 0
    for gradient in ("spike", "float"):
        for alpha, same in by_alpha([run for run in runs if run["settings"]["gradient"] == gradient]).items():
            curves = 100 * (1 - _curves(same, "accuracy"))
            epochs = 1 + np.arange(len(curves))
            label = f"{gradient}, α = {alpha:g}" if gradient == "spike" else "float gradient"
            look = _look(k) if gradient == "spike" else {"color": INK, "ls": "-", "lw": 1.6}
            axis.plot(epochs, curves.mean(axis=1), label=f"{label} ({len(same)})", **look)
            k += 1
    axis.set(xlabel="epoch", ylabel="test error (%)", yscale="log", title="test error, mean over seeds")
    axis.yaxis.set_major_formatter("{x:g}")
    low, high = axis.get_ylim()
    digits = "257" if high > 3 * low else "23456789"
    axis.yaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:.0e}"[0] in digits else "")
    axis.legend(title="gradient (seeds)", fontsize=7, title_fontsize=7, ncols=2)


def _redundancy(axis: Any, runs: Sequence[Run]) -> None:
    groups = by_alpha(runs)
    for k, phase in enumerate(("forward", "backward")):
        ratios = [np.mean([run["redundancy"][phase]["ratio"] for run in same]) for same in groups.values()]
        axis.plot(np.arange(len(groups)) + 0.1 * k, ratios, label=phase, **{**_look(k), "ls": "none", "ms": 5})
    axis.axhline(1, color=GREY, lw=0.6)
    axis.set(xticks=range(len(groups)), xticklabels=[f"{alpha:g}" for alpha in groups], xlabel="error scale α")
    axis.set(ylabel="spikes sent / |total|", title="redundant spikes, event by event")
    axis.legend(fontsize=7)
