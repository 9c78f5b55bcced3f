"""DvsGesture: test error of every layer against mini-batches, ours beside the authors'.  [K20 Fig. 4, right]

>>> layers = {"layer 1": [0.4, 0.3], "layer 2": [0.2, 0.1], "layer 3": [0.1, 0.05]}
>>> cost = dict.fromkeys(layers, 100.0)
>>> run = {"mini_batches": [10, 20], "error": layers, "comparable": True, "synaptic_operations": cost}
>>> run |= {"input_rate": 0.03, "spike_rate": cost, "multiplications_of_a_dense_frame": cost}
>>> figure = plot([run], recorded=np.array([[1, 0.5, 0.4, 0.3], [21, 0.4, 0.3, 0.2]]))
>>> [axis.get_ylabel() for axis in figure.axes]
['test error (%)', 'per recording and ms', 'test error (%)']
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import InputError
from decolle_ref.data import authors
from decolle_ref.experiments.published import TABLE_1
from decolle_ref.plots import _event_curves, _run
from decolle_ref.plots._event_curves import LOOKS, Run
from decolle_ref.plots.style import GREY, GRID, figure_style, save

__all__ = ["plot", "save_figures"]


def plot(runs: Sequence[Run], recorded: npt.ArrayLike | None = None) -> Any:
    """Draw our test errors, our operations, and the test errors that the authors recorded.

    Parameters
    ----------
    runs : sequence of dict
        What `experiments.dvsgesture` returned, for one seed or several.
    recorded : array, (evaluations, 4), optional
        The authors' curves, `data.authors.dvsgesture_curve()`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    clips = all(run.get("settings", {}).get("clips") for run in runs)
    with figure_style() as plt:
        figure, axes = plt.subplots(1, 2 if recorded is None else 3, figsize=(8.4 if recorded is None else 11.0, 3.4))
        _event_curves.errors(axes[0], runs)
        axes[0].legend(fontsize=7)
        _event_curves.operations(axes[1], runs)
        if recorded is not None:
            _authors(axes[2], np.asarray(recorded))
        name = "Ten clips of DvsGesture" if clips else "DvsGesture"
        figure.suptitle(f"{name} with convolutional DECOLLE [K20 Fig. 4]{_run.mark(*runs)}", fontsize=9)
    return figure


def _authors(axis: Any, recorded: npt.NDArray[Any]) -> None:
    """The authors' curves on the whole data set, and the error that they published."""
    for (name, look), percent in zip(LOOKS.items(), 100 * recorded[:, 1:].T, strict=True):
        axis.plot(recorded[:, 0], percent, ls=":", color=look["color"], label=f"{name}, authors'")
    published = TABLE_1[0].error
    axis.axhline(published, color=GREY, lw=0.8, ls="--", label=f"published: {published} %")
    axis.set(
        xlabel="mini-batches", ylabel="test error (%)", ylim=(0, None), title="the authors' recording: all gestures"
    )
    axis.grid(**GRID)
    axis.legend(fontsize=7)


def save_figures(out: Path, results: Run) -> list[Path]:
    """Draw dvsgesture.png in the folder of a run, with the authors' curves if they are in the data folder."""
    try:
        recorded = authors.dvsgesture_curve()
    except InputError:  # they are not in the data folder
        recorded = None
    return [save(plot([results], recorded), out / "dvsgesture.png")]
