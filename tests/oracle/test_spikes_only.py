"""Below L2, where spikes drive the reference: right traces pass or stay open, and wrong ones never pass."""

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cases import Case, simulate
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.oracle.check import pooling
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.spikes_only import driven
from decolle_ref.oracle.spikes_only.intervals import Intervals
from decolle_ref.oracle.trace import parse_trace
from tests.support.cases import make
from tests.support.oracle import spikes_only_check
from tests.support.spikes_only import ADAMAX, FORMATS, LEVELS, SGD, at, emulated, random_case, run


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["float64", "float32"])
def test_floats_decide_every_spike_and_know_the_weights(name, dialect, level):
    profile = at(level, name)
    case = random_case(profile, dialect, seed=1)
    verdict = spikes_only_check(case, run(case, profile), profile)
    assert verdict.status == "pass", str(verdict)
    assert verdict.decided == 12 * 2 * (5 + 4) and verdict.width < 0.05
    assert str(verdict).startswith("PASS: 216 spikes decided, 0 % undecided; weights known to ")


@pytest.mark.parametrize(("name", "most"), [("bfloat16", {"L1": 0.2, "L0": 0.8}), ("Q8.16", {"L1": 0.01, "L0": 0.1})])
@pytest.mark.parametrize("optimiser", [ADAMAX, SGD], ids=["adamax", "sgd"])
def test_narrow_formats_never_fail_and_leave_few_spikes_open(name, most, optimiser):
    for level in LEVELS:
        profile = at(level, name)
        for seed in (0, 1):
            case = random_case(profile, seed=seed, optimiser=optimiser)
            verdict = spikes_only_check(case, run(case, profile), profile)
            assert verdict.status != "fail", str(verdict)
            assert verdict.undecided <= most[level]
            assert (verdict.status == "pass") == (verdict.undecided == 0 and verdict.width < 1)


def test_what_is_open_is_inconclusive_and_counted():
    profile = at("L0", "bfloat16")
    case = random_case(profile)
    verdict = spikes_only_check(case, run(case, profile), profile)
    assert verdict.status == "inconclusive" and not verdict and 0 < verdict.undecided < 1
    assert verdict.decided == round((1 - verdict.undecided) * 216)
    assert str(verdict).startswith(f"INCONCLUSIVE: {verdict.decided} spikes decided, ")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("layer", "place"), [(1, (0, 0, 0)), (1, (7, 1, 4)), (2, (11, 0, 3))])
def test_one_flipped_spike_fails_where_it_is(layer, place, level):
    profile = at(level, "float32")
    case = random_case(profile)
    trace = run(case, profile)
    trace[f"layer{layer}_S"][place] = 1 - trace[f"layer{layer}_S"][place]
    verdict = spikes_only_check(case, trace, profile)
    failure = verdict.failure
    assert (failure.step, failure.layer, failure.equation, failure.index) == (place[0], layer, "S", place[1:])
    assert str(verdict).startswith(f"FAIL: step {place[0]}, layer {layer}, S[{place[1]}, {place[2]}]: expected ")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("dialect", ["paper", "decolle"])
def test_in_silence_at_threshold_nothing_is_rounded_and_the_wrong_comparison_fails(dialect, name, level):
    profile = at(level, name)
    case = random_case(profile, dialect, learn=False, steps=3, sizes=(3, 2))
    for letter in ("W", "b", "w"):
        case.arrays[f"layer1_{letter}"][:] = 0
    right = np.ones((3, 2, 2)) if dialect == "paper" else np.zeros((3, 2, 2))
    assert spikes_only_check(case, {"layer1_S": right}, profile).status == "pass"
    verdict = spikes_only_check(case, {"layer1_S": 1 - right}, profile)
    assert verdict.failure.step == 0 and verdict.decided == right.size


