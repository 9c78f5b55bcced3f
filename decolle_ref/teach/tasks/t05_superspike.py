"""Notebook 05: SuperSpike."""

from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.credit import cost as costs
from decolle_ref.credit.cost import Kernel
from decolle_ref.credit.methods import online, superspike
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Neuron, Synapses
from decolle_ref.decolle.surrogate import fast_sigmoid
from decolle_ref.teach.task import Slip, Task


def _draw_trains(rng: np.random.Generator) -> tuple[Any, ...]:
    """S, S_star (T,), rise, decay."""
    S, S_star = (rng.random((2, 40)) < 0.2).astype(float)
    return S, S_star, rng.uniform(0.5, 0.7), rng.uniform(0.8, 0.95)


def _van_rossum(S: Array, S_star: Array, rise: float, decay: float) -> Any:
    return 0.5 * (costs.filtered(Kernel(rise, decay), S - S_star) ** 2).sum()


def _van_rossum_by_a_loop(S: Array, S_star: Array, rise: float, decay: float) -> float:
    A = B = L = 0.0
    for gap in S - S_star:
        A = rise * A + (1 - rise) * gap
        B = decay * B + (1 - decay) * A
        L += B**2 / 2
    return L


def _van_rossum_by_convolution(S: Array, S_star: Array, rise: float, decay: float) -> float:
    k = np.arange(len(S))
    kernel = (
        (1 - rise) * (1 - decay) * np.array([(rise ** np.arange(n + 1) * decay ** (n - k[: n + 1])).sum() for n in k])
    )
    e = np.convolve(S, kernel)[: len(S)] - np.convolve(S_star, kernel)[: len(S)]
    return float(e @ e) / 2


def _with_old_A(S: Array, S_star: Array, rise: float, decay: float) -> float:
    A = B = L = 0.0
    for gap in S - S_star:
        A, B = rise * A + (1 - rise) * gap, decay * B + (1 - decay) * A
        L += B**2 / 2
    return L


VAN_ROSSUM = Task(
    "van_rossum",
    _van_rossum,
    _draw_trains,
    slips=(
        Slip(
            "without the half",
            lambda *args: 2 * _van_rossum(*args),
            "A factor is missing in front of the sum of equation (2).",
        ),
        Slip(
            "without the filter",
            lambda S, S_star, rise, decay: 0.5 * ((S - S_star) ** 2).sum(),
            "This counts the steps in which the spikes differ. Smooth the difference with the kernel first.",
        ),
        Slip(
            "only the first average",
            lambda S, S_star, rise, decay: _van_rossum(S, S_star, rise, 0.0),
            "The kernel is two leaky averages in a row. You have used only the first one, A.",
        ),
        Slip(
            "the sum in place of the squares",
            lambda S, S_star, rise, decay: 0.5 * costs.filtered(Kernel(rise, decay), S - S_star).sum() ** 2,
            "Square each step first, then sum over the steps.",
        ),
        Slip(
            "B from the old A",
            _with_old_A,
            "In equation (1), B[n] uses A[n], the new one. Yours lags by one step.",
        ),
        Slip(
            "the sum of two spike trains",
            lambda S, S_star, rise, decay: _van_rossum(S, -S_star, rise, decay),
            "The sign of S* is wrong: two equal trains must have the distance 0.",
        ),
    ),
    forms=(_van_rossum_by_a_loop, _van_rossum_by_convolution),
)


def _draw_eligibility(rng: np.random.Generator) -> tuple[Any, ...]:
    """U (N,), P (M,)."""
    return rng.normal(0.6, 0.5, 4), rng.uniform(0.5, 6, 7)


def _eligibility(U: Array, P: Array) -> Any:
    return np.outer(fast_sigmoid.derivative(U - 1), P)


