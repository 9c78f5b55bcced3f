"""Gradient descent on the increments of SpikeGrad.  [T19 Eq. 14, Sec. 2]

The paper divides the learning rate by alpha; momentum and weight decay are additions, off by default.
`fast.spikegrad.step` computes the increments of a mini-batch.

>>> descent, w = Descent(), Weights(np.array([2.0]), np.array([0.0]))
>>> descent.update(w, descent.start(w), Weights(np.array([8.0]), np.array([4.0])), lr=0.5, scale=0.125)[0]
Weights(W=array([1.5]), b=array([-0.25]))
"""

from dataclasses import dataclass

import numpy as np

from decolle_ref._util.check import floats, fraction, not_negative
from decolle_ref.decolle.optim import validate_arrays
from decolle_ref.decolle.synapse import Weights

__all__ = ["Descent"]


@dataclass(frozen=True)
class Descent:
    """v <- momentum v - lr (g + decay W);  W <- W + v.  Biases do not decay.

    Parameters
    ----------
    momentum
        In [0, 1); InputError is raised for others.
    decay
        Weight decay >= 0; InputError is raised for others.
    """

    momentum: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        fraction("momentum", self.momentum)
        not_negative("decay", self.decay)

    def start(self, weights: Weights) -> Weights:
        """v = 0, of the shapes of `weights`."""
        return Weights(*(np.zeros_like(floats(letter, x)) for letter, x in zip("Wb", weights, strict=True)))

    def update(
        self, weights: Weights, v: Weights, increment: Weights, lr: float, scale: float
    ) -> tuple[Weights, Weights]:
        """One step, with g = scale x increment.

        Parameters
        ----------
        weights, v
            The weights of one layer and their velocity.
        increment
            Sum of E_i S_j over the mini-batch, as [T19 Eq. 14] gives it.
        lr
            Learning rate.
        scale
            Theta_bp / (alpha x batch) turns the increment into the gradient of the mean loss.

        Returns
        -------
        weights, v
            After the step; the old ones are unchanged.

        Raises
        ------
        InputError
            For arrays that differ in shape or dtype.
        """
        for arrays in zip(weights, v, increment, strict=True):
            validate_arrays(*arrays)
        number = weights.W.dtype.type
        rate, decay, momentum = number(lr * scale), number(lr * self.decay), number(self.momentum)
        after = Weights(momentum * v.W - rate * increment.W - decay * weights.W, momentum * v.b - rate * increment.b)
        return Weights(weights.W + after.W, weights.b + after.b), after
