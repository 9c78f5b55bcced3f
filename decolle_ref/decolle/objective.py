"""The objective of a layer: a loss on its own readout, and two regularisers on its own U.  [K20 Sec. 3.2, Eq. 4]

    L = reduce_k loss(Y_k, Yhat_k) + lambda1 <relu(U + 0.01)> + lambda2 relu(0.1 - <activity>)

Every term stands next to its derivative.  The reduction "sum" adds the terms of the loss over batch and outputs, "mean"
averages them (the cross-entropy has one term per sample, the other losses have one per output).  Y and target must have
one shape, integers are computed as float64, and NaN gives NaN.

>>> import numpy as np
>>> from decolle_ref import Objective, objective
>>> Objective(objective.squared_error, "mean").error(Y=np.array([1.0, 3.0]), target=np.array([0.0, 1.0]))
array([0.5, 1. ])
>>> objective.softmax(np.zeros(4))
array([0.25, 0.25, 0.25, 0.25])
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError, floats, not_negative, validate_choice
from decolle_ref.decolle.surrogate import Surrogate, above_threshold, magnitude


class Loss(NamedTuple):
    """A loss as its terms and the derivative of their sum with respect to Y.

    Attributes
    ----------
    name : str
    terms : function
        (Y, target) of shape (..., n_out) -> the terms, (...,) for the cross-entropy and (..., n_out) for the others.
    slope : function
        (Y, target) -> d sum(terms) / dY, of shape (..., n_out).
    """

    name: str
    terms: Callable[[Array, Array], Array]
    slope: Callable[[Array, Array], Array]


def softmax(Y: Array) -> Array:
    """softmax(Y)_k = exp(Y_k - max Y) / sum_l exp(Y_l - max Y).

    Parameters
    ----------
    Y : real or complex array of shape (..., n_out)
        The maximum is that of the real parts, so that exp cannot overflow.

    Returns
    -------
    array of shape (..., n_out)
    """
    Y = _outputs(Y)
    e: Array = np.exp(Y - Y.real.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def log_softmax(Y: Array) -> Array:
    """log softmax(Y)_k = Y_k - max Y - log sum_l exp(Y_l - max Y), finite where softmax(Y)_k itself is 0.

    Parameters
    ----------
    Y : real or complex array of shape (..., n_out)

    Returns
    -------
    array of shape (..., n_out)
    """
    Y = _outputs(Y)
    shifted: Array = Y - Y.real.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _outputs(Y: Array) -> Array:
    """Y, which must have at least one output."""
    Y = floats("Y", Y)
    if not Y.shape[-1:] or not Y.shape[-1]:
        raise InputError(f"Y: expected shape (..., n_out) with n_out >= 1, got {Y.shape}")
    return Y


def _potentials(U: Array) -> Array:
    """U, which must have an axis of neurons."""
    U = floats("U", U)
    if not U.shape:
        raise InputError("U: expected shape (..., n), got ()")
    return U


def _difference(Y: Array, target: Array) -> Array:
    """Y - target, of one shape: NumPy would broadcast a target of another one over batch or outputs."""
    Y = floats("Y", Y)
    if not Y.shape:
        raise InputError("Y: expected shape (..., n_out), got ()")
    d: Array = Y - floats("target", target, *Y.shape)
    return d


def _squared_error_terms(Y: Array, target: Array) -> Array:
    terms: Array = _difference(Y, target) ** 2 / 2
    return terms


def _smooth_l1_terms(Y: Array, target: Array) -> Array:
    d = _difference(Y, target)
    m = magnitude(d)
    return np.where(m.real < 1, d * d / 2, m - 0.5)


def _clip(d: Array) -> Array:
    return np.where(np.abs(d.real) < 1, d, np.sign(d.real))


def _cross_entropy_terms(Y: Array, target: Array) -> Array:
    terms: Array = -(floats("target", target, *np.shape(Y)) * log_softmax(Y)).sum(axis=-1)
    return terms


def _cross_entropy_slope(Y: Array, target: Array) -> Array:
    target = floats("target", target, *np.shape(Y))
    p = np.exp(log_softmax(Y))  # softmax(Y) up to rounding; the recorded results were computed in this form
    slope: Array = p * target.sum(axis=-1, keepdims=True) - target
    return slope


squared_error = Loss("squared_error", _squared_error_terms, _difference)
"""1/2 (Y - Yhat)^2, dY = Y - Yhat.  [K20 Sec. 3.2]"""

smooth_l1 = Loss("smooth_l1", _smooth_l1_terms, lambda Y, target: _clip(_difference(Y, target)))
"""1/2 d^2 if |d| < 1 else |d| - 1/2, with d = Y - Yhat; dY = clip(d, -1, 1).  [K20 Sec. 3.2]"""

cross_entropy = Loss("cross_entropy", _cross_entropy_terms, _cross_entropy_slope)
"""-sum_k Yhat_k log softmax(Y)_k for class probabilities Yhat; dY = softmax(Y) - Yhat (where they sum to 1)."""

LOSSES = {loss.name: loss for loss in (squared_error, smooth_l1, cross_entropy)}
REDUCTIONS = ("sum", "mean")
ACTIVITIES = ("rate", "membrane")


@dataclass(frozen=True)
class Regulariser:
    """lambda1 <relu(U + 0.01)> + lambda2 relu(0.1 - <activity>).  [K20 Eq. 4]

    The first term keeps U below threshold, the second keeps the layer from falling silent.  The paper prints
    activity = U ("membrane"); then the two terms pull <U> in opposite directions.  The public codes use
    activity = sigma(U) ("rate"); which sigma, and whether the first term acts before or after a pool, are axes of the
    dialect.  <.> is the mean over neurons: "membrane" applies its relu to each sample and then
    averages over the batch, "rate" averages over the batch too before it applies the relu, as the codes do.

    Parameters
    ----------
    lambda1, lambda2 : float >= 0
    activity : "rate" or "membrane"

    Raises
    ------
    InputError
        For another value.
    """

    lambda1: float = 0.0
    lambda2: float = 0.0
    activity: str = "rate"

    def __post_init__(self) -> None:
        not_negative("lambda1", self.lambda1)
        not_negative("lambda2", self.lambda2)
        validate_choice("activity", self.activity, ACTIVITIES)

    def value(self, U: Array, surrogate: Surrogate) -> Array:
        """The sum of both terms of [K20 Eq. 4], a scalar, for U of shape (..., n); 0 for an empty batch.

        The "rate" reads the primitive of `surrogate`.
        """
        U = _potentials(U)
        if U.size == 0:
            return np.zeros((), U.dtype)
        above = np.where(U.real + 0.01 <= 0, 0, U + 0.01)
        shortfall = 0.1 - self._mean_activity(U, surrogate)
        below = np.where(shortfall.real <= 0, 0, shortfall)
        return float(self.lambda1) * _mean(above) + float(self.lambda2) * _mean(below)

    def derivative(self, U: Array, surrogate: Surrogate) -> Array:
        """d value / dU, of U's shape: lambda1 1[U > -0.01] / N - lambda2 1[<activity> < 0.1] activity'(U) / N."""
        U = _potentials(U)
        slope = surrogate.derivative(U) if self.activity == "rate" else np.ones_like(U)
        silent = above_threshold(0.1 - self._mean_activity(U, surrogate))
        first = float(self.lambda1) * above_threshold(U + 0.01)
        return np.asarray((first - float(self.lambda2) * silent * slope) / max(U.size, 1))

    def _mean_activity(self, U: Array, surrogate: Surrogate) -> Array:
        if self.activity == "rate":
            return _mean(surrogate.primitive(U))
        return np.asarray(U.mean(axis=-1, keepdims=True))


def _mean(x: Array) -> Array:
    """The mean of all entries, 0 for an empty batch."""
    return np.asarray(x.sum() / max(x.size, 1))


@dataclass(frozen=True)
class Objective:
    """L of one layer: a loss of its Y, and regularisers of its U.

    Parameters
    ----------
    loss : Loss
    reduction : "mean" or "sum"
        Over batch and outputs.
    regulariser : Regulariser or None

    Raises
    ------
    InputError
        For another reduction.
    """

    loss: Loss = squared_error
    reduction: str = "mean"
    regulariser: Regulariser | None = None

    def __post_init__(self) -> None:
        validate_choice("reduction", self.reduction, REDUCTIONS)

    def value(self, U: Array, Y: Array, target: Array, surrogate: Surrogate) -> Array:
        """L, a scalar, for U (..., n), Y and target (..., n_out)."""
        total = self.loss_of(Y, target)
        if self.regulariser is None:
            return total
        U = _potentials(U)
        if U.shape[:-1] != np.shape(Y)[:-1]:
            raise InputError(f"U: expected the batch of Y, {np.shape(Y)[:-1]}, got {U.shape[:-1]}")
        return total + self.regulariser.value(U, surrogate)

    def loss_of(self, Y: Array, target: Array) -> Array:
        """L without the regularisers, a scalar, for Y and target (..., n_out)."""
        terms = self.loss.terms(Y, target)
        return np.asarray(terms.sum()) if self.reduction == "sum" else _mean(terms)

    def error(self, Y: Array, target: Array) -> Array:
        """dY_k = dL/dY_k, of Y's shape (..., n_out)."""
        slope = self.loss.slope(Y, target)
        if self.reduction == "sum":
            return slope
        per_sample = Y.shape[-1] if self.loss is cross_entropy else 1
        return slope * per_sample / max(Y.size, 1)

    def penalty(self, U: Array, surrogate: Surrogate) -> Array | float:
        """dL/dU of the regularisers alone, of U's shape (..., n)."""
        return 0.0 if self.regulariser is None else self.regulariser.derivative(U, surrogate)
