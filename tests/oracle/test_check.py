"""The oracle: its verdicts and its reports."""

import json
import sys

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cases import Case, simulate
from decolle_ref.decolle import dialects
from decolle_ref.oracle import report, runner
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.trace import parse_trace
from decolle_ref.oracle.vectors.catalogue import select
from decolle_ref.oracle.vectors.fresh import MIXED
from tests.support.oracle import boasting, case, deaf, leaky, residual_check, right, silent

FLOAT32 = PROFILES["float32"]


@pytest.mark.parametrize("dialect", dialects.DIALECTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_reference_passes_its_own_check(dialect, dtype):
    for seed, learn in ((0, False), (1, True)):
        example = case(dialect, seed, dtype, learn=learn)
        verdict = residual_check(example, simulate(example, gradients=True), PROFILES[dtype])
        assert verdict, report.text(verdict)


def test_a_float32_backend_is_judged_by_its_own_numbers_though_its_spikes_part_from_float64():
    """A single-precision run passes as float32, and fails as float64 at its first rounding."""
    example = case(seed=3, dtype="float32", learn=True)
    trace = simulate(example, gradients=True)
    assert residual_check(example, trace, FLOAT32)
    assert residual_check(example, trace, PROFILES["float64"]).failure.step <= 2


@pytest.mark.parametrize("name", ["Q", "P", "R", "U", "S", "Y", "e", "delta", "dW", "db", "W", "b"])
def test_one_wrong_number_is_found_at_its_place(name):
    """Each array in turn, off by a part in a thousand (spikes: turned) in one entry: named, with its step and layer."""
    example = case(seed=1, learn=True)
    trace = {key: x.copy() for key, x in simulate(example, gradients=True).items()}
    array = trace[f"layer2_{name}"]
    place = tuple(int(i) for i in np.argwhere(array[5:] != 0)[0] + np.eye(array.ndim, dtype=int)[0] * 5)
    array[place] = 0 if name == "S" else array[place] * 1.001
    failure = residual_check(example, trace, PROFILES["float64"]).failure
    assert (failure.layer, failure.equation, failure.step, failure.index) == (2, name, place[0], place[1:])


def test_the_state_and_weights_at_the_start_are_pinned_to_the_case():
    """A consistent story of another network is refused at its first number."""
    example, other = (case(seed=seed, learn=True, sizes=(4, 3)) for seed in (1, 2))
    failure = residual_check(example, simulate(other, gradients=True), PROFILES["float64"]).failure
    assert failure.step == 0


def test_the_report_names_step_layer_equation_and_entry_and_says_what_passed():
    example = case(seed=1, dtype="float32")
    outcome = runner.check(
        parse_trace(example, leaky(example.about, example.arrays), FLOAT32), "a case", "a wrong decay"
    )
    assert outcome.status == "fail"
    first, place, got, expected, off, upstream, *_ = outcome.text.splitlines()
    assert first == "FAIL" and "layer 2, P of sample" in place
    assert "0x1." in got and "0x1." in expected and " times the expected number; " in off and "times the bound" in off
    assert upstream.startswith("everything upstream passed:") and "every layer below" in upstream
    failure = outcome.details["failure"]
    assert (failure["layer"], failure["equation"]) == (2, "P") and float.fromhex(failure["got_hex"]) == failure["got"]
    json.dumps(outcome.details, allow_nan=False)


@pytest.mark.parametrize("dialect", ["paper", "decolle"])
def test_the_excerpt_is_a_case_that_shows_the_same_failure_in_two_steps(dialect, tmp_path):
    example = case(dialect, seed=1, dtype="float32", learn=True)
    failure = residual_check(example, leaky(example.about, example.arrays), FLOAT32).failure
    short = report.excerpt(parse_trace(example, leaky(example.about, example.arrays), FLOAT32), failure)
    cases.write(tmp_path / "one", short.about, short.arrays)
    again = cases.read(tmp_path / "one")
    assert again.about["steps"] <= 2
    assert residual_check(again, simulate(again, gradients=True), FLOAT32)
    repeated = residual_check(again, leaky(again.about, again.arrays), FLOAT32).failure
    assert (repeated.layer, repeated.equation) == (failure.layer, failure.equation)


@pytest.mark.parametrize("backend", [silent, deaf, leaky, boasting])
def test_wrong_backends_fail_on_the_vectors(backend):
    chosen = [vector for vector in select(FLOAT32, 0) if vector.id.startswith(("dense", "conv", "sgd", "delay"))]
    outcomes = list(runner.run(Backend("wrong", backend, FLOAT32), chosen))
    assert sum(outcome.status == "fail" for outcome in outcomes) > len(outcomes) / 4


def test_a_backend_that_repeats_stored_answers_fails_on_random_vectors():
    stored = {name: right(v.about, v.arrays) for v in select(FLOAT32, 0, "random") for name in [v.about["name"]]}
    backend = Backend("echo", lambda about, arrays: stored.get(about["name"], {}), FLOAT32)
    outcomes = list(runner.run(backend, select(FLOAT32, 1, "random")))
    assert {outcome.status for outcome in outcomes} == {"fail"} and len(outcomes) == len(dialects.DIALECTS) + MIXED


def test_the_reference_passes_all_vectors():
    chosen = select(FLOAT32, 5)
    outcomes = list(runner.run(Backend("right", right, FLOAT32), chosen))
    assert len(outcomes) == len(chosen) > 100
    for outcome in outcomes:
        assert outcome.status == "pass", str(outcome)


def test_expected_failures_are_strict_and_unknown_ids_are_errors(tmp_path):
    chosen = select(FLOAT32, 0)[:2]
    ids = [vector.id for vector in chosen]
    wrong = [
        outcome.status
        for outcome in runner.run(Backend("wrong", silent, FLOAT32), chosen, dict.fromkeys(ids, "no device"))
    ]
    repaired = [
        outcome.status
        for outcome in runner.run(Backend("right", right, FLOAT32), chosen, dict.fromkeys(ids, "no device"))
    ]
    assert set(repaired) == {"unexpected pass"} and "expected failure" in wrong
    typed = ids[0][:-1]
    with pytest.raises(InputError, match=rf"expected failures: expected ids of vectors \({ids[0]}.*\), got '{typed}'"):
        list(runner.run(Backend("right", right, FLOAT32), chosen, {typed: "?"}))
    file = tmp_path / "expected.toml"
    file.write_text('[expected_failures]\nties = "compares with >"\n')
    assert runner.read_expected(file) == {"ties": "compares with >"}
    for text, message in (
        ("[other]\nx = 1\n", r"expected one table \[expected_failures\], got other"),
        ("[expected_failures]\nties = 3\n", r"ties: expected a reason in words, got 3"),
        ("[expected", r"expected TOML, got something else"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            runner.read_expected(file)


def test_arrays_from_python_are_checked_like_files():
    example = case(dtype="float32")
    trace = simulate(example, gradients=True)
    for name, array, message in (
        ("layer1_U", np.array(["x"], object), r"trace layer1_U: expected numbers, got dtype object"),
        ("layer1_U", trace["layer1_U"][1:], r"trace layer1_U: expected shape \(20, 2, 5\), got \(19, 2, 5\)"),
        ("layer1_S", trace["layer1_S"] * np.nan, r"trace layer1_S: expected finite numbers, got nan at \(0, 0, 0\)"),
    ):
        with pytest.raises(InputError, match=message):
            residual_check(example, trace | {name: array}, FLOAT32)
    with pytest.raises(InputError, match=r"trace: expected an array layer2_P, got none"):
        residual_check(example, {name: x for name, x in trace.items() if name != "layer2_P"}, FLOAT32)
    tau = Case(dict(example.about) | {"constants": "tau", "dt": 0.001}, example.arrays)
    with pytest.raises(InputError, match=r"constants: expected 'decay' for the oracle, got 'tau'"):
        residual_check(tau, trace, FLOAT32)


def quitting(about, arrays):
    """A backend that ends the program."""
    sys.exit(0)


def test_a_backend_that_exits_has_failed_and_its_line_is_named():
    (outcome,) = runner.run(Backend("quitting", quitting, FLOAT32), select(FLOAT32, 0)[:1])
    assert outcome.status == "fail" and "SystemExit: 0 (test_check.py:" in outcome.text


def test_numbers_that_the_declared_format_cannot_hold_are_refused():
    example = case(seed=1, dtype="float32")
    trace = simulate(example, gradients=True)
    for name in ("bfloat16", "Q8.16"):
        with pytest.raises(InputError, match=rf"expected numbers of the declared format {PROFILES[name].format}, got"):
            residual_check(example, trace, PROFILES[name])
