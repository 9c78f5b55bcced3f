"""SpikeGrad on MNIST: operations, test error and redundant spikes.  [T19 Fig. 1a, 2a]"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from decolle_ref.plots import spikegrad_images
from decolle_ref.plots.style import save
from decolle_ref.spikegrad import network

__all__ = ["plot", "save_figures"]


def plot(runs: Sequence[dict[str, Any]]) -> Any:
    """Draw the four panels of `spikegrad_images.plot`.

    Parameters
    ----------
    runs : sequence of dict
        What `experiments.spikegrad_mnist` returned, for one run or several.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return spikegrad_images.plot(runs, "MNIST", network.TOPOLOGIES["mnist"][0], "a")


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw spikegrad_mnist.png in the folder of a run."""
    return [save(plot([results]), out / "spikegrad_mnist.png")]
