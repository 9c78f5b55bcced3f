"""Profiles of number formats."""

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.oracle import profile
from decolle_ref.oracle.profile import PROFILES, Profile


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
