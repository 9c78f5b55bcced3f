"""Notebook 06: DECOLLE in one layer."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle import objective, readout, rule, surrogate
from decolle_ref.decolle.objective import Objective
from decolle_ref.decolle.readout import Readout
from decolle_ref.decolle.synapse import Dense
from decolle_ref.teach.task import Slip, Task
from decolle_ref.teach.tasks.layer_step import LAYER_STEP


def _sigmoid(U: Array) -> Any:
    return 1 / (1 + np.exp(-U))


def _slope(U: Array) -> Any:
    return _sigmoid(U) * (1 - _sigmoid(U))


# 2: the loss of one step


def _draw_loss(rng: np.random.Generator) -> tuple[Any, ...]:
    """G (3, 5), U (5,), Y_hat (3,)."""
    return rng.normal(size=(3, 5)), rng.normal(0, 2, 5), rng.normal(size=3)


def _local_loss(G: Array, U: Array, Y_hat: Array) -> Any:
    Y = readout.output(Readout(G, np.zeros(len(Y_hat))), surrogate.logistic.primitive(U))
    return objective.squared_error.terms(Y, Y_hat).sum()


LOCAL_LOSS = Task(
    "local_loss",
    _local_loss,
    _draw_loss,
    slips=(
        Slip(
            "without the half",
            lambda G, U, Y_hat: ((G @ _sigmoid(U) - Y_hat) ** 2).sum(),
            "Compare the factor in front of the sum with equation (3).",
        ),
        Slip(
            "mean over the outputs",
            lambda G, U, Y_hat: 0.5 * ((G @ _sigmoid(U) - Y_hat) ** 2).mean(),
            "Equation (3) adds up the outputs and does not average over them.",
        ),
        Slip(
            "reads U",
            lambda G, U, Y_hat: 0.5 * ((G @ U - Y_hat) ** 2).sum(),
            "What does the readout read: the potential, or a function of it?",
        ),
        Slip(
            "reads the spikes",
            lambda G, U, Y_hat: 0.5 * ((G @ (U >= 0) - Y_hat) ** 2).sum(),
            "The readout of this layer reads the smooth sigma(U), and the spikes go to the next layer.",
        ),
        Slip(
            "wrong axis",
            lambda G, U, Y_hat: 0.5 * ((G @ _sigmoid(U) - Y_hat) ** 2),
            "Your result has one entry per output. Which sum of equation (3) is missing?",
        ),
    ),
    forms=(
        lambda G, U, Y_hat: sum(
            (sum(g / (1 + np.exp(-u)) for g, u in zip(row, U, strict=True)) - y) ** 2 / 2
            for row, y in zip(G, Y_hat, strict=True)
        ),
        lambda G, U, Y_hat: np.dot(_sigmoid(U) @ G.T - Y_hat, _sigmoid(U) @ G.T - Y_hat) / 2,
        lambda G, U, Y_hat: 0.5 * np.linalg.norm(G @ ((1 + np.tanh(U / 2)) / 2) - Y_hat) ** 2,
    ),
)

# 3: the three factors


def _draw_factors(rng: np.random.Generator) -> tuple[Any, ...]:
    """G (n_out, n), dY (n_out,), U (n,), P (n_in,)."""
    return rng.normal(size=(3, 5)), rng.normal(size=3), rng.normal(size=5), rng.uniform(0.5, 3, 4)


def _weight_gradient(G: Array, dY: Array, U: Array, P: Array) -> Any:
    return np.outer((G.T @ dY) * surrogate.logistic.derivative(U), P)


def _by_the_package(G: Array, dY: Array, U: Array, P: Array) -> Array:
    local = Readout(G, np.zeros(len(dY)))
    dU = rule.error_signal(local, surrogate.logistic, Objective(objective.squared_error), dY, U)
    return rule.gradient(Dense(len(P), len(U)), dU, P).W


def _by_loops(G: Array, dY: Array, U: Array, P: Array) -> list[list[float]]:
    slope = _slope(U)
    return [[float(sum(G[k, i] * dY[k] for k in range(len(dY))) * slope[i] * P_j) for P_j in P] for i in range(len(U))]


WEIGHT_GRADIENT = Task(
    "weight_gradient",
    _weight_gradient,
    _draw_factors,
    slips=(
        Slip(
            "wrong sign",
            lambda G, dY, U, P: -_weight_gradient(G, dY, U, P),
            "This is the direction in which the weights move; the gradient points uphill.",
        ),
        Slip(
            "transposed",
            lambda G, dY, U, P: _weight_gradient(G, dY, U, P).T,
            "Rows of W belong to neurons i, columns to inputs j. Compare the shape of your result with that of W.",
        ),
        Slip(
            "without the surrogate derivative",
            lambda G, dY, U, P: np.outer(G.T @ dY, P),
            "One of the three factors is missing: what turns dL/dS into dL/dU?",
        ),
        Slip(
            "sigma in place of its derivative",
            lambda G, dY, U, P: np.outer((G.T @ dY) * _sigmoid(U), P),
            "The second factor is the slope of sigma at U, and you have taken its value.",
        ),
        Slip(
            "without the projection through G",
            lambda G, dY, U, P: np.outer(dY.sum() * _slope(U), P),
            "Every neuron has its own error: through which weights does it influence the outputs?",
        ),
    ),
    forms=(
        _by_the_package,
        _by_loops,
        lambda G, dY, U, P: np.einsum("ki,k,i,j->ij", G, dY, _slope(U), P),
        lambda G, dY, U, P: ((dY @ G) / (2 + np.exp(U) + np.exp(-U)))[:, None] * P[None, :],
    ),
    points=2,
)

# 4: another loss


def _draw_outputs(rng: np.random.Generator) -> tuple[Any, ...]:
    """Y, Y_hat (6,), with errors on both sides of 1 and of both signs."""
    Y_hat = rng.normal(size=6)
    return Y_hat + rng.permutation([-2.5, -1.5, -0.7, 0.3, 0.8, 1.9]) * rng.uniform(0.9, 1.1, 6), Y_hat


SMOOTH_L1_ERROR = Task(
    "smooth_l1_error",
    lambda Y, Y_hat: np.clip(Y - Y_hat, -1, 1),
    _draw_outputs,
    slips=(
        Slip(
            "wrong sign",
            lambda Y, Y_hat: np.clip(Y_hat - Y, -1, 1),
            "If Y is too large, the loss grows with Y: then e has to be positive.",
        ),
        Slip(
            "of the squared error",
            lambda Y, Y_hat: Y - Y_hat,
            "This is right for small errors. What is the slope of |d| - 1/2?",
        ),
        Slip(
            "the sign of the error everywhere",
            lambda Y, Y_hat: np.sign(Y - Y_hat),
            "This is right for large errors. What is the slope of d^2/2 where |d| < 1?",
        ),
        Slip(
            "the loss itself",
            lambda Y, Y_hat: np.where(abs(Y - Y_hat) < 1, (Y - Y_hat) ** 2 / 2, abs(Y - Y_hat) - 0.5),
            "This is the loss of each output. The task asks for its derivative.",
        ),
        Slip(
            "clipped from one side",
            lambda Y, Y_hat: np.minimum(Y - Y_hat, 1),
            "An error of -3 is as large as one of +3.",
        ),
    ),
    forms=(
        lambda Y, Y_hat: [max(-1.0, min(1.0, y - goal)) for y, goal in zip(Y, Y_hat, strict=True)],
        lambda Y, Y_hat: np.where(abs(Y - Y_hat) < 1, Y - Y_hat, np.sign(Y - Y_hat)),
        lambda Y, Y_hat: objective.smooth_l1.slope(Y, Y_hat),
    ),
)

# 5: the refractory state's dependence on the weights


def _draw_refractory(rng: np.random.Generator) -> tuple[Any, ...]:
    """E (5, 4), slope (5,), P (4,), gamma, delta."""
    E, slope, P = rng.uniform(0.1, 2, (5, 4)), rng.uniform(0.02, 0.25, 5), rng.uniform(0.5, 3, 4)
    return E, slope, P, rng.uniform(0.5, 0.8), rng.uniform(1.5, 3)


REFRACTORY_STEP = Task(
    "refractory_step",
    lambda E, slope, P, gamma, delta: gamma * E + slope[:, None] * (P - delta * E),
    _draw_refractory,
    slips=(
        Slip(
            "without the effect of R on U",
            lambda E, slope, P, gamma, delta: gamma * E + np.outer(slope, P),
            "U depends on W through P and through R. Your second term has only one of the two.",
        ),
        Slip(
            "wrong sign",
            lambda E, slope, P, gamma, delta: gamma * E + slope[:, None] * (P + delta * E),
            "R lowers U: with which sign does delta E enter dU/dW?",
        ),
        Slip(
            "without the decay",
            lambda E, slope, P, gamma, delta: E + slope[:, None] * (P - delta * E),
            "R decays from step to step, and its derivative decays in the same way.",
        ),
        Slip(
            "without the slope",
            lambda E, slope, P, gamma, delta: gamma * E + (P - delta * E),
            "R changes with S, and S with U: by which factor does dS differ from dU?",
        ),
        Slip(
            "transposed",
            lambda E, slope, P, gamma, delta: (gamma * E + slope[:, None] * (P - delta * E)).T,
            "E has the shape of W: one row per neuron, one column per input.",
        ),
        Slip(
            "slope along the wrong axis",
            lambda E, slope, P, gamma, delta: gamma * E + slope * (P - delta * E),
            "The slope belongs to the neuron, so it multiplies rows: make it a column.",
        ),
    ),
    forms=(
        lambda E, slope, P, gamma, delta: (gamma - delta * slope)[:, None] * E + np.outer(slope, P),
        lambda E, slope, P, gamma, delta: [
            [gamma * e + s * (p - delta * e) for e, p in zip(row, P, strict=True)]
            for row, s in zip(E, slope, strict=True)
        ],
        lambda E, slope, P, gamma, delta: gamma * E + np.diag(slope) @ (P[None, :] - delta * E),
    ),
    points=2,
)

TASKS = (LAYER_STEP, LOCAL_LOSS, WEIGHT_GRADIENT, SMOOTH_L1_ERROR, REFRACTORY_STEP)
