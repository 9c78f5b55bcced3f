"""Cases for the C programs of examples/c, their runs, and the integer model of the fixed-point one."""

import importlib.util
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.lif import from_decays, trace_gain

EXAMPLES = Path(__file__).parents[2] / "examples"
CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="needs a C compiler, cc")
WRITTEN = ("Q", "P", "R", "U", "S", "Y", "e", "delta", "dW", "db", "W", "b")
FINAL = ("W_final", "b_final", "P_final", "Q_final", "R_final")
MEMORY = ("m_W_final", "m_b_final", "u_W_final", "u_b_final")
SGD = {"kind": "sgd"}
ADAMAX = {"kind": "adamax", "beta2": 0.9375, "eps": 2**-16}
IMAGE = {"channels_in": 2, "height": 5, "width": 6, "channels": 3, "kernel": 3, "stride": 1, "padding": 1}

spec = importlib.util.spec_from_file_location("fixed_point", EXAMPLES / "fixed_point.py")
assert spec is not None and spec.loader is not None
fixed_point = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixed_point)


def quantised(x):
    """The nearest multiples of 2^-16."""
    return np.rint(np.asarray(x, np.float64) * 65536) / 65536


def shape(sizes, conv):
    """The sizes of each layer in case.json: dense layers, or a convolution below a dense layer."""
    if not conv:
        return [{"n_in": n_in, "n": n} for n_in, n in pairwise(sizes)]
    first = {"n_in": 60, "n": 90, "conv": IMAGE, "pool": 2}
    return [first, {"n_in": 18, "n": 4}]


def make(dialect, seed=0, sizes=(6, 5, 4), steps=20, batch=2, conv=False, layer=None, given=False, **changes):
    """(about, arrays) of a lively network with decays, in numbers that Q8.16 and float32 both hold."""
    rng = np.random.default_rng(seed)
    speaker, layers = DIALECTS[dialect], shape(sizes, conv)
    arrays = {"inputs": (rng.random((steps, batch, layers[0]["n_in"])) < 0.4).astype(np.uint8)}
    for k, about in enumerate(layers, start=1):
        about |= {"n_out": 2, "loss": "squared_error", "reduction": "mean", **(layer or {})}
        n_read = cases.width(about)
        n_in, n, of = about["n_in"], about["n"], cases.connections(about)[0].shapes
        decays = [quantised(rng.uniform(*bounds)) for bounds in ((0.5, 0.8, n_in), (0.3, 0.6, n_in), (0.5, 0.8, n))]
        unit = from_decays(*decays, dialect=speaker)
        gain, fan_in = trace_gain(unit).mean(), np.prod(of[0][1:])
        own = {
            "W": rng.uniform(-1, 2, of[0]) * 4 / np.sqrt(fan_in) / gain,
            "b": -rng.uniform(0.05, 0.3, of[1]),
            "G": rng.uniform(-1, 1, (2, n_read)),
            "c": rng.uniform(-0.1, 0.1, 2),
            "w": rng.uniform(0.5, 1.5, n) / speaker.value("refractory")(unit.gamma),
            **dict(zip(("alpha", "beta", "gamma"), decays, strict=True)),
            "target": rng.normal(size=(steps, batch, 2)),
            "rate_W": rng.uniform(1, 20, of[0] if "conv" in about else n_in) / 4096 / gain,
            "rate_b": np.full(of[1], 1 / 256),
            "P0": rng.uniform(0, gain / 2, (batch, n_in)),
            "Q0": rng.uniform(0, 2, (batch, n_in)),
            "R0": rng.uniform(0, 1, (batch, n)),
        }
        arrays |= {f"layer{k}_{name}": quantised(array).astype(np.float32) for name, array in own.items()}
    about = {
        "name": 'a "small" one',
        "dialect": dialect,
        "dtype": "float32",
        "constants": "decay",
        "steps": steps,
        "batch": batch,
        "initial_state": "given" if given else "rest",
        "targets": True,
        "learn": "optimiser" in changes,
        "layers": layers,
    } | changes
    return about, {name: array for name, array in arrays.items() if name in cases.shapes(about)}


def write(folder, about, arrays):
    """Write a case, and read it again."""
    cases.write(folder, about, arrays)
    return cases.read(folder)


def run(program, case, out):
    return subprocess.run([program, case, out], capture_output=True, text=True, timeout=30)


def result(program, case, out):
    """The arrays of the trace that a program writes."""
    done = run(program, case, out)
    assert (done.returncode, done.stderr) == (0, "")
    return {file.stem: np.load(file, allow_pickle=False) for file in out.glob("*.npy")}
