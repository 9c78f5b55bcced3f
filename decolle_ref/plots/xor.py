"""The temporal exclusive or: potentials and spikes of both layers.  [N19 Fig. 7]"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.plots import _run
from decolle_ref.plots.style import CYCLE, GREY, INK, LINE_STYLES, figure_style, save

__all__ = ["plot", "save_figures"]

ROWS = ("both early", "both late", "early, late", "late, early")
COLOURS = {"input": (INK, GREY), "hidden": CYCLE[:4], "output": (INK, CYCLE[4])}
PANELS = (("hidden", "input"), ("output", "hidden"))  # a layer and its senders
LOWEST = -1.5  # potentials are not drawn below it; the threshold is 1
ARROW = 0.3  # length of an arrow, in units of U


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """Draw the potentials and spikes of both layers, one row per pattern.

    Left: the hidden neurons.  Right: the outputs.  Arrows on top are spikes out, arrows at the bottom spikes in.

    Parameters
    ----------
    arrays : dict
        The arrays of xor.npz, which `experiments.xor` wrote.
    results : dict
        What the run returned, which is also in its results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, axes = plt.subplots(len(ROWS), 2, figsize=(8.6, 8.4), sharex=True, sharey="col")
        for row, name in enumerate(ROWS):
            for axis, (layer, sender) in zip(axes[row], PANELS, strict=True):
                _panel(axis, arrays, row, layer, sender)
            axes[row, 0].set_title(f"inputs: {name}", loc="left")
            axes[row, 0].set_ylabel("U (no unit, threshold 1)")
            axes[row, 1].set_ylabel("U (no unit, threshold 1)")
            axes[row, 1].set_title(_verdict(results["shown"], row), loc="left")
        for column, (layer, sender) in enumerate(PANELS):
            axes[-1, column].set_xlabel("time t (synaptic time constants)")
            _legend(axes[0, column], layer, sender)
        axes[0, 0].set_xlim(-0.15, float(arrays["at"][-1]))
        figure.suptitle(_title(results), fontsize=9)
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw xor.png in the folder of a run."""
    return [save(plot(_run.arrays(out, "xor"), results), out / "xor.png")]


def _panel(axis: Any, arrays: dict[str, Array], row: int, layer: str, sender: str) -> None:
    """Potentials until each neuron's spike, the threshold, arrows, and a star where the first output fires."""
    fired = arrays[f"t_{layer}"][row]
    axis.axhline(1, color=INK, lw=0.6, ls="--")
    for U, color, style in zip(arrays[f"U_{layer}"][row].T, COLOURS[layer], LINE_STYLES, strict=False):
        axis.plot(arrays["at"], U, color=color, ls=style, lw=1.2)
    _arrows(axis, fired, COLOURS[layer], [1.0 + 0.2 * ARROW] * len(fired))
    low = max(min(0.0, float(np.nanmin(arrays[f"U_{layer}"]))), LOWEST)
    lanes = 2 if sender == "input" else 1  # the two inputs may come at the same time
    bottom = low - lanes * ARROW - 0.1
    times = arrays[f"t_{sender}"][row]
    _arrows(axis, times, COLOURS[sender], [bottom + (k % lanes) * ARROW for k in range(len(times))])
    if layer == "output" and np.isfinite(fired).any():
        axis.plot(fired.min(), 1, marker="*", ms=11, color=COLOURS[layer][int(fired.argmin())], mec="white", zorder=3)
    axis.set(ylim=(bottom - 0.05, 1.1 + 1.3 * ARROW), yticks=np.arange(np.ceil(low), 1.5))


def _arrows(axis: Any, times: Array, colours: tuple[str, ...], feet: list[float]) -> None:
    """An arrow upward from `feet` at each time, but none for a silent neuron."""
    for t, color, y in zip(times, colours, feet, strict=True):
        if np.isfinite(t):
            style = {"arrowstyle": "-|>", "color": color, "lw": 1.2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
            axis.annotate("", xy=(t, y + ARROW * 0.95), xytext=(t, y), arrowprops=style)


def _legend(axis: Any, layer: str, sender: str) -> None:
    """Lines for the layer's neurons, and the senders where no panel draws them as lines."""
    for k, (color, style) in enumerate(zip(COLOURS[layer], LINE_STYLES, strict=False)):
        axis.plot([], [], color=color, ls=style, label=f"{layer} {k}")
    if sender == "input":
        for k, color in enumerate(COLOURS[sender]):
            axis.plot([], [], color=color, ls="", marker="^", ms=4, label=f"{sender} {k}")
    else:
        axis.plot([], [], color=GREY, ls="", marker="*", ms=8, label="fires first")
    axis.legend(loc="upper right", bbox_to_anchor=(1, 0.74), fontsize=7)  # below the threshold


def _verdict(network: dict[str, Any], row: int) -> str:
    winner, target = network["winner"][row], network["target"][row]
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
