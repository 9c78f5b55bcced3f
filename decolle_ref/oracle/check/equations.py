"""The equations of a layer, forward, evaluated on the numbers that an implementation wrote down.

Each function takes what is known of one layer and the arithmetic, and returns the quantity at all steps, with its
bound: (T, ...).  Operands are the implementation's own, exact in float64, so nothing accumulates from step to step.
S must be exact, and is the one equation without a bound.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.dialects import AXES, Dialect
from decolle_ref.decolle.network import Layer
from decolle_ref.decolle.optim import Optimiser
from decolle_ref.decolle.synapse import Weights
from decolle_ref.oracle.check.error_bounds import Approx, Arithmetic, exact


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
        return self.layer.pool.winners(self.layer.pool_key(self.shown["U"]))

    def before(self, name: str) -> Array:
        """`name` one step earlier, from the state that the case starts from."""
        start = self.case.get(f"{name}0")
        first = np.zeros_like(self.shown[name][:1]) if start is None else start[None]
        return np.concatenate([first, self.shown[name][:-1]])

    def weights(self) -> tuple[Array, Array]:
        """W and b as each step read them, (T, ...)."""
        steps = len(self.spikes_in)
        W, b = (self.shown.get(x, np.broadcast_to(self.case[x], (steps, *self.case[x].shape))) for x in "Wb")
        return W, b


Equation = Callable[[Operands, Arithmetic], Approx]


def gain(o: Operands, arithmetic: Arithmetic, decay: str) -> Approx:
    """g from alpha or beta, as the implementation derives it."""
    value = AXES["gains"][o.dialect.gains].value(o.case[decay])
    if o.dialect.gains == "one":
        return exact(value)
    leak = arithmetic.subtract(exact(np.ones_like(value)), exact(o.case[decay]))
    return leak if o.dialect.gains == "leak" else arithmetic.divide(exact(np.ones_like(value)), leak)


def filtered(o: Operands, arithmetic: Arithmetic, decay: str, gain: Approx, before: Array, x: Array) -> Approx:
    """decay before + g x."""
    kept = arithmetic.multiply(exact(o.case[decay]), exact(before))
    return arithmetic.add(kept, arithmetic.multiply(gain, exact(x)))


def started(o: Operands, name: str, found: Approx) -> Approx:
    """Where U reads the old state, what it reads at the first step is what the case starts from, exactly."""
    return found if o.layer.neuron.U_reads else pinned(o, name, found)


def pinned(o: Operands, name: str, found: Approx) -> Approx:
    """What a state is at the first step is what the case starts from, exactly."""
    first = exact(o.before(name)[:1])
    return Approx(*(np.concatenate([a, b[1:]]) for a, b in zip(first, found, strict=True)))


def Q(o: Operands, arithmetic: Arithmetic) -> Approx:
    """Q[n+1] = beta Q[n] + g_Q S^in[n].  [K20 Eq. 1]"""
    x = o.spikes_in if o.layer.neuron.U_reads else shifted(o.spikes_in)
    return started(o, "Q", filtered(o, arithmetic, "beta", gain(o, arithmetic, "beta"), o.before("Q"), x))


def P(o: Operands, arithmetic: Arithmetic) -> Approx:
    """P[n+1] = alpha P[n] + g_P Q[n], or g_P Q[n+1].  [K20 Eq. 1]"""
    read = o.shown["Q"] if o.layer.neuron.P_reads else o.before("Q")
    return started(o, "P", filtered(o, arithmetic, "alpha", gain(o, arithmetic, "alpha"), o.before("P"), read))


def R(o: Operands, arithmetic: Arithmetic) -> Approx:
    """R[n+1] = gamma R[n] + S[n], with the neurons' own spikes S = Theta(U).  [K20 Eq. 1]"""
    kept = arithmetic.multiply(exact(o.case["gamma"]), exact(o.before("R")))
    return pinned(o, "R", arithmetic.add(kept, exact(shifted(o.layer.surrogate.spike(o.shown["U"])))))


def shifted(x: Array) -> Array:
    """x one step earlier; what came before the first step is not asked for."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def strength(o: Operands, arithmetic: Arithmetic) -> Approx:
    """The strength of the refractory term, as the implementation derives it from w."""
    if o.dialect.refractory == "w":
        return exact(o.case["w"])
    gamma = exact(o.case["gamma"])
    if o.dialect.refractory == "leak_w":
        gamma = arithmetic.subtract(exact(np.ones_like(gamma.value)), gamma)
    return arithmetic.multiply(gamma, exact(o.case["w"]))


def U(o: Operands, arithmetic: Arithmetic) -> Approx:
    """U = W P + b - delta R.  [K20 Eq. 1]  The three are one sum, in whatever order it is taken."""
    W, b = o.weights()
    back = arithmetic.multiply(strength(o, arithmetic), exact(o.shown["R"]))
    drive = o.layer.synapse.drive

    def each(W: Array, P: Array, b: Array) -> Array:
        return np.stack([drive(Weights(*w), p) for *w, p in zip(W, b, P, strict=True)])

    P, nothing = o.shown["P"], np.zeros_like(b)
    bias = each(np.zeros_like(W), P, b)  # of every neuron
    value, size = each(W, P, nothing), each(np.abs(W), np.abs(P), nothing)
    terms = int(np.prod(W.shape[2:]))
    return arithmetic.total(value, size, np.zeros_like(size), terms, exact(bias), Approx(-back.value, back.err))


def S(o: Operands, arithmetic: Arithmetic) -> Approx:
    """S = Theta(U), exactly, of the implementation's own U.  [K20 Eq. 1]"""
    return exact(o.layer.surrogate.spike(o.u))


def Y(o: Operands, arithmetic: Arithmetic) -> Approx:
    """Y = G sigma(U) + c, or G S + c.  [K20 Sec. 3.2]"""
    G, c = o.case["G"], o.case["c"]
    read = exact(o.shown["S"])
    if o.layer.activity == "primitive":
        read = arithmetic.function(o.layer.surrogate.primitive, exact(o.u), 1.0)
    value, size, err = read.value @ G.T, np.abs(read.value) @ np.abs(G).T, read.err @ np.abs(G).T
    return arithmetic.total(value, size + err, err, G.shape[1], exact(c))


FORWARD: dict[str, Equation] = {"Q": Q, "P": P, "R": R, "U": U, "S": S, "Y": Y}
