"""Figures of the surrogate gradient review: the dynamics of a neuron, and surrogate derivatives.  [N19 Fig. 1, 3]"""

from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit.neuron import continuous, spiking
from decolle_ref.credit.neuron.spiking import Synapses
from decolle_ref.data.encode import poisson
from decolle_ref.decolle.surrogate import SURROGATES, Surrogate, at_threshold
from decolle_ref.plots.style import BLUE, CYCLE, INK, ORANGE, house

TAU_MEM, TAU_SYN, DT = 0.020, 0.010, 0.0001  # seconds
WEIGHTS = (1.4, 2.0, 1.6, 2.4)  # of the continuous equation, so a single PSP peaks at a quarter of them
SPARSE, DENSE, RATE = 0.4, 0.5, 20.0  # seconds of each part; Hz per input in the second
FIRST = (0.04, 0.22, 0.13, 0.31)  # seconds: the one spike of each input in the first part

# one look per surrogate, the same in both panels
LOOKS = {
    "piecewise_linear": (CYCLE[0], "-", "piecewise linear"),
    "fast_sigmoid": (CYCLE[1], "-", "fast sigmoid"),
    "exponential": (CYCLE[4], "--", "exponential"),
    "logistic": (CYCLE[3], "-.", "logistic"),
    "boxcar": (CYCLE[2], ":", "boxcar"),
}


class Example(NamedTuple):
    """Four input neurons and one output neuron."""

    t: Array  # (T,), seconds
    x: Array  # (T, 4), input spikes
    I: Array  # (T,), in units of the current that just reaches threshold
    U: Array  # (T,)
    S: Array  # (T,), output spikes


def example(rng: np.random.Generator) -> Example:
    """Sparse inputs, then dense ones, onto one neuron of Eq. 4, 5 with a fine step.  [N19 Fig. 1]"""
    gain = continuous.gain(TAU_MEM, DT)
    x = np.zeros((round((SPARSE + DENSE) / DT), len(WEIGHTS)))
    x[np.rint(np.array(FIRST) / DT).astype(int), np.arange(len(WEIGHTS))] = 1
    x[round(SPARSE / DT) :] = poisson(rng, RATE, round(DENSE / DT), len(WEIGHTS), DT)
    synapses = [Synapses(gain * np.array([WEIGHTS]), np.zeros((1, 1)))]
    tape = spiking.forward(spiking.neuron(TAU_MEM, TAU_SYN, DT), synapses, x[:, None])
    return Example(DT * np.arange(len(x)), x, tape.I[0][:, 0, 0] / gain, tape.U[0][:, 0, 0], tape.S[0][:, 0, 0])


def lif_dynamics(shown: Example) -> Any:
    """Bottom: input spikes.  Middle: the current.  Top: U, its threshold, and output spikes.  [N19 Fig. 1]"""
    with house() as plt:
        figure, axes = plt.subplots(3, 1, figsize=(7.0, 4.6), sharex=True, height_ratios=(3, 2, 1.4))
        _membrane(axes[0], shown)
        axes[1].plot(shown.t, shown.I, color=ORANGE)
        axes[1].set_ylabel("synaptic current I\n(1 holds U at θ)")
        axes[2].eventplot([shown.t[spikes] for spikes in shown.x.T.astype(bool)], colors=INK, lw=0.9, linelengths=0.7)
        axes[2].set(ylabel="input\nneuron j", yticks=range(shown.x.shape[1]), xlabel="time (s)")
        axes[2].set_yticklabels([f"{j}" for j in range(1, shown.x.shape[1] + 1)])
        axes[2].set_xlim(0, shown.t[-1] + DT)
        figure.align_ylabels(axes)
        figure.suptitle(
            "[N19 Fig. 1] A LIF neuron with four inputs: "
            f"τ_mem = {1e3 * TAU_MEM:g} ms, τ_syn = {1e3 * TAU_SYN:g} ms, step {1e3 * DT:g} ms",
            fontsize=9,
        )
    return figure


def _membrane(axis: Any, shown: Example) -> None:
    axis.axhline(1, color=INK, lw=0.8, ls="--", label="threshold θ")
    axis.plot(shown.t, shown.U, color=BLUE)
    at = shown.t[shown.S > 0]
    axis.plot(at, np.full(at.shape, 1.15), ls="", marker="o", ms=3.5, color=INK, label="output spike")
    axis.set(ylabel="membrane\npotential U (θ = 1)", ylim=(min(-0.1, shown.U.min() - 0.05), 1.4), yticks=(0, 0.5, 1))
    axis.legend(loc="upper left", ncols=2)


def surrogates() -> Any:
    """Left: sigma', which stands in for the derivative of Theta.  Right: sigma, its primitive.  [N19 Fig. 3]"""
    x = np.linspace(-3, 3, 1201)
    with house() as plt:
        figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.6))
        for name, (colour, style, label) in LOOKS.items():
            s = SURROGATES[name]
            axes[0].plot(x, s.derivative(x), color=colour, ls=style, lw=1.4)
            axes[1].plot(x, s.primitive(x), color=colour, ls=style, lw=1.4, label=f"{label}: rise {s.rise:g}")
        _step(axes, x)
        axes[0].set(title="σ'(U − θ), in place of the derivative of Θ", ylabel="σ'", ylim=(-0.06, 1.25))
        axes[1].set(title="σ(U − θ), its primitive: the smooth twin of Θ", ylabel="σ")
        for axis in axes:
            axis.set(xlabel="U − θ", xlim=(-3, 3))
        axes[1].legend(loc="upper left", fontsize=7)
        figure.suptitle("[N19 Fig. 3] Surrogate derivatives; none is rescaled (the paper rescales each)", fontsize=9)
    return figure


def _step(axes: Any, x: Array) -> None:
    """Theta, and its derivative: 0 everywhere but at 0, where it has none."""
    theta = Surrogate("step", np.zeros_like, at_threshold, rise=1.0)
    axes[0].plot(x, theta.derivative(x), color=INK, lw=1.0)
    axes[0].annotate("", (0, 1.2), (0, 0), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.0})
    axes[0].plot(0, 0, marker="o", ms=4, mfc="white", color=INK)
    axes[0].text(0.1, 1.17, "step Θ: 0, and undefined at 0", fontsize=7)
    for side in (x[x < 0], x[x >= 0]):
        axes[1].plot(side, theta.primitive(side), color=INK, lw=1.0, label="step Θ: rise 1" if side[0] < 0 else None)