def test_a_tie_of_dyadic_numbers_is_decided_after_many_steps():
    # alpha = beta = 1/2, two spikes: P = 0, 0, 1, 1, 3/4, ...; U = P - 3/4 is 0 at step 4, having been above before
    case = random_case(at("L1"), learn=False, steps=6, sizes=(1, 1), batch=1)
    constants = {"alpha": 0.5, "beta": 0.5, "gamma": 0.5, "W": 1.0, "b": -0.75, "w": 0.0}
    for letter, x in constants.items():
        case.arrays[f"layer1_{letter}"][:] = x
    case.arrays["inputs"][:] = 0
    case.arrays["inputs"][0] = 1
    S = simulate(case)["layer1_S"]
    assert simulate(case)["layer1_U"][4] == 0 and S[:, 0, 0].tolist() == [0, 0, 1, 1, 1, 0]
    for name in FORMATS:
        assert spikes_only_check(case, {"layer1_S": S}, at("L1", name)).status == "pass"
        wrong = np.where(np.arange(6)[:, None, None] == 4, 0, S)
        assert spikes_only_check(case, {"layer1_S": wrong}, at("L1", name)).failure.step == 4


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["float32", "Q8.16"])
def test_a_rule_of_the_wrong_sign_fails(name, level):
    profile = at(level, name)
    case = random_case(profile, optimiser=SGD)
    for k in (1, 2):
        case.arrays[f"layer{k}_rate_b"][:] = 0.25
    assert spikes_only_check(case, emulated(case, profile), profile).status != "fail"
    verdict = spikes_only_check(case, emulated(case, profile, sign=-1), profile)
    assert verdict.status == "fail" and (level == "L0" or (verdict.failure.step, verdict.failure.equation) == (1, "b"))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FORMATS)
def test_weights_that_never_change_never_pass(name, level):
    profile = at(level, name)
    case = random_case(profile)
    trace = emulated(case, profile, sign=0)
    assert (trace["layer1_W"] == case.arrays["layer1_W"]).all()
    assert spikes_only_check(case, trace, profile).status != "pass"
    trace = run(case, profile)  # the right spikes, and weights that moved, but the trace has the initial ones
    trace |= {f"layer{k}_{x}_final": case.arrays[f"layer{k}_{x}"] for k in (1, 2) for x in "Wb"}
    assert spikes_only_check(case, trace, profile).status != "pass"


def test_weights_count_as_known_only_if_an_unchanged_one_would_be_noticed():
    assert driven.SpikesOnlyVerdict(at("L0"), 5, 0.0, 0.99, None).status == "pass"
    assert driven.SpikesOnlyVerdict(at("L0"), 5, 0.0, 1.0, None).status == "inconclusive"
    case = random_case(at("L0", "bfloat16"), optimiser=SGD)
    for k in (1, 2):
        case.arrays[f"layer{k}_rate_W"][:] = 2.0**-20  # changes far below the last place of W
    assert spikes_only_check(case, emulated(case, at("L0", "bfloat16")), at("L0", "bfloat16")).width > 1


def pooled(dialect, seed=0):
    """A pooled convolution below a dense layer."""
    about, _ = make(dialect, learn=True, sizes=(16, 5), steps=12)
    conv = {"channels_in": 1, "height": 5, "width": 5, "channels": 2, "kernel": 2}
    common = {"n_out": 2, "loss": "cross_entropy", "reduction": "mean", "lambda1": 0.1, "lambda2": 0.2}
    layers = [{"n_in": 25, "n": 32, "conv": conv, "pool": 2}, {"n_in": 8, "n": 3, "activity": "membrane"}]
    about |= {"constants": "decay", "optimiser": SGD, "layers": [layer | common for layer in layers]}
    rng, ranges = np.random.default_rng(seed), {"W": (-1, 1), "G": (-1, 1), "b": (-0.3, 0.1), "target": (0, 1)}
    ranges |= {"alpha": (0.2, 0.7), "beta": (0.2, 0.7), "gamma": (0.2, 0.8), "w": (0.2, 1), "c": (-1, 1)}
    ranges |= {"rate_W": (0.01, 0.1), "rate_b": (0.01, 0.1)}
    shapes = cases.shapes(about).items()
    arrays = {name: rng.uniform(*ranges.get(name.split("_", 1)[-1], (0, 1)), shape) for name, shape in shapes}
    return Case(about, arrays | {"inputs": (arrays["inputs"] < 0.4).astype(float)})


