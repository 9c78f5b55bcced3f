"""The figures of the regression experiment.  [K20 Fig. 1]"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array
from decolle_ref.experiments import regression
from decolle_ref.plots.style import BLUE, CYCLE, GREY, INK, LINE_STYLES, ORANGE, house, save

NEURONS = 3  # how many are drawn in each panel of states


def states(run: dict[str, Array], mark: str = "") -> Any:
    """Snapshot of the top layer over one pass without learning, after the right of [K20 Fig. 1].

    run: the states that experiments.regression.watch returns.  P and Q of the inputs with the largest traces; U, S,
    sigma'(U) and dW of the neurons that spike at the median rate of those that spike at all.
    """
    inputs, neurons = _busiest(run["P"]), _typical(run["S"])
    synapses = min(len(inputs), len(neurons))  # the first input to the first neuron, and so on
    t = np.arange(len(run["S"]))
    with house() as plt:
        figure, axes = plt.subplots(
            9, 1, figsize=(7.2, 10.5), sharex=True, height_ratios=[1.6, 1, 1, 1.8, 0.7, 1, 1, 1, 1.3]
        )
        _raster(axes[0], run["spikes_in"])
        axes[0].set_ylabel("input\nchannel")
        _lines(axes[1], t, run["Q"][:, inputs], "Q\n(spikes)")
        _lines(axes[2], t, run["P"][:, inputs], "P\n(spikes × steps)")
        _membrane(axes[3], t, run["U"][:, neurons], run["S"][:, neurons])
        for row, k in enumerate(neurons):
            axes[4].vlines(t[run["S"][:, k] > 0], row + 0.1, row + 0.9, color=CYCLE[row], lw=0.8)
        axes[4].set(ylabel="S", yticks=np.arange(len(neurons)) + 0.5, yticklabels=[f"{k}" for k in neurons])
        _lines(axes[5], t, run["derivative"][:, neurons], "σ′(U)")
        axes[6].plot(t, run["dY"][:, 0], color=INK)
        axes[6].axhline(0, color=GREY, lw=0.5)
        axes[6].set_ylabel("error\nY − Ŷ")
        _lines(axes[7], t, -run["dU"][:, neurons[:synapses]] * run["P"][:, inputs[:synapses]], "ΔW ∝\n−∂L/∂W")
        axes[7].axhline(0, color=GREY, lw=0.5)
        _readout(axes[8], t, run["Y"][:, -1, 0], run["target"][:, -1, 0])
        axes[8].set(xlabel="time step n (1 ms)", xlim=(0, len(t)))
        figure.align_ylabels(axes)
        figure.suptitle(f"[K20 Fig. 1, right] states of the top layer, parameters frozen{mark}", fontsize=9)
    return figure


def outputs(before: Array, after: Array, target: Array, names: Sequence[str], mse: Any, mark: str = "") -> Any:
    """Every layer's readout before and after learning against its target; arrays (steps, layers, 1)."""
    layers = target.shape[1]
    with house() as plt:
        figure, axes = plt.subplots(layers, 1, figsize=(6.4, 1.7 * layers + 0.4), sharex=True, squeeze=False)
        t = np.arange(len(target))
        for k, axis in enumerate(axes[:, 0]):
            axis.plot(t, before[:, k, 0], color=GREY, lw=0.8, ls=":", label="before learning")
            axis.plot(t, target[:, k, 0], color=ORANGE, lw=2.2, ls="--", label="target Ŷ")
            axis.plot(t, after[:, k, 0], color=BLUE, label="after learning")
            axis.axvspan(0, regression.BURN_IN, color=GREY, alpha=0.2, lw=0)
            low, high = target[:, k].min(), target[:, k].max()
            axis.set(ylabel="Y (no unit)", ylim=(low - 0.6, high + 0.6))
            axis.set_title(f"layer {k + 1}: {names[k]}, mean squared error {mse[k]:.5f}", loc="left")
        axes[0, 0].legend(ncols=3, loc="upper left")
        axes[-1, 0].set(xlabel="time step n (1 ms); shaded: burn-in", xlim=(0, len(t)))
        figure.suptitle(f"[K20 Sec. 4.1] three layers, three targets{mark}", fontsize=9)
    return figure


