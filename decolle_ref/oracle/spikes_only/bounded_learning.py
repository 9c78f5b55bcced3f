"""The learning of one step on numbers with errors: from U to the gradient, and from the gradient to the new weights."""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.optim import Adamax
from decolle_ref.oracle.check.equations import Operands
from decolle_ref.oracle.check.error_bounds import Approx, exact
from decolle_ref.oracle.check.learning import correction, error, running_mean
from decolle_ref.oracle.profile import FLOATS
from decolle_ref.oracle.spikes_only.intervals import Carrying, chosen, hull, is_exactly, rising

Two = tuple[Approx, Approx]  # of W and b, or Adamax's m and u
Memory = dict[str, Two]  # m and u of "W" and "b"


def gradients(o: Operands, arithmetic: Carrying, n: int, u: Approx, wins: Array | None, P: Approx) -> Two:
    """dL/dW_ij = delta_i P_j and dL/db_i = delta_i, summed over the batch.  [K20 Eq. 3]"""
    delta = error_signal(o, arithmetic, n, u)
    if wins is not None:
        delta = _routed(o, delta, wins)
    gradient, terms = o.layer.synapse.gradient, delta.value.size // len(o.case["b"])
    none, one = np.zeros_like(P.value), exact(np.ones(()))
    dW = arithmetic.product(lambda d, p: gradient(d, p).W, delta, P, terms)
    return dW, arithmetic.product(lambda d, x: gradient(d, none).b * x, delta, one, terms, products=False)


def error_signal(o: Operands, arithmetic: Carrying, n: int, u: Approx) -> Approx:
    """delta_i = (sum_k G_ki e_k) sigma'(u_i), plus the regularisers', for what is transmitted.  [K20 Eq. 3, 4]"""
    G, c, layer = exact(o.case["G"]), exact(o.case["c"]), o.layer
    read = arithmetic.sigma(layer.surrogate, u) if layer.activity == "primitive" else exact(o.shown["S"][n])
    Y = arithmetic.product(lambda G, a: a @ G.T, G, read, G.value.shape[1], c)
    e = error(layer.objective, Y, o.case["target"][n], arithmetic)
    back = arithmetic.product(lambda G, e: e @ G, G, e, len(G.value))
    delta = arithmetic.multiply(back, arithmetic.slope(layer.surrogate, u))
    return delta if layer.objective.regulariser is None else arithmetic.gathered(delta, *penalties(o, arithmetic, u))


def penalties(o: Operands, arithmetic: Carrying, u: Approx) -> Two:
    """lambda1 1[u > -0.01] / N and - lambda2 1[<activity> < 0.1] activity'(u) / N.  [K20 Eq. 4]"""
    regulariser, surrogate, multiply = o.layer.objective.regulariser, o.layer.surrogate, arithmetic.multiply
    assert regulariser is not None
    lambda1, lambda2, share, edge, goal = (
        arithmetic.derived(np.asarray(x))
        for x in (regulariser.lambda1, -regulariser.lambda2, 1 / u.value.size, 0.01, 0.1)
    )
    active = rising(_above, arithmetic.add(u, edge))
    level, slope = u, exact(np.ones(()))
    if regulariser.activity == "rate":
        level, slope = arithmetic.sigma(surrogate, u), arithmetic.slope(surrogate, u)
        level = Approx(level.value.reshape(1, -1), level.err.reshape(1, -1))
    silent = rising(_above, arithmetic.subtract(goal, _mean(arithmetic, level)))
    return multiply(multiply(lambda1, share), active), multiply(multiply(multiply(lambda2, share), slope), silent)


def _above(x: Array) -> Array:
    """1 where x > 0."""
    return np.asarray(x > 0, float)


def _mean(arithmetic: Carrying, x: Approx) -> Approx:
    """The mean over the last axis, kept."""
    terms = x.value.shape[-1]
    ones = exact(np.ones((terms, 1)))
    whole = arithmetic.product(lambda one, a: a @ one, ones, x, terms, products=False)
    return arithmetic.multiply(whole, arithmetic.derived(np.asarray(1 / terms)))


