"""The simulator: a trace is what the network computes, and nothing else is written."""

import shutil

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cases import simulate
from decolle_ref.cli.main import main
from decolle_ref.decolle import network
from decolle_ref.decolle.dialects import AXES, DIALECTS
from tests.support.cases import convolutional, make


@pytest.fixture
def folder(tmp_path):
    """A case that learns, on disk."""
    cases.write(tmp_path / "case", *make(learn=True))
    return tmp_path / "case"


def test_a_dialect_can_be_spelled_axis_by_axis(tmp_path):
    about, arrays = make("dcll")
    spelled = {axis: getattr(DIALECTS["dcll"], axis) for axis in AXES}
    cases.write(tmp_path / "a", about, arrays)
    cases.write(tmp_path / "b", about | {"dialect": spelled}, arrays)
    a, b = (simulate(cases.read(tmp_path / x)) for x in "ab")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_the_simulator_is_the_network(folder, tmp_path):
    """Every array of the trace is what network.run computes."""
    case = cases.read(folder)
    assert main(["simulate", str(folder), "--out", str(tmp_path / "trace"), "--gradients"]) == 0
    run = list(network.run(case.network(), case.start(), case.inputs, case.targets(), case.learner()))
    for k in (1, 2):
        for name in ("Q", "P", "R", "U", "S", "Y", "loss", "e", "delta"):
            field = {"e": "dY", "delta": "dU"}.get(name, name)
            series = np.stack([getattr(snapshots[k - 1], field) for _, snapshots in run])
            np.testing.assert_array_equal(np.load(tmp_path / "trace" / f"layer{k}_{name}.npy"), series)
        end = run[-1][0]
        np.testing.assert_array_equal(np.load(tmp_path / "trace" / f"layer{k}_W_final.npy"), end.weights[k - 1].W)
        P, delta = (np.load(tmp_path / "trace" / f"layer{k}_{name}.npy") for name in ("P", "delta"))
        dW = np.load(tmp_path / "trace" / f"layer{k}_dW.npy")
        np.testing.assert_allclose(dW, np.einsum("tbi,tbj->tij", delta, P), rtol=1e-13, atol=1e-15)


def test_a_run_split_over_two_cases_equals_one(folder, tmp_path):
    """The final arrays of a trace are the initial ones of the next case: states of network and optimiser, counters."""
    whole = cases.read(folder)
    half = whole.about["steps"] // 2
    timed = {name for name, shape in cases.shapes(whole.about).items() if shape[0] == whole.about["steps"]}
    first = {k: v[:half] if k in timed else v for k, v in whole.arrays.items()}
    cases.write(tmp_path / "first", {**strip(whole.about), "steps": half}, first)
    middle = simulate(cases.read(tmp_path / "first"))
    second = {k: v[half:] if k in timed else v for k, v in whole.arrays.items()}
    for k in (1, 2):
        second |= {f"layer{k}_{x}": middle[f"layer{k}_{x}_final"] for x in ("W", "b", "m_W", "u_W", "m_b", "u_b")}
        second |= {f"layer{k}_{x}0": middle[f"layer{k}_{x}_final"] for x in "PQR"}
    about = {**strip(whole.about), "steps": whole.about["steps"] - half, "initial_state": "given", "memory": "given"}
    cases.write(tmp_path / "second", about | {"n": half, "updates": half}, second)
    end, both = simulate(whole), simulate(cases.read(tmp_path / "second"))
    for name in (n for n in end if n.endswith("_final")):
        np.testing.assert_array_equal(end[name], both[name])


def strip(about):
    return {k: v for k, v in about.items() if k not in ("format", "version")}


def test_a_run_that_leaves_the_range_of_its_dtype_is_refused(tmp_path):
    about, arrays = make(dtype="float32")
    arrays["layer1_W"] = np.full((5, 6), 3e38, np.float32)
    cases.write(tmp_path / "case", about, arrays)
    with pytest.raises(InputError, match=r"layer1_U: expected numbers within float32, got inf at"):
        cases.write_trace(cases.read(tmp_path / "case"), tmp_path / "trace")
    assert [p.name for p in tmp_path.iterdir()] == ["case"]


def test_a_case_of_unknown_dialect_is_read_but_not_simulated(tmp_path):
    cases.write(tmp_path / "case", *make(None))
    case = cases.read(tmp_path / "case")
    with pytest.raises(InputError, match="dialect: expected a name or one option per axis, got null"):
        simulate(case)
    shutil.rmtree(tmp_path / "case")


def test_a_case_may_be_convolutional_and_pooled(tmp_path):
    cases.write(tmp_path / "case", *convolutional())
    case = cases.read(tmp_path / "case")
    cases.write_trace(case, tmp_path / "trace", gradients=True)
    shapes = {name: np.load(tmp_path / f"trace/layer1_{name}.npy").shape[2:] for name in ("U", "S", "Y", "delta")}
    assert shapes == {"U": (48,), "S": (12,), "Y": (2,), "delta": (48,)}
    assert np.load(tmp_path / "trace/layer1_dW.npy").shape[1:] == (3, 2, 3, 3)
    assert np.load(tmp_path / "trace/layer1_S.npy").any()
