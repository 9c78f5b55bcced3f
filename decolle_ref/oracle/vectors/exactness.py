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
from itertools import takewhile
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.cases import Case, description
from decolle_ref.decolle.dialects import Dialect
from decolle_ref.decolle.readout import Mask
from decolle_ref.oracle.vectors.exact_layer import ExactLayer, exact_layer, inputs_of, mask_of, surrogate_of
from decolle_ref.oracle.vectors.number_kinds import SLOPES, SURROGATES, Need, Numbers, counted, floats

LARGEST = 1 << 20  # numbers of a trace
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

    The trace has at most 2^20 numbers.

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
    rational = rational and not pooled and not reads_exp and all(layer["loss"] in SLOPES for layer in layers)
    return rational and description.trace_size(about, about["targets"]) <= LARGEST


def _stacked(rows: list[Row]) -> Row:
    """The rows with time first, and the last row, where the run ended, as it is."""
    return {name: np.stack([row[name] for row in rows[:-1]]) for name in rows[0]} | rows[-1]


def _forward(layer: ExactLayer, spikes: Array, mask: Mask, numbers: Numbers) -> Row:
    """[K20 Eq. 1] in the layer's dialect, and Y; replaces Q, P and R by their new values."""
    constants, state, d = layer.constants, layer.state, layer.dialect
    Q, P, R = state["Q"], state["P"], state["R"]
    new_Q = numbers.plus(constants["beta"] * Q, constants["g_Q"] * spikes)
    new_P = numbers.plus(constants["alpha"] * P, constants["g_P"] * (new_Q if d.P_reads == "new_Q" else Q))
    read_Q, read_P = (new_Q, new_P) if d.U_reads == "new_P" else (Q, P)
    W = state["W"].reshape(len(state["b"]), -1)[layer.channel]
    terms = np.broadcast_arrays(state["b"][layer.channel], -constants["delta"] * R)
    U = numbers.total(np.concatenate([W * inputs_of(layer, read_P), np.stack(terms, axis=-1)], axis=-1))
    sigma, _ = SURROGATES[surrogate_of(layer)]
    winners = layer.windows[np.arange(len(layer.windows)), U[:, layer.windows].argmax(axis=-1)]
    u = np.take_along_axis(U, winners, axis=-1)
    S = numbers.narrow(_spike(d, u))
    read = S if d.readout == "spikes" else numbers.narrow(sigma(u))
    read = numbers.narrow(mask.activity * read)
    Y = numbers.total(np.concatenate([constants["G"] * read[:, None], _column(constants["c"], len(u))], axis=-1))
    Y = numbers.narrow(mask.Y * Y)
    state |= {"Q": new_Q, "P": new_P, "R": numbers.plus(constants["gamma"] * R, numbers.narrow(_spike(d, U)))}
    return {"Q": read_Q, "P": read_P, "R": R, "U": U, "S": S, "Y": Y, "u": u, "winners": winners}


def _spike(dialect: Dialect, U: Array) -> Array:
    return np.asarray(U >= 0 if dialect.threshold == "at_or_above" else U > 0)


def _column(c: Array, batch: int) -> Array:
    return np.broadcast_to(c[:, None], (batch, len(c), 1))


def _gradients(layer: ExactLayer, row: Row, target: Array, mask: Mask, numbers: Numbers) -> Row:
    """e, delta, dW, db of one step.  [K20 Eq. 3]"""
    u = row["u"]
    size = row["Y"].size if layer.about["reduction"] == "mean" else 1
    e = numbers.narrow(SLOPES[layer.about["loss"]](numbers.plus(row["Y"], -target)) / size)
    slope = SURROGATES[surrogate_of(layer)][1](u)
    back = numbers.total(numbers.narrow(mask.Y * e)[:, None] * layer.constants["G"].T)
    back = numbers.narrow(mask.activity * back)
    at_winners = numbers.narrow(back * slope)
    unpooled = bool(layer.about.get("lambda1")) and layer.dialect.regulariser_place == "unpooled"
    if layer.about.get("lambda1") or layer.about.get("lambda2"):
        loud = 0 * u if unpooled else _loud(layer, u, numbers)
        at_winners = numbers.plus(at_winners, numbers.plus(loud, -_silent(layer, u, slope, numbers)) / u.size)
    delta = 0 * row["U"]
    np.put_along_axis(delta, row["winners"], at_winners, axis=-1)
    delta = numbers.plus(delta, _loud(layer, row["U"], numbers) / row["U"].size) if unpooled else delta
    db = numbers.total(_by_channel(layer, delta[..., None]))[:, 0]
    dW = numbers.total(_by_channel(layer, delta[..., None] * inputs_of(layer, row["P"])))
    return {"e": e, "delta": delta, "dW": dW.reshape(layer.state["W"].shape), "db": db}


