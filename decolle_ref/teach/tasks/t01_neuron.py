"""Notebook 01: a neuron, a spike, a network.  [N19 Eq. 1-5]"""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit.neuron import continuous
from decolle_ref.teach.task import Slip, Task


def _draw_membrane(rng: np.random.Generator) -> tuple[Any, ...]:
    """U (n,), I (n,), dt, tau_mem."""
    return rng.normal(size=5), rng.normal(size=5), rng.uniform(0.002, 0.008), rng.uniform(0.010, 0.030)


def _membrane_step(U: Array, I: Array, dt: float, tau_mem: float) -> Any:
    return I + (U - I) * np.exp(-dt / tau_mem)


MEMBRANE_STEP = Task(
    "membrane_step",
    _membrane_step,
    _draw_membrane,
    slips=(
        Slip(
            "Euler's method",
            lambda U, I, dt, tau_mem: U + dt / tau_mem * (I - U),
            "This is Euler's method: it takes the slope at the start for the whole step. Equation (2) is exact.",
        ),
        Slip(
            "growth in place of decay",
            lambda U, I, dt, tau_mem: I + (U - I) * np.exp(dt / tau_mem),
            "With your sign in the exponent the distance from I grows. Should a leak not make it shrink?",
        ),
        Slip(
            "without the gain",
            lambda U, I, dt, tau_mem: np.exp(-dt / tau_mem) * U + I,
            "Try U = I = 1: at rest nothing should change. How much of I arrives within one step?",
        ),
        Slip(
            "shares exchanged",
            lambda U, I, dt, tau_mem: U + (I - U) * np.exp(-dt / tau_mem),
            "Try dt = 0: U should not move. Which share of the distance is left after a step, and which is covered?",
        ),
    ),
    forms=(
        lambda U, I, dt, tau_mem: np.exp(-dt / tau_mem) * U + (1 - np.exp(-dt / tau_mem)) * I,
        lambda U, I, dt, tau_mem: U + np.expm1(-dt / tau_mem) * (U - I),
        lambda U, I, dt, tau_mem: [i + (u - i) / np.exp(dt / tau_mem) for u, i in zip(U, I, strict=True)],
    ),
)


def _draw_times(rng: np.random.Generator) -> tuple[Any, ...]:
    """t (T,), tau_mem, tau_syn."""
    return rng.uniform(0.001, 0.050, 6), rng.uniform(0.015, 0.025), rng.uniform(0.004, 0.010)


def _difference_of_decays(t: Array, tau_mem: float, tau_syn: float) -> Any:
    return np.exp(-t / tau_mem) - np.exp(-t / tau_syn)


POSTSYNAPTIC_POTENTIAL = Task(
    "postsynaptic_potential",
    continuous.psp,
    _draw_times,
    slips=(
        Slip(
            "wrong sign",
            lambda t, tau_mem, tau_syn: tau_syn / (tau_syn - tau_mem) * _difference_of_decays(t, tau_mem, tau_syn),
            "Your potential is negative, but the weight is positive. Which of the two exponentials decays later?",
        ),
        Slip(
            "without the factor in front",
            _difference_of_decays,
            "The shape is right. The height follows from the equation: insert your solution into (1) and compare.",
        ),
        Slip(
            "time constants exchanged",
            lambda t, tau_mem, tau_syn: tau_mem / (tau_mem - tau_syn) * _difference_of_decays(t, tau_mem, tau_syn),
            "You have exchanged the two time constants somewhere; insert your solution into (1) to see where.",
        ),
        Slip(
            "a current that does not decay",
            lambda t, tau_mem, tau_syn: 1 - np.exp(-t / tau_mem),
            "This is the answer to a current that is switched on and stays. The current of a synapse decays.",
        ),
    ),
    forms=(
        lambda t, tau_mem, tau_syn: tau_syn / (tau_mem - tau_syn) * _difference_of_decays(t, tau_mem, tau_syn),
        lambda t, tau_mem, tau_syn: [
            (np.exp(-s / tau_syn) - np.exp(-s / tau_mem)) / (1 - tau_mem / tau_syn) for s in t
        ],
        lambda t, tau_mem, tau_syn: (
            np.exp(-t / tau_mem) / tau_mem / (1 / tau_syn - 1 / tau_mem) * -np.expm1(t / tau_mem - t / tau_syn)
        ),
    ),
)


