import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref import gradcheck
from decolle_ref._util.check import InputError
from decolle_ref.decolle import dialects, lif, network, readout, rule
from decolle_ref.decolle.dialects import DIALECTS, Dialect, dcll, decolle, decolle_base, decolle_nonorm, paper
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.objective import Objective, Regulariser, smooth_l1
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.decolle.rescale import axes_without_map, rescale, shift
from decolle_ref.decolle.synapse import Dense, Weights
from tests.support.dialects import EACH, recorded

SIZES = (8, 7, 6, 5)


def stack(seed, dialect=paper):
    """Layers of the paper's dialect with b <= 0, lively enough to spike, and their twins in `dialect`."""
    rng = np.random.default_rng(seed)
    layers, weights = [], []
    for n_in, n in pairwise(SIZES):
        neuron = lif.neuron(
            *lif.sample_time_constants(rng, n_in), rng.uniform(0.002, 0.01, n), w=rng.uniform(0.5, 2, n)
        )
        layer = Layer(Dense(n_in, n), neuron, readout.sample_readout(rng, n, 2))
        drawn = layer.synapse.init_weights(rng, neuron, scale=30.0)
        twin = rescale(neuron, Weights(drawn.W, -np.abs(drawn.b)), paper, dialect)
        layers.append(network.with_dialect(dialect, layer._replace(neuron=twin.neuron)))
        weights.append(twin.weights)
    return layers, weights


@EACH
@given(seed=st.integers(0, 2**32 - 1))
def test_potentials_and_spikes_agree_after_rescaling_and_shifting_by_layer(dialect, seed):
    """In layer l, U of dcll is that of decolle l steps later and that of paper 2 l steps later.

    Tolerance 1e-12 of the largest potential.  A spike may differ only if a potential came closer to threshold than
    that; such a case proves nothing and is skipped.
    """
    steps = 60
    spikes = np.random.default_rng(seed).random((steps, SIZES[0])) < 0.3
    ours, theirs = (recorded(*stack(seed, d), spikes) for d in (paper, dialect))
    for k, ((U, S), (V, Z)) in enumerate(zip(ours, theirs, strict=True), start=1):
        later = shift(k, paper, dialect)
        U, S, V, Z = U[later:], S[later:], V[: steps - later], Z[: steps - later]
        tolerance = 1e-12 * max(1, np.abs(U).max())
        if (np.abs(U) <= tolerance).any():
            return
        np.testing.assert_allclose(V, U, rtol=0, atol=tolerance)
        np.testing.assert_array_equal(Z, S)


def test_the_networks_of_the_equivalence_test_do_spike_in_every_layer():
    spikes = np.random.default_rng(5).random((60, SIZES[0])) < 0.3
    totals = np.array([[S.sum() for _, S in recorded(*stack(seed), spikes)] for seed in range(10)])
    assert (np.median(totals, axis=0) > 10).all()


def test_shifts_are_l_from_decolle_and_2l_from_paper_to_dcll():
    assert [shift(k, decolle, dcll) for k in (1, 2, 3)] == [1, 2, 3]
    assert [shift(k, paper, dcll) for k in (1, 2, 3)] == [2, 4, 6]


def test_the_strength_that_matches_dcll_is_gamma_over_one_minus_gamma_times_as_large_in_decolle():
    neuron = lif.neuron(w=1.5, dialect=dcll)
    gamma = float(neuron.gamma)
    weights = Weights(np.ones((1, 1)), np.zeros(1))
    assert rescale(neuron, weights, dcll, decolle).w == pytest.approx(1.5 * gamma / (1 - gamma), rel=1e-14)
    assert rescale(neuron, weights, dcll, paper).w == pytest.approx(1.5 * gamma, rel=1e-14)


@EACH
def test_gains_only_rescale_W(dialect, rng):
    """Dialects that differ in gains alone have the same potentials at every step once W is rescaled per column."""
    other = replace(dialect, gains="one", name="unit gains")
    tau = lif.sample_time_constants(rng, 4)
    neuron = lif.neuron(*tau, dialect=dialect)
    weights = Weights(rng.normal(size=(3, 4)) / lif.trace_gain(neuron), rng.normal(size=3))
    twin = rescale(neuron, weights, dialect, other)
    spikes = rng.random((40, 4)) < 0.3
    results = []
    for said, unit, w in ((dialect, neuron, weights), (other, twin.neuron, twin.weights)):
        layer = network.with_dialect(
            said, Layer(Dense(4, 3), unit, readout.sample_readout(np.random.default_rng(0), 3, 1))
        )
        results.append(recorded([layer], [w], spikes)[0][0])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12, atol=1e-12)


