"""Fixed point with other roundings: the integer model, its program in C, and the bound of one quantum."""

import importlib.util
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref._util.check import InputError
from decolle_ref.cases import Case
from decolle_ref.oracle import profile as profiles
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.trace import parse_trace
from tests.support.c_programs import ADAMAX, CC, EXAMPLES, fixed_point, make, needs_cc, result, write

sys.modules["fixed_point"] = fixed_point
spec = importlib.util.spec_from_file_location("fixed_rounding", EXAMPLES / "fixed_rounding.py")
fixed_rounding = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixed_rounding)

BACKENDS = {"FLOOR": fixed_rounding.floor, "STOCHASTIC": fixed_rounding.stochastic}
LAYER, OPTIMISER = {"surrogate": "fast_sigmoid"}, ADAMAX | {"eps": 2.0**-8}  # a divisor beyond rounding


@pytest.fixture(scope="module", params=BACKENDS)
def mode(request, tmp_path_factory):
    """A rounding mode, and the C program that is compiled with it."""
    program = tmp_path_factory.mktemp("fixed") / "decolle_fixed"
    build = [CC, "-O1", "-std=c99", f"-DROUNDING={request.param}", "-o", str(program), "decolle_fixed.c", "-lm"]
    subprocess.run(build, cwd=EXAMPLES / "c", check=True, timeout=60)
    return request.param, program


def holds(about, arrays, trace, profile):
    return bool(residual.check(parse_trace(Case(about, arrays), trace, profiles.parse(profile))))


@needs_cc
@pytest.mark.parametrize("dialect", ["paper", "decolle"])
def test_other_roundings_pass_under_their_profile_in_python_and_in_c(dialect, mode, tmp_path):
    name, program = mode
    case = write(tmp_path / "case", *make(dialect, 3, layer=LAYER, optimiser=OPTIMISER))
    model, device = BACKENDS[name](case.about, case.arrays), result(program, tmp_path / "case", tmp_path / "trace")
    for trace in (model, device):
        assert holds(case.about, case.arrays, trace, BACKENDS[name].profile)
        assert not holds(case.about, case.arrays, trace, fixed_point.backend.profile)  # which halves the bound
    if name == "FLOOR":
        assert model.keys() == device.keys()
        assert all((device[x] == array).all() for x, array in model.items())


@given(st.integers(-(2**62), 2**62), st.integers(1, 2**54), st.integers(1, 2**16 - 1))
def test_random_rounding_is_off_by_less_than_one_quantum_and_keeps_what_is_exact(a, b, seed):
    got = Fraction(int(fixed_rounding.Stochastic(fixed_rounding.TAPS, seed)(np.array(a), b)))
    assert abs(got - Fraction(a, b)) < 1
    assert a % b or got == a // b


@pytest.mark.parametrize("part", [0, 1, 100, 32768, 65535])
def test_random_rounding_goes_up_as_often_as_the_number_is_above(part):
    """Over one period every state but 0 comes once, so `part` / 2^16 goes up in exactly `part` of 65535 cases."""
    rounded = fixed_rounding.Stochastic(fixed_rounding.TAPS, 1)(np.full(2**16 - 1, 5 * 2**16 + part), 2**16)
    assert set(rounded) <= {5, 6} and (rounded == 6).sum() == part


def test_the_register_has_the_longest_period():
    states = fixed_rounding.register(fixed_rounding.TAPS, fixed_rounding.SEED)
    assert sorted(states) == list(range(1, 2**16))


def test_a_run_repeats_and_leaves_the_usual_rounding_behind():
    about, arrays = make("paper", layer=LAYER)
    usual = fixed_point.backend(about, arrays)
    one, two = (fixed_rounding.stochastic(about, arrays) for _ in range(2))
    assert all((one[name] == two[name]).all() for name in one)
    assert any((one[name] != usual[name]).any() for name in one)
    assert all((fixed_point.backend(about, arrays)[name] == x).all() for name, x in usual.items())


def test_a_profile_with_random_rounding_declares_its_register():
    with pytest.raises(InputError, match="profile lfsr_taps: expected an integer >= 1, got 0"):
        Profile(format="fixed", rounding="stochastic")
    with pytest.raises(InputError, match="profile lfsr_seed: expected an integer >= 1, got 0"):
        Profile(format="fixed", rounding="stochastic", lfsr_taps=0xB400)
