"""Checkpoints: weights, optimiser memory and history of a run that learns with Adamax, and whose settings they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from decolle_ref._util import store
from decolle_ref._util.check import Array, InputError, finite
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import Moments
from decolle_ref.decolle.synapse import Synapse, Weights

Settings = dict[str, Any]  # as JSON gives it back


def save(path: Path, kind: str, carry: Carry, histories: Mapping[str, Array], settings: Settings) -> None:
    """Write the checkpoint, atomically; histories are any arrays that grow with the run."""
    arrays = dict(histories)
    for k, (weights, memory) in enumerate(zip(carry.weights, carry.opt_state, strict=True)):
        for letter, array, moments in zip("Wb", weights, memory, strict=True):
            arrays |= {f"{letter}{k}": array, f"m_{letter}{k}": moments.m, f"u_{letter}{k}": moments.u}
    store.write_arrays(path, kind, arrays, {"settings": settings, "updates": carry.updates})


def load(
    path: Path, kind: str, synapses: Sequence[Synapse], dtype: npt.DTypeLike, settings: Settings, names: Sequence[str]
) -> tuple[Carry, list[Array]]:
    """Read a checkpoint back: (carry without state, the histories of these names).

    Raises InputError if it is damaged, incomplete, or of another run.
    """
    arrays, about = store.read_arrays(path, kind)
    require_same(path, about.get("settings"), settings)
    layers = range(len(synapses))
    try:
        updates = int(about["updates"])
        weights = tuple(Weights(arrays[f"W{k}"], arrays[f"b{k}"]) for k in layers)
        memory = tuple(tuple(Moments(arrays[f"m_{x}{k}"], arrays[f"u_{x}{k}"], updates) for x in "Wb") for k in layers)
        histories = [finite(f"{path} {name}", arrays[name]) for name in names]
    except (KeyError, TypeError, ValueError) as missing:
        raise InputError(f"{path}: expected a complete checkpoint, got one without {missing}") from None
    for k, (synapse, w, moments) in enumerate(zip(synapses, weights, memory, strict=True), start=1):
        for found in (w, *(Weights(*both) for both in zip(*(m[:2] for m in moments), strict=True))):
            synapse.validate(found, np.dtype(dtype), f"{path} layer {k}")
    return Carry(weights, (), memory, updates=updates), histories


def put_aside(folder: Path, name: str) -> None:
    """Keep what an earlier run left in `folder`, as old.NAME and old.results.json: a new run is about to begin."""
    for left in (name, "results.json"):
        if (folder / left).exists():
            (folder / left).replace(folder / f"old.{left}")


def require_updates(path: Path, carry: Carry, expected: int) -> None:
    """Raise InputError unless a checkpoint has made as many updates as its history says."""
    if carry.updates != expected:
        raise InputError(f"{path}: expected {expected} updates, got {carry.updates}")


def require_same(path: Path, theirs: Any, ours: Settings) -> None:
    """Raise InputError, naming the first difference, unless a checkpoint's settings are those of this run."""
    for name, value in ours.items():
        found = theirs.get(name) if isinstance(theirs, dict) else None
        if found != value:
            raise InputError(f"{path}: expected a run with {name} = {value}, got {found}")
