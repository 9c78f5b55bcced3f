"""The computational graph of a spiking network in discrete time, and what of it a method follows.  [N19 Fig. 2]"""

from typing import Any

from decolle_ref.credit.neuron.spiking import Paths
from decolle_ref.plots.style import BLUE, GREY, INK, ORANGE, house

STEPS, LAYERS = 4, 2
ROW = {"I": 0.0, "U": 1.0, "S": 2.0}
COLOURS = {"past": BLUE, "reset": ORANGE, "recurrent": "#C85200", "downstream": INK}
STYLES = {"past": "-", "reset": "--", "recurrent": "-.", "downstream": ":"}
WORDS = {
    "past": "leaks α, β",
    "reset": "reset",
    "recurrent": "recurrent V",
    "downstream": "to the layer above, W²",
}


def _at(letter: str, layer: int, n: int) -> tuple[float, float]:
    return 2.2 * n, 3.6 * layer + ROW[letter]


def edges() -> list[tuple[str | None, tuple[float, float], tuple[float, float]]]:
    """(path or None, from, to) for all of [N19 Eq. 4, 5]; None: from a neuron's input to its spike, always followed."""
    found: list[tuple[str | None, tuple[float, float], tuple[float, float]]] = []
    for layer in range(LAYERS):
        for n in range(STEPS):
            found.append((None, _at("U", layer, n), _at("S", layer, n)))
            if n + 1 < STEPS:
                found.append((None, _at("I", layer, n), _at("U", layer, n + 1)))
                found += [("past", _at(x, layer, n), _at(x, layer, n + 1)) for x in "IU"]
                found.append(("reset", _at("S", layer, n), _at("U", layer, n + 1)))
                found.append(("recurrent", _at("S", layer, n), _at("I", layer, n + 1)))
                if layer + 1 < LAYERS:
                    found.append(("downstream", _at("S", layer, n), _at("I", layer + 1, n + 1)))
    return found


def graph(keep: Paths | None = None, title: str = "") -> Any:
    """The unrolled network; paths that are not in `keep` are drawn faintly."""
    keep = Paths() if keep is None else keep
    with house() as plt:
        figure, axis = plt.subplots(figsize=(6.4, 4.2))
        for path, start, end in edges():
            followed = path is None or getattr(keep, path)
            look = {"color": COLOURS[path] if path else GREY, "ls": STYLES[path] if path else "-"}
            bend = -0.25 if path in ("recurrent", "downstream") else 0.0
            arrow = {"arrowstyle": "->", "shrinkA": 9, "shrinkB": 9, "lw": 1.2, "alpha": 1.0 if followed else 0.12}
            arrow["connectionstyle"] = f"arc3,rad={bend}"
            axis.annotate("", end, start, arrowprops=look | arrow)
        for layer in range(LAYERS):
            for n in range(STEPS):
                for letter in ROW:
                    at = _at(letter, layer, n)
                    axis.plot(*at, "o", ms=17, color="w", mec=INK, mew=0.6)
                    axis.text(*at, f"{letter}$^{layer + 1}$", ha="center", va="center", fontsize=7)
        for n in range(STEPS):
            x, y = _at("I", 0, n)
            axis.annotate("", (x, y), (x - 2.2, y - 1.2), arrowprops={"arrowstyle": "->", "color": GREY, "shrinkB": 9})
            axis.text(x, 3.6 * LAYERS - 0.9, f"n + {n}" if n else "n", ha="center")
        for path, colour in COLOURS.items():
            dropped = "" if getattr(keep, path) else " (left out)"
            axis.plot([], [], color=colour, ls=STYLES[path], label=WORDS[path] + dropped)
        axis.plot([], [], color=GREY, label="always: input W¹, I → U → S")
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
        axis.set(xlim=(-1.6, 2.2 * STEPS - 1.2), ylim=(-1.2, 3.6 * LAYERS - 0.5))
        axis.axis("off")
        axis.set_title(title or "The network as a graph, unrolled in time [N19 Fig. 2]", loc="left")
    return figure
