"""A second, plain implementation: its traces are the same on every machine, or without any rounding.

In floating point every product and every sum is one rounded operation in a fixed order, without BLAS, exp or fused
operations, so a trace is the same to the last bit on every machine.  (np.einsum would not do: its order of sums depends
on the processor.)  In fractions nothing is rounded, and the bits that every sum needs are counted.  That proves that
every implementation with as many bits computes exactly these numbers, in any order of sums.

It shares no code with `network`: one gather serves dense and convolutional layers alike.

>>> from decolle_ref.decolle.dialects import DIALECTS
>>> portable({"layers": [{"loss": "squared_error", "surrogate": "logistic"}]}, DIALECTS["paper"])
False
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import Dialect
from decolle_ref.oracle.vectors.number_kinds import SLOPES, SURROGATES, Need, Numbers, counted, floats

ADAMAX = {"kind": "adamax", "beta1": 0.0, "beta2": 0.95, "eps": 1e-8}
INNER = ("u", "winners")  # names in a row that are not in the trace

Row = dict[str, Array]


def certify(case: Case) -> tuple[Row, Need]:
    """The exact trace of a case, and the bits that suffice for it.

    Parameters
    ----------
    case : a case with decays

    Returns
    -------
    dict of str to array of Fraction
        The trace.
    Need
        The bits that hold every number, in any order of sums.

    Raises
    ------
    InputError
        If a number is not a multiple of a power of two.
    """
    need = Need()
    return _stacked(list(steps(case, counted(need)))), need


def exact_steps(case: Case, significand: int | None = None, fixed: int | None = None) -> int:
    """The number of leading steps of a case that are exact, with their updates.

    Parameters
    ----------
    case : a case with decays
    significand, fixed : the bits of a significand, and of fixed-point numbers with their sign; None for no limit

    Returns
    -------
    int
    """
    need = Need()
    # the last row is the end of the run, not a step
    fits = (need.fits(significand, fixed) for _ in steps(case, counted(need)))
    return min(sum(takewhile(bool, fits)), int(case.about["steps"]))


def run(case: Case) -> Row:
    """The trace of a case in its dtype, the same on every machine.

    Parameters
    ----------
    case : a case with decays, which is `portable`

    Returns
    -------
    dict of str to array
    """
    return _stacked(list(steps(case, floats(case.about["dtype"]))))


def portable(about: dict[str, Any], dialect: Dialect) -> bool:
    """Whether `run` can run a case: rational surrogates and rates, no cross-entropy, pooling that compares U itself.

    Parameters
    ----------
    about : the contents of case.json
    dialect : the dialect of the case

    Returns
    -------
    bool
    """
    layers = about["layers"]
    rational = all(layer.get("surrogate", dialect.surrogate) in SURROGATES for layer in layers)
    pooled = dialect.pooling == "pool_S" and any("pool" in layer for layer in layers)
    reads_exp = dialect.regulariser_reads == "logistic" and any(layer.get("lambda2") for layer in layers)
    return rational and not pooled and not reads_exp and all(layer["loss"] in SLOPES for layer in layers)


def _stacked(rows: list[Row]) -> Row:
    """The rows with time first, and the last row, where the run ended, as it is."""
    return {name: np.stack([row[name] for row in rows[:-1]]) for name in rows[0]} | rows[-1]


def _windows(image: Array, size: int, stride: int) -> Array:
    """(channels, height, width) -> (channels, rows, columns, size, size): every window that fits."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))
    return np.asarray(windows[:, ::stride, ::stride])


@dataclass
class _Layer:
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


def _layer(case: Case, k: int, numbers: Numbers) -> _Layer:
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
    return _Layer(about, *_wire(about), constants, dialect, state)


def _inputs(layer: _Layer, P: Array) -> Array:
    """The P that each neuron reads, 0 for padding: (B, n_in) -> (B, n, inputs per neuron)."""
    return np.asarray(np.concatenate([P, 0 * P[:, :1]], axis=1)[:, layer.fan_in])