def curve(mse: Array, names: Sequence[str], mark: str = "") -> Any:
    """Mean squared error of each layer against epoch, measured while learning; mse (epochs, layers)."""
    with house() as plt:
        figure, axis = plt.subplots(figsize=(5.2, 3.2))
        for k, name in enumerate(names):
            style = LINE_STYLES[k % len(LINE_STYLES)]
            axis.semilogy(np.arange(1, len(mse) + 1), mse[:, k], ls=style, label=f"layer {k + 1}: {name}")
        axis.set(xlabel="epoch (one showing of the 500 ms sequence)", ylabel="mean squared error while learning")
        axis.legend()
        axis.set_title(f"[K20 Sec. 4.1] learning curve{mark}")
    return figure


def save_figures(folder: Path, results: dict[str, Any]) -> list[Path]:
    """Draw the three figures of a finished run into its folder; returns their paths."""
    run, _ = store.read_arrays(folder / "regression.npz", regression.EXPERIMENT.arrays_kind)
    mark = "" if results["comparable"] else "  (quick run, not comparable)"
    names, after = results["targets"], results["after"]["mse"]
    figures = {
        "figure1_states.png": states(run, mark),
        "figure1_outputs.png": outputs(run["Y_before"], run["Y"], run["target"], names, after, mark),
        "learning_curve.png": curve(np.array(results["epochs"]["mse"]), names, mark),
    }
    for name, figure in figures.items():
        save(figure, folder / name)
    return [folder / name for name in figures]


def _busiest(P: Array) -> Array:
    """The input channels with the largest traces."""
    return np.sort(np.argsort(P.max(axis=0))[-NEURONS:])


def _typical(S: Array) -> Array:
    """Neurons around the median spike count among those that spike (any, if none does)."""
    counts = S.sum(axis=0)
    order = np.argsort(counts, kind="stable")
    spiking = order[counts[order] > 0]
    pool = spiking if len(spiking) >= NEURONS else order[-NEURONS:]
    middle = len(pool) // 2
    return np.sort(pool[max(0, middle - NEURONS // 2) :][:NEURONS])


def _lines(axis: Any, t: Array, values: Array, label: str) -> None:
    for column, style in zip(values.T, LINE_STYLES, strict=False):
        axis.plot(t, column, ls=style)
    axis.set_ylabel(label)


def _raster(axis: Any, spikes: Array) -> None:
    n, channel = np.nonzero(spikes)
    axis.plot(n, channel, ls="", marker=".", ms=1.0, color=INK, rasterized=True)
    axis.set_ylim(-1, spikes.shape[1])


def _membrane(axis: Any, t: Array, U: Array, S: Array) -> None:
    """U with the threshold, and a triangle at each spike, after which the refractory state resets U."""
    axis.axhline(0, color=INK, lw=0.7, ls="--", label="threshold")
    for row, style in zip(range(U.shape[1]), LINE_STYLES, strict=False):
        axis.plot(t, U[:, row], ls=style)
        at = S[:, row] > 0
        axis.plot(t[at], U[at, row], ls="", marker="v", ms=3, color=CYCLE[row])
    axis.plot([], [], ls="", marker="v", ms=3, color=INK, label="spike, then reset")
    axis.set_ylabel("U (threshold 0)")
    axis.legend(loc="lower right", ncols=2)


def _readout(axis: Any, t: Array, Y: Array, target: Array) -> None:
    axis.plot(t, target, color=ORANGE, lw=2.2, ls="--", label="target Ŷ")
    axis.plot(t, Y, color=BLUE, label="Y")
    axis.set_ylabel("readout Y")
    axis.legend(ncols=2)
