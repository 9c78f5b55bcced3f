"""The networks that the authors trained on MNIST: their kernels and their errors on the test images.  [K20 Sec. 4.2]"""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.plots import _run
from decolle_ref.plots.style import BLUE, GREY, figure_style

__all__ = ["plot"]

COLUMNS = 8  # kernels side by side


def plot(arrays: dict[str, Array], results: dict[str, Any]) -> Any:
    """Draw for each network the kernels of layer 1, and the errors of its readouts beside the authors' own.

    Parameters
    ----------
    arrays : dict
        The arrays of replay.npz, which `experiments.replay_mnist` wrote.
    results : dict
        What the run returned, which is also in its results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = list(results["error"])
    with figure_style() as plt:
        figure, axes = plt.subplots(len(names), 2, figsize=(9.6, 2.5 * len(names) + 0.4), width_ratios=(5, 4))
        for name, (left, right) in zip(names, axes, strict=True):
            _kernels(figure, left, arrays[f"{name}_kernels"], name)
            _errors(right, results["error"][name], results["recorded"].get(name, {}))
        axes[0, 1].set_title(f"error on {results['images']:,} test images, {results['settings']['steps']} ms each")
        axes[0, 1].legend(loc="upper right")
        title = f"[K20 Sec. 4.2] the authors' trained networks, replayed in the dialect dcll{_run.mark(results)}"
        figure.suptitle(title, fontsize=9)
    return figure


def _kernels(figure: Any, axis: Any, kernels: Array, name: str) -> None:
    """All kernels of layer 1 in one image, with a gap between them; W is positive in blue and negative in red."""
    count, height, width = kernels.shape
    rows = -(-count // COLUMNS)
    sheet = np.full((rows * (height + 1) - 1, COLUMNS * (width + 1) - 1), np.nan)
    for i, kernel in enumerate(kernels):
        top, left = i // COLUMNS * (height + 1), i % COLUMNS * (width + 1)
        sheet[top : top + height, left : left + width] = kernel
    largest = float(np.abs(kernels).max())
    image = axis.imshow(sheet, cmap="RdBu", vmin=-largest, vmax=largest)
    figure.colorbar(image, ax=axis, shrink=0.7, label="W")
    axis.set(xticks=[], yticks=[])
    for side in axis.spines.values():
        side.set_visible(False)
    axis.set_title(f"{name}: the {count} kernels of layer 1", loc="left")


def _errors(axis: Any, ours: dict[str, float], theirs: dict[str, float]) -> None:
    """Two bars per readout, with the numbers on top."""
    place = np.arange(len(ours))
    recorded = [100 * theirs.get(readout, np.nan) for readout in ours]
    for shift, errors, color, label in (
        (-0.2, [100 * error for error in ours.values()], BLUE, "replayed"),
        (0.2, recorded, GREY, "recorded by the authors, at their last evaluation"),
    ):
        bars = axis.bar(place + shift, errors, 0.38, color=color, label=label)
        axis.bar_label(bars, [f"{error:.2f}" if np.isfinite(error) else "" for error in errors], fontsize=7)
    axis.set(ylabel="error (%)", ylim=(0, 109), xticks=place, xticklabels=list(ours))
