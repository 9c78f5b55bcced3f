"""A picture that depends on a number: sliders where somebody can move them, else small multiples."""

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from decolle_ref import teach
from decolle_ref._util.check import InputError
from decolle_ref.teach import sliders

RANGES = [sliders.Range("tau", 5, 20, 50), sliders.Range("slope", 1, 1, 10)]


def line(axis, tau, slope):
    axis.plot([0, tau], [0, slope])
    axis.set(xlabel="time (ms)", ylabel="U")


def test_every_number_gets_a_row_in_which_the_others_stay():
    assert sliders.panels(RANGES) == [
        [{"tau": 5, "slope": 1}, {"tau": 20, "slope": 1}, {"tau": 50, "slope": 1}],
        [{"tau": 20, "slope": 1}, {"tau": 20, "slope": 1}, {"tau": 20, "slope": 10}],
    ]


def test_small_multiples_draw_the_values_in_their_titles():
    figure = sliders.multiples(line, RANGES)
    drawn = [
        (axis.get_title(), list(axis.lines[0].get_xdata()), list(axis.lines[0].get_ydata())) for axis in figure.axes
    ]
    plt.close(figure)
    assert drawn[0] == ("tau = 5", [0, 5], [0, 1]) and drawn[5] == ("slope = 10", [0, 20], [0, 10])
    assert len(drawn) == 6


def test_without_a_front_end_one_figure_appears():
    plt.close("all")
    assert teach.explore(line, tau=(5, 20, 50), slope=(1, 1, 10)) is None
    assert len(plt.get_fignums()) == 1
    plt.close("all")


def test_a_front_end_is_one_that_shows_widgets(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    assert not sliders.front_end()  # a kernel that a program runs
    monkeypatch.setenv("JPY_SESSION_NAME", "06_one_layer.ipynb")
    assert sliders.front_end()
    monkeypatch.delitem(sys.modules, "ipykernel")
    monkeypatch.delitem(sys.modules, "pyodide_kernel", raising=False)
    assert not sliders.front_end()  # python in a terminal of Jupyter


def test_with_a_front_end_every_number_has_a_slider_and_moving_it_draws(monkeypatch):
    """`interact` shows errors only in the page, so the function that it gets is called here."""
    ipywidgets = pytest.importorskip("ipywidgets")
    made = {}
    monkeypatch.setattr(sliders, "front_end", lambda: True)
    monkeypatch.setattr(ipywidgets, "interact", lambda show, **widgets: made.update(show=show, widgets=widgets))
    monkeypatch.setattr(plt, "show", lambda: None)
    teach.explore(line, tau=(5, 20, 50), slope=(1, 1, 10))
    assert {name: (w.min, w.value, w.max) for name, w in made["widgets"].items()} == {
        "tau": (5, 20, 50),
        "slope": (1, 1, 10),
    }
    plt.close("all")
    made["show"](tau=30, slope=2)
    (axis,) = plt.gcf().axes
    assert list(axis.lines[0].get_xdata()) == [0, 30]
    plt.close("all")


@pytest.mark.parametrize("values", [(1, 2), (3, 2, 1), (1, 5, 3), (1, 1, 1)])
def test_a_range_that_is_not_in_order_is_refused(values):
    with pytest.raises(InputError, match="tau: expected"):
        teach.explore(line, tau=values)
    with pytest.raises(InputError, match="ranges: expected at least one"):
        teach.explore(line)
