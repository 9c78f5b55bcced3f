"""Bytes alive between steps grow as the review says, as measured."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decolle_ref.experiments import harness, scaling, summary
from decolle_ref.experiments.options import CommonSettings
from decolle_ref.experiments.scaling import EXPERIMENT
from decolle_ref.plots.scaling import save_figures

SIZES = {"DECOLLE": (512, 724, 1024), "local errors": (512, 724, 1024), "RTRL": (8, 16, 24), "BPTT": (64, 128, 256)}
NUMBER = np.dtype(float).itemsize


def kept(name, n, steps):
    return scaling.bytes_kept(scaling.METHODS[name](n, steps, np.random.default_rng(0)))


@pytest.mark.parametrize("name", scaling.METHODS)
def test_memory_grows_with_neurons_by_the_exponent_asked(name):
    sizes = SIZES.get(name, (64, 128, 256))
    p = scaling.exponent(sizes, [kept(name, n, 16 if name == "BPTT" else 3) for n in sizes])
    assert p == pytest.approx(scaling.EXPECTED[name][0], abs=scaling.TOLERANCE)


@pytest.mark.parametrize("name", scaling.METHODS)
def test_memory_grows_with_steps_for_backpropagation_through_time_alone(name):
    n, steps = 8 if name == "RTRL" else 256, (16, 32, 64)
    p = scaling.exponent(steps, [kept(name, n, T) for T in steps])
    assert p == pytest.approx(scaling.EXPECTED[name][1], abs=scaling.TOLERANCE)


def test_what_decolle_keeps_is_two_traces_per_input_and_one_per_neuron():
    n, objects = 1024, 2048  # bytes for the tuples and the array headers
    assert 0 <= kept("DECOLLE", n, 5) - 3 * n * NUMBER < objects


def test_what_superspike_keeps_is_two_numbers_per_synapse():
    n = 256
    assert 0 <= kept("SuperSpike", n, 3) / (2 * n * 2 * n * NUMBER) - 1 < 0.02  # 8 n more besides the 4 n^2


def test_weights_inputs_and_what_is_dropped_do_not_count():
    ballast = np.zeros(10**6)
    assert scaling.bytes_kept(lambda: ballast) < 1000
    assert scaling.bytes_kept(lambda: [np.zeros(10**6), 0][1]) < 1000
    assert 0 <= scaling.bytes_kept(lambda: np.zeros(10**6)) - 10**6 * NUMBER < 1000


def test_a_count_that_the_caller_has_begun_goes_on():
    tracemalloc.start()
    try:
        scaling.bytes_kept(lambda: None)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    scaling.bytes_kept(lambda: None)
    assert not tracemalloc.is_tracing()


@given(p=st.floats(-3, 4), factor=st.floats(1e-6, 1e6))
def test_the_exponent_of_a_power_law_is_found_whatever_its_factor(p, factor):
    sizes = np.array([8.0, 16.0, 32.0, 48.0])
    assert scaling.exponent(sizes, factor * sizes**p) == pytest.approx(p, abs=1e-10)


def test_a_quick_run_writes_results_and_a_figure(tmp_path, monkeypatch):
    small = scaling.Sweep(N=(4, 8), T=(2, 4), T_for_N=4, N_for_T=8)
    monkeypatch.setattr(scaling, "SWEEPS", dict.fromkeys(scaling.METHODS, small))
    results = harness.run(EXPERIMENT, CommonSettings(quick=True), tmp_path, quiet=True)
    assert (tmp_path / "results.json").exists() and save_figures(tmp_path, results)[0].exists()
    assert summary.one_line(EXPERIMENT, results).endswith(" (quick: not comparable)")
    assert scaling.table(results).count("\n") == 1 + len(scaling.METHODS)
    assert not results["within"]  # at these sizes objects outweigh arrays, and the verdict says so


def test_every_point_of_a_sweep_is_measured_in_bytes_and_seconds():
    sweep = scaling.Sweep(N=(4, 8, 16), T=(2, 4), T_for_N=3, N_for_T=4)
    found = scaling.measure("BPTT", sweep, 0, 0.0, lambda text: None)
    assert found["bytes_by_N"] == sorted(found["bytes_by_N"]) and len(found["seconds_by_N"]) == 3
    assert len(found["bytes_by_T"]) == len(found["seconds_by_T"]) == 2


@pytest.mark.study
def test_all_exponents_of_a_full_run_are_within_a_tenth(tmp_path):
    assert harness.run(EXPERIMENT, CommonSettings(), tmp_path, quiet=True)["within"]
