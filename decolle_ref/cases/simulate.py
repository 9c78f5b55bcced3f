"""The language-neutral simulator: a case folder in, a trace folder out.

A trace holds, per layer and step, Q, P and R as U read them, U, S, Y, and where there are targets the loss, e and
delta, on request dW and db, and at the end the weights, the state and the optimiser's memory, so that a run can be
split.  It also holds the constants derived from the dialect (gains, delta), for implementers to compare with.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util import npy, store
from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case, schema
from decolle_ref.decolle import network, rule
from decolle_ref.decolle.network import Carry, Layer, Snapshot
from decolle_ref.decolle.synapse import Weights

FORMAT, VERSION = "decolle_ref trace", 1
STATES = ("Q", "P", "R", "U", "S", "Y")
LEARNING = {"loss": "loss", "e": "dY", "delta": "dU"}  # name in a trace: name in a Snapshot


def simulate(case: Case, gradients: bool = False) -> dict[str, Array]:
    """Run the case; returns the trace's arrays by name, time first.

    gradients adds dW and db, and W and b as U read them, which are large: (steps, n, n_in).  Raises InputError for
    gradients without targets.
    """
    layers = case.network()
    if gradients and not case.about["targets"]:
        raise InputError("gradients: expected a case with targets, got one without")
    recorded: dict[str, list[Array]] = {}
    last = case.start()
    for carry, shown in network.run(layers, case.start(), case.inputs, case.targets(), case.learner()):
        for name, array in _rows(layers, last.weights, shown, gradients):
            recorded.setdefault(name, []).append(array)
        last = carry
    series = {name: np.stack(rows) for name, rows in recorded.items()}
    return series | dict(_constants(layers)) | dict(_end(last))


def _rows(
    layers: tuple[Layer, ...], weights: tuple[Weights, ...], shown: tuple[Snapshot, ...], gradients: bool
) -> Iterator[tuple[str, Array]]:
    for k, (layer, w, seen) in enumerate(zip(layers, weights, shown, strict=True), start=1):
        names = dict(zip(STATES, STATES, strict=True)) | ({} if seen.dU is None else LEARNING)
        yield from ((f"layer{k}_{name}", np.asarray(getattr(seen, field))) for name, field in names.items())
        if gradients and seen.dU is not None:
            dW, db = rule.gradient(layer.synapse, seen.dU, seen.P)
            yield from ((f"layer{k}_dW", dW), (f"layer{k}_db", db), (f"layer{k}_W", w.W), (f"layer{k}_b", w.b))


def _constants(layers: tuple[Layer, ...]) -> Iterator[tuple[str, Array]]:
    for k, layer in enumerate(layers, start=1):
        for name in ("alpha", "beta", "gamma", "delta", "gain_Q", "gain_P"):
            yield f"layer{k}_const_{name}", getattr(layer.neuron, name)


def _end(carry: Carry) -> Iterator[tuple[str, Array]]:
    for k, (weights, state) in enumerate(zip(carry.weights, carry.state, strict=True), start=1):
        for name, array in (*weights._asdict().items(), *state._asdict().items()):
            yield f"layer{k}_{name}_final", array
    for k, memory in enumerate(carry.opt_state, start=1):
        for letter, moments in zip("Wb", memory, strict=True):
            if moments is not None:
                yield from ((f"layer{k}_m_{letter}_final", moments.m), (f"layer{k}_u_{letter}_final", moments.u))


def run(case: Case, folder: str | Path, gradients: bool = False) -> None:
    """Simulate into a new trace folder, whole or not at all.

    Raises InputError for a folder that has something in it, and for a run that leaves the range of its dtype.
    """
    with store.new_folder(folder) as path:
        store.write_json(path / "trace.json", _description(case.about))
        with np.errstate(over="ignore", invalid="ignore"):  # found below, and named
            arrays = simulate(case, gradients)
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise InputError(f"{name}: expected numbers within {array.dtype}, got {array[place]} at {place}")
            npy.write(path / f"{name}.npy", array)


def _description(about: dict[str, Any]) -> dict[str, Any]:
    sizes = [{key: layer[key] for key in ("n_in", "n", "n_out")} for layer in about["layers"]]
    same = {key: about[key] for key in ("dtype", "steps", "batch")}
    return {"format": FORMAT, "version": VERSION, "case": about["name"], **same, "layers": sizes}


def read_states(folder: str | Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """(trace.json, any subset of Q, P, R, U, S per layer) of a trace folder, ours or another implementation's.

    Raises InputError, in one line, for anything against the format.
    """
    path = Path(folder)
    about = schema.read(path / "trace.json", "trace")
    lead, dtype = (about["steps"], about["batch"]), np.dtype(about["dtype"]).newbyteorder("<")
    arrays: dict[str, Array] = {}
    for k, layer in enumerate(about["layers"], start=1):
        for name in ("Q", "P", "R", "U", "S"):
            file = path / f"layer{k}_{name}.npy"
            width = layer["n_in"] if name in "QP" else layer["n"]
            if file.exists():
                kinds = (dtype, *npy.COUNTS) if name == "S" else (dtype,)
                arrays[f"layer{k}_{name}"] = npy.read(file, (*lead, width), kinds).astype(np.float64)
    if not arrays:
        raise InputError(f"{path}: expected at least one of layer1_Q, P, R, U, S .npy, got none")
    return about, arrays
