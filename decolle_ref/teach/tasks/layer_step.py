"""Exercise 1 of notebook 06: one step of a layer.  [K20 Eq. 1]"""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle import lif, surrogate
from decolle_ref.decolle.lif import LIF
from decolle_ref.teach.task import Slip, Task


def _draw_step(rng: np.random.Generator) -> tuple[Any, ...]:
    """W (5, 4), b (5,), P, Q (4,), R (5,), spikes_in (4,), alpha, beta, gamma, delta."""
    W, b, P, Q = rng.normal(size=(5, 4)), rng.normal(size=5), rng.uniform(0.5, 3, 4), rng.uniform(0.5, 2, 4)
    R, spikes_in = rng.uniform(0.2, 2, 5), (rng.random(4) < 0.5).astype(float)
    return W, b, P, Q, R, spikes_in, *rng.uniform((0.9, 0.7, 0.5, 1.2), (0.97, 0.85, 0.65, 2.0))


def _layer_step(
    W: Array, b: Array, P: Array, Q: Array, R: Array, spikes_in: Array, alpha: Any, beta: Any, gamma: Any, delta: Any
) -> tuple[Array, ...]:
    alpha, beta, gamma, delta = (np.asarray(number) for number in (alpha, beta, gamma, delta))
    neuron = LIF(alpha, beta, gamma, delta, gain_Q=np.ones(()), gain_P=np.ones(()))
    new, _, U, S = lif.step(neuron, lambda P: W @ P + b, surrogate.at_threshold, lif.State(P, Q, R), spikes_in)
    return U, np.asarray(S, dtype=float), new.P, new.Q, new.R


def _step_with(**changes: Any) -> Any:
    """The step with other values of the arguments, computed from all of them."""

    def step(*arguments: Any) -> tuple[Array, ...]:
        named = dict(
            zip(("W", "b", "P", "Q", "R", "spikes_in", "alpha", "beta", "gamma", "delta"), arguments, strict=True)
        )
        return _layer_step(**(named | {name: change(named) for name, change in changes.items()}))

    return step


def _step_by_loops(
    W: Array, b: Array, P: Array, Q: Array, R: Array, spikes_in: Array, alpha: Any, beta: Any, gamma: Any, delta: Any
) -> list[Any]:
    U = [b[i] - delta * R[i] + sum(W[i, j] * P[j] for j in range(len(P))) for i in range(len(b))]
    S = [1 if u >= 0 else 0 for u in U]
    new_P, new_Q = ([decay * x + y for x, y in pairs] for decay, pairs in _decays(alpha, beta, P, Q, spikes_in))
    return [U, S, new_P, new_Q, [gamma * r + s for r, s in zip(R, S, strict=True)]]


def _decays(alpha: Any, beta: Any, P: Array, Q: Array, spikes_in: Array) -> Any:
    return (alpha, zip(P, Q, strict=True)), (beta, zip(Q, spikes_in, strict=True))


def _step_by_einsum(
    W: Array, b: Array, P: Array, Q: Array, R: Array, spikes_in: Array, alpha: Any, beta: Any, gamma: Any, delta: Any
) -> tuple[Any, ...]:
    U = np.einsum("ij,j->i", W, P) + b - R * delta
    S = np.heaviside(U, 1.0)
    return U, S, Q + alpha * P, spikes_in + beta * Q, S + gamma * R


def _new_Q_in_P(*arguments: Any) -> tuple[Array, ...]:
    U, S, _, Q_new, R = _layer_step(*arguments)
    return U, S, arguments[6] * arguments[2] + Q_new, Q_new, R


def _old_R_twice(*arguments: Any) -> tuple[Array, ...]:
    U, S, P, Q, R = _layer_step(*arguments)
    return U, S, P, Q, R - S


LAYER_STEP = Task(
    "layer_step",
    _layer_step,
    _draw_step,
    slips=(
        Slip(
            "wrong sign of the refractory term",
            _step_with(delta=lambda a: -a["delta"]),
            "After a spike the potential has to go down: look at the sign in front of delta.",
        ),
        Slip(
            "without the refractory term",
            _step_with(delta=lambda a: 0.0),
            "U has three terms in equation (2). Which one is missing?",
        ),
        Slip(
            "without the bias",
            _step_with(b=lambda a: 0 * a["b"]),
            "U has three terms in equation (2). Is the bias among yours?",
        ),
        Slip(
            "transposed",
            lambda W, b, P, Q, R, *rest: _layer_step(W.T, b, P, Q, R, *rest),
            "W has one row per neuron and one column per input. Which product sums over the inputs?",
        ),
        Slip(
            "P reads the new Q",
            _new_Q_in_P,
            "P[n+1] is made from the old Q[n]. Have you changed Q before you used it?",
        ),
        Slip(
            "alpha and beta swapped",
            _step_with(alpha=lambda a: a["beta"], beta=lambda a: a["alpha"]),
            "In this notebook alpha belongs to P and beta to Q; in the notebooks before it was the other way round.",
        ),
        Slip(
            "R without the new spike",
            _old_R_twice,
            "R decays, and every spike of the neuron adds something to it.",
        ),
    ),
    forms=(_step_by_loops, _step_by_einsum),
    points=2,
)
