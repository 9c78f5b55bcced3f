"""How a command ends when its streams, its files, its folder or its user are not as usual."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from decolle_ref import cases
from decolle_ref.cli.main import main, parser
from tests.support.cases import make

ROOT = Path(__file__).parent.parent.parent
RUN = [sys.executable, "-c", "import sys; from decolle_ref.cli.main import main; sys.exit(main())"]
CREDIT = ("credit", "local", "--cost", "local", "--quick", "--steps", "3", "--quiet")
SMALL = "ulimit -f 1; "  # no file may become larger than one block


def shell(command, *words, **environment):
    """Run a shell command, in which "$@" is `decolle-ref WORDS`."""
    known = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        ["bash", "-c", command, "bash", *RUN, *map(str, words)], env=known, capture_output=True, text=True, timeout=120
    )


def case(folder):
    cases.write(folder, *make(steps=100))
    return folder


def writers(case, out):
    """Every kind of command that writes into --out, and the first file that is too large."""
    return {
        "credit": ([*CREDIT, "--out", out], "results.json"),
        "regression": (
            ["regression", "--quick", "--epochs", "1", "--layers", "8", "8", "8", "--quiet", "--out", out],
            "checkpoint.npz",
        ),
        "simulate": (["simulate", case, "--out", out], "layer1_Q.npy"),
        "export": (["oracle", "export", "--out", out], "inputs.npy"),
    }


@pytest.mark.parametrize("name", writers(Path(), Path()))
def test_a_full_disk_ends_every_command_with_one_line_that_names_the_file(name, tmp_path):
    words, file = writers(case(tmp_path / "case"), tmp_path / "out")[name]
    ended = shell(SMALL + '"$@"', *words)
    line = ended.stderr
    assert (ended.returncode, ended.stdout, line.count("\n")) == (2, "", 1)
    assert line.startswith(f"decolle-ref: error: {tmp_path / 'out'}/") and line.endswith(f"{file}: File too large\n")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("words", "unbuffered"), ((("--help",), ""), (("check-derivation", "--template"), "1")))
def test_output_that_does_not_fit_is_no_success(words, unbuffered, tmp_path):
    ended = shell(f'{SMALL}"$@" > "{tmp_path}/out"', *words, PYTHONUNBUFFERED=unbuffered)
    assert (ended.returncode, ended.stderr) == (2, "decolle-ref: error: standard output: File too large\n")


@pytest.mark.parametrize("unbuffered", ("", "1"))
def test_a_reader_that_has_gone_ends_a_command_quietly(unbuffered):
    ended = shell('"$@" | true; echo "${PIPESTATUS[0]}"', "--help", PYTHONUNBUFFERED=unbuffered)
    assert (ended.stdout, ended.stderr) == ("141\n", "")


@pytest.mark.parametrize("redirection", ("2>&-", "2>/dev/full"))
def test_a_run_goes_on_without_stderr(redirection, tmp_path):
    words = [*CREDIT[:-1], "--out", tmp_path / "out"]
    ended = shell(f'"$@" {redirection}', *words)
    assert ended.returncode == 0 and ended.stdout.rstrip().endswith(f"see {tmp_path / 'out'}")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"results.json", "credit.png"}


@pytest.mark.parametrize("redirection", ("2>&-", "2>/dev/full"))
def test_without_stderr_a_failure_still_has_its_code(redirection, tmp_path):
    assert shell(f'"$@" {redirection}', "simulate", tmp_path / "none", "--out", tmp_path / "out").returncode == 2


def test_a_closed_stdout_does_not_stop_a_run_but_is_reported(tmp_path):
    ended = shell('"$@" >&-', *CREDIT, "--out", tmp_path / "out")
    assert (ended.returncode, ended.stderr) == (2, "decolle-ref: error: standard output: not open\n")
    assert (tmp_path / "out" / "results.json").exists()


@pytest.mark.parametrize("backend", ("nonsense", "module://nonsense"))
def test_figures_are_drawn_whatever_backend_the_environment_names(backend, tmp_path):
    ended = shell('"$@"', *CREDIT, "--out", tmp_path / "out", MPLBACKEND=backend, DISPLAY="")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "out" / "credit.png").exists()


def test_a_user_without_a_home_folder_gets_one_line(tmp_path, monkeypatch, capsys):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    for name in ("DECOLLE_REF_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert main(["poisson-mnist", "--quick", "--quiet", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("decolle-ref: error: data: expected a home folder, got none (")
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    assert main(["poisson-mnist", "--quick", "--quiet", "--out", str(tmp_path)]) == 2
    assert "expected mnist/train-images" in capsys.readouterr().err


@pytest.mark.parametrize("option", ("", "a\0b"))
def test_an_empty_path_and_one_with_nul_are_refused(option, capsys):
    for words in (
        [*CREDIT, "--out", option],
        ["simulate", option, "--out", "x"],
        ["oracle", "export", "--out", option],
    ):
        with pytest.raises(SystemExit, match="2"):
            main(words)
        assert f"expected a path, got {option!r}\n" in capsys.readouterr().err


@pytest.mark.parametrize("name", ("a\nb", "a\rb", "a\x1b[31mb", "a\u2028b"))
def test_every_message_has_one_line_whatever_the_path(name, tmp_path, capsys):
    (tmp_path / name).write_text("")
    escaped = name.encode("unicode_escape").decode()
    assert main(["simulate", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
    assert main([*CREDIT, "--out", str(tmp_path / name / "out")]) == 2
    assert main([*CREDIT, "--out", str(tmp_path / "x" / name)]) == 0
    with pytest.raises(SystemExit, match="2"):
        main(["credit", f"--no-such-{name}"])
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 3 and err.count(escaped) == 3
    assert out.splitlines()[-1].endswith(f"x/{escaped}")


def test_text_that_stdout_cannot_encode_is_escaped(tmp_path):
    out = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xc3\xa4")
    ended = shell('"$@"', *CREDIT, "--out", out, PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.rstrip().endswith(r"/\udcff\xe4")


def test_the_only_positional_word_of_a_command_may_be_left_out():
    assert parser().parse_args(["replay", "--quick"]).recording == "regression"
