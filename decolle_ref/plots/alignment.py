"""Angles to backpropagation and losses while random feedback rules learn.  [N19 Sec. V-A, Fig. 5]"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments.alignment_networks import BP, CONTROL, DFA, FA, LOCAL, NETWORKS
from decolle_ref.plots import _run
from decolle_ref.plots.style import CYCLE, INK, figure_style, save

__all__ = ["plot", "save_figures"]

BLUE, ORANGE, GREY, _, BROWN, _ = CYCLE
LOOK = {FA: (BLUE, "o"), DFA: (ORANGE, "s"), LOCAL: (BROWN, "^"), BP: (INK, "D"), CONTROL: (GREY, "x")}
LAYER_STYLES = ("-", "--")
TITLES = {
    "rate": "tanh network 5-50-50-5, a teacher's function",
    "spiking": "LIF network 30-30-30-30, frozen spike patterns, SuperSpike's traces",
}
LOSSES = {"rate": "test loss / variance\nof the target", "spiking": "loss / loss of\na silent network"}


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """Draw angles and losses against epoch, as medians and ranges over the seeds.

    Left: the angle of each rule (colour) in each hidden layer (line style).  Right: the loss of each rule.

    Parameters
    ----------
    arrays : dict
        The arrays of alignment.npz, which `experiments.alignment` wrote.
    results : dict
        What the run returned, which is also in its results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, axes = plt.subplots(len(NETWORKS), 2, figsize=(9.6, 6.0), width_ratios=(5, 4))
        for (left, right), (name, network) in zip(axes, NETWORKS.items(), strict=True):
            epoch = arrays[f"{name}_epoch"]
            for k, rule in enumerate(network.rules):
                _band(right, epoch, arrays[f"{name}_loss"][k], rule, "-")
                if rule in (FA, DFA, LOCAL):
                    for layer, style in enumerate(LAYER_STYLES):
                        _band(left, epoch, arrays[f"{name}_angle"][k, :, :, layer], rule, style)
            left.axhline(90, color=INK, lw=0.8, ls=":")
            left.set(ylabel="angle to the update of\nbackpropagation (degrees)", ylim=(30, 125))
            left.set_yticks(range(30, 121, 15))
            left.set_title(TITLES[name], loc="left")
            right.set(ylabel=LOSSES[name], yscale="log")
            for axis in (left, right):
                axis.set(xlabel="epoch", xlim=(0, epoch[-1]))
        _legends(axes[0, 0], axes[1, 1], plt.Line2D)
        axes[1, 1].set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
        axes[1, 1].minorticks_off()
        axes[0, 1].axhline(results["learned_below"], color=INK, lw=0.8, ls=":")
        figure.suptitle(_title(results), fontsize=9)
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw alignment.png in the folder of a run."""
    return [save(plot(_run.arrays(out, "alignment"), results), out / "alignment.png")]


def _band(axis: Any, epoch: Array, y: Array, rule: str, style: str) -> None:
    """Median over the seeds of y (seeds, points), and their range behind it."""
    colour, marker = LOOK[rule]
    every = max(1, len(epoch) // 6)
    axis.fill_between(epoch, y.min(axis=0), y.max(axis=0), color=colour, alpha=0.1, lw=0)
    axis.plot(epoch, np.median(y, axis=0), color=colour, ls=style, marker=marker, ms=3.5, markevery=every)


def _legends(upper: Any, lower: Any, line: Any) -> None:
    """Line styles in one panel, colours and markers in another, for all panels."""
    layers = [
        line([], [], color=INK, ls=style, label=f"hidden layer {k}") for k, style in enumerate(LAYER_STYLES, start=1)
    ]
    rules = [line([], [], color=colour, marker=marker, ms=3.5, label=rule) for rule, (colour, marker) in LOOK.items()]
    upper.legend(handles=layers, loc="upper right", ncols=2)
    lower.legend(handles=rules, loc="upper right", title="all panels", alignment="left")


def _title(results: dict[str, Any]) -> str:
    quick = "quick run: " if not results["comparable"] else ""
    return (
        f"{quick}[N19 Fig. 5] feedback alignment, direct feedback alignment and local errors, measured against "
        f"backpropagation\nmedian and range over {len(results['seeds'])} seeds; dotted: 90 degrees, and the loss below "
        "which the rate network has learned"
    )
