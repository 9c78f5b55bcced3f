"""SpikeGrad on CIFAR-10: operations, test error and redundant spikes.  [T19 Fig. 1b, 2b]"""

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
        What `experiments.spikegrad_cifar10` returned, for one run or several of one width.

    Returns
    -------
    matplotlib.figure.Figure
    """
    width = runs[0]["settings"]["width"]
    topology = network.scaled(network.TOPOLOGIES["cifar10"][0], width)
    return spikegrad_images.plot(runs, "CIFAR-10", topology, "b")


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw spikegrad_cifar10.png in the folder of a run."""
    return [save(plot([results]), out / "spikegrad_cifar10.png")]
