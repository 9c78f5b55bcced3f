"""Notebook 06: DECOLLE in one layer."""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle import rule, surrogate
from decolle_ref.decolle.objective import Objective, squared_error
from decolle_ref.decolle.readout import Readout
from decolle_ref.decolle.synapse import Dense
from decolle_ref.teach.task import Slip, Task


def _draw_factors(rng: np.random.Generator) -> tuple[Any, ...]:
    """G (n_out, n), dY (n_out,), U (n,), P (n_in,)."""
    return rng.normal(size=(3, 5)), rng.normal(size=3), rng.normal(size=5), rng.uniform(0.5, 3, 4)


def _weight_gradient(G: Array, dY: Array, U: Array, P: Array) -> Any:
    return np.outer((G.T @ dY) * surrogate.logistic.derivative(U), P)


def _sigmoid(U: Array) -> Any:
    return 1 / (1 + np.exp(-U))


def _slope(U: Array) -> Any:
    return _sigmoid(U) * (1 - _sigmoid(U))


def _by_the_package(G: Array, dY: Array, U: Array, P: Array) -> Array:
    readout = Readout(G, np.zeros(len(dY)))
    dU = rule.error_signal(readout, surrogate.logistic, Objective(squared_error), dY, U)
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
)

TASKS = (WEIGHT_GRADIENT,)
