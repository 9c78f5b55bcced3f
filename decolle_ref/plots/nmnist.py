"""N-MNIST: test error of every layer against mini-batches, and the cost of the spikes.  [K20 Fig. 4, right]

>>> layers = {"layer 1": [0.4, 0.3], "layer 2": [0.2, 0.1], "layer 3": [0.1, 0.05]}
>>> cost = dict.fromkeys(layers, 100.0)
>>> run = {"mini_batches": [10, 20], "error": layers, "comparable": True, "synaptic_operations": cost}
>>> run |= {"input_rate": 0.03, "spike_rate": cost, "multiplications_of_a_dense_frame": cost}
>>> [axis.get_ylabel() for axis in plot([run]).axes]
['test error (%)', 'per recording and ms']
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref.plots import _event_curves, _run
from decolle_ref.plots._event_curves import LOOKS, Run
from decolle_ref.plots.style import GREY, figure_style, save

__all__ = ["plot", "save_figures"]


def plot(runs: Sequence[Run], folds: Sequence[Run] = (), convnets: Sequence[dict[str, Any]] = ()) -> Any:
    """Draw the test errors on the left and the operations on the right.

    Parameters
    ----------
    runs : sequence of dict
        What `experiments.nmnist` returned, for one seed or several.
    folds : sequence of dict
        The same for each fold of a cross-validation; the mean of their last errors is drawn at the right edge.
    convnets : sequence of dict
        What `experiments.nmnist_convnet` returned, for one seed or several.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.6), width_ratios=(1.3, 1))
        _event_curves.errors(left, runs)
        end = max(run["mini_batches"][-1] for run in runs)
        for name, look in LOOKS.items() if folds else ():
            mean = 100 * np.mean([run["error"][name][-1] for run in folds])
            label = f"mean of {len(folds)} folds" if name == "layer 3" else None
            left.plot([1.04 * end], [mean], ls="", mfc="none", ms=7, label=label, **look)
        if convnets:
            mean = 100 * np.mean([run["error"] for run in convnets])
            left.axhline(mean, color=GREY, lw=0.8, ls="--", label=f"convnet on summed frames: {mean:.1f} %")
        left.legend(fontsize=7)
        _event_curves.operations(right, runs)
        figure.suptitle(f"N-MNIST with convolutional DECOLLE{_run.mark(*runs)}", fontsize=9)
    return figure


def save_figures(out: Path, results: Run) -> list[Path]:
    """Draw nmnist.png in the folder of a run."""
    return [save(plot([results]), out / "nmnist.png")]
