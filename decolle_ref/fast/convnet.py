"""`convnet.gradient` in place, for batches of a fixed size, cut into chunks for several threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from decolle_ref._util.check import Array, count, float_dtype
from decolle_ref.decolle import convnet
from decolle_ref.decolle.convnet import OBJECTIVE, Net
from decolle_ref.decolle.synapse import Weights
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.layer import largest, route, views
from decolle_ref.fast.run import CHUNK, cut


class StageBuffers:
    """One stage with all the memory that it needs; the batch is the last axis of every array.

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
        self.U = np.zeros((channels, int(np.prod(used)) * batch), dtype)
        self.a = np.zeros((pool.n, batch), dtype)
        self.back = np.zeros_like(self.a)  # dL/da, to be written from above
        self.u = self.U.reshape(self.a.shape) if self.size == 1 else np.zeros_like(self.a)
        self.dU = self.back.reshape(self.U.shape) if self.size == 1 else np.zeros_like(self.U)
        self.gradient = Weights(np.zeros(synapse.shape_W, dtype), np.zeros(channels, dtype))

    def forward(self, weights: Weights, a: Array) -> Array:
        """What the stage shows, (n, batch), for a (n_in, batch)."""
        self.patches.load(a.reshape(self.image))
        self.patches.drive(weights, self.U)
        if self.size > 1:
            largest(views(self.U, self.windows), self.u)
        return np.maximum(self.u, 0, out=self.a)

    def backward(self) -> None:
        """dU and the stage's gradient from `back`."""
        self.back *= self.a > 0
        if self.size > 1:
            route(views(self.U, self.windows), self.u, self.back, views(self.dU, self.windows))
        self.patches.gradient(self.dU, self.gradient)


class NetBuffers:
    """`convnet.forward` and `convnet.backward` for a few images; Y and `gradient` are overwritten each time."""

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
        np.matmul(weights[-1].W.T, dY.T, out=last.back)
        for l, stage in reversed(list(enumerate(self.stages))):
            stage.backward()
            if l > 0:
                below = self.stages[l - 1]
                stage.patches.adjoint(weights[l], stage.dU, below.back.reshape(stage.image))


class Stepper:
    """`convnet.forward` and `convnet.gradient` for `batch` images at a time.

    What comes out depends on `chunk`, in the last bits, but not on how many threads there are.
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
        self.chunks = cut(batch, count("chunk", chunk))
        self.parts = [NetBuffers(net, s.stop - s.start, kind) for s in self.chunks]

    @property
    def Y(self) -> Array:
        """The outputs (batch, n_out) of the latest call."""
        return np.concatenate([part.Y for part in self.parts])

    def forward(self, weights: Sequence[Weights], x: Array) -> Array:
        """Y for images x (batch, n_in)."""

        def one(chunk: slice, part: NetBuffers) -> None:
            part.forward(weights, x[chunk])

        list(self.workers.map(one, self.chunks, self.parts))
        return self.Y

    def gradient(self, weights: Sequence[Weights], x: Array, target: Array) -> tuple[Weights, ...]:
        """dL/dW and dL/db of all layers, for x (batch, n_in) and target (batch, n_out)."""

        def one(chunk: slice, part: NetBuffers) -> None:
            part.forward(weights, x[chunk])
            share = len(part.Y) / self.batch  # the mean is over the whole batch
            part.backward(weights, share * OBJECTIVE.error(part.Y, target[chunk]))

        list(self.workers.map(one, self.chunks, self.parts))
        return tuple(map(total, zip(*(part.gradient for part in self.parts), strict=True)))


def total(gradients: Sequence[Weights]) -> Weights:
    """The sum, always in the same order, so that the number of threads changes no bit."""
    W, b = zip(*gradients, strict=True)
    return Weights(np.asarray(sum(W)), np.asarray(sum(b)))


def outputs(net: Net, weights: Sequence[Weights], x: Array, workers: ThreadPoolExecutor, batch: int = 64) -> Array:
    """`convnet.forward(...).Y` for any number of images, `batch` at a time.  (n, n_in) -> (n, n_out)."""
    batches = [x[i : i + batch] for i in range(0, len(x), count("batch", batch))]
    steppers = {size: Stepper(net, size, workers, dtype=x.dtype) for size in {len(some) for some in batches}}
    return np.concatenate([steppers[len(some)].forward(weights, some) for some in batches])
