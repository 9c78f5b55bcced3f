"""By how many bounds the oracle finds each planted mistake, under several profiles.  The data of docs/kill_matrix.md.

>>> from math import inf
>>> rows = [("P decays with beta", "P", (9e14, 52.0)), ("S = 1 at the threshold too", "S", (inf, inf))]
>>> figure = plot(("float64", "bfloat16"), rows)
>>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
['P decays with beta', 'S = 1 at the threshold too']
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from decolle_ref.plots.style import BLUE, BROWN, GREY, INK, ORANGE, figure_style

__all__ = ["plot"]

LOOKS = ((INK, "o"), (BLUE, "s"), (ORANGE, "^"), (BROWN, "x"))  # one per profile
EXACT = 1e18  # where a mistake is drawn that breaks an equation which must hold exactly
APART = 10**0.7  # factor between the markers of two profiles there

Row = tuple[str, str, Sequence[float]]  # mistake, equation, residual over bound under each profile


def plot(profiles: Sequence[str], rows: Sequence[Row]) -> Any:
    """Draw one row per mistake, with a marker for each profile.

    Parameters
    ----------
    profiles : sequence of str
        The names of at most four profiles.
    rows : sequence of (str, str, sequence of float)
        A mistake, the equation that it breaks, and the largest residual over its bound under each profile; infinite
        where the equation must hold exactly.

    Returns
    -------
    matplotlib.figure.Figure
    """
    y = np.arange(len(rows))
    with figure_style() as plt:
        figure, axis = plt.subplots(figsize=(8.6, 1.6 + 0.13 * len(rows)))
        axis.axvline(2, color=GREY, lw=0.9, ls="--", label="2: no rounding hides it")
        for k, (profile, (colour, marker)) in enumerate(zip(profiles, LOOKS, strict=False)):
            x = [min(ratios[k], EXACT * APART**k) for _, _, ratios in rows]
            axis.plot(x, y, ls="", marker=marker, ms=3.5, color=colour, label=profile)
        axis.set(xscale="log", xlim=(0.3, EXACT * APART ** len(LOOKS)), xlabel="largest residual / bound")
        axis.set_xticks([1, 1e4, 1e8, 1e12, 1e16, EXACT * APART**1.5], ["1", "1e4", "1e8", "1e12", "1e16", "exact"])
        axis.minorticks_off()
        axis.set_yticks(y, [_label(mistake, equation) for mistake, equation, _ in rows], fontsize=6)
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.grid(axis="y", lw=0.3, color=GREY, alpha=0.5)
        figure.legend(loc="outside lower center", ncols=len(LOOKS) + 1)
        figure.suptitle(f"{len(rows)} planted mistakes, and how far each goes beyond its bound", fontsize=9)
    return figure


def _label(mistake: str, equation: str) -> str:
    """The mistake, with its equation before it unless it begins with that."""
    return mistake if mistake.startswith(equation) else f"{equation}: {mistake}"
