"""Every equation of a layer, evaluated on the numbers that an implementation wrote down.

Each function takes what is known of one layer and the arithmetic, and returns the quantity at all steps, with its
bound: (T, ...).  Operands are the implementation's own, exact in float64, so nothing accumulates from step to step.
S must be exact, and is the one equation without a bound.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from decolle_ref.check import Array
from decolle_ref.dialects import AXES, Dialect
from decolle_ref.network import Layer
from decolle_ref.objective import cross_entropy, smooth_l1
from decolle_ref.optim import Adamax, Optimiser
from decolle_ref.oracle.running import Approx, Arithmetic, exact
from decolle_ref.synapse import Weights


@dataclass(frozen=True)
class Operands:
    """One layer of a case, and what an implementation says happened in it; arrays in float64, time first."""

    layer: Layer
    dialect: Dialect
    case: dict[str, Array]  # this layer's arrays: W, b, G, c, alpha, beta, gamma, w, P0, target, rate_W, ...
    shown: dict[str, Array]  # what was written down: Q, P, R, U, S, Y, e, delta, dW, db, W, b
    spikes_in: Array  # (T, B, n_in)
    optimiser: Optimiser | None
    updates: int  # made before the first step
    learns: Array  # (T,), whether each step updates the weights

    @property
    def u(self) -> Array:
        """The potentials that are transmitted and read."""
        pool = self.layer.pool
        return self.shown["U"] if pool is None else pool.pick(self.shown["U"], self.winners)

    @property
    def winners(self) -> Array:
        """Of every pooling window."""
        assert self.layer.pool is not None
        return self.layer.pool.winners(self.layer.rank(self.shown["U"]))

    def before(self, name: str) -> Array:
        """`name` one step earlier, from the state that the case starts from."""
        start = self.case.get(f"{name}0")
        first = np.zeros_like(self.shown[name][:1]) if start is None else start[None]
        return np.concatenate([first, self.shown[name][:-1]])

    def weights(self, arithmetic: Arithmetic) -> tuple[Array, Array]:
        """W and b as each step read them, (T, ...)."""
        steps = len(self.spikes_in)
        W, b = (self.shown.get(x, np.broadcast_to(self.case[x], (steps, *self.case[x].shape))) for x in "Wb")
        return W, b


Equation = Callable[[Operands, Arithmetic], Approx]


def _gain(o: Operands, arithmetic: Arithmetic, decay: str) -> Approx:
    """g from alpha or beta, as the implementation derives it."""
    value = AXES["gains"][o.dialect.gains].value(o.case[decay])
    if o.dialect.gains == "one":
        return exact(value)
    leak = arithmetic.subtract(exact(np.ones_like(value)), exact(o.case[decay]))
    return leak if o.dialect.gains == "leak" else arithmetic.divide(exact(np.ones_like(value)), leak)


def _filtered(o: Operands, arithmetic: Arithmetic, decay: str, gain: Approx, before: Array, x: Array) -> Approx:
    """decay before + g x."""
    kept = arithmetic.multiply(exact(o.case[decay]), exact(before))
    return arithmetic.add(kept, arithmetic.multiply(gain, exact(x)))


def _start(o: Operands, name: str, found: Approx) -> Approx:
    """Where U reads the old state, what it reads at the first step is what the case starts from, exactly."""
    if o.layer.neuron.U_reads:
        return found
    first = exact(o.before(name)[:1])
    return Approx(*(np.concatenate([a, b[1:]]) for a, b in zip(first, found, strict=True)))


def Q(o: Operands, arithmetic: Arithmetic) -> Approx:
    """Q[n+1] = beta Q[n] + g_Q S^in[n].  [K20 Eq. 1]"""
    x = o.spikes_in if o.layer.neuron.U_reads else _shifted(o.spikes_in)
    return _start(o, "Q", _filtered(o, arithmetic, "beta", _gain(o, arithmetic, "beta"), o.before("Q"), x))


def P(o: Operands, arithmetic: Arithmetic) -> Approx:
    """P[n+1] = alpha P[n] + g_P Q[n], or g_P Q[n+1].  [K20 Eq. 1]"""
    read = o.shown["Q"] if o.layer.neuron.P_reads else o.before("Q")
    return _start(o, "P", _filtered(o, arithmetic, "alpha", _gain(o, arithmetic, "alpha"), o.before("P"), read))


def R(o: Operands, arithmetic: Arithmetic) -> Approx:
    """R[n+1] = gamma R[n] + S[n], with the neurons' own spikes S = Theta(U).  [K20 Eq. 1]"""
    kept = arithmetic.multiply(exact(o.case["gamma"]), exact(o.before("R")))
    found = arithmetic.add(kept, exact(_shifted(o.layer.surrogate.spike(o.shown["U"]))))
    first = exact(o.before("R")[:1])
    return Approx(*(np.concatenate([a, b[1:]]) for a, b in zip(first, found, strict=True)))


