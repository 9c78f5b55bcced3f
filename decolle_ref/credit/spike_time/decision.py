"""A decision by the first spike: the loss that makes one neuron fire first, and the cost that wakes silent neurons.

>>> z = np.array([[2.0, 1.0, np.inf]])
>>> winner(z).tolist()
[1]
>>> error(z, np.array([1]))[0, 2].item()  # a silent neuron has no gradient
0.0
"""

import numpy as np

from decolle_ref._util.check import Array, InputError, floats, labels
from decolle_ref.decolle.surrogate import above_threshold


def winner(z: Array) -> Array:
    """The index of the neuron that fires first, -1 if none fires or two fire first together.

    Parameters
    ----------
    z : (..., batch, n), exp(first spike time)

    Returns
    -------
    integers, (..., batch)

    Raises
    ------
    InputError : for NaN, and for no neurons
    """
    z = _parse(z)
    if np.isnan(z).any():
        raise InputError("z: expected exp(t), or inf for no spike, got NaN")
    first = (z == z.min(axis=-1, keepdims=True)) & np.isfinite(z)
    return np.where(first.sum(axis=-1) == 1, first.argmax(axis=-1), -1)


def _parse(z: Array) -> Array:
    """z of at least one neuron."""
    z = floats("z", z)
    if z.ndim < 2 or not z.shape[-1]:
        raise InputError(f"z: expected shape (..., batch, n) with n >= 1, got {z.shape}")
    return z


def _softmax(z: Array) -> tuple[Array, Array]:
    """exp(-z_k) / sum exp(-z), and the logarithm of the sum.  A silent neuron has 0; if all are silent, all have 0."""
    fires = z.real != np.inf  # NaN goes on to the loss
    early = np.where(fires, np.exp(-np.where(fires, z - _first(z), 0)), 0)
    total = early.sum(axis=-1, keepdims=True)
    total = np.where(fires.any(axis=-1, keepdims=True), total, 1)
    return early / total, np.log(total) - _first(z)


def _first(z: Array) -> Array:
    """The least z, so that exp cannot underflow for all; 0 if all are silent."""
    least = z.real.min(axis=-1, keepdims=True)
    return np.where(least == np.inf, 0, least)


def loss(z: Array, target: Array) -> Array:
    """L = sum_batch (z_target + log sum_k exp(-z_k)) = -sum_batch log softmax(-z)_target: the target should be first.

    Parameters
    ----------
    z : (..., batch, n), exp(first spike time)
    target : integers, (batch,), index of the neuron that should fire first

    Returns
    -------
    (...): one loss per network, inf where the target is silent

    Raises
    ------
    InputError : for targets that are not one neuron per sample
    """
    z = _parse(z)
    target = labels("target", target, z.shape[-1], z.shape[-2:-1])
    z_target = np.take_along_axis(z, np.broadcast_to(target, z.shape[:-1])[..., None], axis=-1)
    return np.asarray((z_target + _softmax(z)[1]).sum(axis=(-1, -2)))


def error(z: Array, target: Array) -> Array:
    """dL/dz_k = [k = target] - softmax(-z)_k, 0 for a silent neuron.

    Parameters
    ----------
    z, target : as in `loss`

    Returns
    -------
    array shaped like z

    Raises
    ------
    InputError : as `loss`
    """
    z = _parse(z)
    target = labels("target", target, z.shape[-1], z.shape[-2:-1])
    dz = (np.arange(z.shape[-1]) == target[..., None]) - _softmax(z)[0]
    return np.where(z.real == np.inf, 0, dz)


def weight_sum(W: Array) -> Array:
    """sum_i max(0, 1 - sum_j W_ij): the cost by which Mostafa (2018), [N19 Ref. 34], wakes silent neurons.

    They have no gradient of their own.  Where every sum is above 1 and every input neuron fires, no neuron is silent:
    once all spikes have arrived, sum_C W > 1, and no further arrival can come before the spike.

    Parameters
    ----------
    W : (..., n, m)

    Returns
    -------
    (...): one cost per network
    """
    missing = 1 - _weights(W).sum(axis=-1)
    return np.asarray(np.where(missing.real <= 0, 0, missing).sum(axis=-1))


def _weights(W: Array) -> Array:
    W = floats("W", W)
    if W.ndim < 2:
        raise InputError(f"W: expected shape (..., n, m), got {W.shape}")
    return W


def weight_sum_gradient(W: Array) -> Array:
    """d weight_sum / dW_ij = -1 if sum_j W_ij < 1 else 0.

    Parameters
    ----------
    W : (..., n, m)

    Returns
    -------
    array shaped like W
    """
    W = _weights(W)
    missing = 1 - W.sum(axis=-1, keepdims=True)
    return np.broadcast_to(-above_threshold(missing), W.shape).copy()