ELIGIBILITY = Task(
    "eligibility",
    _eligibility,
    _draw_eligibility,
    slips=(
        Slip(
            "transposed",
            lambda U, P: _eligibility(U, P).T,
            "One row for each neuron i, one column for each input j, as in W.",
        ),
        Slip(
            "without the threshold",
            lambda U, P: np.outer(fast_sigmoid.derivative(U), P),
            "sigma' is largest where the neuron is about to fire, at U = 1. (The review has this misprint.)",
        ),
        Slip(
            "without the surrogate derivative",
            lambda U, P: np.outer(np.ones_like(U), P),
            "This is dU/dW. What turns a change of U into a change of S?",
        ),
        Slip(
            "without the square",
            lambda U, P: np.outer(1 / (1 + np.abs(U - 1)), P),
            "Look at the exponent of the surrogate derivative in equation (5).",
        ),
        Slip(
            "wrong sign", lambda U, P: -_eligibility(U, P), "More input makes more spikes: both factors are positive."
        ),
    ),
    forms=(
        lambda U, P: [[P_j / (1 + abs(U_i - 1)) ** 2 for P_j in P] for U_i in U],
        lambda U, P: np.einsum("i,j->ij", (1 + np.abs(1 - U)) ** -2.0, P),
    ),
)


class _Variant(NamedTuple):
    """How a student's loop may differ from equation (6)."""

    sign: float = 1.0
    theta: float = 1.0  # in sigma'
    slope: bool = True
    filtered_error: bool = True
    filtered_eligibility: bool = True
    reset_in_trace: bool = False
    new_Q: bool = False
    reset: bool = True


def _draw_trial(rng: np.random.Generator) -> tuple[Any, ...]:
    """x (T, M), S_star (T,), w (M,), alpha, beta, rise, decay."""
    x = (rng.random((60, 6)) < 0.2).astype(float)
    S_star = (rng.random(60) < 0.05).astype(float)
    w = rng.uniform(0.02, 0.2, 6)
    return x, S_star, w, *rng.uniform([0.7, 0.8, 0.5, 0.82], [0.8, 0.9, 0.7, 0.92])


def _loop(
    variant: _Variant, x: Array, S_star: Array, w: Array, alpha: float, beta: float, rise: float, decay: float
) -> Array:
    """Equations (1) and (3) to (6), with the changes of a variant."""
    I = U = A = B = 0.0
    Q, P, EA, EB, dW = (np.zeros(len(w)) for _ in range(5))
    for x_n, target in zip(x, S_star, strict=True):
        S = float(U >= 1)
        A = rise * A + (1 - rise) * (S - target)
        B = decay * B + (1 - decay) * A
        slope = 1 / (1 + abs(U - variant.theta)) ** 2 if variant.slope else 1.0
        new_Q = alpha * Q + x_n
        new_P = beta * P + (new_Q if variant.new_Q else Q) - (slope * P if variant.reset_in_trace else 0)
        E = slope * P
        EA = rise * EA + (1 - rise) * E
        EB = decay * EB + (1 - decay) * EA
        error = B if variant.filtered_error else S - target
        dW = dW + variant.sign * error * (EB if variant.filtered_eligibility else E)
        P, Q = new_P, new_Q
        I, U = alpha * I + w @ x_n, beta * U + I - (S if variant.reset else 0)
    return dW


def _varied(**changes: Any) -> Any:
    return lambda *args: _loop(_Variant(**changes), *args)


def _superspike_gradient(
    x: Array, S_star: Array, w: Array, alpha: float, beta: float, rise: float, decay: float
) -> Any:
    kernel, cell = Kernel(rise, decay), Neuron(alpha, beta)
    cost = costs.global_cost(1, costs.van_rossum(kernel, S_star[:, None, None]), kernel)
    net = [Synapses(w[None], np.zeros((1, 1)))]
    return online.gradient(superspike.method, cell, net, x[:, None, :], cost)[0].W[0]


