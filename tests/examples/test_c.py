"""The C programs of examples/c: float32 against the simulator, fixed point against its integer model, bit for bit."""

import importlib.util
import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cases import simulate
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.lif import from_decays, trace_gain

EXAMPLES = Path(__file__).parents[2] / "examples"
CC = shutil.which("cc")
pytestmark = pytest.mark.skipif(CC is None, reason="needs a C compiler, cc")
WRITTEN = ("Q", "P", "R", "U", "S", "Y", "e", "delta", "dW", "db", "W", "b")
FINAL = ("W_final", "b_final", "P_final", "Q_final", "R_final")
MEMORY = ("m_W_final", "m_b_final", "u_W_final", "u_b_final")
SGD = {"kind": "sgd"}
ADAMAX = {"kind": "adamax", "beta2": 0.9375, "eps": 2**-16}
IMAGE = {"channels_in": 2, "height": 5, "width": 6, "channels": 3, "kernel": 3, "stride": 1, "padding": 1}

spec = importlib.util.spec_from_file_location("fixed_point", EXAMPLES / "fixed_point.py")
fixed_point = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixed_point)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The two programs, compiled as their first lines say."""
    folder = tmp_path_factory.mktemp("programs")
    for name in ("decolle", "decolle_fixed"):
        build = [CC, "-O2", "-std=c99", "-o", str(folder / name), f"{name}.c", "-lm"]
        subprocess.run(build, cwd=EXAMPLES / "c", check=True, timeout=60)
    return folder


def quantised(x):
    """The nearest multiples of 2^-16."""
    return np.rint(np.asarray(x, np.float64) * 65536) / 65536


def shape(sizes, conv):
    """The sizes of each layer in case.json: dense layers, or a convolution below a dense layer."""
    if not conv:
        return [{"n_in": n_in, "n": n} for n_in, n in pairwise(sizes)]
    first = {"n_in": 60, "n": 90, "conv": IMAGE, "pool": 2}
    return [first, {"n_in": 18, "n": 4}]


def make(dialect, seed=0, sizes=(6, 5, 4), steps=20, batch=2, conv=False, layer=None, given=False, **changes):
    """(about, arrays) of a lively network with decays, in numbers that Q8.16 and float32 both hold."""
    rng = np.random.default_rng(seed)
    speaker, layers = DIALECTS[dialect], shape(sizes, conv)
    arrays = {"inputs": (rng.random((steps, batch, layers[0]["n_in"])) < 0.4).astype(np.uint8)}
    for k, about in enumerate(layers, start=1):
        about |= {"n_out": 2, "loss": "squared_error", "reduction": "mean", **(layer or {})}
        n_read = cases.width(about)
        n_in, n, of = about["n_in"], about["n"], cases.connections(about)[0].shapes
        decays = [quantised(rng.uniform(*bounds)) for bounds in ((0.5, 0.8, n_in), (0.3, 0.6, n_in), (0.5, 0.8, n))]
        unit = from_decays(*decays, dialect=speaker)
        gain, fan_in = trace_gain(unit).mean(), np.prod(of[0][1:])
        own = {
            "W": rng.uniform(-1, 2, of[0]) * 4 / np.sqrt(fan_in) / gain,
            "b": -rng.uniform(0.05, 0.3, of[1]),
            "G": rng.uniform(-1, 1, (2, n_read)),
            "c": rng.uniform(-0.1, 0.1, 2),
            "w": rng.uniform(0.5, 1.5, n) / speaker.value("refractory")(unit.gamma),
            **dict(zip(("alpha", "beta", "gamma"), decays, strict=True)),
            "target": rng.normal(size=(steps, batch, 2)),
            "rate_W": rng.uniform(1, 20, of[0] if "conv" in about else n_in) / 4096 / gain,
            "rate_b": np.full(of[1], 1 / 256),
            "P0": rng.uniform(0, gain / 2, (batch, n_in)),
            "Q0": rng.uniform(0, 2, (batch, n_in)),
            "R0": rng.uniform(0, 1, (batch, n)),
        }
        arrays |= {f"layer{k}_{name}": quantised(array).astype(np.float32) for name, array in own.items()}
    about = {
        "name": 'a "small" one',
        "dialect": dialect,
        "dtype": "float32",
        "constants": "decay",
        "steps": steps,
        "batch": batch,
        "initial_state": "given" if given else "rest",
        "targets": True,
        "learn": "optimiser" in changes,
        "layers": layers,
    } | changes
    return about, {name: array for name, array in arrays.items() if name in cases.shapes(about)}


def write(folder, about, arrays):
    """Write a case, and read it again."""
    cases.write(folder, about, arrays)
    return cases.read(folder)


def run(program, case, out):
    return subprocess.run([program, case, out], capture_output=True, text=True, timeout=30)


def result(program, case, out):
    """The arrays of the trace that a program writes."""
    done = run(program, case, out)
    assert (done.returncode, done.stderr) == (0, "")
    return {file.stem: np.load(file, allow_pickle=False) for file in out.glob("*.npy")}


def against_simulate(program, folder, about, arrays):
    """Every array has the shape that the simulator gives it; spikes are equal, the rest within float32's accuracy."""
    case = write(folder / "case", about, arrays)
    got, expected = result(program, folder / "case", folder / "trace"), simulate(case, gradients=True)
    count = len(about["layers"])
    names = (*WRITTEN, *FINAL, *(MEMORY if about.get("optimiser", SGD) != SGD else ()))
    assert set(got) == {f"layer{k}_{x}" for k in range(1, count + 1) for x in names}
    for name, array in got.items():
        assert array.dtype == np.float32 and array.shape == expected[name].shape, name
        size = np.abs(expected[name]).max()
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-4 * size, err_msg=name)
    for k in range(1, count + 1):
        np.testing.assert_array_equal(got[f"layer{k}_S"], expected[f"layer{k}_S"])
        assert 0.02 < expected[f"layer{k}_S"].mean() < 0.98  # lively
    return got


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_float32_is_the_simulator_in_every_dialect(dialect, batch, programs, tmp_path):
    against_simulate(programs / "decolle", tmp_path, *make(dialect, batch=batch))


