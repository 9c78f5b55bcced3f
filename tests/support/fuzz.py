"""Runs one reader on many damaged copies of good files, in a process of its own:

    python -m tests.support.fuzz READER SEED COUNT FOLDER

It prints, as JSON, how many copies were accepted and refused, what went wrong, and the memory that it took at most.
"""

import argparse
import gzip
import json
import pickle
import resource
import shutil
import signal
import struct
import sys
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref import cases
from decolle_ref._util import reading
from decolle_ref._util.check import InputError
from decolle_ref.data import authors, cifar10, digits, mnist
from decolle_ref.data._pickled import Arrays, numpy_file, torch_file
from decolle_ref.data.convert import CURVES, convert_curves
from decolle_ref.data.convert import read as read_clone
from decolle_ref.experiments import checkpoint, harness, poisson_mnist, poisson_mnist_network
from decolle_ref.oracle import profile
from tests.support import fuzz_events
from tests.support.cases import convolutional, make
from tests.support.clone import FloatStorage, Tensor, write_objects, write_torch
from tests.support.mutations import mutated

SECONDS = 10  # for one file
KIND = "decolle_ref poisson-mnist checkpoint"


class Reader(NamedTuple):
    """Writes good files into a folder, and reads them; `out` is the only other place where it may write."""

    write: Callable[[Path], Any]
    read: Callable[[Path, Path], Any]
    first: str = ""  # the file that is damaged in half of the mutations


class TooLong(BaseException):
    """The reader does not come back."""


def write_case(folder: Path) -> None:
    about, arrays = convolutional()
    cases.write(folder / "case", about | {"steps": 5, "optimiser": {"kind": "adamax", "beta1": 0.5}}, trimmed(arrays))


def trimmed(arrays: dict[str, Any]) -> dict[str, Any]:
    """Five steps of a case."""
    return {name: x[:5] if name == "inputs" or "target" in name else x for name, x in arrays.items()}


def read_case(folder: Path, out: Path) -> None:
    cases.write_trace(cases.read(folder / "case"), out / "trace")


def write_trace(folder: Path) -> None:
    about, arrays = make()
    cases.write_trace(cases.Case(about | {"steps": 5}, trimmed(arrays)), folder / "trace")
    for path in folder.glob("trace/*.npy"):
        if path.stem.split("_", 1)[1] not in ("Q", "P", "R", "U", "S"):
            path.unlink()


def job() -> poisson_mnist.PoissonMnist:
    x, labels = digits.generate(np.random.default_rng(1), 25)
    settings = poisson_mnist_network.Settings(samples=8, batch=4, steps=4, burn_in=1, test_images=5, test_steps=4)
    data = poisson_mnist_network.Data(x[:20], labels[:20], x[20:], labels[20:])
    return poisson_mnist.PoissonMnist(settings, ThreadPoolExecutor(1), data)


JOB: list[poisson_mnist.PoissonMnist] = []


def write_checkpoint(folder: Path) -> None:
    JOB.append(job())
    state = JOB[0].begin()
    for _ in range(JOB[0].steps):
        state = JOB[0].step(state, harness.silent())
    arrays = {name: np.asarray(x) for name, x in JOB[0].pack(state).items()}
    checkpoint.save(folder / "checkpoint.npz", KIND, arrays, {"seed": 0})


def read_checkpoint(folder: Path, out: Path) -> None:
    path = folder / "checkpoint.npz"
    JOB[0].unpack(path, checkpoint.load(path, KIND, {"seed": 0}))


def read_changed_checkpoint(folder: Path, out: Path) -> None:
    """As if whoever changed it had corrected the checksum."""
    path = folder / "checkpoint.npz"
    JOB[0].unpack(path, reading.read_arrays(path, KIND)[0])


def write_recordings(folder: Path) -> None:
    (folder / "authors").mkdir()
    arrays = {name: np.full(shape, 0.5, np.float32) for name, shape in authors.shapes().items()}
    np.savez_compressed(folder / authors.REGRESSION, **arrays)
    curves = {"mnist_short": 50, "mnist_long": 500}
    columns = {f"{name}_test_accuracy": np.full((n, 2, 3), 0.9) for name, n in curves.items()}
    columns |= {f"{name}_reference_accuracy": np.full((n, 2), 0.9) for name, n in curves.items()}
    np.savez(folder / authors.CURVES, **columns)


def read_recordings(folder: Path, out: Path) -> None:
    authors.curves()
    authors.regression()


def write_pickles(folder: Path) -> None:
    options = argparse.Namespace(seed=1, alpha=0.9, alphas=0.87, arp=3, no_save=False, names=["a", "b"])
    (folder / "args.pkl").write_bytes(pickle.dumps(options, protocol=3))
    storage = FloatStorage("1", np.arange(12))
    tensors = OrderedDict(W=Tensor(storage, 0, (3, 4), (1, 3)), b=Tensor(storage, 8, (2,), (1,)))
    write_torch(folder / "state.pkl", tensors, [storage])
    cells = np.empty((3, 2), object)
    for place in np.ndindex(3, 2):
        cells[place] = np.full((1, 2), 0.5, np.float32)
    write_objects(folder / "do1.npy", cells, b"numpy.core")
    np.save(folder / "deps.npy", np.ones((5, 1, 3), np.float32))
    for run in ("mnist_short", "mnist_long", "dvsgestures"):
        (folder / "Paper_results" / run).mkdir(parents=True)
    for run, file, shape in CURVES.values():
        np.save(folder / "Paper_results" / run / file, np.full(shape, 0.5))


