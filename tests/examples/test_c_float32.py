"""The C program in float32 against the simulator."""

import json

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref.cases import simulate
from decolle_ref.decolle.dialects import DIALECTS
from tests.support.c_programs import ADAMAX, EXAMPLES, FINAL, MEMORY, SGD, WRITTEN, make, needs_cc, result, write

pytestmark = needs_cc


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


def test_adamax_counts_from_0_where_its_memory_is_fresh(programs, tmp_path):
    about, arrays = make("paper", optimiser=ADAMAX | {"beta1": 0.5})
    for name, updates in (("a", 0), ("b", 4)):
        write(tmp_path / name, about | {"updates": updates}, arrays)
    a, b = (result(programs / "decolle", tmp_path / x, tmp_path / f"{x}_out") for x in "ab")
    assert all((a[name] == b[name]).all() for name in a)


def test_the_trace_folder_is_one_that_the_package_reads(programs, tmp_path):
    about, arrays = make("paper")
    write(tmp_path / "case", about, arrays)
    got = result(programs / "decolle", tmp_path / "case", tmp_path / "out")
    said, states = cases.read_states(tmp_path / "out")
    assert said["case"] == about["name"] and said["layers"][1] == {"n_in": 5, "n": 4, "n_out": 2}
    np.testing.assert_array_equal(states["layer2_U"], got["layer2_U"])
