"""Optimisers as pure updates of one array.  [K20 Sec. 3.2]

>>> import numpy as np
>>> from decolle_ref import SGD, optim
>>> W, _ = SGD().update(np.array([1.0]), g=np.array([2.0]), opt_state=None, lr=np.asarray(0.25))
>>> W
array([0.5])
>>> schedule = optim.stepwise((10, 20), factor=0.5)
>>> [schedule(updates) for updates in (0, 10, 25)]
[1.0, 0.5, 0.25]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, count, floats, positive


class Moments(NamedTuple):
    """Adamax's state of one array.

    Attributes
    ----------
    m : array
        Running mean of the gradient.
    u : array
        Decaying maximum of its magnitude.
    t : int
        Number of updates so far.
    """

    m: Array
    u: Array
    t: int


@dataclass(frozen=True)
class SGD:
    """W <- W - lr g.  SGD has no parameters and keeps no state."""

    def init(self, parameter: Array) -> None:
        """Return None, as there is no state."""
        floats("parameter", parameter)

    def update(self, parameter: Array, g: Array, opt_state: None, lr: Array) -> tuple[Array, None]:
        """(W - lr g, None); lr is an array that broadcasts against the parameter."""
        validate_arrays(parameter, g)
        return parameter - _in_dtype_of(parameter, lr) * g, None


@dataclass(frozen=True)
class Adamax:
    """m <- beta1 m + (1 - beta1) g;  u <- max(beta2 u, |g| + eps);  W <- W - (lr / (1 - beta1^t)) m / u.

    [K20 Sec. 3.2]  The paper sets beta1 = 0 and beta2 = 0.95 (its stored text prints 95).

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    eps : float > 0

    Raises
    ------
    InputError
        For numbers outside these ranges.
    """

    beta1: float = 0.0
    beta2: float = 0.95
    eps: float = 1e-8

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}: expected a number in [0, 1), got {getattr(self, name)}")
        positive("eps", self.eps)

    def init(self, parameter: Array) -> Moments:
        """The state before the first update: m = u = 0."""
        zero = np.zeros_like(floats("parameter", parameter))
        return Moments(zero, zero.copy(), 0)

    def update(self, parameter: Array, g: Array, opt_state: Moments, lr: Array) -> tuple[Array, Moments]:
        """(new parameter, new state); lr is an array that broadcasts against the parameter."""
        validate_arrays(parameter, g, opt_state.m, opt_state.u)
        lr, t = _in_dtype_of(parameter, lr), opt_state.t + 1
        m = self.beta1 * opt_state.m + (1 - self.beta1) * g
        u = np.maximum(self.beta2 * opt_state.u, np.abs(g) + self.eps)
        return parameter - lr / (1 - self.beta1**t) * (m / u), Moments(m, u, t)


def validate_arrays(parameter: Array, *others: Array) -> None:
    """Raise InputError unless all are arrays of the parameter's shape and float dtype, which it keeps for ever.

    Parameters
    ----------
    parameter : array
    others : arrays
        Its gradient and the optimiser's state.
    """
    dtype, shape = getattr(parameter, "dtype", None), np.shape(parameter)
    for x in (parameter, *others):
        if type(x) is np.ndarray and x.dtype is dtype and x.shape == shape and dtype.kind == "f":
            continue  # the common case, in a tenth of a microsecond
        known = type(x) is np.ndarray or isinstance(x, np.generic)
        if not known or x.dtype.kind != "f" or x.dtype != dtype or x.shape != shape:
            kind = getattr(x, "dtype", type(x).__name__)
            raise InputError(
                f"update: expected floats of one dtype and of shape {shape}, got {kind} of shape {np.shape(x)}"
            )


def _in_dtype_of(parameter: Array, lr: Array) -> Array:
    """The learning rate in the dtype of the parameter, which it must not promote."""
    return lr if type(lr) is parameter.dtype.type else floats("lr", lr, dtype=parameter.dtype)


Optimiser = SGD | Adamax
OptState = Any
"""Optimiser state: None for SGD, `Moments` for Adamax; a tuple of these for several arrays, or of tuples for layers."""

Schedule = Callable[[int], float]
"""Number of updates so far -> the factor by which learning rates are multiplied."""


def update_each(
    optimiser: Optimiser,
    arrays: Sequence[Array],
    gradients: Sequence[Array],
    opt_state: Sequence[OptState],
    learning_rates: Sequence[Array],
) -> tuple[tuple[Array, ...], tuple[OptState, ...]]:
    """`optimiser.update` for several arrays side by side.

    Parameters
    ----------
    optimiser : SGD or Adamax
    arrays, gradients : sequences of arrays, equal in length and shapes
    opt_state : sequence
        One state per array, from `optimiser.init`.
    learning_rates : sequence of arrays
        One per array; each broadcasts against its array.

    Returns
    -------
    arrays, opt_state : tuples
        After the update.
    """
    quadruples = zip(arrays, gradients, opt_state, learning_rates, strict=True)
    updated = [optimiser.update(*quadruple) for quadruple in quadruples]
    return tuple(array for array, _ in updated), tuple(state for _, state in updated)


def constant(updates: int) -> float:
    """The factor 1 at every update.

    Parameters
    ----------
    updates : int
        Number of updates so far.

    Returns
    -------
    float
    """
    return 1.0


def stepwise(boundaries: tuple[int, ...], factor: float) -> Schedule:
    """factor^(number of boundaries reached): a learning rate that drops in steps.

    Parameters
    ----------
    boundaries : tuple of int
        Numbers of updates.
    factor : float > 0

    Returns
    -------
    Schedule

    Raises
    ------
    InputError
        For a negative boundary or a factor that is not positive.
    """
    positive("factor", factor)
    for boundary in boundaries:
        count("boundary", boundary, 0)
    return lambda updates: factor ** sum(updates >= boundary for boundary in boundaries)
