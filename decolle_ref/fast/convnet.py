"""The conventional network in place, for batches of a fixed size, cut into chunks for several threads.

Tested against `decolle.convnet.forward` and `decolle.convnet.gradient`.

>>> net = convnet.build((1, 6, 6), [(2, 2)], kernel=3)
>>> weights = convnet.init_weights(np.random.default_rng(0), net)
>>> with ThreadPoolExecutor(1) as workers:
...     outputs(net, weights, np.ones((3, 36)), workers).shape
(3, 10)
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, count, float_dtype, floats
from decolle_ref.decolle import convnet
from decolle_ref.decolle.convnet import OBJECTIVE, Net
from decolle_ref.decolle.synapse import Weights
from decolle_ref.fast.conv import Adjoint, Patches
from decolle_ref.fast.pool import route, window_maxima, window_views
from decolle_ref.fast.workers import CHUNK, split

__all__ = ["ConvnetStepper", "outputs"]


class StageBuffers:
    """One stage with preallocated buffers; the batch is the last axis of every array.

    Neurons that no pooling window covers are left out.
    """

    def __init__(self, stage: convnet.Stage, batch: int, dtype: np.dtype[np.floating]) -> None:
        synapse, pool = stage
        channels, rows, columns = pool.shape_out
        self.size = pool.size
        used = rows * self.size, columns * self.size
        self.windows = channels, rows, self.size, columns, self.size, batch
        self.image = *synapse.shape_in, batch
        self.patches = Patches(synapse, used, batch, dtype)
        self.adjoint = Adjoint(synapse, used, batch, dtype)
        self.U = np.zeros((channels, int(np.prod(used)) * batch), dtype)
        self.a = np.zeros((pool.n, batch), dtype)
        self.du = np.zeros_like(self.a)  # the layer above writes dL/da here
        self.u = self.U.reshape(self.a.shape) if self.size == 1 else np.zeros_like(self.a)
        self.dU = self.du.reshape(self.U.shape) if self.size == 1 else np.zeros_like(self.U)
        self.free, self.wins = np.empty(self.u.shape, bool), np.empty(self.u.shape, bool)
        self.gradient = Weights(np.zeros(synapse.shape_W, dtype), np.zeros(channels, dtype))

    def forward(self, weights: Weights, a: Array) -> Array:
        """Activity of the stage, (n, batch), for a (n_in, batch)."""
        self.patches.load(a.reshape(self.image))
        self.patches.drive(weights, self.U)
        if self.size > 1:
            window_maxima(window_views(self.U, self.windows), self.u)
        return np.maximum(self.u, 0, out=self.a)

    def backward(self) -> None:
        """dU and the gradient of the stage, from dL/da in `du`."""
        self.du *= np.greater(self.a, 0, out=self.wins)
        if self.size > 1:
            views, gradients = (window_views(x, self.windows) for x in (self.U, self.dU))
            route(views, self.u, self.du, gradients, self.free, self.wins)
        self.patches.gradient(self.dU, self.gradient)


class NetBuffers:
    """`convnet.forward` and `convnet.backward` for a few images; every call overwrites Y and `gradient`."""

    def __init__(self, net: Net, samples: int, dtype: np.dtype[np.floating]) -> None:
        self.stages = [StageBuffers(stage, samples, dtype) for stage in net.stages]
        top = Weights(np.zeros((net.top.n, net.top.n_in), dtype), np.zeros(net.top.n, dtype))
        self.gradient = *(stage.gradient for stage in self.stages), top
        self.Y = np.zeros((samples, net.top.n), dtype)

    def forward(self, weights: Sequence[Weights], x: Array) -> None:
        """Y (samples, n_out) for images x (samples, n_in)."""
        a = np.ascontiguousarray(x.T)
        for stage, w in zip(self.stages, weights, strict=False):
            a = stage.forward(w, a)
        np.matmul(weights[-1].W, a, out=self.Y.T)
        self.Y += weights[-1].b

    def backward(self, weights: Sequence[Weights], dY: Array) -> None:
        """`gradient` from dY = dL/dY (samples, n_out)."""
        last, top = self.stages[-1], self.gradient[-1]
        np.matmul(last.a, dY, out=top.W.T)
        np.sum(dY, axis=0, out=top.b)
        np.matmul(weights[-1].W.T, dY.T, out=last.du)
        for l, stage in reversed(list(enumerate(self.stages))):
            stage.backward()
            if l > 0:
                below = self.stages[l - 1]
                stage.adjoint(weights[l], stage.dU, below.du.reshape(stage.image))


class ConvnetStepper:
    """`convnet.forward` and `convnet.gradient` for `batch` images at a time.

    The size of a chunk changes the last bits of the results; the number of threads does not.

    Parameters
    ----------
    net
        The network.
    batch
        Number of images.
    workers
        The threads that share the batch, from `worker_pool`.
    chunk
        Largest number of images in a chunk.
    dtype
        float32 or float64, as the weights.

    Raises
    ------
    InputError
        For a batch or a chunk below 1, or another dtype.
    """

    def __init__(
        self,
        net: Net,
        batch: int,
        workers: ThreadPoolExecutor,
        chunk: int = CHUNK,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.batch, self.workers, kind = count("batch", batch), workers, float_dtype(dtype)
        self.chunks = split(batch, count("chunk", chunk))
        self.net = net
        self.buffers = [NetBuffers(net, s.stop - s.start, kind) for s in self.chunks]

    @property
    def Y(self) -> Array:
        """The outputs (batch, n_out) of the latest call."""
        return np.concatenate([buffers.Y for buffers in self.buffers])

    def forward(self, weights: Sequence[Weights], x: Array) -> Array:
        """Y (batch, n_out) for images x (batch, n_in)."""
        x, weights = self._parse(x), convnet.parse(self.net, weights)

        def work(chunk: slice, buffers: NetBuffers) -> None:
            buffers.forward(weights, x[chunk])

        list(self.workers.map(work, self.chunks, self.buffers))
        return self.Y

    def gradient(self, weights: Sequence[Weights], x: Array, target: Array) -> tuple[Weights, ...]:
        """dL/dW and dL/db of all layers.

        Parameters
        ----------
        weights
            One per layer.
        x
            Images, (batch, n_in).
        target
            (batch, n_out).

        Returns
        -------
        tuple of Weights
            One per layer.
        """
        x, weights = self._parse(x), convnet.parse(self.net, weights)
        target = floats("target", target, self.batch, self.net.top.n)

        def work(chunk: slice, buffers: NetBuffers) -> None:
            buffers.forward(weights, x[chunk])
            share = len(buffers.Y) / self.batch  # the mean is over the whole batch
            buffers.backward(weights, share * OBJECTIVE.error(buffers.Y, target[chunk]))

        list(self.workers.map(work, self.chunks, self.buffers))
        return tuple(map(_total, zip(*(buffers.gradient for buffers in self.buffers), strict=True)))

    def _parse(self, x: Array) -> Array:
        """Images of the batch."""
        first = self.net.stages[0].synapse if self.net.stages else self.net.top
        return floats("x", x, self.batch, first.n_in)


def _total(gradients: Sequence[Weights]) -> Weights:
    """The sum, always in the same order, so that the number of threads changes no bit."""
    W, b = zip(*gradients, strict=True)
    return Weights(np.asarray(sum(W)), np.asarray(sum(b)))


def outputs(net: Net, weights: Sequence[Weights], x: Array, workers: ThreadPoolExecutor, batch: int = 64) -> Array:
    """`convnet.forward(...).Y` for any number of images, `batch` at a time.

    Parameters
    ----------
    net, weights
        The network and its weights.
    x
        Images, (n, n_in).
    workers
        The threads that share a batch, from `worker_pool`.
    batch
        Number of images at a time.

    Returns
    -------
    array
        Y, (n, n_out).
    """
    x = floats("x", x, len(x) if np.ndim(x) else 0, (net.stages[0].synapse if net.stages else net.top).n_in)
    if not len(x):
        return np.zeros((0, net.top.n), x.dtype)
    batches = [x[i : i + batch] for i in range(0, len(x), count("batch", batch))]
    sizes = {len(images) for images in batches}
    steppers = {size: ConvnetStepper(net, size, workers, dtype=x.dtype) for size in sizes}
    return np.concatenate([steppers[len(images)].forward(weights, images) for images in batches])
