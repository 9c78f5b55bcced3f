import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cases import Case, identify, simulate
from decolle_ref.cli.main import main
from decolle_ref.decolle import lif
from decolle_ref.decolle.dialects import DIALECTS
from tests.support.cases import convolutional, make
from tests.support.identification import situation

GAINS = ("gain_Q", "gain_P")
EACH = pytest.mark.parametrize("dialect", DIALECTS)


def late(recorded, steps):
    """The same recording, `steps` steps late (early if negative), padded with zeros."""
    shifted = {}
    for name, x in recorded.items():
        pad = np.zeros_like(x[: abs(steps)])
        shifted[name] = np.concatenate([pad, x[:-steps]]) if steps > 0 else np.concatenate([x[-steps:], pad])
    return shifted


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("variables", ["QPRUS", "US", "U", "S", "R", "QP"])
def test_confusion_table_is_diagonal(variables, dtype):
    """Rows: the dialect that made the trace; columns: the dialects named, over networks of 20 steps."""
    networks = 6 if variables == "US" else 2
    table = np.zeros((5, 5), int)
    for row, dialect in enumerate(DIALECTS):
        for seed in range(networks):
            verdict = identify(*situation(dialect, variables, seed=seed, dtype=dtype))
            table[row] += [name in verdict.dialects for name in DIALECTS]
    print(f"{variables}, {dtype}\n{table}")
    np.testing.assert_array_equal(table, networks * np.eye(5, dtype=int))


@EACH
@pytest.mark.parametrize("lag", [-2, -1, 1, 2])
def test_a_lag_of_one_or_two_steps_is_recognised(dialect, lag):
    """The true dialect is among those named, with its lag; what else is named has the same U up to a lag."""
    case, about, recorded = situation(dialect, "US", steps=40)
    verdict = identify(case, about, late(recorded, lag))
    assert (dialect, lag) in {(name, m.lag) for m in verdict.matches for name in m.dialects}
    assert verdict.dialects == (dialect,)


def test_of_one_layer_paper_and_nonorm_are_one_class_up_to_a_lag():
    case, about, recorded = situation("paper", "US", sizes=(6, 5), steps=40)
    on_time, delayed = identify(case, about, recorded), identify(case, about, late(recorded, 1))
    assert on_time.dialects == ("paper",)
    assert "not to be told apart from decolle-nonorm recorded 1 step late" in str(on_time)
    assert delayed.dialects == ("paper", "decolle-nonorm")
    assert str(delayed).startswith("consistent with: paper or decolle-nonorm")


@EACH
def test_constant_factors_are_recognised(dialect):
    case, about, recorded = situation(dialect, "QPRUS", steps=40)
    for name, factor in (("layer1_R", -1.5), ("layer1_P", 20.0), ("layer2_Q", 0.25)):
        recorded[name] = factor * recorded[name]
    verdict = identify(case, about, recorded)
    assert verdict.dialects == (dialect,)
    (first, second) = verdict.best[0].fits
    assert first.factors["R"] == pytest.approx(-1.5) and first.factors["P"] == pytest.approx(20)
    assert second.factors["Q"] == pytest.approx(0.25)


@EACH
def test_spikes_recorded_one_step_after_the_potential_are_recognised(dialect):
    case, about, recorded = situation(dialect, "US", steps=40)
    for name in ("layer1_S", "layer2_S"):
        recorded |= late({name: recorded[name]}, 1)
    verdict = identify(case, about, recorded)
    assert verdict.dialects == (dialect,)
    assert verdict.best[0].fits[0].offsets["S"] == 1
    assert "layer 1 S 1 step late against U" in str(verdict)


@EACH
@pytest.mark.parametrize("variables", ["QPRUS", "US", "S"])
def test_decays_that_follow_from_tau_by_neither_formula_are_none_of_these(dialect, variables):
    """The implementation's membrane decays are 2 % off; the case still states tau and dt."""
    case, about, _ = situation(dialect, steps=60)
    wrong = {k: 1.25 * v if k.endswith("tau_mem") else v for k, v in case.arrays.items()}
    recorded = {k: v.astype(float) for k, v in simulate(Case(about, wrong)).items() if k[7:] in list(variables)}
    verdict = identify(case, about, recorded)
    assert verdict.dialects == () and verdict.matches == ()
    assert str(verdict).startswith("none of these") and verdict.rounding is None


