"""How an error reaches a hidden neuron, as schematics.  [N19 Box 3, Fig. 5, 6]

    solid line up      forward weights, which learn
    solid line down    the transposed forward weights
    dashed line        fixed random weights

>>> figure = plot_strategies()
>>> [axis.get_title() for axis in figure.axes][1]
'(b) feedback alignment'
"""

from typing import Any, NamedTuple

from decolle_ref.plots.style import BLUE, BROWN, GREY, INK, ORANGE, figure_style

__all__ = ["plot_local_learning", "plot_locality", "plot_strategies"]

FORWARD, ERROR = BLUE, BROWN
FIXED, EXACT, READ = (0, (4, 2)), "-", (0, (1, 1.5))  # line styles: random weights, transposed ones, readouts

Point = tuple[float, float]
TRANSPOSED = "error, through the transposed weights"
KINDS = {
    "forward weights, which learn": (FORWARD, EXACT),
    TRANSPOSED: (ERROR, EXACT),
    "error, through fixed random weights": (ERROR, FIXED),
    "readout of a layer, fixed and random": (GREY, READ),
}


class Arrow(NamedTuple):
    """An arrow from one point to another, with its line style and a label at its middle."""

    start: Point
    end: Point
    colour: str = FORWARD
    style: Any = EXACT
    label: str = ""
    side: float = 0.0  # how far to the right of the middle the label stands
    bend: float = 0.0
    above: float = 0.16  # how far above its middle the label of a horizontal arrow stands


EDGE = 0.19  # half the height of a box
LAYERS = {"input $x$": 0.0, "hidden 1": 1.0, "hidden 2": 2.0, "output": 3.0}


def _up(height: int, label: str) -> Arrow:
    return Arrow((-0.2, height + EDGE), (-0.2, height + 1 - EDGE), label=label, side=-0.36)


def _to_layer_below(height: int, style: Any, label: str = "") -> Arrow:
    return Arrow((0.2, height + 1 - EDGE), (0.2, height + EDGE), ERROR, style, label, 0.42)


def _in_all_four() -> list[Arrow]:
    """The forward pass, and the error of the output itself."""
    forward = [_up(l, f"$W^{{({l + 1})}}$") for l in range(3)]
    return [*forward, _up(3, ""), _to_layer_below(3, EXACT)]


def _through_layers(style: Any, letter: str) -> list[Arrow]:
    """From layer to layer, as backpropagation and feedback alignment send the error."""
    return [_to_layer_below(l, style, f"${letter}^{{({l + 1})\\top}}$") for l in (1, 2)]


def _direct() -> list[Arrow]:
    """From the output straight to each hidden layer."""
    first = Arrow((0.47, 3.0), (0.47, 1.0), ERROR, FIXED, "$H^{(1)\\top}$", 1.12, -0.8)
    return [_to_layer_below(2, FIXED, "$H^{(2)\\top}$"), first]


def _local() -> list[Arrow]:
    """To a readout beside each hidden layer, and back."""
    both: list[Arrow] = []
    for l in (1, 2):
        both.append(Arrow((0.45, l + 0.1), (1.15, l + 0.1), GREY, READ, f"$G^{{({l})}}$"))
        both.append(Arrow((1.15, l - 0.1), (0.45, l - 0.1), ERROR, FIXED, f"$G^{{({l})\\top}}$", 0.0, 0.0, -0.18))
    return both


STRATEGIES: dict[str, list[Arrow]] = {
    "(a) backpropagation": _through_layers(EXACT, "W"),
    "(b) feedback alignment": _through_layers(FIXED, "G"),
    "(c) direct feedback alignment": _direct(),
    "(d) local errors": _local(),
}


