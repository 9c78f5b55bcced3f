"""Learning fast, many steps in one call, against the one loop over time."""

import numpy as np
import pytest
from hypothesis import assume, given, settings

from decolle_ref import fast
from decolle_ref._util.check import InputError
from decolle_ref.decolle import dialects, network
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import SGD, Adamax, Moments
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.synapse import Weights
from decolle_ref.fast.dense_layers import groups_of
from tests.support import conv
from tests.support.dense import Task, task, tasks

STEPS, RATE = 20, 1e-3
ROUNDED = RATE * STEPS * 1e-15 / Adamax().eps  # g is off by 1e-15, and each update is RATE g / u with u >= eps
NEAR = 1e-5  # a potential moves by ROUNDED times the sum of P, which is less than 1e4 here


def by_definition(case):
    """The last carry and the snapshots of `network.run`."""
    net, start, spikes, targets, learner = case
    run = list(network.run(net, start, spikes, zip(*targets, strict=True), learner))
    return run[-1][0], [shown for _, shown in run]


def comparisons(net, shown):
    """The distances of all numbers from the thresholds with which they are compared."""
    for snapshots in shown:
        for layer, snapshot in zip(net, snapshots, strict=True):
            yield np.abs(snapshot.U)
            regulariser = layer.objective.regulariser
            if regulariser is not None:
                rate = layer.rate_of(layer.surrogate).primitive(snapshot.U).mean()
                mean = snapshot.U.mean(axis=-1) if regulariser.activity == "membrane" else rate
                yield np.abs(snapshot.U + 0.01)
                yield np.abs(mean - 0.1)
            if layer.dialect.name == "decolle-nonorm":
                yield np.abs(np.abs(snapshot.U) - 0.5)  # the edges of the boxcar


