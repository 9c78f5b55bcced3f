"""Thiele, Bichler, Dupret: SpikeGrad.  [T19]

The text was read in a copy without its formulas, so these entries are points that its words leave open.  All weights
are multiples of a negative power of two, so that the arithmetic is exact and ties do occur.  Theta = 1.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.errata.entry import EXACT, erratum
from decolle_ref.spikegrad import events
from decolle_ref.spikegrad.ann import nearest

__all__ = ["ENTRIES"]

Spikes = Sequence[tuple[int, int]]  # (sender, sign), in order


class SmallLayer(NamedTuple):
    """One layer of a small network."""

    W: Array  # (n, n_below)
    b: Array  # (n,)
    relu: bool  # ReLU neurons, or linear ones


class FinalState(NamedTuple):
    """One layer when no spike is left."""

    relu: bool
    z: Array  # W A + b, the equivalent ANN's net input
    A: Array  # the equivalent ANN's integer
    V: Array
    total: Array  # sum of spikes


def either_way(V: Array, total: Array) -> Array:
    """+1 if V >= 1/2, -1 if V <= -1/2."""
    return (V >= 0.5).astype(int) - (V <= -0.5)


def away_from_zero(V: Array, total: Array) -> Array:
    """The same, but at a tie no spike moves the total towards 0.  [T19 Eq. 16]"""
    return events.to_nearest(V, total, 1.0)


class Reading(NamedTuple):
    """A reading of the points that the words leave open; the default is what is meant."""

    residual: Callable[[Array, Array], Array] = away_from_zero  # V, total -> s
    eta: float | None = None  # gate negative spikes on the trace eta * total, or on the total itself
    once: bool = False  # at most one spike per arrival


def fire(reading: Reading, layer: SmallLayer, arrivals: Spikes) -> tuple[Array, Array, Spikes]:
    """V and the total of every neuron at the end, and the spikes that they send.  [T19 Eq. 1, 3, 4, 16]"""
    V, total = layer.b.copy(), np.zeros(len(layer.b), int)
    sent: list[tuple[int, int]] = []

    def emit(s: Array) -> bool:
        nonlocal V, total
        gate = total if reading.eta is None else reading.eta * total
        s = np.where((s < 0) & (gate <= 0), 0, s) if layer.relu else s
        V, total = V - s, total + s
        sent.extend((int(i), int(s[i])) for i in np.flatnonzero(s))
        return bool(s.any())

    for j, spike in ((0, 0), *arrivals):  # first the bias, then one spike after the other
        V = V + spike * layer.W[:, j]
        while emit((V >= 1).astype(int) - (V <= -1)) and not reading.once:
            pass
    emit(reading.residual(V, total))
    return V, total, sent


def _network(rng: np.random.Generator, grid: int, reach: int) -> tuple[list[SmallLayer], Spikes]:
    """ReLU, linear, ReLU neurons; W and b up to reach/grid in multiples of 1/grid, signed inputs in random order."""
    sizes = (4, 5, 5, 4)

    def sample(*shape: int) -> Array:
        return np.asarray(rng.integers(-reach, reach, shape, endpoint=True) / grid)

    kinds = zip(pairwise(sizes), (True, False, True), strict=True)
    layers = [SmallLayer(sample(n, m), sample(n), relu) for (m, n), relu in kinds]
    totals = rng.integers(-2, 3, sizes[0])
    spikes = [(j, int(np.sign(total))) for j, total in enumerate(totals) for _ in range(abs(total))]
    return layers, [spikes[k] for k in rng.permutation(len(spikes))]


def final_states(reading: Reading, grid: int = 2, reach: int = 2) -> list[FinalState]:
    """Layers of 40 random networks, with the equivalent ANN's layers on the same input totals.  [T19 Eq. 15-17]"""
    rng, states = np.random.default_rng(0), []
    for _ in range(40):
        layers, arrivals = _network(rng, grid, reach)
        for layer in layers:
            z = layer.b + sum((spike * layer.W[:, j] for j, spike in arrivals), np.zeros(len(layer.b)))
            V, total, arrivals = fire(reading, layer, arrivals)
            states.append(FinalState(layer.relu, z, nearest(np.maximum(z, 0) if layer.relu else z), V, total))
    return states


