"""Recordings of event cameras: the cloud of events in time, and frames of the same events.  [K20 Fig. 4, left]

>>> import numpy as np
>>> events = np.array([(1, 2, True, 100), (3, 0, False, 40_000)], [("x", int), ("y", int), ("p", bool), ("t", int)])
>>> figure = plot([("a clip", events, 4)])
>>> figure.axes[0].get_title()
'a clip'
"""

from collections.abc import Sequence
from typing import Any

from decolle_ref._util.check import Array
from decolle_ref.plots import _event_frame
from decolle_ref.plots.style import BLUE, ORANGE, figure_style

__all__ = ["plot"]

MOST = 4000  # events that are drawn of one recording
FRAMES = 3  # of each recording
FRAME_US = 30_000


def plot(recordings: Sequence[tuple[str, Array, int]]) -> Any:
    """Draw the column and the time of events above, and below three frames that sum 30 ms each.

    Parameters
    ----------
    recordings : sequence of (str, structured array, int)
        Title, events with the fields x, y, p and t (microseconds), and height and width of the sensor.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with figure_style() as plt:
        figure = plt.figure(figsize=(2.6 * len(recordings), 4.0))
        rows = figure.subfigures(2, 1, height_ratios=(2, 1))
        clouds = rows[0].subplots(1, len(recordings), squeeze=False)[0]
        images = rows[1].subplots(1, FRAMES * len(recordings), squeeze=False)[0]
        for k, (axis, (title, events, side)) in enumerate(zip(clouds, recordings, strict=True)):
            _cloud(axis, events)
            axis.set(title=title, xlim=(0, side))
            _frames(images[FRAMES * k : FRAMES * (k + 1)], events, side)
        clouds[0].set_ylabel("time (ms)")
        clouds[0].legend(fontsize=7, markerscale=8, loc="upper left")
    return figure


def _cloud(axis: Any, events: Array) -> None:
    """At most MOST of the events as dots: blue where it became brighter, orange where it became darker."""
    some = events[:: -(-len(events) // MOST)]
    for p, colour, label in ((True, BLUE, "brighter"), (False, ORANGE, "darker")):
        chosen = some[some["p"] == p]
        axis.plot(
            chosen["x"], chosen["t"] / 1000, ls="", marker=".", ms=0.6, color=colour, label=label, rasterized=True
        )
    axis.set_xlabel("column (pixels)")


def _frames(axes: Sequence[Any], events: Array, side: int) -> None:
    """Brighter minus darker events of 30 ms, at three moments."""
    length = int(events["t"].max()) + 1
    for k, axis in enumerate(axes):
        start = round(length * (k + 0.5) / len(axes))
        _event_frame.draw(axis, events, side, start, FRAME_US, f"{start / 1000:.0f} ms")