def assert_equal_to(case, carry, learned, expected, shown, atol=ROUNDED, wide=NEAR):
    """Weights and optimiser state within `atol`; states and outputs, which depend on them, within `wide`."""
    assert carry[3:] == expected[3:]
    for ours, theirs in zip(carry.weights, expected.weights, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=0, atol=atol)
    for ours, theirs in zip(carry.state, expected.state, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=wide, atol=wide)
    for ours, theirs in zip(carry.opt_state, expected.opt_state, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            if a is not None or b is not None:
                assert a.t == b.t
                np.testing.assert_allclose([a.m, a.u], [b.m, b.u], rtol=0, atol=wide)
    for k, layer in enumerate(learned):
        Y = np.stack([snapshots[k].Y for snapshots in shown])
        assert layer.Y.shape == Y.shape and layer.Y.dtype == Y.dtype
        np.testing.assert_allclose(layer.Y, Y, rtol=wide, atol=wide)
        rates = [snapshots[k].S.mean() for snapshots in shown]
        np.testing.assert_allclose(layer.spike_rate, rates, rtol=4 * np.finfo(Y.dtype).eps, atol=0)


@given(tasks())
@settings(max_examples=120)
def test_learning_fast_equals_network_run(case):
    """All dialects, losses, regularisers, optimisers, batches and learning rates, with and without refractoriness."""
    expected, shown = by_definition(case)
    assume(all((distances > NEAR).all() for distances in comparisons(case.network, shown)))
    carry, learned = fast.learn(*case)
    assert_equal_to(case, carry, learned, expected, shown)


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("name", ["paper", "decolle"])
def test_learning_fast_in_float32_equals_network_run(name, batch):
    case = task(np.random.default_rng(1), dialects.named(name), batch=batch, dtype=np.float32, steps=8)
    expected, shown = by_definition(case)
    nearest = min(distances.min() for distances in comparisons(case.network, shown))
    wide = 2e-5  # U of about 10 is rounded, and five updates of at most 1e-3 are off by about 1e-6 of it, times P
    assert nearest > wide
    largest = max(np.abs(array).max() for w in expected.weights for array in w)
    atol = expected.updates * np.finfo(np.float32).eps * largest  # every update rounds a weight once
    assert_equal_to(case, *fast.learn(*case), expected, shown, atol=atol, wide=wide)


@pytest.mark.parametrize("batch", [(), (3,)])
def test_two_calls_equal_one_and_leave_their_start_as_it_was(batch):
    net, start, spikes, targets, learner = task(np.random.default_rng(2), batch=batch)
    before = [array.copy() for array in arrays_of(start)]
    whole, learned = fast.learn(net, start, spikes, targets, learner)
    half, first = fast.learn(net, start, spikes[:8], [goal[:8] for goal in targets], learner)
    both, second = fast.learn(net, half, spikes[8:], [goal[8:] for goal in targets], learner)
    for ours, theirs in zip(arrays_of(both), arrays_of(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDED)
    for layer, a, b in zip(learned, first, second, strict=True):
        np.testing.assert_allclose(layer.Y, np.concatenate([a.Y, b.Y]), rtol=NEAR, atol=NEAR)
    for now, then in zip(arrays_of(start), before, strict=True):
        np.testing.assert_array_equal(now, then)


def arrays_of(carry):
    moments = [x for pair in carry.opt_state for both in pair for x in both[:2]]
    return [array for part in (*carry.weights, *carry.state) for array in part] + moments


def test_layers_that_read_old_spikes_go_through_a_step_together():
    rng = np.random.default_rng(0)
    assert [len(group) for group in groups_of(task(rng).network)] == [3]
    assert [len(group) for group in groups_of(task(rng, dialects.decolle).network)] == [3]
    assert [len(group) for group in groups_of(task(rng, dialects.dcll).network)] == [1, 1, 1]
    *below, top = task(rng).network
    assert [len(group) for group in groups_of([*below, network.with_readout_of_U(top)])] == [2, 1]


@given(conv.networks(layers=2, strengths=(0.0, 0.5)))
@settings(max_examples=15)
def test_convolutions_learn_through_the_same_door(case):
    """Weights, Y, spike rates and states; R only where something depends on it."""
    net, weights, rng = case
    batch, steps = (2, 2), 6
    learner = Learner([Weights(np.asarray(1e-4), np.asarray(1e-4))] * 2, Adamax(), burn_in=2)
    spikes = (rng.random((steps, *batch, net[0].synapse.n_in)) < 0.3).astype(float)
    targets = [rng.random((steps, *batch, conv.OUT)) for _ in net]
    whole = Task(net, Carry(weights, network.rest(net, batch), learner.init(weights)), spikes, targets, learner)
    _, shown = by_definition(whole)
    assume(all((distances > NEAR).all() for distances in comparisons(net, shown)))
    halves = [whole._replace(spikes=spikes[some], targets=[goal[some] for goal in targets]) for some in HALVES]
    between, first = fast.learn(*halves[0])
    carry, second = fast.learn(*halves[1]._replace(start=between))
    expected, _ = by_definition(whole)
    learned = [fast.Learned(*map(np.concatenate, zip(a, b, strict=True))) for a, b in zip(first, second, strict=True)]
    states = [theirs._replace(R=ours.R) for ours, theirs in zip(carry.state, expected.state, strict=True)]
    assert_equal_to(whole, carry, learned, expected._replace(state=tuple(states)), shown)


HALVES = slice(0, 3), slice(3, None)


def bad(case, **changes):
    return case._replace(**changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {"spikes": c.spikes[..., 1:]}, r"spikes: expected shape \(20, 3, 9\), got \(20, 3, 8\)"),
        (lambda c: {"spikes": c.spikes[0, 0, 0]}, r"spikes: expected shape \(0, 3, 9\), got \(\)"),
        (lambda c: {"spikes": c.spikes[:0], "targets": [t[:0] for t in c.targets]}, "spikes: expected at least one"),
        (lambda c: {"spikes": c.spikes * np.nan}, "spikes: expected finite numbers"),
        (lambda c: {"targets": c.targets[:2]}, r"targets: expected one per layer \(3\), got 2"),
        (lambda c: {"targets": [t[1:] for t in c.targets]}, r"layer 1 targets: expected shape \(20, 3, 3\)"),
        (lambda c: {"start": c.start._replace(opt_state=())}, r"opt_state: expected one per layer \(3\), got 0"),
        (lambda c: {"start": c.start._replace(n=-1)}, "n: expected an integer >= 0, got -1"),
        (lambda c: {"start": several_t(c.start)}, "opt_state: expected one t for all layers, got several"),
        (lambda c: {"network": pooled(c.network)}, "layer 3: expected no pool, got one"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(change, message):
    case = task(np.random.default_rng(3), batch=(3,))
    with pytest.raises(InputError, match=f"^{message}"):
        fast.learn(*case._replace(**change(case)))


def several_t(start):
    (W, b), *others = start.opt_state
    return start._replace(opt_state=((Moments(W.m, W.u, 1), b), *others))


def pooled(net):
    return *net[:-1], net[-1]._replace(pool=MaxPool((7, 1, 1), 1))


def test_dense_layers_above_convolutions_and_other_optimisers_of_convolutions_are_refused():
    rng = np.random.default_rng(4)
    layer, weights = conv.layer(rng, (1, 3, 3), 2, 2, 1, 0, 0)
    case = task(rng, sizes=(8, 5))
    net, both = (layer, *case.network), (weights, *case.start.weights)
    learner = Learner([*case.learner.learning_rates] * 2, Adamax())
    start = Carry(both, network.rest(net, (1,)), learner.init(both))
    x, goals = np.ones((2, 1, 9)), [np.ones((2, 1, conv.OUT))] * 2
    with pytest.raises(InputError, match=r"^fast: expected a Conv2d synapse, got Dense$"):
        fast.learn(net, start, x, goals, learner)
    learner = Learner(learner.learning_rates[:1], SGD())
    start = Carry((weights,), network.rest(net[:1], (1,)), learner.init((weights,)))
    with pytest.raises(InputError, match=r"^fast: expected Adamax with beta1 = 0, got SGD"):
        fast.learn(net[:1], start, x, goals[:1], learner)
