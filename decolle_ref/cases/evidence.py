"""Does one layer's recorded trace follow one hypothesis?  The equations, checked on the trace's own spikes.

Comparing a free simulation with a recording fails as soon as one spike differs.  So the layer's *recorded* spikes drive
everything here, and what is left is linear:

    U[n] = W (g_Q g_P P0[n + 2 - delay]) + b - delta R0[n]

P0 and Q0 are the paper's traces of the known input with unit gains, R0 the filtered own spikes.  Gains, delays and the
refractory map only scale and shift them, so each hypothesis costs one comparison.  Tolerances follow from the
arithmetic of the trace's dtype: eps times the sum of magnitudes times the number of roundings.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.dialects import AXES

LAGS = (0, 1, -1, 2, -2)


class Hypothesis(NamedTuple):
    """One option on each axis that a trace can show."""

    decay: str
    gains: str
    delay: int  # steps from an input spike to U: 2, 1 or 0
    refractory: str
    threshold: str


class Deviation(NamedTuple):
    """Where a trace first leaves a hypothesis."""

    agreeing: float  # fraction of the compared entries that agree
    variable: str
    step: int
    unit: tuple[int, ...]  # (sample, neuron or input)
    got: float
    expected: float


class Fit(NamedTuple):
    """How a trace follows a hypothesis: by how many steps and which factor each variable is off."""

    offsets: dict[str, int]
    factors: dict[str, float]


@dataclass(frozen=True)
class Evidence:
    """One layer: what is known of it and what was recorded, in true time; NaN at steps that were not recorded."""

    W: Array  # (n, n_in)
    b: Array  # (n,)
    w: Array  # (n,), refractory strength in the implementation's own terms
    decays: dict[str, tuple[Array, Array, Array]]  # decay option -> alpha, beta, gamma
    inputs: Array  # (T, B, n_in)
    recorded: dict[str, Array]  # any of Q, P, R, U, S: (T, B, ...)
    eps: float  # of the dtype that the trace was computed in
    _cache: dict[tuple[Any, ...], Array] = field(default_factory=dict, compare=False)

    def traces(self, decay: str) -> tuple[Array, Array]:
        """P0, Q0 with unit gains, for steps 0 .. T+2."""
        alpha, beta, _ = self.decays[decay]
        Q = self._once(("Q", decay), lambda: _filtered(beta, self.inputs, 3))
        P = self._once(("P", decay), lambda: _filtered(alpha, Q[:-1], 1))
        return P, Q

    def gain(self, h: Hypothesis) -> tuple[Array, Array]:
        """g_Q and g_P per input."""
        alpha, beta, _ = self.decays[h.decay]
        f = AXES["gains"][h.gains].value
        return f(beta), f(alpha)

    def drive(self, h: Hypothesis) -> tuple[Array, Array]:
        """W (g_Q g_P P0), and the same with magnitudes, as U reads them at steps 0 .. T-1."""
        P, _ = self.traces(h.decay)
        g, key = np.multiply(*self.gain(h)), (h.decay, h.gains)
        drive = self._once(("drive", *key), lambda: (g * P) @ self.W.T)
        magnitude = self._once(("magnitude", *key), lambda: (g * P) @ np.abs(self.W).T)
        read = slice(2 - h.delay, 2 - h.delay + len(self.inputs))
        return drive[read], magnitude[read]

    def delta(self, h: Hypothesis) -> Array:
        """The refractory strength under `h`."""
        return np.asarray(self.w * AXES["refractory"][h.refractory].value(self.decays[h.decay][2]))

    def roundings(self, decay: str) -> float:
        """How many roundings reach U: the dot product, and the traces over the time that they remember."""
        memories = sum(float(1 / (1 - d).min()) for d in self.decays[decay])
        return float(self.W.shape[1] + 4 * memories + 8)

    def spikes(self, h: Hypothesis) -> Array | None:
        """The layer's own spikes: read off U if it is there, else S, else the jumps of R.

        Steps missing at the start, of a recording that came early, are predicted under `h`; those missing at the end
        are 0, as nothing follows from them.
        """
        read = self.read_spikes(h)
        if read is None or not np.isnan(read[0]).any():
            return None if read is None else np.nan_to_num(read)
        Z, drive, R = read.copy(), self.drive(h)[0], np.zeros_like(read[0])
        for n in range(int(np.isnan(read[: len(read) // 2, 0, 0]).sum())):
            Z[n] = AXES["threshold"][h.threshold].value(drive[n] + self.b - self.delta(h) * R)
            R = self.decays[h.decay][2] * R + Z[n]
        return np.nan_to_num(Z)

    def refractory(self, h: Hypothesis) -> Array:
        """R0 for steps 0 .. T-1, from the layer's own spikes."""
        Z = self.spikes(h)
        assert Z is not None
        key = ("R", *h) if np.isnan(next(iter(self.recorded.values()))[0]).any() else ("R", h.decay, h.threshold)
        return self._once(key, lambda: _filtered(self.decays[h.decay][2], Z, 0))

    def read_spikes(self, h: Hypothesis) -> Array | None:
        """The own spikes where the recording shows them, NaN elsewhere; None if it shows none."""
        if "U" in self.recorded:
            U = self.recorded["U"]
            return np.where(np.isnan(U), np.nan, AXES["threshold"][h.threshold].value(U))
        if "R" in self.recorded and "S" not in self.recorded:
            return _jumps(self.recorded["R"], self.decays[h.decay][2], self.eps)
        return self.recorded.get("S")

    def _once(self, key: tuple[Any, ...], compute: Callable[[], Array]) -> Array:
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]


