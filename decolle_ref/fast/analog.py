"""`analog.gradient` in place, for a batch of fixed size that is the last axis of every array."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from decolle_ref import analog
from decolle_ref.analog import OBJECTIVE, Net
from decolle_ref.check import Array, count, float_dtype
from decolle_ref.fast.conv import Patches
from decolle_ref.fast.layer import largest, route
from decolle_ref.synapse import Weights


class Stage:
    """One stage with all the memory that it needs; neurons that no pooling window covers are left out."""

    def __init__(self, stage: analog.Stage, batch: int, dtype: np.dtype[np.floating]) -> None:
        synapse, pool = stage
        channels, rows, columns = pool.shape_out
        self.size = pool.size
        used = rows * self.size, columns * self.size
        self.tiles = channels, rows, self.size, columns, self.size, batch
        self.image = *synapse.shape_in, batch
        self.patches = Patches(synapse, used, batch, dtype)
        self.U = np.zeros((channels, int(np.prod(used)) * batch), dtype)
        self.a = np.zeros((pool.n, batch), dtype)
        self.back = np.zeros_like(self.a)  # dL/da, to be written from above
        self.u = self.U.reshape(self.a.shape) if self.size == 1 else np.zeros_like(self.a)
        self.delta = self.back.reshape(self.U.shape) if self.size == 1 else np.zeros_like(self.U)
        self.gradient = Weights(np.zeros(synapse.shape_W, dtype), np.zeros(channels, dtype))

    def forward(self, weights: Weights, a: Array) -> Array:
        """What the stage shows, (n, batch), for a (n_in, batch)."""
        self.patches.load(a.reshape(self.image))
        self.patches.drive(weights, self.U)
        if self.size > 1:
            largest(self._views(self.U), self.u)
        return np.maximum(self.u, 0, out=self.a)

    def backward(self) -> None:
        """delta and the stage's gradient from `back`."""
        self.back *= self.a > 0
        if self.size > 1:
            route(self._views(self.U), self.u, self.back, self._views(self.delta))
        self.patches.gradient(self.delta, self.gradient)

    def _views(self, x: Array) -> list[Array]:
        """x as one array for each place of the pooling window, in reading order."""
        tiles = x.reshape(self.tiles)
        return [tiles[:, :, r, :, s] for r, s in np.ndindex(self.size, self.size)]


class Stepper:
    """`analog.forward` and `analog.gradient` for `batch` images at a time; what `gradient` returns is overwritten."""

    def __init__(self, net: Net, batch: int, dtype: npt.DTypeLike = np.float32) -> None:
        self.batch, kind = count("batch", batch), float_dtype(dtype)
        self.stages = [Stage(stage, batch, kind) for stage in net.stages]

    def forward(self, weights: Sequence[Weights], x: Array) -> Array:
        """Y (batch, n_out) for images x (batch, n_in)."""
        a = np.ascontiguousarray(x.T)
        for stage, w in zip(self.stages, weights, strict=False):
            a = stage.forward(w, a)
        return np.asarray((weights[-1].W @ a).T + weights[-1].b)

    def gradient(self, weights: Sequence[Weights], x: Array, target: Array) -> tuple[Weights, ...]:
        """dL/dW and dL/db of all layers, for x (batch, n_in) and target (batch, n_out)."""
        e = OBJECTIVE.error(self.forward(weights, x), target)
        last = self.stages[-1]
        np.matmul(weights[-1].W.T, e.T, out=last.back)
        for l, stage in reversed(list(enumerate(self.stages))):
            stage.backward()
            if l > 0:
                below = self.stages[l - 1]
                stage.patches.adjoint(weights[l], stage.delta, below.back.reshape(stage.image))
        return *(stage.gradient for stage in self.stages), Weights((last.a @ e).T, e.sum(axis=0))


def outputs(net: Net, weights: Sequence[Weights], x: Array, batch: int = 64) -> Array:
    """`analog.forward(...).Y` for any number of images, `batch` at a time.  (n, n_in) -> (n, n_out)."""
    pieces = [x[i : i + batch] for i in range(0, len(x), batch)]
    steppers = {size: Stepper(net, size, x.dtype) for size in {len(piece) for piece in pieces}}
    return np.concatenate([steppers[len(piece)].forward(weights, piece) for piece in pieces])
