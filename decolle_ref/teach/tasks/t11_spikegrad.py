"""Notebook 11: SpikeGrad.  One neuron, its residual spike, a layer of the equivalent network, and its errors."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Dense, Weights
from decolle_ref.spikegrad import ann
from decolle_ref.spikegrad.events import Phase, neurons, to_nearest
from decolle_ref.spikegrad.layers import IFLayer
from decolle_ref.teach.task import Slip, Task

Two = tuple[float, float]


def _draw_neuron(rng: np.random.Generator) -> tuple[Any, ...]:
    relu = bool(rng.integers(2))
    total = float(rng.integers(1, 3)) if relu else float(rng.integers(-2, 3))
    theta = float(rng.uniform(0.5, 1.5))
    sign = -1.0 if relu else float(rng.choice([-1, 1]))
    return sign * float(rng.uniform(3.2, 5.8)) * theta, total, theta, relu


def _settle(V: float, total: float, theta: float, relu: bool) -> Two:
    layer = neurons(np.array([V]), theta, relu)
    layer.total[0] = total
    Phase("forward", [layer], [], 1, "fifo", None, limit=1000).fire(0, np.arange(1))
    return float(layer.V[0]), float(layer.total[0])


def _settle_by_loop(V: float, total: float, theta: float, relu: bool) -> Two:
    while V >= theta or (V <= -theta and (total > 0 or not relu)):
        s = 1 if V > 0 else -1
        V, total = V - theta * s, total + s
    return V, total


def _settle_at_once(V: float, total: float, theta: float, relu: bool) -> Two:
    s = np.trunc(V / theta)
    s = max(s, -total) if relu else s
    return V - theta * s, total + s


def _settle_once(V: float, total: float, theta: float, relu: bool) -> Two:
    s = 1 if V >= theta else -1 if V <= -theta and (total > 0 or not relu) else 0
    return V - theta * s, total + s


def _settle_to_zero(V: float, total: float, theta: float, relu: bool) -> Two:
    return 0.0, total + np.sign(V)


SETTLE_NEURON = Task(
    "settle_neuron",
    _settle,
    _draw_neuron,
    slips=(
        Slip("one spike only", _settle_once, "After one spike V may still be beyond the threshold: use `while`."),
        Slip(
            "ReLU left out",
            lambda V, total, theta, relu: _settle(V, total, theta, False),
            "A ReLU neuron sends -1 only while its total is positive.",
        ),
        Slip(
            "reset to 0",
            _settle_to_zero,
            "A spike does not reset V: it subtracts theta times the spike, and the rest remains.",
        ),
        Slip(
            "total not counted",
            lambda V, total, theta, relu: (_settle(V, total, theta, relu)[0], total),
            "Every spike must be added to the total.",
        ),
        Slip(
            "wrong sign of the total",
            lambda V, total, theta, relu: (
                _settle(V, total, theta, relu)[0],
                2 * total - _settle(V, total, theta, relu)[1],
            ),
            "A spike of +1 makes the total larger and V smaller; -1 does the opposite.",
        ),
        Slip(
            "a spike of size theta",
            lambda V, total, theta, relu: (
                _settle(V, total, theta, relu)[0],
                total + theta * (_settle(V, total, theta, relu)[1] - total),
            ),
            "V changes by theta, the total by 1.",
        ),
    ),
    forms=(_settle_by_loop, _settle_at_once),
)


def _draw_residual(rng: np.random.Generator) -> tuple[Any, ...]:
    theta, n = 0.5, 24
    V = rng.integers(-7, 8, n) * theta / 8
    V[:6] = theta / 2 * np.array([1, -1, 1, -1, 1, -1])
    total = rng.integers(-3, 4, n).astype(float)
    total[:6] = [2, 2, -1, -1, 0, 0]
    return V, total, theta


def _residual_by_loop(V: Array, total: Array, theta: float) -> list[int]:
    answer = []
    for v, k in zip(V, total, strict=True):
        up = v >= theta / 2 if k >= 0 else v > theta / 2
        down = v <= -theta / 2 if k <= 0 else v < -theta / 2
        answer.append(1 if up else -1 if down else 0)
    return answer


def _residual_by_rounding(V: Array, total: Array, theta: float) -> Array:
    exact = total + V / theta
    return np.sign(exact) * np.floor(np.abs(exact) + 0.5) - total


RESIDUAL_SPIKE = Task(
    "residual_spike",
    to_nearest,
    _draw_residual,
    slips=(
        Slip(
            "ties always fire",
            lambda V, total, theta: (theta / 2 <= V).astype(int) - (theta / 2 <= -V),
            "Look at the ties: with total = 2 and V = -theta/2 the exact value is 1.5, which is rounded to 2.",
        ),
        Slip(
            "ties never fire",
            lambda V, total, theta: (theta / 2 < V).astype(int) - (theta / 2 < -V),
            "Look at the ties: with total = 2 and V = +theta/2 the exact value is 2.5, which is rounded to 3.",
        ),
        Slip(
            "rounds to even",
            lambda V, total, theta: np.round(total + V / theta) - total,
            "np.round rounds halves to the next even number: 0.5 becomes 0. Here halves go away from zero.",
        ),
        Slip(
            "wrong sign",
            lambda V, total, theta: -to_nearest(V, total, theta),
            "If V is positive, too few spikes have been sent: one more is needed.",
        ),
        Slip(
            "the rounded total",
            lambda V, total, theta: total + to_nearest(V, total, theta),
            "This is the total after the residual spike. Return the spike alone: -1, 0 or 1.",
        ),
        Slip(
            "threshold theta",
            lambda V, total, theta: (theta <= V).astype(int) - (theta <= -V),
            "After firing, |V| < theta always holds. The residual spike has half the threshold.",
        ),
    ),
    forms=(_residual_by_loop, _residual_by_rounding),
)


def _draw_layer(rng: np.random.Generator) -> tuple[Any, ...]:
    n_in, n = 6, 9
    W, b = rng.integers(-8, 9, (n, n_in)) / 8, rng.integers(-8, 9, n) / 8
    A, theta = rng.integers(0, 4, n_in).astype(float), 0.5
    b[:3] = [0.25 - W[0] @ A, 1.25 - W[1] @ A, -3.25 - W[2] @ A]  # two ties, and a negative sum
    return W, b, A, theta


def _layer(W: Array, b: Array, A: Array, theta: float) -> Array:
    layer = IFLayer(Dense(W.shape[1], len(W)), relu=True, theta_ff=theta)
    S: Array = ann.respond(layer, Weights(W, b), A[None]).S[0]
    return S


def _away(x: Array) -> Array:
    return np.asarray(np.sign(x) * np.floor(np.abs(x) + 0.5))


EQUIVALENT_LAYER = Task(
    "equivalent_layer",
    _layer,
    _draw_layer,
    slips=(
        Slip(
            "without rounding",
            lambda W, b, A, theta: np.maximum((W @ A + b) / theta, 0),
            "The results are numbers of spikes, so they are whole: round before you rectify.",
        ),
        Slip(
            "rounds to even",
            lambda W, b, A, theta: np.maximum(np.round((W @ A + b) / theta), 0),
            "np.round rounds halves to the next even number: 0.5 becomes 0. Here halves go away from zero.",
        ),
        Slip(
            "truncated",
            lambda W, b, A, theta: np.maximum(np.trunc((W @ A + b) / theta), 0),
            "The residual spike makes the total the nearest whole number, not the one towards zero.",
        ),
        Slip(
            "without relu",
            lambda W, b, A, theta: _away((W @ A + b) / theta),
            "A ReLU neuron's total is never negative.",
        ),
        Slip(
            "without the threshold",
            lambda W, b, A, theta: np.maximum(_away(W @ A + b), 0),
            "The sum is counted in units of theta.",
        ),
        Slip(
            "bias outside",
            lambda W, b, A, theta: np.maximum(_away(W @ A / theta) + b, 0),
            "The bias is part of the sum that is divided and rounded: V begins with it.",
        ),
        Slip(
            "wrong sign",
            lambda W, b, A, theta: np.maximum(_away(-(W @ A + b) / theta), 0),
            "relu keeps what is positive: check the sign of the sum.",
        ),
    ),
    forms=(
        lambda W, b, A, theta: np.maximum(_away((np.einsum("ij,j->i", W, A) + b) / theta), 0),
        lambda W, b, A, theta: np.floor(np.maximum((W @ A + b) / theta, 0) + 0.5),
        lambda W, b, A, theta: [max(0, int((w @ A + c) / theta + 0.5)) for w, c in zip(W, b, strict=True)],
    ),
)


def _draw_errors(rng: np.random.Generator) -> tuple[Any, ...]:
    n, above = 7, 4
    W, E = rng.integers(-8, 9, (above, n)) / 8, rng.integers(-3, 4, above).astype(float)
    E[0] = 2.0
    z = rng.normal(size=n)
    z[:3] = np.abs(z[:3])
    W[0, :2] += (np.array([1.25, -0.75]) - W[:, :2].T @ E) / 2  # two ties
    return W, E, z, 0.5


def _errors(W: Array, E: Array, z: Array, theta: float) -> Array:
    return ann.nearest(W.T @ E / theta) * (z > 0)


ERROR_TOTALS = Task(
    "error_totals",
    _errors,
    _draw_errors,
    slips=(
        Slip(
            "without the gate",
            lambda W, E, z, theta: _away(W.T @ E / theta),
            "The slope S' is missing: a neuron whose sum z was not positive sends no error spikes.",
        ),
        Slip(
            "gated by the sign",
            lambda W, E, z, theta: _away(W.T @ E / theta) * np.sign(z),
            "S' is 1 or 0, never -1.",
        ),
        Slip(
            "rectified",
            lambda W, E, z, theta: np.maximum(_away(W.T @ E / theta), 0) * (z > 0),
            "Errors have both signs: relu belongs to the forward pass, its slope to this one.",
        ),
        Slip(
            "without rounding",
            lambda W, E, z, theta: W.T @ E / theta * (z > 0),
            "Error spikes come in whole numbers.",
        ),
        Slip(
            "without the threshold",
            lambda W, E, z, theta: _away(W.T @ E) * (z > 0),
            "Errors are counted in units of the threshold of the backward pass.",
        ),
        Slip(
            "wrong sign",
            lambda W, E, z, theta: -_errors(W, E, z, theta),
            "Errors travel down with the sign of the weights; the minus sign belongs to the update.",
        ),
        Slip(
            "not transposed",
            lambda W, E, z, theta: W @ E,
            "W has one row per neuron above and one column per neuron of this layer. Errors go from above to here.",
        ),
    ),
    forms=(
        lambda W, E, z, theta: np.where(z > 0, _away(E @ W / theta), 0),
        lambda W, E, z, theta: _away(np.einsum("ki,k->i", W, E) / theta) * np.heaviside(z, 0.0),
        lambda W, E, z, theta: [float(_away(np.array(w @ E / theta))) * (g > 0) for w, g in zip(W.T, z, strict=True)],
    ),
)

TASKS = (SETTLE_NEURON, RESIDUAL_SPIKE, EQUIVALENT_LAYER, ERROR_TOTALS)
