"""The network and the four patterns of the temporal exclusive or, as a drawing.  [N19 Fig. 7a]

>>> figure = plot()
>>> [axis.get_title("left") for axis in figure.axes][0]
'the network'
"""

from itertools import pairwise
from typing import Any

from decolle_ref.experiments.xor import EARLY, LATE, PATTERNS, SIZES, TARGET
from decolle_ref.plots.style import BLUE, BROWN, GREY, INK, figure_style

__all__ = ["plot"]

LAYERS = ("inputs", "hidden", "outputs")
COLOURS = (INK, BLUE, BROWN)


def plot() -> Any:
    """Draw the network on the left and, on the right, each pattern with the output that should spike first.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        widths = (2, *[1] * len(PATTERNS))
        figure, (network, *patterns) = plt.subplots(1, len(widths), figsize=(9.2, 2.3), width_ratios=widths)
        _network(network)
        for axis, times, target in zip(patterns, PATTERNS, TARGET, strict=True):
            _pattern(axis, times, target)
        patterns[0].set_ylabel("input")
        figure.suptitle("The temporal exclusive or [N19 Fig. 7a]", fontsize=9)
    return figure


def _network(axis: Any) -> None:
    places = [[(k, 1.2 * (i - (size - 1) / 2)) for i in range(size)] for k, size in enumerate(SIZES)]
    for below, above in pairwise(places):
        for start in below:
            for end in above:
                axis.plot(*zip(start, end, strict=True), color=GREY, lw=0.7, zorder=1)
    for layer, name, colour in zip(places, LAYERS, COLOURS, strict=True):
        for i, (x, y) in enumerate(layer):
            axis.plot(x, y, "o", ms=15, color="w", mec=colour, mew=1.4)
            axis.text(x, y, f"{i}", ha="center", va="center", fontsize=7)
        axis.text(layer[0][0], -2.7, name, ha="center", va="center", color=colour)
    axis.set(xlim=(-0.4, len(SIZES) - 0.6), ylim=(-3.0, 2.4))
    axis.axis("off")
    axis.set_title("the network", loc="left")


def _pattern(axis: Any, times: Any, target: int) -> None:
    axis.eventplot([[time] for time in times], colors=INK, lw=2.0, linelengths=0.6)
    axis.set(xlim=(EARLY - 0.8, LATE + 0.8), ylim=(-0.6, len(times) - 0.4), yticks=range(len(times)))
    axis.set_xticks((EARLY, LATE), ("early", "late"))
    axis.set_title(f"output {target} first", loc="left")
