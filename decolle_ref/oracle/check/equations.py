"""The equations of a layer's dynamics, evaluated on the numbers that an implementation wrote down.

Each equation has the same form:

    equation(operands, arithmetic) -> Bounded, of shape (T, ...)

`operands` is one layer of a trace, `arithmetic` the operations of the implementation's profile.  The result is the
quantity at all steps, with a bound on the implementation's error.  The operands are the implementation's own numbers,
which float64 holds exactly, so no error accumulates from step to step.  S must be exact: it has no bound.
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Weights
from decolle_ref.oracle.check.error_bounds import Arithmetic, Bounded, exact
from decolle_ref.oracle.check.pooling import transmitted
from decolle_ref.oracle.check.products import driven
from decolle_ref.oracle.check.recording import Equation as Equation
from decolle_ref.oracle.check.recording import before, converted, recorded, rounded, shown
from decolle_ref.oracle.check.recording import gain as gain
from decolle_ref.oracle.check.recording import strength as strength
from decolle_ref.oracle.trace import Operands


def filtered(operands: Operands, arithmetic: Arithmetic, decay: str, g: Bounded, old: Bounded, x: Bounded) -> Bounded:
    """decay * old + g * x."""
    kept = arithmetic.multiply(exact(operands.case[decay]), old)
    return arithmetic.add(kept, arithmetic.multiply(g, x))


def started(operands: Operands, name: str, x: Bounded) -> Bounded:
    """x, but where U reads the old state, its first step is exactly the state that the case starts from."""
    return x if operands.layer.neuron.U_reads else pinned(operands, name, x)


def pinned(operands: Operands, name: str, x: Bounded) -> Bounded:
    """x, but its first step is exactly the state that the case starts from."""
    first = exact(operands.before(name)[:1])
    return Bounded(*(np.concatenate([start, rest[1:]]) for start, rest in zip(first, x, strict=True)))


@recorded
def Q(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """Q[n+1] = beta Q[n] + g_Q S^in[n].  [K20 Eq. 1]"""
    x = operands.spikes_in if operands.layer.neuron.U_reads else shifted(operands.spikes_in)
    g, old = gain(operands, arithmetic, "beta"), before(operands, arithmetic, "Q")
    return started(operands, "Q", filtered(operands, arithmetic, "beta", g, old, exact(x)))


@recorded
def P(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """P[n+1] = alpha P[n] + g_P Q[n], or g_P Q[n+1].  [K20 Eq. 1]"""
    read = (shown if operands.layer.neuron.P_reads else before)(operands, arithmetic, "Q")
    g, old = gain(operands, arithmetic, "alpha"), before(operands, arithmetic, "P")
    return started(operands, "P", filtered(operands, arithmetic, "alpha", g, old, read))


@recorded
def R(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """R[n+1] = gamma R[n] + S[n], with the neurons' own spikes S = Theta(U).  [K20 Eq. 1]"""
    kept = arithmetic.multiply(exact(operands.case["gamma"]), before(operands, arithmetic, "R"))
    S = shifted(operands.layer.surrogate.spike(operands.trace["U"]))
    return pinned(operands, "R", arithmetic.add(kept, exact(S)))


def shifted(x: Array) -> Array:
    """x one step earlier, with 0 at the first step."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


@recorded
def U(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """U = W P + b - delta R.  [K20 Eq. 1]  The bound holds for every order of the sum."""
    W, b, P = *weights(operands, arithmetic), shown(operands, arithmetic, "P")
    drive, nothing = operands.layer.synapse.drive, np.zeros_like(operands.case["W"])

    def spread(b: Array) -> Array:
        """One b per neuron: a convolution has one per channel."""
        return np.stack([drive(Weights(nothing, of_step), p) for of_step, p in zip(b, 0 * P.value, strict=True)])

    value, size, err, terms = driven(operands, W, P, arithmetic.profile.convolution == "fft")
    bias = Bounded(*(spread(x) for x in b))
    back = arithmetic.multiply(strength(operands, arithmetic), shown(operands, arithmetic, "R"))
    return arithmetic.total(value, size, err, terms, bias, Bounded(-back.value, back.err))


def weights(operands: Operands, arithmetic: Arithmetic) -> tuple[Bounded, Bounded]:
    """W and b as each step read them."""
    W, b = operands.weights()
    err = [converted(operands, arithmetic, name, x) for name, x in (("W", W), ("b", b))]
    if "W" in operands.trace:
        err = [e + rounded(arithmetic, x) for e, x in zip(err, (W, b), strict=True)]
    return Bounded(W, err[0]), Bounded(b, err[1])


def read(operands: Operands, arithmetic: Arithmetic) -> tuple[Bounded, Array | None]:
    """The potentials that are transmitted and read, and which neurons may have won the windows of a pool."""
    U = shown(operands, arithmetic, "U")
    return transmitted(operands, arithmetic, U, np.where(U.err == 0, U.value, np.nan))


def S(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """S = Theta(U), exactly, for the implementation's own U.  [K20 Eq. 1]  Rounding to a format keeps the sign of U."""
    u, _ = transmitted(operands, arithmetic, exact(operands.trace["U"]), operands.trace["U"])
    low, high = (operands.layer.surrogate.spike(end) for end in (u.value - u.err, u.value + u.err))
    return exact(np.where(low == high, low, np.rint(np.clip(operands.trace["S"], 0, 1))))  # if either is right, S is


@recorded
def Y(operands: Operands, arithmetic: Arithmetic) -> Bounded:
    """Y = G sigma(U) + c, or G S + c, where dropout multiplies what G reads, or Y.  [K20 Sec. 3.2]"""
    G, c = operands.case["G"], operands.case["c"]
    activity = exact(operands.trace["S"])
    if operands.layer.activity == "primitive":
        activity = arithmetic.sigma(operands.layer.surrogate, read(operands, arithmetic)[0])
    activity = dropped(arithmetic, operands.mask.activity, activity)
    value, size, err = activity.value @ G.T, np.abs(activity.value) @ np.abs(G).T, activity.err @ np.abs(G).T
    return dropped(arithmetic, operands.mask.Y, arithmetic.total(value, size + err, err, G.shape[1], exact(c)))


def dropped(arithmetic: Arithmetic, factors: Array | float, x: Bounded) -> Bounded:
    """x times the factors of dropout; x itself where there are none."""
    return x if np.ndim(factors) == 0 else arithmetic.multiply(exact(np.asarray(factors)), x)


FORWARD: dict[str, Equation] = {"Q": Q, "P": P, "R": R, "U": U, "S": S, "Y": Y}
