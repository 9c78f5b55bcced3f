"""Notebook 02: surrogates and the plateau problem.  [N19 Sec. IV, Fig. 3, 4]"""

from collections.abc import Callable
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle import surrogate
from decolle_ref.teach.task import Slip, Task


def _draw_distances(rng: np.random.Generator) -> tuple[Any, ...]:
    """x (n,), on both sides of the threshold, some of them further away than 1."""
    return (rng.permutation(np.concatenate([rng.uniform(-3, -1.2, 2), rng.uniform(-0.9, 0.9, 4), [1.5]])),)


def _surrogate_derivatives(x: Array) -> Any:
    return np.maximum(0, 1 - abs(x)), 1 / (1 + abs(x)) ** 2, np.exp(-abs(x))


SURROGATE_DERIVATIVES = Task(
    "surrogate_derivatives",
    lambda x: tuple(
        s.derivative(x) for s in (surrogate.piecewise_linear, surrogate.fast_sigmoid, surrogate.exponential)
    ),
    _draw_distances,
    slips=(
        Slip(
            "without the absolute value",
            lambda x: (np.maximum(0, 1 - x), 1 / (1 + x) ** 2, np.exp(-x)),
            "All three are symmetric: they depend on the distance from the threshold, on either side.",
        ),
        Slip(
            "a triangle that goes below zero",
            lambda x: (1 - abs(x), *_surrogate_derivatives(x)[1:]),
            "Far from the threshold your triangle is negative; there it should be 0.",
        ),
        Slip(
            "fast sigmoid without the square",
            lambda x: (_surrogate_derivatives(x)[0], 1 / (1 + abs(x)), _surrogate_derivatives(x)[2]),
            "Look at the second one: with your formula the area under the curve would be infinite.",
        ),
        Slip(
            "wrong sign in the exponent",
            lambda x: (*_surrogate_derivatives(x)[:2], np.exp(abs(x))),
            "Look at the third one: it should be largest at the threshold, and yours grows with the distance.",
        ),
    ),
    forms=(
        _surrogate_derivatives,
        lambda x: (
            [max(0.0, 1 - abs(u)) for u in x],
            [(1 + abs(u)) ** -2 for u in x],
            [np.exp(-abs(u)) for u in x],
        ),
        lambda x: (
            np.where(x * x < 1, 1 - np.sqrt(x * x), 0),
            (1 + x * np.sign(x)) ** -2.0,
            np.minimum(np.exp(x), np.exp(-x)),
        ),
    ),
)

FAST_SIGMOID_PRIMITIVE = Task(
    "fast_sigmoid_primitive",
    surrogate.fast_sigmoid.primitive,
    _draw_distances,
    slips=(
        Slip(
            "without the constant",
            lambda x: x / (1 + abs(x)),
            "The derivative is right. Which constant gives 1/2 at the threshold?",
        ),
        Slip(
            "wrong sign",
            lambda x: 0.5 - x / (1 + abs(x)),
            "Your function falls, but its derivative should be positive everywhere.",
        ),
        Slip(
            "normalised",
            lambda x: 0.5 + 0.5 * x / (1 + abs(x)),
            "This one rises from 0 to 1, so its derivative is half as high as asked. Differentiate it to see.",
        ),
        Slip(
            "without the absolute value",
            lambda x: 0.5 + x / (1 + x),
            "Right above the threshold, wrong below it: for x < 0 the absolute value is -x.",
        ),
    ),
    forms=(
        lambda x: np.where(x >= 0, 1.5 - 1 / (1 + abs(x)), -0.5 + 1 / (1 + abs(x))),
        lambda x: [0.5 + u / (1 + abs(u)) for u in x],
        lambda x: 0.5 + np.sign(x) * (1 - 1 / (1 + np.abs(x))),
    ),
)


def _draw_record(rng: np.random.Generator) -> tuple[Any, ...]:
    """x (T, n_in), sigma' (T,), alpha, beta."""
    x = (rng.random((9, 4)) < 0.5) * 1.0
    return x, rng.uniform(0.3, 0.9, 9), rng.uniform(0.6, 0.75), rng.uniform(0.85, 0.95)