def _forward(layer: _Layer, spikes: Array, numbers: Numbers) -> Row:
    """[K20 Eq. 1] in the layer's dialect, and Y; replaces Q, P and R by their new values."""
    constants, state, d = layer.constants, layer.state, layer.dialect
    Q, P, R = state["Q"], state["P"], state["R"]
    new_Q = numbers.plus(constants["beta"] * Q, constants["g_Q"] * spikes)
    new_P = numbers.plus(constants["alpha"] * P, constants["g_P"] * (new_Q if d.P_reads == "new_Q" else Q))
    read_Q, read_P = (new_Q, new_P) if d.U_reads == "new_P" else (Q, P)
    W = state["W"].reshape(len(state["b"]), -1)[layer.channel]
    terms = np.broadcast_arrays(state["b"][layer.channel], -constants["delta"] * R)
    U = numbers.total(np.concatenate([W * _inputs(layer, read_P), np.stack(terms, axis=-1)], axis=-1))
    sigma, _ = SURROGATES[_surrogate(layer)]
    winners = layer.windows[np.arange(len(layer.windows)), U[:, layer.windows].argmax(axis=-1)]
    u = np.take_along_axis(U, winners, axis=-1)
    S = numbers.narrow(_spike(d, u))
    read = S if d.readout == "spikes" else numbers.narrow(sigma(u))
    Y = numbers.total(np.concatenate([constants["G"] * read[:, None], _column(constants["c"], len(u))], axis=-1))
    state |= {"Q": new_Q, "P": new_P, "R": numbers.plus(constants["gamma"] * R, numbers.narrow(_spike(d, U)))}
    return {"Q": read_Q, "P": read_P, "R": R, "U": U, "S": S, "Y": Y, "u": u, "winners": winners}


def _surrogate(layer: _Layer) -> str:
    return str(layer.about.get("surrogate", layer.dialect.surrogate))


def _spike(dialect: Dialect, U: Array) -> Array:
    return np.asarray(U >= 0 if dialect.threshold == "at_or_above" else U > 0)


def _column(c: Array, batch: int) -> Array:
    return np.broadcast_to(c[:, None], (batch, len(c), 1))


def _gradients(layer: _Layer, row: Row, target: Array, numbers: Numbers) -> Row:
    """e, delta, dW, db of one step.  [K20 Eq. 3]"""
    u = row["u"]
    size = row["Y"].size if layer.about["reduction"] == "mean" else 1
    e = numbers.narrow(SLOPES[layer.about["loss"]](numbers.plus(row["Y"], -target)) / size)
    slope = SURROGATES[_surrogate(layer)][1](u)
    back = numbers.total(e[:, None] * layer.constants["G"].T)
    at_winners = numbers.narrow(back * slope)
    unpooled = bool(layer.about.get("lambda1")) and layer.dialect.regulariser_place == "unpooled"
    if layer.about.get("lambda1") or layer.about.get("lambda2"):
        loud = 0 * u if unpooled else _loud(layer, u, numbers)
        at_winners = numbers.plus(at_winners, numbers.plus(loud, -_silent(layer, u, slope, numbers)) / u.size)
    delta = 0 * row["U"]
    np.put_along_axis(delta, row["winners"], at_winners, axis=-1)
    delta = numbers.plus(delta, _loud(layer, row["U"], numbers) / row["U"].size) if unpooled else delta
    db = numbers.total(_by_channel(layer, delta[..., None]))[:, 0]
    dW = numbers.total(_by_channel(layer, delta[..., None] * _inputs(layer, row["P"])))
    return {"e": e, "delta": delta, "dW": dW.reshape(layer.state["W"].shape), "db": db}