@pytest.mark.parametrize(
    ("surrogate", "loss", "reduction"),
    [
        ("logistic", "squared_error", "sum"),
        ("fast_sigmoid", "smooth_l1", "mean"),
        ("fast_sigmoid_10", "smooth_l1", "sum"),
        ("boxcar", "cross_entropy", "mean"),
        ("piecewise_linear", "cross_entropy", "sum"),
        ("exponential", "squared_error", "mean"),
    ],
)
@pytest.mark.parametrize("activity", ["rate", "membrane"])
def test_float32_knows_the_surrogates_losses_and_regularisers(surrogate, loss, reduction, activity, programs, tmp_path):
    layer = {"surrogate": surrogate, "loss": loss, "reduction": reduction}
    layer |= {"lambda1": 0.5, "lambda2": 0.25, "activity": activity}
    against_simulate(programs / "decolle", tmp_path, *make("paper", layer=layer))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("optimiser", [SGD, ADAMAX, ADAMAX | {"beta1": 0.5}])
def test_float32_learns_as_the_simulator(dialect, optimiser, programs, tmp_path):
    about, arrays = make(dialect, optimiser=optimiser, burn_in=4, given=True, batch=3)
    got = against_simulate(programs / "decolle", tmp_path, about, arrays)
    for k in (1, 2):
        W = got[f"layer{k}_W"]
        np.testing.assert_array_equal(W[:5], np.broadcast_to(arrays[f"layer{k}_W"], W[:5].shape))  # burn-in
        assert (W[5] != W[4]).any() and (got[f"layer{k}_W_final"] != W[-1]).any()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_float32_convolves_and_pools(dialect, programs, tmp_path):
    against_simulate(programs / "decolle", tmp_path, *make(dialect, conv=True, steps=15, optimiser=SGD))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("program", ["decolle", "decolle_fixed"])
