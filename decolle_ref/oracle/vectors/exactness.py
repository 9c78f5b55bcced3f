"""The equations once more, plainly, with every sum from left to right: in floating point, or in exact fractions.

In floating point every product and every sum is one rounded operation in a fixed order, without BLAS, exp or fused
operations, so a trace is the same to the last bit on every machine.  (np.einsum is not enough: it adds in as many lanes
as the processor has.)  In fractions nothing is rounded, and the bits that every sum needs are counted: a certificate
that any implementation with so many bits must find exactly these numbers, in whatever order it adds.

Written apart from the step of `network`: one gather for dense and convolutional layers alike, and no class of theirs.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import Dialect

ADAMAX = {"kind": "adamax", "beta1": 0.0, "beta2": 0.95, "eps": 1e-8}
INNER = ("u", "best")  # of a row, not of the trace

Row = dict[str, Array]
Pair = tuple[Callable[[Array], Array], Callable[[Array], Array]]


class Numbers(NamedTuple):
    """A kind of number: how to take them over, how to round to it, and how to sum over the last axis."""

    wide: Callable[[Any], Array]  # exactly, for the constants' formulas
    narrow: Callable[[Any], Array]
    total: Callable[[Array], Array]

    def plus(self, *terms: Array) -> Array:
        """The sum of arrays, from left to right."""
        return self.total(np.stack(np.broadcast_arrays(*terms), axis=-1))


def in_order(terms: Array) -> Array:
    """((t_0 + t_1) + t_2) + ... over the last axis: a running sum has no other order."""
    return np.asarray(np.add.accumulate(terms, axis=-1)[..., -1])


def floats(dtype: str) -> Numbers:
    """float32 or float64; constants are computed in float64 and rounded once."""
    return Numbers(lambda x: np.asarray(x, np.float64), lambda x: np.asarray(x, np.dtype(dtype)), in_order)


def fractions(x: Any) -> Array:
    """The same numbers as exact fractions, in an object array."""
    array = np.asarray(x)
    flat = np.empty(array.size, dtype=object)
    flat[:] = [Fraction(value) for value in array.ravel().tolist()]
    return flat.reshape(array.shape)


@dataclass
class Need:
    """What the sums so far need: bits of a significand, bits behind the binary point, bits before it.

    Every partial sum, in whatever order, is a multiple of the finest term's last bit 2^-f and at most A = sum_i |t_i|.
    So A 2^f < 2^p suffices for p bits; f bits behind the point and floor(A)'s before it suffice in fixed point.
    """

    significand: int = 0
    behind: int = 0
    before: int = 0

    def see(self, terms: list[Fraction]) -> None:
        """One sum; raises InputError for a term that is no multiple of a power of two."""
        finest = math.lcm(*(term.denominator for term in terms))
        if finest & (finest - 1):
            raise InputError(f"exact: expected multiples of a power of two, got a number with 1/{finest}")
        behind = finest.bit_length() - 1
        size = sum(abs(term.numerator) * (finest // term.denominator) for term in terms)  # A 2^f
        self.significand = max(self.significand, size.bit_length())
        self.behind = max(self.behind, behind)
        self.before = max(self.before, (size >> behind).bit_length())

    def fits(self, significand: int | None = None, fixed: int | None = None) -> bool:
        """Whether so many bits do, of a significand or of fixed-point numbers with their sign; None: any."""
        width = 1 + self.before + self.behind
        return self.significand <= (significand or math.inf) and width <= (fixed or math.inf)


def counted(need: Need) -> Numbers:
    """Fractions; `need` learns of every sum, and of every number that is kept."""

    def total(terms: Array) -> Array:
        for one in terms.reshape(-1, terms.shape[-1]).tolist():
            need.see(one)
        return np.asarray(terms.sum(axis=-1))

    def narrow(x: Any) -> Array:
        kept = fractions(x)
        for one in kept.ravel().tolist():
            need.see([one])
        return kept

    return Numbers(fractions, narrow, total)


def certify(case: Case) -> tuple[Row, Need]:
    """The exact trace of a case, in fractions, and the bits that suffice for it.

    Raises InputError where a number is no multiple of a power of two.
    """
    need = Need()
    return _stacked(list(steps(case, counted(need)))), need


def exact_steps(case: Case, significand: int | None = None, fixed: int | None = None) -> int:
    """How many leading steps of a case, with their updates, are exact in so many bits."""
    need = Need()
    fits = (need.fits(significand, fixed) for _ in steps(case, counted(need)))  # the last row is no step
    return min(sum(takewhile(bool, fits)), int(case.about["steps"]))


def run(case: Case) -> Row:
    """The trace of a case in its dtype, by name, the same on every machine: see `portable`."""
    return _stacked(list(steps(case, floats(case.about["dtype"]))))


def portable(about: dict[str, Any], dialect: Dialect) -> bool:
    """Whether `run` knows the case: rational surrogates, no cross-entropy, pooling that compares U itself."""
    stack = about["layers"]
    rational = all(layer.get("surrogate", dialect.surrogate) in SURROGATES for layer in stack)
    pooled = dialect.pooling == "pool_S" and any("pool" in layer for layer in stack)
    return rational and not pooled and all(layer["loss"] in SLOPES for layer in stack)


def _stacked(rows: list[Row]) -> Row:
    """Time first; the last row, where the run ended, as it is."""
    return {name: np.stack([row[name] for row in rows[:-1]]) for name in rows[0]} | rows[-1]


def _half(x: Array) -> Array:
    return (0 * x + 1) / 2  # in the numbers of x


def _narrower(slope: int) -> Pair:
    return (
        lambda x: _half(x) + x / (1 + slope * abs(x)),
        lambda x: 1 / ((1 + slope * abs(x)) * (1 + slope * abs(x))),
    )


SURROGATES: dict[str, Pair] = {  # sigma, sigma'
    "fast_sigmoid": _narrower(1),
    "fast_sigmoid_10": _narrower(10),
    "boxcar": (
        lambda x: np.minimum(np.maximum(x + _half(x), 0), 1),
        lambda x: 0 * x + ((2 * x > -1) & (2 * x <= 1)),
    ),
    "piecewise_linear": (
        lambda x: np.where(abs(x) < 1, _half(x) + x * (1 - abs(x) / 2), 0 * x + (x > 0)),
        lambda x: np.maximum(1 - abs(x), 0),
    ),
}
SLOPES: dict[str, Callable[[Array], Array]] = {  # of the loss, at Y - target
    "squared_error": lambda d: d,
    "smooth_l1": lambda d: np.minimum(np.maximum(d, -1), 1),
}


def _windows(image: Array, size: int, stride: int) -> Array:
    """(channels, height, width) -> (channels, rows, columns, size, size): every window that fits."""
    all_of_them = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))
    return np.asarray(all_of_them[:, ::stride, ::stride])


@dataclass
class _Layer:
    """One layer: what it sees and through which weights, its numbers, and what changes from step to step."""

    about: dict[str, Any]
    sees: Array  # (n, fan_in): indices of the inputs, -1 for padding
    channel: Array  # (n,): the row of W
    windows: Array  # (n', size^2): indices of the neurons in a pooling window
    of: dict[str, Array]
    dialect: Dialect
    now: dict[str, Array] = field(default_factory=dict)


def _wire(about: dict[str, Any]) -> tuple[Array, Array, Array]:
    """sees, channel and windows of a layer."""
    n = about["n"]
    if "conv" not in about:
        return np.tile(np.arange(about["n_in"]), (n, 1)), np.arange(n), np.arange(n)[:, None]
    conv = about["conv"]
    image = np.arange(about["n_in"]).reshape(conv["channels_in"], conv["height"], conv["width"])
    pad = conv.get("padding", 0)
    image = np.pad(image, ((0, 0), (pad, pad), (pad, pad)), constant_values=-1)
    seen = _windows(image, conv["kernel"], conv.get("stride", 1)).transpose(1, 2, 0, 3, 4)
    rows, columns = seen.shape[:2]
    sees = np.tile(seen.reshape(rows * columns, -1), (conv["channels"], 1))
    pool = about.get("pool", 1)
    windows = _windows(np.arange(n).reshape(-1, rows, columns), pool, pool).reshape(-1, pool**2)
    return sees, np.repeat(np.arange(conv["channels"]), rows * columns), windows


def _layer(case: Case, k: int, numbers: Numbers) -> _Layer:
    """Layer k (from 1) with its numbers; gains and delta by the dialect's formulas."""
    about, dialect = case.about["layers"][k - 1], case.dialect()
    prefix = f"layer{k}_"
    raw = {name[len(prefix) :]: array for name, array in case.arrays.items() if name.startswith(prefix)}
    if "alpha" not in raw:
        raise InputError("exact: expected a case with decays, got one with time constants")
    wide = {name: numbers.wide(raw[name]) for name in ("alpha", "beta", "gamma", "w")}
    of = {name: numbers.narrow(array) for name, array in raw.items()}
    of["delta"] = numbers.narrow(dialect.value("refractory")(wide["gamma"]) * wide["w"])
    of["g_Q"], of["g_P"] = (numbers.narrow(dialect.value("gains")(wide[x])) for x in ("beta", "alpha"))
    rest = {"P": about["n_in"], "Q": about["n_in"], "R": about["n"]}
    state = {x: of.get(f"{x}0", numbers.narrow(np.zeros((case.about["batch"], size)))) for x, size in rest.items()}
    for x in "Wb":
        state |= {x: of[x]} | {f"{m}_{x}": of.get(f"{m}_{x}", 0 * of[x]) for m in "mu"}
    return _Layer(about, *_wire(about), of, dialect, state)


