"""The schematics of the neuron and of the two passes show what the notebooks say of them.  [N19 Fig. 1a, Sec. IV-B]"""

import matplotlib
import pytest

from decolle_ref.plots import schematics_neuron as schematics
from decolle_ref.plots.style import BLUE, BROWN

matplotlib.use("Agg")


def texts(figure):
    return [text.get_text() for axis in figure.axes for text in axis.texts]


@pytest.fixture
def closing():
    yield
    matplotlib.pyplot.close("all")


def test_every_input_has_a_number_a_weight_and_spikes(closing):
    figure = schematics.plot_neuron()
    for j in range(1, 5):
        assert {f"{j}", f"$W_{{{j}}}$"} <= set(texts(figure))
    cell = figure.axes[0]
    spikes = [line for line in cell.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2]
    assert len(spikes) == sum(map(len, schematics.SPIKES)) + 2  # of the inputs, and of the output


def test_only_the_step_from_potential_to_spike_differs_between_the_passes(closing):
    assert schematics.FORWARD_STEPS[:-1] == schematics.BACKWARD_STEPS[:-1]
    figure = schematics.plot_passes()
    (forward,) = (text for text in figure.axes[0].texts if text.get_text() == "Θ(U − ϑ)")
    (backward,) = (text for text in figure.axes[0].texts if text.get_text() == "σ'(U − ϑ)")
    assert (forward.get_color(), backward.get_color()) == (BLUE, BROWN)


def test_backward_arrows_point_from_right_to_left_and_are_dashed(closing):
    (axis,) = schematics.plot_passes().axes
    arrows = [text for text in axis.texts if getattr(text, "arrow_patch", None) is not None]
    backward = [a for a in arrows if a.xy[1] == 0]
    assert len(backward) == len(schematics.BACKWARD_STEPS)
    assert all(a.xy[0] < a.xyann[0] and a.arrow_patch.get_linestyle() == "--" for a in backward)


@pytest.mark.parametrize("name", schematics.__all__)
def test_no_axes_are_drawn(name, closing):
    assert not any(axis.axison for axis in getattr(schematics, name)().axes)