def test_a_tie_with_the_threshold_is_the_dialects(dialect, program, programs, tmp_path):
    """No input, no bias: U = 0 exactly."""
    about, arrays = make(dialect, steps=1, layer={"surrogate": "fast_sigmoid"})
    for name in ("inputs", "layer1_b"):
        arrays[name] = 0 * arrays[name]
    write(tmp_path / "case", about, arrays)
    got = result(programs / program, tmp_path / "case", tmp_path / "out")
    assert (got["layer1_U"] == 0).all()
    assert (got["layer1_S"] == (DIALECTS[dialect].threshold == "at_or_above")).all()


def test_a_dialect_spelled_out_is_the_named_one(programs, tmp_path):
    about, arrays = make("dcll")
    axes = json.loads((EXAMPLES.parent / "decolle_ref/cases/schemas/case.schema.json").read_text())
    axes = axes["properties"]["dialect"]["anyOf"][2]["required"]
    spelled = about | {"dialect": {axis: getattr(DIALECTS["dcll"], axis) for axis in axes}}
    write(tmp_path / "a", about, arrays)
    write(tmp_path / "b", spelled, arrays)
    a, b = (result(programs / "decolle", tmp_path / x, tmp_path / f"{x}_out") for x in "ab")
    assert all((a[name] == b[name]).all() for name in a)


def test_a_run_without_targets_shows_the_neurons_alone(programs, tmp_path):
    about, arrays = make("decolle", targets=False)
    write(tmp_path / "case", about, arrays)
    got = result(programs / "decolle", tmp_path / "case", tmp_path / "out")
    assert {name.split("_", 1)[1] for name in got} == {*WRITTEN[:6], *FINAL}


def test_a_run_split_over_two_cases_is_one_run(programs, tmp_path):
    about, arrays = make("dcll", optimiser=ADAMAX | {"beta1": 0.5}, burn_in=3)
    write(tmp_path / "whole", about, arrays)
    whole = result(programs / "decolle", tmp_path / "whole", tmp_path / "whole_out")
    timed = ("inputs", "layer1_target", "layer2_target")
    first = {name: x[:8] if name in timed else x for name, x in arrays.items()}
    write(tmp_path / "a", about | {"steps": 8}, first)
    a = result(programs / "decolle", tmp_path / "a", tmp_path / "a_out")
    second = {name: x[8:] if name in timed else x for name, x in arrays.items()}
    for k in (1, 2):
        second |= {f"layer{k}_{x}": a[f"layer{k}_{x}_final"] for x in ("W", "b", "m_W", "m_b", "u_W", "u_b")}
        second |= {f"layer{k}_{x}0": a[f"layer{k}_{x}_final"] for x in "PQR"}
    write(
        tmp_path / "b", about | {"steps": 12, "n": 8, "updates": 5, "initial_state": "given", "memory": "given"}, second
    )
    b = result(programs / "decolle", tmp_path / "b", tmp_path / "b_out")
    for k in (1, 2):
        for name in WRITTEN:
            both = np.concatenate([a[f"layer{k}_{name}"], b[f"layer{k}_{name}"]])
            np.testing.assert_array_equal(both, whole[f"layer{k}_{name}"])


def test_the_trace_folder_is_one_that_the_package_reads(programs, tmp_path):
    about, arrays = make("paper")
    write(tmp_path / "case", about, arrays)
    got = result(programs / "decolle", tmp_path / "case", tmp_path / "out")
    said, states = cases.read_states(tmp_path / "out")
    assert said["case"] == about["name"] and said["layers"][1] == {"n_in": 5, "n": 4, "n_out": 2}
    np.testing.assert_array_equal(states["layer2_U"], got["layer2_U"])


