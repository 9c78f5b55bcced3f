"""The figure of the Poisson MNIST experiment, and the authors' curves in it."""

import os

import numpy as np
import pytest
from matplotlib import pyplot

from decolle_ref._util.check import InputError
from decolle_ref.data import authors
from decolle_ref.plots import poisson_mnist as plots


def test_the_authors_curves_are_those_they_recorded():
    """Third layer with its trained output: 13.1 % at 1,408 samples, 7.1 % at 3,968; the long run ends near 1.3 %."""
    try:
        curves = authors.curves()
    except InputError as reason:
        if os.environ.get("DECOLLE_REF_DATA"):
            raise
        pytest.skip(str(reason))
    short = {int(row[0]): row[3] for row in curves["mnist_short"]}
    assert round(short[1408], 3) == 0.131 and round(short[3968], 3) == 0.071
    assert (curves["mnist_short"][:, 1] > 0.6).all() and curves["mnist_long"][-10:, 3].mean() < 0.02


def test_the_figure_takes_the_mean_over_runs_where_all_were_tested():
    runs = [
        {"samples": [64, 128], "error": {"layer 1": [0.5, 0.25]}, "comparable": True},
        {"samples": [128, 192], "error": {"layer 1": [0.75, 0.1]}, "comparable": True},
    ]
    samples, errors = plots.common(runs, "layer 1")
    assert samples.tolist() == [128] and errors.tolist() == [[0.25], [0.75]]
    theirs = {name: np.tile([64.0, 0.6, 0.4, 0.2, 0.3], (3, 1)) for name in plots.AUTHORS}
    figure = plots.plot(runs, theirs)
    long, short = (axis.get_legend_handles_labels()[1] for axis in figure.axes)
    assert "output, authors'" in short and "layer 3, authors'" not in short  # they read it by a trained layer there
    assert "layer 3, authors'" in long and "output, authors'" not in long
    pyplot.close(figure)


def test_the_errors_on_all_test_images_stand_at_the_end_of_the_longest_run():
    run = {"samples": [64, 128], "error": {"layer 1": [0.5, 0.25]}, "comparable": True, "final": {"layer 1": 0.2}}
    figure = plots.plot([run])
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert [line.get_xydata().tolist() for line in hollow] == [[[128, pytest.approx(20)]]]
    pyplot.close(figure)
