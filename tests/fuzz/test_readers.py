"""Damaged files are read, or refused in one line: no traceback, no hang, little memory, and no file elsewhere.

The study damages more than 200,000 files; the default run damages a few of each kind.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fuzz import EVENT_READERS, READERS, attempt

ROOT = Path(__file__).parents[2]
MEBI = 1 << 20
PARTS = 4
FEW = dict.fromkeys(READERS, 100) | dict.fromkeys(EVENT_READERS, 500)
MANY = {"case": 2000, "trace": 3000, "checkpoint": 1000, "checkpoint with its checksum corrected": 1500}
MANY |= {"recordings": 1500, "pickles": 3500, "mnist": 4000, "cifar10": 4000, "profile": 5000}  # in each part
MANY |= dict.fromkeys(EVENT_READERS, 6250)  # 100,000 in all


def outcome(reader, seed, count, folder, seconds):
    """What a process reports that reads damaged files in an own folder, which is its home too."""
    for name in ("home", "work"):
        (folder / name).mkdir()
    environment = os.environ | {"HOME": str(folder / "home"), "DECOLLE_REF_DATA": str(folder / "work/in/files")}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "tests.support.fuzz", reader, str(seed), str(count), str(folder / "work")]
    done = subprocess.run(
        command, cwd=folder / "home", env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list((folder / "home").rglob("*"))
    assert {path.name for path in folder.iterdir()} == {"home", "work"}
    return json.loads(done.stdout)


def assert_harmless(report, reader, count):
    assert report["bad"] == []
    assert report["accepted"] + report["refused"] == count
    assert report["refused"] > count / 10  # the damage is felt
    assert report["memory"] <= 2 * report["largest"] + (10 if reader in EVENT_READERS else 200) * MEBI


@pytest.mark.parametrize("reader", READERS)
def test_a_few_damaged_files_are_read_or_refused(reader, tmp_path):
    assert_harmless(outcome(reader, 0, FEW[reader], tmp_path, 120), reader, FEW[reader])


@pytest.mark.study
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("reader", READERS)
def test_many_damaged_files_are_read_or_refused(reader, part, tmp_path):
    """202,000 files in all, about 25 minutes."""
    assert_harmless(outcome(reader, 1 + part, MANY[reader], tmp_path, 1800), reader, MANY[reader])


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_in_place_of_any_file_is_refused_without_waiting(reader, tmp_path, monkeypatch):
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path / "files"))
    (tmp_path / "files").mkdir()
    READERS[reader].write(tmp_path / "files")
    assert attempt(READERS[reader], tmp_path / "files", tmp_path / "out") == "accepted"
    for path in [path for path in (tmp_path / "files").rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        assert attempt(READERS[reader], tmp_path / "files", tmp_path / "out") == "refused", path
        path.unlink()
        path.write_bytes(whole)
