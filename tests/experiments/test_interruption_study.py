"""Every experiment is interrupted at random moments, and resumed to the files of an uninterrupted run, byte for byte.

    pytest -m study tests/experiments/test_interruption_study.py -s

MOMENTS kills in all, then Ctrl-C, SIGTERM, a full disk, a deleted folder and two processes once for every experiment.
It takes about half an hour.  Experiments on data that are not there are skipped.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import experiments
from decolle_ref._util import store
from decolle_ref._util.check import InputError
from decolle_ref.data import cifar10, location, mnist

pytestmark = pytest.mark.study

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import sys
from importlib import import_module
from decolle_ref.cli.main import main

if sys.argv[1] in ("convnet", "spikegrad-mnist", "spikegrad-cifar10"):  # on fewer images than --quick has
    module = import_module("decolle_ref.experiments." + sys.argv[1].replace("-", "_"))
    read, import_module("decolle_ref.experiments.spikegrad_images").QUICK_EVENTS = module.read, 1
    module.read = lambda settings: module.Data(*(array[:100] for array in read(settings)))
sys.exit(main())
"""
MNIST = "--batch 4 --steps 12 --burn-in 3 --test-images 8 --test-steps 9 --samples 40"
COMMANDS = {
    "regression": "--epochs 3 --layers 16 16 16",
    "poisson-mnist": MNIST,
    "convnet": "--epochs 2 --batch 100",
    "nmnist": "--mini-batches 6",
    "nmnist-convnet": "--epochs 2",
    "dvsgesture": "--clips --mini-batches 4 --steps 100",
    "credit": "--steps 5",
    "landscape": "--updates 10",
    "alignment": "--repeats 1",
    "superspike": "--repeats 1 --trials 5",
    "patterns": "--repeats 1 --epochs 3",
    "scaling": "",
    "xor": "--networks 3",
    "spikegrad-mnist": "--epochs 2",
    "spikegrad-cifar10": "--epochs 2 --width 0.03125",
    "dialect-comparison": "",
    "replay": "regression",
    "replay mnist": "--images 64",
}
DATA = {
    "spikegrad-cifar10": f"{cifar10.FOLDER}/test_batch.bin",
    "nmnist": "nmnist/Train/0/00002.bin",
    "nmnist-convnet": "nmnist/Train/0/00002.bin",
    "dvsgesture": "dvsgesture/clips/01.bin",
    "replay": "authors/regression.npz",
    "replay mnist": "authors/mnist_long.npz",
}
MOMENTS = 100
LIMIT = 600  # seconds


def start(command, out, *options, limit=""):
    """Start `decolle-ref COMMAND`; `limit` is what the shell does before."""
    words = [*command.split(), *COMMANDS[command].split(), "--quick", "--quiet", "--out", str(out), *options]
    return subprocess.Popen(
        ["bash", "-c", f'{limit} exec "$@"', "bash", sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process):
    """The exit code, stdout and stderr."""
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err


def wait_for_begin(process, out):
    """Wait until the run keeps its folder, or has ended."""
    while not (out / store.LOCK).exists() and process.poll() is None:
        time.sleep(0.005)


def files(out):
    """The files of a run without those of earlier ones; of `scaling`, which measures time, all but the measurements."""
    content = {path.name: path.read_bytes() for path in out.iterdir() if not path.name.startswith("old.")}
    if "scaling.png" in content:
        del content["scaling.png"]
        results = json.loads(content["results.json"])
        content["results.json"] = {key: results[key] for key in ("experiment", "settings", "versions")}
    return content


def same(out, whole):
    """Whether resuming the run leads to the files of the uninterrupted one, and to no others."""
    code, _, err = end(start(whole.command, out, "--resume"))
    assert (code, err) == (0, "")
    return files(out) == whole.files


class Whole:
    """An uninterrupted run: its files, and how long it kept its folder."""

    def __init__(self, command, out):
        self.command, process = command, start(command, out)
        wait_for_begin(process, out)
        began = time.monotonic()
        code, _, err = end(process)
        assert (code, err) == (0, "")
        self.seconds, self.files = time.monotonic() - began, files(out)

    def interrupted(self, out, rng, act):
        """Start another run and call `act` of the process at a random moment."""
        process = start(self.command, out)
        wait_for_begin(process, out)
        time.sleep(rng.uniform(0, self.seconds))
        act(process)
        return end(process)


@pytest.fixture(scope="module", params=COMMANDS)
def whole(request, tmp_path_factory):
    name = request.param
    needed = [DATA[name]] if name in DATA else []
    if experiments.experiment(name.split()[0]).download is mnist.download or name == "replay mnist":
        needed.append("mnist/train-images-idx3-ubyte.gz")
    try:
        for file in needed:
            location.find(file)
    except InputError as reason:
        pytest.skip(str(reason))
    return Whole(name, tmp_path_factory.mktemp("whole") / "out")


@pytest.fixture
def rng(whole):
    return np.random.default_rng(list(whole.command.encode()))


def test_every_experiment_takes_part():
    assert {name.split()[0] for name in COMMANDS} == set(experiments.NAMES)


def test_killed_at_random_moments_it_resumes_to_the_same_bytes(whole, rng, tmp_path):
    moments, killed = -(-MOMENTS // len(COMMANDS)), 0
    for n in range(moments):
        code, _, _ = whole.interrupted(tmp_path / str(n), rng, lambda process: process.kill())
        killed += code == -signal.SIGKILL
        assert same(tmp_path / str(n), whole)
    print(
        f"\n{whole.command}: {killed} of {moments} killed within {whole.seconds:.1f} s, all resumed to the same bytes"
    )
    assert killed


@pytest.mark.parametrize(("number", "code"), ((signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)))
def test_a_signal_ends_it_with_at_most_one_line(number, code, whole, rng, tmp_path):
    got, _, err = whole.interrupted(tmp_path / "out", rng, lambda process: process.send_signal(number))
    assert err.count("\n") == (got == 130)
    if got != code:  # it came when all was done, also while Python itself was ending
        assert got in (0, -number) and files(tmp_path / "out") == whole.files
    assert same(tmp_path / "out", whole)


def test_a_full_disk_ends_it_with_one_line_and_leaves_nothing_half_written(whole, tmp_path):
    code, _, err = end(start(whole.command, tmp_path / "out", limit="ulimit -f 1;"))
    assert code == 2 and err.count("\n") == 1
    assert err.startswith(f"decolle-ref: error: {tmp_path / 'out'}/") and err.endswith(": File too large\n")
    assert all(path.stat().st_size <= 1024 for path in (tmp_path / "out").iterdir())
    assert same(tmp_path / "out", whole)


def test_a_deleted_folder_ends_it_with_one_line(whole, rng, tmp_path):
    code, _, err = whole.interrupted(tmp_path / "out", rng, lambda process: shutil.rmtree(tmp_path / "out", True))
    assert code in (0, 2) and err.count("\n") == (code == 2)
    assert same(tmp_path / "out", whole)


def test_of_two_processes_one_is_refused_in_one_line(whole, tmp_path):
    out = tmp_path / "out"
    first = start(whole.command, out)
    wait_for_begin(first, out)
    code, _, err = end(start(whole.command, out))
    assert end(first)[0] == 0
    if code == 0:  # the first had ended already; the second put its files aside
        assert any(path.name.startswith("old.") for path in out.iterdir())
    else:
        refusal = f"out: expected a folder that no other process writes into, got {out}"
        assert (code, err) == (2, f"decolle-ref: error: {refusal}\n")
    assert files(out) == whole.files
