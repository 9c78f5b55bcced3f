"""The leaky integrate-and-fire neuron of DECOLLE: traces P, Q, refractory R, membrane U, spike S.  [K20 Eq. 1]

    U_i[n]   = sum_j W_ij P_j[n] - delta R_i[n] + b_i
    S_i[n]   = Theta(U_i[n])
    P_j[n+1] = alpha P_j[n] + Q_j[n]
    Q_j[n+1] = beta  Q_j[n] + S^in_j[n]
    R_i[n+1] = gamma R_i[n] + S_i[n]

P and Q belong to the input: one pair per input channel, none per synapse.  All right-hand sides are old values, so an
input spike at step n reaches U at n+2, and the layers of one step can be computed in any order.  The other dialects put
gains before S^in and Q, or let P read the new Q and U the new P: these are data in `LIF`, and the step reads them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import (
    Array,
    InputError,
    finite,
    float_dtype,
    fraction,
    not_negative,
    positive,
    validate_shape,
)
from decolle_ref.decolle.dialects import Dialect, paper
from decolle_ref.decolle.surrogate import Function


class LIF(NamedTuple):
    """The constants of one layer, in the papers' letters; `neuron` makes them from time constants."""

    alpha: Array  # exp(-dt/tau_mem), () or (n_in,): membrane.  (N19 calls this one beta.)
    beta: Array  # exp(-dt/tau_syn), () or (n_in,): synapse.  (N19 calls this one alpha.)
    gamma: Array  # exp(-dt/tau_ref), () or (n,): refractory
    delta: Array  # () or (n,): strength of the refractory term
    gain_Q: Array  # like beta: gain on S^in into Q
    gain_P: Array  # like alpha: gain on Q into P
    P_reads: int = 0  # 0: old Q, 1: new Q
    U_reads: int = 0  # 0: old P, 1: new P


class State(NamedTuple):
    """All that a layer carries from one step to the next: 2 n_in + n numbers per sample."""

    P: Array  # (..., n_in)
    Q: Array  # (..., n_in)
    R: Array  # (..., n)


def neuron(
    tau_mem: npt.ArrayLike = 0.020,
    tau_syn: npt.ArrayLike = 0.0075,
    tau_ref: npt.ArrayLike = 0.00286,
    dt: float = 0.001,
    w: npt.ArrayLike = 1.0,
    dtype: npt.DTypeLike = np.float64,
    dialect: Dialect = paper,
) -> LIF:
    """alpha = exp(-dt/tau_mem), beta = exp(-dt/tau_syn), gamma = exp(-dt/tau_ref), or 1 - dt/tau.  [K20 Eq. 1]

    Times in seconds.  tau_mem and tau_syn are numbers or one value per input channel, tau_ref and w numbers or one
    value per neuron.  w is the refractory strength as the dialect's own code is given it; in the paper's, delta = w.
    Raises InputError for a time constant or dt that is not finite and > 0, or a w < 0.
    """
    positive("dt", dt, "seconds")
    decay = dialect.value("decay")
    return from_decays(
        decay(positive("tau_mem", tau_mem, "seconds").astype(np.float64), dt),
        decay(positive("tau_syn", tau_syn, "seconds").astype(np.float64), dt),
        decay(positive("tau_ref", tau_ref, "seconds").astype(np.float64), dt),
        w,
        dtype,
        dialect,
    )


def from_decays(
    alpha: npt.ArrayLike,
    beta: npt.ArrayLike,
    gamma: npt.ArrayLike,
    w: npt.ArrayLike = 1.0,
    dtype: npt.DTypeLike = np.float64,
    dialect: Dialect = paper,
) -> LIF:
    """The same from the decays themselves.  Raises InputError for a decay outside [0, 1) or a w < 0."""
    kind = float_dtype(dtype)
    a, b, g = (fraction(name, x).astype(np.float64) for name, x in (("alpha", alpha), ("beta", beta), ("gamma", gamma)))
    for name, decay in (("alpha", a), ("beta", b), ("gamma", g)):
        fraction(f"{name} as {kind}", decay.astype(kind))  # a decay just below 1 may round to 1
    gain = dialect.value("gains")
    return LIF(
        alpha=a.astype(kind),
        beta=b.astype(kind),
        gamma=g.astype(kind),
        delta=(dialect.value("refractory")(g) * not_negative("w", w)).astype(kind),
        gain_Q=gain(b).astype(kind),
        gain_P=gain(a).astype(kind),
        P_reads=dialect.value("P_reads"),
        U_reads=dialect.value("U_reads"),
    )


