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

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Conv2d, Weights

__all__ = ["Patches", "Span", "spans"]

NARROW = 16  # below this number of inputs per kernel row, one product per row is too narrow to be fast


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


def spans(kernel: int, stride: int, padding: int, side_in: int, side: int) -> list[Span]:
    """The spans of all places of a kernel side that see some of the image.

    Parameters
    ----------
    kernel, stride, padding
        As in `Conv2d`.
    side_in, side
        Height (or width) of the image and of the neurons.

    Returns
    -------
    list of Span
        At most one per place.
    """
    result = []
    for at in range(kernel):
        first = max(0, -(-(padding - at) // stride))  # the first output whose window has place `at` in the image
        last = min(side, (side_in - 1 + padding - at) // stride + 1)
        if first < last:
            start = first * stride + at - padding
            result.append(Span(at, slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)))
    return result


class Patches:
    """The windows of P that the neurons of a Conv2d see, for a fixed batch.

    With stride 1, patches run along the columns only: X[c, s, row, x] = P[c, row, x + s - padding].  Row r of the
    kernel reads them shifted by r rows, and there is one product per kernel row.  Otherwise whole windows are written,
    for one product: X[c, r, s, y, x] = P[c, stride y + r - padding, stride x + s - padding].

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
    """

    def __init__(self, synapse: Conv2d, sides: tuple[int, int], batch: int, dtype: np.dtype[np.floating]) -> None:
        channels, *sides_in = synapse.shape_in
        k, self.n = synapse.kernel, synapse.channels
        self.whole = synapse.stride > 1 or channels * k < NARROW
        place = synapse.kernel, synapse.stride, synapse.padding
        rows, self.columns = (spans(*place, i, o) for i, o in zip(sides_in, sides, strict=True))
        self.rows = rows if self.whole else [Span(0, slice(None), slice(None))]  # rows of P as they are written
        width = sides[1] * batch  # numbers in one row of one channel
        self.bands = [  # for each kernel row: the outputs that see the image through it, and the patches they read
            (r, slice(out.start * width, out.stop * width), slice(image.start * width, image.stop * width))
            for r, out, image in rows
        ]
        height = (k, sides[0]) if self.whole else (1, sides_in[0])
        self.X = np.zeros((channels, height[0], k, height[1], sides[1], batch), dtype)
        self.products = channels * height[0] * k, height[1] * width
        self.shape_W = self.n, channels, k, k
        self.scratch = np.empty((self.n, sides[0] * width), dtype)

    def load(self, P: Array) -> None:
        """Write the patches of P (channels_in, height, width, batch)."""
        for r, y, from_y in self.rows:
            for s, x, from_x in self.columns:
                self.X[:, r, s, y, x] = P[:, from_y, from_x]

    def drive(self, weights: Weights, U: Array) -> None:
        """`Conv2d.drive` into U (channels, rows x columns x batch)."""
        X, (W, b) = self.X.reshape(self.products), weights
        if self.whole:
            np.matmul(W.reshape(self.n, -1), X, out=U)
            U += b[:, None]
            return
        U[...] = b[:, None]
        for r, out, patches in self.bands:
            product = self.scratch[:, out]
            np.matmul(np.ascontiguousarray(W[:, :, r]).reshape(self.n, -1), X[:, patches], out=product)
            U[:, out] += product

    def gradient(self, dU: Array, result: Weights) -> None:
        """`Conv2d.gradient` of dU (channels, rows x columns x batch) into `result`."""
        X, dW = self.X.reshape(self.products), result.W
        np.sum(dU, axis=1, out=result.b)
        if self.whole:
            dW[...] = (X @ dU.T).T.reshape(self.shape_W)
            return
        dW[...] = 0
        for r, out, patches in self.bands:
            dW[:, :, r] = (X[:, patches] @ dU[:, out].T).T.reshape(dW[:, :, r].shape)

    def adjoint(self, weights: Weights, dU: Array, dP: Array) -> None:
        """`Conv2d.adjoint` of dU (channels, rows x columns x batch) into dP, of the shape of P."""
        W, dX = weights.W, np.zeros_like(self.X)
        products = dX.reshape(self.products)
        if self.whole:
            np.matmul(W.reshape(self.n, -1).T, dU, out=products)
        else:
            for r, out, patches in self.bands:
                products[:, patches] += np.ascontiguousarray(W[:, :, r]).reshape(self.n, -1).T @ dU[:, out]
        dP[...] = 0
        for r, y, from_y in self.rows:
            for s, x, from_x in self.columns:
                dP[:, from_y, from_x] += dX[:, r, s, y, x]
