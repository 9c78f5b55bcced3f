"""What the tests of the site share: where it is, and what a program says about it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
BROWSER = PROJECT / "tests" / "browser"


def folder(variable):
    """The folder that an environment variable names, or a reason to skip."""
    path = os.environ.get(variable)
    if not path or not Path(path).is_dir():
        pytest.skip(f"{variable} names no folder")
    return Path(path)


def chromium():
    """Skip where there is no browser to drive."""
    pytest.importorskip("selenium")
    if not Path("/usr/bin/chromedriver").exists():
        pytest.skip("chromedriver is not installed")


def lines(command):
    """What a command prints, one JSON object per line."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=1800, cwd=PROJECT)
    assert result.returncode == 0, result.stderr[-2000:]
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
