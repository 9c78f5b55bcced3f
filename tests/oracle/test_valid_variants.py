"""No false alarm and no missed error: many correct implementations in five number formats, and wrong ones."""

from collections import defaultdict

import numpy as np
import pytest

from decolle_ref.cases import Case
from decolle_ref.oracle.diagnose import explain
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.trace import parse_trace
from tests.support.faulty_backends import FAULTS, NAMELESS, SQUARE, case
from tests.support.oracle import residual_check
from tests.support.valid_variants import make
from tests.support.variations import VALID_VARIANTS, mixed

STRICT = "float64", "float32", "Q8.16"
FIVE = "float64", "float32", "bfloat16", "float16", "Q8.16"
SEEDS, STUDY, PARTS = 2, 400, 5
SHOWS_IN = {"flush to zero": "float16", "the last of equal sigmas": "bfloat16"}  # in float32 these are too rare
SAME = "split in two runs"  # whose numbers must not change at all


def run(example, profile, *variation, **fault):
    return make(profile, *variation, **fault)(example.about, example.arrays)


def passes(seeds, profile, variations):
    """The number of checks and the largest ratio of every equation; raises for the first that does not hold."""
    worst, checks = defaultdict(float), 0
    for seed in seeds:
        example = case(seed, profile)
        for variation in variations(seed):
            declared = variation.declared(profile)
            if declared is None:
                continue
            verdict = residual_check(example, run(example, declared, variation), declared)
            assert verdict, (seed, variation, verdict.failure)
            checks += 1
            for (_, equation), ratio in verdict.worst().items():
                worst[equation] = max(worst[equation], ratio)
    return checks, worst


# --- correct implementations


def test_the_cases_are_lively():
    rates = [
        run(example, PROFILES["float64"])[f"layer{k}_S"].mean()
        for example in (case(seed, PROFILES["float64"]) for seed in range(25))
        for k in (1, 2)
    ]
    assert np.mean([0 < rate < 1 for rate in rates]) > 0.8
    assert 0.3 < np.mean(rates) < 0.7


@pytest.mark.parametrize("variation", VALID_VARIANTS.values(), ids=VALID_VARIANTS)
@pytest.mark.parametrize("name", PROFILES)
def test_a_correct_variation_passes(name, variation):
    passes(range(SEEDS), PROFILES[name], lambda seed: [variation])


@pytest.mark.parametrize("name", PROFILES)
def test_several_liberties_at_once_pass(name):
    passes(range(2 * SEEDS), PROFILES[name], lambda seed: [mixed(seed, PROFILES[name])])


