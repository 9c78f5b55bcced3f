"""One step of learning on numbers with a bound: from U to the gradient, and from it to the new weights."""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.layer import Layer, regularisers
from decolle_ref.decolle.objective import Regulariser
from decolle_ref.decolle.optim import Adamax
from decolle_ref.oracle.check.equations import dropped
from decolle_ref.oracle.check.error_bounds import Bounded, chosen, exact, hull
from decolle_ref.oracle.check.learning import correction, error, running_mean
from decolle_ref.oracle.check.pooling import routed
from decolle_ref.oracle.profile import FLOATS
from decolle_ref.oracle.spikes_only.intervals import Intervals, is_exactly, rising
from decolle_ref.oracle.trace import Operands

Two = tuple[Bounded, Bounded]  # for W and for b, or Adamax's m and u
Moments = dict[str, Two]  # "W" and "b" -> (m, u)


class Reached(NamedTuple):
    """What the learning of one step reads: U, the transmitted u, which neurons may win their windows, and P."""

    U: Bounded
    u: Bounded
    wins: Array | None
    P: Bounded


def gradients(operands: Operands, arithmetic: Intervals, n: int, read: Reached) -> Two:
    """dL/dW_ij = delta_i P_j and dL/db_i = delta_i, summed over the batch.  [K20 Eq. 3]"""
    (U, u, wins, P), (_, of_U) = read, regularisers(operands.layer)
    delta = error_signal(operands, arithmetic, n, u)
    delta = routed(operands, delta, wins)
    if of_U is not None:
        delta = arithmetic.gathered(delta, *penalties(operands.layer, of_U, arithmetic, U))
    gradient, terms = operands.layer.synapse.gradient, delta.value.size // len(operands.case["b"])
    zero, one = np.zeros_like(P.value), exact(np.ones(()))
    dW = arithmetic.product(lambda d, p: gradient(d, p).W, delta, P, terms)
    return dW, arithmetic.product(lambda d, x: gradient(d, zero).b * x, delta, one, terms, products=False)


def error_signal(operands: Operands, arithmetic: Intervals, n: int, u: Bounded) -> Bounded:
    """delta_i = (sum_k G_ki e_k) sigma'(u_i), plus the regularisers, for the transmitted u.  [K20 Eq. 3, 4]"""
    G, c, layer = exact(operands.case["G"]), exact(operands.case["c"]), operands.layer
    read = arithmetic.sigma(layer.surrogate, u) if layer.activity == "primitive" else exact(operands.trace["S"][n])
    before_G, after_G = (x if np.ndim(x) == 0 else np.asarray(x)[n] for x in operands.mask)
    read = dropped(arithmetic, before_G, read)
    Y = dropped(arithmetic, after_G, arithmetic.product(lambda G, a: a @ G.T, G, read, G.value.shape[1], c))
    e = dropped(arithmetic, after_G, error(layer.objective, Y, operands.case["target"][n], arithmetic))
    back = dropped(arithmetic, before_G, arithmetic.product(lambda G, e: e @ G, G, e, len(G.value)))
    delta = arithmetic.multiply(back, arithmetic.slope(layer.surrogate, u))
    of_u, _ = regularisers(layer)
    if of_u is not None:
        delta = arithmetic.gathered(delta, *penalties(layer, of_u, arithmetic, u))
    return delta


def penalties(layer: Layer, regulariser: Regulariser, arithmetic: Intervals, u: Bounded) -> Two:
    """lambda1 1[u > -0.01] / N and - lambda2 1[<activity> < 0.1] activity'(u) / N.  [K20 Eq. 4]"""
    rate, multiply = layer.rate_of(layer.surrogate), arithmetic.multiply
    numbers = regulariser.lambda1, -regulariser.lambda2, 1 / u.value.size, 0.01, 0.1
    lambda1, lambda2, share, edge, goal = (arithmetic.derived(np.asarray(x)) for x in numbers)
    active = rising(_above, arithmetic.add(u, edge))
    level, slope = u, exact(np.ones(()))
    if regulariser.activity == "rate":
        level, slope = arithmetic.sigma(rate, u), arithmetic.slope(rate, u)
        level = Bounded(level.value.reshape(1, -1), level.err.reshape(1, -1))
    silent = rising(_above, arithmetic.subtract(goal, _mean(arithmetic, level)))
    return multiply(multiply(lambda1, share), active), multiply(multiply(multiply(lambda2, share), slope), silent)


