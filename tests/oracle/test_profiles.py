"""Profiles of number formats."""

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.oracle import profile
from decolle_ref.oracle.profile import FLOATS, PROFILES, Profile


def test_profiles_are_read_and_refused_in_one_line(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text('{"name": "mine", "format": "fixed", "integer_bits": 4, "fraction_bits": 12}')
    assert profile.read(file) == Profile("mine", "fixed", integer_bits=4, fraction_bits=12)
    for text, message in (
        (
            '{"format": "float8"}',
            r"profile format: expected one of float64, float32, bfloat16, float16, fixed, got 'float8'",
        ),
        ('{"bits": 8}', r"profile key: expected one of name, format,"),
        ('{"flush": 1}', r"profile flush: expected bool, got 1"),
        ("[1]", r"profile: expected a name or named values, got \[1\]"),
        ('{"format": "fixed", "integer_bits": 2000}', r"integer_bits \+ fraction_bits: expected at most 52"),
        (
            '{"recorded": "float16", "format": "bfloat16"}',
            r"recorded: expected a narrower format than bfloat16",
        ),
        ('{"recorded": "float32"}', r"profile recorded: expected a narrower format than float32, got 'float32'"),
        (
            '{"recorded": "float32", "format": "fixed"}',
            r"recorded: expected none for fixed point, got 'float32'",
        ),
        ('{"keeps": "delta_R+W"}', r"profile keeps: expected one of delta_R, traces_without_gain, gain_in_W, got 'W'"),
        ('{"convolution": "fft", "format": "fixed"}', r"expected 'direct' in fixed point, where 'fft' has no bound"),
        (
            '{"convolution": "fft", "level": "L0"}',
            r"expected 'direct' at level L0, where 'fft' has no",
        ),
        ('{"sigma_ulps": 1e12}', r"profile sigma_ulps: expected an error below 0.125 of 1"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            profile.read(file)


@pytest.mark.parametrize("name", PROFILES)
def test_quantised_numbers_are_multiples_of_the_ulp_and_within_half_of_one(name):
    its_profile, x = PROFILES[name], np.random.default_rng(0).normal(0, 3, 1000)
    rounded = its_profile.quantise(x)
    np.testing.assert_array_equal(its_profile.quantise(rounded), rounded)
    assert (np.abs(rounded - x) <= its_profile.ulp(x) / 2).all()
    if name == "float32":
        np.testing.assert_array_equal(rounded, x.astype(np.float32))
    if name == "float16":
        np.testing.assert_array_equal(rounded, x.astype(np.float16))


def test_float16_has_its_range_its_subnormals_and_infinities():
    half, exponents = PROFILES["float16"], np.arange(-30.0, 20.0, 0.25)
    x = np.concatenate([np.exp2(exponents), -np.exp2(exponents), [65504, 65519, 65520, -65520, 2.0**-25, 0]])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(half.quantise(x), x.astype(np.float16))
    assert FLOATS["float16"].largest == np.finfo(np.float16).max == 65504
    assert FLOATS["float16"].subnormal == np.finfo(np.float16).smallest_subnormal
    for name in ("float32", "float64"):
        assert FLOATS[name].largest == np.finfo(name).max
        assert FLOATS[name].subnormal == np.finfo(name).smallest_subnormal


def test_a_trace_is_judged_in_the_format_that_it_is_recorded_in():
    wide = Profile("mine", "float64", recorded="float32")
    assert wide.quantise(np.asarray(1 + 2.0**-40)) == 1
    assert (wide.shown, profile.describe(wide)["recorded"]) == ("float32", "float32")
    assert Profile(keeps="delta_R+gain_in_W").converted == {"R", "Q", "P", "W", "dW"}
