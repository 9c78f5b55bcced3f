"""`Conv2d` by matrix products over patches, the batch as the last axis.  Tested against `decolle.synapse.Conv2d`.

An image is (channels, height, width, batch) here, so that consecutive memory holds at least one whole batch.  The
patches of P are written once per step and serve `drive` and `gradient` alike.

>>> synapse = Conv2d((1, 3, 3), channels=2, kernel=2)
>>> patches = Patches(synapse, sides=(2, 2), batch=1, dtype=np.dtype(float))
>>> patches.load(np.ones((1, 3, 3, 1)))
>>> U = np.empty((2, 4))
>>> patches.drive(Weights(np.ones((2, 1, 2, 2)), np.zeros(2)), U)
>>> U
array([[4., 4., 4., 4.],
       [4., 4., 4., 4.]])
"""

from functools import cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.fast.memory import Empty
from decolle_ref.fast.workers import split

__all__ = ["Adjoint", "Band", "Geometry", "Patches", "Span", "bands", "spans"]

SCRATCH = 1 << 16  # numbers in the products of several rows of neurons that wait to be added up


class Geometry(NamedTuple):
    """A `Conv2d` whose kernel has two sides of its own: (rows, columns)."""

    shape_in: tuple[int, int, int]
    channels: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: int = 0


class Span(NamedTuple):
    """Where one place of a kernel side meets the image; the outputs that are not in `out` see padding there.

    Attributes
    ----------
    at
        The place, 0 .. kernel - 1.
    out
        The outputs that see the image through it.
    image
        The inputs that they see.
    """

    at: int
    out: slice
    image: slice


