"""Networks of rates: backpropagation, its substitutes, and the two exact routes through time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref import gradcheck
from decolle_ref._util.check import InputError
from decolle_ref.credit.neuron import rate, rnn, spiking
from decolle_ref.decolle import surrogate
from tests.support.credit import SEEDS, SIZES, worst

ACTIVATIONS = st.sampled_from(
    [rate.tanh, rate.linear, rate.Activation(surrogate.logistic.primitive, surrogate.logistic.derivative)]
)


def case(f, sizes, seed):
    rng = np.random.default_rng(seed)
    W = [layer.W for layer in spiking.init_weights(rng, sizes, 1.5)]
    x, target = rng.normal(size=(3, sizes[0])), rng.normal(size=(3, sizes[-1]))
    record = rate.forward(f, W, x)
    return rng, W, x, target, record, record.y[-1] - target


@given(ACTIVATIONS, SIZES, SEEDS)
def test_backpropagation_is_the_exact_gradient(f, sizes, seed):
    _, W, x, target, record, e = case(f, sizes, seed)
    for l, g in enumerate(rate.gradient(rate.backpropagation(f, W, record, e), record)):

        def loss(matrix, l=l):
            return ((rate.forward(f, [*W[:l], matrix, *W[l + 1 :]], x).y[-1] - target) ** 2).sum() / 2

        assert gradcheck.check(loss, g, W[l], tolerance=1e-10)


@given(ACTIVATIONS, SIZES, SEEDS)
def test_feedback_alignment_with_the_forward_weights_is_backpropagation(f, sizes, seed):
    """G_ki in the place of W_ki: G = W^T, where W^T is what carries errors down.  Exactly, and the exact gradient."""
    _, W, x, target, record, e = case(f, sizes, seed)
    aligned = rate.feedback_alignment(f, [w.copy() for w in W[1:]], record, e)
    assert all((a == b).all() for a, b in zip(aligned, rate.backpropagation(f, W, record, e), strict=True))
    (first, *_) = rate.gradient(aligned, record)
    assert gradcheck.check(
        lambda W1: ((rate.forward(f, [W1, *W[1:]], x).y[-1] - target) ** 2).sum() / 2, first, W[0], tolerance=1e-10
    )


@given(SIZES, SEEDS)
def test_direct_feedback_alignment_is_backpropagation_in_a_deep_linear_network(sizes, seed):
    """With each H the product of the weights above."""
    _, W, _, _, record, e = case(rate.linear, sizes, seed)
    H = [np.linalg.multi_dot([*W[:l:-1], np.eye(sizes[l + 1])]) for l in range(len(W) - 1)]
    pairs = zip(
        rate.direct_feedback_alignment(rate.linear, H, record, e),
        rate.backpropagation(rate.linear, W, record, e),
        strict=True,
    )
    assert all(np.abs(a - b).max() <= 1e-12 * max(np.abs(b).max(), 1e-3) for a, b in pairs)


@given(ACTIVATIONS, SIZES, SEEDS)
def test_local_errors_are_the_exact_gradient_of_each_layers_own_loss(f, sizes, seed):
    rng, W, _, target, record, e = case(f, sizes, seed)
    G = [rng.normal(size=(sizes[-1], n)) for n in sizes[1:-1]]
    dL_da = rate.local_errors(f, G, record, target, e)
    for l, g in enumerate(rate.gradient(dL_da, record)[:-1]):

        def loss(matrix, l=l):
            return ((f.sigma(record.y[l] @ matrix.T) @ G[l].T - target) ** 2).sum() / 2

        assert gradcheck.check(loss, g, W[l], tolerance=1e-10)


@given(ACTIVATIONS, SIZES, st.integers(1, 7), SEEDS)
def test_bptt_is_rtrl_is_the_exact_gradient_in_a_recurrent_network_of_rates(f, sizes, steps, seed):
    rng = np.random.default_rng(seed)
    synapses = spiking.init_weights(rng, sizes, 1.0, 1.0)
    x, v = rng.normal(size=(steps, 2, sizes[0])), rng.normal(size=(steps, 2, sizes[-1]))
    record = rnn.forward(f, synapses, x)
    backward, forward = rnn.bptt(f, synapses, record, v), rnn.rtrl(f, synapses, record, v)
    assert worst(forward, backward) < 1e-10
    for l, pair in enumerate(synapses):
        for letter in "WV":

            def loss(matrix, l=l, letter=letter):
                changed = [*synapses[:l], synapses[l]._replace(**{letter: matrix}), *synapses[l + 1 :]]
                return (rnn.forward(f, changed, x).y[-1] * v).sum() + 0 * matrix.sum()

            assert gradcheck.check(loss, getattr(backward[l], letter), getattr(pair, letter), tolerance=1e-10)


def test_alignment_with_other_weights_is_not_backpropagation(rng):
    _, W, _, _, record, e = case(rate.tanh, (4, 5, 3), 0)
    a = rate.feedback_alignment(rate.tanh, [rng.normal(size=W[1].shape)], record, e)
    b = rate.backpropagation(rate.tanh, W, record, e)
    assert np.abs(a[0] - b[0]).max() > 0.1 * np.abs(b[0]).max() and (a[1] == b[1]).all()
    with pytest.raises(ValueError, match="expected 1 arrays"):
        rate.feedback_alignment(rate.tanh, [], record, e)


@pytest.mark.parametrize("shape", [(1, 3), (3,), (4, 3)])
def test_an_error_of_another_shape_is_refused_and_not_spread_over_the_batch(shape):
    _, W, _, _, record, _ = case(rate.tanh, (4, 5, 3), 0)
    with pytest.raises(InputError, match=r"dL_dy: expected shape \(3, 3\), got"):
        rate.backpropagation(rate.tanh, W, record, np.ones(shape))
    synapses = spiking.init_weights(np.random.default_rng(0), (4, 3), 1.0, 1.0)
    record = rnn.forward(rate.tanh, synapses, np.ones((5, 2, 4)))
    for route in (rnn.bptt, rnn.rtrl):
        with pytest.raises(InputError, match=r"dL_dy: expected shape \(5, 2, 3\), got"):
            route(rate.tanh, synapses, record, np.ones((4, 2, 3)))
