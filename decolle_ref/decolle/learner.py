"""Learning while the sequence runs: gradient and optimiser, for every layer, at every step.  [K20 Sec. 3.2]"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError, count, not_negative
from decolle_ref.decolle import rule
from decolle_ref.decolle.optim import Adamax, Optimiser, Schedule, constant
from decolle_ref.decolle.synapse import Synapse, Weights

Memory = tuple[Any, ...]
ADAMAX = Adamax()
Descend = Callable[[Optimiser, Synapse, Weights, Any, Array, Array, Weights], tuple[Weights, Any]]


def descend(
    optimiser: Optimiser, synapse: Synapse, weights: Weights, memory: Any, delta: Array, P: Array, rate: Weights
) -> tuple[Weights, Any]:
    """One layer's update: the gradient of [K20 Eq. 3] handed to the optimiser, for W and for b."""
    gradient = rule.gradient(synapse, delta, P)
    W, memory_W = optimiser.update(weights.W, gradient.W, memory[0], rate.W)
    b, memory_b = optimiser.update(weights.b, gradient.b, memory[1], rate.b)
    return Weights(W, b), (memory_W, memory_b)


@dataclass(frozen=True)
class Learner:
    """Which optimiser, at which rates, from which step on.

    rates: one `Weights` per layer whose W and b broadcast against that layer's W and b; schedule multiplies them.
    descend may be replaced by `fast.descend`, which overwrites the weights and memory it is given.
    Raises InputError for a rate that is negative or not finite.
    """

    rates: Sequence[Weights]
    optimiser: Optimiser = ADAMAX
    schedule: Schedule = constant
    burn_in: int = 0
    descend: Descend = descend

    def __post_init__(self) -> None:
        count("burn_in", self.burn_in, 0)
        for k, rate in enumerate(self.rates):
            not_negative(f"layer {k + 1} learning rate", rate.W)
            not_negative(f"layer {k + 1} bias learning rate", rate.b)

    def check(self, weights: Sequence[Weights], memory: Memory) -> None:
        """Raise InputError unless rates and memory fit the weights."""
        for name, given in (("rates", self.rates), ("memory", memory)):
            if len(given) != len(weights):
                raise InputError(f"{name}: expected one per layer ({len(weights)}), got {len(given)}")
        for k, (rate, w) in enumerate(zip(self.rates, weights, strict=True)):
            for letter, lr, array in zip("Wb", rate, w, strict=True):
                shape = np.shape(lr)
                sides = zip(shape[::-1], array.shape[::-1], strict=False)
                if len(shape) > array.ndim or any(s not in (1, d) for s, d in sides):
                    raise InputError(
                        f"layer {k + 1} rate of {letter}: expected to broadcast to {array.shape}, got {shape}"
                    )

    def start(self, weights: Sequence[Weights]) -> Memory:
        """The optimiser's memory before the first update."""
        return tuple((self.optimiser.start(w.W), self.optimiser.start(w.b)) for w in weights)

    def update(
        self,
        synapses: Sequence[Synapse],
        weights: Sequence[Weights],
        memory: Memory,
        deltas: Sequence[Array],
        traces: Sequence[Array],
        updates: int,
    ) -> tuple[tuple[Weights, ...], Memory]:
        """All layers, each from its own delta and P alone."""
        factor = self.schedule(updates)
        new = [
            self.descend(self.optimiser, synapse, w, m, delta, P, Weights(factor * rate.W, factor * rate.b))
            for synapse, w, m, delta, P, rate in zip(synapses, weights, memory, deltas, traces, self.rates, strict=True)
        ]
        return tuple(w for w, _ in new), tuple(m for _, m in new)
