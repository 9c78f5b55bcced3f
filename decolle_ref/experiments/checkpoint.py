"""Checkpoints: weights, optimiser memory and history of a run that learns with Adamax, and whose settings they are."""

from pathlib import Path
from typing import Any

from decolle_ref import network, store
from decolle_ref.check import Array, InputError, exact_shape, finite
from decolle_ref.network import Carry, Network
from decolle_ref.optim import Moments
from decolle_ref.synapse import Weights

Settings = dict[str, Any]  # as JSON gives it back


def save(path: Path, kind: str, carry: Carry, history: Array, settings: Settings) -> None:
    """Write the checkpoint, atomically; history is any array that grows with the run."""
    arrays = {"history": history}
    for k, (weights, memory) in enumerate(zip(carry.weights, carry.memory, strict=True)):
        for letter, array, moments in zip("Wb", weights, memory, strict=True):
            arrays |= {f"{letter}{k}": array, f"m_{letter}{k}": moments.m, f"u_{letter}{k}": moments.u}
    store.write_arrays(path, kind, arrays, {"settings": settings, "updates": carry.updates})


def load(path: Path, kind: str, net: Network, settings: Settings, updates_per_row: int) -> tuple[Carry, Array]:
    """Read a checkpoint back: (carry without state, history of one row per updates_per_row updates).

    Raises InputError if it is damaged, incomplete, or of another run.
    """
    arrays, about = store.read_arrays(path, kind)
    require_same(path, about.get("settings"), settings)
    try:
        updates = int(about["updates"])
        weights = tuple(Weights(arrays[f"W{k}"], arrays[f"b{k}"]) for k in range(len(net)))
        memory = tuple(
            tuple(Moments(arrays[f"m_{x}{k}"], arrays[f"u_{x}{k}"], updates) for x in "Wb") for k in range(len(net))
        )
        history = finite(f"{path} history", arrays["history"])
    except (KeyError, TypeError, ValueError) as missing:
        raise InputError(f"{path}: expected a complete checkpoint, got one without {missing}") from None
    if updates != updates_per_row * len(history):
        raise InputError(f"{path}: expected {updates_per_row * len(history)} updates, got {updates}")
    network.check(net, weights)
    for w, moments in zip(weights, memory, strict=True):
        for array, moment in zip(w, moments, strict=True):
            for x in moment[:2]:
                exact_shape(f"{path} memory", finite(f"{path} memory", x), array.shape)
    return Carry(weights, (), memory, updates=updates), history


def require_same(path: Path, theirs: Any, ours: Settings) -> None:
    """Raise InputError, naming the first difference, unless a checkpoint's settings are those of this run."""
    for name, value in ours.items():
        found = theirs.get(name) if isinstance(theirs, dict) else None
        if found != value:
            raise InputError(f"{path}: expected a run with {name} = {value}, got {found}")