def sample_time_constants(rng: np.random.Generator, n_in: int) -> tuple[Array, Array]:
    """tau_mem ~ U(5, 35) ms and tau_syn ~ U(5, 10) ms for each input channel, in seconds.  [K20 Sec. 3.2]"""
    return rng.uniform(0.005, 0.035, n_in), rng.uniform(0.005, 0.010, n_in)


def rest(lif: LIF, n_in: int, n: int, batch: tuple[int, ...] = ()) -> State:
    """P = Q = R = 0 for any batch shape."""
    dtype = lif.alpha.dtype
    return State(np.zeros((*batch, n_in), dtype), np.zeros((*batch, n_in), dtype), np.zeros((*batch, n), dtype))


def validate(lif: LIF, n_in: int, n: int, name: str) -> None:
    """Raise InputError unless every constant is a number or has one value per input or neuron."""
    sizes = {"alpha": n_in, "beta": n_in, "gamma": n, "delta": n, "gain_Q": n_in, "gain_P": n_in}
    for letter, size in sizes.items():
        shape = getattr(lif, letter).shape
        if shape not in ((), (1,), (size,)):
            raise InputError(f"{name} {letter}: expected shape () or ({size},), got {shape}")


def validate_state(state: State, n_in: int, n: int, batch: tuple[int, ...], name: str) -> None:
    """Raise InputError unless P, Q, R are finite and of shape (*batch, n_in), (*batch, n_in), (*batch, n)."""
    for letter, array, size in zip(State._fields, state, (n_in, n_in, n), strict=True):
        validate_shape(f"{name} {letter}", finite(f"{name} {letter}", array), (*batch, size))


def step(
    lif: LIF, drive: Function, spike: Function, state: State, spikes_in: Array
) -> tuple[State, State, Array, Array]:
    """One step of [K20 Eq. 1]: (state at n, S^in[n]) -> (state at n+1, the state that U read, U[n], S[n]).

    drive(P) = sum_j W_ij P_j + b_i, shape (..., n), is the synapse's part; spikes_in has shape (..., n_in) and may
    count several events in a bin.
    """
    P, Q, R = state
    new_Q = lif.beta * Q + lif.gain_Q * spikes_in
    new_P = lif.alpha * P + lif.gain_P * (Q, new_Q)[lif.P_reads]
    read = (state, State(new_P, new_Q, R))[lif.U_reads]
    U = drive(read.P) - lif.delta * R
    S = spike(U)
    return State(new_P, new_Q, lif.gamma * R + S), read, U, S


def srm_kernel(alpha: float, beta: float, steps: int) -> Array:
    """eps[k] = (alpha^(k-1) - beta^(k-1)) / (alpha - beta), k >= 1, and eps[0] = 0: P[n] = sum_k eps[k] S^in[n-k].

    The closed form of the two recursions of [K20 Eq. 1], the PSP of the SRM0 model.  At alpha = beta it is
    (k-1) alpha^(k-2); near equality the quotient cancels, so the sum alpha^(k-2) + alpha^(k-3) beta + ... is run as a
    recurrence there.
    """
    if abs(alpha - beta) < 1e-3:
        return _summed_kernel(alpha, beta, steps)
    k = np.arange(1, steps)
    return np.concatenate([[0.0], (alpha ** (k - 1) - beta ** (k - 1)) / (alpha - beta)])[:steps]


def _summed_kernel(alpha: float, beta: float, steps: int) -> Array:
    eps = np.zeros(steps)
    for k in range(2, steps):
        eps[k] = alpha * eps[k - 1] + beta ** (k - 2)
    return eps


def trace_gain(lif: LIF) -> Array:
    """g_P g_Q / ((1 - alpha)(1 - beta)): the steady P of an input that spikes at every step.

    Weights and learning rates given per unit of normalised trace are divided by it.
    """
    gain: Array = lif.gain_P * lif.gain_Q / ((1 - lif.alpha) * (1 - lif.beta))
    return gain
