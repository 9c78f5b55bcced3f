"""The computational graph of a spiking network in discrete time, and the paths that a method follows.  [N19 Fig. 2]

>>> figure = plot(Paths(reset=False, recurrent=False, downstream=False), "the paths of SuperSpike")
>>> figure.axes[0].get_title("left")
'the paths of SuperSpike'
"""

from typing import Any

from decolle_ref.credit.neuron.spiking import Paths
from decolle_ref.plots.style import BLUE, BROWN, GREY, INK, ORANGE, figure_style

__all__ = ["plot"]

STEPS, LAYERS = 4, 2
ROW = {"I": 0.0, "U": 1.0, "S": 2.0}
COLOURS = {"past": BLUE, "reset": ORANGE, "recurrent": BROWN, "downstream": INK}
STYLES = {"past": "-", "reset": "--", "recurrent": "-.", "downstream": ":"}
WIDTHS: dict[str | None, float] = {"past": 2.2}  # else as thick as the arrows that every method follows
LABELS = {
    "past": "leaks α, β",
    "reset": "reset",
    "recurrent": "recurrent V",
    "downstream": "to the layer above, W²",
}


def _position(letter: str, layer: int, n: int) -> tuple[float, float]:
    return 2.2 * n, 3.6 * layer + ROW[letter]


def _arrows() -> list[tuple[str | None, tuple[float, float], tuple[float, float]]]:
    """(path, start, end) of each arrow of [N19 Eq. 4, 5]; the path is None if every method follows the arrow."""
    arrows: list[tuple[str | None, tuple[float, float], tuple[float, float]]] = []
    for layer in range(LAYERS):
        for n in range(STEPS):
            arrows.append((None, _position("U", layer, n), _position("S", layer, n)))
            if n + 1 < STEPS:
                arrows.append((None, _position("I", layer, n), _position("U", layer, n + 1)))
                arrows += [("past", _position(x, layer, n), _position(x, layer, n + 1)) for x in "IU"]
                arrows.append(("reset", _position("S", layer, n), _position("U", layer, n + 1)))
                arrows.append(("recurrent", _position("S", layer, n), _position("I", layer, n + 1)))
                if layer + 1 < LAYERS:
                    arrows.append(("downstream", _position("S", layer, n), _position("I", layer + 1, n + 1)))
    return arrows


def plot(keep: Paths | None = None, title: str = "") -> Any:
    """Draw the network as a graph, unrolled in time.  [N19 Fig. 2]

    Parameters
    ----------
    keep : Paths, optional
        The paths that a method follows, by default all.  The others are drawn faintly.
    title : str
        The title; by default it names the figure of the review.

    Returns
    -------
    matplotlib.figure.Figure
    """
    keep = Paths() if keep is None else keep
    with figure_style() as plt:
        figure, axis = plt.subplots(figsize=(6.4, 4.2))
        for path, start, end in _arrows():
            followed = path is None or getattr(keep, path)
            look = {"color": COLOURS[path] if path else GREY, "ls": STYLES[path] if path else "-"}
            bend = -0.25 if path in ("recurrent", "downstream") else 0.0
            arrow = {
                "arrowstyle": "->",
                "shrinkA": 9,
                "shrinkB": 9,
                "lw": WIDTHS.get(path, 1.2),
                "alpha": 1.0 if followed else 0.12,
            }
            arrow["connectionstyle"] = f"arc3,rad={bend}"
            axis.annotate("", end, start, arrowprops=look | arrow)
        for layer in range(LAYERS):
            for n in range(STEPS):
                for letter in ROW:
                    node = _position(letter, layer, n)
                    axis.plot(*node, "o", ms=17, color="w", mec=INK, mew=0.6)
                    axis.text(*node, f"{letter}$^{layer + 1}$", ha="center", va="center", fontsize=7)
        for n in range(STEPS):
            x, y = _position("I", 0, n)
            axis.annotate("", (x, y), (x - 2.2, y - 1.2), arrowprops={"arrowstyle": "->", "color": GREY, "shrinkB": 9})
            axis.text(x, 3.6 * LAYERS - 0.9, f"n + {n}" if n else "n", ha="center")
        for path, colour in COLOURS.items():
            dropped = "" if getattr(keep, path) else " (left out)"
            axis.plot([], [], color=colour, ls=STYLES[path], lw=WIDTHS.get(path, 1.2), label=LABELS[path] + dropped)
        axis.plot([], [], color=GREY, lw=1.2, label="always: input W¹, I → U → S")
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
        axis.set(xlim=(-1.6, 2.2 * STEPS - 1.2), ylim=(-1.2, 3.6 * LAYERS - 0.5))
        axis.axis("off")
        axis.set_title(title or "The network as a graph, unrolled in time [N19 Fig. 2]", loc="left")
    return figure
