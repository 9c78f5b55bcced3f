"""The interfaces of the oracle: traces in files, programs, the command line, the plugin of pytest."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util import npy
from decolle_ref._util.check import InputError
from decolle_ref.cli.main import main
from decolle_ref.oracle import backends, runner
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.vectors.catalogue import select
from decolle_ref.oracle.verdict import Run
from tests.support.oracle import case, right

FLOAT32 = PROFILES["float32"]
pytest_plugins = ("pytester",)


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
        main(
            [
                "oracle",
                "run",
                "tests.support.oracle:leaky",
                "--profile",
                "float32",
                "--only",
                "dense",
                "--out",
                str(out),
            ]
        )
        == 1
    )
    text = capsys.readouterr().out
    assert "first failure: step" in text and "oracle: NOT PASSED: tests.support.oracle:leaky (format float32):" in text
    commands = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("one step of ")]
    assert len(commands) == len(list((out / "one-step").iterdir())) == 5
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
    backend = Backend("modest", modest, FLOAT32)
    outcomes = tuple(runner.run(backend, conv))
    assert {outcome.status for outcome in outcomes} == {"unsupported", "pass"}
    assert Run(backend, outcomes, 0, selected=True).verdict == "passed"
    refused = tuple(outcome for outcome in outcomes if outcome.status == "unsupported")
    assert Run(backend, refused, 0, selected=True).verdict == "not covered"
    script = tmp_path / "backend.py"
    script.write_text("import sys; print('no convolution', file=sys.stderr); sys.exit(3)")
    (outcome,) = runner.run(backends.program([sys.executable, str(script)], FLOAT32), conv[:1])
    assert (outcome.status, outcome.text) == ("unsupported", "not supported, says the backend (no convolution)")


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
    with pytest.raises(InputError, match=r"U.npy: expected an array file, got something else \(not a regular file\)"):
        npy.read(tmp_path / "U.npy", (1,))


def test_the_pytest_plugin_runs_every_vector_as_a_test(pytester, monkeypatch):
    """A right and a wrong backend, named on the command line of pytest."""
    monkeypatch.setenv("PYTHONPATH", ":".join([str(Path(__file__).parents[2]), *sys.path]))
    vectors = len(select(FLOAT32, 0, "dense"))
    options = "-k", "dense", "--decolle-seed=0"
    right_one = pytester.runpytest_subprocess("--decolle-backend=tests.support.oracle:right", *options)
    right_one.assert_outcomes(passed=vectors)
    wrong_one = pytester.runpytest_subprocess("--decolle-backend=tests.support.oracle:leaky", *options)
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
