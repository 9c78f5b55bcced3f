"""The drawn graph of DECOLLE is the graph that the code computes.  [K20 Fig. 2]"""

from itertools import pairwise

import matplotlib
import numpy as np
import pytest

from decolle_ref import Carry, Dense, Layer, lif, network, readout
from decolle_ref.decolle.lif import State
from decolle_ref.decolle.synapse import Weights
from decolle_ref.plots import graph_decolle
from decolle_ref.plots.graph_decolle import FORWARD, GRADIENT, LAYERS, STEPS

matplotlib.use("Agg")
N = 40
NODES = [(letter, layer, n) for letter in "QPUSYL" for layer in range(LAYERS) for n in range(STEPS)]


def numbers(state=None, weights=None):
    """Every node's numbers in a run of two layers without refractoriness; the start and the weights may be given."""
    rng = np.random.default_rng(0)
    neuron = lif.neuron(w=0.0)
    layers = [Layer(Dense(N, N), neuron, readout.sample_readout(rng, N, 3)) for _ in range(LAYERS)]
    chosen = tuple(Weights(rng.normal(size=(N, N)), rng.normal(size=N)) for _ in layers)
    rest = tuple(State(rng.normal(size=N), rng.normal(size=N), np.zeros(N)) for _ in layers)
    spikes, targets = rng.random((STEPS, N)) < 0.5, [[np.ones(3)] * LAYERS] * STEPS
    start = Carry(weights or chosen, state or rest)
    runs = [snapshots for _, snapshots in network.run(layers, start, spikes, targets)]
    names = dict(zip("QPUSYL", ("Q", "P", "U", "S", "Y", "loss"), strict=True))
    return {(x, layer, n): np.array(getattr(runs[n][layer], names[x])) for x, layer, n in NODES}, rest, chosen


def changed(after, before):
    return {node for node in NODES if not np.array_equal(after[node], before[node])}


def reached(start):
    """All nodes to which arrows lead from some."""
    seen, new = set(start), set(start)
    while new:
        new = {(e.target, l + e.layers, n + e.steps) for e in FORWARD for x, l, n in new if x == e.source}
        new = (new & set(NODES)) - seen
        seen |= new
    return seen


@pytest.mark.parametrize("letter", "PQ")
@pytest.mark.parametrize("layer", range(LAYERS))
def test_another_trace_at_the_start_changes_exactly_the_nodes_to_which_arrows_lead(letter, layer):
    before, rest, _ = numbers()
    other = [*rest]
    other[layer] = other[layer]._replace(**{letter: getattr(rest[layer], letter) + 3.0})
    after, _, _ = numbers(state=tuple(other))
    assert changed(after, before) == reached({(letter, layer, 0)})


@pytest.mark.parametrize("layer", range(LAYERS))
def test_other_weights_change_exactly_what_lies_behind_their_arrows(layer):
    before, _, weights = numbers()
    (learns,) = (edge for edge in FORWARD if edge.kind == "learns")
    other = [*weights]
    other[layer] = Weights(-weights[layer].W, weights[layer].b)
    after, _, _ = numbers(weights=tuple(other))
    assert changed(after, before) == reached({(learns.target, layer, n) for n in range(STEPS)})


def test_the_gradient_goes_back_along_arrows_of_one_layer_and_step_from_the_loss_to_the_weights():
    forward = {(edge.target, edge.source): edge for edge in FORWARD}
    path = [forward[edge.source, edge.target] for edge in GRADIENT]
    assert path[0].target == "L" and path[-1].kind == "learns"
    assert all(one.source == next_one.target for one, next_one in pairwise(path))
    assert all(edge.steps == edge.layers == 0 for edge in (*path, *GRADIENT))


def test_every_node_and_arrow_is_drawn():
    figure = graph_decolle.plot()
    (axis,) = figure.axes
    arrows = [text for text in axis.texts if getattr(text, "arrow_patch", None)]
    inside = sum((STEPS - edge.steps) * (LAYERS - edge.layers) for edge in (*FORWARD, *GRADIENT))
    assert len(arrows) == inside + STEPS  # and the input of every step
    shown = [text.get_text() for text in axis.texts]
    assert all(shown.count(f"{letter}$^{layer + 1}$") == STEPS for letter, layer, _ in NODES)
    matplotlib.pyplot.close(figure)
