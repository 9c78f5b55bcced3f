"""The conventional network on summed frames of N-MNIST: test error and training loss against epoch.

>>> figure = plot({"epochs": {"error": [0.2, 0.1], "loss": [0.3, 0.1]}, "error": 0.1, "comparable": True})
>>> [axis.get_ylabel() for axis in figure.axes]
['test error (%)', 'mean smooth L1 loss']
"""

from pathlib import Path
from typing import Any

from decolle_ref.plots import convnet
from decolle_ref.plots.style import save

__all__ = ["plot", "save_figures"]


def plot(results: dict[str, Any]) -> Any:
    """Draw the test error after every epoch on the left and the training loss on the right.

    Parameters
    ----------
    results : dict
        What `experiments.nmnist_convnet` returned, which is also in results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return convnet.plot(results, "The conventional network on summed frames of N-MNIST", paper=None)


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw nmnist_convnet.png in the folder of a run."""
    return [save(plot(results), out / "nmnist_convnet.png")]
