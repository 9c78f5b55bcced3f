"""Notebook 04: random feedback and local errors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.audit import dropped
from decolle_ref.credit.methods import local
from decolle_ref.credit.methods.online import StepInputs
from decolle_ref.credit.neuron import rate, spiking
from decolle_ref.experiments.alignment_networks import angle
from decolle_ref.teach.task import Slip, Task


def _slope(a: Array) -> Array:
    return rate.tanh.sigma_prime(a)


def _wrong_batches(error: Callable[..., Any]) -> tuple[Slip, Slip]:
    """The slips of every error of shape (batch, n) that concern its axes."""
    return (
        Slip(
            "transposed",
            lambda *p: error(*p).T,
            "The result has one row for each sample of the batch, as a has.",
        ),
        Slip(
            "summed over the batch",
            lambda *p: error(*p).sum(axis=0),
            "Every sample has errors of its own. The sum over the batch comes later, in dW.",
        ),
    )


def _draw_alignment(rng: np.random.Generator) -> tuple[Any, ...]:
    """a (batch, n), G (n_above, n), delta_above (batch, n_above)."""
    return rng.normal(size=(6, 4)), rng.normal(size=(3, 4)), rng.normal(size=(6, 3))


def _feedback_alignment_error(a: Array, G: Array, delta_above: Array) -> Any:
    return _slope(a) * (delta_above @ G)


def _alignment_by_the_package(a: Array, G: Array, delta_above: Array) -> Any:
    y = np.tanh(a)
    top = np.zeros_like(delta_above)  # sigma'(0) = 1, so that delta at the top is dL/dy
    return rate.feedback_alignment(rate.tanh, [G], rate.Record((a, top), (y, y, top)), delta_above)[0]


def _alignment_by_loops(a: Array, G: Array, delta_above: Array) -> Any:
    delta = np.zeros(a.shape)
    for b in range(a.shape[0]):
        for i in range(a.shape[1]):
            for k in range(len(G)):
                delta[b, i] += (1 - np.tanh(a[b, i]) ** 2) * delta_above[b, k] * G[k, i]
    return delta


FEEDBACK_ALIGNMENT_ERROR = Task(
    "feedback_alignment_error",
    _feedback_alignment_error,
    _draw_alignment,
    slips=(
        Slip(
            "wrong sign",
            lambda a, G, delta_above: -_feedback_alignment_error(a, G, delta_above),
            "An error points uphill, as a gradient does. The minus belongs to the update of the weights.",
        ),
        Slip(
            "without the derivative",
            lambda a, G, delta_above: delta_above @ G,
            "One factor of equation (3) is missing: what turns an error of y into an error of a?",
        ),
        Slip(
            "sigma in place of its derivative",
            lambda a, G, delta_above: np.tanh(a) * (delta_above @ G),
            "The first factor is the slope of tanh at a, and you have taken its value.",
        ),
        Slip(
            "derivative at y",
            lambda a, G, delta_above: _slope(np.tanh(a)) * (delta_above @ G),
            "sigma' is taken at a. You have applied tanh twice.",
        ),
        Slip(
            "feedback matrix transposed",
            lambda a, G, delta_above: _slope(a) * (delta_above @ G.T),
            "The error of neuron i is a sum over the neurons k above. Which axis of G, (n_above, n), counts k?",
        ),
        *_wrong_batches(_feedback_alignment_error),
    ),
    forms=(
        _alignment_by_the_package,
        _alignment_by_loops,
        lambda a, G, delta_above: np.einsum("bk,ki,bi->bi", delta_above, G, 1 / np.cosh(a) ** 2),
        lambda a, G, delta_above: ((G.T @ delta_above.T) * (1 - np.tanh(a.T) ** 2)).T,
    ),
)


def _draw_local(rng: np.random.Generator) -> tuple[Any, ...]:
    """a (batch, n), G (n_out, n), target (batch, n_out)."""
    return rng.normal(size=(6, 5)), rng.normal(size=(3, 5)), rng.normal(size=(6, 3))


def _local_error(a: Array, G: Array, target: Array) -> Any:
    return _slope(a) * ((np.tanh(a) @ G.T - target) @ G)


def _local_by_the_package(a: Array, G: Array, target: Array) -> Any:
    y = np.tanh(a)
    return rate.local_errors(rate.tanh, [G], rate.Record((a, target), (y, y, target)), target, 0 * target)[0]


def _local_by_loops(a: Array, G: Array, target: Array) -> Any:
    rows = []
    for a_b, target_b in zip(a, target, strict=True):
        e = [G_k @ np.tanh(a_b) - t for G_k, t in zip(G, target_b, strict=True)]
        rows.append(sum(e_k * G_k for e_k, G_k in zip(e, G, strict=True)) / np.cosh(a_b) ** 2)
    return np.array(rows)


LOCAL_ERROR = Task(
    "local_error",
    _local_error,
    _draw_local,
    slips=(
        Slip(
            "wrong sign",
            lambda a, G, target: -_local_error(a, G, target),
            "The derivative of (Y - target)^2 / 2 with respect to Y is Y - target, in this order.",
        ),
        Slip(
            "without the derivative",
            lambda a, G, target: (np.tanh(a) @ G.T - target) @ G,
            "This is dL/dy. Equation (6) asks for the error of a: one more factor of the chain rule.",
        ),
        Slip(
            "reads a",
            lambda a, G, target: _slope(a) * ((a @ G.T - target) @ G),
            "The readout sees what the neurons send, y, and not what they receive, a.",
        ),
        Slip(
            "without the target",
            lambda a, G, target: _slope(a) * (np.tanh(a) @ G.T @ G),
            "Where does the target enter? The error is the difference between the readout and the target.",
        ),
        Slip(
            "error of the readout",
            lambda a, G, target: np.tanh(a) @ G.T - target,
            "This is the error of the readout Y. Send it back to the neurons: G is used a second time.",
        ),
        *_wrong_batches(_local_error),
    ),
    forms=(
        _local_by_the_package,
        _local_by_loops,
        lambda a, G, target: np.einsum(
            "bk,ki,bi->bi", np.einsum("ki,bi->bk", G, np.tanh(a)) - target, G, 1 - np.tanh(a) ** 2
        ),
    ),
)


def _cosine(A: Array, B: Array) -> Any:
    return dropped.cosine(A.ravel(), B.ravel())


def _unit(A: Array) -> Any:
    return A / np.linalg.norm(A)


ANGLE_BETWEEN = Task(
    "angle_between",
    angle,
    lambda rng: (rng.normal(size=(4, 3)), rng.normal(0.4, 1, size=(4, 3))),
    slips=(
        Slip(
            "in radians",
            lambda A, B: np.radians(angle(A, B)),
            "The angle is asked in degrees: a full turn is 360, not 2 pi.",
        ),
        Slip("the cosine", _cosine, "This is the cosine of the angle. Which function of NumPy undoes a cosine?"),
        Slip(
            "not normalised",
            lambda A, B: np.degrees(np.arccos(np.clip((A * B).sum(), -1, 1))),
            "The cosine is the product divided by both lengths. Without this the arccos gets numbers beyond 1.",
        ),
        Slip(
            "wrong sign",
            lambda A, B: 180 - angle(A, B),
            "Two equal arrays have the angle 0, and opposite ones 180. Yours is the other way round.",
        ),
        Slip(
            "column by column",
            lambda A, B: np.degrees(
                np.arccos((A * B).sum(axis=0) / (np.linalg.norm(A, axis=0) * np.linalg.norm(B, axis=0)))
            ),
            "A and B are two long vectors, whatever their shape. The sums run over all entries: one angle.",
        ),
        Slip(
            "the 2-norm of a matrix",
            lambda A, B: np.degrees(np.arccos((A * B).sum() / (np.linalg.norm(A, 2) * np.linalg.norm(B, 2)))),
            "For a matrix, np.linalg.norm(A, 2) is the largest singular value. You need the root of a sum of squares.",
        ),
    ),
    forms=(
        lambda A, B: np.degrees(np.arccos(np.vdot(A, B) / np.sqrt(np.vdot(A, A) * np.vdot(B, B)))),
        lambda A, B: np.degrees(np.arccos(_cosine(A, B))),
        lambda A, B: np.degrees(
            2 * np.arctan2(np.linalg.norm(_unit(A) - _unit(B)), np.linalg.norm(_unit(A) + _unit(B)))
        ),
    ),
)


def _draw_spiking(rng: np.random.Generator) -> tuple[Any, ...]:
    """S, slope (batch, n), P (batch, n_in), G (n_out, n), target (batch, n_out)."""
    S = (rng.random((6, 5)) < 0.5).astype(float)
    return (
        S,
        rng.uniform(0.1, 0.9, (6, 5)),
        rng.uniform(0.5, 3, (6, 4)),
        rng.normal(size=(3, 5)),
        rng.normal(size=(6, 3)),
    )


def _local_spiking_gradient(S: Array, slope: Array, P: Array, G: Array, target: Array) -> Any:
    return (((S @ G.T - target) @ G) * slope).T @ P


def _spiking_by_the_package(S: Array, slope: Array, P: Array, G: Array, target: Array) -> Any:
    error = (S @ G.T - target) @ G
    traces = local.rest(len(S), S.shape[1], P.shape[1])._replace(P=P)
    _, layers = local.method.step(spiking.neuron(), [], costs.NO_FILTER, [traces], [StepInputs(0 * P, slope, error)])
    return layers[0]


def _spiking_by_loops(S: Array, slope: Array, P: Array, G: Array, target: Array) -> Any:
    dW = np.zeros((S.shape[1], P.shape[1]))
    for b in range(len(S)):
        dW += np.outer((G.T @ (G @ S[b] - target[b])) * slope[b], P[b])
    return dW


LOCAL_SPIKING_GRADIENT = Task(
    "local_spiking_gradient",
    _local_spiking_gradient,
    _draw_spiking,
    slips=(
        Slip(
            "wrong sign",
            lambda *args: -_local_spiking_gradient(*args),
            "This is the direction in which the weights move; the gradient points uphill.",
        ),
        Slip(
            "transposed",
            lambda *args: _local_spiking_gradient(*args).T,
            "Rows of W belong to neurons i, columns to inputs j: the result has shape (n, n_in).",
        ),
        Slip(
            "without the surrogate derivative",
            lambda S, slope, P, G, target: ((S @ G.T - target) @ G).T @ P,
            "One of the three factors is missing: the one that says how sensitive the neuron is at this moment.",
        ),
        Slip(
            "without the trace",
            lambda S, slope, P, G, target: (((S @ G.T - target) @ G) * slope).sum(axis=0),
            "This is the gradient of a bias. Which factor belongs to the synapse from input j?",
        ),
        Slip(
            "mean over the batch",
            lambda S, *args: _local_spiking_gradient(S, *args) / len(S),
            "The loss is a sum over the samples of the batch, so the gradient is a sum, too.",
        ),
        Slip(
            "without the target",
            lambda S, slope, P, G, target: ((S @ G.T @ G) * slope).T @ P,
            "Where does the target enter? The error is the difference between the readout and the target.",
        ),
    ),
    forms=(
        _spiking_by_the_package,
        _spiking_by_loops,
        lambda S, slope, P, G, target: np.einsum("bk,ki,bi,bj->ij", S @ G.T - target, G, slope, P),
    ),
)

TASKS = (FEEDBACK_ALIGNMENT_ERROR, LOCAL_ERROR, ANGLE_BETWEEN, LOCAL_SPIKING_GRADIENT)