def _seen(layer: _Layer, P: Array) -> Array:
    """What each neuron sees of P, 0 for padding.  (B, n_in) -> (B, n, fan_in)."""
    return np.asarray(np.concatenate([P, 0 * P[:, :1]], axis=1)[:, layer.sees])


def _forward(layer: _Layer, spikes: Array, numbers: Numbers) -> Row:
    """[K20 Eq. 1] in the layer's dialect, and Y; moves Q, P and R on."""
    of, now, d = layer.of, layer.now, layer.dialect
    Q, P, R = now["Q"], now["P"], now["R"]
    new_Q = numbers.plus(of["beta"] * Q, of["g_Q"] * spikes)
    new_P = numbers.plus(of["alpha"] * P, of["g_P"] * (new_Q if d.P_reads == "new_Q" else Q))
    read_Q, read_P = (new_Q, new_P) if d.U_reads == "new_P" else (Q, P)
    W = now["W"].reshape(len(now["b"]), -1)[layer.channel]
    own = np.broadcast_arrays(now["b"][layer.channel], -of["delta"] * R)
    U = numbers.total(np.concatenate([W * _seen(layer, read_P), np.stack(own, axis=-1)], axis=-1))
    sigma, _ = SURROGATES[_surrogate(layer)]
    best = layer.windows[np.arange(len(layer.windows)), U[:, layer.windows].argmax(axis=-1)]
    u = np.take_along_axis(U, best, axis=-1)
    S = numbers.narrow(_spike(d, u))
    read = S if d.readout == "spikes" else numbers.narrow(sigma(u))
    Y = numbers.total(np.concatenate([of["G"] * read[:, None], _column(of["c"], len(u))], axis=-1))
    now |= {"Q": new_Q, "P": new_P, "R": numbers.plus(of["gamma"] * R, numbers.narrow(_spike(d, U)))}
    return {"Q": read_Q, "P": read_P, "R": R, "U": U, "S": S, "Y": Y, "u": u, "best": best}


