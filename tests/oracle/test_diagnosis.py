"""The diagnosis: a mistake is named where it is the truth, and nowhere else; every failing equation on its own."""

import numpy as np
import pytest

from decolle_ref.oracle.check import residual
from decolle_ref.oracle.check.error_bounds import Bounded
from decolle_ref.oracle.check.residual import Failure, Slot
from decolle_ref.oracle.diagnose import explain, explain_all, hypothesis
from decolle_ref.oracle.diagnose.places import places
from decolle_ref.oracle.diagnose.site import sites
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.trace import parse_trace
from tests.support.faulty_backends import SQUARE, case
from tests.support.valid_variants import make
from tests.support.variations import mixed


def run(example, profile, *variation, **fault):
    return parse_trace(example, make(profile, *variation, **fault)(example.about, example.arrays), profile)


def at(layer, equation):
    return Failure(0, layer, equation, (), 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", PROFILES)
def test_no_mistake_is_named_where_the_equation_holds(name):
    profile = PROFILES[name]
    example, declared = case(1, profile, **SQUARE), mixed(1, profile).declared(profile)
    trace = run(example, declared, mixed(1, profile))
    assert {x: names for x in residual.EQUATIONS if (names := explain(trace, at(1, x)))} == {}


def test_twice_the_bound_is_needed_to_tell_a_mistake():
    profile = PROFILES["float32"]
    (right,) = [
        slot
        for slot in residual.check(run(case(0, profile, **SQUARE), profile)).slots
        if (slot.layer, slot.equation) == (1, "U")
    ]
    for factor, consistent in ((1.9, False), (2.1, True)):
        wrong = right.expected + factor * right.bound
        assert hypothesis.consistent(Bounded(wrong, right.bound), right._replace(got=wrong)) is consistent


def test_every_failing_equation_is_explained_on_its_own():
    profile = PROFILES["float32"]

    def both(layer):
        layer.bias, layer.G_back = (lambda layer: 0 * layer.b), layer.G.T

    trace = run(case(0, profile, **SQUARE), profile, fault=both)
    found = {x.equations: ([str(cause) for cause in x.causes], x.layers) for x in explain_all(trace)}
    assert found == {("U",): (["U without b"], (1, 2)), ("delta",): (["G not transposed"], (1, 2))}


@pytest.mark.parametrize(
    ("constant", "factor", "words"),
    [
        ("alpha", 0.99, "P decays by another number than alpha (1 % too small"),
        ("beta", 1.02, "Q decays by another number than beta (2 % too large"),
        ("gamma", 0.9, "R decays by another number than gamma (10 % too small"),
        ("strength", 1.3, "U with another strength of R than delta (30 % too large"),
        ("rate_W", 0.7, "W learns at another rate (30 % too small"),
        ("c", 0.7, "Y with c times a number (30 % too small"),
    ],
)
def test_a_constant_that_is_off_is_estimated(constant, factor, words):
    profile = PROFILES["float32"]

    def off(layer):
        setattr(layer, constant, factor * getattr(layer, constant))

    (explanation,) = explain_all(run(case(0, profile, **SQUARE), profile, fault=off))
    assert any(str(cause).startswith(words) for cause in explanation.causes)


def test_a_site_knows_the_layers_beside_it():
    profile = PROFILES["float64"]
    first, second = sites(run(case(0, profile, **SQUARE), profile))
    assert first.below is None and second.above is None
    np.testing.assert_array_equal(second.below.trace["S"], second.spikes_in)


@pytest.mark.parametrize(
    ("name", "index", "words"),
    [
        ("Q_final", (3, 0, 1), ", in sample 0 alone, in input 1 alone"),
        ("R_final", (3, 0, 1), ", in sample 0 alone, in neuron 1 alone"),
        ("m_W_final", (3, 0, 1), ", in neuron 0 alone, in input 1 alone"),
        ("u_b_final", (3, 0), ", in neuron 0 alone"),
        ("loss", (3,), ""),
    ],
)
def test_the_place_of_a_failure_is_named_by_what_the_axes_of_its_array_count(name, index, words):
    got = np.zeros((4, 2, 3)[: len(index)])
    got[index] = 1.0
    assert places(Slot(1, name, got, 0 * got, 0 * got)) == f"at step 3 alone (the last){words}"
