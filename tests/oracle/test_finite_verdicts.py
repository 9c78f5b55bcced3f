"""No verdict is reached through a number that is not finite: where a comparison decides, NaN and infinity decide no."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import gradcheck
from decolle_ref._util.check import InputError
from decolle_ref._util.verdict import beyond, within
from decolle_ref.cases import comparison, identify, simulate
from decolle_ref.cases.comparison import Alternative, Comparison
from decolle_ref.credit.audit import derivation
from decolle_ref.credit.audit import report as audit_report
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.oracle import runner
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.check.error_bounds import Arithmetic, Bounded, exact
from decolle_ref.oracle.check.residual import Slot
from decolle_ref.oracle.diagnose import hypothesis
from decolle_ref.oracle.profile import PROFILES, Profile
from decolle_ref.oracle.spikes_only import SpikesOnlyVerdict, driven
from decolle_ref.oracle.spikes_only.intervals import rising
from decolle_ref.oracle.trace import shapes
from decolle_ref.oracle.vectors.properties import Vector
from tests.support.identification import situation
from tests.support.oracle import case, right

PACKAGE = Path(runner.__file__).parents[1]
FLOAT64 = PROFILES["float64"]
HUGE = (1.79e308, -1.79e308, 1e308, -9e307, 2.0**1023, 1e300, 1e200, 1e154, 2.0**127, np.inf, -np.inf, np.nan)
EDGE = (np.nan, np.inf, -np.inf)


def column(*numbers):
    return np.array(numbers, float)[:, None]


def holds(got, expected, bound):
    """The residual check of two steps of U."""
    return residual.first_failure([Slot(1, "U", column(0, got), column(0, expected), column(0, bound))]) is None


def fits(recorded, expected, tolerance):
    """identify, on four steps of Q that may be late and times a factor; NaN stands for what was not recorded."""
    series = column(1, 2, 5, recorded), column(1, 2, 5, expected), column(0, 0, 0, tolerance)
    anything = [Alternative(offset, None) for offset in comparison.LAGS]
    return any(comparison._agreeing(Comparison("Q", *series, comparison.LAGS), anything))


def explains(value, err, got=2.0, bound=0.0):
    """Whether a mistake that gives 2 everywhere, where 0 is right, is named as the cause."""
    slot = Slot(1, "U", column(2, got), column(0, 0), column(0, bound))
    return hypothesis.consistent(Bounded(column(2, value), column(0, err)), slot)


def known(expected, bound):
    """The check of spikes alone, with weights that moved by 1."""
    slot = Slot(1, "W", column(0, 1), column(0, expected), column(0, bound))
    operands = type("Operands", (), {"trace": {"W": 0}, "case": {}})
    width = driven._width(slot, operands)
    return bool(SpikesOnlyVerdict(FLOAT64, 1, 0.0, width, residual.first_failure([driven._known(slot)])))


def quotient(x):
    try:
        Arithmetic(FLOAT64).divide(exact(np.ones(1)), Bounded(np.ones(1), np.full(1, x)))
    except InputError:
        return False
    return True


def close(x):
    entry = audit_report.worst_entry({"W1": column(1.0, x)}, {"W1": column(1.0, 1.0)})
    return entry.error <= derivation.TOLERANCE


def same(x):
    return audit_report._same({"W1": column(1.0, x)}, {"W1": column(1.0, x)}, ["W1"], 1e-7)


# name: (the verdict as a function of one number, a number for which it is yes)
PLACES = {
    "within x": (lambda x: within(x, 1.0, 0.5), 1.0),
    "within y": (lambda x: within(1.0, x, 0.5), 1.0),
    "within bound": (lambda x: within(1.0, 1.0, x), 0.0),
    "beyond x": (lambda x: beyond(x, 1.0, 0.5), 2.0),
    "beyond y": (lambda x: beyond(1.0, x, 0.5), 2.0),
    "beyond bound": (lambda x: beyond(2.0, 1.0, x), 0.0),
    "residual got": (lambda x: holds(x, 1.0, 0.5), 1.0),
    "residual expected": (lambda x: holds(1.0, x, 0.5), 1.0),
    "residual bound": (lambda x: holds(1.0, 1.0, x), 0.0),
    "residual got and expected": (lambda x: holds(x, x, 0.5), 1.0),
    "divisor": (lambda x: quotient(np.abs(x)), 0.0),
    "cause value": (lambda x: explains(x, 0.0), 2.0),
    "cause bound": (lambda x: explains(2.0, x), 0.0),
    "cause value and got": (lambda x: explains(x, 0.0, got=x), 2.0),
    "spikes alone, expected weight": (lambda x: known(x, 0.0), 1.0),
    "spikes alone, bound of a weight": (lambda x: known(1.0, x), 0.0),
    "spikes alone, width": (lambda x: SpikesOnlyVerdict(FLOAT64, 1, 0.0, x, None), 0.0),
    "spikes alone, undecided": (lambda x: SpikesOnlyVerdict(FLOAT64, 1, x, 0.0, None), 0.0),
    "spike of a U that is not known": (
        lambda x: rising(logistic.spike, Bounded(np.asarray(x), np.abs(x))).err == 0,
        0.0,
    ),
    "identify recorded": (lambda x: fits(np.inf if np.isnan(x) else x, 9.0, 0.1), 9.0),
    "identify expected": (lambda x: fits(9.0, float(comparison._computed(np.asarray(x))), 0.1), 9.0),
    "identify tolerance": (lambda x: fits(9.0, 9.0, x), 0.0),
    "derivation entry": (close, 1.0),
    "derivation explanation": (same, 1.0),
    "gradcheck": (lambda x: gradcheck.Report("complex_step", "reverse", 1, abs(x), 1e-12, (0,), 0.0, 0.0), 0.0),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_number_that_is_not_finite_decides_no(place):
    verdict, good = PLACES[place]
    with np.errstate(all="ignore"):
        assert bool(verdict(good))
        assert [bool(verdict(x)) for x in EDGE] == [False] * 3


DECIDES = ("oracle/*.py", "oracle/check/*.py", "oracle/diagnose/*.py", "oracle/spikes_only/*.py", "cases/*.py")
OTHERS = {  # compare sizes, but no verdict hangs on them alone: the numbers that follow are compared by `within`
    "jump > 64 * eps * np.nanmax(np.abs(R), initial=0)",
    "np.abs(shown[n] - (U - self.w)) < np.abs(shown[n] - U)",
    "abs(lag) <= about['steps'] // 4",
    "abs(lag) > 1",
    "np.abs(d) > 1",
    "np.abs(_sigma(site) - 0.5) <= 0.5",
    "np.abs(site.u) <= 1",
    "np.abs(site.u) <= 0.5",
    "np.abs(nearest) > FLOATS[self.shown].largest",
}


def test_all_distances_of_the_verdicts_are_compared_in_one_place():
    """No module that decides compares an absolute value itself; where it must, it is in the list above."""
    found: set[str] = set()
    for pattern in (*DECIDES, "credit/audit/*.py"):
        for path in sorted(PACKAGE.glob(pattern)):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                    found |= {ast.unparse(node)} if "abs(" in ast.unparse(node) else set()
    assert found - {line for line in found if "2 ** 63" in line} == OTHERS


def altered(rng, arrays, names):
    """The arrays with one to three changes: one entry, one step or all of an array become huge, infinite or NaN."""
    changed = {name: np.array(x, float) for name, x in arrays.items()}
    for _ in range(rng.integers(1, 4)):
        array, number = changed[str(rng.choice(names))], rng.choice(HUGE)
        index = tuple(int(rng.integers(size)) for size in array.shape)
        array[(index, index[:1], ...)[rng.integers(3)]] = number
    return changed


def judged(example, arrays, profile):
    vector = Vector("altered", example.about, example.arrays, "", lambda vector, trace: None)
    outcome = runner.judge(Backend("altered", lambda about, given: arrays, profile), vector)
    json.dumps(outcome.details, allow_nan=False)
    return outcome


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("level", ["L2", "L1", "L0"])
def test_no_altered_trace_passes_the_oracle(level, dtype):
    rng, profile = np.random.default_rng([14, len(dtype), int(level[1])]), replace(PROFILES[dtype], level=level)
    for seed in range(2):
        example = case(("paper", "dcll")[seed], seed, dtype, learn=True)
        arrays = right(example.about, example.arrays)
        names = sorted(shapes(example.about, level))
        for _ in range(20):
            outcome = judged(example, altered(rng, arrays, names), profile)
            assert outcome.status != "pass", outcome


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("variables", ["QPRUS", "US", "R", "QP"])
def test_no_altered_trace_is_identified(variables, dtype):
    rng = np.random.default_rng([14, len(dtype), len(variables)])
    example, about, recorded = situation("decolle", variables, sizes=(6, 5), dtype=dtype)
    assert identify(example, about, recorded).matches
    for _ in range(8):
        changed = altered(rng, recorded, sorted(recorded))
        try:
            answer = identify(example, about, changed)
        except InputError as refused:
            assert "expected finite numbers" in str(refused)
        else:
            assert not answer.matches and "consistent" not in str(answer).splitlines()[0]


def test_numbers_that_the_declared_format_does_not_reach_are_refused():
    """2^127 is a number of float32, 2^128 is not, though its significand has one bit."""
    profile = Profile(format="float32")
    np.testing.assert_array_equal(profile.quantise([2.0**127, 2.0**128, 1e308]), [2.0**127, np.inf, np.inf])
    for name in ("float32", "float64"):
        last = np.array([np.finfo(name).max, np.nextafter(2, 0, dtype=name), np.finfo(name).tiny], float)
        np.testing.assert_array_equal(PROFILES[name].quantise(last), last)


def test_a_layer_whose_input_is_not_shown_is_named():
    example, about, recorded = situation("paper", "QP")
    answer = identify(example, about, recorded)
    assert answer.dialects == ("paper",)
    assert "layer 2 was not compared: the trace does not show the spikes that reach it" in str(answer)


def test_a_failure_that_overflows_is_written_as_json_and_has_no_excerpt():
    example = case("paper", 0, "float32", learn=True)
    arrays = right(example.about, example.arrays)
    arrays["layer1_U"] = np.full_like(arrays["layer1_U"], 3.4e38)
    arrays["layer1_P"] = np.full_like(arrays["layer1_P"], 1e308, dtype=float)
    outcome = judged(example, arrays, replace(FLOAT64, name="wide"))
    assert outcome.status == "fail" and outcome.excerpt is None


def test_the_altered_trace_of_the_report_is_not_confirmed():
    """A value near 1e308 made the fitted factor of Q infinite, and every comparison with it passed."""
    example, about, recorded = situation("paper", "QPRUS", steps=40)
    for name in ("layer1_Q", "layer1_P", "layer1_R"):
        changed = {key: x.copy() for key, x in recorded.items()}
        changed[name][20, 0, 0] = 1.7e308
        answer = identify(example, about, changed)
        assert not answer.matches and "none of these" in str(answer)
    assert simulate(example).keys() >= recorded.keys()
