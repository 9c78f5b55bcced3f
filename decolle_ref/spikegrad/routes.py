"""Where the spikes of each sender arrive, and with which weights, looked up when a spike is delivered.

A convolution connects pixels in the same way in all channels.  So only the pixels of one channel are listed.

>>> routes = fan_out(Dense(2, 3), Weights(np.array([[1.0, 5], [0, 6], [2, 7]]), np.zeros(3)))
>>> routes[0]
(array([0, 2]), array([1., 2.]))
"""

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Conv2d, Dense, Weights
from decolle_ref.spikegrad.events import Targets
from decolle_ref.spikegrad.layers import AveragePool, Connections

__all__ = ["fan_in", "fan_out"]


class _Routes(Sequence[Targets]):
    """The targets of each of n senders; `find(j)` gives (indices, weights), from which weights of 0 are left out."""

    def __init__(self, n: int, find: Callable[[int], Targets]) -> None:
        self.n, self.find = n, find

    def __len__(self) -> int:
        return self.n

    @overload
    def __getitem__(self, j: int) -> Targets: ...
    @overload
    def __getitem__(self, j: slice) -> list[Targets]: ...
    def __getitem__(self, j: int | slice) -> Targets | list[Targets]:
        if isinstance(j, slice):
            return [self[i] for i in range(*j.indices(self.n))]
        if j >= self.n:
            raise IndexError(j)
        indices, weights = self.find(j)
        kept = np.flatnonzero(weights)
        return indices[kept], weights[kept]


def fan_out(synapse: Connections, weights: Weights) -> Sequence[Targets]:
    """For each input j the neurons that it reaches, and w_ij.

    Parameters
    ----------
    synapse, weights
        One layer of connections and its weights.

    Returns
    -------
    sequence of Targets
        One per input.
    """
    W = synapse.parse(weights).W
    if isinstance(synapse, Dense):
        every = np.arange(synapse.n)
        return _Routes(synapse.n_in, lambda j: (every, W[:, j]))
    one = _one_channel(synapse)
    listed = _listed(one.n_in, lambda spikes: one.drive(_numbered(one), spikes))
    return _by_channel(synapse, listed, one.n, np.moveaxis(W, 1, 0) if isinstance(synapse, Conv2d) else W)


def fan_in(synapse: Connections, weights: Weights) -> Sequence[Targets]:
    """For each neuron i the inputs that its errors go back to, and w_ij.

    Parameters
    ----------
    synapse, weights
        One layer of connections and its weights.

    Returns
    -------
    sequence of Targets
        One per neuron.
    """
    W = synapse.parse(weights).W
    if isinstance(synapse, Dense):
        every = np.arange(synapse.n_in)
        return _Routes(synapse.n, lambda i: (every, W[i]))
    one = _one_channel(synapse)
    listed = _listed(one.n, lambda errors: one.adjoint(_numbered(one), errors))
    return _by_channel(synapse, listed, one.n_in, W)


def _one_channel(synapse: Conv2d | AveragePool) -> Conv2d | AveragePool:
    """The same connections from one channel to one channel."""
    shape = (1, *synapse.shape_in[1:])
    if isinstance(synapse, AveragePool):
        return AveragePool(shape, synapse.size)
    return Conv2d(shape, 1, synapse.kernel, synapse.stride, synapse.padding)


def _numbered(one: Conv2d | AveragePool) -> Weights:
    """The places of the kernel, 1, 2, ..., as its weights, so that what arrives says through which place."""
    shape_W, shape_b = one.shapes
    return Weights(np.arange(1.0, 1 + np.prod(shape_W)).reshape(shape_W), np.zeros(shape_b))


def _listed(n: int, travel: Callable[[Array], Array]) -> list[tuple[Array, Array]]:
    """Send one spike from each of n pixels, and list where it arrives and through which place of the kernel."""
    arrived = [travel(np.eye(1, n, pixel))[0] for pixel in range(n)]
    return [(pixels := np.flatnonzero(row), row[pixels].astype(int) - 1) for row in arrived]


def _by_channel(
    synapse: Conv2d | AveragePool, listed: list[tuple[Array, Array]], pixels: int, W: Array
) -> Sequence[Targets]:
    """The targets, `pixels` in a channel, from those of one channel and W (senders, targets, kernel, kernel).

    Pooling stays in its channel, with one weight W.
    """
    if isinstance(synapse, AveragePool):
        senders, firsts = synapse.shape[0], np.arange(0)

        def find(j: int) -> Targets:
            channel, pixel = divmod(j, len(listed))
            return channel * pixels + listed[pixel][0], np.full(len(listed[pixel][0]), W)
    else:
        senders, firsts = len(W), pixels * np.arange(W.shape[1])[:, None]
        kernels = np.ascontiguousarray(W.reshape(*W.shape[:2], -1))

        def find(j: int) -> Targets:
            channel, pixel = divmod(j, len(listed))
            to, places = listed[pixel]
            return (firsts + to).ravel(), kernels[channel][:, places].ravel()

    return _Routes(senders * len(listed), find)