def bit_for_bit(program, folder, about, arrays):
    case = write(folder / "case", about, arrays)
    got, expected = result(program, folder / "case", folder / "trace"), fixed_point.backend(case.about, case.arrays)
    assert set(got) == set(expected)
    for name, array in expected.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array, err_msg=name)
    return expected


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("surrogate", "loss", "reduction", "optimiser"),
    [
        ("fast_sigmoid", "squared_error", "mean", SGD),
        ("boxcar", "smooth_l1", "mean", ADAMAX),
        ("piecewise_linear", "smooth_l1", "sum", ADAMAX),
        ("fast_sigmoid_10", "squared_error", "sum", SGD),
    ],
)
def test_fixed_point_is_its_integer_model(dialect, surrogate, loss, reduction, optimiser, programs, tmp_path):
    layer = {"surrogate": surrogate, "loss": loss, "reduction": reduction}
    for seed, batch, dtype in ((1, 1, "float32"), (2, 3, "float64")):
        about, arrays = make(dialect, seed, batch=batch, layer=layer, given=seed == 2, optimiser=optimiser, burn_in=3)
        arrays = {name: x if name == "inputs" else x.astype(dtype) for name, x in arrays.items()}
        got = bit_for_bit(programs / "decolle_fixed", tmp_path / str(seed), about | {"dtype": dtype}, arrays)
        assert (got["layer1_W_final"] != arrays["layer1_W"]).any()
        assert 0.02 < got["layer2_S"].mean() < 0.98


@pytest.mark.parametrize("dialect", DIALECTS)
def test_fixed_point_convolves_and_pools_as_its_integer_model(dialect, programs, tmp_path):
    layer = {"surrogate": "piecewise_linear"}
    bit_for_bit(programs / "decolle_fixed", tmp_path, *make(dialect, conv=True, steps=12, layer=layer, optimiser=SGD))


@pytest.mark.parametrize("dialect", ["paper", "dcll", "decolle-nonorm"])
def test_fixed_point_saturates_as_its_integer_model(dialect, programs, tmp_path):
    """Weights and counts so large that P and U reach both ends of the range."""
    about, arrays = make(dialect, layer={"surrogate": "fast_sigmoid", "reduction": "sum"}, optimiser=SGD)
    for name in ("layer1_W", "layer1_target", "layer1_rate_W"):
        arrays[name] = np.clip(64 * arrays[name], -255, 255)
    arrays["layer1_W"][0] *= -1
    arrays["inputs"] = arrays["inputs"].astype(np.int32) * 400
    got = bit_for_bit(programs / "decolle_fixed", tmp_path, about, arrays)
    most = 256 - 2**-16
    assert got["layer1_P"].max() == got["layer1_U"].max() == most and got["layer1_U"].min() == -256


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_integer_model_is_the_network_but_for_rounding(dialect):
    about, arrays = make(dialect, 5, layer={"surrogate": "fast_sigmoid"})
    got = fixed_point.backend(about, arrays)
    wide = {name: x.astype(np.float64) for name, x in arrays.items()}
    expected = simulate(cases.Case(about | {"dtype": "float64"}, wide), gradients=True)
    for name, array in got.items():
        atol = 2**-10 * max(1, np.abs(expected[name]).max())
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize(
    ("a", "b", "rounded"), [(1, 2, 1), (-1, 2, 0), (3, 2, 2), (-3, 2, -1), (4, 3, 1), (5, 3, 2), (-5, 3, -2)]
)
def test_halves_are_rounded_up(a, b, rounded):
    assert fixed_point.nearest(np.array(a), b) == rounded


def refused(program, folder, *names):
    """Exit code 2, or 3 for a valid case that is not supported; no trace, and one line that names the problem."""
    done = run(program, folder / "case", folder / "out")
    assert done.returncode in (2, 3)
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n") and done.stdout == ""
    assert all(name in done.stderr for name in ("expected", "got", *names)), done.stderr
    assert not (folder / "out" / "trace.json").exists()


@pytest.fixture
def case(tmp_path):
    """A case that learns, which both programs support."""
    write(tmp_path / "case", *make("paper", layer={"surrogate": "fast_sigmoid"}, optimiser=ADAMAX))
    return tmp_path


def edit(folder, change):
    path = folder / "case" / "case.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))


