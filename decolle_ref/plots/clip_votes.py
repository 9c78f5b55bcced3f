"""A strip of frames of a recording, and below it the votes that each layer gives to each class over time.

>>> events = np.array([(1, 2, True, 100), (3, 0, False, 39_000)], [("x", int), ("y", int), ("p", bool), ("t", int)])
>>> votes = np.cumsum([[[0, 0]]] * 10 + [[[1, 0]]] * 30, axis=0)
>>> figure = plot(events, side=4, votes=votes, classes=("wave", "clap"), label=0)
>>> figure.axes[-1].get_title("left")
'layer 1: wave (correct)'
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.plots import _event_frame
from decolle_ref.plots.style import BLUE, GREY, LINE_STYLES, figure_style

__all__ = ["plot"]

FRAMES = 8
LARGEST_FRAME_MS = 30


def plot(events: Array, side: int, votes: Array, classes: Sequence[str], label: int) -> Any:
    """Draw frames at eight moments, and for each layer the votes of the true class and of the three next ones.

    Parameters
    ----------
    events : structured array with the fields x, y, p and t (microseconds), (events,)
        The recording, from time 0.
    side : int
        Height and width of the sensor in pixels.
    votes : array, (steps, layers, classes)
        Votes that each layer has given to each class until the end of each step of 1 ms; none during burn-in.
    classes : sequence of str
        The names of the classes.
    label : int
        The true class.

    Returns
    -------
    matplotlib.figure.Figure
    """
    steps, layers, _ = votes.shape
    with figure_style() as plt:
        figure = plt.figure(figsize=(7.4, 1.3 + 1.1 * layers))
        rows = figure.subfigures(2, 1, height_ratios=(1.1, 1.1 * layers))
        _frames(rows[0].subplots(1, FRAMES), events, side, steps)
        axes = rows[1].subplots(layers, 1, sharex=True, squeeze=False)[:, 0]
        for k, axis in enumerate(axes):
            _votes(axis, votes[:, k], classes, label)
            answer = int(votes[-1, k].argmax())
            verdict = "correct" if answer == label else f"wrong, it is {classes[label]}"
            axis.set_title(f"layer {k + 1}: {classes[answer]} ({verdict})", loc="left", fontsize=8)
        axes[-1].set_xlabel("time (ms)")
        rows[1].supylabel("votes since the end of burn-in", fontsize=8)
    return figure


def _frames(axes: Sequence[Any], events: Array, side: int, steps: int) -> None:
    """The sums of both polarities at the middles of equal parts."""
    length = max(1, min(LARGEST_FRAME_MS, steps // len(axes)))
    for k, axis in enumerate(axes):
        start = round((k + 0.5) * steps / len(axes) - length / 2)
        _event_frame.draw(axis, events, side, 1000 * start, 1000 * length, f"{start} to {start + length} ms")


def _votes(axis: Any, votes: Array, classes: Sequence[str], label: int) -> None:
    """Votes (steps, classes): the true class in blue, and of the others the three with most votes."""
    steps, time = len(votes), np.arange(1, len(votes) + 1)
    burn_in = int((votes.sum(axis=1) == 0).sum())
    axis.axvspan(0, burn_in, color="0.92", lw=0)
    others = [k for k in votes[-1].argsort(kind="stable")[::-1] if k != label][:3]
    for k, look in zip(others, LINE_STYLES[1:], strict=False):
        axis.plot(time, votes[:, k], color=GREY, ls=look, label=classes[k])
    axis.plot(time, votes[:, label], color=BLUE, lw=1.8, label=f"{classes[label]} (true)")
    axis.set(xlim=(0, steps), ylim=(0, None))
    axis.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.0, 1.05))
