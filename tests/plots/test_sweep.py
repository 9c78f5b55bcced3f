"""The figure of a sweep shows every run, and the mean where the axis says."""

import matplotlib.pyplot as plt
import pytest

from decolle_ref.experiments import summary
from decolle_ref.plots import sweep

VALUES = {(10.0, 1): [1.0, 2.0], (10.0, 2): [5.0, 6.0], (50.0, 1): [3.0, 4.0]}  # (50, 2) did not finish


@pytest.fixture
def results():
    rows = [
        {
            "settings": {"alpha": alpha, "shift": shift},
            "seeds": [0, 1],
            "headline": {name: {"values": x, **summary.statistics(x)} for name in ("layer 1", "layer 2")},
        }
        for (alpha, shift), x in VALUES.items()
    ]
    varied = {"alpha": [10.0, 50.0], "shift": [1, 2], "seed": [0, 1]}
    return {"experiment": "x", "comparable": False, "varied": varied, "what": "error", "unit": "%", "points": rows}


def test_every_panel_has_the_runs_and_a_line_of_means_for_each_value_of_the_second_setting(results):
    figure = sweep.plot(results)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["layer 1", "layer 2"]
    for axis in figure.axes:
        lines = [container.lines[0].get_ydata().tolist() for container in axis.containers]
        assert lines == [[1.5, 3.5], [5.5]]
        dots = sorted(
            y for line in axis.lines if line.get_linestyle() == "None" for y in line.get_ydata() if y % 1 == 0
        )
        assert dots == [1, 2, 3, 4, 5, 6]
        assert [tick.get_text() for tick in axis.get_xticklabels()] == ["10", "50"]
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["1", "2"]
    assert figure.axes[0].get_ylabel() == "error (%)" and figure.get_suptitle().startswith("quick runs: ")
    plt.close(figure)


def test_several_seeds_alone_make_one_column(results):
    results["varied"] = {"seed": [0, 1]}
    results["points"] = [{**results["points"][0], "settings": {}}]
    figure = sweep.plot(results)
    assert figure.axes[0].get_xlabel() == "all runs" and figure.axes[0].get_legend() is None
    plt.close(figure)
    results["points"][0]["headline"] = {}
    plt.close(sweep.plot(results))


def test_the_figure_is_saved_under_one_name(results, tmp_path):
    assert sweep.save_figures(tmp_path, results) == [tmp_path / "sweep.png"]
    assert (tmp_path / "sweep.png").stat().st_size > 5000
