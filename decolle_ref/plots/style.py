"""One look for all figures: colours that colour-blind readers can tell apart, and line styles besides."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from decolle_ref._util import store

INK = "#202020"
CYCLE = ("#006BA4", "#FF800E", "#595959", "#5F9ED1", "#C85200", "#ABABAB")  # out of tableau-colorblind10
BLUE, ORANGE, GREY = "#006BA4", "#FF800E", "#898989"
LINE_STYLES = ("-", "--", "-.", ":")

SETTINGS: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "figure.constrained_layout.use": True,
}


@contextmanager
def house() -> Iterator[Any]:
    """pyplot with the house's settings inside the block."""
    import matplotlib.pyplot as plt
    from cycler import cycler

    with plt.rc_context({**SETTINGS, "axes.prop_cycle": cycler(color=CYCLE)}):
        yield plt


def save(figure: Any, path: Path) -> None:
    """Write the figure as PNG, atomically, and free it."""
    import matplotlib.pyplot as plt

    store.atomically(path, lambda file: figure.savefig(file, format="png"))
    plt.close(figure)
