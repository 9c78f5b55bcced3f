"""The network that learns from an event camera, from events to the votes of every layer.  [K20 Fig. 4, left; Table 2]

>>> import numpy as np
>>> from decolle_ref.experiments.event_network import EventSettings, build
>>> events = np.array([(1, 2, True, 100), (3, 0, False, 39_000)], [("x", int), ("y", int), ("p", bool), ("t", int)])
>>> figure = plot(build(EventSettings(width=0.125), classes=11).network, events, side=4)
>>> [text.get_text() for text in figure.axes[0].texts if "channels" in text.get_text()][1]
'layer 1\\n8 channels\\n30 x 30, pool: 15 x 15'
"""

from typing import Any

from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle.network import Layer, Network
from decolle_ref.decolle.synapse import Conv2d
from decolle_ref.plots.style import BLUE, BROWN, GREY, INK, ORANGE, figure_style

__all__ = ["plot"]

MOST = 1500  # events that are drawn
SHEETS = 6  # images that are drawn of one layer, at most
UNIT = 1 / 22  # height of a pixel of an image
SHIFT = 0.055  # from sheet to sheet
# the place of the input, the distance from layer to layer, the height of the readouts
FIRST, APART, READOUT = 3.0, 1.75, 2.45

Point = tuple[float, float]


def plot(network: Network, events: Array, side: int) -> Any:
    """Draw events, the frames that they become, and the layers with their readouts.

    Parameters
    ----------
    network : sequence of Layer
        Convolutional layers, bottom first.
    events : structured array with the fields x, y, p and t (microseconds), (events,)
        The recording that is drawn.
    side : int
        Height and width of its sensor in pixels.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        For a layer that is not convolutional.
    """
    first = _synapse(network[0])
    with figure_style() as plt:
        figure, axis = plt.subplots(figsize=(8.2, 3.7))
        _cloud(axis, events, side)
        right = _stack(axis, FIRST, first.shape_in, GREY)
        size = f"{first.shape_in[1]} x {first.shape_in[2]}"
        _label(axis, FIRST, f"frames of 1 ms\n{first.shape_in[0]} channels (polarities)\n{size}")
        _arrow(axis, (1.75, 0.0), (FIRST - UNIT * first.shape_in[2] / 2 - 0.08, 0.0), GREY)
        for k, layer in enumerate(network, start=1):
            place = FIRST + k * APART
            _arrow(axis, (right + 0.05, 0.0), (place - UNIT * _synapse(layer).shape[2] / 2 - 0.05, 0.0), BLUE)
            right = _layer(axis, place, k, layer)
        axis.set(xlim=(-0.15, right + 0.9), ylim=(-1.75, 3.0), aspect="equal")
        axis.axis("off")
        _legend(axis, plt.Line2D, first.kernel)
    return figure


def _synapse(layer: Layer) -> Conv2d:
    if not isinstance(layer.synapse, Conv2d):
        raise InputError(f"network: expected convolutional layers, got {type(layer.synapse).__name__}")
    return layer.synapse


def _cloud(axis: Any, events: Array, side: int) -> None:
    """The events in a box whose long side is the time."""
    some = events[:: -(-len(events) // MOST)]
    across = 0.35 * some["x"] / side  # the column goes to the back
    x = 1.25 * some["t"] / max(1, events["t"].max()) + across
    y = 0.55 - 1.2 * some["y"] / side + 0.6 * across
    for p, colour in ((True, BLUE), (False, ORANGE)):
        axis.plot(x[some["p"] == p], y[some["p"] == p], ls="", marker=".", ms=1.0, color=colour, rasterized=True)
    axis.annotate("", (1.3, -0.78), (0.0, -0.78), arrowprops={"arrowstyle": "->", "color": INK, "lw": 0.8})
    _label(axis, 0.65, f"events\n{side} x {side} pixels\ntime {1e-6 * events['t'].max():.2f} s")


def _stack(axis: Any, place: float, shape: tuple[int, int, int], colour: str) -> float:
    """Some of the images of a layer, one behind the other; returns the right end."""
    channels, rows, columns = shape
    height, width, n = UNIT * rows, UNIT * columns, min(channels, SHEETS)
    for k in reversed(range(n)):
        corner = place - width / 2 + SHIFT * (k - (n - 1) / 2), -height / 2 + SHIFT * (k - (n - 1) / 2)
        look = {"facecolor": "white", "edgecolor": colour, "lw": 0.8}
        axis.add_patch(_rectangle(corner, width, height, **look))
    return place + width / 2 + SHIFT * (n - 1) / 2


def _rectangle(corner: Point, width: float, height: float, **look: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **look)


def _layer(axis: Any, place: float, number: int, layer: Layer) -> float:
    """A layer, its readout above it, and the two arrows between them; returns the right end of the layer."""
    synapse = _synapse(layer)
    channels, rows, columns = synapse.shape
    end = _stack(axis, place, synapse.shape, BLUE)
    pool = f", pool: {layer.pool.shape_out[1]} x {layer.pool.shape_out[2]}" if layer.pool else ""
    _label(axis, place, f"layer {number}\n{channels} channels\n{rows} x {columns}{pool}")
    top = UNIT * rows / 2 + SHIFT * SHEETS / 2 + 0.05
    _arrow(axis, (place - 0.12, top), (place - 0.12, READOUT - 0.2), GREY, (0, (1, 1.5)))
    _arrow(axis, (place + 0.12, READOUT - 0.2), (place + 0.12, top), BROWN, (0, (4, 2)))
    axis.add_patch(_rectangle((place - 0.62, READOUT - 0.18), 1.24, 0.36, facecolor="white", edgecolor=INK, lw=0.8))
    axis.text(place, READOUT, f"{len(layer.readout.c)} outputs, loss", ha="center", va="center", fontsize=7)
    return end


def _label(axis: Any, place: float, text: str) -> None:
    axis.text(place, -0.98, text, ha="center", va="top", fontsize=7)


def _arrow(axis: Any, start: Point, end: Point, colour: str, style: Any = "-") -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour, "ls": style, "lw": 1.2})


def _legend(axis: Any, line: Any, kernel: int) -> None:
    kinds = {
        f"{kernel} x {kernel} weights, which learn": (BLUE, "-"),
        "readout of a layer, fixed and random": (GREY, (0, (1, 1.5))),
        "error of the layer's own loss": (BROWN, (0, (4, 2))),
    }
    handles = [line([], [], color=colour, ls=style, label=name) for name, (colour, style) in kinds.items()]
    axis.legend(handles=handles, loc="upper left", fontsize=7)
