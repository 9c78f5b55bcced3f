"""Between two epochs of a SpikeGrad run: weights, their velocity and the history, kept in checkpoints."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array, InputError, finite
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments import checkpoint
from decolle_ref.spikegrad import network
from decolle_ref.spikegrad.layers import IFNetwork

KIND = "decolle_ref spikegrad-mnist checkpoint"


class Epoch(NamedTuple):
    """One row of history.  Counts are means over samples; the top layer does not spike forward."""

    loss: Array  # (), mean cross-entropy while learning
    accuracy: Array  # (), on the test images after the epoch
    learning_rate: Array  # (), at the start of the epoch
    spikes: Array  # (layers - 1,), sum of S per sample
    error_spikes: Array  # (layers,), sum of |E| per sample
    forward: Array  # (layers - 1,), synaptic operations per sample in the connections of layers 2, 3, ...
    backward: Array  # (layers - 1,), the same of the error spikes


class State(NamedTuple):
    """Where a run stands between two epochs."""

    weights: tuple[Weights, ...]
    velocity: tuple[Weights, ...]
    history: list[Epoch]


def save(path: Path, settings: dict[str, Any], state: State) -> None:
    """Write the checkpoint of a run with these settings, atomically."""
    arrays = {name: np.stack([getattr(row, name) for row in state.history]) for name in Epoch._fields}
    for k, (w, v) in enumerate(zip(state.weights, state.velocity, strict=True)):
        arrays |= {f"W{k}": w.W, f"b{k}": w.b, f"v_W{k}": v.W, f"v_b{k}": v.b}
    store.write_arrays(path, KIND, arrays, {"settings": settings})


def load(path: Path, settings: dict[str, Any], net: IFNetwork) -> State:
    """Read a checkpoint back.  Raises InputError if it is damaged, incomplete, or of other settings."""
    arrays, about = store.read_arrays(path, KIND)
    checkpoint.require_same(path, about.get("settings"), settings)
    layers = range(len(net))
    try:
        columns = [finite(f"{path} {name}", arrays[name]) for name in Epoch._fields]
        history = [Epoch(*row) for row in zip(*columns, strict=True)]
        weights = tuple(Weights(arrays[f"W{k}"], arrays[f"b{k}"]) for k in layers)
        velocity = tuple(Weights(arrays[f"v_W{k}"], arrays[f"v_b{k}"]) for k in layers)
    except (KeyError, TypeError, ValueError) as missing:
        raise InputError(f"{path}: expected a complete checkpoint, got one without {missing}") from None
    if len(history) > settings["epochs"]:
        raise InputError(f"{path}: expected at most {settings['epochs']} epochs, got {len(history)}")
    for found in (weights, velocity):
        network.validate(net, found)
    return State(weights, velocity, history)