@pytest.mark.study
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", FIVE)
def test_every_correct_variation_passes_over_400_seeds(name, part):
    seeds = range(part * STUDY // PARTS, (part + 1) * STUDY // PARTS)
    checks, worst = passes(seeds, PROFILES[name], lambda seed: [*VALID_VARIANTS.values(), mixed(seed, PROFILES[name])])
    print(name, part, checks, {equation: round(ratio, 3) for equation, ratio in worst.items()})
    assert max(worst.values()) <= 1


@pytest.mark.parametrize("variation", [v for v in VALID_VARIANTS.values() if v.name != "plain"], ids=lambda v: v.name)
def test_a_variation_changes_some_number(variation):
    profile = PROFILES[SHOWS_IN.get(variation.name, "float32")]

    def differs(seed):
        example = case(seed, profile)
        plain, varied = run(example, profile), run(example, variation.declared(profile), variation)
        return any((plain[name] != varied[name]).any() for name in plain)

    assert any(differs(seed) for seed in range(60)) == (variation.name != SAME)


def test_sums_that_saturate_on_the_way_pass():
    profile = PROFILES["Q8.16"]
    steps = VALID_VARIANTS["fused with the decay"]  # rounds and saturates after every product
    example = case(4, profile, sizes=(6, 5, 4))
    loud = np.clip(400 * example.arrays["layer1_W"], -200, 200)
    example = Case(example.about, example.arrays | {"layer1_W": profile.quantise(loud)})
    wide, narrow = run(example, profile), run(example, profile, steps)
    assert (np.abs(wide["layer1_U"][0] - narrow["layer1_U"][0]) > 1).any()
    assert residual_check(example, wide, profile) and residual_check(example, narrow, profile)


def test_a_potential_on_the_edge_of_a_regulariser_may_fall_on_either_side_of_it():
    profile = PROFILES["float32"]  # in which 0.01 is a little less, and U + 0.01 > 0 does not hold at U = -0.01
    example = case(0, profile, "paper", sizes=(2, 2, 2), learn=False)
    edge = {f"layer{k}_b": np.full(2, -profile.quantise(0.01)) for k in (1, 2)}
    still = {name: 0 * x for name, x in example.arrays.items() if name.endswith(("_W", "_w"))}
    layers = [layer | {"lambda1": 0.5, "lambda2": 0.0} for layer in example.about["layers"]]
    example = Case(example.about | {"layers": layers}, example.arrays | still | edge)
    trace = run(example, profile)
    assert (trace["layer1_U"] + 0.01 > 0).all() and (trace["layer1_U"] + profile.quantise(0.01) == 0).all()
    assert residual_check(example, trace, profile)


# --- faulty implementations


def faulty(name, seed, profile):
    """(case, trace, verdict) of a faulty backend, whose fault must change the numbers of its equation."""
    equation, fault, settings = FAULTS[name]
    example = case(seed, profile, **SQUARE | settings)
    right, wrong = run(example, profile), run(example, profile, fault=fault)
    assert any((right[f"layer{k}_{equation}"] != wrong[f"layer{k}_{equation}"]).any() for k in (1, 2)), "inert"
    return example, wrong, residual_check(example, wrong, profile)


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("format", STRICT)
def test_a_faulty_backend_is_caught_at_its_equation_and_named(format, name):
    profile = PROFILES[format]
    if profile.fixed and "optimiser" in FAULTS[name][2]:
        pytest.skip("fixed point has no Adamax, whose eps it cannot hold")
    for seed in range(SEEDS):
        example, trace, verdict = faulty(name, seed, profile)
        assert verdict.failure is not None
        assert verdict.failure.equation == FAULTS[name][0]
        assert verdict.failure.ratio > 2
        assert explain(parse_trace(example, trace, profile), verdict.failure) == ([] if name in NAMELESS else [name])


def test_an_undeclared_tf32_product_is_caught():
    ratios = []
    for seed in range(10):
        example = case(seed, PROFILES["float32"])
        trace = run(example, PROFILES["tf32"])
        assert residual_check(example, trace, PROFILES["tf32"])
        verdict = residual_check(example, trace, PROFILES["float32"])
        assert verdict.failure is not None and verdict.failure.equation in ("U", "Y", "delta", "dW")
        ratios.append(max(verdict.worst().values()))
    print("undeclared TF32:", sorted(round(ratio) for ratio in ratios))
    assert min(ratios) > 100


@pytest.mark.parametrize(
    ("declared", "computed", "hypothesis"),
    [
        ("at_or_above", "above", "S = 1 only above the threshold"),
        ("above", "at_or_above", "S = 1 at the threshold too"),
    ],
)
def test_the_wrong_side_of_the_threshold_is_caught_by_an_exact_tie(declared, computed, hypothesis):
    profile = PROFILES["float32"]
    example = case(0, profile, "paper", loss="squared_error")
    zero = {name: 0 * x if name.endswith(("_W", "_b", "_w", "_R0")) else x for name, x in example.arrays.items()}
    example = Case(example.about | {"dialect": {"threshold": declared}, "learn": False}, zero)
    right, wrong = run(example, profile), make(profile)(example.about | {"dialect": {"threshold": computed}}, zero)
    assert (right["layer1_U"] == 0).all() and (right["layer1_S"] != wrong["layer1_S"]).all()
    verdict = residual_check(example, wrong, profile)
    assert residual_check(example, right, profile)
    assert verdict.failure is not None and (verdict.failure.step, verdict.failure.equation) == (0, "S")
    assert explain(parse_trace(example, wrong, profile), verdict.failure)[0] == hypothesis


@pytest.mark.parametrize("name", PROFILES)
def test_a_backend_that_does_not_compute_is_rejected(name):
    profile = PROFILES[name]
    for seed in range(SEEDS):
        example = case(seed, profile, **SQUARE)
        other = case(seed + 100, profile, example.about["dialect"], **SQUARE)
        right = run(example, profile)
        deaf = run(Case(example.about, example.arrays | {"inputs": 0 * example.inputs}), profile)
        assert residual_check(example, right, profile)
        assert not residual_check(example, run(other, profile), profile)  # echoes another case
        assert not residual_check(example, deaf, profile)
        assert not residual_check(example, {key: 0 * x for key, x in right.items()}, profile)
