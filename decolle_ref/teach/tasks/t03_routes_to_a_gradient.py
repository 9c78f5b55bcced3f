"""Notebook 03: routes to a gradient.  [N19 Eq. 6-8]"""

from collections.abc import Callable
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.teach.task import Slip, Task
from decolle_ref.teach.tasks.through_time import BACKWARD_STEP, LAST_LAYER_GRADIENT, RTRL_STEP

Loss = Callable[[Array], float]


def _draw_function(rng: np.random.Generator) -> tuple[Any, ...]:
    """A loss of a matrix, W (n, m), h."""
    a, b = rng.normal(size=(2, 2, 3))
    return lambda W: float(np.sin(a * W).sum() + (b * W).sum() ** 3), rng.normal(size=(2, 3)), rng.uniform(0.05, 0.2)


def _differences(f: Loss, W: Array, ahead: float, behind: float) -> Array:
    """(f(W + ahead e) - f(W - behind e)) / (ahead + behind) for every entry."""
    g = np.zeros_like(W)
    for index in np.ndindex(*W.shape):
        e = np.zeros_like(W)
        e[index] = 1
        g[index] = (f(W + ahead * e) - f(W - behind * e)) / (ahead + behind)
    return g


CENTRAL_DIFFERENCE = Task(
    "central_difference",
    lambda f, W, h: _differences(f, W, h, h),
    _draw_function,
    slips=(
        Slip(
            "divided by h",
            lambda f, W, h: 2 * _differences(f, W, h, h),
            "How far apart are the two points at which you evaluate f?",
        ),
        Slip(
            "wrong sign",
            lambda f, W, h: -_differences(f, W, h, h),
            "Which of the two values belongs to the larger weight?",
        ),
        Slip(
            "forward difference",
            lambda f, W, h: _differences(f, W, h, 0),
            "You go from W to W + h. Central differences go from W - h to W + h, and their error is much smaller.",
        ),
        Slip(
            "transposed",
            lambda f, W, h: _differences(f, W, h, h).T,
            "The entry [i, j] of the gradient belongs to W[i, j]: your array is transposed.",
        ),
        Slip(
            "all weights at once",
            lambda f, W, h: np.full(W.shape, (f(W + h) - f(W - h)) / (2 * h)),
            "W + h moves all weights together. Move one of them, and leave the others where they are.",
        ),
    ),
    forms=(
        lambda f, W, h: [
            [(f(W + h * _one(W, i, j)) - f(W - h * _one(W, i, j))) / (2 * h) for j in range(W.shape[1])]
            for i in range(len(W))
        ],
        lambda f, W, h: np.array(
            [f(W + h * e.reshape(W.shape)) / (2 * h) - f(W - h * e.reshape(W.shape)) / (2 * h) for e in np.eye(W.size)]
        ).reshape(W.shape),
    ),
)


def _one(W: Array, i: int, j: int) -> Array:
    e = np.zeros_like(W)
    e[i, j] = 1
    return e


def _draw_errors(rng: np.random.Generator) -> tuple[Any, ...]:
    """a (n,), W_above (m, n), delta_above (m,)."""
    return rng.normal(size=4), rng.normal(size=(3, 4)), rng.normal(size=3)


ERROR_BELOW = Task(
    "error_below",
    lambda a, W_above, delta_above: (1 - np.tanh(a) ** 2) * (W_above.T @ delta_above),
    _draw_errors,
    slips=(
        Slip(
            "without the derivative of the activation",
            lambda a, W_above, delta_above: W_above.T @ delta_above,
            "You have the derivative with respect to y. One factor leads from there to a, through y = tanh(a).",
        ),
        Slip(
            "tanh in place of its derivative",
            lambda a, W_above, delta_above: np.tanh(a) * (W_above.T @ delta_above),
            "The factor is the slope of tanh at a, not its value.",
        ),
        Slip(
            "not transposed",
            lambda a, W_above, delta_above: (1 - np.tanh(a) ** 2) * (W_above @ delta_above),
            "W_above leads upwards, from n neurons to m. The error travels downwards: which matrix fits?",
        ),
        Slip(
            "wrong sign",
            lambda a, W_above, delta_above: -(1 - np.tanh(a) ** 2) * (W_above.T @ delta_above),
            "This is the direction of the update; the error itself carries no minus sign.",
        ),
        Slip(
            "the logistic derivative",
            lambda a, W_above, delta_above: np.tanh(a) * (1 - np.tanh(a)) * (W_above.T @ delta_above),
            "y (1 - y) is the slope of the logistic function. What is the slope of tanh?",
        ),
    ),
    forms=(
        lambda a, W_above, delta_above: np.einsum("ki,k->i", W_above, delta_above) / np.cosh(a) ** 2,
        lambda a, W_above, delta_above: [
            sum(d * w for d, w in zip(delta_above, W_above[:, i], strict=True)) * (1 - np.tanh(a[i]) ** 2)
            for i in range(len(a))
        ],
    ),
)

TASKS = (CENTRAL_DIFFERENCE, ERROR_BELOW, BACKWARD_STEP, RTRL_STEP, LAST_LAYER_GRADIENT)