def _shifted(x: Array) -> Array:
    """x one step earlier; what came before the first step is not asked for."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def _delta(o: Operands, arithmetic: Arithmetic) -> Approx:
    """The strength of the refractory term, as the implementation derives it from w."""
    if o.dialect.refractory == "w":
        return exact(o.case["w"])
    gamma = exact(o.case["gamma"])
    if o.dialect.refractory == "leak_w":
        gamma = arithmetic.subtract(exact(np.ones_like(gamma.value)), gamma)
    return arithmetic.multiply(gamma, exact(o.case["w"]))


def U(o: Operands, arithmetic: Arithmetic) -> Approx:
    """U = W P + b - delta R.  [K20 Eq. 1]  The three are one sum, in whatever order it is taken."""
    W, b = o.weights(arithmetic)
    back = arithmetic.multiply(_delta(o, arithmetic), exact(o.shown["R"]))
    drive = o.layer.synapse.drive

    def each(W: Array, P: Array, b: Array) -> Array:
        return np.stack([drive(Weights(*w), p) for *w, p in zip(W, b, P, strict=True)])

    value = each(W, o.shown["P"], b)
    size = each(np.abs(W), np.abs(o.shown["P"]), np.abs(b))
    terms = int(np.prod(W.shape[2:])) + 2
    return arithmetic.total(value - back.value, size + np.abs(back.value) + back.err, back.err, terms)


def S(o: Operands, arithmetic: Arithmetic) -> Approx:
    """S = Theta(U), exactly, of the implementation's own U.  [K20 Eq. 1]"""
    return exact(o.layer.surrogate.spike(o.u))


def Y(o: Operands, arithmetic: Arithmetic) -> Approx:
    """Y = G sigma(U) + c, or G S + c.  [K20 Sec. 3.2]"""
    G, c = o.case["G"], o.case["c"]
    read = exact(o.shown["S"])
    if o.layer.activity == "primitive":
        read = arithmetic.function(o.layer.surrogate.primitive, exact(o.u), 1.0)
    value, size = read.value @ G.T + c, np.abs(read.value) @ np.abs(G).T + np.abs(c)
    err = read.err @ np.abs(G).T
    return arithmetic.total(value, size + err, err, G.shape[1] + 1)


def e(o: Operands, arithmetic: Arithmetic) -> Approx:
    """e = dL/dY, with the reduction.  [K20 Sec. 3.2]"""
    Y, target, objective = o.shown["Y"], o.case["target"], o.layer.objective
    if objective.loss is cross_entropy:
        slope = _softmax_slope(Y, target, arithmetic)
    else:
        slope = arithmetic.subtract(exact(Y), exact(target))
        if objective.loss is smooth_l1:
            slope = arithmetic.clip(slope, -1.0, 1.0)
    if objective.reduction == "sum":
        return slope
    terms = Y[0].size // (Y.shape[-1] if objective.loss is cross_entropy else 1)
    share = arithmetic.derived(np.asarray(1 / terms))
    return arithmetic.multiply(slope, share)


