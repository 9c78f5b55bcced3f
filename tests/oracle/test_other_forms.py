"""Traces that show less or other numbers than an implementation keeps: correct ones pass, mistakes are still found."""

from dataclasses import replace

import numpy as np
import pytest

from decolle_ref._util.verdict import within
from decolle_ref.cases import Case
from decolle_ref.decolle.objective import Objective, cross_entropy
from decolle_ref.oracle.check import learning
from decolle_ref.oracle.check.error_bounds import Arithmetic, exact
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.vectors import select
from tests.support.faulty_backends import FAULTS, SQUARE, case
from tests.support.oracle import residual_check, spikes_only_check
from tests.support.valid_variants import make, softmax
from tests.support.variations import VALID_VARIANTS, Machine, Variation

FORMS = "delta R kept", "P and Q kept without gain", "gains folded into W", "a wider format inside"
CONVOLUTIONS = range(2, 20, 3)  # seeds of cases with a convolution


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name in FAULTS if name != "U adds R"])  # -delta R kept as delta R is R < 0
def test_a_mistake_is_found_in_every_form(name, form):
    equation, fault, settings = FAULTS[name]
    profile = VALID_VARIANTS[form].declared(PROFILES["float32"])
    example = case(0, profile, **SQUARE | settings)
    verdict = residual_check(
        example, make(profile, VALID_VARIANTS[form], fault)(example.about, example.arrays), profile
    )
    assert verdict.failure is not None
    assert (verdict.failure.equation, verdict.failure.ratio > 20) == (equation, True)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_is_not_declared_may_be_a_failure(form):
    variation, profile = VALID_VARIANTS[form], PROFILES["float32"]
    examples = [case(seed, profile) for seed in range(40)]
    traces = [make(variation.declared(profile), variation)(x.about, x.arrays) for x in examples]
    assert not all(residual_check(x, trace, profile) for x, trace in zip(examples, traces, strict=True))


@pytest.mark.parametrize("level", ["L0", "L1"])
@pytest.mark.parametrize("name", ["float32", "bfloat16", "Q8.16"])
def test_no_form_fails_below_level_L2(name, level):
    for form in FORMS:
        variation = VALID_VARIANTS[form]
        declared = variation.declared(PROFILES[name])
        for seed in (0, 5) if declared else ():
            example = case(seed, declared)
            trace = make(declared, variation)(example.about, example.arrays)
            verdict = spikes_only_check(example, trace, replace(declared, level=level))
            assert verdict.status != "fail", (form, seed, str(verdict))


def test_a_wrong_convolution_is_found_within_the_bound_of_an_fft():
    variation = VALID_VARIANTS["convolution by FFT"]
    profile = variation.declared(PROFILES["float32"])
    found = 0
    for seed in CONVOLUTIONS:
        example = case(seed, profile)
        kernel = example.arrays["layer1_W"]
        flipped = {"layer1_W": kernel[:, :, ::-1, ::-1]}
        right = make(profile, variation)(example.about, example.arrays)
        wrong = make(profile, variation)(example.about, example.arrays | flipped)
        kept = {name: wrong[name] if name == "layer1_U" else x for name, x in right.items()}
        assert residual_check(example, right, profile)
        if (right["layer1_U"] != wrong["layer1_U"]).any():
            verdict = residual_check(example, kept, profile)
            assert verdict.failure is not None and verdict.failure.equation in ("U", "S")
            found += verdict.worst()[1, "U"] > 100
    assert found > 3


def test_either_winner_is_right_where_a_format_makes_a_tie():
    profile = PROFILES["bfloat16"]
    plain, last = Variation(), VALID_VARIANTS["the last of equal sigmas"]
    different = 0
    for seed in range(2, 50, 3):
        example = case(seed, profile, "dcll")
        first, other = (make(profile, x)(example.about, example.arrays) for x in (plain, last))
        different += any((first[name] != other[name]).any() for name in first)
        assert residual_check(example, first, profile) and residual_check(example, other, profile)
    assert different > 1


def test_a_winner_that_is_not_the_largest_fails():
    profile, losers = PROFILES["bfloat16"], 0
    for seed in range(2, 40, 3):
        example = case(seed, profile, "dcll")
        if "pool" not in example.about["layers"][0]:
            continue
        trace = make(profile, fault=lambda layer: setattr(layer, "by_sigma", False))(example.about, example.arrays)
        wrong = make(profile, fault=smallest)(example.about, example.arrays)
        assert residual_check(example, trace, profile)  # the largest U has the largest sigma
        losers += not residual_check(example, wrong, profile)
    assert losers > 3


def smallest(layer):
    """The smallest of every window wins."""
    winners = layer.connections.winners
    layer.connections.winners = lambda U, key: winners(-U, -key)


def test_equal_potentials_have_the_first_as_winner():
    profile = PROFILES["float32"]
    example = next(x for x in (case(seed, profile, "dcll") for seed in CONVOLUTIONS) if "pool" in x.about["layers"][0])
    still = {name: 0 * x for name, x in example.arrays.items() if name.endswith(("_W", "_R0")) or name == "inputs"}
    example = Case(example.about | {"learn": False}, example.arrays | still)

    def last(layer):
        if layer.connections.pool:
            windows = layer.connections.pool.windows()
            layer.connections.winners = lambda U, key: np.broadcast_to(windows[:, -1], (len(U), len(windows)))

    assert residual_check(example, make(profile)(example.about, example.arrays), profile)
    verdict = residual_check(example, make(profile, fault=last)(example.about, example.arrays), profile)
    assert verdict.failure is not None and verdict.failure.equation == "delta"


def test_powers_of_two_for_exp_are_within_the_bound_of_the_softmax_far_out():
    rng, machine = np.random.default_rng(5), Machine(PROFILES["float32"], VALID_VARIANTS["exp by powers of two"])
    Y, target = machine.fit(rng.uniform(-60, 60, (500, 2, 3))), np.zeros((500, 2, 3))
    target[..., 0] = 1
    got = np.stack([machine.add(softmax(machine, *pair), -pair[1]) for pair in zip(Y, target, strict=True)])
    expected = learning.error(Objective(cross_entropy, "sum"), exact(Y), target, Arithmetic(PROFILES["float32"]))
    assert within(got, *expected).all()
    assert not within(got * (1 + 1e-4), *expected).all()


def test_a_decay_that_a_format_rounds_to_one_is_the_largest_below_it():
    (vector,) = select(PROFILES["bfloat16"], seed=0, only="saturation-traces")
    assert (vector.arrays["layer1_gamma"] == 1 - 2.0**-8).all()
