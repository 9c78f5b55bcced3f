"""The networks that notebook 03 trains live before and after, and the numbers say what its text says."""

from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

NOTEBOOK = Path(__file__).parents[2] / "tutorials" / "03_routes_to_a_gradient.ipynb"
CELLS = ("import matplotlib", "def run_forward", "def sample_task")  # the beginnings by which the cells are found


@pytest.fixture(scope="module")
def names():
    """What the cells of section 3.5 define."""
    sources = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    found = {}
    for beginning in CELLS:
        (source,) = (s for s in sources if beginning in s)
        exec(source, found)
    plt.close("all")
    return found


def test_every_hidden_layer_lives_before_and_after_learning(names):
    """Rates between 1 and 30 %, and sigma' above a tenth of its maximum in at least half of the steps."""
    tasks = names["tasks"]
    first = [np.stack([task[2][l] for task in tasks]) for l in range(3)]
    for W in (first, names["W"]):
        U, S = names["run_forward"](W, names["x_all"])
        for spikes, potential in zip(S, U[:-1], strict=True):
            rates = spikes.mean(axis=(0, 2, 3))
            sigma = 1 / (1 + np.exp(-names["K"] * (potential - 1)))
            unsaturated = (4 * sigma * (1 - sigma) > 0.1).mean(axis=(0, 2, 3))
            assert len(rates) == 20 and rates.min() >= 0.01 and rates.max() <= 0.30
            assert unsaturated.min() >= 0.5


def test_ten_networks_learn_with_the_surrogate_what_their_output_layer_alone_does_not(names):
    end = names["accuracies"][-1]
    assert np.median(end[:10]) >= 0.95 and end[:10].min() >= 0.75
    assert np.median(end[10:]) <= 0.9 and end[10:].min() < 0.75
    assert np.median(names["losses"][-1, :10]) < 0.2 < np.median(names["losses"][-1, 10:])


def test_with_the_true_derivative_the_hidden_weights_do_not_move(names):
    for l in range(2):
        before = np.stack([task[2][l] for task in names["tasks"]])
        np.testing.assert_array_equal(names["W"][l][10:], before[10:])
        assert (names["W"][l][:10] != before[:10]).any()
