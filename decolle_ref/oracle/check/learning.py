"""The equations of a layer's learning: the error, its way back, the gradients and the updates.

They have the form of those in `equations`.  The trace format calls dL/dY `e` and dL/dU `delta`.
"""

from collections.abc import Iterator

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref._util.verdict import beyond
from decolle_ref.decolle.layer import regularisers
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.objective import Objective, Regulariser, cross_entropy, smooth_l1
from decolle_ref.decolle.optim import Adamax
from decolle_ref.oracle.check.equations import dropped, read
from decolle_ref.oracle.check.error_bounds import FLOAT64_UNIT, Arithmetic, Bounded, exact
from decolle_ref.oracle.check.pooling import routed
from decolle_ref.oracle.check.products import gradient
from decolle_ref.oracle.check.recording import Equation, recorded, shown
from decolle_ref.oracle.trace import Operands


@recorded
def e(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """e = dL/dY, with the reduction.  [K20 Sec. 3.2]"""
    return error(operands.layer.objective, shown(operands, arithmetic, "Y"), operands.case["target"], arithmetic)


def error(objective: Objective, Y: Bounded, target: Array, arithmetic: Arithmetic) -> Bounded:
    """e = dL/dY for readouts Y (..., batch, n_out) that have an error themselves."""
    if objective.loss is cross_entropy:
        slope = _softmax_slope(Y, target, arithmetic)
    else:
        slope = arithmetic.subtract(Y, exact(target))
        if objective.loss is smooth_l1:
            slope = arithmetic.clip(slope, -1.0, 1.0)
    if objective.reduction == "sum":
        return slope
    terms = Y.value.shape[-2] * (1 if objective.loss is cross_entropy else Y.value.shape[-1])
    share = arithmetic.derived(np.asarray(1 / terms))
    return arithmetic.multiply(slope, share)


def _softmax_slope(Y: Bounded, target: Array, arithmetic: Arithmetic) -> Bounded:
    """softmax(Y) (sum of the target) - target.  An error of Y becomes a factor of exp(Y)."""
    shifted = Y.value - Y.value.max(axis=-1, keepdims=True)
    room = np.minimum(2 * Y.err.max(axis=-1, keepdims=True), 700)  # so exp(Y) is off by a factor of exp(+-2 err)
    p = np.exp(shifted)
    p = p / p.sum(axis=-1, keepdims=True)
    most = np.minimum(p * np.exp(room), 1)
    K, ulps = p.shape[-1], arithmetic.profile.sigma_ulps  # exp and log have the declared error of sigma, too
    spread = 2 * (np.abs(shifted) + room) + 2 * np.log(K) + K + 4 + 2 * ulps * (1 + max(1.0, np.log(K)))
    rounding = most * spread * (arithmetic.unit + arithmetic.step) + arithmetic.tiny + arithmetic.step
    if arithmetic.profile.fixed:
        # each exp is off by `ulps` quanta, however small it is; their sum by K times as many, and its logarithm, too
        rounding = rounding + ulps * arithmetic.profile.quantum * (1 + most * (K + np.log(K) + 1))
    err = np.minimum(p * np.expm1(room), 1) + rounding
    whole = target.sum(axis=-1, keepdims=True)
    weight = arithmetic.total(whole, np.abs(target).sum(axis=-1, keepdims=True), 0 * whole, K, products=False)
    return arithmetic.subtract(arithmetic.multiply(Bounded(p, err), weight), exact(target))


@recorded
def delta(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """delta_i = (sum_k G_ki e_k) sigma'(U_i), plus the regularisers, at the winners of a pool.  [K20 Eq. 3, 4]"""
    u, _ = read(operands, arithmetic)
    return backward(operands, arithmetic, arithmetic.slope(operands.layer.surrogate, u))


def backward(operands: Operands, arithmetic: Arithmetic, slope: Bounded) -> Bounded:
    """delta with another slope in place of sigma'(U)."""
    (u, wins), (of_u, of_U) = read(operands, arithmetic), regularisers(operands.layer)
    G, layer = operands.case["G"], operands.layer
    e = dropped(arithmetic, operands.mask.Y, shown(operands, arithmetic, "e"))
    err = e.err @ np.abs(G)
    back = arithmetic.total(e.value @ G, np.abs(e.value) @ np.abs(G) + err, err, len(G))
    back = dropped(arithmetic, operands.mask.activity, back)
    delta = arithmetic.multiply(back, slope)
    if of_u is not None:
        delta = arithmetic.gathered(delta, *_penalties(u, layer, of_u, arithmetic))
    delta = routed(operands, delta, wins)
    if of_U is not None:
        delta = arithmetic.gathered(delta, *_penalties(shown(operands, arithmetic, "U"), layer, of_U, arithmetic))
    return delta


def _penalties(u: Bounded, layer: Layer, regulariser: Regulariser, arithmetic: Arithmetic) -> tuple[Bounded, Bounded]:
    """dL/du of each regulariser.  Where u or a mean is within rounding of the edge, it may be there or 0."""
    rate = layer.rate_of(layer.surrogate)
    share = arithmetic.derived(np.asarray(1 / max(u.value[0].size, 1)))
    edge = arithmetic.derived(np.asarray(0.01))
    above = arithmetic.multiply(arithmetic.derived(np.asarray(regulariser.lambda1)), share)
    active = _where(u.value + 0.01 > 0, ~beyond(u.value, -0.01, u.err + edge.err + FLOAT64_UNIT), above)
    below = arithmetic.multiply(arithmetic.derived(np.asarray(-regulariser.lambda2)), share)
    if regulariser.activity == "rate":
        below = arithmetic.multiply(below, arithmetic.slope(rate, u))
    level = activity(u, layer, regulariser, arithmetic)
    goal = arithmetic.derived(np.asarray(0.1))
    silent = _where(level.value < 0.1, ~beyond(level.value, 0.1, level.err + goal.err + FLOAT64_UNIT), below)
    return active, silent


def activity(u: Bounded, layer: Layer, regulariser: Regulariser, arithmetic: Arithmetic) -> Bounded:
    """The mean activity of every step: over neurons and samples, or over the neurons of each sample."""
    is_rate = regulariser.activity == "rate"
    x = arithmetic.sigma(layer.rate_of(layer.surrogate), u) if is_rate else u
    return mean(arithmetic, x, (1, 2) if is_rate else (2,))


def mean(arithmetic: Arithmetic, x: Bounded, axes: tuple[int, ...]) -> Bounded:
    """The mean over some axes, which stay as axes of length 1."""
    value, size, err = (a.sum(axis=axes, keepdims=True) for a in (x.value, np.abs(x.value) + x.err, x.err))
    terms = int(np.prod([x.value.shape[axis] for axis in axes]))
    whole = arithmetic.total(value, size, err, terms, products=False)
    return arithmetic.multiply(whole, arithmetic.derived(np.asarray(1 / max(terms, 1))))


def _where(condition: Array, undecided: Array, x: Bounded) -> Bounded:
    """x where the condition holds, else 0; where that is undecided, the bound covers both."""
    value = np.where(condition, x.value, 0)
    return Bounded(value, np.where(condition, x.err, 0) + np.where(undecided, np.abs(x.value) + x.err, 0))


@recorded
def dW(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """dL/dW_ij = delta_i P_j, summed over the batch (and over the places of a convolution).  [K20 Eq. 3]"""
    return _gradient(operands, arithmetic, 0)


@recorded
def db(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """dL/db_i = delta_i, summed over the batch (and over the places of a convolution).  [K20 Eq. 3]"""
    return _gradient(operands, arithmetic, 1)


def _gradient(operands: Operands, arithmetic: Arithmetic, part: int) -> Bounded:
    delta, P = (shown(operands, arithmetic, name) for name in ("delta", "P"))
    value, size, err, terms = gradient(operands, delta, P, part, arithmetic.profile.convolution == "fft")
    return arithmetic.total(value, size, err, terms, products=part == 0)


@recorded
def W(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """W after the update of the step before; at the first step exactly the W of the case."""
    return _updated(operands, arithmetic, "W")


@recorded
def b(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """b after the update of the step before; at the first step exactly the b of the case."""
    return _updated(operands, arithmetic, "b")


def _updated(operands: Operands, arithmetic: Arithmetic, name: str) -> Bounded:
    before, gradient = (shown(operands, arithmetic, x) for x in (name, f"d{name}"))
    change = _changes(operands, arithmetic, name, gradient)
    after = arithmetic.subtract(before, change)
    idle = ~operands.learns.reshape(-1, *(1,) * (gradient.value.ndim - 1))
    value, err = np.where(idle, before.value, after.value), np.where(idle, 0, after.err)
    first = operands.case[name][None]
    rows = slice(None) if f"{name}_final" in operands.trace else slice(-1)
    return Bounded(np.concatenate([first, value[rows]]), np.concatenate([np.zeros_like(first), err[rows]]))


def _changes(operands: Operands, arithmetic: Arithmetic, name: str, gradient: Bounded) -> Bounded:
    """lr g, or Adamax's (lr / (1 - beta1^t)) m / u, where m and u follow from the gradients that were written down."""
    rate = rates(operands, arithmetic, name)
    if not isinstance(operands.optimiser, Adamax):
        return arithmetic.multiply(rate, gradient)
    changes, memory = [], moments(operands, arithmetic, name, gradient)
    for (t, m, u), learns, *now in zip(memory, operands.learns, *rate, strict=True):
        if learns:
            scaled = arithmetic.multiply(Bounded(*now), correction(operands.optimiser.beta1, t, arithmetic))
            change = arithmetic.multiply(scaled, arithmetic.divide(m, u))
            orders = arithmetic.tiny * (np.abs(m.value) + 1 / (u.value - u.err))  # lr / u or lr m first may underflow
            changes.append(Bounded(change.value, change.err + orders))
        else:
            changes.append(exact(np.zeros_like(m.value)))
    return Bounded(*(np.stack(x) for x in zip(*changes, strict=True)))


def moments(
    operands: Operands, arithmetic: Arithmetic, name: str, gradient: Bounded
) -> Iterator[tuple[int, Bounded, Bounded]]:
    """Adamax's t, m and u after every step, from the gradients that were written down."""
    optimiser = operands.optimiser
    assert isinstance(optimiser, Adamax)
    m, u = (exact(operands.case.get(f"{x}_{name}", np.zeros(gradient.value.shape[1:]))) for x in "mu")
    beta1, beta2, eps = (arithmetic.derived(np.asarray(x)) for x in (optimiser.beta1, optimiser.beta2, optimiser.eps))
    t = operands.updates
    for value, err, learns in zip(*gradient, operands.learns, strict=True):
        if learns:
            t, m = t + 1, running_mean(arithmetic, m, Bounded(value, err), beta1)
            u = arithmetic.maximum(arithmetic.multiply(beta2, u), arithmetic.add(Bounded(np.abs(value), err), eps))
        yield t, m, u


def rates(operands: Operands, arithmetic: Arithmetic, name: str) -> Bounded:
    """The learning rates of W or b at every step, with the factors of the schedule: (T, ...)."""
    rate, shape = operands.case[f"rate_{name}"], operands.case[name].shape
    rate = np.broadcast_to(rate, (len(operands.learns), *shape))
    if operands.schedule is None:
        return exact(rate)
    factors = operands.schedule.reshape(-1, *(1,) * len(shape))
    return arithmetic.multiply(exact(factors), exact(rate))


def correction(beta1: float, t: float, arithmetic: Arithmetic) -> Bounded:
    """1 / (1 - beta1^t), which is 1 for beta1 = 0: beta1 is rounded, and its power takes at most t - 1 products."""
    one = exact(np.ones(()))
    if beta1 == 0:
        return one
    power = arithmetic.derived(np.asarray(beta1**t), int(np.ceil(2 * t)))
    return arithmetic.divide(one, arithmetic.subtract(one, power))


def running_mean(arithmetic: Arithmetic, m: Bounded, g: Bounded, beta1: Bounded) -> Bounded:
    """beta1 m + (1 - beta1) g, which is g for beta1 = 0."""
    if beta1.value == 0:
        return g
    rest = arithmetic.subtract(exact(np.ones(())), beta1)
    return arithmetic.add(arithmetic.multiply(beta1, m), arithmetic.multiply(rest, g))


BACKWARD: dict[str, Equation] = {"e": e, "delta": delta, "dW": dW, "db": db}
UPDATE: dict[str, Equation] = {"W": W, "b": b}