def test_the_nearest_dialect_is_given_with_the_place_where_it_parts():
    case, about, recorded = situation("dcll", steps=40)
    recorded["layer2_U"][17, 1, 3] += 0.5
    verdict = identify(case, about, recorded)
    nearest = verdict.misses[0]
    assert (nearest.dialect, nearest.layer) == ("dcll", 2)
    assert (nearest.deviation.variable, nearest.deviation.step, nearest.deviation.unit) == ("U", 17, (1, 3))
    assert "dcll: parts in layer 2 at step 17, U of (sample, unit) (1, 3)" in str(verdict)


@pytest.mark.parametrize("difference", [1e-2, 1e-6, 1e-9, 1e-12])
def test_got_and_expected_are_printed_with_the_digits_that_tell_them_apart(difference):
    case, about, recorded = situation("dcll", steps=40)
    recorded["layer2_U"][17, 1, 3] *= 1 + difference
    line = next(line for line in str(identify(case, about, recorded)).splitlines() if line.startswith("  dcll"))
    got, expected = line.split("got ")[1].split(";")[0].split(", expected ")
    assert float(got) / float(expected) - 1 == pytest.approx(difference, rel=0.5, abs=0)
    assert max(len(got), len(expected)) <= (10 if difference > 1e-3 else 24)


def test_axes_that_no_named_dialect_has_are_spelled_out():
    about, arrays = make("dcll", steps=40)
    mixed = {axis: getattr(DIALECTS["dcll"], axis) for axis in DIALECTS["dcll"].__dataclass_fields__ if axis != "name"}
    case = Case(about | {"dialect": mixed | {"gains": "one"}}, arrays)
    case.arrays.update({k: 100 * v for k, v in arrays.items() if k.endswith("_W")})
    recorded = {k: v for k, v in simulate(case).items() if k[7:] in ("U", "S")}
    verdict = identify(case, about, recorded)
    assert verdict.dialects == ()
    assert verdict.best[0].hypothesis[:4] == ("euler", "one", 0, "gamma_w")
    assert str(verdict).startswith("no named dialect, but these axes reproduce the trace:")


def convolution(dialect, pool):
    """A lively case of one convolutional layer, pooled or not, and a dense one above it."""
    about, arrays = convolutional(pool)
    if pool == 1:
        del about["layers"][0]["pool"]
    arrays = {k: v for k, v in arrays.items() if "rate_" not in k}
    case = Case(about | {"dialect": dialect, "learn": False}, arrays)
    for k, layer in enumerate(case.network(), start=1):
        W, gain = np.abs(arrays[f"layer{k}_W"]), lif.trace_gain(layer.neuron).mean()
        arrays[f"layer{k}_W"] = (3, 40 / pool)[k - 1] * W / W.mean() / gain / np.prod(W.shape[1:])
        arrays[f"layer{k}_b"] = np.full_like(arrays[f"layer{k}_b"], -0.2)
    return case


@EACH
@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("variables", ["QPRUS", "U", "RS"])
def test_convolutional_layers_are_identified(dialect, pool, variables):
    case = convolution(dialect, pool)
    trace = simulate(case)
    assert min(trace["layer1_S"].sum(), trace["layer2_S"].sum()) >= 5
    recorded = {k: v.astype(float) for k, v in trace.items() if k[7:] in list(variables)}
    verdict = identify(case, case.about, recorded)
    assert verdict.dialects == (dialect,)


def test_a_convolution_that_reads_one_pixel_amiss_is_none_of_these():
    case = convolution("dcll", 2)
    flipped = case.arrays | {"layer1_W": case.arrays["layer1_W"][..., ::-1]}
    recorded = {k: v.astype(float) for k, v in simulate(Case(case.about, flipped)).items() if k[7:] in ("U", "S")}
    assert identify(case, case.about, recorded).matches == ()


def test_a_pooled_layer_is_identified_from_files(tmp_path, capsys):
    case = convolution("decolle", 2)
    cases.write(tmp_path / "case", case.about, case.arrays)
    assert main(["simulate", str(tmp_path / "case"), "--out", str(tmp_path / "trace")]) == 0
    assert main(["identify", str(tmp_path / "case"), str(tmp_path / "trace")]) == 0
    assert "consistent with: decolle\n" in capsys.readouterr().out


def test_the_spikes_of_pooling_windows_alone_are_refused():
    case = convolution("decolle", 2)
    S = {"layer1_S": simulate(case)["layer1_S"].astype(float)}
    with pytest.raises(InputError, match=r"trace: expected Q, P, R or U of a layer that pools, got S alone"):
        identify(case, case.about, S)