UNSUPPORTED = {
    "constants": lambda about: about.update(constants="tau"),
    "dialect": lambda about: about.update(dialect=None),
    "steps": lambda about: about.update(steps=0),
    "novelty": lambda about: about.update(novelty=1),
    "version": lambda about: about.update(version=2),
    "beta1": lambda about: about["optimiser"].update(beta1=1),
    "loss": lambda about: about["layers"][0].update(loss="hinge"),
    "surrogate": lambda about: about["layers"][1].update(surrogate="arctan"),
    "lambda1": lambda about: about["layers"][1].update(lambda1=-0.5),
    "n_in": lambda about: about["layers"][1].update(conv=IMAGE),
    "pool": lambda about: about["layers"][0].update(pool=2),
    "layers": lambda about: about.update(layers=[]),
    "targets": lambda about: about.update(targets=False),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_the_programs_do_not_support_is_one_line(name, case, programs):
    edit(case, UNSUPPORTED[name])
    refused(programs / "decolle", case, name)


def test_float32_refuses_float64(case, programs):
    edit(case, lambda about: about.update(dtype="float64"))
    refused(programs / "decolle", case, "dtype", "float64")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda about: about["layers"][0].pop("surrogate"), "surrogate"),
        (lambda about: about["layers"][0].update(loss="cross_entropy"), "loss"),
        (lambda about: about["layers"][1].update(lambda2=0.5), "lambda2"),
        (lambda about: about["optimiser"].update(beta1=0.5), "beta1"),
        (lambda about: about["optimiser"].update(eps=1e-8), "eps"),
        (lambda about: about["optimiser"].pop("beta2"), "beta2"),
    ],
)
def test_what_fixed_point_cannot_say_is_one_line(change, name, case, programs):
    edit(case, change)
    refused(programs / "decolle_fixed", case, name)
    read = cases.read(case / "case")
    with pytest.raises((InputError, NotImplementedError), match=name):
        fixed_point.backend(read.about, read.arrays)


def test_fixed_point_refuses_numbers_between_its_own(case, programs):
    file = case / "case" / "layer2_W.npy"
    np.save(file, np.load(file) + np.float32(2**-17))
    refused(programs / "decolle_fixed", case, "layer2_W")


@pytest.mark.parametrize("cut", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_description_is_one_line(cut, case, programs):
    path = case / "case" / "case.json"
    text = path.read_text().rstrip()
    path.write_text(text[: int(cut * len(text))])
    refused(programs / "decolle", case)


def with_nan(x):
    x = x.copy()
    x.flat[-1] = np.nan
    return x


DAMAGES = {
    "other shape": lambda file, x: np.save(file, x[:-1]),
    "transposed": lambda file, x: np.save(file, np.asfortranarray(x)),
    "other type": lambda file, x: np.save(file, x.astype(">f4")),
    "objects": lambda file, x: np.save(file, x.astype(object), allow_pickle=True),
    "NaN": lambda file, x: np.save(file, with_nan(x)),
    "cut short": lambda file, x: file.write_bytes(file.read_bytes()[:-3]),
    "too long": lambda file, x: file.write_bytes(file.read_bytes() + b"\0"),
    "no magic": lambda file, x: file.write_bytes(b"PK" + file.read_bytes()[2:]),
    "version 3": lambda file, x: file.write_bytes(b"\x93NUMPY\x03" + file.read_bytes()[7:]),
    "half a header": lambda file, x: file.write_bytes(file.read_bytes()[:40]),
    "empty": lambda file, x: file.write_bytes(b""),
    "missing": lambda file, x: file.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_array_is_one_line(damage, case, programs):
    file = case / "case" / "layer2_W.npy"
    DAMAGES[damage](file, np.load(file))
    refused(programs / "decolle", case, "layer2_W.npy")


def test_version_2_arrays_are_read(case, programs):
    before = result(programs / "decolle", case / "case", case / "before")
    file = case / "case" / "layer2_W.npy"
    W = np.load(file)
    with file.open("wb") as f:
        np.lib.format.write_array(f, W, version=(2, 0))
    after = result(programs / "decolle", case / "case", case / "after")
    assert all((before[name] == after[name]).all() for name in before)


def test_a_trace_is_not_overwritten(case, programs):
    result(programs / "decolle", case / "case", case / "out")
    done = run(programs / "decolle", case / "case", case / "out")
    assert done.returncode == 2 and "expected a new or empty folder" in done.stderr
