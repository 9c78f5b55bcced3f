"""The figure of the temporal exclusive or: potentials and spikes of both layers.  [N19 Fig. 7]"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array
from decolle_ref.experiments import xor
from decolle_ref.plots.style import CYCLE, GREY, INK, LINE_STYLES, house, save

ROWS = ("both early", "both late", "early, late", "late, early")
COLORS = {"input": (INK, GREY), "hidden": CYCLE[:4], "output": (INK, CYCLE[4])}
PANELS = (("hidden", "input"), ("output", "hidden"))  # a layer, and whom it hears
LOWEST = -1.5  # potentials are not drawn below it; the threshold is 1
ARROW = 0.3  # its length, and the room for it, in units of U


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """One row per pattern.  Left: the hidden neurons, right: the outputs; spikes out on top, spikes in at the bottom.

    arrays and results: what experiments.xor wrote to xor.npz and results.json.
    """
    with house() as plt:
        figure, axes = plt.subplots(len(ROWS), 2, figsize=(8.6, 8.4), sharex=True, sharey="col")
        for row, name in enumerate(ROWS):
            for axis, (layer, heard) in zip(axes[row], PANELS, strict=True):
                _panel(axis, arrays, row, layer, heard)
            axes[row, 0].set_title(f"inputs: {name}", loc="left")
            axes[row, 0].set_ylabel("U (no unit, threshold 1)")
            axes[row, 1].set_ylabel("U")
            axes[row, 1].set_title(_verdict(results["shown"], row), loc="left")
        for column, (layer, heard) in enumerate(PANELS):
            axes[-1, column].set_xlabel("time t (synaptic time constants)")
            _legend(axes[0, column], layer, heard)
        axes[0, 0].set_xlim(-0.15, float(arrays["at"][-1]))
        figure.suptitle(_title(results), fontsize=9)
    return figure


def save_figures(folder: Path, results: dict[str, Any]) -> Path:
    """Draw the figure of a finished run into its folder; returns its path."""
    arrays, _ = store.read_arrays(folder / "xor.npz", xor.EXPERIMENT.arrays_kind)
    path = folder / "xor.png"
    save(plot(arrays, results), path)
    return path


def _panel(axis: Any, arrays: dict[str, Array], row: int, layer: str, heard: str) -> None:
    """Potentials until each neuron's spike, the threshold, and arrows; a star where the first output fires."""
    fired = arrays[f"t_{layer}"][row]
    axis.axhline(1, color=INK, lw=0.6, ls="--")
    for U, color, style in zip(arrays[f"U_{layer}"][row].T, COLORS[layer], LINE_STYLES, strict=False):
        axis.plot(arrays["at"], U, color=color, ls=style, lw=1.2)
    _arrows(axis, fired, COLORS[layer], [1.0 + 0.2 * ARROW] * len(fired))
    low = max(min(0.0, float(np.nanmin(arrays[f"U_{layer}"]))), LOWEST)
    lanes = 2 if heard == "input" else 1  # the two inputs may come at the same time
    bottom = low - lanes * ARROW - 0.1
    times = arrays[f"t_{heard}"][row]
    _arrows(axis, times, COLORS[heard], [bottom + (k % lanes) * ARROW for k in range(len(times))])
    if layer == "output" and np.isfinite(fired).any():
        axis.plot(fired.min(), 1, marker="*", ms=11, color=COLORS[layer][int(fired.argmin())], mec="white", zorder=3)
    axis.set(ylim=(bottom - 0.05, 1.1 + 1.3 * ARROW), yticks=np.arange(np.ceil(low), 1.5))


def _arrows(axis: Any, times: Array, colors: tuple[str, ...], feet: list[float]) -> None:
    """An arrow upward from `feet` at each time; none for a neuron that is silent."""
    for t, color, y in zip(times, colors, feet, strict=True):
        if np.isfinite(t):
            style = {"arrowstyle": "-|>", "color": color, "lw": 1.2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
            axis.annotate("", xy=(t, y + ARROW * 0.95), xytext=(t, y), arrowprops=style)


def _legend(axis: Any, layer: str, heard: str) -> None:
    """Lines for the layer's neurons; for its senders only where no panel draws them as lines."""
    for k, (color, style) in enumerate(zip(COLORS[layer], LINE_STYLES, strict=False)):
        axis.plot([], [], color=color, ls=style, label=f"{layer} {k}")
    if heard == "input":
        for k, color in enumerate(COLORS[heard]):
            axis.plot([], [], color=color, ls="", marker="^", ms=4, label=f"{heard} {k}")
    else:
        axis.plot([], [], color=GREY, ls="", marker="*", ms=8, label="fires first")
    axis.legend(loc="upper right", bbox_to_anchor=(1, 0.74), fontsize=7)  # below the threshold


def _verdict(shown: dict[str, Any], row: int) -> str:
    winner, target = shown["winner"][row], shown["target"][row]
    if winner < 0:
        return f"no output is first, should be {target}"
    return f"output {winner} fires first, " + ("as it should" if winner == target else f"should be {target}")


def _title(results: dict[str, Any]) -> str:
    quick = "" if results["comparable"] else "quick run, "
    seed, updates = results["settings"]["seed"], results["constants"]["epochs"]
    return (
        f"[N19 Fig. 7] temporal exclusive or, network of seed {seed} after {updates} updates\n"
        f"({quick}learned by {results['learned']} of {results['networks']} networks; "
        "arrows: spikes out on top, spikes in at the bottom)"
    )