def _differing(other: Reading, reach: int = 2) -> tuple[float, float]:
    """Share of the layers in which some total is not the ANN's integer: in the other reading, and in what is meant."""

    def share(reading: Reading) -> float:
        return float(np.mean([(layer.total != layer.A).any() for layer in final_states(reading, reach=reach)]))

    return share(other), share(Reading())


@erratum(
    tag="T19 Eq. 16 (ties)",
    kind="open point",
    title="residual spikes at ties",
    printed="+1 if V >= Theta/2, -1 if V <= -Theta/2, whatever the total",
    meant="+1 if V >= Theta/2 for totals >= 0, V >  Theta/2 for totals < 0\n"
    "-1 if V <  -Theta/2 for totals > 0, V <= -Theta/2 for totals <= 0",
    why='"Boundary cases rounded away from zero": it is the total that goes away from zero, not the last spike. With '
    "V = -Theta/2 and a total of 3, the sum is 2.5 and must stay 3. The words say only that a current value is to be "
    "taken into account.",
    measures="Share of 120 layers (ReLU and linear, dyadic weights) in which some total of spikes differs from the "
    "integer of the equivalent ANN.",
    tolerance=EXACT,
)
def ties() -> tuple[float, float]:
    """Totals with either rule, against rounding half away from zero.  [T19 Eq. 15-17]"""
    return _differing(Reading(residual=either_way))


@erratum(
    tag="T19 Eq. 5 (derivative)",
    kind="open point",
    title="the derivative of the equivalent ANN",
    printed="dA/dz = [A > 0], A = relu(round(z))",
    meant="dA/dz = [z > 0], z before it is rounded",
    why="The surrogate `S' = [V(T) > 0 or x(T) > 0]` is said to be the derivative of a ReLU, and the ANN is then "
    "rounded. A neuron with 0 < z < Theta/2 ends without a spike but with V > 0, so it learns.",
    measures="Share of ReLU neurons of 40 networks (dyadic weights) whose S' differs from dA/dz.",
    tolerance=EXACT,
)
def derivative_gate() -> tuple[float, float]:
    """S' of spiking neurons against two derivatives of the ANN.  [T19 Eq. 5]"""
    rectified = [layer[1:] for layer in final_states(Reading(), grid=8, reach=4) if layer.relu]
    z, A, V, total = map(np.concatenate, zip(*rectified, strict=True))
    S_prime = (V > 0) | (total > 0)
    return float((S_prime != (A > 0)).mean()), float((S_prime != (z > 0)).mean())


@erratum(
    tag="T19 Eq. 4 (trace)",
    kind="open point",
    title="the trace that gates negative spikes",
    printed="negative spikes need x > 0, x = eta * total",
    meant="negative spikes need total > 0",
    why="x carries the learning rate only to save a multiplication in Eq. 8. With eta = 0, as for a network that is "
    "only tested, no ReLU neuron could take back a spike. The same holds for Eq. 5.",
    measures="Share of 120 layers in which some total of spikes differs from the integer of the equivalent ANN, at "
    "eta = 0.",
    tolerance=EXACT,
)
def trace_gate() -> tuple[float, float]:
    """Totals with the gate on the trace at eta = 0, and with the gate on the total.  [T19 Eq. 2, 4]"""
    return _differing(Reading(eta=0.0))


@erratum(
    tag="T19 Alg. 1 (repeat)",
    kind="open point",
    title="how often a neuron fires per arrival",
    printed="if s != 0: V <- V - Theta s, send s",
    meant="while s != 0: V <- V - Theta s, send s; at the start, too, for the bias",
    why="Eq. 10 bounds the error by |V(T)| < Theta, which holds only if neurons fire until they are below "
    "threshold. One spike is enough where no weight exceeds Theta.",
    measures="Share of 120 layers (weights up to 2 Theta) in which some total of spikes differs from the integer of "
    "the equivalent ANN.",
    tolerance=EXACT,
)
def repeat() -> tuple[float, float]:
    """Totals with one spike per arrival, and with as many as needed.  [T19 Eq. 1, 10]"""
    return _differing(Reading(once=True), reach=4)


ENTRIES = (ties, derivative_gate, trace_gate, repeat)
