"""One step of a network, and what a run hands to it and to the learner."""

from dataclasses import replace

import numpy as np
import pytest

from decolle_ref.decolle import layer, network, optim, readout
from decolle_ref.decolle.dialects import paper
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.readout import Mask
from decolle_ref.decolle.surrogate import above_threshold, boxcar
from tests.decolle.test_network import N_OUT, SIZES, goals, last, learner, spikes, stack, start
from tests.support.dialects import EACH


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_a_step_is_a_step_of_the_run(dtype, batch, rng):
    """With dropout and targets of other dtypes, on the way forward and back."""
    layers, weights = stack(dtype=dtype)
    begin = last(network.run(layers, start(layers, weights, batch), spikes(1, 9, batch)))
    x, y = spikes(2, 1, batch)[0], goals(3, 1, batch)[0]
    masks = [Mask(rng.random((*batch, n)), rng.random((*batch, N_OUT))) for n in SIZES[1:]]
    ((carry, expected),) = network.run(layers, begin, [x], [y], masks=[masks])
    after, got = network.step(layers, weights, begin.state, x, y, masks)
    for a, b in zip([*after, *got], [*carry.state, *expected], strict=True):
        for one, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(one, other)
            assert np.asarray(one).dtype == dtype
    for one, snapshot, target, mask in zip(layers, got, y.astype(dtype), masks, strict=True):
        factors = Mask(*(factor.astype(dtype) for factor in mask))
        np.testing.assert_array_equal(snapshot.dU, layer.local_gradients(one, snapshot, target, factors).dU)
    _, plain = network.step(layers, weights, begin.state, x, y)
    assert not any(np.array_equal(a.Y, b.Y) or np.array_equal(a.dU, b.dU) for a, b in zip(got, plain, strict=True))


def test_a_step_without_targets_has_no_gradients():
    layers, weights = stack()
    _, snapshots = network.step(layers, weights, network.rest(layers), spikes(1, 1)[0])
    assert {x for s in snapshots for x in (s.loss, s.dY, s.dU)} == {None}


def test_the_schedule_counts_updates_and_multiplies_both_rates():
    layers, weights = stack()
    counted = []
    teacher = learner(weights, 0.5, optimiser=SGD(), schedule=lambda n: counted.append(n) or 0.25, burn_in=2)
    plain = learner(weights, 0.125, optimiser=SGD(), burn_in=2)
    x, y = spikes(1, 6), goals(2, 6)
    a = last(network.run(layers, start(layers, weights, teacher=teacher), x, y, teacher))
    b = last(network.run(layers, start(layers, weights, teacher=plain), x, y, plain))
    assert counted == [0, 1, 2, 3] and a.updates == 4
    for one, other in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(one.W, other.W)
        np.testing.assert_array_equal(one.b, other.b)


def test_the_state_of_the_optimiser_goes_from_step_to_step():
    layers, weights = stack()
    teacher = learner(weights, optimiser=Adamax(beta1=0.5), burn_in=1)
    begin = start(layers, weights, teacher=teacher)
    run = list(network.run(layers, begin, spikes(1, 4), goals(2, 4), teacher))
    for carry, _ in run:
        assert [moments.t for pair in carry.opt_state for moments in pair] == [max(carry.n - 1, 0)] * 6
    carry, snapshots = run[-1]
    g = layers[0].synapse.gradient(snapshots[0].dU, snapshots[0].P)
    assert (carry.opt_state[0][0].u >= np.abs(g.W)).all() and (carry.opt_state[0][1].u >= np.abs(g.b)).all()


def test_a_learner_takes_one_entry_per_layer():
    layers, weights = stack()
    teacher = learner(weights, optimiser=SGD())
    synapses = [one.synapse for one in layers]
    dUs, traces = [np.ones(n) for n in SIZES[1:]], [np.ones(n) for n in SIZES[:-1]]
    good = (synapses, weights, teacher.init(weights), dUs, traces)
    assert len(teacher.update(*good, 0)[0]) == 3
    for k in range(len(good)):
        with pytest.raises(ValueError, match="zip"):
            teacher.update(*(x[:2] if i == k else x for i, x in enumerate(good)), 0)


def test_several_arrays_are_updated_side_by_side():
    ones, twos = np.ones(2), np.full(2, 2.0)
    rates = (np.asarray(0.5), np.asarray(0.25))
    new, state = optim.update_each(SGD(), (ones, twos), (twos, ones), (None, None), rates)
    assert [x.tolist() for x in new] == [[0, 0], [1.75, 1.75]] and state == (None, None)
    full = (SGD(), (ones, twos), (twos, ones), (None, None), rates)
    for k in range(1, 5):
        with pytest.raises(ValueError, match="zip"):
            optim.update_each(*(x[:1] if i == k else x for i, x in enumerate(full)))


def test_a_readout_of_U_keeps_the_comparison_and_reads_its_primitive():
    layers, _ = stack()
    ours = layers[0]._replace(surrogate=replace(layers[0].surrogate, spike=above_threshold), activity="spike")
    output_layer = network.with_readout_of_U(ours)
    assert output_layer.surrogate.spike is above_threshold and output_layer.activity == "primitive"


@EACH
def test_a_dialect_fixes_all_of_a_layer_but_its_neuron(dialect):
    (plain, *_), _ = stack()
    for surrogate in (None, boxcar):
        made, value = network.with_dialect(dialect, plain, surrogate), dialect.value
        assert made.surrogate == replace(surrogate or dialect.triple(), spike=dialect.triple().spike)
        assert (made.activity, made.dropout, made.dialect) == (
            dialect.value("readout"),
            dialect.value("dropout"),
            dialect,
        )
        assert (made.rate_of, made.lambda1_on) == (
            dialect.value("regulariser_reads"),
            dialect.value("regulariser_place"),
        )
        U = np.linspace(-2, 2, 9)
        np.testing.assert_array_equal(made.pool_key(U), value("pooling")(surrogate or dialect.triple())(U))
        assert made[:3] == plain[:3] and made.objective is plain.objective and made.pool is None


def test_without_a_word_everything_is_as_the_paper_has_it():
    (plain, *_), weights = stack()
    made = network.with_dialect(paper, plain)
    assert (plain.activity, plain.dropout, plain.lambda1_on) == (made.activity, made.dropout, made.lambda1_on)
    assert plain.pool_key(0.5) == made.pool_key(0.5) == 0.5 and plain.rate_of(boxcar) is made.rate_of(boxcar) is boxcar
    assert Learner([]).optimiser == Adamax()
    assert network.Carry(tuple(weights), ()).opt_state == ()


def test_a_layer_is_as_wide_as_its_pool():
    (plain, *_), _ = stack()
    assert (network.width(plain), network.width(plain._replace(pool=MaxPool((1, 2, 3), 2)))) == (6, 1)


def test_without_a_regulariser_the_frozen_loss_is_the_inner_product_of_dY_and_Y(rng):
    (one, *_), (w, *_) = stack()
    P, R, dY = rng.random(SIZES[0]), rng.random(SIZES[1]), rng.normal(size=N_OUT)
    U = one.synapse.drive(w, P) - one.neuron.delta * R
    Y = readout.output(one.readout, one.surrogate.primitive(U))
    np.testing.assert_allclose(layer.frozen_error_loss(one, w, P, R, dY), dY @ Y, rtol=1e-14)
