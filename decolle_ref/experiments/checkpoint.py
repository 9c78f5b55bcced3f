"""Checkpoints: the arrays of a run's state, together with the settings of the run and a checksum of both.

The checksum shows that the file is as it was written; the limits in `Field` show that its numbers make sense.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util import reading, store
from decolle_ref._util.check import Array, InputError, between, validate_shape
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import Moments
from decolle_ref.decolle.synapse import Synapse, Weights

NAME = "checkpoint.npz"
Settings = dict[str, Any]  # as JSON gives it back


def save(path: Path, kind: str, arrays: Mapping[str, Array], settings: Settings) -> None:
    """Write a checkpoint, atomically."""
    about = {"settings": settings, "sha256": _checksum(kind, arrays, settings)}
    store.write_arrays(path, kind, arrays, about)


def load(path: Path, kind: str, settings: Settings, extendable: Collection[str] = ()) -> dict[str, Array]:
    """The arrays of a checkpoint.  Raises InputError if it was changed, or names the first setting that differs.

    The settings named in `extendable` may be larger than in the checkpoint: then the run becomes longer.
    """
    arrays, about = reading.read_arrays(path, kind)
    theirs, stored = about.get("settings"), about.get("sha256")
    if stored != _checksum(kind, arrays, theirs):
        got = "a changed file" if stored else "none (an older version wrote this file; start again without --resume)"
        raise InputError(f"{path}: expected the checksum of its content, got {got}")
    for name, value in settings.items():
        other = theirs.get(name) if isinstance(theirs, dict) else None
        if name in extendable and isinstance(other, int) and other <= value:
            continue
        if other != value:
            raise InputError(f"{path}: expected a run with {name} = {value}, got {other}")
    return arrays


def _checksum(kind: str, arrays: Mapping[str, Array], settings: Any) -> str:
    """The SHA-256 of kind, settings, and the name, dtype, shape and bytes of every array."""
    digest = hashlib.sha256(json.dumps([kind, settings], sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@contextmanager
def complete(path: Path) -> Iterator[None]:
    """Within the block a missing or unusable array of a checkpoint raises InputError."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as missing:
        raise InputError(f"{path}: expected a complete checkpoint, got one without {missing}") from None


class Field(NamedTuple):
    """The shape and the limits of one array of a checkpoint.

    Attributes
    ----------
    shape : tuple of int
    low, high : float or array that broadcasts to the shape
        The smallest and the largest number; all numbers are finite.
    whole : bool
        Whether numbers with a fraction are refused.
    """

    shape: tuple[int, ...] = ()
    low: Array | float = -np.inf
    high: Array | float = np.inf
    whole: bool = False


def parse(path: Path, arrays: Mapping[str, Array], name: str, field: Field) -> Array:
    """The named array.  Raises InputError if it is missing, of another shape, or outside its limits."""
    with complete(path):
        array = arrays[name]
    validate_shape(f"{path} {name}", array, field.shape)
    return between(f"{path} {name}", array, *field[1:])


def history(path: Path, arrays: Mapping[str, Array], name: str, row: Field, most: int) -> Array:
    """An array of at most `most` rows, each as the field `row` says.  Raises InputError as `parse` does."""
    with complete(path):
        array = arrays[name]
        if array.shape == (0,):  # there is no row yet that would show the shape of rows
            array = array.reshape(0, *row.shape)
        rows = min((most, *array.shape[:1]))
    return parse(path, {name: array}, name, row._replace(shape=(rows, *row.shape)))


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
    updates = int(parse(path, arrays, "updates", Field(low=0, high=2**53, whole=True)))
    with complete(path):
        weights = tuple(Weights(arrays[f"W{k}"], arrays[f"b{k}"]) for k in layers)
        opt_state = tuple(
            tuple(Moments(arrays[f"m_{x}{k}"], arrays[f"u_{x}{k}"], updates) for x in "Wb") for k in layers
        )
    for k, (synapse, w, moments) in enumerate(zip(synapses, weights, opt_state, strict=True), start=1):
        for pair in (w, *(Weights(*both) for both in zip(*(m[:2] for m in moments), strict=True))):
            synapse.validate(pair, np.dtype(dtype), f"{path} layer {k}")
        for letter, moment in zip("Wb", moments, strict=True):
            between(f"{path} u of layer {k} {letter}", moment.u, low=0)
    return Carry(weights, (), opt_state, updates=updates)


def validate_updates(path: Path, carry: Carry, expected: int) -> None:
    """Raise InputError unless a checkpoint's number of updates is the one that its history implies."""
    if carry.updates != expected:
        raise InputError(f"{path}: expected {expected} updates, got {carry.updates}")