def _above(x: Array) -> Array:
    """1 where x > 0."""
    return np.asarray(x > 0, float)


def _mean(arithmetic: Intervals, x: Bounded) -> Bounded:
    """The mean over the last axis, which stays as an axis of length 1."""
    terms = x.value.shape[-1]
    column = exact(np.ones((terms, 1)))
    whole = arithmetic.product(lambda column, a: a @ column, column, x, terms, products=False)
    return arithmetic.multiply(whole, arithmetic.derived(np.asarray(1 / terms)))


def start_moments(operands: Operands) -> Moments:
    """Adamax's m and u at the start of the case; 0 by default."""

    def start(name: str) -> Bounded:
        return exact(operands.case.get(name, np.zeros_like(operands.case[name[-1]])))

    return {x: (start(f"m_{x}"), start(f"u_{x}")) for x in "Wb"}


def changes(operands: Operands, arithmetic: Intervals, g: Two, moments: Moments, t: int, n: int) -> tuple[Two, Moments]:
    """The t-th update subtracts lr g, or (lr / (1 - beta1^t)) m / u, from W and b; returns it and the new m and u."""
    after, (ratio_W, ratio_b), rates = moments, g, [exact(operands.case[f"rate_{x}"]) for x in "Wb"]
    if operands.schedule is not None:
        rates = [arithmetic.multiply(exact(operands.schedule[n]), rate) for rate in rates]
    if isinstance(operands.optimiser, Adamax):
        corrected = correction(operands.optimiser.beta1, t, arithmetic)
        rates = [arithmetic.multiply(rate, corrected) for rate in rates]
        ratio_W, moments_W = adamax(operands.optimiser, arithmetic, g[0], *moments["W"])
        ratio_b, moments_b = adamax(operands.optimiser, arithmetic, g[1], *moments["b"])
        after = {"W": moments_W, "b": moments_b}
    return (arithmetic.multiply(rates[0], ratio_W), arithmetic.multiply(rates[1], ratio_b)), after


def adamax(optimiser: Adamax, arithmetic: Intervals, g: Bounded, m: Bounded, u: Bounded) -> tuple[Bounded, Two]:
    """m / u with m <- beta1 m + (1 - beta1) g and u <- max(beta2 u, |g| + eps), and the new (m, u)."""
    beta1, beta2, eps = (arithmetic.derived(np.asarray(x)) for x in (optimiser.beta1, optimiser.beta2, optimiser.eps))
    m, old = running_mean(arithmetic, m, g, beta1), arithmetic.multiply(beta2, u)
    u = arithmetic.maximum(old, arithmetic.add(Bounded(np.abs(g.value), g.err), eps))
    floor = arithmetic.profile.quantum if arithmetic.profile.fixed else FLOATS[arithmetic.profile.format].smallest
    if optimiser.beta1 == 0:
        ratio = _normalised(g, old, eps, floor)
    else:
        room = np.maximum(u.value - u.err, max(float(eps.value - eps.err), floor))  # the least that u can be
        value = m.value / np.maximum(u.value, room)
        ratio = Bounded(value, (m.err + np.abs(value) * (u.err + np.maximum(room - u.value, 0))) / room)
    for _ in range(2):  # of the sum |g| + eps, and of the division
        ratio = arithmetic.rounded(*ratio)
    return chosen(is_exactly(m, 0), exact(np.zeros(())), ratio), (m, u)


def _normalised(g: Bounded, old: Bounded, eps: Bounded, floor: float) -> Bounded:
    """g / max(old, |g| + eps), which grows with g, and comes nearer to 0 the larger old and eps are."""

    def end(g: Array, sign: int) -> Array:
        sides = np.where(sign * g > 0, -1, 1)  # beyond 0, the smallest divisor gives the end of the interval
        divisor, extra = np.maximum(old.value + sides * old.err, floor), np.maximum(eps.value + sides * eps.err, 0)
        return np.asarray(g / np.maximum(divisor, np.abs(g) + extra))

    return hull(end(g.value - g.err, -1), end(g.value + g.err, 1))