@pytest.mark.parametrize("dialect", ["paper", "dcll", "decolle"])
def test_below_a_pool_the_neurons_own_spikes_are_inferred(dialect):
    case = pooled(dialect)
    trace = simulate(case, gradients=True)
    own = case.network()[0].surrogate.spike(trace["layer1_U"])
    assert (own.sum() > trace["layer1_S"].sum() > 0) and trace["layer2_S"].any()
    for level in LEVELS:
        verdict = spikes_only_check(case, trace, at(level))
        assert verdict.undecided < 0.1 and verdict.status != "fail", str(verdict)
        assert level == "L0" or verdict.undecided == 0, str(verdict)
    for place in ((0, 1, 3), (8, 0, 7)):
        wrong = trace["layer1_S"].copy()
        wrong[place] = 1 - wrong[place]
        failure = spikes_only_check(case, trace | {"layer1_S": wrong}, at("L1")).failure
        assert (failure.step, failure.layer, failure.equation, failure.index) == (place[0], 1, "S", place[1:])


def test_an_undecided_winner_leaves_the_error_open_between_its_neurons():
    case = pooled("paper")
    operands = parse_trace(case, simulate(case, gradients=True), at("L1")).layers[0]
    U = exact(np.full((1, 32), -1.0))
    U.value[0, [0, 1, 9]] = 0.25, 0.5, 0.5  # window 0 is neurons 0, 1, 4, 5; window 2 is 8, 9, 12, 13
    U.err[0, [0, 1]] = 0.2
    u, wins = pooling.transmitted(operands, Intervals(at("L1")), U, np.full((1, 32), np.nan))
    assert np.flatnonzero(wins[0])[:4].tolist() == [0, 1, 2, 9]  # of equals, in window 1, the first
    assert (u.value[0, 0] - u.err[0, 0], u.value[0, 0] + u.err[0, 0]) == pytest.approx((0.3, 0.7))
    routed = pooling.routed(operands, exact(np.full((1, 8), -2.0)), wins)
    assert (routed.value[0, [0, 1]] == -1).all() and (routed.err[0, [0, 1]] == 1).all()
    assert routed.value[0, 9] == -2 and routed.err[0, 9] == 0 and not routed.value[0, 4:8].any()
    spikes = driven.neuron_spikes(operands, Bounded(U.value, U.err + 0.7), np.eye(8)[:1])
    assert (spikes.value[0, [0, 1]] == 0.5).all() and (spikes.err[0, [0, 1]] == 0.5).all()
    assert spikes.value[0, 9] == spikes.err[0, 9] == 0  # its window was silent


BAD = {
    "expected an array layer2_S at level L1, got none": lambda trace: trace.pop("layer2_S"),
    "expected an array layer1_b_final at level L1, got none": lambda trace: trace.pop("layer1_b_final"),
    "trace layer1_S: expected spikes 0 or 1, got 0.5": lambda trace: trace["layer1_S"].put(3, 0.5),
    "trace layer1_W: expected finite numbers, got nan at (0, 0, 1)": lambda trace: trace["layer1_W"].put(1, np.nan),
    "trace layer2_W_final: expected shape (4, 5), got (5, 4)": lambda trace: trace.update(
        layer2_W_final=trace["layer2_W_final"].T
    ),
    "trace layer2_S: expected numbers, got dtype object": lambda trace: trace.update(
        layer2_S=trace["layer2_S"].astype(object)
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_arrays_are_refused_in_one_line(message):
    case = random_case(at("L1"))
    trace = simulate(case, gradients=True)
    BAD[message](trace)
    with pytest.raises(InputError) as problem:
        spikes_only_check(case, trace, at("L1"))
    assert message in str(problem.value) and "\n" not in str(problem.value)


def test_only_levels_below_L2_are_taken():
    case = random_case(at("L1"))
    with pytest.raises(InputError, match="profile level: expected one of L0, L1, got 'L2'"):
        spikes_only_check(case, simulate(case, gradients=True), PROFILES["float64"])
