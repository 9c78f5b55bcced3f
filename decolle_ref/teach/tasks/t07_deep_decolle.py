"""Notebook 07: deep DECOLLE."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle import lif, surrogate
from decolle_ref.teach.task import Slip, Task


def _slope(U: Array) -> Any:
    return surrogate.logistic.derivative(U)


ARRIVAL_STEP = Task(
    "arrival_step",
    lambda n, layer: n + 2 * layer,
    lambda rng: (int(rng.integers(3, 90)), int(rng.integers(2, 9))),
    slips=(
        Slip(
            "one step per layer",
            lambda n, layer: n + layer,
            "A spike passes two traces on its way through a layer: Q and then P.",
        ),
        Slip(
            "one layer too few",
            lambda n, layer: n + 2 * (layer - 1),
            "Test it with layer 1: a spike at n changes P[n+2].",
        ),
        Slip(
            "delay alone",
            lambda n, layer: 2 * layer,
            "This is the delay. At which step does the spike arrive, if it started at n?",
        ),
        Slip(
            "the next layer's traces",
            lambda n, layer: n + 2 * layer + 1,
            "U reads P of the same step, so it takes no step from P to U.",
        ),
    ),
    forms=(
        lambda n, layer: sum((1 + 1 for _ in range(layer)), n),
        lambda n, layer: np.array(n) + layer + layer,
    ),
)


def _draw_time_constants(rng: np.random.Generator) -> tuple[Any, ...]:
    """tau_mem, tau_syn (4,), dt."""
    return rng.uniform(10, 35, 4), rng.uniform(3, 8, 4), rng.uniform(0.4, 2)


def _gain(tau_mem: Array, tau_syn: Array, dt: float) -> Any:
    return lif.trace_gain(lif.neuron(tau_mem, tau_syn, 2.86, dt))


TRACE_GAIN = Task(
    "trace_gain",
    _gain,
    _draw_time_constants,
    slips=(
        Slip(
            "its inverse",
            lambda tau_mem, tau_syn, dt: 1 / _gain(tau_mem, tau_syn, dt),
            "The gain is larger than 1: solve Q = beta Q + 1 for Q once more.",
        ),
        Slip(
            "without the membrane",
            lambda tau_mem, tau_syn, dt: 1 / (1 - np.exp(-dt / tau_syn)),
            "This is the value that Q reaches. P sums up Q.",
        ),
        Slip(
            "without the synapse",
            lambda tau_mem, tau_syn, dt: 1 / (1 - np.exp(-dt / tau_mem)),
            "This would be right if Q stayed at 1. Which value does Q reach?",
        ),
        Slip(
            "sum of both",
            lambda tau_mem, tau_syn, dt: 1 / (1 - np.exp(-dt / tau_mem)) + 1 / (1 - np.exp(-dt / tau_syn)),
            "P does not add its gain to that of Q: a larger Q makes P larger in proportion.",
        ),
        Slip(
            "without the time step",
            lambda tau_mem, tau_syn, dt: _gain(tau_mem, tau_syn, 1.0),
            "The decay per step depends on dt. Is it among your numbers?",
        ),
    ),
    forms=(
        lambda tau_mem, tau_syn, dt: 1 / np.expm1(-dt / tau_mem) / np.expm1(-dt / tau_syn),
        lambda tau_mem, tau_syn, dt: [
            sum(np.exp(-dt * k / m) for k in range(4000)) * sum(np.exp(-dt * k / s) for k in range(4000))
            for m, s in zip(tau_mem, tau_syn, strict=True)
        ],
    ),
)


def _draw_update(rng: np.random.Generator) -> tuple[Any, ...]:
    """W (5, 4), b, G (5,), error, U (5,), P (4,), rate_W, rate_b."""
    vectors = rng.normal(size=(5, 4)), rng.normal(size=5), rng.normal(size=5), rng.uniform(0.5, 2), rng.normal(size=5)
    return *vectors, rng.uniform(0.5, 3, 4), rng.uniform(0.1, 0.3), rng.uniform(0.4, 0.8)


def _update(W: Array, b: Array, G: Array, error: Any, U: Array, P: Array, rate_W: Any, rate_b: Any) -> Any:
    dU = G * error * _slope(U)
    return W - rate_W * np.outer(dU, P), b - rate_b * dU


def _update_by_loops(W: Array, b: Array, G: Array, error: Any, U: Array, P: Array, rate_W: Any, rate_b: Any) -> Any:
    new_W, new_b = W.copy(), b.copy()
    for i in range(len(b)):
        slope = np.exp(-U[i]) / (1 + np.exp(-U[i])) ** 2
        new_b[i] -= rate_b * error * G[i] * slope
        for j in range(len(P)):
            new_W[i, j] -= rate_W * error * G[i] * slope * P[j]
    return [new_W, new_b]


def _update_by_columns(W: Array, b: Array, G: Array, error: Any, U: Array, P: Array, rate_W: Any, rate_b: Any) -> Any:
    dU = (-error * G / (2 + 2 * np.cosh(U)))[:, None]
    return W + dU @ (rate_W * P)[None, :], b + rate_b * dU[:, 0]


LAYER_UPDATE = Task(
    "layer_update",
    _update,
    _draw_update,
    slips=(
        Slip(
            "wrong sign",
            lambda W, b, G, error, U, P, rate_W, rate_b: _update(W, b, G, -error, U, P, rate_W, rate_b),
            "The loss would grow: the weights have to move against the gradient.",
        ),
        Slip(
            "wrong sign of W alone",
            lambda W, b, G, error, U, P, rate_W, rate_b: _update(W, b, G, error, U, -P, rate_W, rate_b),
            "The biases are right. In which direction must W move, against the gradient or with it?",
        ),
        Slip(
            "without the slope",
            lambda W, b, G, error, U, P, rate_W, rate_b: (
                W - rate_W * np.outer(G * error, P),
                b - rate_b * G * error,
            ),
            "Between the readout and the potential there is a sigma. Which factor does it give?",
        ),
        Slip(
            "without G",
            lambda W, b, G, error, U, P, rate_W, rate_b: _update(W, b, 1 + 0 * G, error, U, P, rate_W, rate_b),
            "Not every neuron acts on the output in the same way. Which weight leads from neuron i to Y?",
        ),
        Slip(
            "without the trace",
            lambda W, b, G, error, U, P, rate_W, rate_b: _update(W, b, G, error, U, 1 + 0 * P, rate_W, rate_b),
            "The bias is right. A weight acts on U through something that the bias does not need.",
        ),
        Slip(
            "bias without its update",
            lambda W, b, G, error, U, P, rate_W, rate_b: (_update(W, b, G, error, U, P, rate_W, rate_b)[0], b),
            "The weights are right. The biases learn, too.",
        ),
        Slip(
            "transposed",
            lambda W, b, G, error, U, P, rate_W, rate_b: (
                _update(W, b, G, error, U, P, rate_W, rate_b)[0].T,
                _update(W, b, G, error, U, P, rate_W, rate_b)[1],
            ),
            "The new W must have the shape of the old one: one row per neuron.",
        ),
    ),
    forms=(_update_by_loops, _update_by_columns),
    points=2,
)


def _draw_potentials(rng: np.random.Generator) -> tuple[Any, ...]:
    """U (6,), lambda1, lambda2: potentials on both sides of -0.01, also near it; their mean is above or below 0.1."""
    U = rng.permutation([-2.0, -0.6, -0.005, 0.004, 0.7, 1.4]) * rng.uniform(0.9, 1.1, 6)
    return U + rng.choice([0.0, 0.8], p=(0.6, 0.4)) * (abs(U) > 0.01), rng.uniform(0.5, 1), rng.uniform(1.5, 2)


def _penalty(U: Array, lambda1: Any, lambda2: Any) -> Any:
    return (lambda1 * (U > -0.01) - lambda2 * (U.mean() < 0.1)) / len(U)


REGULARISER_GRADIENT = Task(
    "regulariser_gradient",
    _penalty,
    _draw_potentials,
    slips=(
        Slip(
            "wrong sign of the second term",
            lambda U, lambda1, lambda2: _penalty(U, lambda1, -lambda2),
            "The second penalty falls if U grows. Which sign does its derivative have?",
        ),
        Slip(
            "both signs wrong",
            lambda U, lambda1, lambda2: -_penalty(U, lambda1, lambda2),
            "This is the direction in which the potentials move. The task asks for the derivative: it points uphill.",
        ),
        Slip(
            "without the mean",
            lambda U, lambda1, lambda2: len(U) * _penalty(U, lambda1, lambda2),
            "Both penalties are means over the neurons: how much does one neuron change a mean?",
        ),
        Slip(
            "kink at 0",
            lambda U, lambda1, lambda2: (lambda1 * (U > 0) - lambda2 * (U.mean() < 0.1)) / len(U),
            "From which value of U on is relu(U + 0.01) larger than 0?",
        ),
        Slip(
            "second term always on",
            lambda U, lambda1, lambda2: (lambda1 * (U > -0.01) - lambda2) / len(U),
            "The second penalty is zero where the mean is above 0.1.",
        ),
        Slip(
            "second term for each neuron",
            lambda U, lambda1, lambda2: (lambda1 * (U > -0.01) - lambda2 * (U < 0.1)) / len(U),
            "In the second penalty the mean is inside of relu: all neurons share one condition.",
        ),
        Slip(
            "the values of relu",
            lambda U, lambda1, lambda2: (
                lambda1 * np.maximum(U + 0.01, 0) / len(U) - lambda2 * max(0.1 - U.mean(), 0) / len(U)
            ),
            "These are the penalties themselves. The slope of relu is 0 or 1.",
        ),
    ),
    forms=(
        lambda U, lambda1, lambda2: [
            lambda1 / len(U) * (u > -0.01) - (lambda2 / len(U) if sum(U) / len(U) < 0.1 else 0) for u in U
        ],
        lambda U, lambda1, lambda2: (
            np.where(U >= -0.01, lambda1, 0.0) / U.size - np.heaviside(0.1 - U.mean(), 0) * lambda2 / U.size
        ),
    ),
    points=2,
)

LIVE_SHARE = Task(
    "live_share",
    lambda U: (_slope(U) > 0.025).mean(),
    lambda rng: (rng.normal(-1, 4, (7, 11)),),
    slips=(
        Slip(
            "a tenth instead of a tenth of the maximum",
            lambda U: (_slope(U) > 0.1).mean(),
            "The maximum of sigma' is at U = 0. Is it 1?",
        ),
        Slip(
            "sigma in place of its derivative",
            lambda U: (surrogate.logistic.primitive(U) > 0.025).mean(),
            "The gate is the slope of sigma, not sigma itself.",
        ),
        Slip(
            "share of spikes",
            lambda U: (U >= 0).mean(),
            "This is the share of spikes. The gate is also open just below the threshold.",
        ),
        Slip(
            "wrong axis",
            lambda U: (_slope(U) > 0.025).mean(axis=0),
            "The task asks for one number for all entries of U.",
        ),
        Slip(
            "a count",
            lambda U: (_slope(U) > 0.025).sum(),
            "The task asks for a share, between 0 and 1.",
        ),
    ),
    forms=(
        lambda U: (abs(U) < np.log(19 + np.sqrt(360))).mean(),
        lambda U: np.count_nonzero(1 / (2 + 2 * np.cosh(U)) > 1 / 40) / U.size,
    ),
)

TASKS = (ARRIVAL_STEP, TRACE_GAIN, LAYER_UPDATE, REGULARISER_GRADIENT, LIVE_SHARE)
