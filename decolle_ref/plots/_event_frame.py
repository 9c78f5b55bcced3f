"""One frame of a recording of an event camera, which the figures of recordings share."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.data.frames import bin_events, dense
from decolle_ref.plots.style import BLUE, ORANGE


def draw(axis: Any, events: Array, side: int, start_us: int, length_us: int, title: str) -> None:
    """The events of a part of the recording: blue where it became brighter, orange where it became darker."""
    from matplotlib.colors import LinearSegmentedColormap

    (counts,) = dense(bin_events(events, side, side, side, start_us, start_us + length_us, length_us))
    off, on = counts.reshape(2, side, side)
    limit = max(1, np.quantile(on + off, 0.995))
    colours = LinearSegmentedColormap.from_list("polarity", [ORANGE, "white", BLUE])
    axis.imshow(on - off, cmap=colours, vmin=-limit, vmax=limit)
    axis.set_title(title, fontsize=7)
    axis.set(xticks=[], yticks=[])
    axis.spines[["top", "right"]].set_visible(True)
