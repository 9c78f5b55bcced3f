"""How far the gradient of each method is from the exact one, and which terms it leaves out.  [N19 Sec. III-V]

>>> terms = {"cosine": [0.5, 0.7], "terms": {"reset": [0.8, 0.6]}, "remainder": 1e-15}
>>> settings = {"reference": "rtrl", "networks": 2}
>>> figure = plot({"methods": {"superspike": terms}, "comparable": True, "settings": settings})
>>> figure.axes[0].get_xlabel()
'angle to rtrl (degrees)'
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.plots.style import BLUE, BROWN, CYCLE, GREY, INK, ORANGE, figure_style, save

__all__ = ["plot", "save_figures"]

TERMS = ("feedback", "past", "reset", "recurrent", "downstream")
LABELS = {"feedback": "random feedback"}
MARKERS, COLOURS = "osD^v", (BLUE, ORANGE, INK, CYCLE[3], BROWN)


def plot(results: dict[str, Any]) -> Any:
    """Draw the angle between each method's gradient and the reference, and the size of every term it leaves out.

    Every network is one dot on the left; on the right, markers are medians and lines go from the lowest to the highest.

    Parameters
    ----------
    results : dict
        What `experiments.credit` returned, which is also in results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    methods, settings = results["methods"], results["settings"]
    rows = np.arange(len(methods))
    quick = ", quick run" if not results["comparable"] else ""
    with figure_style() as plt:
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(8.6, 1.1 + 0.5 * len(methods)), sharey=True, width_ratios=(1, 1.6)
        )
        for row, numbers in enumerate(methods.values()):
            _angles(left, row, np.degrees(np.arccos(numbers["cosine"])))
        left.axvline(90, color=INK, lw=0.6, ls="--")
        left.set(xlim=(-4, 190), xticks=(0, 45, 90, 135, 180), xlabel=f"angle to {settings['reference']} (degrees)")
        left.set_yticks(rows, methods)
        left.invert_yaxis()
        for k, (term, marker) in enumerate(zip(TERMS, MARKERS, strict=True)):
            sizes = [numbers["terms"].get(term, [0.0]) for numbers in methods.values()]
            if np.any(np.concatenate(sizes)):
                _terms(right, rows + 0.16 * (k - 2), sizes, LABELS.get(term, term), COLOURS[k], marker)
        right.axvline(1, color=INK, lw=0.6, ls="--")
        right.set(xscale="log", xlabel="size of each omitted term / size of the reference gradient")
        if right.get_legend_handles_labels()[0]:
            right.legend(loc="upper left", bbox_to_anchor=(1, 1))
        worst = max(numbers["remainder"] for numbers in methods.values())
        figure.suptitle(
            f"[N19 Sec. III-V] The terms that each method drops, on {settings['networks']} random networks{quick}; "
            f"with them it is exact to {worst:.0e}",
            fontsize=9,
        )
    return figure


def _angles(axis: Any, row: int, angles: Array) -> None:
    """One dot per network, a bar from lowest to highest, and the median in numbers."""
    middle = float(np.median(angles))
    axis.plot([angles.min(), angles.max()], [row, row], color=GREY, lw=1.2)
    axis.plot(angles, np.full(angles.shape, row), ls="", marker="o", ms=3, mfc="white", color=INK)
    axis.plot(middle, row, ls="", marker="|", ms=14, mew=1.6, color=BROWN)
    axis.annotate(f"{middle:.0f}°", (angles.max(), row), (6, 0), textcoords="offset points", va="center")


def _terms(axis: Any, rows: Array, sizes: Sequence[Sequence[float]], label: str, colour: str, marker: str) -> None:
    """A marker at the median size, and a line from the lowest to the highest; nothing for a term that is 0."""
    for row, values in zip(rows, sizes, strict=True):
        if np.any(values):
            axis.plot([min(values), max(values)], [row, row], color=colour, lw=1.6)
            axis.plot(np.median(values), row, ls="", marker=marker, ms=5, color=colour, mec="w", mew=0.4)
    axis.plot([], [], marker=marker, ms=5, color=colour, lw=1.6, label=label)


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw credit.png in the folder of a run."""
    return [save(plot(results), out / "credit.png")]
