"""Checkpoints: the arrays of a run's state, together with the settings of the run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from decolle_ref._util import reading, store
from decolle_ref._util.check import Array, InputError, finite
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import Moments
from decolle_ref.decolle.synapse import Synapse, Weights

NAME = "checkpoint.npz"
Settings = dict[str, Any]  # as JSON gives it back


def save(path: Path, kind: str, arrays: Mapping[str, Array], settings: Settings) -> None:
    """Write a checkpoint, atomically."""
    store.write_arrays(path, kind, arrays, {"settings": settings})


def load(path: Path, kind: str, settings: Settings) -> dict[str, Array]:
    """The arrays of a checkpoint.  Raises InputError if it is damaged, or names the first setting that differs."""
    arrays, about = reading.read_arrays(path, kind)
    theirs = about.get("settings")
    for name, value in settings.items():
        other = theirs.get(name) if isinstance(theirs, dict) else None
        if other != value:
            raise InputError(f"{path}: expected a run with {name} = {value}, got {other}")
    return arrays


@contextmanager
def complete(path: Path) -> Iterator[None]:
    """Within the block a missing or unusable array of a checkpoint raises InputError."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError) as missing:
        raise InputError(f"{path}: expected a complete checkpoint, got one without {missing}") from None


def pack(carry: Carry) -> dict[str, Array]:
    """The weights and Adamax's state of every layer, and the number of updates, as named arrays."""
    arrays: dict[str, Array] = {"updates": np.asarray(carry.updates)}
    for k, (weights, opt_state) in enumerate(zip(carry.weights, carry.opt_state, strict=True)):
        for letter, array, moments in zip("Wb", weights, opt_state, strict=True):
            arrays |= {f"{letter}{k}": array, f"m_{letter}{k}": moments.m, f"u_{letter}{k}": moments.u}
    return arrays


def unpack(path: Path, arrays: Mapping[str, Array], synapses: Sequence[Synapse], dtype: npt.DTypeLike) -> Carry:
    """The inverse of `pack`, without the state of the neurons.

    Raises InputError for arrays that are missing, of a wrong shape or dtype, or not finite.
    """
    layers = range(len(synapses))
    with complete(path):
        updates = int(arrays["updates"])
        weights = tuple(Weights(arrays[f"W{k}"], arrays[f"b{k}"]) for k in layers)
        opt_state = tuple(
            tuple(Moments(arrays[f"m_{x}{k}"], arrays[f"u_{x}{k}"], updates) for x in "Wb") for k in layers
        )
    for k, (synapse, w, moments) in enumerate(zip(synapses, weights, opt_state, strict=True), start=1):
        for pair in (w, *(Weights(*both) for both in zip(*(m[:2] for m in moments), strict=True))):
            synapse.validate(pair, np.dtype(dtype), f"{path} layer {k}")
    return Carry(weights, (), opt_state, updates=updates)


def history(path: Path, arrays: Mapping[str, Array], name: str) -> Array:
    """A finite array of a checkpoint.  Raises InputError if it is missing or not finite."""
    with complete(path):
        return finite(f"{path} {name}", arrays[name])


def validate_updates(path: Path, carry: Carry, expected: int) -> None:
    """Raise InputError unless a checkpoint's number of updates is the one that its history implies."""
    if carry.updates != expected:
        raise InputError(f"{path}: expected {expected} updates, got {carry.updates}")
