"""The dynamics of a leaky integrate-and-fire neuron with four inputs.  [N19 Fig. 1]

>>> from decolle_ref.experiments import lif_dynamics
>>> figure = plot(lif_dynamics.simulate(np.random.default_rng(0)))
>>> len(figure.axes)  # potential, current, input spikes
3
"""

from typing import Any

import numpy as np

from decolle_ref.experiments.lif_dynamics import DT, TAU_MEM, TAU_SYN, Example
from decolle_ref.plots.style import BLUE, INK, ORANGE, figure_style

__all__ = ["plot"]


def plot(example: Example) -> Any:
    """Draw input spikes below, the current in the middle, and U with its threshold and output spikes above.

    Parameters
    ----------
    example : Example
        What `experiments.lif_dynamics.simulate` returned.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, axes = plt.subplots(3, 1, figsize=(7.0, 4.6), sharex=True, height_ratios=(3, 2, 1.4))
        _membrane(axes[0], example)
        axes[1].plot(example.t, example.I, color=ORANGE)
        axes[1].set_ylabel("synaptic current I\n(1 holds U at θ)")
        trains = [example.t[spikes] for spikes in example.x.T.astype(bool)]
        axes[2].eventplot(trains, colors=INK, lw=0.9, linelengths=0.7)
        axes[2].set(ylabel="input\nneuron j", yticks=range(len(trains)), xlabel="time (s)")
        axes[2].set_yticklabels([f"{j}" for j in range(1, len(trains) + 1)])
        axes[2].set_xlim(0, example.t[-1] + DT)
        figure.align_ylabels(axes)
        figure.suptitle(
            "[N19 Fig. 1] A LIF neuron with four inputs: "
            f"τ_mem = {1e3 * TAU_MEM:g} ms, τ_syn = {1e3 * TAU_SYN:g} ms, step {1e3 * DT:g} ms",
            fontsize=9,
        )
    return figure


def _membrane(axis: Any, example: Example) -> None:
    axis.axhline(1, color=INK, lw=0.8, ls="--", label="threshold θ")
    axis.plot(example.t, example.U, color=BLUE)
    spikes = example.t[example.S > 0]
    axis.plot(spikes, np.full(spikes.shape, 1.15), ls="", marker="o", ms=3.5, color=INK, label="output spike")
    axis.set(ylabel="membrane\npotential U (θ = 1)", ylim=(min(-0.1, example.U.min() - 0.05), 1.4), yticks=(0, 0.5, 1))
    axis.legend(loc="upper left", ncols=2)
