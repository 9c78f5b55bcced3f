"""The loss along a line between weights, and its gradients.  [N19 Fig. 4]

>>> s = np.linspace(0, 1, 5)
>>> results = {"settings": {"seed": 0}, "comparable": True, "flat_share": 0.0, "surrogate_zero_share": 0.0}
>>> figure = plot({"s": s, "loss": 1 - s, "surrogate": -np.ones(5)}, results)
>>> len(figure.axes)  # losses, slopes
2
"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments import landscape
from decolle_ref.experiments.landscape import Walk
from decolle_ref.plots import _run
from decolle_ref.plots.style import BLUE, GREY, INK, figure_style, save

__all__ = ["plot", "save_figures"]


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """Draw the true and the virtual loss on the left, and their slopes along the line on the right.

    Both slopes are scaled to a largest magnitude of 1.

    Parameters
    ----------
    arrays : dict
        The arrays of landscape.npz, which `experiments.landscape` wrote.
    results : dict
        What the run returned, which is also in its results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    walk = Walk(*(arrays[name] for name in Walk._fields))
    with figure_style() as plt:
        figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.4), sharex=True)
        _losses(axes[0], walk, results)
        _slopes(axes[1], walk, results)
        for axis in axes:
            axis.set(xlabel="s, from initial (0) to final (1) hidden weights", xlim=(0, 1))
        figure.suptitle(
            "[N19 Fig. 4] A 2-2-2 spiking classifier between initial and final W⁽¹⁾, "
            f"seed {results['settings']['seed']}{'' if results['comparable'] else ' (quick run)'}",
            fontsize=9,
        )
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw landscape.png in the folder of a run."""
    return [save(plot(_run.arrays(out, "landscape"), results), out / "landscape.png")]


def _losses(axis: Any, walk: Walk, results: dict[str, Any]) -> None:
    curve, scale = landscape.virtual(walk)
    axis.plot(walk.s, walk.loss, color=GREY, lw=1.4, drawstyle="steps-post", label="true loss")
    axis.plot(walk.s, curve, color=BLUE, ls="--", label=f"virtual: {scale:.2f} × integral of the surrogate gradient")
    axis.plot(
        [0, 1], walk.loss[[0, -1]], ls="", marker="o", ms=4, color=INK, clip_on=False, label="equal by definition"
    )
    axis.set_title(f"(a) the loss: flat between {results['flat_share']:.0%} of neighbouring points", loc="left")
    axis.set(ylabel="loss L (1: silent output)", ylim=(0, 1.3 * walk.loss.max()))
    axis.legend(loc="upper right")


def _slopes(axis: Any, walk: Walk, results: dict[str, Any]) -> None:
    """Signed slopes, so that areas are falls and rises of the loss; the paper shows norms."""
    true = landscape.finite_differences(walk)
    middle = (walk.s[1:] + walk.s[:-1]) / 2
    axis.axhline(0, color=INK, lw=0.6)
    axis.vlines(middle, 0, true / np.abs(true).max(), color=GREY, lw=1.2, label="finite differences of the true loss")
    g = walk.surrogate / np.abs(walk.surrogate).max()
    axis.plot(walk.s, g, color=BLUE, label="surrogate gradient")
    axis.set_title(f"(b) slopes: exactly 0 on {_shares(results)}", loc="left")
    axis.set(ylabel="dL/ds along the line\n(largest magnitude 1 each)", ylim=(-1.1, 1.6), yticks=(-1, 0, 1))
    axis.legend(loc="upper right")


def _shares(results: dict[str, Any]) -> str:
    return f"{results['flat_share']:.0%} (true), {results['surrogate_zero_share']:.0%} (surrogate)"
