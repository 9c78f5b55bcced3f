"""The leaky integrate-and-fire neuron of DECOLLE: traces P, Q, refractory R, membrane U, spike S.  [K20 Eq. 1]

    U_i[n]   = sum_j W_ij P_j[n] - delta R_i[n] + b_i
    S_i[n]   = Theta(U_i[n])
    P_j[n+1] = alpha P_j[n] + Q_j[n]
    Q_j[n+1] = beta  Q_j[n] + S^in_j[n]
    R_i[n+1] = gamma R_i[n] + S_i[n]

P and Q belong to the input: one pair per input channel, none per synapse.  All right-hand sides are old values, so an
input spike at step n reaches U at n+2, and the layers of one step can be computed in any order.  The other dialects put
gains before S^in and Q, or let P read the new Q and U the new P.  `LIF` holds these choices as numbers.

>>> import numpy as np
>>> from decolle_ref import lif, surrogate
>>> neuron, U = lif.neuron(), []
>>> state = lif.rest(neuron, n_in=1, n=1)
>>> for spike in (1, 0, 0, 0):  # reaches U two steps later; here U = P - 1
...     state, _, u, _ = lif.step(neuron, lambda P: P - 1, surrogate.at_threshold, state, np.array([spike]))
...     U.append(float(u[0]))
>>> [u > -1 for u in U]
[False, False, True, True]
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util import check
from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle.dialects import Dialect, paper
from decolle_ref.decolle.surrogate import Function


class LIF(NamedTuple):
    """The constants of one layer in the paper's letters; `neuron` computes them from time constants.

    Attributes
    ----------
    alpha, beta : arrays of shape () or (n_in,)
        Decay per step of P (membrane) and Q (synapse).  [N19] calls the synapse alpha and the membrane beta.
    gamma, delta : arrays of shape () or (n,)
        Decay per step of R, and strength of the refractory term.
    gain_Q, gain_P : arrays of shape () or (n_in,)
        Gain of S^in on its way into Q, and of Q into P.
    P_reads, U_reads : int
        0: P reads the old Q, U the old P; 1: the new one.
    dialect : Dialect or None
        What chose these numbers, and must be the dialect of the layer; None where they were chosen by hand.
    """

    alpha: Array  # exp(-dt/tau_mem)
    beta: Array  # exp(-dt/tau_syn)
    gamma: Array  # exp(-dt/tau_ref)
    delta: Array
    gain_Q: Array
    gain_P: Array
    P_reads: int = 0
    U_reads: int = 0
    dialect: Dialect | None = None


class State(NamedTuple):
    """All that a layer keeps from one step to the next: 2 n_in + n numbers per sample.

    Attributes
    ----------
    P, Q : arrays of shape (..., n_in)
    R : array of shape (..., n)
    """

    P: Array
    Q: Array
    R: Array


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

    Parameters
    ----------
    tau_mem, tau_syn : float or array of shape (n_in,), seconds
    tau_ref : float or array of shape (n,), seconds
    dt : float, seconds per step
    w : float or array of shape (n,)
        Refractory strength as the dialect's own code defines it; in the paper's dialect delta = w.
    dtype : float64 or float32
    dialect : Dialect
        Chooses the decay formula, the gains and what P and U read.

    Returns
    -------
    LIF

    Raises
    ------
    InputError
        For a time constant or dt that is not finite and > 0, or for w < 0.
    """
    check.positive("dt", dt, "seconds")
    decay = dialect.value("decay")
    times = (("tau_mem", tau_mem), ("tau_syn", tau_syn), ("tau_ref", tau_ref))
    alpha, beta, gamma = (decay(check.positive(name, tau, "seconds").astype(np.float64), dt) for name, tau in times)
    return from_decays(alpha, beta, gamma, w, dtype, dialect)


def from_decays(
    alpha: npt.ArrayLike,
    beta: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    w: npt.ArrayLike = 1.0,
    dtype: npt.DTypeLike = np.float64,
    dialect: Dialect = paper,
    gain_Q: npt.ArrayLike | None = None,
    gain_P: npt.ArrayLike | None = None,
) -> LIF:
    """As `neuron`, from the decays per step themselves.

    Parameters
    ----------
    alpha, beta : float or array of shape (n_in,)
    gamma : float or array of shape (n,), or None
        None only where w = 0 and nothing is refractory.
    w, dtype, dialect
        As in `neuron`.
    gain_Q, gain_P : float or array of shape (n_in,), or None
        Gains to take as they are, such as those that the authors' files store; None for those of the dialect.

    Returns
    -------
    LIF

    Raises
    ------
    InputError
        For a decay outside [0, 1), also after rounding to `dtype`, for w < 0, a gain that is not > 0, and a number that
        is not finite in `dtype`, and for vectors of different lengths.
    """
    kind, strength, gain = check.float_dtype(dtype), check.not_negative("w", w), dialect.value("gains")
    if gamma is None and strength.any():
        raise InputError("gamma: expected a decay where w > 0, got none")
    decays = (("alpha", alpha), ("beta", beta), ("gamma", 0.0 if gamma is None else gamma))
    a, b, g = (check.fraction(name, decay, kind).astype(np.float64) for name, decay in decays)
    into_Q = gain(b) if gain_Q is None else check.positive("gain_Q", gain_Q)
    into_P = gain(a) if gain_P is None else check.positive("gain_P", gain_P)
    check.validate_one_length({"alpha": a, "beta": b, "gain_Q": into_Q, "gain_P": into_P})
    check.validate_one_length({"gamma": g, "w": strength})
    delta = dialect.value("refractory")(g) * strength
    constants = zip(LIF._fields, (a, b, g, delta, into_Q, into_P), strict=False)
    a, b, g, delta, into_Q, into_P = (check.finite(letter, x, kind) for letter, x in constants)
    return LIF(a, b, g, delta, into_Q, into_P, dialect.value("P_reads"), dialect.value("U_reads"), dialect)


