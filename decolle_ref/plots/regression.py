"""Regression: states, readouts and learning curve of three layers.  [K20 Sec. 4.1, Fig. 1]

>>> figure = plot_learning_curve(np.array([[0.2, 0.3], [0.1, 0.2]]), ["ramp", "sinusoid"])
>>> figure.axes[0].get_xlabel()
'epoch (one pass over the 500 ms sequence)'
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.experiments.regression import BURN_IN
from decolle_ref.plots._run import arrays
from decolle_ref.plots.style import BLUE, CYCLE, GREY, INK, LINE_STYLES, ORANGE, figure_style, save

__all__ = ["plot_learning_curve", "plot_outputs", "plot_states", "save_figures"]

NEURONS = 3  # how many are drawn in each panel of states


def plot_states(states: dict[str, Array], mark: str = "") -> Any:
    """Draw the states of the top layer over one pass without learning.  [K20 Fig. 1, right]

    P and Q belong to the inputs with the largest traces.  U, S, sigma'(U) and dW belong to neurons around the median
    spike count of those that spike.

    Parameters
    ----------
    states : dict
        The arrays that `experiments.regression` recorded, each with `steps` entries: spikes_in, Q, P, U, S,
        derivative, dY, dU, Y and target.
    mark : str
        Text behind the title, for instance for a run that is not comparable.

    Returns
    -------
    matplotlib.figure.Figure
    """
    inputs, neurons = _busiest(states["P"]), _typical(states["S"])
    synapses = min(len(inputs), len(neurons))  # the first input to the first neuron, and so on
    t = np.arange(len(states["S"]))
    with figure_style() as plt:
        figure, axes = plt.subplots(
            9, 1, figsize=(7.2, 10.5), sharex=True, height_ratios=[1.6, 1, 1, 1.8, 0.7, 1, 1, 1, 1.3]
        )
        _raster(axes[0], states["spikes_in"])
        axes[0].set_ylabel("input\nchannel")
        _lines(axes[1], t, states["Q"][:, inputs], "Q\n(spikes)")
        _lines(axes[2], t, states["P"][:, inputs], "P\n(spikes × steps)")
        _membrane(axes[3], t, states["U"][:, neurons], states["S"][:, neurons])
        for row, k in enumerate(neurons):
            axes[4].vlines(t[states["S"][:, k] > 0], row + 0.1, row + 0.9, color=CYCLE[row], lw=0.8)
        axes[4].set(ylabel="S", yticks=np.arange(len(neurons)) + 0.5, yticklabels=[f"{k}" for k in neurons])
        _lines(axes[5], t, states["derivative"][:, neurons], "σ′(U)")
        axes[6].plot(t, states["dY"][:, 0], color=INK)
        axes[6].axhline(0, color=GREY, lw=0.5)
        axes[6].set_ylabel("error\nY − Ŷ")
        _lines(axes[7], t, -states["dU"][:, neurons[:synapses]] * states["P"][:, inputs[:synapses]], "ΔW ∝\n−∂L/∂W")
        axes[7].axhline(0, color=GREY, lw=0.5)
        _readout(axes[8], t, states["Y"][:, -1, 0], states["target"][:, -1, 0])
        axes[8].set(xlabel="time step n (1 ms)", xlim=(0, len(t)))
        figure.align_ylabels(axes)
        figure.suptitle(f"[K20 Fig. 1, right] states of the top layer, parameters frozen{mark}", fontsize=9)
    return figure


def plot_outputs(before: Array, after: Array, target: Array, names: Sequence[str], mse: Any, mark: str = "") -> Any:
    """Draw the readout of every layer before and after learning, and its target.  [K20 Sec. 4.1]

    Parameters
    ----------
    before, after, target : (steps, layers, 1) arrays
        Readouts and targets, without unit.
    names : sequence of str
        The name of each layer's target.
    mse : sequence of float
        The mean squared error of each layer after learning.
    mark : str
        Text behind the title.

    Returns
    -------
    matplotlib.figure.Figure
    """
    layers = target.shape[1]
    with figure_style() as plt:
        figure, axes = plt.subplots(layers, 1, figsize=(6.4, 1.7 * layers + 0.4), sharex=True, squeeze=False)
        t = np.arange(len(target))
        for k, axis in enumerate(axes[:, 0]):
            axis.plot(t, before[:, k, 0], color=GREY, lw=0.8, ls=":", label="before learning")
            axis.plot(t, target[:, k, 0], color=ORANGE, lw=2.2, ls="--", label="target Ŷ")
            axis.plot(t, after[:, k, 0], color=BLUE, label="after learning")
            axis.axvspan(0, BURN_IN, color=GREY, alpha=0.2, lw=0)
            low, high = target[:, k].min(), target[:, k].max()
            axis.set(ylabel="Y (no unit)", ylim=(low - 0.6, high + 0.6))
            axis.set_title(f"layer {k + 1}: {names[k]}, mean squared error {mse[k]:.5f}", loc="left")
        axes[0, 0].legend(ncols=3, loc="upper left")
        axes[-1, 0].set(xlabel="time step n (1 ms); shaded: burn-in", xlim=(0, len(t)))
        figure.suptitle(f"[K20 Sec. 4.1] three layers, three targets{mark}", fontsize=9)
    return figure


def plot_learning_curve(mse: Array, names: Sequence[str], mark: str = "") -> Any:
    """Draw the mean squared error of each layer, measured while learning, against epoch.

    Parameters
    ----------
    mse : (epochs, layers) array
        Mean squared errors.
    names : sequence of str
        The name of each layer's target.
    mark : str
        Text behind the title.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, axis = plt.subplots(figsize=(5.2, 3.2))
        for k, name in enumerate(names):
            style = LINE_STYLES[k % len(LINE_STYLES)]
            axis.semilogy(np.arange(1, len(mse) + 1), mse[:, k], ls=style, label=f"layer {k + 1}: {name}")
        axis.set(xlabel="epoch (one pass over the 500 ms sequence)", ylabel="mean squared error while learning")
        axis.legend()
        axis.set_title(f"[K20 Sec. 4.1] learning curve{mark}")
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw the three figures in the folder of a run."""
    states = arrays(out, "regression")
    mark = "" if results["comparable"] else "  (quick run, not comparable)"
    names, mse = results["targets"], results["after"]["mse"]
    figures = {
        "states": plot_states(states, mark),
        "outputs": plot_outputs(states["Y_before"], states["Y"], states["target"], names, mse, mark),
        "learning_curve": plot_learning_curve(np.array(results["epochs"]["mse"]), names, mark),
    }
    return [save(figure, out / f"regression_{name}.png") for name, figure in figures.items()]


def _busiest(P: Array) -> Array:
    """The input channels with the largest traces."""
    return np.sort(np.argsort(P.max(axis=0))[-NEURONS:])


def _typical(S: Array) -> Array:
    """Neurons around the median spike count of those that spike; any neurons if fewer than NEURONS spike."""
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
