"""The conventional network on MNIST: test error and training loss against epoch.  [K20 Sec. 4.2]

>>> figure = plot({"epochs": {"error": [0.02, 0.01], "loss": [0.3, 0.1]}, "error": 0.01, "comparable": True})
>>> [axis.get_ylabel() for axis in figure.axes]
['test error (%)', 'mean smooth L1 loss']
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref.plots import _run
from decolle_ref.plots.style import BLUE, GREY, GRID, ORANGE, figure_style, save

__all__ = ["plot", "save_figures"]

PAPER = 0.91  # %, the paper's error of this network "trained on standard MNIST"


def plot(
    results: dict[str, Any],
    title: str = "The conventional network on MNIST [K20 Sec. 4.2]",
    paper: float | None = PAPER,
) -> Any:
    """Draw the test error after every epoch on the left and the training loss on the right.

    Parameters
    ----------
    results : dict
        What `experiments.convnet` returned, which is also in results.json.
    title : str
    paper : float or None
        The error in % to compare with.

    Returns
    -------
    matplotlib.figure.Figure
    """
    epochs = results["epochs"]
    with figure_style() as plt:
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.0))
        if paper is not None:
            left.axhline(paper, color=GREY, lw=0.8, ls="--", label=f"the paper's: {paper} %")
        ours = f"ours: {100 * results['error']:.2f} % in the end"
        _curve(left, [100 * wrong for wrong in epochs["error"]], color=BLUE, marker="o", label=ours)
        left.set(ylabel="test error (%)", ylim=(0, None), title="test, after every epoch")
        left.legend()
        _curve(right, epochs["loss"], color=ORANGE, marker="s")
        right.set(ylabel="mean smooth L1 loss", ylim=(0, None), title="training, while learning")
        figure.suptitle(f"{title}{_run.mark(results)}", fontsize=9)
    return figure


def _curve(axis: Any, values: Sequence[float], **look: Any) -> None:
    axis.plot(1 + np.arange(len(values)), values, ms=3, **look)
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(**GRID)


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw convnet.png in the folder of a run."""
    return [save(plot(results), out / "convnet.png")]