def test_learning_cannot_be_mapped_across_surrogates_or_readouts_and_the_axes_are_named():
    assert axes_without_map(paper, dcll, learning=True) == []
    assert axes_without_map(paper, decolle) == []
    assert axes_without_map(paper, decolle, learning=True) == ["surrogate", "readout"]
    neuron, weights = lif.neuron(), Weights(np.ones((1, 1)), np.zeros(1))
    with pytest.raises(
        InputError, match=r"differ in surrogate logistic and fast_sigmoid_10, readout sigma and spikes$"
    ):
        rescale(neuron, weights, paper, decolle, learning=True)


@pytest.mark.parametrize("optimiser", [SGD(), Adamax(eps=1e-300)], ids=["sgd", "adamax"])
def test_learning_maps_exactly_between_dialects_that_learn_alike(optimiser, rng):
    """paper and dcll: rates of W times ratio^2 (SGD) or ratio (Adamax), targets 2 l steps earlier, the same weights.

    Biases stay fixed, as the first 2 l steps of the paper's layers learn from them alone; Adamax's eps, which does not
    scale, is made negligible.
    """
    layers, weights = stack(3)
    twins = [rescale(layer.neuron, w, paper, dcll, learning=True) for layer, w in zip(layers, weights, strict=True)]
    theirs = [
        network.with_dialect(dcll, layer._replace(neuron=t.neuron)) for layer, t in zip(layers, twins, strict=True)
    ]
    power = 2 if isinstance(optimiser, SGD) else 1
    steps, still = 40, np.asarray(0.0)
    rates = [Weights(1e-3 / lif.trace_gain(layer.neuron), still) for layer in layers]
    mapped = [Weights(rate.W * t.ratio**power, still) for rate, t in zip(rates, twins, strict=True)]
    spikes = rng.random((steps, SIZES[0])) < 0.3
    targets = rng.normal(size=(steps, 3, 2))
    early = np.stack([np.roll(targets[:, k], -shift(k + 1, paper, dcll), axis=0) for k in range(3)], axis=1)
    ends = []
    for net, w, rate, goal in ((layers, weights, rates, targets), (theirs, [t.weights for t in twins], mapped, early)):
        teacher = Learner(rate, optimiser)
        start = Carry(tuple(w), network.rest(net), teacher.init(w))
        ends.append([carry.weights for carry, _ in network.run(net, start, spikes, goal, teacher)])
    for k in range(3):
        later = steps - shift(k + 1, paper, dcll)
        ours, other = ends[0][-1][k].W, ends[1][later - 1][k].W / twins[k].ratio
        assert np.abs(ours - weights[k].W).max() > 1e-6
        np.testing.assert_allclose(other, ours, rtol=1e-10, atol=1e-10 * np.abs(ours).max())


GRADIENT_OF = {
    "paper": "the loss",
    "dcll": "the loss",
    "decolle": "<dY, G primitive(U)>",
    "decolle-base": "<dY, G primitive(U)>",
    "decolle-nonorm": "<dY, G primitive(U)>",
}
"""The smooth function of W whose exact gradient the update is, with P and R (in the second case dY too) constant."""


@EACH
@given(seed=st.integers(0, 2**32 - 1), batch=st.sampled_from([(), (3,), (2, 2)]))
def test_the_update_of_every_dialect_is_the_exact_gradient_of_a_smooth_function(dialect, seed, batch):
    rng = np.random.default_rng(seed)
    objective = Objective(smooth_l1, "mean", Regulariser(0.3, 0.2))
    neuron = lif.neuron(*lif.sample_time_constants(rng, 4), dialect=dialect)
    layer = network.with_dialect(
        dialect, Layer(Dense(4, 3), neuron, readout.sample_readout(rng, 3, 2, 2.0), objective=objective)
    )
    weights = Weights(rng.normal(size=(3, 4)) / lif.trace_gain(neuron), rng.normal(0, 0.3, 3))
    spikes = rng.integers(0, 2, (20, *batch, 4))
    *_, (_, (snapshot,)) = network.run([layer], Carry((weights,), network.rest([layer], batch)), spikes)
    target = rng.normal(size=(*batch, 2))
    snapshot = network.local_gradients(layer, snapshot, target)
    dW = rule.gradient(layer.synapse, snapshot.dU, snapshot.P).W

    def descended(W):
        moved = Weights(W, weights.b)
        if GRADIENT_OF[dialect.name] == "the loss":
            return network.local_loss(layer, moved, snapshot.P, snapshot.R, target)
        return network.frozen_error_loss(layer, moved, snapshot.P, snapshot.R, snapshot.dY)

    report = gradcheck.check(descended, dW, weights.W)
    assert report, str(report)


