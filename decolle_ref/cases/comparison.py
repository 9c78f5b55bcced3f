"""Compares the recorded trace of one layer with one hypothesis.

>>> delayed(np.array([1.0, 2.0, 3.0]), 1)
array([nan,  1.,  2.])
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref._util.verdict import within
from decolle_ref.cases.evidence import Evidence, Hypothesis

LAGS = (0, 1, -1, 2, -2)
ROOM = 10  # how much larger than the compared entries an entry may be that a lag leaves open


class Deviation(NamedTuple):
    """The place where a trace first leaves a hypothesis."""

    agreeing: float  # fraction of the compared entries that agree
    variable: str
    step: int
    unit: tuple[int, ...]  # (sample, neuron or input)
    got: float
    expected: float


class Fit(NamedTuple):
    """A trace follows a hypothesis; each variable may be off by some steps and by a factor."""

    offsets: dict[str, int]
    factors: dict[str, float]


class Comparison(NamedTuple):
    """One recorded variable and what a hypothesis expects of it."""

    variable: str
    recorded: Array
    expected: Array
    tolerance: Array
    offsets: tuple[int, ...]  # by how many steps the recording may be late


class Alternative(NamedTuple):
    """By how many steps a variable may be late, and the factor by which it may differ; None where any factor fits."""

    offset: int
    factor: float | None


class Explained(NamedTuple):
    """A variable that follows a hypothesis, and how: the first alternative is the nearest."""

    variable: str
    alternatives: tuple[Alternative, ...]


def fit(explained: Sequence[Explained]) -> Fit:
    """The nearest alternative of each variable.

    Parameters
    ----------
    explained : sequence of Explained

    Returns
    -------
    Fit
    """
    nearest = {variable: alternatives[0] for variable, alternatives in explained}
    factors = {variable: 1.0 if a.factor is None else a.factor for variable, a in nearest.items()}
    return Fit({variable: a.offset for variable, a in nearest.items()}, factors)


def examine(
    layer: Evidence, h: Hypothesis, earlier: Sequence[Explained] | None = None, most: int | None = None
) -> list[Explained] | Deviation:
    """Compare each recorded variable of a layer with a hypothesis, until one cannot be explained.

    Parameters
    ----------
    layer : Evidence
    h : Hypothesis
    earlier : sequence of Explained or None
        What explained other samples of the same layer; only these alternatives remain.
    most : int or None
        How many alternatives to look for, at most.

    Returns
    -------
    list of Explained, or Deviation
        How the variables are off if all can be explained; else the place at which the first one leaves `h`.
    """
    explained: list[Explained] = []
    for k, comparison in enumerate(_comparisons(layer, h)):
        remaining = [Alternative(x, None) for x in comparison.offsets] if earlier is None else earlier[k].alternatives
        found = tuple(islice(_agreeing(comparison, remaining), most))
        if not found:
            return _deviation(comparison)
        explained.append(Explained(comparison.variable, found))
    return explained


def _comparisons(layer: Evidence, h: Hypothesis) -> Iterator[Comparison]:
    """The recorded variables and their series under `h`, upstream first; Q and P are as U reads them."""
    noise = layer.eps * layer.roundings(h.decay)
    (P, Q), (g_Q, g_P), T = layer.traces(h.decay), layer.gain(h), len(layer.inputs)
    for name, series, ahead in (("Q", g_Q * Q, int(h.delay < 2)), ("P", g_Q * g_P * P, 2 - h.delay)):
        if name in layer.recorded:
            expected = _computed(series[ahead : ahead + T])
            yield Comparison(name, layer.recorded[name], expected, noise * expected, LAGS)
    S, recorded_S = layer.spikes(h), layer.recorded_spikes(h)
    if S is None or recorded_S is None:
        return
    R = _computed(layer.refractory(h))
    if "R" in layer.recorded:
        yield Comparison("R", layer.recorded["R"], R, noise * R, LAGS)
    drive, magnitude = layer.drive(h)
    reset = layer.delta(h) * R
    U = _computed(drive + layer.b - reset)
    tolerance = noise * (magnitude + np.abs(layer.b) + reset) + np.finfo(float).tiny
    if "U" in layer.recorded:
        hidden = layer.w * recorded_S if h.shown == "after" else 0
        yield Comparison("U", layer.recorded["U"], U - hidden, tolerance + noise * hidden, (0,))
    if "U" not in layer.recorded or h.shown == "after":
        yield Comparison("S", recorded_S, _spikes(recorded_S, h, U, tolerance), np.zeros_like(U), (0,))
    if "S" in layer.recorded and ("U" in layer.recorded or layer.pool):
        pooled = layer.pooled(recorded_S if layer.pool else S)
        yield Comparison("S", layer.recorded["S"], pooled, np.zeros_like(pooled), LAGS)


def _computed(x: Array) -> Array:
    """x, but infinite where it is not finite: NaN stands for what is not known, and no recording equals infinity."""
    return np.where(np.isfinite(x), x, np.inf)


def _spikes(recorded: Array, h: Hypothesis, U: Array, tolerance: Array) -> Array:
    """Theta(U); where U is within the tolerance of the threshold, the recorded spike, for either is right."""
    either = within(U, 0, tolerance) & np.isin(recorded, (0, 1))
    certain = np.where(np.isfinite(U) & np.isfinite(tolerance), h.value("threshold")(U), np.inf)
    return np.where(either, recorded, certain)


def _agreeing(c: Comparison, alternatives: Sequence[Alternative]) -> Iterator[Alternative]:
    """The alternatives at which the recording equals the model, in this order; a factor of 1 before any other."""
    for offset, known_factor in alternatives:
        if not may_lag(c.recorded, offset):
            continue
        expected, tolerance = delayed(c.expected, offset), delayed(c.tolerance, offset)
        factors = _factors(c.variable, c.recorded, expected) if known_factor is None else (known_factor,)
        for factor in factors:
            if not _disagreeing(c.recorded, factor * expected, abs(factor) * tolerance).any():
                silent = known_factor is None and not np.nan_to_num(expected).any()
                yield Alternative(offset, None if silent else factor)


def _deviation(c: Comparison) -> Deviation:
    """Where the recording first leaves the model, on time and times 1; with a lag or factor, where it starts."""
    bad = _disagreeing(c.recorded, c.expected, c.tolerance)
    step, *unit = first = tuple(int(i) for i in np.argwhere(bad)[0]) if bad.any() else (0,) * bad.ndim
    agreeing = float(1 - bad.sum() / np.isfinite(c.recorded).sum())
    return Deviation(agreeing, c.variable, step, tuple(unit), float(c.recorded[first]), float(c.expected[first]))


def delayed(series: Array, steps: int) -> Array:
    """The series as it looks when recorded late.

    Parameters
    ----------
    series : array, (T, ...)
    steps : int
        By how many steps it is recorded late, or early if negative.

    Returns
    -------
    array, (T, ...)
        NaN where nothing is known.
    """
    moved = np.full(series.shape, np.nan)
    T = len(series)
    moved[max(steps, 0) : T + min(steps, 0)] = series[max(-steps, 0) : T - max(steps, 0)]
    return moved


def may_lag(recorded: Array, steps: int) -> bool:
    """Whether a recording may be so many steps late, by the entries that are then not compared.

    Parameters
    ----------
    recorded : array, (T, ...)
    steps : int
        The first steps are not compared, or, where it is negative, the last ones.

    Returns
    -------
    bool
        True if these entries are at most `ROOM` times as large as the largest that is compared.
    """
    size, T = np.abs(recorded), len(recorded)
    compared = size[max(steps, 0) : T + min(steps, 0)]
    return bool(np.nanmax(size, initial=0) <= ROOM * np.nanmax(compared, initial=0))


def _factors(variable: str, recorded: Array, expected: Array) -> Iterator[float]:
    """1, and only where that fails the constant factor that fits best."""
    yield 1.0
    known = np.isfinite(recorded) & np.isfinite(expected)
    power = float((expected[known] ** 2).sum())
    factor = float((recorded[known] * expected[known]).sum()) / power if power > 0 else 0.0
    may_scale = variable != "S" and (variable != "U" or factor > 0)  # a spike is 1; -U is no trace
    if np.isfinite(factor) and factor != 0 and may_scale:
        yield factor


def _disagreeing(recorded: Array, expected: Array, tolerance: Array) -> Array:
    """True where both sides are known, which means not NaN, and are not within the tolerance."""
    known = ~(np.isnan(recorded) | np.isnan(expected))
    return np.asarray(known & ~within(recorded, expected, tolerance))
