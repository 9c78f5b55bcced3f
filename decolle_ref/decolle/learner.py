"""Learning while the sequence runs: gradient and optimiser, for every layer, at every step.  [K20 Sec. 3.2]

>>> import numpy as np
>>> from decolle_ref import SGD, Dense, Learner, Weights
>>> rate = Weights(W=np.asarray(0.5), b=np.asarray(0.0))
>>> learner, weights = Learner([rate], SGD()), [Weights(np.zeros((1, 2)), np.zeros(1))]
>>> (new,), _ = learner.update(
...     [Dense(2, 1)], weights, learner.init(weights), dUs=[np.array([-1.0])], traces=[np.array([2.0, 4.0])], updates=0
... )
>>> new.W
array([[1., 2.]])
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from decolle_ref._util.check import (
    Array,
    InputError,
    count,
    finite,
    not_negative,
    validate_broadcast,
    validate_dtype,
    validate_one_per_layer,
    validate_shape,
)
from decolle_ref.decolle import rule
from decolle_ref.decolle.optim import SGD, Adamax, Optimiser, Schedule, constant, update_each
from decolle_ref.decolle.optim import OptState as OptState
from decolle_ref.decolle.synapse import Synapse, Weights

_ADAMAX = Adamax()
LayerUpdate = Callable[[Optimiser, Synapse, Weights, OptState, Array, Array, Weights], tuple[Weights, OptState]]


def update_layer(
    optimiser: Optimiser,
    synapse: Synapse,
    weights: Weights,
    opt_state: OptState,
    dU: Array,
    P: Array,
    learning_rate: Weights,
) -> tuple[Weights, OptState]:
    """One layer's update: the optimiser follows the gradient of [K20 Eq. 3], for W and for b.

    Parameters
    ----------
    optimiser : SGD or Adamax
    synapse : Dense or Conv2d
    weights : Weights
    opt_state : pair
        The optimiser's state of W and of b.
    dU : array of shape (..., n)
        dL/dU.
    P : array of shape (..., n_in)
    learning_rate : Weights
        Its W and b broadcast against W and b.

    Returns
    -------
    weights, opt_state
        New arrays; the old ones stay as they are.
    """
    (W, b), new_state = update_each(optimiser, weights, rule.gradient(synapse, dU, P), opt_state, learning_rate)
    return Weights(W, b), new_state


@dataclass(frozen=True)
class Learner:
    """The optimiser of the weights, its learning rates, and the step of its first update.

    Parameters
    ----------
    learning_rates : sequence of Weights
        One per layer; its W and b broadcast against the layer's W and b.
    optimiser : SGD or Adamax
    schedule : function of the number of updates so far
        Its value multiplies the learning rates.
    burn_in : int
        Number of steps before the first update.
    update_layer : function
        `update_layer` of this module, which returns new arrays, or `fast.update_layer`, which overwrites the weights
        and the optimiser state that it receives.

    Raises
    ------
    InputError
        For a learning rate that is negative or not finite, or a negative burn_in.
    """

    learning_rates: Sequence[Weights]
    optimiser: Optimiser = _ADAMAX
    schedule: Schedule = constant
    burn_in: int = 0
    update_layer: LayerUpdate = update_layer

    def __post_init__(self) -> None:
        count("burn_in", self.burn_in, 0)
        for k, learning_rate in enumerate(self.learning_rates, start=1):
            not_negative(f"layer {k} learning rate", learning_rate.W)
            not_negative(f"layer {k} bias learning rate", learning_rate.b)

    def validate(self, weights: Sequence[Weights], opt_state: OptState) -> None:
        """Raise InputError unless learning rates and optimiser state fit the weights, and are finite in their dtype."""
        for name, entries in (("learning_rates", self.learning_rates), ("opt_state", opt_state)):
            validate_one_per_layer(name, entries, len(weights))
        layers = zip(self.learning_rates, opt_state, weights, strict=True)
        for k, (learning_rate, state, w) in enumerate(layers, start=1):
            if not isinstance(state, tuple) or len(state) != len(w):
                raise InputError(f"layer {k} opt_state: expected one of W and one of b, got {type(state).__name__}")
            for letter, lr, moments, array in zip("Wb", learning_rate, state, w, strict=True):
                name = f"layer {k} learning rate of {letter}"
                validate_broadcast(name, finite(name, lr, array.dtype), array.shape)
                _validate_moments(self.optimiser, moments, array, f"layer {k} opt_state of {letter}")

    def init(self, weights: Sequence[Weights]) -> OptState:
        """The optimiser's state before the first update: one pair, of W and of b, per layer."""
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
        """Update all layers, each from its own dU and P alone.

        Parameters
        ----------
        synapses, weights, opt_state : sequences, one entry per layer
        dUs : sequence of arrays of shape (..., n)
        traces : sequence of arrays of shape (..., n_in)
            P of each layer.
        updates : int
            Number of updates so far.

        Returns
        -------
        weights, opt_state : tuples, one entry per layer
        """
        factor = float(self.schedule(updates))
        rates = [Weights(factor * rate.W, factor * rate.b) for rate in self.learning_rates]
        layers = zip(synapses, weights, opt_state, dUs, traces, rates, strict=True)
        updated = [self.update_layer(self.optimiser, *layer) for layer in layers]
        return tuple(w for w, _ in updated), tuple(state for _, state in updated)


def _validate_moments(optimiser: Optimiser, moments: OptState, array: Array, name: str) -> None:
    """Raise InputError unless the optimiser's state of one array has its shape and dtype, and is finite."""
    if (moments is None) != isinstance(optimiser, SGD):
        expected = "None" if isinstance(optimiser, SGD) else "Moments"
        raise InputError(f"{name}: expected {expected}, got {type(moments).__name__}")
    if moments is not None:
        count(f"{name} t", moments.t, 0)
        for letter, moment in zip("mu", moments[:2], strict=True):
            validate_shape(f"{name} {letter}", finite(f"{name} {letter}", moment), array.shape)
            validate_dtype(f"{name} {letter}", moment, array.dtype)