def _draw_layer(rng: np.random.Generator) -> tuple[Any, ...]:
    """I (n,), U (n,), S_in (n_in,), W (n, n_in), alpha, beta."""
    spikes = rng.permutation([0.0, 1.0, 1.0])
    above = rng.permutation([0.3, 0.7, 1.2, 1.6, 0.9]) + rng.uniform(0, 0.09, 5)
    return rng.normal(size=5), above, spikes, rng.normal(size=(5, 3)), rng.uniform(0.6, 0.8), rng.uniform(0.85, 0.95)


def _lif_step(I: Array, U: Array, S_in: Array, W: Array, alpha: float, beta: float) -> Any:
    S = (U >= 1) * 1.0
    return alpha * I + W @ S_in, beta * U + I - S, S


def _with_new_current(I: Array, U: Array, S_in: Array, W: Array, alpha: float, beta: float) -> Any:
    new_I, _, S = _lif_step(I, U, S_in, W, alpha, beta)
    return new_I, beta * U + new_I - S, S


def _with_new_spikes(I: Array, U: Array, S_in: Array, W: Array, alpha: float, beta: float) -> Any:
    new_I, new_U, _ = _lif_step(I, U, S_in, W, alpha, beta)
    return new_I, new_U, (new_U >= 1) * 1.0


def _lif_step_by_loops(I: Array, U: Array, S_in: Array, W: Array, alpha: float, beta: float) -> Any:
    S = [1.0 if u >= 1 else 0.0 for u in U]
    new_I = [alpha * I[i] + sum(W[i, j] * S_in[j] for j in range(len(S_in))) for i in range(len(I))]
    return new_I, [beta * U[i] + I[i] - S[i] for i in range(len(U))], S


LIF_STEP = Task(
    "lif_step",
    _lif_step,
    _draw_layer,
    slips=(
        Slip(
            "without the reset",
            lambda I, U, S_in, W, alpha, beta: (alpha * I + W @ S_in, beta * U + I, (U >= 1) * 1.0),
            "What happens to the membrane of a neuron that has just spiked?",
        ),
        Slip(
            "wrong sign of the reset",
            lambda I, U, S_in, W, alpha, beta: (alpha * I + W @ S_in, beta * U + I + (U >= 1), (U >= 1) * 1.0),
            "After its own spike the potential should fall; yours rises.",
        ),
        Slip(
            "alpha and beta exchanged",
            lambda I, U, S_in, W, alpha, beta: _lif_step(I, U, S_in, W, beta, alpha),
            "In this paper alpha belongs to the synapse and beta to the membrane. Which of them have you used where?",
        ),
        Slip(
            "the new current in the membrane",
            _with_new_current,
            "All quantities on the right of (6) and (7) have the old index n, also the current.",
        ),
        Slip(
            "spikes of the next step",
            _with_new_spikes,
            "S[n] belongs to U[n], the potential before the step, and not to U[n+1].",
        ),
        Slip(
            "reset to zero",
            lambda I, U, S_in, W, alpha, beta: (
                alpha * I + W @ S_in,
                np.where(U >= 1, 0, beta * U + I),
                (U >= 1) * 1.0,
            ),
            "You set the potential to 0. Equation (7) subtracts 1 and keeps what was above the threshold.",
        ),
        Slip(
            "transposed",
            lambda I, U, S_in, W, alpha, beta: (alpha * I + W.T @ S_in, beta * U + I - (U >= 1), (U >= 1) * 1.0),
            "W has one row per neuron and one column per input. Which product has one number per neuron?",
        ),
    ),
    forms=(
        _lif_step_by_loops,
        lambda I, U, S_in, W, alpha, beta: (
            alpha * I + np.einsum("ij,j->i", W, S_in),
            np.where(U < 1, beta * U + I, beta * U + I - 1),
            np.heaviside(U - 1, 1.0),
        ),
        lambda I, U, S_in, W, alpha, beta: (I * alpha + (W * S_in).sum(axis=1), U * beta + (I - (U >= 1)), U >= 1),
    ),
)


def _draw_currents(rng: np.random.Generator) -> tuple[Any, ...]:
    """I (n,), some of them below the threshold 1; tau_mem."""
    return rng.permutation(np.concatenate([rng.uniform(0.2, 0.9, 2), rng.uniform(1.1, 3, 5)])), rng.uniform(0.01, 0.03)


def _rate_by_loop(I: Array, tau_mem: float) -> list[float]:
    return [1 / (tau_mem * (np.log(i) - np.log(i - 1))) if i > 1 else 0.0 for i in I]


