"""The computational graph of DECOLLE in discrete time, and the way of its gradients.  [K20 Fig. 2]

Two layers in the dialect `paper`, without the refractory state R (gamma = 0), as in the paper.

>>> figure = plot()
>>> figure.axes[0].get_title("left")
'DECOLLE as a graph, unrolled in time [K20 Fig. 2]'
"""

from typing import Any, NamedTuple

from decolle_ref.plots.style import BLUE, BROWN, GREY, INK, figure_style

__all__ = ["plot"]

STEPS, LAYERS = 3, 2
ACROSS, UP = 3.4, 4.9  # from step to step, from layer to layer
PLACES = {"Q": (0.0, 0.0), "P": (0.0, 1.1), "U": (0.0, 2.2), "S": (0.0, 3.3), "Y": (1.25, 2.2), "L": (1.25, 3.3)}


class Edge(NamedTuple):
    """`target` at step n + `steps`, `layers` above, is computed from `source` at step n."""

    source: str
    target: str
    kind: str
    steps: int = 0
    layers: int = 0


FORWARD = (
    Edge("Q", "Q", "leak", 1),
    Edge("P", "P", "leak", 1),
    Edge("Q", "P", "fixed", 1),
    Edge("S", "Q", "fixed", 1, 1),
    Edge("P", "U", "learns"),
    Edge("U", "S", "fixed"),
    Edge("U", "Y", "fixed"),
    Edge("Y", "L", "fixed"),
)
GRADIENT = (Edge("L", "Y", "gradient"), Edge("Y", "U", "gradient"), Edge("U", "P", "gradient"))  # the last ends at W
LOOKS: dict[str, dict[str, Any]] = {
    "learns": {"color": BLUE, "ls": "-", "lw": 2.4},
    "leak": {"color": INK, "ls": ":", "lw": 1.3},
    "fixed": {"color": GREY, "ls": "-", "lw": 1.1},
    "gradient": {"color": BROWN, "ls": "--", "lw": 1.5},
}
LABELS = {
    "learns": "weights W and b, which learn",
    "leak": "leaks α, β: carried to the next step",
    "fixed": "everything else of the forward pass; Y = G σ(U)",
    "gradient": "gradient: from L to W, no further",
}


def plot() -> Any:
    """Draw two layers at three steps.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, axis = plt.subplots(figsize=(8.2, 5.2))
        for layer in range(LAYERS):
            for n in range(STEPS):
                for edge in (*FORWARD, *GRADIENT):
                    if n + edge.steps < STEPS and layer + edge.layers < LAYERS:
                        _edge(axis, edge, layer, n)
                if layer == 0:
                    _input(axis, n)
                _nodes(axis, layer, n)
        for n, name in enumerate(("n − 1", "n", "n + 1")):
            axis.text(ACROSS * n + 0.6, UP * LAYERS - 0.7, f"step {name}", ha="center")
        for kind, label in LABELS.items():
            axis.plot([], [], **LOOKS[kind], label=label)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2)
        axis.set(xlim=(-1.9, ACROSS * STEPS - 1.2), ylim=(-1.3, UP * LAYERS - 0.3))
        axis.axis("off")
        axis.set_title("DECOLLE as a graph, unrolled in time [K20 Fig. 2]", loc="left")
    return figure


def _place(letter: str, layer: int, n: int) -> tuple[float, float]:
    x, y = PLACES[letter]
    return ACROSS * n + x, UP * layer + y


def _edge(axis: Any, edge: Edge, layer: int, n: int) -> None:
    start, end = _place(edge.source, layer, n), _place(edge.target, layer + edge.layers, n + edge.steps)
    look: dict[str, Any] = {"arrowstyle": "->", "shrinkA": 9, "shrinkB": 9} | LOOKS[edge.kind]
    if edge.kind == "gradient":
        look["connectionstyle"] = "arc3,rad=0.45"
    if edge == GRADIENT[-1]:  # the gradient ends at the weights, in the middle of the arrow from P to U
        end, look["shrinkB"] = (start[0] + 0.03, (start[1] + end[1]) / 2 - 0.05), 0
        look["connectionstyle"] = "arc3,rad=-0.9"
    axis.annotate("", end, start, arrowprops=look)


def _input(axis: Any, n: int) -> None:
    """The spikes that arrive from outside at step n - 1 reach Q at step n."""
    x, y = _place("Q", 0, n)
    axis.annotate("", (x, y), (x - 1.5, y - 1.1), arrowprops={"arrowstyle": "->", "shrinkB": 9} | LOOKS["fixed"])
    axis.text(x - 1.7, y - 1.25, "$S^{in}$", ha="center", va="center", fontsize=7)


def _nodes(axis: Any, layer: int, n: int) -> None:
    for letter in PLACES:
        x, y = _place(letter, layer, n)
        axis.plot(x, y, "o", ms=17, color="w", mec=INK, mew=0.6)
        axis.text(x, y, f"{letter}$^{layer + 1}$", ha="center", va="center", fontsize=7)
