"""Frozen patterns of random spikes, the outputs that they cause, and how fast each rule learns them.  [N19 Eq. 7]"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments import patterns
from decolle_ref.plots import _run
from decolle_ref.plots.style import CYCLE, INK, LINE_STYLES, figure_style, save

__all__ = ["plot", "save_figures"]


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """Draw one pattern of each class with its outputs after learning, and the accuracy of each rule.

    Parameters
    ----------
    arrays : dict
        The arrays of patterns.npz, which `experiments.patterns` wrote.
    results : dict
        What the run returned, which is also in its results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure = plt.figure(figsize=(8.4, 4.0))
        left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1))
        rasters = left.subplots(2, patterns.CLASSES, sharex=True, height_ratios=(1.4, 1))
        for k in range(patterns.CLASSES):
            _pattern(rasters[:, k], arrays, k)
        rasters[0, 0].set_ylabel("input j")
        rasters[1, 0].set_ylabel("output ε * S")
        rasters[1, -1].legend(title="output", fontsize=6, title_fontsize=6)
        _curves(right.subplots(), arrays["accuracy"], results)
        quick = " (quick run)" if not results["comparable"] else ""
        figure.suptitle(
            f"{len(arrays['labels'])} frozen patterns of random spikes, {patterns.CLASSES} classes [N19 Eq. 7]{quick}",
            fontsize=9,
        )
    return figure


def _pattern(axes: Any, arrays: dict[str, Array], k: int) -> None:
    """The first pattern of class k, and below it the outputs that it causes."""
    pattern = int(np.flatnonzero(arrays["labels"] == k)[0])
    axes[0].plot(*np.nonzero(arrays["x"][:, pattern]), "|", ms=2, color=INK)
    axes[0].set_title(f"class {k}")
    for output in range(patterns.CLASSES):
        look = {"color": CYCLE[output], "ls": LINE_STYLES[output], "lw": 1.8 if output == k else 0.9}
        axes[1].plot(arrays["outputs"][:, pattern, output], label=str(output), **look)
    axes[1].axvline(patterns.FIRST, color=INK, lw=0.5, ls=":")
    axes[1].set(xlabel="step (1 ms)", ylim=(0, arrays["outputs"].max() * 1.05))
    if k:
        for axis in axes:
            axis.set_yticklabels([])


def _curves(axis: Any, accuracy: Array, results: dict[str, Any]) -> None:
    """The mean over the seeds, and the range of the seeds as a band."""
    epoch = np.arange(accuracy.shape[2])
    for k, (rule, curves) in enumerate(zip(results["rules"], 100 * accuracy, strict=True)):
        axis.fill_between(epoch, curves.min(axis=0), curves.max(axis=0), color=CYCLE[k], alpha=0.15, lw=0)
        noisy = [100 * share for share in results["rules"][rule]["accuracy_noisy"]]
        label = f"{rule} ({min(noisy):.0f} to {max(noisy):.0f})"
        axis.plot(epoch, curves.mean(axis=0), color=CYCLE[k], ls=LINE_STYLES[k], label=label)
    axis.axhline(100 * results["asked"], color=INK, lw=0.6, ls="--")
    axis.set(xlabel="epoch", ylabel="patterns classified correctly (%)", ylim=(0, 102), xlim=(0, epoch[-1]))
    axis.set_title(f"mean and range of {len(results['seeds'])} seeds; dashed: {results['asked']:.0%}")
    axis.legend(loc="lower right", title="rule (accuracy on noisy copies, %)", alignment="left")


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw patterns.png in the folder of a run."""
    return [save(plot(_run.arrays(out, "patterns"), results), out / "patterns.png")]
