"""Below L2, where spikes drive the reference: right traces pass or stay open, and wrong ones never pass."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cases import Case, simulate
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.surrogate import SURROGATES
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.spikes_only import bounded_learning, driven
from decolle_ref.oracle.spikes_only.intervals import Intervals, chosen, grain
from decolle_ref.oracle.trace import parse_trace
from tests.support.cases import make
from tests.support.oracle import spikes_only_check

LEVELS = "L0", "L1"
FORMATS = "float64", "float32", "bfloat16", "Q8.16"
ADAMAX, SGD = {"kind": "adamax"}, {"kind": "sgd"}
TAUS = {"tau_mem": "alpha", "tau_syn": "beta", "tau_ref": "gamma"}


def at(level, name="float64"):
    return replace(PROFILES[name], level=level)


def random_case(profile, dialect="paper", seed=0, optimiser=ADAMAX, learn=True, **settings):
    """A case whose numbers the profile holds, with decays, and with learning rates that 16 bits resolve."""
    dtype = "float32" if profile.format == "float32" else "float64"
    about, arrays = make(dialect, seed, dtype=dtype, learn=learn, optimiser=optimiser, **{"steps": 12} | settings)
    quantised = {}
    for name, x in arrays.items():
        layer, _, letter = name.partition("_")
        if letter in TAUS:
            name, x = f"{layer}_{TAUS[letter]}", np.exp(-about["dt"] / x)
        if letter in ("rate_W", "rate_b"):
            x = np.full_like(x, np.abs(arrays[f"{layer}_{letter[-1]}"]).mean() / 32)
        quantised[name] = x if name == "inputs" else profile.quantise(x).astype(dtype)
    return Case(about | {"constants": "decay"}, quantised)


def emulated(case, profile, sign=1):
    """Dense layers with squared errors, rounded after every operation; W and b move by `sign` times the rule."""
    trace, S = {}, case.inputs.astype(float)
    for k, layer in enumerate(case.network(), 1):
        arrays = {name.removeprefix(f"layer{k}_"): x.astype(float) for name, x in case.arrays.items()}
        rows = emulated_layer(case, layer, arrays, S, profile, sign)
        S = rows["S"]
        trace |= {f"layer{k}_{name}": x for name, x in rows.items()}
    return trace


def emulated_layer(case, layer, arrays, S_in, profile, sign):
    q, dialect, neuron = profile.quantise, case.dialect(), layer.neuron
    gains = {"one": lambda x: x**0, "leak": lambda x: q(1 - x), "inverse": lambda x: q(1 / q(1 - x))}[dialect.gains]
    strength = {"w": arrays["w"] ** 0, "gamma_w": arrays["gamma"], "leak_w": q(1 - arrays["gamma"])}[dialect.refractory]

    def times(a, M):
        return q(q(a[..., None, :] * M).sum(axis=-1)) if profile.fixed else q(a @ M.T)

    theta, sigma = {x: arrays[x] for x in "Wb"}, layer.surrogate
    P = Q = np.zeros(S_in.shape[1:])
    R, u, rows = (
        np.zeros((len(P), len(arrays["b"]))),
        {x: 0 * arrays[x] for x in "Wb"},
        {x: [] for x in ("S", "W", "b")},
    )
    for n, spikes in enumerate(S_in):
        new_Q = q(q(arrays["beta"] * Q) + q(gains(arrays["beta"]) * spikes))
        new_P = q(q(arrays["alpha"] * P) + q(gains(arrays["alpha"]) * (new_Q if neuron.P_reads else Q)))
        read, P, Q = new_P if neuron.U_reads else P, new_P, new_Q
        U = q(times(read, theta["W"]) + theta["b"] - q(q(strength * arrays["w"]) * R))
        S = sigma.spike(U)
        for name, x in {"S": S, **theta}.items():
            rows[name].append(x)
        Y = q(times(q(getattr(sigma, layer.activity)(U)), arrays["G"]) + arrays["c"])
        e = q(q(Y - arrays["target"][n]) * q(np.asarray(1 / Y.size)))
        delta = q(times(e, arrays["G"].T) * q(sigma.derivative(U)))
        for x, g in {"W": times(delta.T, read.T), "b": q(delta.sum(axis=0))}.items():
            if case.about["optimiser"] == ADAMAX:
                u[x] = np.maximum(q(q(np.asarray(0.95)) * u[x]), q(np.abs(g) + q(np.asarray(1e-8))))
                g = q(g / np.where(u[x] == 0, 1, u[x]))
            theta[x] = q(theta[x] - sign * q(arrays[f"rate_{x}"] * g))
        R = q(q(arrays["gamma"] * R) + S)
    return {name: np.stack(x) for name, x in rows.items()} | {f"{x}_final": theta[x] for x in "Wb"}


def run(case, profile, **changes):
    """A float format is computed by the reference in it, the others are emulated."""
    return (
        simulate(case, gradients=True)
        if profile.format in ("float64", "float32")
        else emulated(case, profile, **changes)
    )


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


def test_what_is_intervalis_inconclusive_and_counted():
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


def test_an_undecided_winner_leaves_the_error_intervalbetween_its_neurons():
    case = pooled("paper")
    operands = parse_trace(case, simulate(case, gradients=True), at("L1")).layers[0]
    U = exact(np.full((1, 32), -1.0))
    U.value[0, [0, 1, 9]] = 0.25, 0.5, 0.5  # window 0 is neurons 0, 1, 4, 5; window 2 is 8, 9, 12, 13
    U.err[0, [0, 1]] = 0.2
    u, wins = driven.transmitted(operands, Intervals(at("L1")), U, np.zeros((1, 32), bool))
    assert np.flatnonzero(wins[0])[:4].tolist() == [0, 1, 2, 9]  # of equals, in window 1, the first
    assert (u.value[0, 0] - u.err[0, 0], u.value[0, 0] + u.err[0, 0]) == pytest.approx((0.3, 0.7))
    routed = bounded_learning._routed(operands, exact(np.full((1, 8), -2.0)), wins)
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


number, size = st.floats(-4, 4), st.floats(0, 2)


@given(st.sampled_from(sorted(SURROGATES)), number, size, st.floats(-1, 1))
def test_sigma_and_its_slope_lie_within_their_bounds_anywhere_in_the_interval(name, u, err, where):
    surrogate, arithmetic = SURROGATES[name], Intervals(at("L1"))
    x, inside = Bounded(np.asarray(u), np.asarray(err)), np.asarray(u + where * err)
    for bound, f in ((arithmetic.sigma, surrogate.primitive), (arithmetic.slope, surrogate.derivative)):
        result = bound(surrogate, x)
        assert abs(f(inside) - result.value) <= result.err + 1e-15
    assert bound(surrogate, exact(np.asarray(u))).err < 1e-14


@given(number, size, st.floats(0, 3), st.floats(0, 1), *[st.floats(-1, 1)] * 2)
def test_a_step_of_adamax_lies_within_its_bound_anywhere_in_the_intervals(g, err, u, room, where, there):
    arithmetic = Intervals(at("L1"))
    moments = Bounded(np.asarray(u), np.asarray(room))
    ratio, (_, after) = bounded_learning.adamax(
        Adamax(), arithmetic, Bounded(np.asarray(g), np.asarray(err)), exact(np.zeros(())), moments
    )
    inside, old = g + where * err, max(u + there * room, 0)
    new = max(0.95 * old, abs(inside) + 1e-8)
    assert abs(inside / new - ratio.value) <= ratio.err * (1 + 1e-12)
    assert abs(new - after.value) <= after.err * (1 + 1e-12)
    assert ratio.err <= 1 + 1e-12  # never wider than from -1 to 1


@given(st.sampled_from(FORMATS), *[st.integers(-(2**20), 2**20)] * 2, *[st.integers(-20, 6)] * 2)
def test_what_the_format_holds_is_not_rounded(name, i, j, k, m):
    profile = PROFILES[name]
    arithmetic, x, y = Intervals(profile), np.asarray(i * 2.0**k), np.asarray(j * 2.0**m)
    for result, value in (
        (arithmetic.multiply(exact(x), exact(y)), x * y),
        (arithmetic.add(exact(x), exact(y)), x + y),
    ):
        assert result.err > 0 or (result.value == value and (profile.quantise(value) == value or x * y in (0, x, y)))
    assert i == 0 or (x / grain(x)) % 2 == 1
    interval = Bounded(np.asarray(3.0), np.asarray(0.5))
    for same in (arithmetic.multiply(exact(np.ones(())), interval), arithmetic.add(interval, exact(np.zeros(())))):
        assert same == chosen(np.asarray(True), interval, interval)
    assert arithmetic.multiply(interval, exact(np.zeros(()))) == (0, 0)
