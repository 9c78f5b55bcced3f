"""The equations of a layer, learning: the error, where it goes, the gradients and the updates.

As in `equations`, each on the numbers that an implementation wrote down, with its bound.
"""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.objective import Objective, Regulariser, cross_entropy, smooth_l1
from decolle_ref.decolle.optim import Adamax
from decolle_ref.oracle.check.equations import FORWARD, Equation, Operands
from decolle_ref.oracle.check.error_bounds import OURS, Approx, Arithmetic, exact


def e(o: Operands, arithmetic: Arithmetic) -> Approx:
    """e = dL/dY, with the reduction.  [K20 Sec. 3.2]"""
    return error(o.layer.objective, exact(o.shown["Y"]), o.case["target"], arithmetic)


def error(objective: Objective, Y: Approx, target: Array, arithmetic: Arithmetic) -> Approx:
    """e = dL/dY of readouts (..., batch, n_out) that are themselves known to within an error."""
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


def _softmax_slope(Y: Approx, target: Array, arithmetic: Arithmetic) -> Approx:
    """softmax(Y) (sum of the target) - target: exp of differences of Y, whose errors it turns into factors."""
    shifted = Y.value - Y.value.max(axis=-1, keepdims=True)
    room = np.minimum(2 * Y.err.max(axis=-1, keepdims=True), 700)  # Y off by err: a factor within exp(+-2 err)
    p = np.exp(shifted)
    p = p / p.sum(axis=-1, keepdims=True)
    most = np.minimum(p * np.exp(room), 1)
    K, ulps = p.shape[-1], arithmetic.profile.sigma_ulps  # of exp and log too
    spread = 2 * (np.abs(shifted) + room) + 2 * np.log(K) + K + 4 + 2 * ulps * (1 + max(1.0, np.log(K)))
    rounding = most * spread * (arithmetic.unit + arithmetic.step) + arithmetic.tiny + arithmetic.step
    if arithmetic.profile.fixed:
        # exp of each is off by so many quanta however small it is; so is their sum K times, and its logarithm
        rounding = rounding + ulps * arithmetic.profile.quantum * (1 + most * (K + np.log(K) + 1))
    err = np.minimum(p * np.expm1(room), 1) + rounding
    whole = target.sum(axis=-1, keepdims=True)
    weight = arithmetic.total(whole, np.abs(target).sum(axis=-1, keepdims=True), 0 * whole, K, products=False)
    return arithmetic.subtract(arithmetic.multiply(Approx(p, err), weight), exact(target))


def delta(o: Operands, arithmetic: Arithmetic) -> Approx:
    """delta_i = (sum_k G_ki e_k) sigma'(U_i), plus the regularisers', to the winners of a pool.  [K20 Eq. 3, 4]"""
    return backward(o, arithmetic, arithmetic.function(o.layer.surrogate.derivative, exact(o.u), 0.0))


def backward(o: Operands, arithmetic: Arithmetic, slope: Approx) -> Approx:
    """delta with any slope for sigma'(U)."""
    G, e, layer = o.case["G"], o.shown["e"], o.layer
    back = arithmetic.total(e @ G, np.abs(e) @ np.abs(G), np.zeros_like(e @ G), len(G))
    found = arithmetic.multiply(back, slope)
    if layer.objective.regulariser is not None:
        found = arithmetic.gathered(found, *_penalties(o, layer.objective.regulariser, arithmetic))
    if layer.pool is None:
        return found
    return Approx(*(layer.pool.route(x, o.winners) for x in found))


def _penalties(o: Operands, regulariser: Regulariser, arithmetic: Arithmetic) -> tuple[Approx, Approx]:
    """dL/dU of each regulariser; where U or a mean is within rounding of its edge, it may be there or not."""
    u, surrogate = o.u, o.layer.surrogate
    share = arithmetic.derived(np.asarray(1 / max(u[0].size, 1)))
    edge = arithmetic.derived(np.asarray(0.01))
    active = _where(
        u + 0.01 > 0,
        np.abs(u + 0.01) <= edge.err + OURS,
        arithmetic.multiply(arithmetic.derived(np.asarray(regulariser.lambda1)), share),
    )
    below = arithmetic.multiply(arithmetic.derived(np.asarray(-regulariser.lambda2)), share)
    if regulariser.activity == "rate":
        below = arithmetic.multiply(below, arithmetic.function(surrogate.derivative, exact(u), 0.0))
    mean = _activity(u, o.layer, regulariser, arithmetic)
    goal = arithmetic.derived(np.asarray(0.1))
    silent = _where(mean.value < 0.1, np.abs(mean.value - 0.1) <= mean.err + goal.err + OURS, below)
    return active, silent


def _activity(u: Array, layer: Layer, regulariser: Regulariser, arithmetic: Arithmetic) -> Approx:
    """The mean activity of every step: of all neurons and samples, or of all neurons for each sample."""
    rate = regulariser.activity == "rate"
    x = arithmetic.function(layer.surrogate.primitive, exact(u), 1.0) if rate else exact(u)
    axes = (1, 2) if rate else (2,)
    value, size, err = (a.sum(axis=axes, keepdims=True) for a in (x.value, np.abs(x.value) + x.err, x.err))
    terms = int(np.prod([u.shape[axis] for axis in axes]))
    whole = arithmetic.total(value, size, err, terms, products=False)
    return arithmetic.multiply(whole, arithmetic.derived(np.asarray(1 / max(terms, 1))))