def _surrogate(layer: _Layer) -> str:
    return str(layer.about.get("surrogate", layer.dialect.surrogate))


def _spike(dialect: Dialect, U: Array) -> Array:
    return np.asarray(U >= 0 if dialect.threshold == "at_or_above" else U > 0)


def _column(c: Array, batch: int) -> Array:
    return np.broadcast_to(c[:, None], (batch, len(c), 1))


def _assess(layer: _Layer, row: Row, target: Array, numbers: Numbers) -> Row:
    """e, delta, dW, db of one step.  [K20 Eq. 3]"""
    u = row["u"]
    size = row["Y"].size if layer.about["reduction"] == "mean" else 1
    e = numbers.narrow(SLOPES[layer.about["loss"]](numbers.plus(row["Y"], -target)) / size)
    slope = SURROGATES[_surrogate(layer)][1](u)
    back = numbers.total(e[:, None] * layer.of["G"].T)
    at_winners = numbers.narrow(back * slope)
    if layer.about.get("lambda1") or layer.about.get("lambda2"):
        at_winners = numbers.plus(at_winners, _penalty(layer, u, slope, numbers))
    delta = 0 * row["U"]
    np.put_along_axis(delta, row["best"], at_winners, axis=-1)
    db = numbers.total(_by_channel(layer, delta[..., None]))[:, 0]
    dW = numbers.total(_by_channel(layer, delta[..., None] * _seen(layer, row["P"])))
    return {"e": e, "delta": delta, "dW": dW.reshape(layer.now["W"].shape), "db": db}


