"""One layer for `exactness`: how it is wired, its constants and its state, in any kind of numbers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import Dialect
from decolle_ref.decolle.readout import Mask
from decolle_ref.oracle.vectors.number_kinds import Numbers


def _windows(image: Array, size: int, stride: int) -> Array:
    """(channels, height, width) -> (channels, rows, columns, size, size): every window that fits."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))
    return np.asarray(windows[:, ::stride, ::stride])


@dataclass
class ExactLayer:
    """One layer: its inputs and weights, its constant arrays, and its state."""

    about: dict[str, Any]
    fan_in: Array  # (n, inputs per neuron): indices of the inputs, -1 for padding
    channel: Array  # (n,): the row of W
    windows: Array  # (n', size^2): the neurons of each pooling window
    constants: dict[str, Array]
    dialect: Dialect
    state: dict[str, Array] = field(default_factory=dict)


def _wire(about: dict[str, Any]) -> tuple[Array, Array, Array]:
    """fan_in, channel and windows of a layer."""
    n = about["n"]
    if "conv" not in about:
        return np.tile(np.arange(about["n_in"]), (n, 1)), np.arange(n), np.arange(n)[:, None]
    conv = about["conv"]
    image = np.arange(about["n_in"]).reshape(conv["channels_in"], conv["height"], conv["width"])
    pad = conv.get("padding", 0)
    image = np.pad(image, ((0, 0), (pad, pad), (pad, pad)), constant_values=-1)
    patches = _windows(image, conv["kernel"], conv.get("stride", 1)).transpose(1, 2, 0, 3, 4)
    rows, columns = patches.shape[:2]
    fan_in = np.tile(patches.reshape(rows * columns, -1), (conv["channels"], 1))
    pool = about.get("pool", 1)
    windows = _windows(np.arange(n).reshape(-1, rows, columns), pool, pool).reshape(-1, pool**2)
    return fan_in, np.repeat(np.arange(conv["channels"]), rows * columns), windows


def exact_layer(case: Case, k: int, numbers: Numbers) -> ExactLayer:
    """Layer k, from 1; gains and delta follow from the dialect's formulas."""
    about, dialect = case.about["layers"][k - 1], case.dialect()
    prefix = f"layer{k}_"
    raw = {name[len(prefix) :]: array for name, array in case.arrays.items() if name.startswith(prefix)}
    if "alpha" not in raw:
        raise InputError("exact: expected a case with decays, got one with time constants")
    wide = {name: numbers.wide(raw[name]) for name in ("alpha", "beta", "gamma", "w")}
    constants = {name: numbers.narrow(array) for name, array in raw.items()}
    constants["delta"] = numbers.narrow(dialect.value("refractory")(wide["gamma"]) * wide["w"])
    constants["g_Q"], constants["g_P"] = (numbers.narrow(dialect.value("gains")(wide[x])) for x in ("beta", "alpha"))
    rest = {"P": about["n_in"], "Q": about["n_in"], "R": about["n"]}
    state = {
        x: constants.get(f"{x}0", numbers.narrow(np.zeros((case.about["batch"], size)))) for x, size in rest.items()
    }
    for x in "Wb":
        state |= {x: constants[x]} | {f"{m}_{x}": constants.get(f"{m}_{x}", 0 * constants[x]) for m in "mu"}
    return ExactLayer(about, *_wire(about), constants, dialect, state)


def inputs_of(layer: ExactLayer, P: Array) -> Array:
    """The P that each neuron reads, 0 for padding: (B, n_in) -> (B, n, inputs per neuron)."""
    return np.asarray(np.concatenate([P, 0 * P[:, :1]], axis=1)[:, layer.fan_in])


def mask_of(layer: ExactLayer, step: int) -> Mask:
    """The factors of dropout at one step."""
    factors = layer.constants.get("mask")
    return Mask(1, 1) if factors is None else Mask(1, 1)._replace(**{layer.dialect.value("dropout"): factors[step]})


def surrogate_of(layer: ExactLayer) -> str:
    """The name of the layer's surrogate."""
    return str(layer.about.get("surrogate", layer.dialect.surrogate))
