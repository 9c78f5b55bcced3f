"""The figure of the loss along a line, and of its gradients.  [N19 Fig. 4]"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array
from decolle_ref.experiments import landscape
from decolle_ref.experiments.landscape import Walk
from decolle_ref.plots.style import BLUE, GREY, INK, house, save


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """Left: true and virtual loss.  Right: their slopes along the line, each scaled to a largest magnitude of 1.

    arrays and results: what experiments.landscape wrote to landscape.npz and results.json.
    """
    walked = Walk(*(arrays[name] for name in Walk._fields))
    with house() as plt:
        figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.4), sharex=True)
        _losses(axes[0], walked, results)
        _slopes(axes[1], walked, results)
        for axis in axes:
            axis.set(xlabel="s, from initial (0) to final (1) hidden weights", xlim=(0, 1))
        figure.suptitle(
            f"[N19 Fig. 4] A 2-2-2 spiking classifier between initial and final W⁽¹⁾, seed {results['settings']['seed']}"
            + ("" if results["comparable"] else " (quick run)"),
            fontsize=9,
        )
    return figure


def save_figures(folder: Path, results: dict[str, Any]) -> Path:
    """Draw the figure of a finished run into its folder; returns its path."""
    arrays, _ = store.read_arrays(folder / "landscape.npz", landscape.EXPERIMENT.arrays_kind)
    path = folder / "landscape.png"
    save(plot(arrays, results), path)
    return path


def _losses(axis: Any, walked: Walk, results: dict[str, Any]) -> None:
    curve, scale = landscape.virtual(walked)
    axis.plot(walked.s, walked.loss, color=GREY, lw=1.4, drawstyle="steps-post", label="true loss")
    axis.plot(walked.s, curve, color=BLUE, ls="--", label=f"virtual: {scale:.2f} × integral of the surrogate gradient")
    axis.plot([0, 1], walked.loss[[0, -1]], ls="", marker="o", ms=4, color=INK, clip_on=False, label="matched here")
    axis.set_title(f"(a) the loss: flat between {results['flat_share']:.0%} of neighbouring points", loc="left")
    axis.set(ylabel="loss L (1: silent output)", ylim=(0, 1.3 * walked.loss.max()))
    axis.legend(loc="upper right")


def _slopes(axis: Any, walked: Walk, results: dict[str, Any]) -> None:
    """Signed, so that the areas under both are falls and rises of the loss; the paper shows norms."""
    true = landscape.finite_differences(walked)
    middle = (walked.s[1:] + walked.s[:-1]) / 2
    axis.axhline(0, color=INK, lw=0.6)
    axis.vlines(middle, 0, true / np.abs(true).max(), color=GREY, lw=1.2, label="finite differences of the true loss")
    g = walked.surrogate / np.abs(walked.surrogate).max()
    axis.plot(walked.s, g, color=BLUE, label="surrogate gradient")
    axis.set_title(f"(b) slopes: exactly 0 on {_shares(results)}", loc="left")
    axis.set(ylabel="dL/ds along the line\n(largest magnitude 1 each)", ylim=(-1.1, 1.6), yticks=(-1, 0, 1))
    axis.legend(loc="upper right")


def _shares(results: dict[str, Any]) -> str:
    return f"{results['flat_share']:.0%} (true), {results['surrogate_zero_share']:.0%} (surrogate)"
