"""Vectors of the oracle: exact cases are exact, golden traces are summed in one order."""

from fractions import Fraction

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.vectors import exactness, number_kinds, properties, random_cases
from tests.support.oracle import residual_check
from tests.support.vectors import case, golden, vectors

DTYPES = ("float64", "float32")


# Exactness


def test_exact_vectors_are_simulated_in_float32_without_any_rounding():
    exact = [vector for vector in vectors("float32").values() if vector.bits]
    assert len(exact) == 21
    for vector in exact:
        expected, need = exactness.certify(case(vector))
        assert need.significand <= 24
        reference = properties.trace(vector)
        for name, fractions in expected.items():
            assert reference[name].dtype == np.float32
            same = [Fraction(float(x)) == y for x, y in zip(reference[name].flat, fractions.flat, strict=True)]
            assert all(same), (vector.id, name)


def test_exact_vectors_last_as_long_as_they_are_exact():
    steps = {id: vector.about["steps"] for id, vector in vectors("float32").items() if vector.bits}
    for id, least in (("dyadic-fixed16", 10), ("dyadic-learning", 4), ("dyadic-", 4), ("tie-", 18)):
        assert all(steps[f"{id.rstrip('-')}-{name}"] >= least for name in DIALECTS)
    longer = random_cases.on_grid(
        random_cases.random_case(160, random_cases.dense(6, 5, 4), targets=False, learn=False), 160
    )
    one_more = longer[0] | {"steps": steps["dyadic-paper"] + 1}
    assert not exactness.certify(Case(one_more, longer[1]))[1].fits(24)


def test_sixteen_bits_hold_every_number_of_the_fixed_point_vectors():
    for name in DIALECTS:
        vector = vectors("float64")[f"dyadic-fixed16-{name}"]
        need = exactness.certify(case(vector))[1]
        assert need.before + need.behind <= 15
        assert need.before <= 8  # and so does Q8.16
        for array in properties.trace(vector).values():
            assert (PROFILES["Q8.16"].quantise(array) == array).all()


def test_bits_are_counted_for_the_worst_order_of_a_sum():
    need = number_kinds.Need()
    need.add_sum([Fraction(1), Fraction(-1), Fraction(1, 8)])  # (1 + 1/8) - 1 passes through 9/8
    assert need == number_kinds.Need(significand=5, behind=3, before=2)  # sum of magnitudes 17/8 = 10.001
    with pytest.raises(InputError, match="multiples of a power of two, got a number with 1/12"):
        need.add_sum([Fraction(1, 3), Fraction(1, 4)])


def test_every_order_of_a_sum_is_exact_within_the_counted_bits():
    rng, need = np.random.default_rng(3), number_kinds.Need()
    terms = rng.integers(-(2**18), 2**18, 40) / 2.0**13
    need.add_sum([Fraction(x) for x in terms.tolist()])
    assert need.significand == 23
    exact = float(sum(Fraction(x) for x in terms.tolist()))
    for _ in range(50):
        assert float(number_kinds.in_order(rng.permutation(terms).astype(np.float32))) == exact


def test_numbers_that_are_no_multiples_of_a_power_of_two_are_refused():
    vector = vectors("float64")["dyadic-learning-paper"]
    optimiser = {"kind": "adamax", "beta1": 0.0, "beta2": 0.5, "eps": 0.25}
    with pytest.raises(InputError, match="exact: expected multiples of a power of two"):
        exactness.certify(Case(vector.about | {"optimiser": optimiser}, vector.arrays))


# Golden traces


@pytest.mark.parametrize("dtype", DTYPES)
def test_golden_traces_equal_the_simulator_up_to_rounding(dtype):
    short = {id: trace for id, trace in golden(dtype).items() if not id.startswith(("pairs", "range"))}
    assert len(short) > 69
    for id, trace in short.items():
        vector = vectors(dtype)[id]
        ours = properties.trace(vector)
        assert {name for name in ours.keys() - trace.keys() if "const" not in name and "loss" not in name} == set()
        for name, x in trace.items():
            assert x.dtype == dtype
            size = np.abs(ours[name]).max(initial=0)
            exactly = vector.bits or name.endswith("_S")
            bound = 0 if exactly else {"float64": 1e-11, "float32": 1e-4}[dtype] * size
            assert np.abs(x - ours[name]).max(initial=0) <= bound, (vector.id, name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_golden_traces_hold_every_equation_where_rounding_grows(dtype):
    long = [id for id in golden(dtype) if id.startswith(("pairs", "range"))]
    assert len(long) > 25
    for id in long:
        verdict = residual_check(case(vectors(dtype)[id]), golden(dtype)[id], PROFILES[dtype])
        assert verdict, (id, verdict.failure)


def test_golden_sums_run_from_left_to_right():
    terms = np.array([[1e8, 1.0, -1e8, 1.0]], np.float32)
    assert number_kinds.in_order(terms).tolist() == [1.0]
    assert number_kinds.in_order(terms[:, ::-1]).tolist() == [0.0]