def _routed(o: Operands, delta: Approx, wins: Array) -> Approx:
    """delta at the winner of each window, 0 elsewhere; between the two where there may be another winner."""
    assert o.layer.pool is not None
    windows = o.layer.pool.windows()
    value, err = (np.zeros(wins.shape) for _ in delta)
    value[..., windows], err[..., windows] = delta.value[..., None], delta.err[..., None]
    several = np.zeros(wins.shape, bool)
    several[..., windows] = wins[..., windows].sum(axis=-1, keepdims=True) > 1
    open_ = hull(np.minimum(value - err, 0), np.maximum(value + err, 0))
    return chosen(wins, chosen(several, open_, Approx(value, err)), exact(np.zeros(())))


def remembered(o: Operands) -> Memory:
    """The optimiser's memory as the case starts; fresh by default."""

    def start(name: str) -> Approx:
        return exact(o.case.get(name, np.zeros_like(o.case[name[-1]])))

    return {x: (start(f"m_{x}"), start(f"u_{x}")) for x in "Wb"}


def change(o: Operands, arithmetic: Carrying, g: Two, memory: Memory, t: int) -> tuple[Two, Memory]:
    """What update number t takes off W and b, and the memory after it: lr g, or (lr / (1 - beta1^t)) m / u."""
    after, (ratio_W, ratio_b), rates = memory, g, [exact(o.case[f"rate_{x}"]) for x in "Wb"]
    if isinstance(o.optimiser, Adamax):
        corrected = correction(o.optimiser.beta1, t, arithmetic)
        rates = [arithmetic.multiply(rate, corrected) for rate in rates]
        ratio_W, memory_W = adamax(o.optimiser, arithmetic, g[0], *memory["W"])
        ratio_b, memory_b = adamax(o.optimiser, arithmetic, g[1], *memory["b"])
        after = {"W": memory_W, "b": memory_b}
    return (arithmetic.multiply(rates[0], ratio_W), arithmetic.multiply(rates[1], ratio_b)), after


def adamax(optimiser: Adamax, arithmetic: Carrying, g: Approx, m: Approx, u: Approx) -> tuple[Approx, Two]:
    """m / u with m <- beta1 m + (1 - beta1) g and u <- max(beta2 u, |g| + eps), and the new (m, u)."""
    beta1, beta2, eps = (arithmetic.derived(np.asarray(x)) for x in (optimiser.beta1, optimiser.beta2, optimiser.eps))
    m, old = running_mean(arithmetic, m, g, beta1), arithmetic.multiply(beta2, u)
    u = arithmetic.maximum(old, arithmetic.add(Approx(np.abs(g.value), g.err), eps))
    floor = arithmetic.profile.quantum if arithmetic.profile.fixed else FLOATS[arithmetic.profile.format].smallest
    if optimiser.beta1 == 0:
        found = _normalised(g, old, eps, floor)
    else:
        room = np.maximum(u.value - u.err, max(float(eps.value - eps.err), floor))  # what u is at least
        value = m.value / np.maximum(u.value, room)
        found = Approx(value, (m.err + np.abs(value) * (u.err + np.maximum(room - u.value, 0))) / room)
    for _ in range(2):  # a sum below and the division
        found = arithmetic.rounded(*found)
    return chosen(is_exactly(m, 0), exact(np.zeros(())), found), (m, u)


def _normalised(g: Approx, old: Approx, eps: Approx, floor: float) -> Approx:
    """g / max(old, |g| + eps): it never falls with g, and the larger old and eps are, the nearer it comes to 0."""

    def end(g: Array, sign: int) -> Array:
        sides = np.where(sign * g > 0, -1, 1)  # the end lies farthest out with the least below, if it is beyond 0
        below, more = np.maximum(old.value + sides * old.err, floor), np.maximum(eps.value + sides * eps.err, 0)
        return np.asarray(g / np.maximum(below, np.abs(g) + more))

    return hull(end(g.value - g.err, -1), end(g.value + g.err, 1))
