"""The leaky integrate-and-fire neuron of DECOLLE: traces P, Q, refractory R, membrane U, spike S.  [K20 Eq. 1]

    U_i[n]   = sum_j W_ij P_j[n] - delta R_i[n] + b_i
    S_i[n]   = Theta(U_i[n])
    P_j[n+1] = alpha P_j[n] + Q_j[n]
    Q_j[n+1] = beta  Q_j[n] + S^in_j[n]
    R_i[n+1] = gamma R_i[n] + S_i[n]

P and Q belong to the input: one pair per input channel, none per synapse.  All right-hand sides are old values, so an
input spike at step n reaches U at n+2, and the layers of one step can be computed in any order.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref.check import Array, float_dtype, not_negative, positive
from decolle_ref.surrogate import Function


class LIF(NamedTuple):
    """The constants of one layer, in the papers' letters; `neuron` makes them from time constants."""

    alpha: Array  # exp(-dt/tau_mem), () or (n_in,): membrane.  (N19 calls this one beta.)
    beta: Array  # exp(-dt/tau_syn), () or (n_in,): synapse.  (N19 calls this one alpha.)
    gamma: Array  # exp(-dt/tau_ref), () or (n,): refractory
    delta: Array  # () or (n,): strength of the refractory term


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
    delta: npt.ArrayLike = 1.0,
    dtype: npt.DTypeLike = np.float64,
) -> LIF:
    """alpha = exp(-dt/tau_mem), beta = exp(-dt/tau_syn), gamma = exp(-dt/tau_ref).  [K20 Eq. 1]

    Times in seconds.  tau_mem and tau_syn are numbers or one value per input channel, tau_ref and delta numbers or one
    value per neuron.  Raises InputError for a time constant or dt that is not finite and > 0, or a delta < 0.
    """
    kind = float_dtype(dtype)
    positive("dt", dt, "seconds")

    def decay(name: str, tau: npt.ArrayLike) -> Array:
        return np.exp(-dt / positive(name, tau, "seconds")).astype(kind)

    return LIF(
        alpha=decay("tau_mem", tau_mem),
        beta=decay("tau_syn", tau_syn),
        gamma=decay("tau_ref", tau_ref),
        delta=not_negative("delta", delta).astype(kind),
    )


def draw_time_constants(rng: np.random.Generator, n_in: int) -> tuple[Array, Array]:
    """tau_mem ~ U(5, 35) ms and tau_syn ~ U(5, 10) ms for each input channel, in seconds.  [K20 Sec. 3.2]"""
    return rng.uniform(0.005, 0.035, n_in), rng.uniform(0.005, 0.010, n_in)


def rest(lif: LIF, n_in: int, n: int, batch: tuple[int, ...] = ()) -> State:
    """P = Q = R = 0 for any batch shape."""
    dtype = lif.alpha.dtype
    return State(np.zeros((*batch, n_in), dtype), np.zeros((*batch, n_in), dtype), np.zeros((*batch, n), dtype))


def step(lif: LIF, drive: Function, spike: Function, state: State, spikes_in: Array) -> tuple[State, Array, Array]:
    """One step of [K20 Eq. 1]: (state at n, S^in[n]) -> (state at n+1, U[n], S[n]).

    drive(P) = sum_j W_ij P_j + b_i, shape (..., n), is the synapse's part; spikes_in has shape (..., n_in) and may
    count several events in a bin.
    """
    P, Q, R = state
    U = drive(P) - lif.delta * R
    S = spike(U)
    after = State(P=lif.alpha * P + Q, Q=lif.beta * Q + spikes_in, R=lif.gamma * R + S)
    return after, U, S


def srm_kernel(alpha: float, beta: float, steps: int) -> Array:
    """eps[k] = (alpha^(k-1) - beta^(k-1)) / (alpha - beta), k >= 1, and eps[0] = 0: P[n] = sum_k eps[k] S^in[n-k].

    The closed form of the two recursions, the PSP of the SRM0 model.  At alpha = beta it is (k-1) alpha^(k-2); near
    equality the quotient cancels, so the sum alpha^(k-2) + alpha^(k-3) beta + ... is run as a recurrence there.
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
    """1 / ((1 - alpha)(1 - beta)): the steady P of an input that spikes at every step.

    Weights and learning rates given per unit of normalised trace are divided by it.
    """
    gain: Array = 1 / ((1 - lif.alpha) * (1 - lif.beta))
    return gain
