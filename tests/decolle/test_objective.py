import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref import gradcheck
from decolle_ref._util.check import InputError
from decolle_ref.decolle.objective import (
    ACTIVITIES,
    LOSSES,
    REDUCTIONS,
    Objective,
    Regulariser,
    cross_entropy,
    log_softmax,
    smooth_l1,
    softmax,
)
from decolle_ref.decolle.surrogate import logistic, piecewise_linear

seeds = st.integers(0, 2**32 - 1)
strengths = st.just(0.0) | st.floats(0.01, 2)
losses = st.sampled_from(sorted(LOSSES))


@given(losses, st.sampled_from(REDUCTIONS), st.lists(st.integers(1, 3), max_size=2), st.integers(1, 4), seeds)
def test_error_is_the_derivative_of_the_loss_with_respect_to_Y(name, reduction, batch, n_out, seed):
    rng = np.random.default_rng(seed)
    Y, target = rng.normal(0, 2, (2, *batch, n_out))
    objective = Objective(LOSSES[name], reduction)
    U = np.zeros((*batch, 3))
    assert gradcheck.check(lambda Y: objective.value(U, Y, target, logistic), objective.error(Y, target), Y)


@given(st.sampled_from(ACTIVITIES), strengths, strengths, st.floats(-4, 1), seeds)
def test_penalty_is_the_derivative_of_the_regularisers_with_respect_to_U(activity, l1, l2, shift, seed):
    U = np.random.default_rng(seed).normal(shift, 1, (3, 4))
    r = Regulariser(l1, l2, activity)
    for s in (logistic, piecewise_linear):
        assert gradcheck.check(lambda U, s=s: r.value(U, s), r.derivative(U, s), U)


def test_as_printed_the_regularisers_push_the_mean_membrane_in_opposite_directions():
    U = np.array([[0.05, 0.02]])  # above -0.01, and with a mean below 0.1
    down = Regulariser(1.0, 0.0, "membrane").derivative(U, logistic)
    up = Regulariser(0.0, 1.0, "membrane").derivative(U, logistic)
    np.testing.assert_array_equal(down, -up)


@given(st.integers(0, 20), strengths, strengths, seeds)
def test_as_printed_the_regularisers_balance_where_lambda2_over_lambda1_of_the_potentials_are_above(k, l1, l2, seed):
    """The mean push on U is lambda1 (fraction above -0.01) - lambda2, as long as <U> < 0.1."""
    U = -np.random.default_rng(seed).uniform(0.5, 2, 20)
    U[:k] = 0.05
    push = Regulariser(l1, l2, "membrane").derivative(U, logistic).sum()
    assert push == pytest.approx(l1 * k / 20 - l2, abs=1e-14)


def test_smooth_l1_error_is_clipped_at_one():
    d = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    np.testing.assert_array_equal(smooth_l1.slope(d, np.zeros(5)), [-1, -0.5, 0, 0.5, 1])


def test_mean_divides_by_batch_and_outputs_but_cross_entropy_by_batch_alone(rng):
    Y, target = rng.normal(size=(2, 5, 3))
    for loss in LOSSES.values():
        ratio = Objective(loss, "sum").error(Y, target) / Objective(loss, "mean").error(Y, target)
        np.testing.assert_allclose(ratio, 5 if loss is cross_entropy else 15, rtol=1e-14)


def test_cross_entropy_is_finite_for_huge_outputs():
    Y, target = np.array([1e4, -1e4]), np.array([0.0, 1.0])
    assert Objective(cross_entropy).value(np.zeros(2), Y, target, logistic) == 2e4


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_an_empty_batch_has_loss_zero_and_an_empty_error(name, reduction):
    objective = Objective(LOSSES[name], reduction, Regulariser(1.0, 1.0))
    Y, U = np.zeros((0, 2)), np.zeros((0, 4))
    assert objective.value(U, Y, Y, logistic) == 0
    assert objective.error(Y, Y).shape == (0, 2)
    assert objective.penalty(U, logistic).shape == (0, 4)


def test_unknown_choices_are_named():
    with pytest.raises(InputError, match="reduction: expected one of sum, mean, got 'average'"):
        Objective(reduction="average")
    with pytest.raises(InputError, match="activity: expected one of rate, membrane, got 'spikes'"):
        Regulariser(activity="spikes")
    with pytest.raises(InputError, match="lambda1: expected finite numbers >= 0, got -1"):
        Regulariser(lambda1=-1.0)


def test_log_softmax_is_the_logarithm_of_softmax_also_for_complex_outputs(rng):
    Y = rng.normal(size=(4, 3)) + 1e-30j * rng.normal(size=(4, 3))
    np.testing.assert_allclose(softmax(Y), np.exp(log_softmax(Y)), rtol=1e-14)
    np.testing.assert_allclose(softmax(Y.real).sum(axis=-1), 1, rtol=1e-14)


def test_the_gradient_of_log_softmax_is_a_unit_vector_minus_softmax(rng):
    Y = rng.normal(size=3)
    assert gradcheck.check(lambda Y: log_softmax(Y)[1], np.eye(3)[1] - softmax(Y), Y)
