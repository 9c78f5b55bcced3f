"""`Conv2d` by matrix products over patches, the batch as the last axis.

An image is (channels, height, width, batch) here, so that every run of memory is at least one batch long.  `Patches`
are written once per step from P and serve the drive and the gradient alike.
"""

from typing import NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Conv2d, Weights

NARROW = 16  # inputs of one kernel row below which a product per row is too narrow to be fast


class Span(NamedTuple):
    """Where place `at` of a kernel side meets the image: outputs `out` see inputs `image`, the others see padding."""

    at: int
    out: slice
    image: slice


def spans(kernel: int, stride: int, padding: int, side_in: int, side: int) -> list[Span]:
    """The spans of all places of a kernel side that see some of the image."""
    found = []
    for at in range(kernel):
        first = max(0, -(-(padding - at) // stride))  # the first output whose window has place `at` in the image
        last = min(side, (side_in - 1 + padding - at) // stride + 1)
        if first < last:
            start = first * stride + at - padding
            found.append(Span(at, slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)))
    return found


class Patches:
    """What the neurons of a Conv2d see of P, for the first `sides` rows and columns of neurons and a fixed batch.

    With stride 1, patches run along the columns alone: X[c, s, row, x] = P[c, row, x + s - padding], and row r of the
    kernel reads them shifted by r rows: one product per kernel row.  Else whole windows are written out, for one
    product: X[c, r, s, y, x] = P[c, stride y + r - padding, stride x + s - padding].
    """

    def __init__(self, synapse: Conv2d, sides: tuple[int, int], batch: int, dtype: np.dtype[np.floating]) -> None:
        channels, *sides_in = synapse.shape_in
        k, self.n = synapse.kernel, synapse.channels
        self.whole = synapse.stride > 1 or channels * k < NARROW
        place = synapse.kernel, synapse.stride, synapse.padding
        of_rows, self.of_columns = (spans(*place, i, o) for i, o in zip(sides_in, sides, strict=True))
        self.loads = of_rows if self.whole else [Span(0, slice(None), slice(None))]  # rows of P as they are written
        width = sides[1] * batch  # numbers in one row of one channel
        self.bands = [  # for each kernel row: the outputs that see the image through it, and the patches they read
            (r, slice(out.start * width, out.stop * width), slice(image.start * width, image.stop * width))
            for r, out, image in of_rows
        ]
        height = (k, sides[0]) if self.whole else (1, sides_in[0])
        self.X = np.zeros((channels, height[0], k, height[1], sides[1], batch), dtype)
        self.products = channels * height[0] * k, height[1] * width
        self.shape_W = self.n, channels, k, k
        self.scratch = np.empty((self.n, sides[0] * width), dtype)

    def load(self, P: Array) -> None:
        """Write the patches of P (channels_in, height, width, batch)."""
        for r, y, from_y in self.loads:
            for s, x, from_x in self.of_columns:
                self.X[:, r, s, y, x] = P[:, from_y, from_x]

    def drive(self, weights: Weights, U: Array) -> None:
        """`Conv2d.drive` into U (n, rows x columns x batch)."""
        X, (W, b) = self.X.reshape(self.products), weights
        if self.whole:
            np.matmul(W.reshape(self.n, -1), X, out=U)
            U += b[:, None]
            return
        U[...] = b[:, None]
        for r, out, seen in self.bands:
            part = self.scratch[:, out]
            np.matmul(np.ascontiguousarray(W[:, :, r]).reshape(self.n, -1), X[:, seen], out=part)
            U[:, out] += part

    def gradient(self, dU: Array, into: Weights) -> None:
        """`Conv2d.gradient` of dU (n, rows x columns x batch)."""
        X, dW = self.X.reshape(self.products), into.W
        np.sum(dU, axis=1, out=into.b)
        if self.whole:
            dW[...] = (X @ dU.T).T.reshape(self.shape_W)
            return
        dW[...] = 0
        for r, out, seen in self.bands:
            dW[:, :, r] = (X[:, seen] @ dU[:, out].T).T.reshape(dW[:, :, r].shape)

    def adjoint(self, weights: Weights, dU: Array, back: Array) -> None:
        """`Conv2d.adjoint` of dU (n, rows x columns x batch) into back, shaped as P: gathers what `load` spread."""
        W, dX = weights.W, np.zeros_like(self.X)
        products = dX.reshape(self.products)
        if self.whole:
            np.matmul(W.reshape(self.n, -1).T, dU, out=products)
        else:
            for r, out, seen in self.bands:
                products[:, seen] += np.ascontiguousarray(W[:, :, r]).reshape(self.n, -1).T @ dU[:, out]
        back[...] = 0
        for r, y, from_y in self.loads:
            for s, x, from_x in self.of_columns:
                back[:, from_y, from_x] += dX[:, r, s, y, x]
