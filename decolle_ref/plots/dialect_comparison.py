"""Which DECOLLE?  The figure of `experiments.which.compare`."""

from typing import Any

import numpy as np

from decolle_ref.experiments.dialect_comparison import TopLayer
from decolle_ref.plots.style import CYCLE, GREY, INK, house


def which(same: dict[str, TopLayer], matched: dict[str, TopLayer], neuron: int | None = None) -> Any:
    """Left: one neuron's U in each dialect, given the same W, w and tau.  Right: given matched ones, on the paper's."""
    k = _lively(matched["paper"]) if neuron is None else neuron
    reference = matched["paper"].U[:, k]
    with house() as plt:
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
        figure.suptitle("Which DECOLLE? One neuron of the second layer in five dialects", fontsize=9)
    return figure


def _lively(shown: TopLayer) -> int:
    """A neuron with many spikes, though not the most."""
    return int(np.argsort(np.nansum(shown.S, axis=0), kind="stable")[-4])


def _trace(axis: Any, shown: TopLayer, k: int, colour: str) -> None:
    axis.axhline(0, color=INK, lw=0.6, ls="--")
    axis.plot(shown.U[:, k], color=colour)
    at = np.flatnonzero(np.nan_to_num(shown.S[:, k]))
    axis.plot(at, shown.U[at, k], ls="", marker="v", ms=3, color=colour)
