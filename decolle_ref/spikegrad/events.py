"""One phase, spike by spike: there is no clock, only an order of events.  [T19 Eq. 1-7, 16, 19, Alg. 1-3]

The firing rules and `Phase` assume numbers, which `snn.forward` and `snn.backward` check; a NaN would never fire.

A spike arrives, the integration variables of its targets change, targets beyond their threshold fire until they are
below it, and their spikes wait to be delivered in turn.  The totals do not depend on which waiting spike goes next.
When no spike waits, residual spikes round the totals, lowest layer first.  Both phases are the same process.

One neuron with Theta = 1 receives a spike through a weight of 2.75: it fires twice, and the residual spike rounds up.

>>> layer = neurons(np.zeros(1), theta=1.0)
>>> phase = Phase("forward", [layer], [[(np.array([0]), np.array([2.75]))]], 1, "fifo", None, limit=10)
>>> phase.run([Spike(layer=-1, place=0, sign=1)], residual="nearest")
>>> layer.total, layer.V
(array([3.]), array([-0.25]))
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, count, floats, validate_choice

__all__ = [
    "ORDERS",
    "RESIDUAL",
    "FiringRule",
    "Neurons",
    "Phase",
    "Spike",
    "Targets",
    "activation",
    "neurons",
    "to_ceil",
    "to_floor",
    "to_nearest",
]

ORDERS = ("fifo", "lifo", "random")


class Spike(NamedTuple):
    """One spike on its way.

    Attributes
    ----------
    layer
        Layer of the sender, counted in the direction of travel; -1 is the input.
    place
        Index of the sender in its layer.
    sign
        +1 or -1.
    """

    layer: int
    place: int
    sign: int


class Neurons(NamedTuple):
    """One layer in one phase.  V and total change in place with every spike.

    Attributes
    ----------
    V
        Integration variable, (n,): V [T19 Eq. 1] or U [T19 Eq. 6].
    total
        Sum of the neuron's spikes so far, (n,): x / eta [T19 Eq. 2].
    theta
        Threshold.
    rectify
        True for ReLU neurons, whose negative spikes only take back positive ones [T19 Eq. 4].
    sends
        S', (n,): spikes are not sent where it is False [T19 Eq. 7].
    """

    V: Array
    total: Array
    theta: float
    rectify: bool
    sends: Array


Targets = tuple[Array, Array]
"""The neurons that the spikes of one sender reach: (indices, weights)."""

FiringRule = Callable[[Array, Array, float], Array]
"""(V, total, Theta) -> s."""


def neurons(V: Array, theta: float, rectify: bool = False, sends: Array | None = None) -> Neurons:
    """A layer that has not fired yet, with its own copy of V.

    Parameters
    ----------
    V
        Integration variable at the start, (n,).
    theta
        Threshold > 0.
    rectify
        True for ReLU neurons.
    sends
        S', (n,); None: all neurons send.

    Returns
    -------
    Neurons
        The layer, with totals of 0.
    """
    V = floats("V", V)
    every = np.ones(V.size, bool) if sends is None else sends
    return Neurons(V.copy(), np.zeros(V.size, V.dtype), theta, rectify, every)


def activation(V: Array, total: Array, theta: float) -> Array:
    """s = 1 if V >= Theta; -1 if V <= -Theta; else 0.  [T19 Eq. 3]

    Parameters
    ----------
    V, total
        Integration variables and sums of spikes so far, (n,).
    theta
        Threshold > 0.

    Returns
    -------
    array of int
        s, (n,): +1, 0 or -1.
    """
    return np.subtract(V >= theta, V <= -theta, dtype=int)


def to_nearest(V: Array, total: Array, theta: float) -> Array:
    """Residual spike beyond Theta / 2; at a tie never one that moves the total towards 0.  [T19 Eq. 16, 19]

    +1 if V >= Theta/2 when total >= 0 (V > Theta/2 when total < 0);
    -1 if V <= -Theta/2 when total <= 0 (V < -Theta/2 when total > 0).  Parameters as in `activation`.
    """
    up = np.where(total >= 0, V >= theta / 2, V > theta / 2)
    down = np.where(total <= 0, V <= -theta / 2, V < -theta / 2)
    return np.subtract(up, down, dtype=int)


def to_floor(V: Array, total: Array, theta: float) -> Array:
    """Residual spike -1 if V < 0, so that totals are rounded down.  Parameters as in `activation`."""
    return np.negative(V < 0, dtype=int)


def to_ceil(V: Array, total: Array, theta: float) -> Array:
    """Residual spike +1 if V > 0, so that totals are rounded up.  Parameters as in `activation`."""
    return (V > 0).astype(int)


RESIDUAL: dict[str, FiringRule] = {"nearest": to_nearest, "floor": to_floor, "ceil": to_ceil}


class Phase:
    """One phase of the network for one sample.

    Parameters
    ----------
    name
        "forward" or "backward", for messages.
    layers
        The layers in the direction of travel.
    routes
        routes[k] lists the targets in layer k of each neuron in layer k - 1, or of each input for k = 0.
    spiking
        The first `spiking` layers fire; the others only integrate.
    order
        Which waiting spike is delivered next: "fifo", "lifo" or "random".
    rng
        Source of the random order.
    limit
        How many spikes may be fired.

    Raises
    ------
    InputError
        For an unknown order, or a random one without a generator.
    """

    def __init__(
        self,
        name: str,
        layers: list[Neurons],
        routes: Sequence[Sequence[Targets]],
        spiking: int,
        order: str,
        rng: np.random.Generator | None,
        limit: int,
    ) -> None:
        validate_choice("order", order, ORDERS)
        if order == "random" and rng is None:
            raise InputError("rng: expected a numpy Generator for order = random, got None")
        self.name, self.layers, self.routes, self.spiking = name, layers, routes, spiking
        self.order, self.rng, self.limit, self.remaining = order, rng, limit, count("limit", limit)
        self.waiting: deque[Spike] = deque()
        self.sent: list[list[Spike]] = [[] for _ in layers]

    def run(self, arriving: list[Spike], residual: str | None) -> None:
        """Deliver everything, then fire residual spikes layer by layer.  [T19 Alg. 3]

        Parameters
        ----------
        arriving
            Spikes of the input, in order.
        residual
            How totals are rounded at the end, "nearest", "floor" or "ceil"; None: not at all.

        Raises
        ------
        InputError
            For more than `limit` spikes.
        """
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
        """Deliver spikes until no spike waits.  [T19 Alg. 1, 2]"""
        while self.waiting:
            spike = self._next()
            k = spike.layer + 1
            if k < len(self.layers):
                targets, w = self.routes[k][spike.place]
                self.layers[k].V[targets] += w * spike.sign
                self.fire(k, targets)

    def _next(self) -> Spike:
        """Take the next spike from the waiting ones, in `order`."""
        if self.order == "fifo":
            return self.waiting.popleft()
        if self.rng is not None and self.order == "random":
            self.waiting.rotate(int(self.rng.integers(len(self.waiting))))
        return self.waiting.pop()

    def fire(self, k: int, indices: Array) -> None:
        """Let these neurons of layer k fire until all are below threshold.

        A single spike for each arrival would violate [T19 Eq. 10].
        """
        while k < self.spiking and self.emit(k, indices, activation):
            pass

    def emit(self, k: int, indices: Array, rule: FiringRule) -> bool:
        """V <- V - Theta s, total <- total + s, and send s.  [T19 Eq. 1, 2, 4, 7]

        Parameters
        ----------
        k
            The layer.
        indices
            Its neurons that may fire.
        rule
            Gives s, the spike of each.

        Returns
        -------
        bool
            Whether any neuron fired.
        """
        layer = self.layers[k]
        s = rule(layer.V[indices], layer.total[indices], layer.theta)
        if layer.rectify:
            s = np.where((s < 0) & (layer.total[indices] <= 0), 0, s)
        if not s.any():
            return False
        layer.V[indices] -= layer.theta * s
        layer.total[indices] += s
        self._count(k, int(np.abs(s).sum()))
        for i in np.flatnonzero(s * layer.sends[indices]):
            spike = Spike(k, int(indices[i]), int(s[i]))
            self.sent[k].append(spike)
            self.waiting.append(spike)
        return True

    def _count(self, k: int, fired: int) -> None:
        """Raise InputError once more than `limit` spikes have been fired."""
        self.remaining -= fired
        if self.remaining < 0:
            raise InputError(
                f"{self.name} phase: expected at most {self.limit} spikes (limit), got more, "
                f"the last in layer {k + 1} of {len(self.layers)} on their way"
            )