def read_pickles(folder: Path, out: Path) -> None:
    read_clone(folder / "args.pkl", lambda stream: Arrays(stream).parse(object))
    read_clone(folder / "state.pkl", torch_file)
    read_clone(folder / "do1.npy", numpy_file)
    read_clone(folder / "deps.npy", numpy_file)
    convert_curves(folder, out / "curves.npz")


def write_mnist(folder: Path) -> None:
    header = struct.pack(">4B3I", 0, 0, 8, 3, 5, 28, 28)
    (folder / "images.gz").write_bytes(gzip.compress(header + bytes(range(256)) * 15 + bytes(80)))


def write_profile(folder: Path) -> None:
    content = {"name": "mine", "format": "fixed", "integer_bits": 4, "fraction_bits": 12, "sigma_ulps": 2.5}
    (folder / "mine.json").write_text(json.dumps(content | {"rounding": "nearest", "level": "L2", "flush": True}))


READERS = {
    "case": Reader(write_case, read_case, "case/case.json"),
    "trace": Reader(write_trace, lambda folder, out: cases.read_states(folder / "trace"), "trace/trace.json"),
    "checkpoint": Reader(write_checkpoint, read_checkpoint),
    "checkpoint with its checksum corrected": Reader(write_checkpoint, read_changed_checkpoint),
    "recordings": Reader(write_recordings, read_recordings),
    "pickles": Reader(write_pickles, read_pickles),
    "mnist": Reader(write_mnist, lambda folder, out: mnist.read_idx(folder / "images.gz")),
    "cifar10": Reader(
        lambda folder: (folder / "batch.bin").write_bytes(2 * (b"\7" + bytes(3072))),
        lambda folder, out: cifar10.read(folder / "batch.bin"),
    ),
    "profile": Reader(write_profile, lambda folder, out: profile.read(folder / "mine.json")),
}
EVENT_READERS = {
    "events": Reader(fuzz_events.write_events, fuzz_events.read_events),
    "aedat": Reader(fuzz_events.write_aedat, fuzz_events.read_aedat),
    "nmnist": Reader(fuzz_events.write_nmnist, fuzz_events.read_nmnist),
    "dvsgesture": Reader(fuzz_events.write_dvsgesture, fuzz_events.read_dvsgesture, "dvsgesture/user01_led.aedat"),
}
READERS |= EVENT_READERS


def stop(*_: Any) -> None:
    """End a reader that takes too long."""
    raise TooLong


def attempt(reader: Reader, folder: Path, out: Path) -> str:
    """ "accepted", "refused", or what went wrong."""
    shutil.rmtree(out, ignore_errors=True)
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        reader.read(folder, out)
    except InputError as refusal:
        return "refused" if "\n" not in str(refusal) and str(refusal) else f"several lines: {str(refusal)!r}"
    except TooLong:
        return "hang"
    except BaseException as problem:
        return f"{type(problem).__name__}: {str(problem)[:200]!a}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "accepted"


def memory() -> int:
    """The largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fuzz(name: str, seed: int, count: int, folder: Path) -> dict[str, Any]:
    """Damage one file at a time, and put it right again."""
    reader, good, out = READERS[name], folder / "in" / "files", folder / "out"
    good.mkdir(parents=True)
    reader.write(good)
    paths = sorted(path for path in good.rglob("*") if path.is_file())
    assert attempt(reader, good, out) == "accepted"
    before, largest, slowest = memory(), 0, 0.0
    counts, bad = {"accepted": 0, "refused": 0}, []
    for k in range(count):
        rng = np.random.default_rng((seed, k))
        path = good / reader.first if reader.first and rng.random() < 0.5 else paths[int(rng.integers(len(paths)))]
        whole = path.read_bytes()
        changed = mutated(rng, whole)
        path.write_bytes(changed)
        start = time.perf_counter()
        result = attempt(reader, good, out)
        slowest, largest = max(slowest, time.perf_counter() - start), max(largest, len(changed))
        path.write_bytes(whole)
        if result in counts:
            counts[result] += 1
        else:
            bad.append(f"{k} {path.name}: {result}")
    outside = sorted(str(path) for path in folder.rglob("*") if path.is_file() and out not in path.parents)
    bad += [f"outside: {path}" for path in outside if Path(path) not in paths]
    return counts | {"bad": bad, "slowest": slowest, "memory": memory() - before, "largest": largest}


if __name__ == "__main__":
    reader, seed, count, folder = sys.argv[1:]
    warnings.simplefilter("error")
    print(json.dumps(fuzz(reader, int(seed), int(count), Path(folder))))