def sample_time_constants(rng: np.random.Generator, n_in: int) -> tuple[Array, Array]:
    """tau_mem ~ U(5, 35) ms and tau_syn ~ U(5, 10) ms for each input channel.  [K20 Sec. 3.2]

    Parameters
    ----------
    rng : numpy Generator
    n_in : int

    Returns
    -------
    tau_mem, tau_syn : arrays of shape (n_in,), seconds
    """
    return rng.uniform(0.005, 0.035, n_in), rng.uniform(0.005, 0.010, n_in)


def rest(lif: LIF, n_in: int, n: int, batch: tuple[int, ...] = ()) -> State:
    """P = Q = R = 0, for n_in inputs and n neurons, in the dtype of the LIF.

    Parameters
    ----------
    lif : LIF
    n_in, n : int
    batch : tuple of int

    Returns
    -------
    State
    """
    return State(*(np.zeros((*batch, size), lif.alpha.dtype) for size in (n_in, n_in, n)))


def validate(lif: LIF, n_in: int, n: int, name: str) -> None:
    """Raise InputError unless every constant is finite, and one number or one value per input or neuron.

    Parameters
    ----------
    lif : LIF
    n_in, n : int
    name : str
        Begins the message.
    """
    for letter, size in zip(LIF._fields, (n_in, n_in, n, n, n_in, n_in), strict=False):
        shape = check.finite(f"{name} {letter}", getattr(lif, letter)).shape
        if shape not in ((), (1,), (size,)):
            raise InputError(f"{name} {letter}: expected shape () or ({size},), got {shape}")


def validate_state(state: State, n_in: int, n: int, batch: tuple[int, ...], name: str) -> None:
    """Raise InputError unless P, Q, R are finite and of shape (*batch, n_in), (*batch, n_in), (*batch, n).

    Parameters
    ----------
    state : State
    n_in, n, batch
        As in `rest`.
    name : str
        Begins the message.
    """
    for letter, array, size in zip(State._fields, state, (n_in, n_in, n), strict=True):
        check.validate_shape(f"{name} {letter}", check.finite(f"{name} {letter}", array), (*batch, size))


def step(
    lif: LIF, drive: Function, spike: Function, state: State, spikes_in: Array
) -> tuple[State, State, Array, Array]:
    """One step of [K20 Eq. 1], from the state at n and S^in[n].

    Assumes arrays of these shapes in the dtype of `lif`, which `network.run` and `network.step` check.

    Parameters
    ----------
    lif : LIF
    drive : function
        P (..., n_in) -> sum_j W_ij P_j + b_i (..., n), the part of the synapse.
    spike : function
        U -> Theta(U).
    state : State
    spikes_in : array of shape (..., n_in)
        S^in[n]; an entry may count several events in a bin.

    Returns
    -------
    after : State at step n+1
    read : State
        The traces that U read, old or new by dialect, and R[n].
    U, S : arrays of shape (..., n), at step n
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
    (k-1) alpha^(k-2).  Near equality the quotient cancels, so there a recurrence computes the sum
    alpha^(k-2) + alpha^(k-3) beta + ... + beta^(k-2).

    Parameters
    ----------
    alpha, beta : float
        Decays per step, in [0, 1).
    steps : int

    Returns
    -------
    array of shape (steps,)
    """
    alpha, beta = float(check.fraction("alpha", alpha)), float(check.fraction("beta", beta))
    if abs(alpha - beta) >= 1e-3:
        k = np.arange(1, steps)
        return np.concatenate([[0.0], (alpha ** (k - 1) - beta ** (k - 1)) / (alpha - beta)])[:steps]
    eps = np.zeros(steps)
    for n in range(2, steps):
        eps[n] = alpha * eps[n - 1] + beta ** (n - 2)
    return eps


def trace_gain(lif: LIF) -> Array:
    """g_P g_Q / ((1 - alpha)(1 - beta)): the steady P of an input that spikes at every step.

    Divide weights and learning rates by it that are meant per unit of normalised trace.

    Parameters
    ----------
    lif : LIF

    Returns
    -------
    array of shape () or (n_in,)
    """
    gain: Array = lif.gain_P * lif.gain_Q / ((1 - lif.alpha) * (1 - lif.beta))
    return gain
