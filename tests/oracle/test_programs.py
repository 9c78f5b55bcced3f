"""Programs as backends: nothing of them stays, whatever happens; and code of a user that raises anything."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref._util.check import InputError
from decolle_ref.cli.main import main
from decolle_ref.credit.audit import derivation
from decolle_ref.oracle import backends, process, runner
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.vectors.catalogue import select
from tests.support.oracle import case

FLOAT32 = PROFILES["float32"]
ROOT = Path(__file__).parents[2]


def script(tmp_path, text):
    """A shell script in a new file."""
    path = tmp_path / "program.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def answered(program, timeout=60.0):
    (outcome,) = runner.run(backends.program([program], FLOAT32, timeout), select(FLOAT32, 0)[:1])
    return outcome


def gone(pid):
    """Whether a process has ended, or ends within five seconds."""
    stat = Path(f"/proc/{pid}/stat")
    for _ in range(100):
        try:
            if stat.read_text().split()[2] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder in which temporary files are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def test_a_grandchild_that_holds_the_output_delays_nothing_and_is_stopped(tmp_path, scratch):
    note = tmp_path / "pid"
    start = time.monotonic()
    outcome = answered(script(tmp_path, f"sleep 1000 & echo $! > {note}; echo no device >&2; exit 1"))
    assert "expected exit code 0, got 1 (no device)" in outcome.text
    assert time.monotonic() - start < 30 and gone(note.read_text().strip())
    assert not list(scratch.iterdir())


def test_the_time_limit_holds_and_the_report_has_the_last_words(tmp_path, scratch):
    note = tmp_path / "pid"
    outcome = answered(script(tmp_path, f"echo $$ > {note}; echo step 7; (trap '' TERM INT HUP; sleep 1000)"), 0.5)
    assert "expected an answer within 0.5 s, got none (it said: step 7)" in outcome.text
    assert gone(note.read_text().strip()) and not list(scratch.iterdir())


def test_output_without_end_stops_the_program_and_stays_out_of_memory(tmp_path, scratch, monkeypatch):
    monkeypatch.setattr(process, "OUTPUT", 1 << 16)
    outcome = answered(script(tmp_path, "exec yes"))
    assert "expected at most 65536 bytes of output, got more (it said: y)" in outcome.text
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_the_program_with_its_children_and_leaves_no_folder(tmp_path, scratch, name):
    note = tmp_path / "pids"
    program = script(tmp_path, f"sleep 1000 & echo $$ $! > {note}.part; mv {note}.part {note}; wait")
    command = [sys.executable, "-m", "decolle_ref", "oracle", "run", "--seed", "0", "--only", "dense", "--", program]
    start = "import sys; from decolle_ref.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command[1:3] = ["-c", start]
    heard = partial(signal.signal, getattr(signal, name), signal.SIG_DFL)  # these tests may run where it is ignored
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=heard) as running:
        while not note.exists():
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(getattr(signal, name))
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130 and "Traceback" not in err and len(err.splitlines()) == 1, err
    assert all(gone(pid) for pid in note.read_text().split())
    assert not list(scratch.iterdir())


def test_signals_are_as_before_after_a_program_has_run(tmp_path):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    answered(script(tmp_path, "exit 1"))
    assert before == {number: signal.getsignal(number) for number in before}


def test_the_time_limit_is_an_option_for_programs(tmp_path, capsys):
    program = script(tmp_path, "sleep 1000")
    options = ["oracle", "run", "--seed", "0", "--only", "dense-paper"]
    assert main([*options, "--timeout", "0.3", "--", program]) == 1
    assert "expected an answer within 0.3 s, got none" in capsys.readouterr().out
    for wrong in ("0", "-1", "nan", "inf"):
        assert main([*options, "--timeout", wrong, "--", program]) == 2
        assert capsys.readouterr().err.startswith("decolle-ref: error: timeout: expected finite numbers > 0")
    assert main([*options, "--timeout", "1", "tests.support.oracle:right"]) == 2
    assert "expected a program after --" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["trace.json", "layer1_U.npy"])
def test_an_answer_with_a_pipe_in_it_is_refused_at_once(tmp_path, file):
    outcome = answered(script(tmp_path, f"mkdir $2; echo '{{}}' > $2/trace.json; rm -f $2/{file}; mkfifo $2/{file}"))
    assert outcome.status == "fail" and "Traceback" not in outcome.text
    assert file != "trace.json" or "got something else (not a regular file)" in outcome.text


@pytest.mark.parametrize("option", ["--expected", "--profile", "--case"])
def test_pipes_and_devices_as_options_are_refused_at_once(tmp_path, capsys, option):
    folder = tmp_path / "case"
    folder.mkdir()
    os.mkfifo(folder / "case.json")
    path = folder if option == "--case" else folder / "case.json"
    assert main(["oracle", "run", option, str(path), "tests.support.oracle:right"]) == 2
    err = capsys.readouterr().err
    assert "not a regular file" in err and len(err.splitlines()) == 1
    if option != "--case":
        assert main(["oracle", "run", option, "/dev/zero", "tests.support.oracle:right"]) == 2
        assert "not a regular file" in capsys.readouterr().err


HEADERS = "\n".join("[" + "a." * 480 + f"b{k}]" for k in range(60))
TOML = [
    "a = " + "[" * 60000,
    "a = [\n" * 9000,
    "a" + ".a" * 30000 + " = 1",
    HEADERS,
    "a = " + "{b=" * 200,
    "\x00",
    "\udcff",
]


@pytest.mark.parametrize("text", TOML, ids=range(len(TOML)))
def test_nested_and_broken_expected_failures_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / "expected.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"expected\.toml: expected "):
        runner.read_expected(path)


def test_a_large_file_of_expected_failures_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "expected.toml"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(InputError, match="of at most"):
        runner.read_expected(path)


@pytest.mark.parametrize("name", ["../../escaped", "a/b", "", ".", "-x", "a\nb", "x" * 101])
def test_the_name_of_a_case_writes_only_into_out(tmp_path, capsys, monkeypatch, name):
    monkeypatch.syspath_prepend(str(ROOT))
    example, out = case(seed=1, dtype="float32"), tmp_path / "deep" / "out"
    cases.write(tmp_path / "case", {**example.about, "name": name or "x y"}, example.arrays)
    command = ["oracle", "run", "--case", str(tmp_path / "case"), "--out", str(out), "tests.support.oracle:leaky"]
    assert main(command) == 2
    assert "expected a name of at most 100 letters" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case"]


class Unprintable(BaseException):
    """An exception of a user that is no Exception and cannot be printed."""

    def __str__(self):
        raise RuntimeError("not even this")


class Answer(dict):
    """An answer that raises when it is read."""

    def items(self):
        raise Unprintable

    def __iter__(self):
        raise Unprintable


class NoArray:
    def __array__(self, dtype=None, copy=None):
        raise Unprintable


def _raises(*arguments):
    raise Unprintable


USER_CODE = {
    "raises": _raises,
    "exits": lambda *arguments: sys.exit(0),
    "answers a mapping that raises": lambda *arguments: Answer(W1=1),
    "answers no array": lambda *arguments: {"W1": NoArray()},
    "answers nothing": lambda *arguments: None,
    "does not end its recursion": lambda *arguments: USER_CODE["does not end its recursion"](),
}


@pytest.mark.parametrize("kind", USER_CODE)
def test_whatever_code_of_a_user_raises_becomes_one_line(kind):
    (outcome,) = runner.run(Backend("mine", USER_CODE[kind], FLOAT32), select(FLOAT32, 0)[:1])
    assert outcome.status == "fail" and len(outcome.text.splitlines()) == 2
    with pytest.raises(InputError, match="mine") as refused:
        derivation.check(USER_CODE[kind], np.random.default_rng(0), name="mine")
    assert len(str(refused.value).splitlines()) == 1


def test_a_module_that_raises_anything_is_refused_in_one_line(tmp_path):
    (tmp_path / "raising.py").write_text("class X(BaseException):\n    def __str__(self): raise X\nraise X")
    with pytest.raises(InputError, match="expected an object, got X"):
        backends.load(f"{tmp_path}/raising.py:backend")
    with pytest.raises(InputError, match="raised X: X"):
        derivation.load(f"{tmp_path}/raising.py:gradient")


def test_ctrl_c_is_no_exception_of_the_user_code():
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(runner.run(Backend("mine", interrupted, FLOAT32), select(FLOAT32, 0)[:1]))
    with pytest.raises(KeyboardInterrupt):
        derivation.check(interrupted, np.random.default_rng(0))