def _by_channel(layer: _Layer, x: Array) -> Array:
    """(B, n, m) -> (channels, m, B places): the terms of the sum for each weight, sample by sample."""
    channels = len(layer.state["b"])
    split = x.reshape(len(x), channels, -1, x.shape[-1]).transpose(1, 3, 0, 2)
    return np.asarray(split.reshape(channels, x.shape[-1], -1))


def _loud(layer: _Layer, u: Array, numbers: Numbers) -> Array:
    """lambda1 1[u > -0.01].  [K20 Eq. 4]"""
    lambda1 = numbers.narrow(layer.about.get("lambda1", 0.0))
    return np.asarray(lambda1 * numbers.narrow(numbers.plus(u, numbers.narrow(0.01)) > 0))


def _silent(layer: _Layer, u: Array, slope: Array, numbers: Numbers) -> Array:
    """lambda2 1[<activity> < 0.1] activity'(u).  [K20 Eq. 4]"""
    lambda2 = numbers.narrow(layer.about.get("lambda2", 0.0))
    if layer.about.get("activity", "rate") == "rate":
        mean = numbers.total(SURROGATES[_surrogate(layer)][0](u).ravel()) / u.size
    else:
        mean, slope = numbers.total(u)[:, None] / u.shape[1], 0 * u + 1
    return np.asarray(lambda2 * np.where(mean < numbers.narrow(0.1), slope, 0 * slope))


def _update(layer: _Layer, row: Row, optimiser: dict[str, Any], t: int, numbers: Numbers) -> None:
    """The t-th update of W and b.  [K20 Sec. 3.2]"""
    state = layer.state
    for x in "Wb":
        g, rate = row[f"d{x}"], layer.constants[f"rate_{x}"]
        if optimiser["kind"] == "adamax":
            beta1, beta2, eps = (numbers.narrow(optimiser[name]) for name in ("beta1", "beta2", "eps"))
            state[f"m_{x}"] = numbers.plus(beta1 * state[f"m_{x}"], numbers.narrow(1 - optimiser["beta1"]) * g)
            state[f"u_{x}"] = np.maximum(beta2 * state[f"u_{x}"], numbers.plus(abs(g), eps))
            g = state[f"m_{x}"] / state[f"u_{x}"]
            rate = rate / numbers.narrow(1 - math.prod([optimiser["beta1"]] * t))
        state[x] = numbers.plus(state[x], -rate * g)


def steps(case: Case, numbers: Numbers) -> Iterator[Row]:
    """The arrays of every step by their names in a trace, and then those of the end of the run.

    Parameters
    ----------
    case : a case with decays
    numbers : the kind of numbers to compute with

    Yields
    ------
    dict of str to array
    """
    about, layers = case.about, range(1, len(case.about["layers"]) + 1)
    stack = [_layer(case, k, numbers) for k in layers]
    optimiser = {**ADAMAX, **about.get("optimiser", {})}
    t = about.get("updates", 0) if about.get("memory") == "given" else 0
    for step in range(about["steps"]):
        rows, spikes = [], numbers.narrow(case.arrays["inputs"][step])
        for layer in stack:
            row = _forward(layer, spikes, numbers)
            if about["targets"]:
                row |= _gradients(layer, row, layer.constants["target"][step], numbers) | {
                    x: layer.state[x] for x in "Wb"
                }
            rows.append(row)
            spikes = row["S"]
        if about["learn"] and about.get("n", 0) + step >= about.get("burn_in", 0):
            t += 1
            for layer, row in zip(stack, rows, strict=True):
                _update(layer, row, optimiser, t, numbers)
        yield {f"layer{k}_{x}": row[x] for k, row in zip(layers, rows, strict=True) for x in row if x not in INNER}
    kept = "WbPQR" if not about["learn"] or optimiser["kind"] == "sgd" else ("m_W", "u_W", "m_b", "u_b", *"WbPQR")
    yield {f"layer{k}_{x}_final": layer.state[x] for k, layer in zip(layers, stack, strict=True) for x in kept}
