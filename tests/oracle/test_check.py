"""The oracle: its verdicts, its reports, its interfaces, and hostile traces."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util import npy
from decolle_ref._util.check import InputError
from decolle_ref.cases import Case, simulate
from decolle_ref.cli.main import main
from decolle_ref.decolle import dialects
from decolle_ref.oracle import backends, profile, report, runner
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.profile import PROFILES, Profile
from decolle_ref.oracle.trace import parse_trace
from decolle_ref.oracle.vectors.catalogue import RANDOM_VECTORS, select
from tests.support.oracle import boasting, case, deaf, leaky, residual_check, right, silent

FLOAT32 = PROFILES["float32"]
pytest_plugins = ("pytester",)


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
    assert "0x1." in got and "0x1." in expected and " of it; " in off and "times the bound" in off
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
    outcomes = list(runner.run(Backend("wrong", backend, FLOAT32), select(FLOAT32, 0)))
    assert sum(outcome.status == "fail" for outcome in outcomes) > len(outcomes) / 4


def test_a_backend_that_repeats_stored_answers_fails_on_random_vectors():
    stored = {name: right(v.about, v.arrays) for v in select(FLOAT32, 0) for name in [v.about["name"]]}
    backend = Backend("echo", lambda about, arrays: stored.get(about["name"], {}), FLOAT32)
    failed = [outcome for outcome in runner.run(backend, select(FLOAT32, 1)) if outcome.status != "pass"]
    assert len(failed) >= RANDOM_VECTORS


def test_the_reference_passes_all_vectors():
    chosen = select(FLOAT32, 5)
    outcomes = list(runner.run(Backend("right", right, FLOAT32), chosen))
    assert len(outcomes) == len(chosen) > RANDOM_VECTORS
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


def written(tmp_path):
    """A case folder and the folder of its right trace."""
    example = case(seed=1, dtype="float32", learn=True)
    cases.write(tmp_path / "case", example.about, example.arrays)
    cases.write_trace(cases.read(tmp_path / "case"), tmp_path / "trace", gradients=True)
    return tmp_path / "case", tmp_path / "trace"


def check(folders, *options):
    return main(["oracle", "check", *map(str, folders), *options])


def test_a_right_trace_passes_from_the_command_line(tmp_path, capsys):
    assert check(written(tmp_path)) == 0
    assert "PASS" in capsys.readouterr().out


def test_hostile_traces_are_refused_with_one_line(tmp_path, capsys):
    case_folder, trace = written(tmp_path)
    target = trace / "layer1_U.npy"
    good = target.read_bytes()
    U = np.load(target)

    def refused(expected):
        assert check((case_folder, trace)) in (1, 2)
        out = capsys.readouterr()
        assert expected in out.out + out.err, out
        assert "Traceback" not in out.err and len(out.err.strip().splitlines()) <= 1

    with target.open("wb") as file:
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused("expected dtype <f4 or <f8")
    target.write_bytes(good[:-40])
    refused("bytes of data promised")
    npy.write(target, U[:-1])
    refused("expected shape")
    npy.write(target, U.astype(np.int64))
    refused("expected dtype <f4 or <f8")
    npy.write(target, np.where(np.arange(U.size).reshape(U.shape) == 7, np.nan, U))
    refused("expected finite numbers, got NaN or infinity")
    target.write_bytes(good.replace(b"(", b"(9999999999999, ", 1))
    refused("expected")
    target.unlink()
    refused("expected an array layer1_U, got none")
    target.with_name("layer1_V.npy").write_bytes(good)
    refused("expected an array layer1_U, got none")
    target.write_bytes(good)
    about = json.loads((trace / "trace.json").read_text())
    (trace / "trace.json").write_text(json.dumps(about | {"steps": 10**9}))
    refused("expected (steps, batch, layers)")
    (trace / "trace.json").write_text("[" * 100000)
    refused("expected JSON")


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


PROGRAM = """
import sys
sys.path[:0] = {path!r}
from decolle_ref import cases
from decolle_ref.cases import simulate
cases.write_trace(cases.read(sys.argv[1]), sys.argv[2], gradients=True)
"""


def test_a_program_is_run_through_files(tmp_path, capsys):
    """`decolle-ref oracle run --only ... -- PROGRAM IN OUT`, right, and failing in three ways."""
    script = tmp_path / "backend.py"
    script.write_text(PROGRAM.format(path=sys.path))
    some = select(FLOAT32, 0)[0].id
    options = ["oracle", "run", "--seed", "0", "--only", some, "--out", str(tmp_path / "report")]
    assert main([*options, "--", sys.executable, str(script), "IN", "OUT"]) == 0
    assert json.loads((tmp_path / "report/report.json").read_text())["passed"]
    script.write_text("import sys; sys.exit('no such device')")
    assert main([*options, "--", sys.executable, str(script)]) == 1
    assert "expected exit code 0, got 1 (no such device)" in capsys.readouterr().out
    assert main([*options, "--", "./no-such-program"]) == 2
    assert capsys.readouterr().err == "decolle-ref: error: ./no-such-program: expected a program, got none\n"


def test_a_callable_is_run_from_the_command_line_and_failures_leave_one_step(tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    out = tmp_path / "report"
    assert (
        main(["oracle", "run", "tests.support.oracle:leaky", "--profile", "float32", "--seed", "0", "--out", str(out)])
        == 1
    )
    text = capsys.readouterr().out
    assert "first failure: step" in text and "oracle: NOT PASSED: tests.support.oracle:leaky (format float32):" in text
    commands = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("one step of ")]
    assert len(commands) == len(list((out / "one-step").iterdir())) > 20
    for command in commands[:3]:
        assert main(command.split()[1:]) == 1
        assert "layer 2, P of sample" in capsys.readouterr().out
    assert main(["oracle", "run", "tests.support.oracle:nothing"]) == 2
    assert main(["oracle", "run", "no-such-name"]) == 2
    assert main(["oracle", "run"]) == 2


def test_what_a_backend_does_not_support_is_neither_pass_nor_failure(tmp_path):
    """NotImplementedError of a callable, exit code 3 of a program; a run in which nothing passed has not passed."""

    def modest(about, arrays):
        if "conv" in about["layers"][0]:
            raise NotImplementedError("convolution")
        return right(about, arrays)

    conv = [v for v in select(FLOAT32, 0) if v.id.startswith(("conv", "silent"))]
    outcomes = list(runner.run(Backend("modest", modest, FLOAT32), conv))
    assert {outcome.status for outcome in outcomes} == {"unsupported", "pass"} and runner.passed(outcomes)
    assert not runner.passed([outcome for outcome in outcomes if outcome.status == "unsupported"])
    script = tmp_path / "backend.py"
    script.write_text("import sys; print('no convolution', file=sys.stderr); sys.exit(3)")
    (outcome,) = runner.run(backends.program([sys.executable, str(script)], FLOAT32), conv[:1])
    assert (outcome.status, outcome.text) == ("unsupported", "not supported, says the backend (no convolution)")


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


def test_a_program_that_hangs_is_stopped_with_its_children(tmp_path):
    note = tmp_path / "child"
    script = tmp_path / "hang.sh"
    script.write_text(f"#!/bin/sh\nsleep 1000 &\necho $! > {note}\nwait\n")
    script.chmod(0o755)
    backend = backends.program([str(script)], FLOAT32, timeout=1.0)
    (outcome,) = runner.run(backend, select(FLOAT32, 0)[:1])
    assert "expected an answer within 1 s, got none" in outcome.text
    child = Path(f"/proc/{note.read_text().strip()}/stat")
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_a_pipe_in_place_of_an_array_is_refused(tmp_path):
    os.mkfifo(tmp_path / "U.npy")
    with pytest.raises(
        InputError, match=r"U.npy: expected a plain .npy file, got something else \(not a regular file\)"
    ):
        npy.read(tmp_path / "U.npy", (1,))


def test_profiles_are_read_and_refused_in_one_line(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text('{"name": "mine", "format": "fixed", "integer_bits": 4, "fraction_bits": 12}')
    assert profile.read(file) == Profile("mine", "fixed", integer_bits=4, fraction_bits=12)
    for text, message in (
        ('{"format": "float8"}', r"profile format: expected one of float64, float32, bfloat16, fixed, got 'float8'"),
        ('{"bits": 8}', r"profile key: expected one of name, format,"),
        ('{"flush": 1}', r"profile flush: expected bool, got 1"),
        ("[1]", r"profile: expected a name or named values, got \[1\]"),
        ('{"format": "fixed", "integer_bits": 2000}', r"integer_bits \+ fraction_bits: expected at most 52"),
        ('{"sigma_ulps": 1e12}', r"profile sigma_ulps: expected an error below 0.125 of 1"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            profile.read(file)


@pytest.mark.parametrize("name", PROFILES)
def test_quantised_numbers_are_multiples_of_the_ulp_and_within_half_of_one(name):
    its_profile, x = PROFILES[name], np.random.default_rng(0).normal(0, 3, 1000)
    rounded = its_profile.quantise(x)
    np.testing.assert_array_equal(its_profile.quantise(rounded), rounded)
    assert (np.abs(rounded - x) <= its_profile.ulp(x) / 2).all()
    if name == "float32":
        np.testing.assert_array_equal(rounded, x.astype(np.float32))


def test_the_pytest_plugin_runs_every_vector_as_a_test(pytester, monkeypatch):
    """A right and a wrong backend, named on the command line of pytest."""
    monkeypatch.setenv("PYTHONPATH", ":".join([str(Path(__file__).parents[2]), *sys.path]))
    vectors = len(select(FLOAT32, 0))
    right_one = pytester.runpytest_subprocess("--decolle-backend=tests.support.oracle:right", "--decolle-seed=0")
    right_one.assert_outcomes(passed=vectors)
    wrong_one = pytester.runpytest_subprocess("--decolle-backend=tests.support.oracle:leaky", "--decolle-seed=0")
    assert wrong_one.ret == 1
    wrong_one.stdout.fnmatch_lines(["*first failure: step*"])


def test_the_pytest_plugin_refuses_ids_that_no_vector_has(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ":".join([str(Path(__file__).parents[2]), *sys.path]))
    pytester.path.joinpath("x.toml").write_text('[expected_failures]\nnosuch = "because"\n')
    run = pytester.runpytest_subprocess("--decolle-backend=tests.support.oracle:right", "--decolle-expected=x.toml")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["ERROR: expected failures: expected ids of vectors*got 'nosuch'"])


def test_backends_live_in_a_namespace_of_their_own():
    with pytest.raises(InputError, match=r"expected MODULE:OBJECT or an installed name \(.*\), got 'nobody'"):
        backends.load("nobody")