def _filter_moved_to_the_error(
    x: Array, S_star: Array, w: Array, alpha: float, beta: float, rise: float, decay: float
) -> Array:
    """sum_n e[n] (epsilon * E)[n] = sum_m E[m] (e filtered backwards in time)[m]."""
    kernel, cell = Kernel(rise, decay), Neuron(alpha, beta)
    tape = spiking.forward(cell, [Synapses(w[None], np.zeros((1, 1)))], x[:, None, :])
    e = costs.filtered(kernel, tape.S[0][:, 0, 0] - S_star)
    Q = P = np.zeros(len(w))
    dW = np.zeros(len(w))
    for dS, U, x_n in zip(costs.filtered(kernel, e[::-1])[::-1], tape.U[0][:, 0, 0], x, strict=True):
        dW += dS * fast_sigmoid.derivative(U - 1) * P
        P, Q = beta * P + Q, alpha * Q + x_n
    return dW


SUPERSPIKE_GRADIENT = Task(
    "superspike_gradient",
    _superspike_gradient,
    _draw_trial,
    points=3,
    slips=(
        Slip(
            "wrong sign",
            _varied(sign=-1.0),
            "This is the direction in which the weights move. Equation (6) is dL/dW, with e = epsilon * (S - S*).",
        ),
        Slip(
            "without the threshold",
            _varied(theta=0.0),
            "sigma' is taken at U - 1, the distance from the threshold. (The review prints it without the threshold.)",
        ),
        Slip(
            "without the surrogate derivative",
            _varied(slope=False),
            "You have filtered the trace P alone. The eligibility has a second factor, which depends on U.",
        ),
        Slip(
            "without the filter of the error",
            _varied(filtered_error=False),
            "Your error is S - S*. In the loss, the difference of the spike trains is smoothed first.",
        ),
        Slip(
            "without the filter of the eligibility",
            _varied(filtered_eligibility=False),
            "The loss contains epsilon * S, so its derivative contains epsilon * E: the eligibility is filtered, too.",
        ),
        Slip(
            "with the reset in the trace",
            _varied(reset_in_trace=True),
            "Your trace P contains the reset term. This is e-prop with the reset; SuperSpike leaves the term out.",
        ),
        Slip(
            "the trace one step ahead",
            _varied(new_Q=True),
            "Your P is one step ahead of U. Use P[n] before you update it, and compute P[n+1] from the old Q[n].",
        ),
        Slip(
            "neuron without reset",
            _varied(reset=False),
            "The reset is left out of the gradient, and not out of the neuron: U still falls by 1 after a spike.",
        ),
    ),
    forms=(_varied(), _filter_moved_to_the_error),
)


def _numbers_kept(N: int, M: int) -> Any:
    Q, P, F = superspike.rest(1, N, M)
    return sum(part.size for part in (Q, P, *F))


NUMBERS_KEPT = Task(
    "numbers_kept",
    _numbers_kept,
    lambda rng: (int(rng.integers(3, 9)), int(rng.integers(11, 30))),
    slips=(
        Slip(
            "one number per synapse",
            lambda N, M: N * M + 2 * M,
            "The kernel is two leaky averages in a row. How many numbers does each synapse keep for epsilon * E?",
        ),
        Slip(
            "traces per synapse",
            lambda N, M: 4 * N * M,
            "Without the reset, P and Q are the same for all neurons i: they are kept once per input, not per synapse.",
        ),
        Slip(
            "without the traces of the inputs",
            lambda N, M: 2 * N * M,
            "The synapses are right. What must be kept for each input?",
        ),
        Slip(
            "without the synapses",
            lambda N, M: 2 * M,
            "The inputs are right. The filtered eligibility differs from synapse to synapse: each keeps its own.",
        ),
        Slip(
            "one trace per input",
            lambda N, M: 2 * N * M + M,
            "Equation (4) has two lines: which two numbers does each input keep?",
        ),
    ),
    forms=(lambda N, M: 2 * M * (N + 1), lambda N, M: sum(2 + 2 * N for _ in range(M))),
)

TASKS = (VAN_ROSSUM, ELIGIBILITY, SUPERSPIKE_GRADIENT, NUMBERS_KEPT)
