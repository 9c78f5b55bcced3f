"""Random cases: lively networks from a seed, the same networks with exact numbers, and vectors made of them.

>>> about, arrays = random_case(0, dense(6, 5, 4))
>>> arrays["layer2_W"].shape
(4, 5)
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from decolle_ref import cases
from decolle_ref._util.check import Array, float_dtype
from decolle_ref.cases import Case
from decolle_ref.decolle import lif
from decolle_ref.decolle.synapse import Conv2d
from decolle_ref.oracle.vectors import exactness, number_kinds
from decolle_ref.oracle.vectors.exactness import ADAMAX
from decolle_ref.oracle.vectors.properties import About, Arrays, Pair, Property, Vector, each, exact, letter

BATCHES = 3, 1, 8, 2, 5  # by the seed, where a case does not choose
SINGLE = 24  # bits of the significand of float32


def dense(*sizes: int, **settings: Any) -> list[About]:
    """Layers of these sizes, inputs first."""
    return [_entry(n_in, n, settings) for n_in, n in pairwise(sizes)]


def conv(
    shape: tuple[int, int, int], channels: int, kernel: int, stride: int = 1, padding: int = 0, **settings: Any
) -> About:
    """A convolutional layer on images of `shape` (channels_in, height, width)."""
    synapse = Conv2d(shape, channels, kernel, stride, padding)
    sizes = dict(zip(("channels_in", "height", "width"), shape, strict=True))
    about = sizes | {"channels": channels, "kernel": kernel, "stride": stride, "padding": padding}
    return _entry(synapse.n_in, synapse.n, {"conv": about, **settings})


def _entry(n_in: int, n: int, settings: About) -> About:
    defaults = {"n_out": 3, "loss": "squared_error", "reduction": "mean", "surrogate": "fast_sigmoid"}
    return {"n_in": n_in, "n": n} | {key: x for key, x in (defaults | settings).items() if x is not None}


def random_case(
    seed: int | list[int],
    stack: list[About],
    dialect: str | dict[str, str] = "paper",
    rate: float = 0.4,
    most: int = 1,
    **keys: Any,
) -> Pair:
    """A random network in float64: its decays, weights, readout, targets and learning rates.

    Weights and learning rates are divided by the steady trace, so that networks of all dialects are about equally
    lively.  `rate` is the fraction of inputs other than 0, which are counts up to `most`; `keys` replace entries of
    case.json.
    """
    rng = np.random.default_rng(seed)
    batch = BATCHES[int(np.sum(seed)) % len(BATCHES)]
    about: About = {"dialect": dialect, "dtype": "float64", "constants": "decay", "steps": 24, "batch": batch}
    about |= {"initial_state": "rest", "targets": True, "learn": True, "optimiser": ADAMAX, "layers": stack} | keys
    spikes = rng.random((about["steps"], about["batch"], stack[0]["n_in"])) < rate
    counts = rng.integers(1, most + 1, spikes.shape) if most > 1 else 1
    arrays: Arrays = {"inputs": (counts * spikes).astype(np.uint8)}
    for k, layer in enumerate(stack, start=1):
        arrays |= {f"layer{k}_{name}": x for name, x in _random_layer(rng, about, layer).items()}
    if most > 1:
        arrays["layer1_W"] = np.asarray(arrays["layer1_W"] * (2 / (1 + most)))
    if about.get("schedule") == "given":
        arrays["schedule"] = np.asarray(rng.integers(1, 9, about["steps"]) / 8)
    return about, arrays


def _random_layer(rng: np.random.Generator, about: About, layer: About) -> Arrays:
    n_in, n, n_out, shape_W, shape_b = layer["n_in"], layer["n"], layer["n_out"], *cases.connections(layer)[0].shapes
    dialect, alpha, beta, gamma = Case(about, {}).dialect(), *_random_decays(rng, n_in, n)
    gain = lif.trace_gain(lif.from_decays(alpha, beta, gamma, dialect=dialect))
    if len(shape_W) > 2:  # a weight is shared by a whole channel
        channels = gain.reshape(shape_W[1], -1)
        gain = number_kinds.in_order(channels)[:, None, None] / channels.shape[1]
    step: Array = 0.05 / (gain if about["optimiser"]["kind"] == "adamax" else gain**2)
    random = {
        "W": rng.uniform(-1, 2, shape_W) * 4 / np.sqrt(np.prod(shape_W[1:])) / gain,
        "b": -rng.uniform(0.05, 0.3, shape_b),
        "G": rng.uniform(-1, 1, (n_out, cases.width(layer))),
        "c": rng.uniform(-0.1, 0.1, n_out),
        "w": rng.uniform(0.5, 1.5, n) / dialect.value("refractory")(gamma),
        "target": rng.uniform(-2, 2, (about["steps"], about["batch"], n_out)),
        "rate_W": step * rng.uniform(0.5, 1.5, shape_W if len(shape_W) > 2 else n_in),
        "rate_b": 0.02 * rng.uniform(0.5, 1.5, shape_b),
    }
    if layer["loss"] == "cross_entropy":
        random["target"] = rng.uniform(0, 1, random["target"].shape)
    decays = {"alpha": alpha, "beta": beta, "gamma": gamma}
    return {name: np.asarray(x) for name, x in (random | _random_start(rng, about, layer, gain)).items()} | decays


def _random_start(rng: np.random.Generator, about: About, layer: About, gain: Array) -> Arrays:
    """The initial state, the optimiser's memory and the factors of dropout, as far as the case has them."""
    shapes = {x.partition("_")[2]: shape for x, shape in cases.shapes(about | {"layers": [layer]}).items()}
    start: Arrays = {}
    mean_gain = number_kinds.in_order(gain.ravel()) / gain.size
    for name in ("P0", "Q0", "R0") if "P0" in shapes else ():
        start[name] = rng.uniform(0.25, 1, shapes[name]) * (mean_gain if name == "P0" else 1)
    for name in ("m_W", "m_b", "u_W", "u_b") if "m_W" in shapes else ():
        low = -1 if name[0] == "m" else 0.5
        start[name] = rng.uniform(low, 1, shapes[name]) / 4
    if "mask" in shapes:
        start["mask"] = np.where(rng.random(shapes["mask"]) < 0.2, 0, 1.25)
    return start


