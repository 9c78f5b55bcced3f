"""The pictures of recordings: the network that learns from them, and its votes on one of them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.data import moving_bar
from decolle_ref.decolle import lif, network, readout
from decolle_ref.decolle.synapse import Dense
from decolle_ref.experiments.event_network import EventSettings, build
from decolle_ref.plots import clip_votes, event_network

SIDE, STEPS, BURN_IN = 8, 40, 10


@pytest.fixture
def bar():
    yield moving_bar.record(np.random.default_rng(0), "right", SIDE, STEPS / 1000)
    plt.close("all")


def test_the_strip_draws_the_votes_of_every_layer_and_says_which_answers_are_right(bar):
    rng = np.random.default_rng(1)
    each = np.eye(5, dtype=int)[rng.integers(5, size=(STEPS, 2))]
    each[:BURN_IN] = 0
    each[BURN_IN:, 0] = np.eye(5, dtype=int)[3]
    votes = each.cumsum(axis=0)
    second = int(votes[-1, 1].argmax())
    label = (second + 1) % 5
    figure = clip_votes.plot(bar, SIDE, votes, "abcde", label)
    *frames, first, other = figure.axes
    assert len(frames) == clip_votes.FRAMES
    assert ("correct" in first.get_title("left")) == (label == 3)
    assert other.get_title("left") == f"layer 2: {'abcde'[second]} (wrong, it is {'abcde'[label]})"
    for axis, drawn in zip((first, other), votes.swapaxes(0, 1), strict=True):
        for line in axis.lines:
            k = "abcde".index(line.get_label()[0])
            np.testing.assert_array_equal(line.get_ydata(), drawn[:, k])
        assert f"{'abcde'[label]} (true)" in [line.get_label() for line in axis.lines]
        (grey,) = axis.patches
        assert max(grey.get_path().transformed(grey.get_patch_transform()).vertices[:, 0]) == BURN_IN


def test_the_drawing_has_the_numbers_of_table_2_and_one_readout_for_each_layer(bar):
    figure = event_network.plot(build(EventSettings(), classes=11).network, bar, SIDE)
    texts = [text.get_text() for text in figure.axes[0].texts]
    for size in ("64 channels\n30 x 30, pool: 15 x 15", "128 channels\n13 x 13", "128 channels\n11 x 11, pool: 5 x 5"):
        assert any(text.endswith(size) for text in texts)
    assert texts.count("11 outputs, loss") == 3


def test_a_layer_without_images_is_refused(bar):
    rng, synapse = np.random.default_rng(0), Dense(4, 3)
    layer = network.Layer(synapse, lif.neuron(), readout.sample_readout(rng, 3, 2))
    with pytest.raises(InputError, match="expected convolutional layers, got Dense"):
        event_network.plot((layer,), bar, SIDE)