def _by_channel(layer: _Layer, x: Array) -> Array:
    """(B, n, m) -> (channels, m, B places): what is summed for each weight, sample by sample."""
    channels = len(layer.now["b"])
    split = x.reshape(len(x), channels, -1, x.shape[-1]).transpose(1, 3, 0, 2)
    return np.asarray(split.reshape(channels, x.shape[-1], -1))


def _penalty(layer: _Layer, u: Array, slope: Array, numbers: Numbers) -> Array:
    """dL/dU of the regularisers.  [K20 Eq. 4]"""
    lambda1, lambda2 = (numbers.narrow(layer.about.get(name, 0.0)) for name in ("lambda1", "lambda2"))
    if layer.about.get("activity", "rate") == "rate":
        mean = numbers.total(SURROGATES[_surrogate(layer)][0](u).ravel()) / u.size
    else:
        mean, slope = numbers.total(u)[:, None] / u.shape[1], 0 * u + 1
    loud = lambda1 * numbers.narrow(numbers.plus(u, numbers.narrow(0.01)) > 0)
    silent = lambda2 * np.where(mean < numbers.narrow(0.1), slope, 0 * slope)
    return np.asarray(numbers.plus(loud, -silent) / u.size)


def _update(layer: _Layer, row: Row, optimiser: dict[str, Any], t: int, numbers: Numbers) -> None:
    """Move W and b by the t-th update.  [K20 Sec. 3.2]"""
    now = layer.now
    for x in "Wb":
        g, rate = row[f"d{x}"], layer.of[f"rate_{x}"]
        if optimiser["kind"] == "adamax":
            beta1, beta2, eps = (numbers.narrow(optimiser[name]) for name in ("beta1", "beta2", "eps"))
            now[f"m_{x}"] = numbers.plus(beta1 * now[f"m_{x}"], numbers.narrow(1 - optimiser["beta1"]) * g)
            now[f"u_{x}"] = np.maximum(beta2 * now[f"u_{x}"], numbers.plus(abs(g), eps))
            g = now[f"m_{x}"] / now[f"u_{x}"]
            rate = rate / numbers.narrow(1 - math.prod([optimiser["beta1"]] * t))
        now[x] = numbers.plus(now[x], -rate * g)


def steps(case: Case, numbers: Numbers) -> Iterator[Row]:
    """What every step shows, as a trace with gradients names it, and then where the run ended."""
    about, layers = case.about, range(1, len(case.about["layers"]) + 1)
    stack = [_layer(case, k, numbers) for k in layers]
    optimiser = {**ADAMAX, **about.get("optimiser", {})}
    t = about.get("updates", 0) if about.get("memory") == "given" else 0
    for step in range(about["steps"]):
        shown, spikes = [], numbers.narrow(case.arrays["inputs"][step])
        for layer in stack:
            row = _forward(layer, spikes, numbers)
            if about["targets"]:
                row |= _assess(layer, row, layer.of["target"][step], numbers) | {x: layer.now[x] for x in "Wb"}
            shown.append(row)
            spikes = row["S"]
        if about["learn"] and about.get("n", 0) + step >= about.get("burn_in", 0):
            t += 1
            for layer, row in zip(stack, shown, strict=True):
                _update(layer, row, optimiser, t, numbers)
        yield {f"layer{k}_{x}": row[x] for k, row in zip(layers, shown, strict=True) for x in row if x not in INNER}
    kept = "WbPQR" if not about["learn"] or optimiser["kind"] == "sgd" else ("m_W", "u_W", "m_b", "u_b", *"WbPQR")
    yield {f"layer{k}_{x}_final": layer.now[x] for k, layer in zip(layers, stack, strict=True) for x in kept}
