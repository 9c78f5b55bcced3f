"""Learning while the sequence runs: gradient and optimiser, for every layer, at every step.  [K20 Sec. 3.2]"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError, count, not_negative
from decolle_ref.decolle import rule
from decolle_ref.decolle.optim import Adamax, Optimiser, Schedule, constant
from decolle_ref.decolle.synapse import Synapse, Weights

OptState = tuple[Any, ...]
ADAMAX = Adamax()
LayerUpdate = Callable[[Optimiser, Synapse, Weights, Any, Array, Array, Weights], tuple[Weights, Any]]


def update_layer(
    optimiser: Optimiser,
    synapse: Synapse,
    weights: Weights,
    opt_state: Any,
    dU: Array,
    P: Array,
    learning_rate: Weights,
) -> tuple[Weights, Any]:
    """One layer's update: the gradient of [K20 Eq. 3] handed to the optimiser, for W and for b."""
    gradient = rule.gradient(synapse, dU, P)
    W, opt_state_W = optimiser.update(weights.W, gradient.W, opt_state[0], learning_rate.W)
    b, opt_state_b = optimiser.update(weights.b, gradient.b, opt_state[1], learning_rate.b)
    return Weights(W, b), (opt_state_W, opt_state_b)


@dataclass(frozen=True)
class Learner:
    """Which optimiser, at which rates, from which step on.

    learning_rates: one `Weights` per layer whose W and b broadcast against W and b; the schedule multiplies them.
    update_layer may be replaced by `fast.update_layer`, which overwrites the weights and optimiser state it is given.
    Raises InputError for a learning_rate that is negative or not finite.
    """

    learning_rates: Sequence[Weights]
    optimiser: Optimiser = ADAMAX
    schedule: Schedule = constant
    burn_in: int = 0
    update_layer: LayerUpdate = update_layer

    def __post_init__(self) -> None:
        count("burn_in", self.burn_in, 0)
        for k, learning_rate in enumerate(self.learning_rates):
            not_negative(f"layer {k + 1} learning rate", learning_rate.W)
            not_negative(f"layer {k + 1} bias learning rate", learning_rate.b)

    def validate(self, weights: Sequence[Weights], opt_state: OptState) -> None:
        """Raise InputError unless learning rates and optimiser state fit the weights."""
        for name, given in (("learning_rates", self.learning_rates), ("opt_state", opt_state)):
            if len(given) != len(weights):
                raise InputError(f"{name}: expected one per layer ({len(weights)}), got {len(given)}")
        for k, (learning_rate, w) in enumerate(zip(self.learning_rates, weights, strict=True)):
            for letter, lr, array in zip("Wb", learning_rate, w, strict=True):
                shape = np.shape(lr)
                sides = zip(shape[::-1], array.shape[::-1], strict=False)
                if len(shape) > array.ndim or any(s not in (1, d) for s, d in sides):
                    raise InputError(
                        f"layer {k + 1} learning rate of {letter}: expected to broadcast to {array.shape}, got {shape}"
                    )

    def init(self, weights: Sequence[Weights]) -> OptState:
        """The optimiser's state before the first update."""
        return tuple((self.optimiser.init(w.W), self.optimiser.init(w.b)) for w in weights)

    def update(
        self,
        synapses: Sequence[Synapse],
        weights: Sequence[Weights],
        opt_state: OptState,
        dUs: Sequence[Array],
        traces: Sequence[Array],
        updates: int,
    ) -> tuple[tuple[Weights, ...], OptState]:
        """All layers, each from its own dU and P alone."""
        factor = self.schedule(updates)
        new = [
            self.update_layer(
                self.optimiser, synapse, w, m, dU, P, Weights(factor * learning_rate.W, factor * learning_rate.b)
            )
            for synapse, w, m, dU, P, learning_rate in zip(
                synapses, weights, opt_state, dUs, traces, self.learning_rates, strict=True
            )
        ]
        return tuple(w for w, _ in new), tuple(m for _, m in new)