def _weight_derivatives(
    x: Array, sigma_prime: Array, alpha: float, beta: float, reset: float = -1.0, through: float = 1.0
) -> Any:
    """dS/dW (T, n_in); `reset` and `through` change the reset and the surrogate, for wrong answers."""
    q, p, dS = np.zeros(x.shape[1]), np.zeros(x.shape[1]), []
    for x_n, slope in zip(x, sigma_prime, strict=True):
        dS.append(slope**through * p)
        q, p = alpha * q + x_n, beta * p + q + reset * dS[-1]
    return np.array(dS)


def _with_new_q(x: Array, sigma_prime: Array, alpha: float, beta: float) -> Any:
    q, p, dS = np.zeros(x.shape[1]), np.zeros(x.shape[1]), []
    for x_n, slope in zip(x, sigma_prime, strict=True):
        dS.append(slope * p)
        q = alpha * q + x_n
        p = beta * p + q - dS[-1]
    return np.array(dS)


def _by_loops(x: Array, sigma_prime: Array, alpha: float, beta: float) -> Any:
    T, n_in = x.shape
    dS = np.zeros((T, n_in))
    for j in range(n_in):
        q = p = 0.0
        for n in range(T):
            dS[n, j] = sigma_prime[n] * p
            q, p = alpha * q + x[n, j], (beta - sigma_prime[n]) * p + q
    return dS


def _by_products(x: Array, sigma_prime: Array, alpha: float, beta: float) -> Any:
    """p[n] as a sum over the steps at which current arrived, each carried on by a product of factors."""
    T = len(x)
    q = np.array([sum(alpha ** (n - 1 - m) * x[m] for m in range(n)) + 0 * x[0] for n in range(T)])
    carried = [[np.prod(beta - sigma_prime[m + 1 : n]) for m in range(n)] for n in range(T)]
    return np.array([sigma_prime[n] * (sum(c * q[m] for m, c in enumerate(carried[n])) + 0 * x[0]) for n in range(T)])


WEIGHT_DERIVATIVES = Task(
    "weight_derivatives",
    _weight_derivatives,
    _draw_record,
    slips=(
        Slip(
            "without the reset",
            lambda x, sigma_prime, alpha, beta: _weight_derivatives(x, sigma_prime, alpha, beta, reset=0.0),
            "One term of the equation of U is missing in yours: S[n] depends on the weights, too.",
        ),
        Slip(
            "wrong sign of the reset",
            lambda x, sigma_prime, alpha, beta: _weight_derivatives(x, sigma_prime, alpha, beta, reset=1.0),
            "Differentiate beta U + I - S again, with its sign.",
        ),
        Slip(
            "without the surrogate derivative",
            lambda x, sigma_prime, alpha, beta: _weight_derivatives(x, sigma_prime, alpha, beta, through=0.0),
            "You treat S as if it were U. The chain rule puts a factor between their derivatives.",
        ),
        Slip(
            "alpha and beta exchanged",
            lambda x, sigma_prime, alpha, beta: _weight_derivatives(x, sigma_prime, beta, alpha),
            "alpha belongs to the current I and so to q; beta belongs to U and so to p.",
        ),
        Slip(
            "the new q in p",
            _with_new_q,
            "U[n+1] depends on I[n], not on I[n+1]: which value of q belongs in p[n+1]?",
        ),
        Slip(
            "transposed",
            lambda x, sigma_prime, alpha, beta: _weight_derivatives(x, sigma_prime, alpha, beta).T,
            "One row per step, one column per input: your array is transposed.",
        ),
        Slip(
            "the derivative of U",
            lambda x, sigma_prime, alpha, beta: _weight_derivatives(x, sigma_prime, alpha, beta) / sigma_prime[:, None],
            "This is dU/dW. One factor leads from it to dS/dW.",
        ),
    ),
    forms=(_by_loops, _by_products),
)


def _draw_function(rng: np.random.Generator) -> tuple[Any, ...]:
    """A loss of a matrix, W (n, m), h."""
    a, b = rng.normal(size=(2, 2, 3))
    return lambda W: float(np.sin(a * W).sum() + (b * W).sum() ** 2), rng.normal(size=(2, 3)), rng.uniform(0.05, 0.2)


