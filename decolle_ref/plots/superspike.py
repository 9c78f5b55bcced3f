"""SuperSpike learns a train of spikes: inputs, potential, output spikes, distances.  [N19 Sec. V-B, Eq. 9-13]"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments import superspike
from decolle_ref.experiments.superspike import VARIANTS
from decolle_ref.plots import _run
from decolle_ref.plots.style import BLUE, CYCLE, GREY, INK, ORANGE, figure_style, save

__all__ = ["plot", "save_figures"]

FLOOR = 2e-3  # distances below it are 0 and are drawn here: one spike one step late costs 4e-3
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)))


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """Draw one neuron of the first seed above, and the distances of every variant and seed below.

    Parameters
    ----------
    arrays : dict
        The arrays of superspike.npz, which `experiments.superspike` wrote.
    results : dict
        What the run returned, which is also in its results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure = plt.figure(figsize=(9.2, 8.4))
        top, bottom = figure.subfigures(2, 1, height_ratios=(2.1, 1))
        rows = top.subplots(3, 1, sharex=True, height_ratios=(1, 1.15, 1))
        _inputs(rows[0], arrays)
        _membrane(rows[1], arrays)
        _outputs(rows[2], arrays)
        rows[2].set(xlabel="step n (1 ms)", xlim=(0, len(arrays["x"])))
        top.align_ylabels(rows)
        columns = bottom.subplots(1, len(VARIANTS), sharex=True, sharey=True)
        for axis, variant, curves in zip(columns, VARIANTS, arrays["distance"], strict=True):
            _curves(axis, curves, variant, results)
        columns[0].set_ylabel("distance / distance\nof a silent neuron")
        columns[-1].legend(loc="lower left", ncols=2, title="seed (all panels)", alignment="left")
        top.suptitle(_title(results), fontsize=9)
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw superspike.png in the folder of a run."""
    return [save(plot(_run.arrays(out, "superspike"), results), out / "superspike.png")]


def _inputs(axis: Any, arrays: dict[str, Array]) -> None:
    at, channel = np.nonzero(arrays["x"])
    axis.plot(at, channel, ls="", marker="|", ms=3, mew=0.7, color=INK)
    axis.set(ylabel="input neuron", ylim=(-1, arrays["x"].shape[1]))
    axis.set_title("frozen input spikes", loc="left")


def _membrane(axis: Any, arrays: dict[str, Array]) -> None:
    """U before and after learning, the threshold, and the target spikes as vertical bands."""
    _targets(axis, arrays)
    axis.axhline(superspike.CELL.theta, color=INK, lw=0.6, ls="--", label="threshold")
    axis.plot(arrays["U_first"], color=GREY, lw=1.0, ls=":", label="before learning")
    axis.plot(arrays["U_best"], color=BLUE, label="after learning")
    axis.set_ylabel("U (no unit)")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 0.97), borderpad=0, ncols=4, fontsize=7.5, columnspacing=1.4)
    axis.set_title("membrane potential of the output neuron", loc="left")


def _outputs(axis: Any, arrays: dict[str, Array]) -> None:
    """The output's spikes, update by update."""
    _targets(axis, arrays)
    update, at = np.nonzero(arrays["S"])
    axis.plot(at, update, ls="", marker="s", ms=1.5, mew=0, color=BLUE)
    axis.set(ylabel="updates", ylim=(len(arrays["S"]) - 1, 0))
    axis.set_title("output spikes, one row per trial", loc="left")


def _targets(axis: Any, arrays: dict[str, Array]) -> None:
    for k, n in enumerate(np.flatnonzero(arrays["target"])):
        axis.axvline(n, color=ORANGE, lw=3.5, alpha=0.45, label="target spikes" if k == 0 else None)


def _curves(axis: Any, curves: Array, variant: str, results: dict[str, Any]) -> None:
    """Distances of each trial (faint) and of the best trial so far (bold).  curves: (seeds, trials + 1)."""
    for seed, curve, color, style in zip(results["seeds"], curves, CYCLE, STYLES, strict=False):
        axis.semilogy(np.maximum(curve, FLOOR), color=color, lw=0.5, alpha=0.35)
        best = np.maximum(np.minimum.accumulate(curve), FLOOR)
        axis.semilogy(best, color=color, ls=style, lw=1.2, label=str(seed))
    axis.axhline(results["asked"], color=INK, lw=0.7, ls="--")
    axis.set(xlabel="updates", xlim=(0, curves.shape[1] - 1), ylim=(0.8 * FLOOR, 6))
    axis.set_yticks([FLOOR, 0.01, 0.05, 0.1, 1], ["0", "1 %", "5 %", "10 %", "100 %"])
    axis.minorticks_off()
    worst = max(results["variants"][variant]["distance_kept"])
    axis.set_title(f"{variant}\nlargest final distance {100 * worst:.1f} %", loc="left", fontsize=8)


def _title(results: dict[str, Any]) -> str:
    quick = "quick run: " if not results["comparable"] else ""
    seeds, asked = len(results["seeds"]), f"{100 * results['asked']:g} %"
    return (
        f"{quick}[N19 Sec. V-B, Eq. 9-13] SuperSpike learns five spikes.  "
        f"Top: one neuron, seed {results['settings']['seed']}.\n"
        f"Bottom: van Rossum distances, {seeds} seeds (faint: every trial; bold: best trial so far; dashed: {asked})"
    )