OTHERS = [d for d in DIALECTS.values() if d != paper]


@pytest.mark.parametrize("dialect", OTHERS, ids=lambda d: d.name)
def test_a_dialect_said_once_for_neuron_and_layer_is_refused_in_one_line(dialect, rng):
    """It was silently a third network."""
    read = readout.sample_readout(rng, 3, 2)
    weights = [Weights(np.ones((3, 4)), np.zeros(3))]
    neuron_alone = Layer(Dense(4, 3), lif.neuron(dialect=dialect), read)
    layer_alone = network.with_dialect(dialect, Layer(Dense(4, 3), lif.neuron(), read))
    both = network.with_dialect(dialect, neuron_alone)
    expected = r"^layer 1: expected lif.neuron and network.with_dialect in one dialect, got"
    for layer, neuron_in, layer_in in ((neuron_alone, dialect, paper), (layer_alone, paper, dialect)):
        with pytest.raises(InputError, match=rf"{expected} {neuron_in.name} and {layer_in.name}, which differ in \w"):
            network.validate([layer], weights)
        with pytest.raises(InputError, match=expected):
            next(network.run([layer], Carry(tuple(weights), network.rest([layer])), np.ones((1, 4))))
    network.validate([both], weights)
    network.validate([both._replace(neuron=lif.LIF(*both.neuron[:6], 1, 1))], weights)  # made by hand: no dialect


@EACH
def test_an_input_spike_reaches_U_after_the_dialects_delay(dialect):
    neuron = lif.neuron(dialect=dialect)
    layer = network.with_dialect(
        dialect, Layer(Dense(1, 1), neuron, readout.sample_readout(np.random.default_rng(0), 1, 1))
    )
    spikes = np.array([[1], [0], [0], [0]])
    ((U, _),) = recorded([layer], [Weights(np.ones((1, 1)), np.full(1, -1e9))], spikes)
    assert np.flatnonzero(U > -1e9)[0] == dialect.delay


def test_dialects_tie_at_threshold_as_their_codes_do():
    ties = {d.name: float(d.triple().spike(np.zeros(1))[0]) for d in DIALECTS.values()}
    assert ties == {"paper": 1, "dcll": 0, "decolle": 0, "decolle-base": 0, "decolle-nonorm": 1}


def test_the_paper_dialect_is_the_default_of_the_constructors():
    assert lif.neuron() == lif.neuron(dialect=paper)
    assert paper == Dialect("paper")


def test_differences_are_given_in_equations():
    assert dialects.differences(decolle_base, decolle_nonorm) == [
        ("gains", "g_Q = 1/(1-beta), g_P = 1/(1-alpha)", "g_Q = 1, g_P = 1"),
        ("threshold", "S = 1 if U > 0", "S = 1 if U >= 0"),
        ("surrogate", "sigma'(U) = 1/(10 |U| + 1)^2", "sigma'(U) = 1 if -1/2 < U <= 1/2 else 0"),
    ]
    assert dialects.differences(paper, paper) == []


def test_unknown_dialects_and_options_are_refused():
    with pytest.raises(InputError, match=r"dialect: expected one of paper, dcll, .*, got 'DECOLLE'"):
        dialects.named("DECOLLE")
    with pytest.raises(InputError, match="gains: expected one of one, leak, inverse, got 'two'"):
        Dialect("x", gains="two")


def test_euler_decays_need_time_constants_above_dt():
    with pytest.raises(InputError, match=r"tau: expected more than dt = 0.001 s"):
        lif.neuron(tau_syn=0.001, dialect=dcll)


def test_the_readme_shows_the_table_as_the_data_have_it():
    root = Path(__file__).parents[2]
    page = root / "docs" / "dialects.md" if (root / "docs" / "dialects.md").exists() else root / "README.md"
    (printed,) = re.findall(r"<!-- dialects -->\n(.*?)\n<!-- /dialects -->", page.read_text(), re.DOTALL)
    assert printed == dialects.table()
