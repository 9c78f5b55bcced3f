"""Damaged files are read, or refused in one line: no traceback, no hang, little memory, and no file elsewhere.

The study damages more than 100,000 files; the default run damages a few of each kind.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fuzz import READERS

ROOT = Path(__file__).parents[2]
MEBI = 1 << 20
FEW, MANY, PARTS = 150, 3000, 4  # MANY in each part


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


def assert_harmless(report, count):
    assert report["bad"] == []
    assert report["accepted"] + report["refused"] == count
    assert report["refused"] > count / 10  # the damage is felt
    assert report["memory"] <= 2 * report["largest"] + 200 * MEBI


@pytest.mark.parametrize("reader", READERS)
def test_a_few_damaged_files_are_read_or_refused(reader, tmp_path):
    assert_harmless(outcome(reader, 0, FEW, tmp_path, 120), FEW)


@pytest.mark.study
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("reader", READERS)
def test_many_damaged_files_are_read_or_refused(reader, part, tmp_path):
    """108,000 files in all, about 20 minutes."""
    assert_harmless(outcome(reader, 1 + part, MANY, tmp_path, 1800), MANY)