FIRING_RATE = Task(
    "firing_rate",
    continuous.firing_rate,
    _draw_currents,
    slips=(
        Slip(
            "wrong sign",
            lambda I, tau_mem: -np.array(_rate_by_loop(I, tau_mem)),
            "A rate cannot be negative: is the fraction in your logarithm above or below 1?",
        ),
        Slip(
            "the interval in place of the rate",
            lambda I, tau_mem: [tau_mem * np.log(i / (i - 1)) if i > 1 else 0.0 for i in I],
            "This is the time between two spikes. How many spikes fit into one second?",
        ),
        Slip(
            "without the time constant",
            lambda I, tau_mem: np.array(_rate_by_loop(I, 1.0)),
            "A slower membrane fires at a lower rate: where is tau_mem?",
        ),
        Slip(
            "the time from threshold to current",
            lambda I, tau_mem: [1 / (tau_mem * np.log(i)) if i > 1 else 0.0 for i in I],
            "Set U(T) = 1 in U(t) = I (1 - exp(-t/tau_mem)) and solve for T step by step.",
        ),
    ),
    forms=(
        _rate_by_loop,
        lambda I, tau_mem: np.where(I > 1, -1 / (tau_mem * np.log(1 - 1 / np.maximum(I, 1.0000001))), 0),
        lambda I, tau_mem: [-1 / tau_mem / np.log1p(-1 / i) if i > 1 else 0 for i in I],
    ),
)


def _draw_blocks(rng: np.random.Generator) -> tuple[Any, ...]:
    """alpha, beta, W (n, n_in), V (n, n)."""
    return rng.uniform(0.6, 0.8), rng.uniform(0.85, 0.95), rng.normal(size=(3, 5)), rng.normal(size=(3, 3))


def _rnn_matrices(alpha: float, beta: float, W: Array, V: Array) -> Any:
    eye, zero = np.eye(len(W)), np.zeros((len(W), len(W)))
    return np.block([[alpha * eye, zero, V], [eye, beta * eye, -eye]]), np.concatenate([W, np.zeros_like(W)])


def _rnn_matrices_by_slices(alpha: float, beta: float, W: Array, V: Array) -> Any:
    n = len(W)
    A, B = np.zeros((2 * n, 3 * n)), np.zeros((2 * n, W.shape[1]))
    for i in range(n):
        A[i, i], A[n + i, i], A[n + i, n + i], A[n + i, 2 * n + i] = alpha, 1, beta, -1
    A[:n, 2 * n :], B[:n] = V, W
    return A, B


def _changed(alpha: float, beta: float, W: Array, V: Array, reset: float = -1.0, onto: float = 1.0) -> Any:
    """The matrices with another sign of the reset, or with another block from I to U."""
    A, B = _rnn_matrices_by_slices(alpha, beta, W, V)
    n = len(W)
    A[n:, 2 * n :] *= -reset
    A[n:, :n] *= onto
    return A, B


RNN_MATRICES = Task(
    "rnn_matrices",
    _rnn_matrices,
    _draw_blocks,
    slips=(
        Slip(
            "wrong sign of the reset",
            lambda alpha, beta, W, V: _changed(alpha, beta, W, V, reset=1.0),
            "Look at the block that leads from S to U: does a spike raise or lower the potential?",
        ),
        Slip(
            "recurrent weights transposed",
            lambda alpha, beta, W, V: _rnn_matrices(alpha, beta, W, V.T),
            "V_ij is the weight from neuron j to neuron i: row i belongs to the neuron that receives.",
        ),
        Slip(
            "alpha and beta exchanged",
            lambda alpha, beta, W, V: _rnn_matrices(beta, alpha, W, V),
            "In this paper alpha belongs to the synapse and beta to the membrane.",
        ),
        Slip(
            "without the current in the membrane",
            lambda alpha, beta, W, V: _changed(alpha, beta, W, V, onto=0.0),
            "Nothing leads from I to U in your matrix. Which term of (7) is missing?",
        ),
        Slip(
            "all transposed",
            lambda alpha, beta, W, V: tuple(M.T for M in _rnn_matrices(alpha, beta, W, V)),
            "Both of your matrices are transposed: a row belongs to a new value, a column to an old one.",
        ),
    ),
    forms=(
        _rnn_matrices_by_slices,
        lambda alpha, beta, W, V: (
            np.kron([[alpha, 0, 0], [1, beta, -1]], np.eye(len(W))) + np.kron([[0, 0, 1], [0, 0, 0]], V),
            np.kron([[1], [0]], W),
        ),
    ),
)

TASKS = (MEMBRANE_STEP, POSTSYNAPTIC_POTENTIAL, LIF_STEP, FIRING_RATE, RNN_MATRICES)
