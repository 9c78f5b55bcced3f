"""Notebook 12: check your own backend.  The five functions of a broken backend, mended."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.teach import right_backend
from decolle_ref.teach.task import Slip, Task


def _draw_traces(rng: np.random.Generator) -> tuple[Any, ...]:
    P, Q = rng.uniform(0.2, 3, (2, 3, 5))
    return P, Q, rng.integers(1, 3, (3, 5)).astype(float), *rng.uniform(0.6, 0.97, (2, 5))


def _traces_by_loop(P: Array, Q: Array, S_in: Array, alpha: Array, beta: Array) -> tuple[Array, Array]:
    new_P, new_Q = np.empty_like(P), np.empty_like(Q)
    for s, j in np.ndindex(P.shape):
        new_Q[s, j] = beta[j] * Q[s, j] + S_in[s, j]
        new_P[s, j] = alpha[j] * P[s, j] + Q[s, j]
    return new_P, new_Q


def _traces_in_other_order(P: Array, Q: Array, S_in: Array, alpha: Array, beta: Array) -> list[Array]:
    P = np.einsum("sj,j->sj", P, alpha) + Q
    Q = S_in + np.einsum("sj,j->sj", Q, beta)
    return [P, Q]


TRACES = Task(
    "mended_traces",
    right_backend.traces,
    _draw_traces,
    slips=(
        Slip(
            "P reads the new Q",
            lambda P, Q, S_in, a, b: (a * P + b * Q + S_in, b * Q + S_in),
            "This is still the mistake: Q has its new value already when P reads it. Equation (3) has Q[n].",
        ),
        Slip(
            "decays swapped",
            lambda P, Q, S_in, a, b: (b * P + Q, a * Q + S_in),
            "alpha is the decay of P, beta that of Q.",
        ),
        Slip(
            "results swapped",
            lambda P, Q, S_in, a, b: (b * Q + S_in, a * P + Q),
            "The values are right, and their order is not: return P first.",
        ),
        Slip(
            "wrong sign",
            lambda P, Q, S_in, a, b: (a * P - Q, b * Q + S_in),
            "Q makes P larger.",
        ),
        Slip(
            "P of the spikes",
            lambda P, Q, S_in, a, b: (a * P + S_in, b * Q + S_in),
            "P reads Q, and Q reads the spikes.",
        ),
    ),
    forms=(_traces_by_loop, _traces_in_other_order),
)


def _draw_potential(rng: np.random.Generator) -> tuple[Any, ...]:
    n_in, n, batch = 5, 4, 3
    P, R = rng.uniform(0.2, 3, (batch, n_in)), rng.uniform(0.2, 2, (batch, n))
    return rng.normal(size=(n, n_in)), rng.normal(size=n), P, R, rng.uniform(0.3, 0.8, n)


POTENTIAL = Task(
    "mended_potential",
    right_backend.potential,
    _draw_potential,
    slips=(
        Slip(
            "without the strength",
            lambda W, b, P, R, strength: P @ W.T + b - R,
            "This is still the mistake: the refractory strength delta of equation (1) is missing.",
        ),
        Slip(
            "wrong sign",
            lambda W, b, P, R, strength: P @ W.T + b + strength * R,
            "A neuron that has just fired must be less ready to fire again.",
        ),
        Slip(
            "strength of everything",
            lambda W, b, P, R, strength: strength * (P @ W.T + b - R),
            "delta multiplies R alone.",
        ),
        Slip(
            "without the bias",
            lambda W, b, P, R, strength: P @ W.T - strength * R,
            "One term of equation (1) is missing: the bias.",
        ),
        Slip(
            "transposed",
            lambda W, b, P, R, strength: right_backend.potential(W, b, P, R, strength).T,
            "U has one row per sample and one column per neuron.",
        ),
        Slip(
            "batch axis lost",
            lambda W, b, P, R, strength: W @ P.sum(axis=0) + b - strength * R.sum(axis=0),
            "The samples of a batch do not meet: nothing is summed over the first axis.",
        ),
    ),
    forms=(
        lambda W, b, P, R, strength: np.einsum("ij,sj->si", W, P) + b - strength * R,
        lambda W, b, P, R, strength: np.stack([W @ p - strength * r + b for p, r in zip(P, R, strict=True)]),
        lambda W, b, P, R, strength: (W @ P.T).T - R * strength[None, :] + b,
    ),
)


def _draw_refractory(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.uniform(0.2, 2, (3, 5)), rng.permuted(np.tile([0.0, 1.0, 1.0], (5, 1)).T), rng.uniform(0.5, 0.9, 5)


REFRACTORY = Task(
    "mended_refractory",
    right_backend.refractory,
    _draw_refractory,
    slips=(
        Slip(
            "decayed before it acts",
            lambda R, S, gamma: gamma * (R + S),
            "This is still the mistake: the new spike decays before U has read it. Only the old R decays.",
        ),
        Slip(
            "gamma on the spikes",
            lambda R, S, gamma: R + gamma * S,
            "Now the old R does not decay at all.",
        ),
        Slip(
            "wrong sign",
            lambda R, S, gamma: gamma * R - S,
            "R counts spikes upwards; the minus sign stands in equation (1).",
        ),
        Slip(
            "without decay",
            lambda R, S, gamma: R + S,
            "R must forget old spikes.",
        ),
        Slip(
            "transposed",
            lambda R, S, gamma: right_backend.refractory(R, S, gamma).T,
            "R has one row per sample and one column per neuron.",
        ),
    ),
    forms=(
        lambda R, S, gamma: S + np.einsum("si,i->si", R, gamma),
        lambda R, S, gamma: [
            [g * r + s for g, r, s in zip(gamma, *row, strict=True)] for row in zip(R, S, strict=True)
        ],
    ),
)


def _draw_error(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = int(rng.integers(2, 5)), int(rng.integers(5, 8))
    return rng.normal(size=shape), rng.normal(size=shape)


ERROR = Task(
    "mended_error",
    right_backend.error,
    _draw_error,
    slips=(
        Slip(
            "mean over the outputs alone",
            lambda Y, target: (Y - target) / Y.shape[1],
            "This is still the mistake: the loss is a mean over the samples, too.",
        ),
        Slip(
            "mean over the samples alone",
            lambda Y, target: (Y - target) / Y.shape[0],
            "The loss is a mean over the outputs, too.",
        ),
        Slip(
            "without the mean",
            lambda Y, target: Y - target,
            "The factor in front of the sum in (5) is missing.",
        ),
        Slip(
            "wrong sign",
            lambda Y, target: (target - Y) / Y.size,
            "If Y is too large, the loss grows with Y: then e is positive.",
        ),
        Slip(
            "half of it",
            lambda Y, target: (Y - target) / (2 * Y.size),
            "The derivative of a square brings a factor of 2.",
        ),
        Slip(
            "the mean of all errors",
            lambda Y, target: np.mean(Y - target),
            "There is one e for each output of each sample.",
        ),
    ),
    forms=(
        lambda Y, target: (Y - target) / (Y.shape[0] * Y.shape[1]),
        lambda Y, target: [
            [(y - t) / Y.size for y, t in zip(*row, strict=True)] for row in zip(Y, target, strict=True)
        ],
        lambda Y, target: -(target - Y) / len(Y) / len(Y.T),
    ),
)


def _draw_spikes(rng: np.random.Generator) -> tuple[Any, ...]:
    U = rng.normal(size=(3, 5))
    U[rng.integers(3), rng.integers(5)] = 0.0
    return (U,)


SPIKES = Task(
    "mended_spikes",
    right_backend.spikes,
    _draw_spikes,
    slips=(
        Slip(
            "above the threshold",
            lambda U: (U > 0).astype(float),
            "This is still the mistake: at U = 0 equation (2) says 1.",
        ),
        Slip("wrong sign", lambda U: (U <= 0).astype(float), "A neuron spikes when its potential is high."),
        Slip("-1 in place of 0", lambda U: np.where(U >= 0, 1.0, -1.0), "Where there is no spike, S is 0."),
        Slip("threshold 1", lambda U: (U >= 1).astype(float), "The threshold of this neuron is 0."),
        Slip("the sum of the spikes", lambda U: (U >= 0).sum(axis=0), "Every neuron of every sample has its own S."),
    ),
    forms=(
        lambda U: np.heaviside(U, 1.0),
        lambda U: 1.0 - (U < 0),
        lambda U: [[1.0 if u >= 0 else 0.0 for u in row] for row in U],
    ),
)

TASKS = (ERROR, TRACES, REFRACTORY, POTENTIAL, SPIKES)
