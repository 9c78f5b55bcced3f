"""Optimisers as pure updates of one array.  [K20 Sec. 3.2]"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, count, positive


class Moments(NamedTuple):
    """Adamax's state of one array."""

    m: Array  # running mean of the gradient
    u: Array  # decaying maximum of its magnitude
    t: int  # updates made


@dataclass(frozen=True)
class SGD:
    """W <- W - lr g.  No state."""

    def init(self, parameter: Array) -> None:
        """No state."""

    def update(self, parameter: Array, g: Array, opt_state: None, lr: Array) -> tuple[Array, None]:
        """W - lr g."""
        return parameter - lr * g, None


@dataclass(frozen=True)
class Adamax:
    """m <- beta1 m + (1 - beta1) g;  u <- max(beta2 u, |g| + eps);  W <- W - (lr / (1 - beta1^t)) m / u.

    [K20 Sec. 3.2]  The paper's beta1 = 0 and beta2 = 0.95 (its stored text prints 95).
    Raises InputError for a beta outside [0, 1).
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
        """m = u = 0."""
        return Moments(np.zeros_like(parameter), np.zeros_like(parameter), 0)

    def update(self, parameter: Array, g: Array, opt_state: Moments, lr: Array) -> tuple[Array, Moments]:
        """One step; lr is an array that broadcasts against the parameter."""
        t = opt_state.t + 1
        m = self.beta1 * opt_state.m + (1 - self.beta1) * g
        u = np.maximum(self.beta2 * opt_state.u, np.abs(g) + self.eps)
        return parameter - lr / (1 - self.beta1**t) * (m / u), Moments(m, u, t)


Optimiser = SGD | Adamax
OptState = Any  # None for SGD, Moments for Adamax

Schedule = Callable[[int], float]


def update_each(
    optimiser: Optimiser,
    arrays: Sequence[Array],
    gradients: Sequence[Array],
    opt_state: Sequence[OptState],
    learning_rates: Sequence[Array],
) -> tuple[tuple[Array, ...], tuple[OptState, ...]]:
    """`optimiser.update` for several arrays side by side: (new arrays, new optimiser state)."""
    moved = [optimiser.update(*one) for one in zip(arrays, gradients, opt_state, learning_rates, strict=True)]
    return tuple(array for array, _ in moved), tuple(m for _, m in moved)


def constant(updates: int) -> float:
    """The factor 1 at every update."""
    return 1.0


def stepwise(boundaries: tuple[int, ...], factor: float) -> Schedule:
    """factor^(number of boundaries reached): a learning rate that drops in steps, counted in updates."""
    positive("factor", factor)
    for boundary in boundaries:
        count("boundary", boundary, 0)
    return lambda updates: factor ** sum(updates >= boundary for boundary in boundaries)
