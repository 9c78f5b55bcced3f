"""Surrogate derivatives and their primitives.  [N19 Fig. 3]

>>> figure = plot()
>>> [axis.get_xlabel() for axis in figure.axes]
['U − θ', 'U − θ']
"""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.surrogate import SURROGATES, Surrogate, at_threshold
from decolle_ref.plots.style import BROWN, CYCLE, INK, figure_style

__all__ = ["plot"]

LOOKS = {  # colour, line style and label of each surrogate in both panels
    "piecewise_linear": (CYCLE[0], "-", "piecewise linear"),
    "fast_sigmoid": (CYCLE[1], "-", "fast sigmoid"),
    "exponential": (BROWN, "--", "exponential"),
    "logistic": (CYCLE[3], "-.", "logistic"),
    "boxcar": (CYCLE[2], ":", "boxcar"),
}


def plot() -> Any:
    """Draw sigma', which stands in for the derivative of Theta, on the left, and its primitive sigma on the right.

    The functions are evaluated here, on a grid of U - theta from -3 to 3.

    Returns
    -------
    matplotlib.figure.Figure
    """
    x = np.linspace(-3, 3, 1201)
    with figure_style() as plt:
        figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.6))
        for name, (colour, style, label) in LOOKS.items():
            surrogate = SURROGATES[name]
            axes[0].plot(x, surrogate.derivative(x), color=colour, ls=style, lw=1.4)
            label = f"{label}: rise {surrogate.rise:g}"
            axes[1].plot(x, surrogate.primitive(x), color=colour, ls=style, lw=1.4, label=label)
        _step(axes, x)
        axes[0].set(title="σ'(U − θ), in place of the derivative of Θ", ylabel="σ'", ylim=(-0.06, 1.25))
        axes[1].set(title="σ(U − θ), its primitive: a smooth step in place of Θ", ylabel="σ")
        for axis in axes:
            axis.set(xlabel="U − θ", xlim=(-3, 3))
        axes[1].legend(loc="upper left", fontsize=7)
        figure.suptitle("[N19 Fig. 3] Surrogate derivatives; none is rescaled (the paper rescales each)", fontsize=9)
    return figure


def _step(axes: Any, x: Array) -> None:
    """Theta, and its derivative, which is 0 except at 0, where it is undefined."""
    theta = Surrogate("step", np.zeros_like, at_threshold, rise=1.0)
    axes[0].plot(x, theta.derivative(x), color=INK, lw=1.0)
    axes[0].annotate("", (0, 1.2), (0, 0), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.0})
    axes[0].plot(0, 0, marker="o", ms=4, mfc="white", color=INK)
    axes[0].text(0.1, 1.17, "step Θ: 0, and undefined at 0", fontsize=7)
    for side in (x[x < 0], x[x >= 0]):
        axes[1].plot(side, theta.primitive(side), color=INK, lw=1.0, label="step Θ: rise 1" if side[0] < 0 else None)
