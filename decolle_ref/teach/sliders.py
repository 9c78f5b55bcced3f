"""Explore: a picture that depends on a few numbers, with sliders where there are any, else as small multiples.

The function draws into one axis and takes the numbers by name.  In Jupyter, if `ipywidgets` is installed, each number
gets a slider.  Elsewhere (a stored page, a test, a browser without widgets) every number gets a row of three panels:
its smallest value, the one it starts with, its largest.

>>> panels([Range("tau", 5, 20, 50)])
[[{'tau': 5}, {'tau': 20}, {'tau': 50}]]
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from decolle_ref._util.check import InputError
from decolle_ref.plots.style import figure_style

Draw = Callable[..., Any]


class Range(NamedTuple):
    """The values of one number.

    Parameters
    ----------
    name : of the number, as the function takes it
    low, start, high : its smallest value, the one at the beginning, its largest value
    """

    name: str
    low: float
    start: float
    high: float


def explore(draw: Draw, **ranges: tuple[float, float, float]) -> None:
    """Show `draw(axis, **values)` for many values.

    Parameters
    ----------
    draw : draws into a matplotlib axis, and takes one number for each range, by name
    ranges : name -> (smallest, at the beginning, largest)

    Raises
    ------
    InputError
        If a range is not three numbers in order.
    """
    parsed = [_parse(name, values) for name, values in ranges.items()]
    if not parsed:
        raise InputError("ranges: expected at least one, such as tau=(5, 20, 50), got none")
    if front_end() and importlib.util.find_spec("ipywidgets"):
        _sliders(draw, parsed)
    else:
        multiples(draw, parsed)


def _parse(name: str, values: Sequence[float]) -> Range:
    if len(values) != 3 or not values[0] < values[2] or not values[0] <= values[1] <= values[2]:
        raise InputError(f"{name}: expected (smallest, at the beginning, largest), got {values}")
    return Range(name, *values)


def front_end() -> bool:
    """Is somebody there who can move a slider?

    Returns
    -------
    bool
        True in Jupyter, Visual Studio Code, Colab and JupyterLite; False where a program runs the notebook.
    """
    if "ipykernel" not in sys.modules and "pyodide_kernel" not in sys.modules:
        return False
    inside = "JPY_SESSION_NAME" in os.environ or "VSCODE_PID" in os.environ
    return inside or "google.colab" in sys.modules or "pyodide_kernel" in sys.modules


def panels(ranges: list[Range]) -> list[list[dict[str, float]]]:
    """The values of every panel: one row per number, in which the others keep their first value.

    Parameters
    ----------
    ranges : of all numbers

    Returns
    -------
    rows of three dictionaries
    """
    start = {each.name: each.start for each in ranges}
    return [[{**start, each.name: value} for value in each[1:]] for each in ranges]


def multiples(draw: Draw, ranges: list[Range]) -> Any:
    """Draw small multiples.

    Parameters
    ----------
    draw : as in `explore`
    ranges : of all numbers

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = panels(ranges)
    with figure_style() as plt:
        figure, axes = plt.subplots(len(rows), 3, squeeze=False, sharey=True, figsize=(9, 2.4 * len(rows)))
        for each, row, values_of_row in zip(ranges, axes, rows, strict=True):
            for axis, values in zip(row, values_of_row, strict=True):
                draw(axis, **values)
                axis.set_title(f"{each.name} = {values[each.name]:g}")
                axis.label_outer()
    return figure


def _sliders(draw: Draw, ranges: list[Range]) -> None:
    import ipywidgets

    def show(**values: float) -> None:
        with figure_style() as plt:
            _, axis = plt.subplots(figsize=(6, 3))
            draw(axis, **values)
            plt.show()

    def slider(each: Range) -> Any:
        step = (each.high - each.low) / 50
        return ipywidgets.FloatSlider(each.start, min=each.low, max=each.high, step=step, continuous_update=False)

    ipywidgets.interact(show, **{each.name: slider(each) for each in ranges})