def _by_channel(layer: ExactLayer, x: Array) -> Array:
    """(B, n, m) -> (channels, m, B places): the terms of the sum for each weight, sample by sample."""
    channels = len(layer.state["b"])
    split = x.reshape(len(x), channels, -1, x.shape[-1]).transpose(1, 3, 0, 2)
    return np.asarray(split.reshape(channels, x.shape[-1], -1))


def _loud(layer: ExactLayer, u: Array, numbers: Numbers) -> Array:
    """lambda1 1[u > -0.01].  [K20 Eq. 4]"""
    lambda1 = numbers.narrow(layer.about.get("lambda1", 0.0))
    return np.asarray(lambda1 * numbers.narrow(numbers.plus(u, numbers.narrow(0.01)) > 0))


def _silent(layer: ExactLayer, u: Array, slope: Array, numbers: Numbers) -> Array:
    """lambda2 1[<activity> < 0.1] activity'(u).  [K20 Eq. 4]"""
    lambda2 = numbers.narrow(layer.about.get("lambda2", 0.0))
    if layer.about.get("activity", "rate") == "rate":
        mean = numbers.total(SURROGATES[surrogate_of(layer)][0](u).ravel()) / u.size
    else:
        mean, slope = numbers.total(u)[:, None] / u.shape[1], 0 * u + 1
    return np.asarray(lambda2 * np.where(mean < numbers.narrow(0.1), slope, 0 * slope))


def _update(
    layer: ExactLayer, row: Row, optimiser: dict[str, Any], t: int, factor: Array | None, numbers: Numbers
) -> None:
    """The t-th update of W and b.  [K20 Sec. 3.2]"""
    state = layer.state
    for x in "Wb":
        g, rate = row[f"d{x}"], layer.constants[f"rate_{x}"]
        rate = rate if factor is None else numbers.narrow(factor * rate)
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
    stack = [exact_layer(case, k, numbers) for k in layers]
    optimiser = {**ADAMAX, **about.get("optimiser", {})}
    schedule = numbers.narrow(case.arrays["schedule"]) if "schedule" in case.arrays else None
    t = about.get("updates", 0) if about.get("memory") == "given" else 0
    for step in range(about["steps"]):
        rows, spikes = [], numbers.narrow(case.arrays["inputs"][step])
        for layer in stack:
            mask = mask_of(layer, step)
            row = _forward(layer, spikes, mask, numbers)
            if about["targets"]:
                row |= _gradients(layer, row, layer.constants["target"][step], mask, numbers) | {
                    x: layer.state[x] for x in "Wb"
                }
            rows.append(row)
            spikes = row["S"]
        if about["learn"] and about.get("n", 0) + step >= about.get("burn_in", 0):
            t += 1
            for layer, row in zip(stack, rows, strict=True):
                _update(layer, row, optimiser, t, None if schedule is None else schedule[step], numbers)
        yield {f"layer{k}_{x}": row[x] for k, row in zip(layers, rows, strict=True) for x in row if x not in INNER}
    kept = "WbPQR" if not about["learn"] or optimiser["kind"] == "sgd" else ("m_W", "u_W", "m_b", "u_b", *"WbPQR")
    yield {f"layer{k}_{x}_final": layer.state[x] for k, layer in zip(layers, stack, strict=True) for x in kept}
