"""The equations of a layer's dynamics, evaluated on the numbers that an implementation wrote down.

Each equation has the same form:

    equation(operands, arithmetic) -> Bounded, of shape (T, ...)

`operands` is one layer of a trace, `arithmetic` the operations of the implementation's profile.  The result is the
quantity at all steps, with a bound on the implementation's error.  The operands are the implementation's own numbers,
which float64 holds exactly, so no error accumulates from step to step.  S must be exact: it has no bound.
"""

from collections.abc import Callable

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.dialects import AXES
from decolle_ref.decolle.synapse import Weights
from decolle_ref.oracle.check.error_bounds import Arithmetic, Bounded, exact
from decolle_ref.oracle.trace import Operands

Equation = Callable[[Operands, Arithmetic], Bounded]


def gain(operands: Operands, arithmetic: Arithmetic, decay: str) -> Bounded:
    """The gain g of Q (decay "beta") or P (decay "alpha"), as the implementation derives it from the decay."""
    value = AXES["gains"][operands.dialect.gains].value(operands.case[decay])
    if operands.dialect.gains == "one":
        return exact(value)
    leak = arithmetic.subtract(exact(np.ones_like(value)), exact(operands.case[decay]))
    return leak if operands.dialect.gains == "leak" else arithmetic.divide(exact(np.ones_like(value)), leak)


def filtered(operands: Operands, arithmetic: Arithmetic, decay: str, gain: Bounded, before: Array, x: Array) -> Bounded:
    """decay * before + gain * x."""
    kept = arithmetic.multiply(exact(operands.case[decay]), exact(before))
    return arithmetic.add(kept, arithmetic.multiply(gain, exact(x)))


def started(operands: Operands, name: str, x: Bounded) -> Bounded:
    """x, but where U reads the old state, its first step is exactly the state that the case starts from."""
    return x if operands.layer.neuron.U_reads else pinned(operands, name, x)


def pinned(operands: Operands, name: str, x: Bounded) -> Bounded:
    """x, but its first step is exactly the state that the case starts from."""
    first = exact(operands.before(name)[:1])
    return Bounded(*(np.concatenate([start, rest[1:]]) for start, rest in zip(first, x, strict=True)))


def Q(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """Q[n+1] = beta Q[n] + g_Q S^in[n].  [K20 Eq. 1]"""
    x = operands.spikes_in if operands.layer.neuron.U_reads else shifted(operands.spikes_in)
    g = gain(operands, arithmetic, "beta")
    return started(operands, "Q", filtered(operands, arithmetic, "beta", g, operands.before("Q"), x))


def P(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """P[n+1] = alpha P[n] + g_P Q[n], or g_P Q[n+1].  [K20 Eq. 1]"""
    read = operands.trace["Q"] if operands.layer.neuron.P_reads else operands.before("Q")
    g = gain(operands, arithmetic, "alpha")
    return started(operands, "P", filtered(operands, arithmetic, "alpha", g, operands.before("P"), read))


def R(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """R[n+1] = gamma R[n] + S[n], with the neurons' own spikes S = Theta(U).  [K20 Eq. 1]"""
    kept = arithmetic.multiply(exact(operands.case["gamma"]), exact(operands.before("R")))
    S = shifted(operands.layer.surrogate.spike(operands.trace["U"]))
    return pinned(operands, "R", arithmetic.add(kept, exact(S)))


def shifted(x: Array) -> Array:
    """x one step earlier, with 0 at the first step."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def strength(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """The strength of the refractory term, as the implementation derives it from w."""
    if operands.dialect.refractory == "w":
        return exact(operands.case["w"])
    gamma = exact(operands.case["gamma"])
    if operands.dialect.refractory == "leak_w":
        gamma = arithmetic.subtract(exact(np.ones_like(gamma.value)), gamma)
    return arithmetic.multiply(gamma, exact(operands.case["w"]))


def U(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """U = W P + b - delta R.  [K20 Eq. 1]  The bound holds for every order of the sum."""
    W, b = operands.weights()
    back = arithmetic.multiply(strength(operands, arithmetic), exact(operands.trace["R"]))
    drive = operands.layer.synapse.drive

    def driven(W: Array, P: Array, b: Array) -> Array:
        return np.stack([drive(Weights(*weights), p) for *weights, p in zip(W, b, P, strict=True)])

    P, zero = operands.trace["P"], np.zeros_like(b)
    bias = driven(np.zeros_like(W), P, b)  # one per neuron, though a convolution has one b per channel
    value, size = driven(W, P, zero), driven(np.abs(W), np.abs(P), zero)
    terms = int(np.prod(W.shape[2:]))
    return arithmetic.total(value, size, np.zeros_like(size), terms, exact(bias), Bounded(-back.value, back.err))


def S(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """S = Theta(U), exactly, for the implementation's own U.  [K20 Eq. 1]"""
    return exact(operands.layer.surrogate.spike(operands.u))


def Y(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """Y = G sigma(U) + c, or G S + c, where dropout multiplies what G reads, or Y.  [K20 Sec. 3.2]"""
    G, c = operands.case["G"], operands.case["c"]
    read = exact(operands.trace["S"])
    if operands.layer.activity == "primitive":
        read = arithmetic.function(operands.layer.surrogate.primitive, exact(operands.u), 1.0)
    read = dropped(arithmetic, operands.mask.activity, read)
    value, size, err = read.value @ G.T, np.abs(read.value) @ np.abs(G).T, read.err @ np.abs(G).T
    return dropped(arithmetic, operands.mask.Y, arithmetic.total(value, size + err, err, G.shape[1], exact(c)))


def dropped(arithmetic: Arithmetic, factors: Array | float, x: Bounded) -> Bounded:
    """x times the factors of dropout; x itself where there are none."""
    return x if np.ndim(factors) == 0 else arithmetic.multiply(exact(np.asarray(factors)), x)


FORWARD: dict[str, Equation] = {"Q": Q, "P": P, "R": R, "U": U, "S": S, "Y": Y}
