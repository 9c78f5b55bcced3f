"""How spikes and errors travel: linear maps, their adjoints, and what they learn from.  [T19 Eq. 1, 6, 8]

Written as their definitions, on batches of arrays (batch, height, width, channels) or (batch, n); `fast` has the
optimised ones.  The same three functions serve accumulated integers and, with a batch of one spike, single events.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from decolle_ref._util.check import Array, InputError, count

Shape = tuple[int, ...]


class Map(Protocol):
    """One layer of connections; y = sum_j w_ij x_j without bias."""

    @property
    def shape_in(self) -> Shape:
        """Of one sample's input."""

    @property
    def shape(self) -> Shape:
        """Of one sample's output."""

    @property
    def shape_W(self) -> Shape:
        """Of the weights."""

    @property
    def learns(self) -> bool:
        """Whether W and b are learned."""

    def apply(self, W: Array, x: Array) -> Array:
        """sum_j w_ij x_j.  (batch, *shape_in) -> (batch, *shape)."""

    def adjoint(self, W: Array, delta: Array) -> Array:
        """sum_i w_ij delta_i.  (batch, *shape) -> (batch, *shape_in)."""

    def increment(self, delta: Array, x: Array) -> Array:
        """sum delta_i x_j over the batch and over the places that share w_ij.  Shape of W."""


@dataclass(frozen=True)
class Dense:
    """Every input reaches every neuron.  W: (n, n_in)."""

    shape_in: Shape
    n: int
    learns = True

    def __post_init__(self) -> None:
        for size in (*self.shape_in, self.n):
            count("size of a layer", size)

    @property
    def shape(self) -> Shape:
        """(n,)."""
        return (self.n,)

    @property
    def shape_W(self) -> Shape:
        """(n, n_in)."""
        return (self.n, int(np.prod(self.shape_in)))

    def apply(self, W: Array, x: Array) -> Array:
        """sum_j w_ij x_j."""
        y: Array = x.reshape(len(x), self.shape_W[1]) @ W.T
        return y

    def adjoint(self, W: Array, delta: Array) -> Array:
        """sum_i w_ij delta_i."""
        x: Array = delta @ W
        return x.reshape(len(delta), *self.shape_in)

    def increment(self, delta: Array, x: Array) -> Array:
        """sum over the batch of delta_i x_j."""
        dW: Array = delta.T @ x.reshape(len(x), self.shape_W[1])
        return dW


@dataclass(frozen=True)
class Conv:
    """n maps of a size x size window that steps over the image by 1, `pad` zeros around it.  W: (size, size, n_in, n).

    y[r, c, i] = sum over p, q, j of W[p, q, j, i] x[r + p - pad, c + q - pad, j].
    """

    shape_in: Shape  # (height, width, channels)
    n: int
    size: int
    pad: int = 0
    learns = True

    def __post_init__(self) -> None:
        for number in (*self.shape_in, self.n, self.size):
            count("size of a convolution", number)
        count("pad", self.pad, 0)
        if min(self.shape) < 1:
            raise InputError(f"convolution: expected a window that fits into {self.shape_in}, got size {self.size}")

    @property
    def shape(self) -> Shape:
        """(height + 2 pad - size + 1, width + 2 pad - size + 1, n)."""
        rows, columns, _ = self.shape_in
        border = 2 * self.pad - self.size + 1
        return (rows + border, columns + border, self.n)

    @property
    def shape_W(self) -> Shape:
        """(size, size, n_in, n)."""
        return (self.size, self.size, self.shape_in[2], self.n)

    def _window(self, p: int, q: int) -> tuple[slice, slice, slice]:
        """What weight (p, q) sees of the padded images, one pixel for each output place."""
        rows, columns, _ = self.shape
        return slice(None), slice(p, p + rows), slice(q, q + columns)

    def _padded(self, x: Array) -> Array:
        return np.pad(x, ((0, 0), (self.pad, self.pad), (self.pad, self.pad), (0, 0)))

    def apply(self, W: Array, x: Array) -> Array:
        """Sum over the places (p, q) of the window."""
        padded = self._padded(x)
        y: Array = np.zeros((len(x), *self.shape), np.result_type(W, x))
        for p, q in np.ndindex(self.size, self.size):
            y += padded[self._window(p, q)] @ W[p, q]
        return y

    def adjoint(self, W: Array, delta: Array) -> Array:
        """Every error goes back to the pixels that it came from."""
        rows, columns, channels = self.shape_in
        padded: Array = np.zeros(
            (len(delta), rows + 2 * self.pad, columns + 2 * self.pad, channels), np.result_type(W, delta)
        )
        for p, q in np.ndindex(self.size, self.size):
            padded[self._window(p, q)] += delta @ W[p, q].T
        return padded[:, self.pad : self.pad + rows, self.pad : self.pad + columns]

    def increment(self, delta: Array, x: Array) -> Array:
        """Sum over the batch and all places of delta_i x_j, for each place of the window."""
        padded = self._padded(x)
        dW: Array = np.zeros(self.shape_W, np.result_type(delta, x))
        for p, q in np.ndindex(self.size, self.size):
            dW[p, q] = np.tensordot(padded[self._window(p, q)], delta, axes=((0, 1, 2), (0, 1, 2)))
        return dW


@dataclass(frozen=True)
class AveragePool:
    """Mean of size x size windows side by side; every connection has the fixed weight W = 1 / size^2, a scalar."""

    shape_in: Shape  # (height, width, channels)
    size: int = 2
    learns = False

    def __post_init__(self) -> None:
        for number in (*self.shape_in, self.size):
            count("size of a pooling layer", number)
        if self.shape_in[0] % self.size or self.shape_in[1] % self.size:
            raise InputError(f"pooling: expected sides in multiples of {self.size}, got {self.shape_in[:2]}")

    @property
    def shape(self) -> Shape:
        """(height / size, width / size, channels)."""
        rows, columns, channels = self.shape_in
        return (rows // self.size, columns // self.size, channels)

    @property
    def shape_W(self) -> Shape:
        """()."""
        return ()

    def apply(self, W: Array, x: Array) -> Array:
        """W times the sum over each window."""
        rows, columns, channels = self.shape
        windows = x.reshape(len(x), rows, self.size, columns, self.size, channels)
        y: Array = W * windows.sum(axis=(2, 4))
        return y

    def adjoint(self, W: Array, delta: Array) -> Array:
        """Every place of a window gets W times its error."""
        x: Array = W * delta.repeat(self.size, axis=1).repeat(self.size, axis=2)
        return x

    def increment(self, delta: Array, x: Array) -> Array:
        """0: nothing is learned."""
        return np.zeros((), np.result_type(delta, x))
