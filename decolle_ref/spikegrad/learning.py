"""One mini-batch on the equivalent ANN, and the descent that uses its increments.  [T19 Eq. 14, Sec. 2]

The paper divides the learning rate by alpha; momentum and weight decay are additions, off by default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, fraction, not_negative
from decolle_ref.decolle.synapse import Weights
from decolle_ref.fast import spikegrad as fast
from decolle_ref.spikegrad import ann
from decolle_ref.spikegrad.network import Network


class Step(NamedTuple):
    """What a mini-batch shows before the update."""

    loss: float  # cross-entropy, summed over the batch
    increments: list[Weights]  # E S: alpha / Theta_bp times the gradient of the loss, summed over the batch
    S: list[Array]  # totals of spikes; in the top layer V
    E: list[Array]  # totals of error spikes, of the samples that make any


def step(net: Network, weights: Sequence[Weights], x: Array, labels: Array, alpha: float, gradient: str) -> Step:
    """Forward, error, backward.

    A sample whose error stays below half a threshold makes no error spike: nothing is left to do for it.  That is
    where sparse errors save time here: almost half of it once most samples are right.
    """
    V, kept = fast.forward(net, weights, x)
    loss = float(ann.cross_entropy(V, labels).sum())
    U, S = ann.top_error(V, labels, alpha), [own.S for own in kept]
    if gradient == "spike":
        loud: Array = np.abs(U).max(axis=1) >= net[-1].theta_bp / 2
        loud[0] |= not loud.any()  # one sample at least: empty arrays have no shape to go by
        U, kept = U[loud], fast.only(kept, loud)
    errors, increments = fast.backward(net, weights, kept, U, gradient)
    return Step(loss, increments, S, errors)


@dataclass(frozen=True)
class Descent:
    """v <- momentum v - lr (g + decay W);  W <- W + v.  Biases do not decay."""

    momentum: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        fraction("momentum", self.momentum)
        not_negative("decay", self.decay)

    def start(self, weights: Weights) -> Weights:
        """v = 0."""
        return Weights(np.zeros_like(weights.W), np.zeros_like(weights.b))

    def update(
        self, weights: Weights, v: Weights, increment: Weights, lr: float, scale: float
    ) -> tuple[Weights, Weights]:
        """(weights, v) after one step, where g = scale x increment."""
        number = weights.W.dtype.type
        rate, decay, momentum = number(lr * scale), number(lr * self.decay), number(self.momentum)
        after = Weights(momentum * v.W - rate * increment.W - decay * weights.W, momentum * v.b - rate * increment.b)
        return Weights(weights.W + after.W, weights.b + after.b), after


def accuracy(net: Network, weights: Sequence[Weights], x: Array, labels: Array) -> float:
    """Share of images whose largest V is that of their label."""
    right = 0
    for i in range(0, len(x), 100):
        V, _ = fast.forward(net, weights, x[i : i + 100])
        right += int((V.argmax(axis=1) == labels[i : i + 100]).sum())
    return right / len(x)
