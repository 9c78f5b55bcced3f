"""The authors' recorded run of the regression, and its replay.  [K20 Sec. 4.1]"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.plots import _run, replay_mnist
from decolle_ref.plots.style import BLUE, GREY, INK, ORANGE, figure_style, save

__all__ = ["plot", "save_figures"]

RECORDED = "#A9CBE3"  # light enough to show the thin dark line on top of it
FLOOR = 1e-8  # smaller |dU| are drawn here: at step 0 the two agree by construction


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """Draw U and spikes of one neuron per layer on the left, and the largest |dU| of its layer on the right.

    Parameters
    ----------
    arrays : dict
        The arrays of replay.npz, which `experiments.replay` wrote.
    results : dict
        What the run returned, which is also in its results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    layers = len(arrays["U"])
    with figure_style() as plt:
        figure, axes = plt.subplots(layers, 2, figsize=(9.6, 2.0 * layers + 0.9), sharex=True, width_ratios=(3, 2))
        for k in range(layers):
            _potential(axes[k, 0], arrays, k, results["together"][k])
            _gap(axes[k, 1], arrays, k)
        _share_range(list(axes[:, 1]))
        for axis in axes[-1]:
            axis.set(xlabel="step n (1 ms)", xlim=(0, arrays["U"].shape[1]))
        axes[0, 0].legend(loc="lower right", ncols=2)
        axes[0, 1].legend(loc="upper right", fontsize=7)
        figure.align_ylabels(axes)
        figure.suptitle(_title(results), fontsize=9)
    return figure


def _readable(S: Array) -> int:
    """The neuron whose spike count is nearest to 12: enough spikes to see, few enough to read.  S: (steps, n)."""
    return int(np.argmin(np.abs(S.sum(axis=0, dtype=int) - 12)))


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw replay.png in the folder of a run, of either recording."""
    draw = replay_mnist.plot if results["settings"]["recording"] == "mnist" else plot
    return [save(draw(_run.arrays(out, "replay"), results), out / "replay.png")]


def _potential(axis: Any, arrays: dict[str, Array], k: int, agreement: dict[str, Any]) -> None:
    """U of one neuron, recorded and replayed, and above it the spikes of both."""
    i = _readable(arrays["S_recorded"][k])
    theirs, ours = arrays["U_recorded"][k, :, i], arrays["U"][k, :, i]
    axis.axhline(0, color=GREY, lw=0.6, ls="--")
    axis.plot(theirs, color=RECORDED, lw=3.0, label="recorded")
    axis.plot(ours, color=INK, lw=0.7, label="replayed")
    low, high = min(theirs.min(), ours.min()), max(theirs.max(), ours.max())
    row = 0.11 * (high - low)
    for place, S, color, width in ((1, arrays["S_recorded"], RECORDED, 3.0), (2, arrays["S"], INK, 0.9)):
        at = np.flatnonzero(S[k, :, i])
        axis.vlines(at, high + place * row, high + (place + 0.85) * row, color=color, lw=width)
    axis.set(ylabel="U (no unit,\nthreshold 0)", ylim=(low - 0.5 * row, high + 3.2 * row))
    axis.set_yticks([tick for tick in axis.get_yticks() if low <= tick <= high])
    axis.text(-0.012, high + 1.9 * row, "S", ha="right", va="center", transform=axis.get_yaxis_transform())
    text = f"{agreement['differing']} of {agreement['spikes']:,} values of S differ in the layer"
    axis.set_title(f"layer {k + 1}: neuron {i}; {text}", loc="left")


def _gap(axis: Any, arrays: dict[str, Array], k: int) -> None:
    """max over neurons of |U replayed - U recorded|, from rest and from the solved state; U was recorded in float32."""
    theirs = arrays["U_recorded"][k]
    for name, color, style, label in (
        ("U_from_rest", ORANGE, "--", "from rest, layer by layer"),
        ("U", BLUE, "-", "from the solved state, all together"),
    ):
        gap = np.abs(arrays[name][k] - theirs).max(axis=1)
        axis.semilogy(np.maximum(gap, FLOOR), color=color, ls=style, label=label)
    rounding = np.spacing(np.abs(theirs).max())
    axis.axhline(rounding, color=INK, lw=0.8, ls=":", label="last bit of the largest recorded |U|")
    axis.set_ylabel("max |ΔU|\nover neurons")
    axis.set_title(f"layer {k + 1}: replayed minus recorded", loc="left")


def _share_range(axes: list[Any]) -> None:
    """One range for all panels of |dU|, so that the layers can be compared."""
    limits = [axis.get_ylim() for axis in axes]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    for axis in axes:
        axis.set_ylim(low, high)


def _title(results: dict[str, Any]) -> str:
    spikes = sum(layer["spikes"] for layer in results["together"])
    differing = sum(layer["differing"] for layer in results["together"])
    return (
        "[K20 Sec. 4.1] the authors' recorded regression run, replayed in the dialect dcll: "
        f"{differing} of {spikes:,} values of S differ"
    )
