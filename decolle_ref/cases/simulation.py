"""The language-neutral simulator: a case in, a trace out.

For each layer and step a trace holds Q, P and R as U read them, and U, S and Y.  Where there are targets it also holds
the loss, e = dL/dY and delta = dL/dU, and on request dW, db and the weights that U read.  Weights, state and optimiser
state at the end are there too, so that a run can be split, and so are the constants that follow from the dialect
(gains, delta), so that an implementer can compare them.

>>> from decolle_ref.cases import description
>>> layer = {"n_in": 1, "n": 1, "n_out": 1, "loss": "squared_error", "reduction": "sum"}
>>> about = {"dialect": "paper", "dtype": "float64", "constants": "decay", "steps": 6, "batch": 1, "layers": [layer]}
>>> about |= {"initial_state": "rest", "targets": False, "learn": False}
>>> arrays = {name: np.full(shape, 0.5) for name, shape in description.shapes(about).items()}
>>> simulate(Case(about, arrays | {"inputs": np.eye(6, 1)[:, None], "layer1_b": -np.ones(1)}))["layer1_P"].ravel()
array([0.  , 0.  , 1.  , 1.  , 0.75, 0.5 ])
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref._util import npy, store
from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import description, schema
from decolle_ref.cases.case import Case
from decolle_ref.cases.layer_arrays import SNAPSHOT_FIELDS, STATES
from decolle_ref.decolle import network, rule
from decolle_ref.decolle.network import Carry, Layer, Snapshot
from decolle_ref.decolle.synapse import Weights

FORMAT, VERSION = "decolle_ref trace", 1


def simulate(case: Case, gradients: bool = False) -> dict[str, Array]:
    """Run a case and record its trace.

    Parameters
    ----------
    case : Case
    gradients : bool
        Also record dW and db, and W and b as U read them.  These are large: (steps, n, n_in).

    Returns
    -------
    dict of str to array
        The arrays of the trace by the names of their files, time first (docs/case_format.md lists their shapes).

    Raises
    ------
    InputError
        For gradients of a case without targets, for a case whose dialect is unknown, and for a trace that is too large.
    """
    layers, before = case.network(), case.start()
    if gradients and not case.about["targets"]:
        raise InputError("gradients: expected a case with targets, got one without")
    size = description.trace_size(case.about, gradients)
    if size > description.LARGEST_TRACE:
        raise InputError(f"trace: expected at most {description.LARGEST_TRACE} numbers, got {size} (split the steps)")
    series: dict[str, list[Array]] = {}
    for carry, snapshots in network.run(layers, before, case.inputs, case.targets(), case.learner(), case.masks()):
        for k, (layer, weights, snapshot) in enumerate(zip(layers, before.weights, snapshots, strict=True), start=1):
            for name, array in _rows(layer, weights, snapshot, gradients):
                series.setdefault(f"layer{k}_{name}", []).append(array)
        before = carry
    stacked = {name: np.stack(series.pop(name)) for name in list(series)}  # one copy at a time
    return stacked | dict(_constants(layers)) | dict(_end(before))


def _rows(layer: Layer, weights: Weights, snapshot: Snapshot, gradients: bool) -> Iterator[tuple[str, Array]]:
    """The record of one layer at one step."""
    for name, field in SNAPSHOT_FIELDS.items():
        if getattr(snapshot, field) is not None:
            yield name, np.asarray(getattr(snapshot, field))
    if gradients and snapshot.dU is not None:
        dW, db = rule.gradient(layer.synapse, snapshot.dU, snapshot.P)
        yield from (("dW", dW), ("db", db), ("W", weights.W), ("b", weights.b))


def _constants(layers: tuple[Layer, ...]) -> Iterator[tuple[str, Array]]:
    for k, layer in enumerate(layers, start=1):
        for name in ("alpha", "beta", "gamma", "delta", "gain_Q", "gain_P"):
            yield f"layer{k}_const_{name}", getattr(layer.neuron, name)


def _end(carry: Carry) -> Iterator[tuple[str, Array]]:
    for k, (weights, state) in enumerate(zip(carry.weights, carry.state, strict=True), start=1):
        for name, array in (*weights._asdict().items(), *state._asdict().items()):
            yield f"layer{k}_{name}_final", array
    for k, opt_state in enumerate(carry.opt_state, start=1):
        for letter, moments in zip("Wb", opt_state, strict=True):
            if moments is not None:
                yield from ((f"layer{k}_m_{letter}_final", moments.m), (f"layer{k}_u_{letter}_final", moments.u))


def write_trace(case: Case, folder: str | Path, gradients: bool = False) -> None:
    """Simulate a case into a new trace folder, whole or not at all.

    Parameters
    ----------
    case : Case
    folder : path
        A folder that does not exist yet or is empty.
    gradients : bool
        Also write dW and db, and W and b as U read them.

    Raises
    ------
    InputError
        For a folder that has something in it, and for a run that leaves the range of its dtype.
    """
    with store.new_folder(folder) as path:
        store.write_json(path / "trace.json", describe_trace(case.about))
        with np.errstate(over="ignore", invalid="ignore"):  # reported below, with the name of the array
            arrays = simulate(case, gradients)
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise InputError(f"{name}: expected numbers within {array.dtype}, got {array[place]} at {place}")
            npy.write(path / f"{name}.npy", array)


def describe_trace(about: dict[str, Any]) -> dict[str, Any]:
    """The content of trace.json.

    Parameters
    ----------
    about : dict
        The content of the case's case.json.

    Returns
    -------
    dict
    """
    layers = [{key: layer[key] for key in ("n_in", "n", "n_out")} | _pooled(layer) for layer in about["layers"]]
    same = {key: about[key] for key in ("dtype", "steps", "batch")}
    return {"format": FORMAT, "version": VERSION, "case": about["name"], **same, "layers": layers}


def _pooled(layer: dict[str, Any]) -> dict[str, int]:
    """The entry of trace.json for a layer that pools: the number of spikes that it transmits."""
    return {"width": description.width(layer)} if "pool" in layer else {}


def read_states(folder: str | Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """The states in a trace folder, ours or another implementation's.

    Parameters
    ----------
    folder : path

    Returns
    -------
    about : dict
        The content of trace.json.
    arrays : dict of str to array
        Q, P, R, U, S of each layer, as far as the folder holds them, (steps, batch, n_in or n), in their dtypes; S
        has the width of a layer that pools.

    Raises
    ------
    InputError
        In one line, for anything that does not follow the format, and for a folder without any of these arrays.
    """
    path = Path(folder)
    about = schema.read(path / "trace.json", "trace")
    lead, dtype = (about["steps"], about["batch"]), np.dtype(about["dtype"]).newbyteorder("<")
    arrays: dict[str, Array] = {}
    layers = about["layers"]
    widths = [*(above["n_in"] for above in layers[1:]), layers[-1].get("width", layers[-1]["n"])]
    for k, (layer, width) in enumerate(zip(layers, widths, strict=True), start=1):
        for name in STATES:
            file = path / f"layer{k}_{name}.npy"
            size = layer["n_in"] if name in "QP" else layer["n"] if name in "RU" else width
            if file.exists():
                dtypes = (dtype, *npy.COUNTS) if name == "S" else (dtype,)
                arrays[f"layer{k}_{name}"] = npy.read(file, (*lead, size), dtypes)
    if not arrays:
        raise InputError(f"{path}: expected at least one of layer1_Q, P, R, U, S .npy, got none")
    return about, arrays
