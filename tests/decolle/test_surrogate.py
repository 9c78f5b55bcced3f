import numpy as np
import pytest
from scipy.integrate import quad

from decolle_ref import gradcheck
from decolle_ref._util.check import InputError
from decolle_ref.decolle import surrogate
from decolle_ref.decolle.surrogate import SURROGATES

BOTH = pytest.mark.parametrize(
    "s",
    [
        *SURROGATES.values(),
        *map(surrogate.normalised, SURROGATES.values()),
        surrogate.sharpened(surrogate.fast_sigmoid, 10.0),
    ],
    ids=lambda s: s.name,
)


@BOTH
def test_derivative_is_the_derivative_of_the_primitive(s, rng):
    x = rng.uniform(-3, 3, 200)
    assert gradcheck.check(lambda x: s.primitive(x).sum(), s.derivative(x), x)


@BOTH
def test_primitive_is_one_half_at_threshold(s):
    assert s.primitive(np.zeros(1)) == 0.5


@BOTH
def test_rise_is_the_integral_of_the_derivative(s):
    pieces = [
        quad(lambda x: float(s.derivative(np.array(x))), a, b, limit=200)[0]
        for a, b in [(-np.inf, -1), (-1, -0.5), (-0.5, 0), (0, 0.5), (0.5, 1), (1, np.inf)]
    ]
    assert sum(pieces) == pytest.approx(s.rise, rel=1e-7)


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_are_finite_and_keep_their_dtype_up_to_ten_thousand(s, dtype):
    x = np.array([-1e4, -100, -1, 0, 1, 100, 1e4], dtype)
    for f in (s.derivative, s.primitive, s.spike):
        assert f(x).dtype == dtype
        assert np.isfinite(f(x)).all()
    assert s.primitive(x)[-1] - s.primitive(x)[0] == pytest.approx(s.rise, rel=1e-3)


@BOTH
def test_complex_argument_has_the_real_part_of_the_real_one(s, rng):
    x = rng.uniform(-3, 3, 50)
    for f in (s.derivative, s.primitive):
        np.testing.assert_allclose(f(x + 1e-30j).real, f(x), rtol=0, atol=8 * np.finfo(float).eps)


def test_a_potential_at_threshold_spikes():
    np.testing.assert_array_equal(surrogate.at_threshold(np.array([-1e-300, 0.0, 1e-300])), [0, 1, 1])


def test_sharpened_refuses_a_slope_of_zero():
    with pytest.raises(InputError, match="slope: expected finite numbers > 0, got 0"):
        surrogate.sharpened(surrogate.logistic, 0)
