"""`decolle-ref doctor` says what is there, what is missing and what brings it, and tells nobody who the user is."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from decolle_ref.cli import doctor
from decolle_ref.cli.main import main


def printed(capsys, *words):
    assert main(["doctor", *words]) == 0
    return capsys.readouterr().out


def test_the_text_and_the_json_tell_the_same(capsys):
    text, found = printed(capsys), json.loads(printed(capsys, "--json"))
    assert found["versions"]["numpy"] == np.__version__
    for topic, entries in found.items():
        assert f"{topic}:\n" in text
        for name, value in entries.items():
            (line,) = [line for line in text.splitlines() if line.startswith(f"  {name:<24}")]
            assert not isinstance(value, str) or line.endswith(value)


def test_a_missing_package_is_reported_with_the_command_that_installs_it(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "version", lambda package: None)
    assert '  ipywidgets              not installed: pip install "decolle_ref[tutorials]"\n' in printed(capsys)


def test_without_threadpoolctl_the_kernel_is_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert doctor.blas()["kernel"] is None and doctor.blas()["threads"] is None
    advice = 'unknown without threadpoolctl: pip install "decolle_ref[figures]"'
    assert doctor.text({"blas": {"kernel": None}}).endswith(advice)


def test_the_data_sets_that_lie_in_the_folder_are_found(monkeypatch, tmp_path):
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path))
    assert doctor.data() == {"folder": str(tmp_path), **dict.fromkeys(doctor.DATA, False)}
    for file in doctor.DATA.values():
        (tmp_path / file).mkdir(parents=True)
    assert all(doctor.data().values())


def test_a_user_without_a_home_folder_gets_a_report(monkeypatch):
    def homeless():
        raise RuntimeError("no home")

    monkeypatch.delenv("DECOLLE_REF_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert doctor.data()["folder"] is None
    assert doctor.without_home(Path("/tmp/x")) == "/tmp/x"


@pytest.mark.parametrize(("inside", "shown"), (("a/b", "~/a/b"), (".", "~")))
def test_the_home_folder_is_not_shown(inside, shown, monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert doctor.without_home(tmp_path / inside) == shown
    assert doctor.without_home(Path("/elsewhere")) == "/elsewhere"


def test_the_report_nowhere_names_the_home_folder(monkeypatch, tmp_path, capsys):
    """Programs and data may lie in it."""
    program = tmp_path / "iverilog"
    program.touch(mode=0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path / "data"))
    text = printed(capsys)
    assert "~/iverilog" in text and "~/data" in text and str(tmp_path) not in text


def test_the_first_program_that_is_installed_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.program(("gcc", "clang")) is None
    (tmp_path / "clang").touch(mode=0o755)
    assert doctor.program(("gcc", "clang")) == str(tmp_path / "clang")
