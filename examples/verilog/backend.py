"""An adapter for the oracle: the layers of a case, simulated in Verilog one after the other.

    decolle-ref oracle run --profile Q8.16 examples/verilog/backend.py:backend

DECOLLE's layers learn locally, so nothing goes back down a stack: a layer runs through all steps on the spikes of the
layer below, before the next one starts.  Icarus Verilog (`iverilog`, `vvp`) does the simulation, or Verilator if the
environment variable DECOLLE_SIMULATOR says `verilator`: it takes longer to compile, and runs faster.
"""

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref.decolle.dialects import Dialect, named
from decolle_ref.oracle.profile import PROFILES
from decolle_ref.oracle.vectors import memory_files

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from fixed_point import Array, integers, layers, optimiser  # noqa: E402

SOURCES = ("decolle_layer.v", "mac.v", "divide.v", "surrogate.v")
Q8_16 = PROFILES["Q8.16"]
SURROGATES = ("boxcar", "piecewise_linear", "fast_sigmoid", "fast_sigmoid_10")
GAINS, REFRACTORY = ("one", "leak", "inverse"), ("w", "gamma_w", "leak_w")
KNOWN = (
    "inputs schedule W b G c alpha beta gamma w P0 Q0 R0 target rate_W rate_b m_W m_b u_W u_b".split()
)  # arrays of a case
MOST_CYCLES = 10_000_000  # for Icarus Verilog, about a minute


def parameters(about: dict[str, Any], number: int) -> dict[str, int]:
    """The parameters of bench.sv for one layer of a case, counted from 1."""
    layer, choice, adamax = about["layers"][number - 1], about["dialect"], optimiser(about)
    dialect = named(choice) if isinstance(choice, str) else Dialect("custom", **choice)
    beta2, eps = adamax or (0, 1)
    return {
        "N_IN": layer["n_in"],
        "N": layer["n"],
        "N_OUT": layer["n_out"],
        "BATCH": about["batch"],
        "STEPS": about["steps"],
        "P_READS_NEW": dialect.P_reads == "new_Q",
        "U_READS_NEW": dialect.U_reads == "new_P",
        "ABOVE": dialect.threshold == "above",
        "READS_SPIKES": dialect.readout == "spikes",
        "GAINS": GAINS.index(dialect.gains),
        "REFRACTORY": REFRACTORY.index(dialect.refractory),
        "SURROGATE": SURROGATES.index(layer.get("surrogate", dialect.surrogate)),
        "SMOOTH_L1": layer["loss"] == "smooth_l1",
        "MEAN": layer["reduction"] == "mean",
        "ADAMAX": adamax is not None,
        "BETA2": beta2,
        "EPS": eps,
        "TARGETS": about["targets"],
        "LEARN": about["learn"],
        "GIVEN": about["initial_state"] == "given",
        "MEMORY": about.get("memory") == "given" and adamax is not None,
        "SCHEDULE": about.get("schedule") == "given",
    }


@cache
def compiled(settings: tuple[tuple[str, int], ...], folder: str) -> tuple[str, ...]:
    """The test bench with these parameters as a command; it is compiled in a folder of its own."""
    build = tempfile.mkdtemp(dir=folder)
    files = [str(HERE / file) for file in ("bench.sv", *SOURCES)]
    if os.environ.get("DECOLLE_SIMULATOR") == "verilator":
        chosen = [f"-G{name}={int(value)}" for name, value in settings]
        quiet = ("-Wno-fatal", "-Wno-WIDTH", "-Wno-lint", "-CFLAGS", "-O1")
        command = ("verilator", "--binary", "--timing", *quiet, f"-I{HERE}", "--top-module", "bench")
        subprocess.run([*command, *chosen, "--Mdir", build, *files], check=True, capture_output=True)
        return (f"{build}/Vbench",)
    chosen = [f"-Pbench.{name}={int(value)}" for name, value in settings]
    run("iverilog", "-g2012", f"-I{HERE}", "-s", "bench", *chosen, "-o", f"{build}/bench.vvp", *files)
    return ("vvp", "-n", f"{build}/bench.vvp")


def run(*command: str) -> None:
    """Run a program; raises RuntimeError if it fails, or prints anything."""
    done = subprocess.run(command, capture_output=True, text=True)
    said = (done.stdout + done.stderr).strip()
    if done.returncode or (said and not said.endswith("Verilog $finish")):  # which Verilator says at the end
        raise RuntimeError(f"{command[0]}: expected exit code 0 and no message, got {done.returncode}: {said}")