def _softmax_slope(Y: Array, target: Array, arithmetic: Arithmetic) -> Approx:
    """softmax(Y) (sum of the target) - target: exp of differences of Y, whose rounding it turns into factors."""
    shifted = Y - Y.max(axis=-1, keepdims=True)
    p = np.exp(shifted)
    p = p / p.sum(axis=-1, keepdims=True)
    whole = target.sum(axis=-1, keepdims=True)
    spread = 2 * np.abs(shifted) + 2 * np.log(Y.shape[-1]) + Y.shape[-1] + 4 + 4 * arithmetic.profile.sigma_ulps
    softmax = Approx(p, p * spread * (arithmetic.unit + arithmetic.step) + arithmetic.tiny + arithmetic.step)
    return arithmetic.subtract(arithmetic.multiply(softmax, exact(whole)), exact(target))


def delta(o: Operands, arithmetic: Arithmetic) -> Approx:
    """delta_i = (sum_k G_ki e_k) sigma'(U_i), plus the regularisers', to the winners of a pool.  [K20 Eq. 3, 4]"""
    G, e, layer = o.case["G"], o.shown["e"], o.layer
    back = arithmetic.total(e @ G, np.abs(e) @ np.abs(G), np.zeros_like(e @ G), len(G))
    slope = arithmetic.function(layer.surrogate.derivative, exact(o.u), 0.0)
    found = arithmetic.multiply(back, slope)
    if layer.objective.regulariser is not None:
        found = arithmetic.add(found, _penalty(o, arithmetic))
    if layer.pool is None:
        return found
    return Approx(*(layer.pool.route(x, o.winners) for x in found))


def _penalty(o: Operands, arithmetic: Arithmetic) -> Approx:
    """The regularisers' dL/dU at every step; a mean activity within rounding of 0.1 may fall on either side."""
    regulariser, surrogate = o.layer.objective.regulariser, o.layer.surrogate
    assert regulariser is not None
    value = np.stack([regulariser.derivative(u, surrogate) for u in o.u])
    size = (regulariser.lambda1 + regulariser.lambda2) / max(o.u[0].size, 1)
    err = arithmetic.derived(np.full_like(value, size), 4).err
    for n, u in enumerate(o.u):
        mean = surrogate.primitive(u).mean() if regulariser.activity == "rate" else u.mean(axis=-1)
        room = (
            (u.size + 4 + arithmetic.profile.sigma_ulps) * (arithmetic.unit + arithmetic.step) * (1 + np.abs(u).max())
        )
        err[n] += (np.abs(mean - 0.1) <= room).any() * regulariser.lambda2 / u.size
    return Approx(value, err)


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
    return arithmetic.total(value, size, np.zeros_like(value), terms)


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
            m = _mean(arithmetic, m, exact(g), beta1)
            u = arithmetic.maximum(arithmetic.multiply(beta2, u), arithmetic.add(exact(np.abs(g)), eps))
            scaled = arithmetic.multiply(rate, arithmetic.derived(np.asarray(1 / (1 - o.optimiser.beta1**t)), 3))
            found.append(arithmetic.multiply(scaled, arithmetic.divide(m, u)))
        else:
            found.append(exact(np.zeros_like(g)))
    return Approx(*(np.stack(x) for x in zip(*found, strict=True)))


def _mean(arithmetic: Arithmetic, m: Approx, g: Approx, beta1: Approx) -> Approx:
    """beta1 m + (1 - beta1) g, which is g for beta1 = 0."""
    if beta1.value == 0:
        return g
    rest = arithmetic.subtract(exact(np.ones(())), beta1)
    return arithmetic.add(arithmetic.multiply(beta1, m), arithmetic.multiply(rest, g))


FORWARD: dict[str, Equation] = {"Q": Q, "P": P, "R": R, "U": U, "S": S, "Y": Y}
BACKWARD: dict[str, Equation] = {"e": e, "delta": delta, "dW": dW, "db": db}
UPDATE: dict[str, Equation] = {"W": W, "b": b}
ORDER = ("W", "b", *FORWARD, *BACKWARD)  # within a step, from what is needed first


def required(about: dict[str, Any]) -> list[str]:
    """What an implementation must show of every layer for all equations of a case."""
    names = list(FORWARD)
    if about["targets"]:
        names += BACKWARD
    return names + list(UPDATE) if about["learn"] else names
