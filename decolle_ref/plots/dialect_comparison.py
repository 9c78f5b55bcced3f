"""One network in all five dialects: with the same numbers, and with matched ones.

>>> from decolle_ref.experiments.dialect_comparison import compare
>>> figure = plot(*compare(steps=50))
>>> len(figure.axes)  # two for each dialect
10
"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.experiments.dialect_comparison import TopLayer
from decolle_ref.plots._run import arrays
from decolle_ref.plots.style import CYCLE, GREY, INK, figure_style, save

__all__ = ["plot", "save_figures"]


def plot(same: dict[str, TopLayer], matched: dict[str, TopLayer]) -> Any:
    """Draw the potential of one neuron in each dialect, one that spikes often.

    Left: every dialect has the same W, w and tau.  Right: W and w are rescaled and time is shifted, so that all
    dialects compute the same potentials; the potential of `paper` is drawn behind each of them in grey.

    Parameters
    ----------
    same, matched : dict of str to NamedTuple
        U and S of the top layer, (steps, neurons), by dialect: `experiments.dialect_comparison.compare()`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    k = _frequent(matched["paper"])
    reference = matched["paper"].U[:, k]
    with figure_style() as plt:
        figure, axes = plt.subplots(len(same), 2, figsize=(7.6, 7.2), sharex=True)
        for row, (name, colour) in enumerate(zip(same, CYCLE, strict=False)):
            left, right = axes[row]
            _trace(left, same[name], k, colour)
            left.set_ylabel(f"{name}\nU (threshold 0)")
            total = int(same[name].S.sum())
            left.set_title(f"{total} spike{'s' * (total != 1)} of {same[name].S.shape[1]} neurons", loc="right")
            right.plot(reference, color=GREY, lw=4, alpha=0.5, label="paper")
            _trace(right, matched[name], k, colour)
            gap = np.nanmax(np.abs(matched[name].U - matched["paper"].U))
            right.set_title("the reference" if name == "paper" else f"largest difference {gap:.0e}", loc="right")
        axes[0, 0].set_title("same W, w and τ", loc="left")
        axes[0, 1].set_title("W and w rescaled, time shifted", loc="left")
        for axis in axes[-1]:
            axis.set(xlabel="step n (1 ms)", xlim=(0, len(reference)))
        figure.suptitle("One neuron of the second layer in the five dialects of DECOLLE [K20 Eq. 1]", fontsize=9)
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw the figure of the run in the folder `out`."""
    stored = arrays(out, "dialect_comparison")
    same, matched = (
        {name: TopLayer(stored[f"{kind}_{name}_U"], stored[f"{kind}_{name}_S"]) for name in DIALECTS}
        for kind in ("same", "matched")
    )
    return [save(plot(same, matched), out / "dialect_comparison.png")]


def _frequent(traces: TopLayer) -> int:
    """The neuron with the fourth-largest number of spikes."""
    return int(np.argsort(np.nansum(traces.S, axis=0), kind="stable")[-4])


def _trace(axis: Any, traces: TopLayer, k: int, colour: str) -> None:
    axis.axhline(0, color=INK, lw=0.6, ls="--")
    axis.plot(traces.U[:, k], color=colour)
    at = np.flatnonzero(np.nan_to_num(traces.S[:, k]))
    axis.plot(at, traces.U[at, k], ls="", marker="v", ms=3, color=colour)