def test_ties_at_threshold_tell_the_comparison():
    """b = 0 and no input: U = 0 at every step until a spike; >= spikes, > does not."""
    for dialect in ("paper", "decolle-base"):
        about, arrays = make(dialect, sizes=(2, 2), steps=6, batch=1)
        arrays |= {"inputs": np.zeros((6, 1, 2), np.uint8), "layer1_b": np.zeros(2)}
        case = Case(about, arrays)
        recorded = {k: v for k, v in simulate(case).items() if k[7:] in ("U", "S")}
        thresholds = {m.hypothesis.threshold for m in identify(case, about, recorded).best}
        assert thresholds == {DIALECTS[dialect].threshold}


def test_given_decays_leave_the_formula_open():
    about, arrays = make("dcll", steps=40)
    for k in (1, 2):
        for tau, name in (("tau_mem", "alpha"), ("tau_syn", "beta"), ("tau_ref", "gamma")):
            arrays[f"layer{k}_{name}"] = 1 - 0.001 / arrays.pop(f"layer{k}_{tau}")
    about = about | {"constants": "decay"}
    case = Case(about, arrays)
    recorded = {k: v for k, v in simulate(case).items() if k[7:] in ("U", "S")}
    assert identify(case, about, recorded).dialects == ("dcll",)


def test_the_command_names_the_dialect(tmp_path, capsys):
    about, arrays = make("decolle", steps=30)
    cases.write(tmp_path / "case", about, arrays)
    cases.write(tmp_path / "unknown", about | {"dialect": None}, arrays)
    assert main(["simulate", str(tmp_path / "case"), "--out", str(tmp_path / "trace")]) == 0
    for file in (tmp_path / "trace").glob("layer*_[QPRY].npy"):
        file.unlink()
    assert main(["identify", str(tmp_path / "unknown"), str(tmp_path / "trace")]) == 0
    assert "consistent with: decolle\n" in capsys.readouterr().out
    spoiled = np.load(tmp_path / "trace" / "layer1_U.npy")
    spoiled[-1] += 1
    np.save(tmp_path / "trace" / "layer1_U.npy", spoiled)
    assert main(["identify", str(tmp_path / "unknown"), str(tmp_path / "trace")]) == 1
    assert capsys.readouterr().out.startswith("none of these")


@pytest.mark.parametrize(
    ("changes", "drop", "message"),
    [
        ({"steps": 19}, "", "trace: expected steps = 20 as in the case, got 19"),
        ({"layers": [{"n_in": 6, "n": 4}]}, "", r"trace: expected layers \(n_in, n\) .* as in the case"),
        ({}, "layer1", "trace: expected at least one of Q, P, R, U, S of layer 1, got none"),
    ],
)
def test_a_trace_that_does_not_fit_its_case_is_refused(changes, drop, message):
    case, about, recorded = situation("paper")
    kept = {k: v for k, v in recorded.items() if not (drop and k.startswith(drop))}
    with pytest.raises(InputError, match=message):
        identify(case, about | changes, kept)


def test_a_trace_of_something_else_is_none_of_these(rng):
    case, about, recorded = situation("paper")
    noise = {k: rng.normal(size=v.shape) for k, v in recorded.items() if k.endswith("U")}
    assert identify(case, about, noise).matches == ()


def test_nothing_recorded_proves_nothing():
    """All-zero potentials are no trace of a lively network times 0, and a lag beyond the trace compares nothing."""
    case, about, recorded = situation("paper")
    for variables in ("U", "P", "US"):
        zeros = {k: np.zeros_like(v) for k, v in recorded.items() if k[7:] in list(variables)}
        assert identify(case, about, zeros).dialects == ()
    case, about, recorded = situation("dcll", "US", steps=3)
    assert {m.lag for m in identify(case, about, recorded).matches} == {0}


def test_impossible_constants_are_refused_whatever_the_dialect(tmp_path):
    for dialect in (None, "paper"):
        about, arrays = make(dialect)
        with pytest.raises(InputError, match=r"layer2_tau_mem: expected finite numbers > 0 seconds, got -1.0"):
            cases.write(tmp_path / "case", about, arrays | {"layer2_tau_mem": np.array([0.02] * 4 + [-1.0])})


def test_case_maker_is_lively():
    """The confusion table means something only if every layer spikes."""
    for dialect in DIALECTS:
        for seed in range(6):
            _, _, recorded = situation(dialect, "S", seed=seed)
            assert min(recorded["layer1_S"].sum(), recorded["layer2_S"].sum()) >= 5
    assert lif.neuron().delta == 1
