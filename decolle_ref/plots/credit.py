"""How far the gradient of each method is from the exact one, and which terms it leaves out.  [N19 Sec. III-V]

>>> terms = {"cosine": 0.5, "terms": {"reset": 0.8}, "remainder": 1e-15}
>>> figure = plot({"methods": {"superspike": terms}, "comparable": True, "settings": {"reference": "rtrl"}})
>>> figure.axes[0].get_xlabel()
'angle to rtrl (degrees)'
"""

from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref.plots.style import CYCLE, INK, figure_style, save

__all__ = ["plot", "save_figures"]

TERMS = ("feedback", "past", "reset", "recurrent", "downstream")
LABELS = {"feedback": "random feedback"}
HATCHES = ("", "///", "...", "xx", "\\\\")


def plot(results: dict[str, Any]) -> Any:
    """Draw the angle between each method's gradient and the reference, and the size of every term it leaves out.

    Parameters
    ----------
    results : dict
        What `experiments.credit` returned, which is also in results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    methods = results["methods"]
    rows = np.arange(len(methods))
    quick = ", quick run" if not results["comparable"] else ""
    size = (7.6, 0.9 + 0.45 * len(methods))
    with figure_style() as plt:
        figure, (left, right) = plt.subplots(1, 2, figsize=size, sharey=True, width_ratios=(1, 2))
        angles = [np.degrees(np.arccos(numbers["cosine"])) for numbers in methods.values()]
        left.barh(rows, angles, color=INK, height=0.5)
        for row, angle in zip(rows, angles, strict=True):
            left.annotate(f"{angle:.0f}°", (angle, row), (3, 0), textcoords="offset points", va="center")
        left.axvline(90, color=INK, lw=0.6, ls="--")
        left.set(xlim=(0, 105), xlabel=f"angle to {results['settings']['reference']} (degrees)", yticks=rows)
        left.set_yticklabels(methods)
        left.invert_yaxis()
        for k, (term, hatch) in enumerate(zip(TERMS, HATCHES, strict=True)):
            sizes = [numbers["terms"].get(term, 0.0) for numbers in methods.values()]
            if any(sizes):
                look = {"color": CYCLE[k], "hatch": hatch, "edgecolor": "w", "lw": 0.3}
                right.barh(rows + 0.16 * (k - 2), sizes, 0.16, label=LABELS.get(term, term), **look)
        right.set(xlabel="size of each term / size of the exact gradient", xlim=(0, None))
        if right.get_legend_handles_labels()[0]:
            right.legend(loc="upper right")
        worst = max(numbers["remainder"] for numbers in methods.values())
        figure.suptitle(
            f"[N19 Sec. III-V] The terms that each method drops; with them it is exact to {worst:.0e}{quick}",
            fontsize=9,
        )
    return figure


def save_figures(out: Path, results: dict[str, Any]) -> list[Path]:
    """Draw credit.png in the folder of a run."""
    return [save(plot(results), out / "credit.png")]
