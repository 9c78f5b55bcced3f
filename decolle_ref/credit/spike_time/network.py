"""The first spikes of a layered network, and their derivatives.  [N19 Sec. V-D, Eq. 15]

>>> layers = forward([np.ones((3, 4)), np.ones((2, 3))], encode(np.zeros((1, 4))))
>>> dW, dz = backward([np.ones((3, 4)), np.ones((2, 3))], encode(np.zeros((1, 4))), layers, np.ones((1, 2)))
>>> [g.shape for g in dW], dz.shape
([(3, 4), (2, 3)], (1, 4))
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, InputError, as_array, finite, floats, validate_dtype, validate_shape

FARTHEST = 300.0  # time constants from 0: exp does not overflow for sums, nor for spikes that come still later


class Spikes(NamedTuple):
    """The first spikes of one layer."""

    z: Array  # (..., batch, n), exp(first spike time); inf: silent
    I: Array  # (..., batch, n), current at the spike, sum_C W - 1; inf: silent, so that 1 / I is 0
    C: Array  # (..., batch, n, m), whether presynaptic neuron p is in the causal set


def encode(t: npt.ArrayLike) -> Array:
    """z = exp(t).

    Parameters
    ----------
    t : array of any shape, in synaptic time constants; inf stands for no spike

    Returns
    -------
    array shaped like t

    Raises
    ------
    InputError : for NaN, -inf, and times so far from 0 that exp may overflow
    """
    times = as_array("t", t).astype(float)
    bad = ~((np.abs(times) <= FARTHEST) | (times == np.inf))
    if bad.any():
        expected = f"times within {FARTHEST:g} time constants of 0, or inf for no spike"
        raise InputError(f"t: expected {expected}, got {times[bad][0]}")
    return np.asarray(np.exp(times))


def validate(W: Sequence[npt.ArrayLike], z: npt.ArrayLike) -> None:
    """Raise InputError unless weights are finite, layers fit each other and the input, and every z is > 0.

    Parameters
    ----------
    W : one (..., n, m) array per layer
    z : (..., batch, n_in), spikes of the input
    """
    arrivals = floats("z", z)
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


def _parse(W: Array, z: Array) -> tuple[Array, Array]:
    """W and z of networks and inputs that fit each other."""
    W, z = floats("W", W), floats("z", z)
    if W.ndim < 2 or not W.shape[-1]:
        raise InputError(f"W: expected shape (..., n, m) with m >= 1, got {W.shape}")
    return W, floats("z", z, *W.shape[:-2], z.shape[-2] if z.ndim > 1 else 0, W.shape[-1])


def _unknown(W: Array, z: Array) -> Array:
    """Which neurons (..., batch, n) have a weight that is not finite, or an arrival that is NaN."""
    known = np.asarray(np.isfinite(W).all(axis=-1))
    return ~known[..., None, :] | np.isnan(z).any(axis=-1, keepdims=True)


class _Prefixes(NamedTuple):
    """The first 1, 2, ..., m presynaptic neurons in order of arrival: the candidates for C."""

    order: Array  # (..., batch, m)
    z_next: Array  # (..., batch, 1, m), the arrival after them; inf after the last
    w: Array  # (..., batch, n, m), sum of W
    wz: Array  # (..., batch, n, m), sum of W z


def _prefixes(W: Array, z: Array) -> _Prefixes:
    """A presynaptic neuron that does not fire comes last, and adds nothing."""
    order = np.argsort(z.real, axis=-1, kind="stable")
    ordered = np.take_along_axis(z, order, axis=-1)[..., None, :]
    w = np.take_along_axis(W[..., None, :, :], order[..., None, :], axis=-1)
    fires = np.isfinite(ordered)
    w, arrival = np.where(fires, w, 0), np.where(fires, ordered, 0)
    z_next = np.append(ordered.real[..., 1:], np.full_like(ordered.real[..., :1], np.inf), axis=-1)
    return _Prefixes(order, z_next, np.cumsum(w, axis=-1), np.cumsum(w * arrival, axis=-1))


def fire(W: Array, z: Array) -> Spikes:
    """z_i = sum_C W_ij z_j / (sum_C W_ij - 1).  [N19 Eq. 15]

    C is the earliest prefix, in order of arrival, with sum_C W > 1 and z_i <= z_next.  Then z_last <= z_i as well,
    since U is continuous.  The code does not test this: rounding can put a spike just after z_next with one prefix and
    just before z_last with the following one, and a test would lose it.

    Parameters
    ----------
    W : (..., n, m)
    z : (..., batch, m), presynaptic spikes

    Returns
    -------
    Spikes of the n neurons; NaN in W or z makes z and I of the neurons that it reaches NaN

    Raises
    ------
    InputError : for shapes that do not fit
    """
    W, z = _parse(W, z)
    order, z_next, w, wz = _prefixes(W, z)
    enough = w.real > 1
    crossing = wz / np.where(enough, w - 1, 1)
    reaches = enough & (crossing.real <= z_next)
    fires, last = np.asarray(reaches.any(axis=-1)), reaches.argmax(axis=-1)[..., None]
    rank = np.argsort(order, axis=-1, kind="stable")[..., None, :]
    unknown = _unknown(W, z)
    silent = np.where(unknown, np.nan, np.inf)
    fires &= ~unknown
    return Spikes(
        z=np.where(fires, np.take_along_axis(crossing, last, axis=-1)[..., 0], silent),
        I=np.where(fires, np.take_along_axis(w - 1, last, axis=-1)[..., 0], silent),
        C=fires[..., None] & (rank <= last),
    )


def derivatives(W: Array, z: Array, spikes: Spikes) -> tuple[Array, Array]:
    """dz_i/dW_ip = (z_p - z_i) / I_i and dz_i/dz_p = W_ip / I_i for p in C, else 0.  [N19 Eq. 15]

    Parameters
    ----------
    W, z : as in `fire`
    spikes : its result

    Returns
    -------
    two (..., batch, n, m) arrays, 0 for a silent neuron
    """
    W, z = _parse(W, z)
    shape = (*z.shape[:-1], W.shape[-2])
    I, fired = floats("I", spikes.I, *shape)[..., None], floats("spikes", spikes.z, *shape)[..., None]
    C = as_array("C", spikes.C)
    validate_shape("C", C, (*shape, W.shape[-1]))
    validate_dtype("C", C, np.dtype(bool))
    gap = np.where(C, z[..., None, :], 0) - np.where(C | np.isnan(fired), fired, 0)
    return gap / I, np.where(C, W[..., None, :, :], 0) / I


def margin(W: Array, z: Array) -> Array:
    """The distance of each neuron from a change of its causal set: the least |U - 1| at arrivals.

    Arrivals count up to the first one after the spike, where U is taken as if there had been no spike; if none comes
    after it, the limit of U counts.  Where the margin is 0 the gradient may jump, elsewhere z_i is smooth.

    Parameters
    ----------
    W, z : as in `fire`

    Returns
    -------
    (..., batch, n)
    """
    W, z = _parse(W, z)
    _, z_next, w, wz = _prefixes(W, z)
    U = w - wz / z_next
    fired = np.cumsum(U >= 1, axis=-1) - (U >= 1) > 0
    return np.where(_unknown(W, z), np.nan, np.where(fired, np.inf, np.abs(U - 1)).min(axis=-1))


def forward(W: Sequence[Array], z: Array) -> tuple[Spikes, ...]:
    """The spikes of each layer are the input of the next.  [N19 Sec. V-D]

    Parameters
    ----------
    W : one (..., n, m) array per layer
    z : (..., batch, n_in), spikes of the input

    Returns
    -------
    Spikes of every layer
    """
    layers: list[Spikes] = []
    if not len(W):
        raise InputError("W: expected at least one layer, got none")
    for weights in W:
        layers.append(fire(weights, layers[-1].z if layers else z))
    return tuple(layers)


def backward(W: Sequence[Array], z: Array, layers: Sequence[Spikes], dz: Array) -> tuple[tuple[Array, ...], Array]:
    """dL/dW_ip = sum_batch dL/dz_i dz_i/dW_ip,    dL/dz_p = sum_i dL/dz_i dz_i/dz_p.  [N19 Sec. V-D]

    Parameters
    ----------
    W, z : as in `forward`
    layers : its result
    dz : (..., batch, n), dL/dz of the last layer

    Returns
    -------
    dL/dW of every layer, and dL/dz of the input
    """
    presynaptic, gradient = (z, *(layer.z for layer in layers[:-1])), []
    for weights, below, spikes in reversed(list(zip(W, presynaptic, layers, strict=True))):
        dz_dW, dz_dz = derivatives(weights, below, spikes)
        dz = floats("dz", dz, *spikes.z.shape)
        gradient.append((dz[..., None] * dz_dW).sum(axis=-3))
        dz = (dz[..., None] * dz_dz).sum(axis=-2)
    return tuple(gradient[::-1]), dz