def validate(about: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Raise NotImplementedError for a case that the layer does not compute."""
    layers(about, arrays)  # what the integer model refuses
    optimiser(about)
    for layer in about["layers"]:
        if "conv" in layer:
            raise NotImplementedError("layers: expected dense ones, got a convolution")
    for name in arrays:
        if name.removeprefix("layer").lstrip("0123456789").removeprefix("_") not in KNOWN:
            raise NotImplementedError(f"{name}: expected no such array, got one")
    if (arrays["inputs"] < 0).any() or (arrays["inputs"] != np.floor(arrays["inputs"])).any():
        raise NotImplementedError("inputs: expected counts, got others")
    integers("inputs", arrays["inputs"], 32768)
    total = sum(cycles(about, k, about["learn"]) for k in range(1, len(about["layers"]) + 1)) * about["steps"]
    if total > MOST_CYCLES and os.environ.get("DECOLLE_SIMULATOR") != "verilator":
        raise NotImplementedError(f"steps: expected at most {MOST_CYCLES} clock cycles for Icarus Verilog, got {total}")


def simulate(about: dict[str, Any], hex: Path, out: Path) -> None:
    """Run all layers: from a folder of memory files to another, as `oracle export --hex` writes them."""
    out.mkdir()
    inputs, learn_from = hex / "inputs.hex", max(0, about.get("burn_in", 0) - about.get("n", 0))
    for number in range(1, len(about["layers"]) + 1):
        program = compiled(tuple(parameters(about, number).items()), scratch())
        plus = {"hex": hex, "inputs": inputs, "out": out, "layer": number, "learn_from": learn_from}
        run(*program, *(f"+{name}={value}" for name, value in plus.items()))
        inputs = out / f"layer{number}_S.hex"


@cache
def scratch() -> str:
    """A folder for compiled benches, which goes when Python ends."""
    kept.append(tempfile.TemporaryDirectory())
    return kept[0].name


kept: list[Any] = []


def cycles(about: dict[str, Any], number: int, learn: bool) -> int:
    """The clock cycles of one step: one, t + 3 for each sum of t products, and 61 more for each division."""
    at = {name: int(x) for name, x in parameters(about, number).items()}
    B, I, N, K = (at[name] for name in ("BATCH", "N_IN", "N", "N_OUT"))
    smooth, parabolic, divided = at["SURROGATE"] >= 2, at["SURROGATE"] == 1, 61
    sigma = 0 if at["READS_SPIKES"] else 4 + 5 * parabolic + divided * smooth
    step = 1 + B * (I * 2 * 5 + N * ((I + 5) + 4 + sigma) + K * (N + 4) + N * 5)
    if not at["TARGETS"]:
        return step
    step += B * (K * (5 + divided * at["MEAN"]) + N * (4 + (4 + divided) * smooth + (K + 3) + 4))
    update = (4 + 4 + divided if at["ADAMAX"] else 0) + 5
    return step + N * (I + 1) * (B + 3 + learn * update)


def shapes(about: dict[str, Any], number: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays that the bench writes for a layer."""
    layer, T, B = about["layers"][number - 1], about["steps"], about["batch"]
    n_in, n, n_out = layer["n_in"], layer["n"], layer["n_out"]
    series = {"Q": (B, n_in), "P": (B, n_in), "R": (B, n), "U": (B, n), "S": (B, n), "Y": (B, n_out)}
    ends = {"W": (n, n_in), "b": (n,), "P": (B, n_in), "Q": (B, n_in), "R": (B, n)}
    if about["targets"]:
        series |= {"e": (B, n_out), "delta": (B, n), "dW": (n, n_in), "db": (n,), "W": (n, n_in), "b": (n,)}
    if optimiser(about):
        ends |= {"u_W": (n, n_in), "u_b": (n,)}
    return {name: (T, *shape) for name, shape in series.items()} | {f"{x}_final": shape for x, shape in ends.items()}


def read(path: Path, shape: tuple[int, ...], dtype: str) -> Array:
    """A memory file as numbers: spikes, or Q8.16 in 25 bits."""
    words = np.array([int(word, 16) for word in path.read_text().split()], np.int64).reshape(shape)
    if not path.stem.endswith("_S"):
        words = np.where(words >> 24, words - (1 << 25), words) / 65536
    return words.astype(dtype)


def backend(about: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
    """Run a case; returns the arrays of its trace by name, time first."""
    validate(about, arrays)
    with tempfile.TemporaryDirectory() as folder:
        hex, out = Path(folder) / "hex", Path(folder) / "out"
        hex.mkdir()
        memory_files.write(hex, arrays, Q8_16)
        simulate(about, hex, out)
        return trace(about, out)


def trace(about: dict[str, Any], out: Path) -> dict[str, Array]:
    """The arrays that `simulate` wrote."""
    arrays = {}
    for number in range(1, len(about["layers"]) + 1):
        for name, shape in shapes(about, number).items():
            file = out / f"layer{number}_{name}.hex"
            arrays[file.stem] = read(file, shape, about["dtype"])
    return arrays


backend.profile = "Q8.16"  # type: ignore[attr-defined]