def plot_strategies() -> Any:
    """Draw the four ways in which an error reaches hidden layers.  [N19 Fig. 5]

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, axes = plt.subplots(1, len(STRATEGIES), figsize=(9.2, 3.4), sharey=True)
        for axis, (title, arrows) in zip(axes, STRATEGIES.items(), strict=True):
            for name, height in LAYERS.items():
                _box(axis, (0.0, height), name)
            _box(axis, (0.0, 4.0), "loss", ORANGE)
            if title == "(d) local errors":
                for height in (1.0, 2.0):
                    _box(axis, (1.5, height), "loss", ORANGE, width=0.7)
            for arrow in (*_in_all_four(), *arrows):
                _arrow(axis, arrow)
            axis.set(xlim=(-0.95, 2.0), ylim=(-0.35, 4.35))
            axis.axis("off")
            axis.set_title(title)
        _legend(figure, plt.Line2D)
    return figure


def plot_locality() -> Any:
    """Draw neuron A, the synapse from neuron B to it, and which variables are local to A.  [N19 Box 3]

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, axis = plt.subplots(figsize=(6.6, 2.5))
        for name, x in (("B", 0.0), ("A", 4.0)):
            axis.plot(x, 0, "o", ms=38, color="w", mec=INK, mew=1.2)
            axis.text(x, 0, name, ha="center", va="center", fontsize=12)
        _arrow(axis, Arrow((0.4, 0.0), (3.6, 0.0)))
        axis.text(1.2, 0.16, "$S_B(t)$, arrives now", ha="center", color=FORWARD)
        axis.text(2.9, 0.16, "weight $W_{BA}$", ha="center", color=FORWARD)
        local = {"boxstyle": "round", "fc": "w", "ec": FORWARD, "lw": 1.2}
        remote = local | {"ec": ERROR, "ls": FIXED}
        axis.text(4.0, -0.95, "local to A:\n$W_{BA}$, $S_A(t)$, $U_A(t)$", ha="center", va="center", bbox=local)
        axis.text(0.0, -0.95, "not local to A, in space:\n$U_B(t)$", ha="center", va="center", bbox=remote)
        axis.text(2.0, 0.85, "not local to A, in time: $S_B(t-T)$", ha="center", va="center", bbox=remote)
        axis.set(xlim=(-1.3, 5.3), ylim=(-1.35, 1.15))
        axis.axis("off")
        axis.set_title("Which numbers can neuron A use? [N19 Box 3]", loc="left")
    return figure


def plot_local_learning() -> Any:
    """Draw three spiking layers, each with a fixed random readout and a loss of its own.  [N19 Fig. 6]

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, axis = plt.subplots(figsize=(7.2, 2.9))
        _box(axis, (0.0, 0.0), "events", width=1.1)
        for l in (1, 2, 3):
            x = 2.1 * l
            _arrow(axis, Arrow((x - 1.55, 0.0), (x - 0.55, 0.0), label=f"$W^{{({l})}}$", side=0.0))
            _box(axis, (x, 0.0), f"LIF {l}", width=1.1)
            _state_loop(axis, x)
            _box(axis, (x, 1.5), f"loss {l}", ORANGE, width=1.1)
            _arrow(axis, Arrow((x - 0.2, 0.2), (x - 0.2, 1.3), GREY, READ, f"$G^{{({l})}}$", -0.3))
            _arrow(axis, Arrow((x + 0.2, 1.3), (x + 0.2, 0.2), ERROR, FIXED, f"$G^{{({l})\\top}} e$", 0.42))
        axis.set(xlim=(-0.7, 7.3), ylim=(-1.2, 1.85))
        axis.axis("off")
        axis.set_title("Local errors with spikes: no error leaves its layer [N19 Fig. 6]", loc="left")
        _legend(figure, plt.Line2D, TRANSPOSED)
    return figure


def _state_loop(axis: Any, x: float) -> None:
    """The neuron's state goes from each time step to the next."""
    _arrow(axis, Arrow((x + 0.3, -0.2), (x - 0.3, -0.2), INK, bend=-1.6))
    axis.text(x, -1.0, "I, U", ha="center", va="center", fontsize=7)


def _box(axis: Any, centre: Point, text: str, colour: str = INK, width: float = 0.9) -> None:
    x, y = centre
    axis.add_patch(_rectangle((x - width / 2, y - EDGE), width, 2 * EDGE, colour))
    axis.text(x, y, text, ha="center", va="center", fontsize=7.5, zorder=4)


def _rectangle(corner: Point, width: float, height: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, fc="w", ec=colour, lw=1.2, zorder=3)


def _arrow(axis: Any, arrow: Arrow) -> None:
    look = {"arrowstyle": "-|>", "color": arrow.colour, "ls": arrow.style, "lw": 1.3, "mutation_scale": 9}
    shrink = {"shrinkA": 0, "shrinkB": 0, "connectionstyle": f"arc3,rad={arrow.bend}"}
    axis.annotate("", arrow.end, arrow.start, arrowprops=look | shrink)
    x, y = ((a + b) / 2 for a, b in zip(arrow.start, arrow.end, strict=True))
    above = arrow.above if arrow.start[1] == arrow.end[1] else 0.0
    axis.text(x + arrow.side, y + above, arrow.label, ha="center", va="center", fontsize=8, color=arrow.colour)


def _legend(figure: Any, line: Any, *left_out: str) -> None:
    handles = [
        line([], [], color=colour, ls=style, label=name)
        for name, (colour, style) in KINDS.items()
        if name not in left_out
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=7.5)