def _where(condition: Array, undecided: Array, x: Approx) -> Approx:
    """x where the condition holds, else 0; where it is undecided, either."""
    value = np.where(condition, x.value, 0)
    return Approx(value, np.where(condition, x.err, 0) + np.where(undecided, np.abs(x.value) + x.err, 0))


def dW(o: Operands, arithmetic: Arithmetic) -> Approx:
    """dL/dW_ij = delta_i P_j, summed over the batch (and over the places of a convolution).  [K20 Eq. 3]"""
    return _gradient(o, arithmetic, 0)


def db(o: Operands, arithmetic: Arithmetic) -> Approx:
    """dL/db_i = delta_i, summed over the batch (and over the places of a convolution).  [K20 Eq. 3]"""
    return _gradient(o, arithmetic, 1)


def _gradient(o: Operands, arithmetic: Arithmetic, which: int) -> Approx:
    gradient, delta, P = o.layer.synapse.gradient, o.shown["delta"], o.shown["P"]
    value = np.stack([gradient(d, p)[which] for d, p in zip(delta, P, strict=True)])
    size = np.stack([gradient(np.abs(d), np.abs(p))[which] for d, p in zip(delta, P, strict=True)])
    terms = delta[0].size // len(o.case["b"])
    return arithmetic.total(value, size, np.zeros_like(value), terms, products=which == 0)


def W(o: Operands, arithmetic: Arithmetic) -> Approx:
    """W after the optimiser's update of the step before; at the first step that of the case, exactly."""
    return _updated(o, arithmetic, "W")


def b(o: Operands, arithmetic: Arithmetic) -> Approx:
    """b after the optimiser's update of the step before; at the first step that of the case, exactly."""
    return _updated(o, arithmetic, "b")


def _updated(o: Operands, arithmetic: Arithmetic, name: str) -> Approx:
    before, gradient = exact(o.shown[name]), o.shown[f"d{name}"]
    change = _changes(o, arithmetic, name, gradient)
    after = arithmetic.subtract(before, change)
    idle = ~o.learns.reshape(-1, *(1,) * (gradient.ndim - 1))
    value, err = np.where(idle, before.value, after.value), np.where(idle, 0, after.err)
    first = o.case[name][None]
    last_shown = o.shown.get(f"{name}_final")
    rows = slice(None) if last_shown is not None else slice(-1)
    return Approx(np.concatenate([first, value[rows]]), np.concatenate([np.zeros_like(first), err[rows]]))


def _changes(o: Operands, arithmetic: Arithmetic, name: str, gradient: Array) -> Approx:
    """lr g, or Adamax's (lr / (1 - beta1^t)) m / u, with m and u run from the gradients that were written down."""
    rate = exact(np.broadcast_to(o.case[f"rate_{name}"], gradient.shape[1:]))
    if not isinstance(o.optimiser, Adamax):
        return arithmetic.multiply(rate, exact(gradient))
    m, u = (exact(o.case.get(f"{x}_{name}", np.zeros(gradient.shape[1:]))) for x in "mu")
    beta1, beta2 = (arithmetic.derived(np.asarray(x)) for x in (o.optimiser.beta1, o.optimiser.beta2))
    eps, t, found = arithmetic.derived(np.asarray(o.optimiser.eps)), o.updates, []
    for g, learns in zip(gradient, o.learns, strict=True):
        if learns:
            t += 1
            m = running_mean(arithmetic, m, exact(g), beta1)
            u = arithmetic.maximum(arithmetic.multiply(beta2, u), arithmetic.add(exact(np.abs(g)), eps))
            scaled = arithmetic.multiply(rate, correction(o.optimiser.beta1, t, arithmetic))
            found.append(arithmetic.multiply(scaled, arithmetic.divide(m, u)))
        else:
            found.append(exact(np.zeros_like(g)))
    return Approx(*(np.stack(x) for x in zip(*found, strict=True)))


def correction(beta1: float, t: int, arithmetic: Arithmetic) -> Approx:
    """1 / (1 - beta1^t), which is 1 for beta1 = 0: beta1 rounded, and its power taken by t - 1 products or fewer."""
    one = exact(np.ones(()))
    if beta1 == 0:
        return one
    power = arithmetic.derived(np.asarray(beta1**t), 2 * t)
    return arithmetic.divide(one, arithmetic.subtract(one, power))


def running_mean(arithmetic: Arithmetic, m: Approx, g: Approx, beta1: Approx) -> Approx:
    """beta1 m + (1 - beta1) g, which is g for beta1 = 0."""
    if beta1.value == 0:
        return g
    rest = arithmetic.subtract(exact(np.ones(())), beta1)
    return arithmetic.add(arithmetic.multiply(beta1, m), arithmetic.multiply(rest, g))


BACKWARD: dict[str, Equation] = {"e": e, "delta": delta, "dW": dW, "db": db}
UPDATE: dict[str, Equation] = {"W": W, "b": b}
ORDER = ("W", "b", *FORWARD, *BACKWARD)  # within a step, from what is needed first


def required(about: dict[str, Any]) -> list[str]:
    """What an implementation must show of every layer for all equations of a case."""
    names = list(FORWARD)
    if about["targets"]:
        names += BACKWARD
    return names + list(UPDATE) if about["learn"] else names
