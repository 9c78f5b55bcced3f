"""A spiking neuron as a drawing, and the two passes of a surrogate gradient.  [N19 Fig. 1a, Sec. IV-B]

>>> figure = plot_neuron()
>>> [axis.get_title("left") for axis in figure.axes]
['(a) a neuron and its inputs', '(b) its membrane as an electrical circuit']
"""

from typing import Any

from decolle_ref.plots.style import BLUE, BROWN, GREY, INK, ORANGE, figure_style

__all__ = ["plot_neuron", "plot_passes"]

INPUTS = (2.1, 1.3, 0.5, -0.3)  # heights of the four input neurons
SPIKES = ((0.15, 0.5, 0.9), (0.3, 0.75), (0.1, 0.6), (0.45, 0.7, 0.95))  # positions along each input fibre
FORWARD = ("W S", "I", "U", "S")  # the quantities from left to right
FORWARD_STEPS = ("decay α", "decay β", "Θ(U − ϑ)")
BACKWARD_STEPS = ("decay α", "decay β", "σ'(U − ϑ)")


def _clear(axis: Any, title: str) -> None:
    axis.axis("off")
    axis.set_title(title, loc="left")


def _arrow(axis: Any, start: tuple[float, float], end: tuple[float, float], **look: Any) -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.1} | look)


def plot_neuron() -> Any:
    """Draw four input neurons, their synapses, the cell body and its output; and the membrane as a circuit.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, (cell, circuit) = plt.subplots(1, 2, figsize=(8.6, 2.9), width_ratios=(1.7, 1))
        _draw_cell(cell)
        _draw_circuit(circuit)
    return figure


def _draw_cell(axis: Any) -> None:
    _clear(axis, "(a) a neuron and its inputs")
    body = (4.4, 0.9)
    for j, (height, train) in enumerate(zip(INPUTS, SPIKES, strict=True), start=1):
        axis.plot([0.6, 2.6], [height, height], color=GREY, lw=1.0)
        axis.plot([2.6, 4.0], [height, body[1] + 0.25 * (height - body[1])], color=GREY, lw=1.0)
        axis.plot(0.35, height, "o", ms=13, color="w", mec=INK, mew=0.9)
        axis.text(0.35, height, f"{j}", ha="center", va="center")
        for s in train:
            axis.plot([0.7 + 1.7 * s] * 2, [height, height + 0.3], color=INK, lw=1.2)
        axis.plot(2.6, height, marker="<", ms=8, color=ORANGE, mec=INK, mew=0.6)
        axis.text(2.5, height + 0.3, f"$W_{{{j}}}$", ha="center", va="center", fontsize=7)
    axis.plot(*body, "o", ms=46, color="w", mec=BLUE, mew=2.2)
    axis.text(*body, "U", ha="center", va="center", color=BLUE, fontsize=11)
    axis.plot([4.95, 7.2], [body[1]] * 2, color=GREY, lw=1.4)
    for s in (5.5, 6.4):
        axis.plot([s, s], [body[1], body[1] + 0.45], color=INK, lw=1.4)
    _arrow(axis, (7.0, body[1]), (7.5, body[1]), color=GREY)
    for text, at, place in (
        ("spikes of the inputs, $S_j$", (1.2, 2.45), (1.5, 2.95)),
        ("synapses with their weights", (2.6, -0.42), (2.6, -1.0)),
        ("membrane (ring)\nwith its potential U", (4.6, 1.78), (5.0, 2.6)),
        ("output spikes S\non the axon", (6.0, 0.85), (6.0, 0.1)),
    ):
        axis.annotate(text, at, place, ha="center", va="center", arrowprops={"arrowstyle": "-", "lw": 0.5})
    axis.set(xlim=(-0.1, 7.7), ylim=(-1.3, 3.2))


def _draw_circuit(axis: Any) -> None:
    _clear(axis, "(b) its membrane as an electrical circuit")
    axis.plot([0.4, 2.6], [2, 2], color=INK, lw=1.1)
    axis.plot([0.4, 2.6], [0, 0], color=INK, lw=1.1)
    axis.plot([1, 1, 1], [0, 0.85, 0.85], color=INK, lw=1.1)
    axis.plot([1, 1], [1.1, 2], color=INK, lw=1.1)
    for height in (0.85, 1.1):  # the capacitor: two plates
        axis.plot([0.7, 1.3], [height, height], color=BLUE, lw=2.4)
    axis.plot([2.2, 2.2], [0, 0.55], color=INK, lw=1.1)
    axis.plot([2.2, 2.2], [1.4, 2], color=INK, lw=1.1)
    axis.plot([2.05, 2.35, 2.35, 2.05, 2.05], [0.55, 0.55, 1.4, 1.4, 0.55], color=BROWN, lw=1.4)
    _arrow(axis, (0.4, 2.7), (0.4, 2.08), color=ORANGE)
    axis.text(0.55, 2.45, "current I\nfrom synapses", va="center", color=INK)
    axis.text(0.62, 0.98, "C", ha="right", va="center")
    axis.text(2.45, 0.98, "R (leak)", va="center")
    axis.text(1.7, 0.98, "U", ha="center", va="center", color=BLUE, fontsize=11)
    _arrow(axis, (1.7, 1.2), (1.7, 1.9), color=BLUE, lw=0.7)
    _arrow(axis, (1.7, 0.78), (1.7, 0.08), color=BLUE, lw=0.7)
    axis.text(2.7, 2, "inside", va="center", fontsize=7)
    axis.text(2.7, 0, "outside", va="center", fontsize=7)
    axis.set(xlim=(0, 3.4), ylim=(-0.4, 2.9))


def plot_passes() -> Any:
    """Draw the forward pass with Theta, and the backward pass with sigma' in its place.  [N19 Sec. IV-B]

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure, axis = plt.subplots(figsize=(7.6, 2.3))
        _clear(axis, "A surrogate gradient: spikes forward, σ' backward")
        for k, name in enumerate(FORWARD):
            for height, label in ((1, name), (0, f"∂L/∂{name}" if k else "∂L/∂W")):
                axis.text(2 * k, height, label, ha="center", va="center", fontsize=10)
        for k, (forward, backward) in enumerate(zip(FORWARD_STEPS, BACKWARD_STEPS, strict=True)):
            special = k == len(FORWARD_STEPS) - 1
            _arrow(axis, (2 * k + 0.45, 1), (2 * k + 1.6, 1), color=BLUE if special else GREY)
            _arrow(axis, (2 * k + 1.6, 0), (2 * k + 0.45, 0), color=BROWN if special else GREY, ls="--")
            axis.text(2 * k + 1, 1.12, forward, ha="center", va="bottom", color=BLUE if special else INK)
            axis.text(2 * k + 1, 0.12, backward, ha="center", va="bottom", color=BROWN if special else INK)
        axis.text(7.3, 0.5, "loss L", ha="center", va="center")
        _arrow(axis, (6.35, 0.95), (7.1, 0.62), color=GREY)
        _arrow(axis, (7.1, 0.38), (6.5, 0.05), color=GREY, ls="--")
        axis.text(-1.6, 1, "forward", va="center", color=INK)
        axis.text(-1.6, 0, "backward", va="center", color=INK)
        axis.set(xlim=(-1.7, 7.9), ylim=(-0.35, 1.5))
    return figure
