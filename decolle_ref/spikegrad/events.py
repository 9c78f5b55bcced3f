"""Spikes that wait, arrive and make neurons fire: no clock, only an order of events.  [T19 Eq. 1-7, 16, 19, Alg. 1-3]

A spike arrives, the integration variables of its targets change, targets beyond their threshold fire until they are
below it, and their spikes wait in turn.  Which waiting spike goes next does not matter for the totals.  When none is
left, residual spikes round the totals, lowest layer first.  Forward and backward are the same process.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, count, validate_choice

ORDERS = ("fifo", "lifo", "random")


class Spike(NamedTuple):
    """One spike on its way."""

    layer: int  # of the sender, in the direction of travel; -1: the input
    place: int  # of the sender in its layer, flat
    sign: int


class Neurons(NamedTuple):
    """One layer in one phase.  V and total change in place, spike by spike."""

    V: Array  # integration variable: V [T19 Eq. 1] or U [T19 Eq. 6]
    total: Array  # sum of its spikes so far: x / eta [T19 Eq. 2]
    theta: float
    rectify: bool  # a ReLU neuron's negative spikes only take back positive ones [T19 Eq. 4]
    sends: Array  # S': where False, spikes are not sent [T19 Eq. 7]


Targets = tuple[Array, Array]  # (flat indices, weights): where the spikes of one sender go
Rule = Callable[[Array, Array, float], Array]  # V, total, Theta -> s


def neurons(V: Array, theta: float, rectify: bool = False, sends: Array | None = None) -> Neurons:
    """A layer that has not fired yet, flat, with its own copy of V."""
    every = np.ones(V.size, bool) if sends is None else sends.ravel()
    return Neurons(V.flatten(), np.zeros(V.size, V.dtype), theta, rectify, every)


def activation(V: Array, total: Array, theta: float) -> Array:
    """s = 1 if V >= Theta; -1 if V <= -Theta; else 0.  [T19 Eq. 3]"""
    return np.subtract(V >= theta, V <= -theta, dtype=int)


def to_nearest(V: Array, total: Array, theta: float) -> Array:
    """Residual spike beyond Theta / 2; at a tie never one that moves the total towards 0.  [T19 Eq. 16, 19]

    +1 if V >= Theta/2 when total >= 0 (V > Theta/2 when total < 0);
    -1 if V <= -Theta/2 when total <= 0 (V < -Theta/2 when total > 0).
    """
    up = np.where(total >= 0, V >= theta / 2, V > theta / 2)
    down = np.where(total <= 0, V <= -theta / 2, V < -theta / 2)
    return np.subtract(up, down, dtype=int)


def to_floor(V: Array, total: Array, theta: float) -> Array:
    """Residual spike -1 if V < 0, so that totals are rounded down."""
    return np.negative(V < 0, dtype=int)


def to_ceil(V: Array, total: Array, theta: float) -> Array:
    """Residual spike +1 if V > 0, so that totals are rounded up."""
    return (V > 0).astype(int)


RESIDUAL: dict[str, Rule] = {"nearest": to_nearest, "floor": to_floor, "ceil": to_ceil}


class Phase:
    """One phase for one sample.

    layers: in the direction of travel; the first `spiking` of them fire, others only integrate.
    routes: routes[k] lists the targets in layer k of each sender in the layer before it (of the input for k = 0).
    limit: how many spikes may be fired before InputError is raised.
    """

    def __init__(
        self,
        name: str,
        layers: list[Neurons],
        routes: list[list[Targets]],
        spiking: int,
        order: str,
        rng: np.random.Generator | None,
        limit: int,
    ) -> None:
        validate_choice("order", order, ORDERS)
        if order == "random" and rng is None:
            raise InputError("rng: expected a numpy Generator for order = random, got None")
        self.name, self.layers, self.routes, self.spiking = name, layers, routes, spiking
        self.order, self.rng, self.limit, self.left = order, rng, limit, count("limit", limit)
        self.waiting: deque[Spike] = deque()
        self.sent: list[list[Spike]] = [[] for _ in layers]

    def run(self, arriving: list[Spike], residual: str | None) -> None:
        """Deliver everything, then fire residual spikes layer by layer.  [T19 Alg. 3]"""
        for k in range(self.spiking):
            self.fire(k, np.arange(len(self.layers[k].V)))  # V may exceed the threshold from the start
        self.waiting.extend(arriving)
        self.settle()
        if residual is not None:
            validate_choice("residual", residual, RESIDUAL)
            for k in range(self.spiking):
                self.emit(k, np.arange(len(self.layers[k].V)), RESIDUAL[residual])
                self.settle()

    def settle(self) -> None:
        """Deliver spikes until none waits.  [T19 Alg. 1, 2]"""
        while self.waiting:
            spike = self.next()
            k = spike.layer + 1
            if k < len(self.layers):
                targets, w = self.routes[k][spike.place]
                self.layers[k].V[targets] += w * spike.sign
                self.fire(k, targets)

    def next(self) -> Spike:
        """The waiting spike whose turn it is."""
        if self.order == "fifo":
            return self.waiting.popleft()
        if self.rng is not None and self.order == "random":
            self.waiting.rotate(int(self.rng.integers(len(self.waiting))))
        return self.waiting.pop()

    def fire(self, k: int, who: Array) -> None:
        """Fire until all are below threshold: one spike for each arrival breaks [T19 Eq. 10]."""
        while k < self.spiking and self.emit(k, who, activation):
            pass

    def emit(self, k: int, who: Array, rule: Rule) -> bool:
        """V <- V - Theta s, total <- total + s, and send s.  [T19 Eq. 1, 2, 4, 7]  True if any neuron fired."""
        layer = self.layers[k]
        s = rule(layer.V[who], layer.total[who], layer.theta)
        if layer.rectify:
            s = np.where((s < 0) & (layer.total[who] <= 0), 0, s)
        if not s.any():
            return False
        layer.V[who] -= layer.theta * s
        layer.total[who] += s
        self.spend(k, int(np.abs(s).sum()))
        for i in np.flatnonzero(s * layer.sends[who]):
            spike = Spike(k, int(who[i]), int(s[i]))
            self.sent[k].append(spike)
            self.waiting.append(spike)
        return True

    def spend(self, k: int, fired: int) -> None:
        """Keep the number of spikes bounded."""
        self.left -= fired
        if self.left < 0:
            raise InputError(
                f"{self.name} phase: expected at most {self.limit} spikes (limit), got more, "
                f"the last in layer {k + 1} of {len(self.layers)} on their way"
            )
