"""The shapes that follow from case.json alone: the synapse of a layer, its width, and the shapes of all arrays.

>>> layer = {"n_in": 3, "n": 2, "n_out": 1, "loss": "squared_error", "reduction": "sum"}
>>> width(layer)
2
>>> about = {"dialect": "paper", "steps": 10, "batch": 1, "constants": "tau", "initial_state": "rest"}
>>> shapes(about | {"targets": False, "learn": False, "layers": [layer]})["layer1_W"]
(2, 3)
"""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from decolle_ref._util.check import InputError
from decolle_ref.cases.layer_arrays import CONSTANTS
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.synapse import Conv2d, Dense, Synapse

Shapes = dict[str, tuple[int, ...]]
LARGEST = 1 << 28  # numbers in one array of a case, and of one layer at one step; 2 GiB in float64
LARGEST_TRACE = 1 << 27  # numbers in all arrays of a trace


def connections(layer: Mapping[str, Any]) -> tuple[Synapse, MaxPool | None]:
    """The synapse and the pool of one layer.

    Parameters
    ----------
    layer : mapping
        One entry of `layers` in case.json.

    Returns
    -------
    synapse : Dense or Conv2d
    pool : MaxPool or None
        None where the layer does not pool.

    Raises
    ------
    InputError
        Where the convolution does not fit n_in and n, or where a layer without convolution pools.
    """
    if "conv" not in layer:
        if "pool" in layer:
            raise InputError("pool: expected a layer with conv, got one without")
        return Dense(layer["n_in"], layer["n"]), None
    conv = layer["conv"]
    if conv.get("padding", 0) >= conv["kernel"]:  # windows that see nothing but padding, in an image as large as it is
        raise InputError(f"conv.padding: expected less than the kernel, {conv['kernel']}, got {conv['padding']}")
    shape_in = conv["channels_in"], conv["height"], conv["width"]
    synapse = Conv2d(shape_in, conv["channels"], conv["kernel"], conv.get("stride", 1), conv.get("padding", 0))
    for name, size in (("n_in", synapse.n_in), ("n", synapse.n)):
        if layer[name] != size:
            raise InputError(f"{name}: expected {size}, as conv says, got {layer[name]}")
    return synapse, MaxPool(synapse.shape, layer["pool"]) if "pool" in layer else None


def width(layer: Mapping[str, Any]) -> int:
    """The number of spikes that a layer transmits and that its readout reads: the neurons, or the pooling windows.

    Parameters
    ----------
    layer : mapping
        One entry of `layers` in case.json.

    Returns
    -------
    int
    """
    synapse, pool = connections(layer)
    return synapse.n if pool is None else pool.n


def shapes(about: Mapping[str, Any]) -> Shapes:
    """The arrays that belong to a case, and their shapes.

    Parameters
    ----------
    about : mapping
        The content of case.json.

    Returns
    -------
    dict of str to tuple of int
        The shape of each array by the name of its file.
    """
    expected: Shapes = {"inputs": (about["steps"], about["batch"], about["layers"][0]["n_in"])}
    if about["learn"] and about.get("schedule") == "given":
        expected["schedule"] = (about["steps"],)
    for k, layer in enumerate(about["layers"], start=1):
        expected |= {f"layer{k}_{name}": shape for name, shape in _layer_shapes(about, layer).items()}
    return expected


def _layer_shapes(about: Mapping[str, Any], layer: Mapping[str, Any]) -> Shapes:
    T, B, n_in, n, n_out = about["steps"], about["batch"], layer["n_in"], layer["n"], layer["n_out"]
    W, b = connections(layer)[0].shapes
    expected: Shapes = {"W": W, "b": b, "G": (n_out, width(layer)), "c": (n_out,), "w": (n,)}
    expected |= dict(zip(CONSTANTS[about["constants"]], ((n_in,), (n_in,), (n,)), strict=True))
    if about["initial_state"] == "given":
        expected |= {"P0": (B, n_in), "Q0": (B, n_in), "R0": (B, n)}
    if about.get("dropout") == "given":
        expected["mask"] = (T, B, n_out if _drops_Y(about) else width(layer))
    if about["targets"]:
        expected["target"] = (T, B, n_out)
    if about["learn"]:
        expected |= {"rate_W": W if len(W) > 2 else (n_in,), "rate_b": b}
        if about.get("memory") == "given":
            expected |= {"m_W": W, "u_W": W, "m_b": b, "u_b": b}
    return expected


def _drops_Y(about: Mapping[str, Any]) -> bool:
    """Whether the dialect's dropout acts after G, on Y."""
    dialect = about["dialect"]
    if dialect is None:
        return False
    place = DIALECTS[dialect].dropout if isinstance(dialect, str) else dialect["dropout"]
    return bool(place == "after_G")


def _sizes(about: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """How many numbers each array has, and each layer at one step, as Python integers, which do not overflow."""
    yield from ((name, math.prod(shape)) for name, shape in shapes(about).items())
    for k, layer in enumerate(about["layers"]):
        conv = layer.get("conv", {})
        sides = (conv[side] + 2 * conv.get("padding", 0) for side in ("height", "width") if conv)
        image = conv.get("channels_in", 1) * math.prod(sides)
        yield f"layers[{k}]", about["batch"] * max(layer["n_in"], layer["n"], image)


def trace_size(about: Mapping[str, Any], gradients: bool) -> int:
    """How many numbers the trace of a case has.

    Parameters
    ----------
    about : mapping
        The content of case.json.
    gradients : bool
        Whether the trace has gradients and weights at every step.

    Returns
    -------
    int
    """
    numbers = 0
    for layer in about["layers"]:
        numbers += about["batch"] * (2 * layer["n_in"] + 4 * layer["n"] + 2 * layer["n_out"])
        numbers += 2 * sum(map(math.prod, connections(layer)[0].shapes)) if gradients else 0
    return int(about["steps"] * numbers)


def validate(path: Path, about: Mapping[str, Any]) -> None:
    """Raise InputError where case.json contradicts itself in a way that the schema cannot express.

    Parameters
    ----------
    path : Path
        The case folder, for the message.
    about : mapping
        The content of case.json, which follows the schema.
    """
    layers = about["layers"]
    for k, layer in enumerate(layers):
        try:
            connections(layer)
        except InputError as problem:
            raise InputError(f"{path}/case.json: layers[{k}].{problem}") from None
    for k, (below, above) in enumerate(pairwise(layers), start=1):
        if above["n_in"] != width(below):
            raise InputError(f"{path}/case.json: layers[{k}].n_in: expected {width(below)}, got {above['n_in']}")
    for name, numbers in _sizes(about):
        if numbers > LARGEST:
            raise InputError(f"{path}/case.json: {name}: expected at most {LARGEST} numbers, got {numbers}")
    if about["constants"] == "tau" and "dt" not in about:
        raise InputError(f"{path}/case.json: dt: expected seconds, as constants are time constants, got none")
    if about["learn"] and not about["targets"]:
        raise InputError(f"{path}/case.json: targets: expected true, as the case learns, got false")
