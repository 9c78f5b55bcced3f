"""First-spike times and their gradients: a smooth code, of one spike per neuron.  [N19 Sec. V-D, Eq. 15]

Neurons integrate without a leak, and currents decay exponentially.  Time is in units of the synaptic time constant, the
threshold is 1, and sender j fires once, at t_j (the reference prints t_i):

    dU_i/dt = I_i,    I_i = sum_j W_ij Theta(t - t_j) exp(-(t - t_j))

In z = exp(t) the potential is a hyperbola from one arrival to the next, and the first time at which it reaches 1 is a
ratio of sums over the *causal set* C, the senders that are heard before the spike:

    U_i = sum_{j in C} W_ij (1 - z_j / z)
    z_i = sum_{j in C} W_ij z_j / I_i,    I_i = sum_{j in C} W_ij - 1, the current at the spike
    dz_i/dW_ip = (z_p - z_i) / I_i,    dz_i/dz_p = W_ip / I_i    for p in C, else 0

For a given C, z_i is linear in z.  Its gradient has no bound where the current at the spike is next to nothing.  A
neuron that never reaches 1 is silent: z = inf, C is empty, and the gradient is 0 (`weight_sum` wakes it).

Shapes: W (..., n, m), z of the senders (..., batch, m), z of the neurons (..., batch, n); `...` are networks side by
side.  `fire`, `forward` and `loss` accept complex numbers for the complex-step check, and choose by the real parts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, finite, validate_shape

FARTHEST = 300.0  # time constants from 0: leaves exp room for sums, and for spikes that come later still


class Spikes(NamedTuple):
    """What one layer did."""

    z: Array  # (..., batch, n), exp(first spike time); inf: silent
    I: Array  # (..., batch, n), current at the spike, sum_C W - 1; inf: silent, so that 1 / I is 0
    C: Array  # (..., batch, n, m), whether sender p is in the causal set


def encode(t: npt.ArrayLike) -> Array:
    """z = exp(t), t in synaptic time constants; inf stands for a sender that does not fire.

    Raises InputError for NaN, -inf, and times so far from 0 that exp leaves no room.
    """
    times = np.asarray(t, float)
    bad = ~((np.abs(times) <= FARTHEST) | (times == np.inf))
    if bad.any():
        expected = f"times within {FARTHEST:g} time constants of 0, or inf for no spike"
        raise InputError(f"t: expected {expected}, got {times[bad][0]}")
    return np.asarray(np.exp(times))


def check(W: Sequence[npt.ArrayLike], z: npt.ArrayLike) -> None:
    """Raise InputError unless weights are finite, layers fit each other and the input, and every z is > 0."""
    arrivals = np.asarray(z)
    if arrivals.ndim < 2 or not arrivals.shape[-1]:
        raise InputError(f"z: expected shape (..., batch, n_in) with n_in >= 1, got {arrivals.shape}")
    bad = ~(arrivals > 0)
    if bad.any():
        raise InputError(f"z: expected exp(t) > 0, or inf for no spike, got {arrivals[bad][0]}")
    if not len(W):
        raise InputError("W: expected at least one layer, got none")
    networks, m = arrivals.shape[:-2], arrivals.shape[-1]
    for k, layer in enumerate(W, start=1):
        weights = finite(f"layer {k} W", layer)
        n = weights.shape[-2] if weights.ndim > 1 else 1
        validate_shape(f"layer {k} W", weights, (*networks, max(n, 1), m))
        m = n


class _Prefixes(NamedTuple):
    """The first 1, 2, ..., m senders in order of arrival: the candidates for C."""

    order: Array  # (..., batch, m)
    z_next: Array  # (..., batch, 1, m), the arrival after them; inf after the last
    w: Array  # (..., batch, n, m), sum of W
    wz: Array  # (..., batch, n, m), sum of W z


def _prefixes(W: Array, z: Array) -> _Prefixes:
    """A sender that does not fire comes last, and adds nothing."""
    order = np.argsort(z.real, axis=-1, kind="stable")
    ordered = np.take_along_axis(z, order, axis=-1)[..., None, :]
    w = np.take_along_axis(W[..., None, :, :], order[..., None, :], axis=-1)
    fires = np.isfinite(ordered)
    w, arrival = np.where(fires, w, 0), np.where(fires, ordered, 0)
    z_next = np.append(ordered.real[..., 1:], np.full_like(ordered.real[..., :1], np.inf), axis=-1)
    return _Prefixes(order, z_next, np.cumsum(w, axis=-1), np.cumsum(w * arrival, axis=-1))


def fire(W: Array, z: Array) -> Spikes:
    """z_i = sum_C W_ij z_j / (sum_C W_ij - 1).  [N19 Eq. 15]

    C is the earliest prefix of the senders with sum_C W > 1 and z_i <= z_next.  Then z_last <= z_i as well, since U is
    continuous.  That is not asked here: rounding can put a spike just after z_next with one prefix and just before
    z_last with the following one, and it would be lost.
    """
    order, z_next, w, wz = _prefixes(W, z)
    enough = w.real > 1
    crossing = wz / np.where(enough, w - 1, 1)
    reaches = enough & (crossing.real <= z_next)
    fires, last = np.asarray(reaches.any(axis=-1)), reaches.argmax(axis=-1)[..., None]
    rank = np.argsort(order, axis=-1, kind="stable")[..., None, :]
    return Spikes(
        z=np.where(fires, np.take_along_axis(crossing, last, axis=-1)[..., 0], np.inf),
        I=np.where(fires, np.take_along_axis(w - 1, last, axis=-1)[..., 0], np.inf),
        C=fires[..., None] & (rank <= last),
    )


def slopes(W: Array, z: Array, spikes: Spikes) -> tuple[Array, Array]:
    """dz_i/dW_ip = (z_p - z_i) / I_i and dz_i/dz_p = W_ip / I_i for p in C, else 0.  [N19 Eq. 15]

    Both (..., batch, n, m); all 0 for a silent neuron.
    """
    C, I = spikes.C, spikes.I[..., None]
    gap = np.where(C, z[..., None, :], 0) - np.where(C, spikes.z[..., None], 0)
    return gap / I, np.where(C, W[..., None, :, :], 0) / I


def margin(W: Array, z: Array) -> Array:
    """How far each neuron is from a change of its causal set: the least |U - 1| at arrivals.  (..., batch, n)

    Arrivals count up to the first one after the spike, where U is taken as if there had been no spike; if none comes
    after it, the limit of U counts.  Where the margin is 0 the gradient may jump, elsewhere z_i is smooth.
    """
    _, z_next, w, wz = _prefixes(W, z)
    U = w - wz / z_next
    fired = np.cumsum(U >= 1, axis=-1) - (U >= 1) > 0
    return np.asarray(np.where(fired, np.inf, np.abs(U - 1)).min(axis=-1))


def forward(W: Sequence[Array], z: Array) -> tuple[Spikes, ...]:
    """Layer by layer: what one fires, the next one hears.  [N19 Sec. V-D]"""
    layers: list[Spikes] = []
    for weights in W:
        layers.append(fire(weights, layers[-1].z if layers else z))
    return tuple(layers)


def backward(W: Sequence[Array], z: Array, layers: Sequence[Spikes], e: Array) -> tuple[tuple[Array, ...], Array]:
    """e = dL/dz of the last layer -> dL/dW of every layer, and dL/dz of the input.  [N19 Sec. V-D]

    dL/dW_ip = sum_batch e_i dz_i/dW_ip,    e_p of the layer below = sum_i e_i dz_i/dz_p
    """
    heard, gradient = (z, *(layer.z for layer in layers[:-1])), []
    for weights, below, spikes in reversed(list(zip(W, heard, layers, strict=True))):
        dz_dW, dz_dz = slopes(weights, below, spikes)
        gradient.append((e[..., None] * dz_dW).sum(axis=-3))
        e = (e[..., None] * dz_dz).sum(axis=-2)
    return tuple(gradient[::-1]), e


def winner(z: Array) -> Array:
    """The number of the neuron that fires first, -1 if none fires or two are first together."""
    first = (z == z.min(axis=-1, keepdims=True)) & np.isfinite(z)
    return np.where(first.sum(axis=-1) == 1, first.argmax(axis=-1), -1)


def _softmax(z: Array) -> tuple[Array, Array]:
    """exp(-z_k) / sum exp(-z), and the logarithm of the sum.  A silent neuron has 0; if all are, all have."""
    fires = np.isfinite(z)
    early = np.where(fires, np.exp(-np.where(fires, z - _first(z), 0)), 0)
    total = early.sum(axis=-1, keepdims=True)
    total = np.where(fires.any(axis=-1, keepdims=True), total, 1)
    return early / total, np.log(total) - _first(z)


def _first(z: Array) -> Array:
    """The least z, so that exp cannot underflow for all; 0 if all are silent."""
    least = z.real.min(axis=-1, keepdims=True)
    return np.where(np.isfinite(least), least, 0)


def loss(z: Array, target: Array) -> Array:
    """L = sum_batch (z_target + log sum_k exp(-z_k)) = -sum_batch log softmax(-z)_target: that neuron should be first.

    target (batch,) numbers neurons.  L is inf where the target is silent.  Networks side by side keep their own L.
    """
    wanted = np.take_along_axis(z, np.broadcast_to(target, z.shape[:-1])[..., None], axis=-1)
    return np.asarray((wanted + _softmax(z)[1]).sum(axis=(-1, -2)))


def error(z: Array, target: Array) -> Array:
    """e_k = dL/dz_k = [k = target] - softmax(-z)_k, 0 for a silent neuron."""
    e = (np.arange(z.shape[-1]) == target[..., None]) - _softmax(z)[0]
    return np.where(np.isfinite(z), e, 0)


def weight_sum(W: Array) -> Array:
    """sum_i max(0, 1 - sum_j W_ij): the cost by which Mostafa (2018), [N19 Ref. 34], wakes silent neurons.

    They have no gradient of their own.  Where every sum is above 1 and every input comes, no neuron is silent: with all
    senders in C, sum_C W > 1, and there is no arrival left to come before the spike.
    """
    missing = 1 - W.sum(axis=-1)
    return np.asarray(np.where(missing.real > 0, missing, 0).sum(axis=-1))


def weight_sum_slope(W: Array) -> Array:
    """d weight_sum / dW_ij = -1 if sum_j W_ij < 1 else 0."""
    return np.where(W.sum(axis=-1, keepdims=True) < 1, -np.ones_like(W), 0)


def potential(W: Array, t: Array, at: Array) -> Array:
    """U_i = sum_j W_ij max(0, 1 - exp(-(at - t_j))), as if no spike reset it.  W (n, m), t (m,), at (T,) -> (T, n)."""
    since = np.maximum(at[:, None] - t, 0)
    return np.asarray(-np.expm1(-since) @ W.T)


def simulate(w: Array, t: Array) -> float:
    """The first spike time of one neuron, from arrival to arrival; inf if there is none.  w, t (m,).  [N19 Eq. 15]

    dU/dt = I, dI/dt = -I:  U <- U + I (1 - exp(-dt)), I <- I exp(-dt).  U reaches 1 if U + I > 1, after
    dt = -log(1 - (1 - U) / I), unless the next arrival is earlier.  No causal set, no z: a check on `fire`.
    """
    arrivals = sorted((float(when), float(weight)) for when, weight in zip(t, w, strict=True) if when < np.inf)
    U = I = 0.0
    for k, (now, weight) in enumerate(arrivals):
        I += weight
        then = arrivals[k + 1][0] if k + 1 < len(arrivals) else np.inf
        if I > 0 and U + I > 1 and (crossing := now - np.log1p((U - 1) / I)) <= then:
            return float(crossing)
        U, I = U - I * np.expm1(now - then), I * np.exp(now - then)
    return np.inf
