"""The schematics of random feedback and local errors draw what the review says of each method.  [N19 Fig. 5, 6]"""

import matplotlib
import pytest

from decolle_ref.plots import schematics_feedback as schematics
from decolle_ref.plots.schematics_feedback import ERROR, EXACT, FIXED, FORWARD, READ, STRATEGIES
from decolle_ref.plots.style import GREY

matplotlib.use("Agg")
BP, FA, DFA, LOCAL = STRATEGIES


def errors(strategy):
    return [arrow for arrow in STRATEGIES[strategy] if arrow.colour == ERROR]


def test_only_backpropagation_sends_errors_through_the_transposed_forward_weights():
    assert {arrow.style for arrow in errors(BP)} == {EXACT}
    assert all("W" in arrow.label for arrow in errors(BP))
    for strategy in (FA, DFA, LOCAL):
        assert {arrow.style for arrow in errors(strategy)} == {FIXED}
        assert not any("W" in arrow.label for arrow in errors(strategy))


@pytest.mark.parametrize("strategy", [BP, FA])
def test_the_error_goes_from_each_layer_to_the_one_below(strategy):
    assert [round(arrow.end[1]) for arrow in errors(strategy)] == [1, 2]
    assert [round(arrow.start[1]) for arrow in errors(strategy)] == [2, 3]


def test_direct_feedback_starts_at_the_output_and_reaches_every_hidden_layer():
    assert {round(arrow.start[1]) for arrow in errors(DFA)} == {3}
    assert sorted(round(arrow.end[1]) for arrow in errors(DFA)) == [1, 2]


def test_local_errors_stay_at_the_height_of_their_layer():
    assert all(arrow.start[1] == arrow.end[1] for arrow in STRATEGIES[LOCAL])


@pytest.mark.parametrize("name", schematics.__all__)
def test_readouts_are_dotted_so_that_grey_print_shows_them_and_no_axes_are_drawn(name):
    figure = getattr(schematics, name)()
    assert not any(axis.axison for axis in figure.axes)
    patches = [text.arrow_patch for axis in figure.axes for text in axis.texts if getattr(text, "arrow_patch", None)]
    grey = [patch for patch in patches if matplotlib.colors.to_hex(patch.get_edgecolor()) == GREY.lower()]
    assert all(patch.get_linestyle() == READ for patch in grey)
    assert len(grey) == {"plot_locality": 0, "plot_strategies": 2, "plot_local_learning": 3}[name]
    matplotlib.pyplot.close(figure)


def test_the_picture_of_each_strategy_has_the_arrows_of_its_list_and_the_five_that_all_share():
    figure = schematics.plot_strategies()
    for axis, (title, arrows) in zip(figure.axes, STRATEGIES.items(), strict=True):
        drawn = [text.arrow_patch for text in axis.texts if getattr(text, "arrow_patch", None) is not None]
        assert axis.get_title() == title
        assert len(drawn) == len(arrows) + 5
        blue = [patch for patch in drawn if matplotlib.colors.to_hex(patch.get_edgecolor()) == FORWARD.lower()]
        assert len(blue) == 4
    matplotlib.pyplot.close(figure)