def _random_decays(rng: np.random.Generator, n_in: int, n: int) -> tuple[Array, Array, Array]:
    return rng.uniform(0.5, 0.75, n_in), rng.uniform(0.4, 0.65, n_in), rng.uniform(0.4, 0.7, n)


# Changes


def as_dtype(pair: Pair, dtype: str) -> Pair:
    """The case in float32 or float64, with the arrays that case.json asks for; counts keep their dtype."""
    about, arrays = pair
    kinds = {name: x.dtype if name == "inputs" else float_dtype(dtype) for name, x in arrays.items()}
    return about | {"dtype": dtype}, {name: arrays[name].astype(kinds[name]) for name in cases.shapes(about)}


def on_grid(pair: Pair, seed: int | list[int], alphas: Sequence[float] = (0.5, 0.75)) -> Pair:
    """The same network with decays from `alphas` and 1/2, and small multiples of powers of two; boxcar, SGD."""
    about, arrays = pair
    rng, dialect, new = np.random.default_rng(seed), Case(about, {}).dialect(), dict(arrays)
    for k, layer in enumerate(about["layers"], start=1):
        size = {name: arrays[f"layer{k}_{name}"].shape for name in ("W", "b", "G", "target", "rate_W", "rate_b")}
        alpha = np.full(layer["n_in"], 0.5) if "conv" in layer else rng.choice(alphas, layer["n_in"])
        beta, gamma = np.full(layer["n_in"], 0.5), np.full(layer["n"], 0.5)
        gain = lif.trace_gain(lif.from_decays(alpha, beta, gamma, dialect=dialect))
        gain = gain[0] if "conv" in layer else gain  # the same for all
        grid = {"W": rng.integers(-1, 4, size["W"]) / gain, "b": -rng.integers(1, 4, size["b"]) / 4}
        grid |= {"G": rng.integers(-2, 3, size["G"]) / 2, "c": np.zeros(layer["n_out"])}
        grid |= {"w": 1 / dialect.value("refractory")(gamma), "target": rng.integers(-2, 3, size["target"]) / 2}
        grid |= {"rate_W": np.full(size["rate_W"], 2.0**-6) / gain, "rate_b": np.full(size["rate_b"], 2.0**-6)}
        grid |= {"alpha": alpha, "beta": beta, "gamma": gamma}
        new |= {f"layer{k}_{name}": x for name, x in grid.items()}
    coarse = [layer | {"surrogate": "boxcar"} for layer in about["layers"]]
    return about | {"layers": coarse, "optimiser": {"kind": "sgd"}}, new


def with_arrays(pair: Pair, **changes: Any) -> Pair:
    """The case with other arrays, in every layer: each name with a number, or a function of the array."""
    about, arrays = pair
    new = dict(arrays)
    for name, x in arrays.items():
        change = changes.get(letter(name))
        if change is not None:
            new[name] = np.asarray(change(x)) if callable(change) else np.full(x.shape, change)
    return about, new


# Vectors


def vector(dtype: str, id: str, why: str, pair: Pair, *properties: Property) -> Vector:
    """The case as a vector with all of these properties."""
    about, arrays = as_dtype(pair, dtype)
    return Vector(id, {"name": id, "why": why, **about}, arrays, why, each(*properties))


def exact_vector(dtype: str, id: str, why: str, pair: Pair, *properties: Property, fixed: int = 0) -> Vector:
    """The leading steps of the case that are exact in 24 bits of a significand, and in `fixed` bits of fixed point."""
    about, arrays = pair
    bits = SINGLE, fixed
    steps = exactness.exact_steps(Case(*as_dtype(pair, "float64")), *bits)
    timed = {name: x[:steps] for name, x in arrays.items() if letter(name) in ("inputs", "target")}
    made = vector(dtype, id, why, (about | {"steps": steps}, arrays | timed), exact, *properties)
    return replace(made, bits=bits)
