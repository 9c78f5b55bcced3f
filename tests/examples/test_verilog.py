"""The layer in Verilog against its integer model, bit for bit; and by the oracle, by lint and by synthesis."""

import importlib.util
import re
import shutil
import subprocess

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref.oracle import profile, runner
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.vectors import catalogue, export, memory_files, situations
from tests.support.c_programs import ADAMAX, EXAMPLES, SGD, fixed_point, make, write

VERILOG = EXAMPLES / "verilog"
SOURCES = ("decolle_layer.v", "mac.v", "divide.v", "surrogate.v")
Q = profile.PROFILES["Q8.16"]
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog, iverilog")

spec = importlib.util.spec_from_file_location("verilog_backend", VERILOG / "backend.py")
verilog = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verilog)


def bit_for_bit(about, arrays):
    """All arrays of the two traces are equal; the layer has no m of Adamax, as m is the gradient."""
    got, expected = verilog.backend(about, arrays), fixed_point.backend(about, arrays)
    assert set(got) == {name for name in expected if "_m_" not in name}
    for name in got:
        assert got[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    return got


@needs_icarus
@pytest.mark.parametrize(
    ("dialect", "surrogate", "loss", "reduction", "optimiser", "batch"),
    [
        ("paper", "boxcar", "squared_error", "sum", SGD, 1),
        ("dcll", "piecewise_linear", "smooth_l1", "sum", SGD, 2),
        ("decolle", "fast_sigmoid_10", "squared_error", "mean", ADAMAX, 1),
        ("decolle-base", "boxcar", "smooth_l1", "mean", ADAMAX, 3),
        ("decolle-nonorm", "fast_sigmoid", "squared_error", "mean", SGD, 2),
    ],
)
def test_the_layer_is_its_integer_model(dialect, surrogate, loss, reduction, optimiser, batch):
    layer = {"surrogate": surrogate, "loss": loss, "reduction": reduction}
    about, arrays = make(
        dialect, 1, batch=batch, steps=8, layer=layer, given=batch == 2, optimiser=optimiser, burn_in=2
    )
    got = bit_for_bit(about, arrays)
    assert (got["layer1_W_final"] != arrays["layer1_W"]).any() and (got["layer2_delta"] != 0).any()
    assert 0.02 < got["layer2_S"].mean() < 0.98


@needs_icarus
def test_the_layer_saturates_as_its_integer_model():
    """Weights and counts so large that P and U reach both ends of the range."""
    layer = {"surrogate": "piecewise_linear", "reduction": "sum"}
    about, arrays = make("dcll", sizes=(6, 5), steps=6, layer=layer, optimiser=SGD)
    for name in ("layer1_W", "layer1_target", "layer1_rate_W"):
        arrays[name] = np.clip(64 * arrays[name], -255, 255)
    arrays["layer1_W"][0] *= -1
    arrays["inputs"] = arrays["inputs"].astype(np.int32) * 400
    got = bit_for_bit(about, arrays)
    assert got["layer1_P"].max() == got["layer1_U"].max() == 256 - 2**-16 and got["layer1_U"].min() == -256


@needs_icarus
def test_a_schedule_of_the_learning_rate_is_that_of_the_integer_model():
    layer = {"surrogate": "boxcar"}
    about, arrays = make("paper", sizes=(6, 5), steps=6, layer=layer, optimiser=SGD, schedule="given")
    arrays["schedule"] = np.array([1, 0.5, 1.25, 3, -0.3330078125, 0], np.float32)
    got = bit_for_bit(about, arrays)
    steady = verilog.backend(about | {"schedule": "constant"}, {x: y for x, y in arrays.items() if x != "schedule"})
    assert (got["layer1_W_final"] != steady["layer1_W_final"]).any()


def judged(name):
    (vector,) = (v for v in catalogue.catalogue(catalogue.dtype_of(Q)) if v.id == name)
    return runner.judge(Backend("Verilog", verilog.backend, Q), catalogue.quantised(vector, Q))


@needs_icarus
@pytest.mark.parametrize("name", ["tie-paper", "zero-dcll", "dyadic-learning-decolle"])
def test_the_layer_passes_the_oracle(name):
    assert judged(name).status == "pass"


def test_a_convolution_is_refused():
    outcome = judged("conv-pool-ties")
    assert outcome.status == "unsupported"
    assert "layers: expected dense ones, got a convolution" in str(outcome)


def test_arrays_that_the_layer_does_not_read_are_refused():
    about, arrays = make("paper", layer={"surrogate": "boxcar"})
    verilog.validate(about, arrays)
    with pytest.raises(NotImplementedError, match="layer2_mask: expected no such array, got one"):
        verilog.validate(about, arrays | {"layer2_mask": np.zeros(1)})


@needs_icarus
def test_the_oracle_finds_a_mistake_in_the_circuit(tmp_path, monkeypatch):
    """A spike above the threshold, not at it."""
    for file in VERILOG.glob("*.*v*"):
        shutil.copy(file, tmp_path)
    source = (VERILOG / "surrogate.v").read_text()
    wrong = source.replace("x > 0 : x >= 0", "x > 0 : x > 0")
    assert wrong != source
    (tmp_path / "surrogate.v").write_text(wrong)
    monkeypatch.setattr(verilog, "HERE", tmp_path)
    monkeypatch.setattr(verilog, "compiled", verilog.compiled.__wrapped__)
    outcome = judged("tie-paper")
    assert outcome.status == "fail"
    assert "layer 1, S of" in str(outcome)


@needs_icarus
@pytest.mark.parametrize("dialect", ["paper", "decolle-nonorm"])
@pytest.mark.parametrize("surrogate", verilog.SURROGATES)
def test_a_step_takes_the_cycles_of_the_formula(dialect, surrogate, tmp_path):
    layer = {"surrogate": surrogate, "loss": "smooth_l1", "reduction": "mean"}
    about, arrays = make(dialect, sizes=(5, 3), steps=3, batch=2, layer=layer, optimiser=ADAMAX, burn_in=1)
    (tmp_path / "hex").mkdir()
    memory_files.write(tmp_path / "hex", arrays, Q)
    verilog.simulate(about, tmp_path / "hex", tmp_path / "out")
    got = [int(line) for line in (tmp_path / "out" / "layer1_cycles.txt").read_text().split()]
    assert got == [verilog.cycles(about, 1, learn) for learn in (False, True, True)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The dyadic vectors, as `oracle export --profile Q8.16 --hex` writes them, beside a copy of the Verilog files."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "FAMILIES", (situations.dyadic,))
        export.export(folder / "vectors", profile=Q, hex=True)
    shutil.copytree(VERILOG, folder / "examples" / "verilog")
    return folder


def words(file):
    return " ".join(line for line in file.read_text().splitlines() if not line.startswith("//")).split()


@needs_icarus
@pytest.mark.parametrize("dialect", ["paper", "dcll", "decolle-nonorm"])
def test_the_bench_reads_exported_vectors_and_equals_the_golden_trace_in_every_word(exported, dialect, tmp_path):
    folder = exported / "vectors" / f"dyadic-fixed16-{dialect}"
    verilog.simulate(cases.read(folder).about, folder / "hex", tmp_path / "out")
    golden = sorted((folder / "hex" / "golden").glob("layer*_[QPRUSY].hex"))
    assert len(golden) == 12
    for file in golden:
        assert words(tmp_path / "out" / file.name) == words(file), file.name


@needs_icarus
def test_the_commands_of_the_readme_run_a_vector_by_hand(exported):
    (commands,) = re.findall(r"^cd examples/verilog\n.*?(?=^```)", (VERILOG / "README.md").read_text(), re.M | re.S)
    done = subprocess.run(["bash", "-ec", commands], cwd=exported, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_layer_has_one_multiplier_and_no_latch():
    yosys = shutil.which("yosys")
    if yosys is None:
        pytest.skip("needs Yosys, yosys")
    script = (VERILOG / "synth.ys").read_text().replace("synth_ecp5\n", "")
    done = subprocess.run([yosys, "-q", "-p", script], cwd=VERILOG, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "settings", [{}, {"SURROGATE": 1, "READS_SPIKES": 1}, {"SURROGATE": 3, "MEAN": 1, "ADAMAX": 1}]
)
def test_the_layer_passes_lint(settings):
    verilator = shutil.which("verilator")
    if verilator is None:
        pytest.skip("needs Verilator, verilator")
    chosen = [f"-G{name}={value}" for name, value in settings.items()]
    command = [verilator, "--lint-only", "-Wall", *chosen, *SOURCES]
    done = subprocess.run(command, cwd=VERILOG, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_icarus
@pytest.mark.parametrize("dialect", ["paper", "dcll"])
def test_cocotb_reads_the_numbers_of_the_integer_model(dialect, tmp_path, monkeypatch):
    runners = pytest.importorskip("cocotb_tools.runner", reason="cocotb is not installed")
    layer = {"surrogate": "piecewise_linear", "loss": "smooth_l1"}
    about, arrays = make(dialect, 3, sizes=(4, 3), steps=4, batch=2, layer=layer, optimiser=SGD)
    write(tmp_path / "case", about, arrays)
    monkeypatch.setenv("DECOLLE_CASE", str(tmp_path / "case"))
    monkeypatch.syspath_prepend(VERILOG)  # the simulator imports from the paths of this process
    names = ("N_IN", "N", "N_OUT", "BATCH", "P_READS_NEW", "U_READS_NEW", "ABOVE", "READS_SPIKES", "SURROGATE")
    chosen = {name: int(x) for name, x in verilog.parameters(about, 1).items() if name in (*names, "SMOOTH_L1", "MEAN")}
    icarus, top = runners.get_runner("icarus"), "decolle_layer"
    files, folder = [VERILOG / file for file in SOURCES], tmp_path / "build"
    common = {"hdl_toplevel": top, "build_dir": folder}
    icarus.build(sources=files, includes=[VERILOG], parameters=chosen, log_file=tmp_path / "build.log", **common)
    results = icarus.test(test_module="cocotb_bench", log_file=tmp_path / "test.log", **common)
    assert runners.get_results(results) == (1, 0)  # one test, no failure
