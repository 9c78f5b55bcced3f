"""The command of a sweep is killed at random moments, and leads with --resume to the files of an uninterrupted one.

pytest -m study tests/experiments/test_sweep_study.py -s
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.study

ROOT = Path(__file__).parent.parent.parent
PROGRAM = "import sys; from decolle_ref.cli.main import main; sys.exit(main())"
COMMAND = "regression --quick --quiet --epochs 3 --layers 8 --seeds 0 1 2 --jobs 2 --threads 1"
MOMENTS = 10


def start(out, *options):
    words = [sys.executable, "-c", PROGRAM, *COMMAND.split(), "--out", str(out), *options]
    return subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)


def arrays_and_results(out):
    """The files that hold numbers, with their bytes."""
    paths = (path for path in out.rglob("*") if path.suffix in (".json", ".npz", ".md"))
    return {path.relative_to(out): path.read_bytes() for path in paths}


def in_use(out):
    """Whether a process of the sweep still writes: the locks of killed ones are left, but free."""
    fcntl = pytest.importorskip("fcntl")
    for path in out.rglob(".decolle_ref.lock"):
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def test_killed_at_random_moments_it_resumes_to_the_same_bytes(tmp_path):
    began = time.monotonic()
    assert start(tmp_path / "whole").wait() == 0
    seconds, rng, killed = time.monotonic() - began, np.random.default_rng(17), 0
    whole = arrays_and_results(tmp_path / "whole")
    for moment in range(MOMENTS):
        out = tmp_path / str(moment)
        process = start(out)
        time.sleep(rng.uniform(0, seconds))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        while in_use(out):  # its runs end when they notice it
            time.sleep(0.05)
        assert start(out, "--resume").wait() == 0
        assert arrays_and_results(out) == whole
    print(f"\n{killed} of {MOMENTS} killed within {seconds:.1f} s, all resumed to the same bytes")
    assert killed
