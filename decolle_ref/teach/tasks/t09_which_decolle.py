"""Notebook 09: which DECOLLE?  The traces of a step, matched weights and refractory strengths, the update of 2020."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle import lif, rule
from decolle_ref.decolle.dialects import dcll, decolle
from decolle_ref.decolle.lif import LIF, State
from decolle_ref.decolle.objective import Objective, squared_error
from decolle_ref.decolle.readout import Readout
from decolle_ref.decolle.surrogate import at_threshold
from decolle_ref.decolle.synapse import Dense
from decolle_ref.teach.task import Slip, Task

Three = tuple[Array, Array, Array]
READS = ((0, 0), (1, 1), (0, 1), (1, 0))  # old or new, for P and for U: all four come up


def _draw_traces(rng: np.random.Generator) -> tuple[Any, ...]:
    n = int(rng.integers(3, 7))
    P, Q = rng.uniform(0.2, 3, (2, n))
    decays, gains = rng.uniform(0.7, 0.97, 2), rng.uniform(0.2, 4, 2)
    alpha, beta, gain_Q, gain_P = map(float, (*decays, *gains))
    return P, Q, rng.integers(1, 3, n), alpha, beta, gain_Q, gain_P, *READS[int(rng.integers(4))]


def _traces(
    P: Array, Q: Array, spikes: Array, alpha: float, beta: float, g_Q: float, g_P: float, P_reads: int, U_reads: int
) -> Three:
    new_Q = beta * Q + g_Q * spikes
    new_P = alpha * P + g_P * (Q, new_Q)[P_reads]
    return (P, new_P)[U_reads], new_P, new_Q


def _traces_by_lif_step(
    P: Array, Q: Array, spikes: Array, alpha: float, beta: float, g_Q: float, g_P: float, P_reads: int, U_reads: int
) -> Three:
    one = np.ones(())
    neuron = LIF(alpha * one, beta * one, 0 * one, 0 * one, g_Q * one, g_P * one, P_reads, U_reads)
    after, read, _, _ = lif.step(neuron, lambda P: P, at_threshold, State(P, Q, np.zeros(len(P))), spikes)
    return read.P, after.P, after.Q


def _traces_by_loop(
    P: Array, Q: Array, spikes: Array, alpha: float, beta: float, g_Q: float, g_P: float, P_reads: int, U_reads: int
) -> list[Array]:
    rows = []
    for p, q, s in zip(P, Q, spikes, strict=True):
        new_q = g_Q * s + beta * q
        new_p = alpha * p + g_P * (new_q if P_reads == 1 else q)
        rows.append([new_p if U_reads == 1 else p, new_p, new_q])
    return list(np.array(rows).T)


def _traces_swapped(
    P: Array, Q: Array, spikes: Array, alpha: float, beta: float, g_Q: float, g_P: float, P_reads: int, U_reads: int
) -> Three:
    return _traces(P, Q, spikes, beta, alpha, g_Q, g_P, P_reads, U_reads)


DIALECT_TRACES = Task(
    "dialect_traces",
    _traces,
    _draw_traces,
    slips=(
        Slip(
            "without gains",
            lambda P, Q, s, a, b, g_Q, g_P, p, u: _traces(P, Q, s, a, b, 1.0, 1.0, p, u),
            "The gains of equations (1) and (2) are missing: one is a factor of the spikes, one a factor of Q.",
        ),
        Slip(
            "gain of P on both terms",
            lambda P, Q, s, a, b, g_Q, g_P, p, u: _traces(P, Q, s, a * g_P, b, g_Q, g_P, p, u),
            "The gain g_P belongs to Q on its way into P. The old P only decays.",
        ),
        Slip(
            "decays swapped",
            _traces_swapped,
            "Check the letters: here alpha is the decay of P, the membrane, and beta the decay of Q, the synapse.",
        ),
        Slip(
            "always the old Q",
            lambda P, Q, s, a, b, g_Q, g_P, p, u: _traces(P, Q, s, a, b, g_Q, g_P, 0, u),
            "P_reads decides which Q goes into the new P: yours always takes the old one.",
        ),
        Slip(
            "always the new Q",
            lambda P, Q, s, a, b, g_Q, g_P, p, u: _traces(P, Q, s, a, b, g_Q, g_P, 1, u),
            "P_reads decides which Q goes into the new P: yours always takes the new one. Is the old Q overwritten?",
        ),
        Slip(
            "U always reads the old P",
            lambda P, Q, s, a, b, g_Q, g_P, p, u: _traces(P, Q, s, a, b, g_Q, g_P, p, 0),
            "U_reads decides which P is the first result: yours always returns the old one.",
        ),
        Slip(
            "U always reads the new P",
            lambda P, Q, s, a, b, g_Q, g_P, p, u: _traces(P, Q, s, a, b, g_Q, g_P, p, 1),
            "U_reads decides which P is the first result: yours always returns the new one.",
        ),
        Slip(
            "wrong sign of the input",
            lambda P, Q, s, a, b, g_Q, g_P, p, u: _traces(P, Q, -s, a, b, g_Q, g_P, p, u),
            "A spike makes Q larger.",
        ),
    ),
    forms=(_traces_by_lif_step, _traces_by_loop),
)


def _draw_weights(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(5, 4)), rng.uniform(0.5, 3, 4), rng.uniform(4, 200, 4)


def _matched(W: Array, gain: Array, new_gain: Array) -> Array:
    return W * (gain / new_gain)


def _matched_by_loop(W: Array, gain: Array, new_gain: Array) -> list[list[float]]:
    return [[w * gain[j] / new_gain[j] for j, w in enumerate(row)] for row in W]


MATCHED_WEIGHTS = Task(
    "matched_weights",
    _matched,
    _draw_weights,
    slips=(
        Slip(
            "upside down",
            lambda W, gain, new_gain: W * new_gain / gain,
            "If the new gains are larger, the new weights must be smaller.",
        ),
        Slip(
            "without the old gain",
            lambda W, gain, new_gain: W / new_gain,
            "One of the two gains is missing. What must be equal in both dialects is W times gain.",
        ),
        Slip(
            "one factor for all inputs",
            lambda W, gain, new_gain: W * np.mean(gain / new_gain),
            "Each input has its own gain, so each column of W has its own factor.",
        ),
        Slip(
            "transposed",
            lambda W, gain, new_gain: _matched(W, gain, new_gain).T,
            "Rows of W belong to neurons, columns to inputs. W' has the shape of W.",
        ),
        Slip(
            "wrong axis",
            lambda W, gain, new_gain: W * (gain / new_gain)[:, None],
            "The factor has one entry per input, and inputs are the columns of W: the last axis.",
        ),
        Slip(
            "the wrong direction of the sum",
            lambda W, gain, new_gain: W @ (gain / new_gain),
            "Nothing is summed here: every entry of W is multiplied by the factor of its column.",
        ),
    ),
    forms=(
        _matched_by_loop,
        lambda W, gain, new_gain: np.einsum("ij,j,j->ij", W, gain, 1 / new_gain),
        lambda W, gain, new_gain: W @ np.diag(gain / new_gain),
        lambda W, gain, new_gain: (W.T * gain[:, None] / new_gain[:, None]).T,
    ),
)


def _draw_strengths(rng: np.random.Generator) -> tuple[Any, ...]:
    n = int(rng.integers(3, 7))
    return rng.uniform(0.5, 3, n), rng.uniform(0.55, 0.95, n)


def _matched_w(w: Array, gamma: Array) -> Array:
    delta = dcll.value("refractory")(gamma) * w
    return np.asarray(delta / decolle.value("refractory")(gamma))


MATCHED_W = Task(
    "matched_w",
    _matched_w,
    _draw_strengths,
    slips=(
        Slip(
            "upside down",
            lambda w, gamma: w * (1 - gamma) / gamma,
            "You have converted in the other direction, from `decolle` to `dcll`.",
        ),
        Slip(
            "delta in place of w",
            lambda w, gamma: gamma * w,
            "This is delta. Which w gives this delta in `decolle`?",
        ),
        Slip(
            "without gamma",
            lambda w, gamma: w / (1 - gamma),
            "In `dcll` the state A has decayed once before U reads it, so delta is not w there.",
        ),
        Slip(
            "product of both factors",
            lambda w, gamma: gamma * (1 - gamma) * w,
            "Set the two expressions for delta equal, and solve for the new w.",
        ),
        Slip(
            "wrong sign",
            lambda w, gamma: gamma * w / (gamma - 1),
            "Both strengths are positive. The minus signs of A and R' are in equation (3) already.",
        ),
    ),
    forms=(
        lambda w, gamma: gamma * w / (1 - gamma),
        lambda w, gamma: w / (1 / gamma - 1),
        lambda w, gamma: [w_i * g / (1 - g) for w_i, g in zip(w, gamma, strict=True)],
    ),
)


def _draw_factors(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(0, 0.3, 5), rng.uniform(0.5, 3, 4), rng.normal(size=3), rng.normal(size=(3, 5))


def _gradient(U: Array, P: Array, e: Array, G: Array) -> Array:
    dU = rule.error_signal(Readout(G, np.zeros(len(e))), decolle.triple(), Objective(squared_error), e, U)
    return rule.gradient(Dense(len(P), len(U)), dU, P).W


def _slope(U: Array) -> Array:
    return np.asarray(1 / (10 * np.abs(U) + 1) ** 2)


def _gradient_by_loop(U: Array, P: Array, e: Array, G: Array) -> Array:
    dW = np.zeros((len(U), len(P)))
    for i, j in np.ndindex(dW.shape):
        dW[i, j] = sum(G[k, i] * e[k] for k in range(len(e))) / (10 * abs(U[i]) + 1) ** 2 * P[j]
    return dW


GRADIENT_2020 = Task(
    "gradient_2020",
    _gradient,
    _draw_factors,
    slips=(
        Slip(
            "wrong sign",
            lambda U, P, e, G: -_gradient(U, P, e, G),
            "The task asks for the gradient. The minus sign belongs to the update.",
        ),
        Slip(
            "transposed",
            lambda U, P, e, G: _gradient(U, P, e, G).T,
            "Rows of W belong to neurons i, columns to inputs j.",
        ),
        Slip(
            "without the surrogate derivative",
            lambda U, P, e, G: np.outer(G.T @ e, P),
            "One of the three factors is missing: the one that depends on U.",
        ),
        Slip(
            "with the logistic derivative",
            lambda U, P, e, G: np.outer((G.T @ e) / (2 + np.exp(U) + np.exp(-U)), P),
            "This is the surrogate derivative of `paper` and `dcll`. The code of 2020 has another one.",
        ),
        Slip(
            "without the square",
            lambda U, P, e, G: np.outer((G.T @ e) / (10 * np.abs(U) + 1), P),
            "Read sigma'(U) again: the whole denominator is squared.",
        ),
        Slip(
            "without the absolute value",
            lambda U, P, e, G: np.outer((G.T @ e) / (10 * U + 1) ** 2, P),
            "sigma' is symmetric about the threshold: U and -U have the same slope.",
        ),
    ),
    forms=(
        _gradient_by_loop,
        lambda U, P, e, G: np.einsum("ki,k,i,j->ij", G, e, _slope(U), P),
        lambda U, P, e, G: ((e @ G) * _slope(U))[:, None] * P,
    ),
)

TASKS = (DIALECT_TRACES, MATCHED_WEIGHTS, MATCHED_W, GRADIENT_2020)
