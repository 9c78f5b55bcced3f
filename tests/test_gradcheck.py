import numpy as np
import pytest

from decolle_ref import gradcheck
from decolle_ref._util.check import InputError


def loss(x):
    return (np.sin(x) * x**2).sum()


def gradient(x):
    return np.cos(x) * x**2 + 2 * x * np.sin(x)


@pytest.mark.parametrize("method", ["complex_step", "central"])
@pytest.mark.parametrize("mode", ["entries", "directions"])
def test_a_right_gradient_passes_and_a_wrong_one_fails(method, mode, rng):
    x = rng.normal(size=(3, 4))
    assert gradcheck.check(loss, gradient(x), x, method, mode, rng)
    assert not gradcheck.check(loss, gradient(x) * (1 + 1e-5), x, method, mode, rng)


def test_the_report_names_the_worst_entry(rng):
    x = rng.normal(size=(3, 4))
    wrong = gradient(x)
    wrong[2, 1] += 0.5
    report = gradcheck.check(loss, wrong, x)
    assert report.worst == (2, 1)
    assert report.got == wrong[2, 1]
    assert "DISAGREES" in str(report) and "at entry (2, 1)" in str(report)


def test_a_wrong_sign_fails_however_many_entries_there_are(rng):
    x = rng.normal(size=2000)
    assert not gradcheck.check(loss, -gradient(x), x, "central", "directions", rng)


def test_taylor_rate_is_two_for_the_gradient_and_one_for_another(rng):
    x, v = rng.normal(size=(2, 5))
    assert gradcheck.taylor_rate(loss, gradient(x), x, v) == pytest.approx(2, abs=0.1)
    assert gradcheck.taylor_rate(loss, gradient(x) + 1, x, v) == pytest.approx(1, abs=0.1)


def test_taylor_rate_of_a_linear_function_is_infinite(rng):
    x, v = rng.normal(size=(2, 5))
    assert gradcheck.taylor_rate(lambda x: x.sum(), np.ones(5), x, v) == np.inf


@pytest.mark.parametrize("method", ["complex_step", "central"])
def test_nan_is_infinitely_wrong_even_beside_a_gradient_of_zeros(method):
    report = gradcheck.check(lambda x: (x * np.nan).sum(), np.zeros(3), np.ones(3), method)
    assert not report and report.error == np.inf
    with pytest.raises(InputError, match="f: expected finite values around x"):
        gradcheck.taylor_rate(lambda x: x.sum() * np.nan, np.zeros(3), np.ones(3), np.ones(3))


def test_a_gradient_of_zeros_where_the_loss_is_flat_passes():
    assert gradcheck.check(lambda x: 0 * x.sum(), np.zeros(3), np.ones(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((loss, np.zeros(2), np.zeros(3)), r"gradient: expected shape \(3,\), got \(2,\)"),
        ((loss, np.full(3, np.nan), np.zeros(3)), r"gradient: expected finite numbers, got nan at index \(0,\)"),
        ((lambda x: x, np.zeros(3), np.zeros(3)), r"f: expected a single number, got shape \(3,\)"),
        ((lambda x: abs(x).sum(), np.zeros(3), np.zeros(3)), "f: expected a complex value"),
        ((loss, np.zeros(3), np.zeros(3), "autodiff"), "method: expected one of complex_step, central"),
        ((loss, np.zeros(3), np.zeros(3), "central", "directions"), "rng: expected a numpy Generator"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message):
        gradcheck.check(*arguments)