def _filtered(decay: Array, x: Array, more: int) -> Array:
    """y[n+1] = decay y[n] + x[n] from y[0] = 0, to `more` steps past the input: (T + more, ...)."""
    y = np.zeros((len(x) + more, *x.shape[1:]))
    for n in range(len(y) - 1):
        y[n + 1] = decay * y[n] + (x[n] if n < len(x) else 0)
    return y


def _jumps(R: Array, gamma: Array, eps: float) -> Array:
    """S[n] = 1 where R[n+1] - gamma R[n] is not 0; NaN where it cannot be known, as at the last step."""
    jump = np.abs(R[1:] - gamma * R[:-1])
    spikes = np.where(np.isnan(jump), np.nan, jump > 64 * eps * np.nanmax(np.abs(R), initial=0))
    return np.concatenate([spikes, np.full_like(R[:1], np.nan)])


def examine(layer: Evidence, h: Hypothesis) -> Fit | Deviation:
    """Follow the layer under `h`; the first variable that cannot be explained ends it."""
    offsets: dict[str, int] = {}
    factors: dict[str, float] = {}
    for name, recorded, model, tolerance, freedom in _models(layer, h):
        found = _place(name, recorded, model, tolerance, freedom)
        if isinstance(found, Deviation):
            return found
        offsets[name], factors[name] = found
    return Fit(offsets, factors)


Comparison = tuple[str, Array, Array, Array, tuple[int, ...]]


def _models(layer: Evidence, h: Hypothesis) -> Iterator[Comparison]:
    """(variable, recorded, its series under `h`, tolerance, offsets allowed), upstream first."""
    noise = layer.eps * layer.roundings(h.decay)
    yield from _trace_models(layer, h, noise)
    Z = layer.spikes(h)
    if Z is None:
        return
    R = layer.refractory(h)
    if "R" in layer.recorded:
        yield "R", layer.recorded["R"], R, noise * R, LAGS
    drive, magnitude = layer.drive(h)
    reset = layer.delta(h) * R
    U = drive + layer.b - reset
    tolerance = noise * (magnitude + np.abs(layer.b) + reset) + np.finfo(float).tiny
    if "U" in layer.recorded:
        yield "U", layer.recorded["U"], U, tolerance, (0,)
        if "S" in layer.recorded:
            yield "S", layer.recorded["S"], Z, np.zeros_like(U), LAGS
    else:
        undecided = (np.abs(U) <= tolerance).astype(float)
        read = layer.read_spikes(h)
        assert read is not None  # as Z is not
        yield "S", read, AXES["threshold"][h.threshold].value(U), undecided, (0,)


def _trace_models(layer: Evidence, h: Hypothesis, noise: float) -> Iterator[Comparison]:
    """Q and P as U reads them."""
    P, Q = layer.traces(h.decay)
    g_Q, g_P = layer.gain(h)
    T = len(layer.inputs)
    for name, series, ahead in (("Q", g_Q * Q, int(h.delay < 2)), ("P", g_Q * g_P * P, 2 - h.delay)):
        if name in layer.recorded:
            read = series[ahead : ahead + T]
            yield name, layer.recorded[name], read, noise * read, LAGS


def _place(
    name: str, recorded: Array, model: Array, tolerance: Array, freedom: tuple[int, ...]
) -> tuple[int, float] | Deviation:
    """The offset and factor at which `recorded` equals the model, 0 and 1 first; else where it parts."""
    for offset in freedom:
        expected, allowed = later(model, offset), later(tolerance, offset)
        for factor in _factors(name, recorded, expected):
            if not _disagreeing(recorded, factor * expected, abs(factor) * allowed).any():
                return offset, factor
    bad = _disagreeing(recorded, model, tolerance)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    agreeing = float(1 - bad.sum() / np.isfinite(recorded).sum())
    return Deviation(agreeing, name, first[0], first[1:], float(recorded[first]), float(model[first]))


def later(series: Array, steps: int) -> Array:
    """The series as it looks when written down `steps` late (early if negative); NaN where nothing is known."""
    moved = np.full(series.shape, np.nan)
    T = len(series)
    moved[max(steps, 0) : T + min(steps, 0)] = series[max(-steps, 0) : T - max(steps, 0)]
    return moved


def _factors(name: str, recorded: Array, expected: Array) -> Iterator[float]:
    """1, and only where that fails the constant that fits best."""
    yield 1.0
    yield _fitted(name, recorded, expected)


def _fitted(name: str, recorded: Array, expected: Array) -> float:
    """The constant factor that fits best; spikes have none."""
    known = np.isfinite(recorded) & np.isfinite(expected)
    power = float((expected[known] ** 2).sum())
    factor = float((recorded[known] * expected[known]).sum()) / power if power > 0 else 1.0
    meaningless = name == "S" or factor == 0 or (name == "U" and factor < 0)  # a spike is a spike; nothing is no trace
    return 1.0 if meaningless else factor


def _disagreeing(recorded: Array, expected: Array, allowed: Array) -> Array:
    """True where both sides are known and differ by more than allowed; NaN compares as False."""
    off: Array = np.abs(recorded - expected) > allowed
    return off