@cache
def spans(kernel: int, stride: int, padding: int, side_in: int, side: int) -> tuple[Span, ...]:
    """The spans of all places of a kernel side that see some of the image.

    Parameters
    ----------
    kernel, stride, padding
        As in `Conv2d`.
    side_in, side
        Height (or width) of the image and of the neurons.

    Returns
    -------
    tuple of Span
        At most one per place.
    """
    result = []
    for at in range(kernel):
        first = max(0, -(-(padding - at) // stride))  # the first output whose window has place `at` in the image
        last = min(side, (side_in - 1 + padding - at) // stride + 1)
        if first < last:
            start = first * stride + at - padding
            result.append(Span(at, slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)))
    return tuple(result)


class Band(NamedTuple):
    """Rows of neurons that see the image through the same rows of the kernel.

    Attributes
    ----------
    out
        The rows of neurons.
    kernel
        The rows of the kernel.
    image
        The first row of the image that the first of them sees.
    """

    out: slice
    kernel: slice
    image: int


@cache
def bands(kernel: int, stride: int, padding: int, side_in: int, side: int) -> tuple[Band, ...]:
    """All rows of neurons in bands; the kernel of a band is empty where its neurons see only padding.

    Parameters
    ----------
    kernel, stride, padding
        As in `Conv2d`.
    side_in, side
        Height of the image and of the neurons.

    Returns
    -------
    tuple of Band
        From the first row to the last.
    """
    result = []

    def seen(y: int) -> tuple[int, int]:
        first = padding - stride * y  # the row of the kernel that lies on the first row of the image
        start = min(max(0, first), kernel)
        return start, max(start, min(kernel, first + side_in))

    for (start, stop), group in groupby(range(side), seen):
        ys = list(group)
        result.append(Band(slice(ys[0], ys[-1] + 1), slice(start, stop), stride * ys[0] + start - padding))
    return tuple(result)


class Patches:
    """The windows of P that the neurons of a Conv2d see, for a fixed batch.

    Patches run along the columns only: X[row, c, s, x] = P[c, row, stride x + s - padding].  The windows of one row of
    neurons are then consecutive rows of X, which overlap those of the next: one product per row of neurons, and no
    copy.

    Parameters
    ----------
    synapse
        The convolution.
    sides
        Only the first `sides` rows and columns of neurons are computed.
    batch
        Number of samples.
    dtype
        Of all arrays.
    empty
        Allocates them.
    """

    def __init__(
        self,
        synapse: Conv2d | Geometry,
        sides: tuple[int, int],
        batch: int,
        dtype: np.dtype[np.floating],
        empty: Empty = np.empty,
    ) -> None:
        (channels, *sides_in), kernel = synapse.shape_in, synapse.kernel
        self.kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.n, self.stride, self.shape_in = synapse.channels, synapse.stride, synapse.shape_in
        self.bands = bands(self.kernel[0], synapse.stride, synapse.padding, sides_in[0], sides[0])
        self.columns = spans(self.kernel[1], synapse.stride, synapse.padding, sides_in[1], sides[1])
        self.X = empty((sides_in[0], channels, self.kernel[1], sides[1], batch), dtype)
        self._clear_padding()
        self.windows = self._windows(self.X)
        self.shape_U = self.n, sides[0], sides[1] * batch
        self.W = empty((self.n, self.kernel[0] * channels * self.kernel[1]), dtype)
        self.total = empty(self.W.T.shape, dtype)
        self.products = empty((max(1, min(sides[0], SCRATCH // self.W.size)), self.W.size), dtype)

    def _clear_padding(self) -> None:
        """Zeros where the windows see padding; `load` writes all other places."""
        seen = {s: x for s, x, _ in self.columns}
        for s in range(self.kernel[1]):
            x = seen.get(s, slice(0, 0))
            self.X[:, :, s, : x.start], self.X[:, :, s, x.stop :] = 0, 0

    def _windows(self, X: Array) -> list[Array]:
        """For each band: the windows of its rows, (rows, kernel rows x channels x kernel, columns x batch)."""
        row, width = X[0, :, :, 0, 0].size, X[0, 0, 0].size
        flat = X.reshape(-1, width)
        views = []
        for out, kernel, image in self.bands:
            shape = out.stop - out.start, (kernel.stop - kernel.start) * row, width
            strides = self.stride * row * flat.strides[0], *flat.strides
            views.append(as_strided(flat[image * row :], shape, strides))
        return views

    def load(self, P: Array) -> None:
        """Write the patches of P (channels_in, height, width, batch)."""
        rows = P.swapaxes(0, 1)
        for s, x, from_x in self.columns:
            self.X[:, :, s, x] = rows[:, :, from_x]

    def drive(self, weights: Weights, U: Array) -> None:
        """`Conv2d.drive` into U (channels, rows x columns x batch)."""
        self.product(weights.W, U)
        U += weights.b[:, None]

    def product(self, W: Array, U: Array) -> None:
        """`drive` without b."""
        self.weights()[...] = W.swapaxes(1, 2)
        self.multiply(U)

    def multiply(self, U: Array) -> None:
        """`product` with the weights that `weights` shows."""
        rows = U.reshape(self.shape_U).swapaxes(0, 1)
        for (out, kernel, _), windows in zip(self.bands, self.windows, strict=True):
            np.matmul(self.W[:, self.inputs(kernel)], windows, out=rows[out])

    def gradient(self, dU: Array, result: Weights) -> None:
        """`Conv2d.gradient` of dU (channels, rows x columns x batch) into `result`."""
        result.W[...] = self.correlation(dU).transpose(3, 1, 0, 2)
        np.sum(dU, axis=1, out=result.b)

    def correlation(self, dU: Array) -> Array:
        """dL/dW as (kernel rows, channels_in, kernel columns, channels); the next call overwrites it."""
        rows, total = dU.reshape(self.shape_U).transpose(1, 2, 0), self.total
        total[...] = 0
        for (out, kernel, _), windows in zip(self.bands, self.windows, strict=True):
            part = total[self.inputs(kernel)]
            for some in split(len(windows), len(self.products)):
                products = self.products[: len(windows[some]), : part.size].reshape(len(windows[some]), *part.shape)
                np.matmul(windows[some], rows[out][some], out=products)
                for product in products:
                    part += product
        return total.reshape(self.kernel[0], -1, self.kernel[1], self.n)

    def weights(self) -> Array:
        """W in the order of the patches: (channels, kernel rows, channels_in, kernel columns)."""
        return self.W.reshape(self.n, self.kernel[0], -1, self.kernel[1])

    def inputs(self, kernel: slice) -> slice:
        """Where the weights of some rows of the kernel lie in `self.W`."""
        row = self.W.shape[1] // self.kernel[0]
        return slice(kernel.start * row, kernel.stop * row)


class Adjoint:
    """`Conv2d.adjoint` for a fixed batch; the arguments are those of `Patches`.

    With stride 1 it is the convolution with the kernel turned by 180 degrees.  Otherwise the products are added up
    where the patches came from.
    """

    def __init__(
        self,
        synapse: Conv2d,
        sides: tuple[int, int],
        batch: int,
        dtype: np.dtype[np.floating],
        empty: Empty = np.empty,
    ) -> None:
        padding = synapse.kernel - 1 - synapse.padding
        self.turned = synapse.stride == 1 and padding >= 0 and min(sides) + 2 * padding >= synapse.kernel
        channels, height, width = synapse.shape_in
        if self.turned:
            synapse = Conv2d((synapse.channels, *sides), channels, synapse.kernel, padding=padding)
            sides = height, width
        self.patches = Patches(synapse, sides, batch, dtype, empty)

    def __call__(self, weights: Weights, dU: Array, dP: Array) -> None:
        """dP, of the shape of P, from dU (channels, rows x columns x batch)."""
        patches = self.patches
        if self.turned:
            patches.load(dU.reshape(*patches.shape_in, -1))
            patches.product(weights.W[:, :, ::-1, ::-1].swapaxes(0, 1), dP.reshape(len(dP), -1))
        else:
            self._scatter(weights.W, dU.reshape(patches.shape_U), dP)

    def _scatter(self, W: Array, dU: Array, dP: Array) -> None:
        patches = self.patches
        patches.weights()[...] = W.swapaxes(1, 2)
        patches.X[...], dP[...] = 0, 0
        for (out, kernel, _), windows in zip(patches.bands, patches.windows, strict=True):
            for y, window in enumerate(windows, start=out.start):
                window += patches.W[:, patches.inputs(kernel)].T @ dU[:, y]
        for s, x, from_x in patches.columns:
            dP[:, :, from_x] += patches.X[:, :, s, x].swapaxes(0, 1)
