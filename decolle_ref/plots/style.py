"""The style of all figures: colours that colour-blind readers can tell apart, and line styles or markers besides.

>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder, figure_style() as plt:
...     figure, axis = plt.subplots()
...     lines = axis.plot([0, 1], [0, 1], color=BLUE, ls=LINE_STYLES[1])
...     save(figure, Path(folder) / "line.png").name
'line.png'
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from decolle_ref._util import store
from decolle_ref._util.extras import import_optional

__all__ = ["BLUE", "BROWN", "CYCLE", "GREY", "GRID", "INK", "LINE_STYLES", "ORANGE", "figure_style", "save"]

INK = "#202020"
CYCLE = ("#006BA4", "#FF800E", "#595959", "#5F9ED1", "#C85200", "#ABABAB")  # from tableau-colorblind10
BLUE, ORANGE, GREY, BROWN = "#006BA4", "#FF800E", "#898989", "#C85200"
LINE_STYLES = ("-", "--", "-.", ":")
GRID: dict[str, Any] = {"axis": "y", "lw": 0.3, "color": "#D0D0D0"}

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
def figure_style() -> Iterator[Any]:
    """Give `matplotlib.pyplot` with the settings of this package inside the block.

    Yields
    ------
    module
        `matplotlib.pyplot`; when the block ends these settings are restored, and no others.  `rc_context` would
        restore all: also the interactive mode, which the backend of notebooks sets when the first figure loads it.
    """
    plt = import_optional("matplotlib", "matplotlib.pyplot")
    from cycler import cycler

    settings = {**SETTINGS, "axes.prop_cycle": cycler(color=CYCLE)}
    before = {name: plt.rcParams[name] for name in settings}
    plt.rcParams.update(settings)
    try:
        yield plt
    finally:
        plt.rcParams.update(before)


def save(figure: Any, path: Path) -> Path:
    """Write a figure as a PNG file and free its memory.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : Path
        The file.  It appears whole or not at all.

    Returns
    -------
    Path
        The same `path`.
    """
    plt = import_optional("matplotlib", "matplotlib.pyplot")

    store.atomically(path, lambda file: figure.savefig(file, format="png"))
    plt.close(figure)
    return path
