"""The loss along a line between weights, and its gradients.  [N19 Fig. 4]

>>> import numpy as np
>>> s = np.linspace(0, 1, 5)
>>> results = {"settings": {"seed": 0}, "comparable": True, "flat_share": 0.0, "surrogate_zero_share": 0.0}
>>> arrays = {"s": s, "loss": 1 - s, "surrogate": -np.ones(5), "surrogate_norm": np.ones(5), "true_norm": np.ones(5)}
>>> figure = plot(arrays, results)
>>> len(figure.axes)  # losses, norms
2
"""

from pathlib import Path
from typing import Any

from decolle_ref._util.check import Array
from decolle_ref.experiments import landscape
from decolle_ref.experiments.landscape import Walk
from decolle_ref.plots import _run
from decolle_ref.plots.style import BLUE, GREY, INK, figure_style, save

__all__ = ["plot", "save_figures"]


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """Draw the true and the virtual loss on the left, and the norms of their gradients on the right.

    Both norms, over all hidden weights, are scaled to a largest value of 1.

    Parameters
    ----------
    arrays : dict
        The arrays of landscape.npz, which `experiments.landscape` wrote.
    results : dict
        What the run returned, which is also in its results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    walk = Walk(*(arrays[name] for name in Walk._fields))
    with figure_style() as plt:
        figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.4), sharex=True)
        _losses(axes[0], walk, results)
        _norms(axes[1], walk)
        for axis in axes:
            axis.set(xlabel="s, from initial (0) to final (1) hidden weights", xlim=(0, 1))
        figure.suptitle(
            "[N19 Fig. 4] A 2-2-2 spiking classifier between initial and final W⁽¹⁾, "
            f"seed {results['settings']['seed']}{'' if results['comparable'] else ' (quick run)'}",
            fontsize=9,
        )
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw landscape.png in the folder of a run."""
    return [save(plot(_run.arrays(out, "landscape"), results), out / "landscape.png")]


def _losses(axis: Any, walk: Walk, results: dict[str, Any]) -> None:
    curve, scale = landscape.virtual(walk)
    axis.plot(walk.s, walk.loss, color=GREY, lw=1.4, drawstyle="steps-post", label="true loss")
    axis.plot(walk.s, curve, color=BLUE, ls="--", label=f"virtual: {scale:.2f} × integral of the surrogate gradient")
    axis.plot(
        [0, 1], walk.loss[[0, -1]], ls="", marker="o", ms=4, color=INK, clip_on=False, label="equal by definition"
    )
    axis.set_title(f"(a) the loss: flat between {results['flat_share']:.0%} of neighbouring points", loc="left")
    axis.set(ylabel="loss L (1: silent output)", ylim=(0, 1.3 * walk.loss.max()))
    axis.legend(loc="upper right")


def _norms(axis: Any, walk: Walk) -> None:
    """Norms over all hidden weights, each scaled to a largest value of 1, as the paper plots them."""
    true, surrogate = walk.true_norm / walk.true_norm.max(), walk.surrogate_norm / walk.surrogate_norm.max()
    axis.vlines(walk.s, 0, true, color=GREY, lw=1.2, label="true loss, by finite differences")
    axis.plot(walk.s, surrogate, color=BLUE, ls="--", label="surrogate gradient")
    zero = [f"{(norm == 0).mean():.0%}" for norm in (walk.true_norm, walk.surrogate_norm)]
    axis.set_title("(b) norm: exactly 0 at {} (true), {} (surrogate)".format(*zero), loc="left")
    axis.set(ylabel="|∂L/∂W⁽¹⁾| (largest value 1 each)", ylim=(0, 1.3), yticks=(0, 0.5, 1))
    axis.legend(loc="upper right")