Loss = Callable[[Array], float]


def _moved(W: Array, index: tuple[int, ...], h: float) -> Array:
    moved = W.copy()
    moved[index] += h
    return moved


def _slopes(f: Loss, W: Array, h: float) -> Array:
    return np.array([(f(_moved(W, index, h)) - f(W)) / h for index in np.ndindex(*W.shape)])


DIFFERENCE_NORM = Task(
    "difference_norm",
    lambda f, W, h: np.linalg.norm(_slopes(f, W, h)),
    _draw_function,
    slips=(
        Slip(
            "not divided by the step",
            lambda f, W, h: np.linalg.norm(_slopes(f, W, h)) * h,
            "A slope is a difference divided by something.",
        ),
        Slip(
            "all weights at once",
            lambda f, W, h: abs(f(W + h) - f(W)) / h,
            "You move all weights together: this is one slope in one direction. The gradient has one slope per weight.",
        ),
        Slip(
            "the sum of magnitudes",
            lambda f, W, h: np.abs(_slopes(f, W, h)).sum(),
            "The slopes are right. The Euclidean norm is the root of the sum of their squares.",
        ),
        Slip(
            "a step to the left",
            lambda f, W, h: np.linalg.norm(_slopes(f, W, -h)),
            "You go from W to W - h. The exercise asks for a step of +h in each weight.",
        ),
    ),
    forms=(
        lambda f, W, h: sum(((f(_moved(W, k, h)) - f(W)) / h) ** 2 for k in np.ndindex(*W.shape)) ** 0.5,
        lambda f, W, h: np.sqrt(
            np.sum([(f(W + h * e.reshape(W.shape)) - f(W)) ** 2 for e in np.eye(W.size)])
        ) / h,
    ),
)  # fmt: skip


def _draw_line(rng: np.random.Generator) -> tuple[Any, ...]:
    """s (points,), not evenly spaced; L and g at them."""
    s = np.concatenate([[0], np.sort(rng.uniform(0.05, 0.95, 5)), [1]])
    return s, 2 - s + rng.normal(0, 0.1, 7), rng.uniform(-2, -1, 7)


def _integral(s: Array, g: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum((g[1:] + g[:-1]) / 2 * np.diff(s))])


def _virtual_loss(s: Array, L: Array, g: Array) -> Any:
    area = _integral(s, g)
    return L[0] + (L[-1] - L[0]) / area[-1] * area


def _by_growing_areas(s: Array, L: Array, g: Array) -> list[float]:
    area = [float(np.trapezoid(g[: k + 1], s[: k + 1])) for k in range(len(s))]
    return [L[0] * (1 - a / area[-1]) + L[-1] * a / area[-1] for a in area]


VIRTUAL_LOSS = Task(
    "virtual_loss",
    _virtual_loss,
    _draw_line,
    slips=(
        Slip(
            "not scaled",
            lambda s, L, g: L[0] + _integral(s, g),
            "It starts at the right loss; now scale the integral so that it also ends at the right one.",
        ),
        Slip(
            "without the loss at the start",
            lambda s, L, g: _virtual_loss(s, L, g) - L[0],
            "An integral is 0 at its start. Which constant do you have to add?",
        ),
        Slip(
            "wrong sign",
            lambda s, L, g: L[0] - (_virtual_loss(s, L, g) - L[0]),
            "Your curve goes up where the loss goes down: check the sign of the scale.",
        ),
        Slip(
            "points not evenly spaced",
            lambda s, L, g: _virtual_loss(np.linspace(0, 1, len(s)), L, g),
            "You assume that the points are evenly spaced. np.diff(s) is the length of each piece.",
        ),
    ),
    forms=(
        _by_growing_areas,
        lambda s, L, g: (
            L[0]
            + (L[-1] - L[0])
            * np.array([np.trapezoid(g[: k + 1], s[: k + 1]) for k in range(len(s))])
            / np.trapezoid(g, s)
        ),
    ),
)

TASKS = (SURROGATE_DERIVATIVES, FAST_SIGMOID_PRIMITIVE, WEIGHT_DERIVATIVES, DIFFERENCE_NORM, VIRTUAL_LOSS)
