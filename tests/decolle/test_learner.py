"""Optimisers, the learner, and the fast path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref import fast
from decolle_ref._util.check import InputError
from decolle_ref.decolle import learner, optim
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.decolle.synapse import Dense, Weights


def test_sgd_steps_against_the_gradient(rng):
    W, g = rng.normal(size=(2, 3, 4))
    new, _ = SGD().update(W, g, None, np.asarray(0.1))
    np.testing.assert_array_equal(new, W - 0.1 * g)


def test_adamax_written_out_for_one_number():
    """Three steps by hand, with a momentum, so that the bias correction has an effect."""
    adamax, w, opt_state = Adamax(beta1=0.5, beta2=0.9, eps=1e-300), np.array([1.0]), None
    opt_state = adamax.init(w)
    m = u = 0.0
    by_hand = 1.0
    for t, g in enumerate([2.0, -1.0, 0.5], start=1):
        w, opt_state = adamax.update(w, np.array([g]), opt_state, np.asarray(0.1))
        m, u = 0.5 * m + 0.5 * g, max(0.9 * u, abs(g))
        by_hand -= 0.1 / (1 - 0.5**t) * m / u
        assert w[0] == pytest.approx(by_hand, rel=1e-15)


def test_adamax_defaults_are_the_papers():
    assert (Adamax().beta1, Adamax().beta2) == (0.0, 0.95)


def test_the_size_of_an_adamax_step_does_not_depend_on_the_scale_of_the_gradient(rng):
    W, g = rng.normal(size=(2, 5))
    steps = [Adamax(eps=1e-300).update(W, c * g, Adamax().init(W), np.asarray(0.1))[0] for c in (1.0, 2.0**40)]
    np.testing.assert_array_equal(*steps)


@pytest.mark.parametrize("optimiser", [SGD(), Adamax()])
@pytest.mark.parametrize("kind", [np.array, np.asarray(0.1).dtype.type, float])
def test_the_learning_rate_does_not_promote_the_parameter(optimiser, kind):
    W, g = np.ones(2, np.float32), np.full(2, 3, np.float32)
    new, _ = optimiser.update(W, g, optimiser.init(W), kind(0.1))
    assert new.dtype == np.float32 and np.allclose(new, 0.7 if optimiser == SGD() else 0.9, rtol=1e-6)


def test_scalars_of_numpy_and_dtypes_that_are_equal_but_not_the_same_are_updated():
    one = np.float64(1.0)
    assert SGD().update(one, one, None, np.asarray(0.25))[0] == 0.75
    twin = np.ones(2, np.dtype(np.float64, metadata={"unit": "V"}))
    assert SGD().update(np.ones(2), twin, None, np.asarray(0.25))[0].tolist() == [0.75, 0.75]


def test_schedule_drops_at_its_boundaries():
    rate = optim.stepwise((10, 20), 0.5)
    assert [rate(n) for n in (0, 9, 10, 19, 20, 1000)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


@given(st.integers(1, 40), st.integers(1, 40), st.lists(st.integers(1, 3), max_size=2), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fast_update_equals_the_readable_one(dtype, n_in, n, batch, seed):
    """Bit for bit for one sample; for batches up to the order of the sum over samples (4 additions at most here)."""
    rng = np.random.default_rng(seed)
    synapse, adamax = Dense(n_in, n), Adamax()
    weights = Weights(rng.normal(size=(n, n_in)).astype(dtype), rng.normal(size=n).astype(dtype))
    rate = Weights(rng.random(n_in).astype(dtype), np.asarray(0.1, dtype))
    opt_state = (adamax.init(weights.W), adamax.init(weights.b))
    ours = Weights(weights.W.copy(), weights.b.copy())
    our_state = (adamax.init(ours.W), adamax.init(ours.b))
    for _ in range(3):
        dU, P = rng.normal(size=(*batch, n)).astype(dtype), rng.random((*batch, n_in)).astype(dtype)
        weights, opt_state = learner.update_layer(adamax, synapse, weights, opt_state, dU, P, rate)
        ours, our_state = fast.update_layer(adamax, synapse, ours, our_state, dU, P, rate)
    exact = int(np.prod(batch)) == 1
    for a, b in zip((*weights, *opt_state[0], *opt_state[1]), (*ours, *our_state[0], *our_state[1]), strict=True):
        if exact:
            np.testing.assert_array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=1e3 * np.finfo(dtype).eps, atol=1e3 * np.finfo(dtype).eps)


def test_fast_update_refuses_what_it_cannot_do():
    ones = Weights(np.ones((1, 1)), np.ones(1))
    with pytest.raises(InputError, match=r"fast: expected Adamax with beta1 = 0, got SGD\(\)"):
        fast.update_layer(SGD(), Dense(1, 1), ones, (None, None), np.ones(1), np.ones(1), ones)


@pytest.mark.parametrize("bad", [-1e-3, np.nan, np.inf])
def test_learning_rates_must_be_finite_and_not_negative(bad):
    with pytest.raises(InputError, match=f"^layer 1 learning rate: expected finite numbers >= 0, got {bad}$"):
        Learner([Weights(np.asarray(bad), np.asarray(0.1))])


def test_rates_must_broadcast_to_the_weights():
    weights = [Weights(np.ones((4, 5)), np.ones(4))]
    teacher = Learner([Weights(np.ones(7), np.ones(4))])
    with pytest.raises(
        InputError, match=r"^layer 1 learning rate of W: expected to broadcast to \(4, 5\), got \(7,\)$"
    ):
        teacher.validate(weights, teacher.init(weights))


@pytest.mark.parametrize("bad", [-0.1, 1.0, np.nan])
def test_adamax_betas_must_lie_below_one(bad):
    with pytest.raises(InputError, match=rf"^beta2: expected a number in \[0, 1\), got {bad}$"):
        Adamax(beta2=bad)
