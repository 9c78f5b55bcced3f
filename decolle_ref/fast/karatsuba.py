"""Wide convolutions by fewer products: Karatsuba's method along rows and along columns.

Along one axis, let e_t and o_t be the even and the odd inputs, and H, K the even and the odd places of the kernel.
Then two outputs need three products of half the kernel instead of four:

    A = H (e_t - o_t)    B = (H + K) o_t    C = K (o_t - e_t+1)
    U_2t = A + B = H e_t + K o_t    U_2t+1 = B - C = H o_t + K e_t+1

Along both axes there are nine small convolutions, with 121 instead of 196 products for each four outputs of a kernel of
side 7.  The factors of a product are sums of at most four inputs and of at most four places of the kernel, so that the
bound of the rounding error is up to 16 times that of the definition.  At the sizes of [K20 Table 2], in float32, the
root mean square of the error is 1.5 times as large in U, and 1.2 times in the gradient.  The adjoint of the same scheme
gives the gradient.

>>> synapse = Conv2d((1, 4, 4), channels=1, kernel=3)
>>> method = Karatsuba(synapse, sides=(2, 2), batch=1, dtype=np.dtype(float))
>>> method.load(np.ones((1, 4, 4, 1)))
>>> U = np.empty((1, 4))
>>> method.drive(Weights(np.ones((1, 1, 3, 3)), np.zeros(1)), U)
>>> U
array([[9., 9., 9., 9.]])
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.fast.conv import Geometry, Patches

__all__ = ["Karatsuba", "fastest"]

WIDE, LARGE = 64, 5  # channels on both sides, and the side of a kernel, from which on fewer products save time

PHASES = (0, 0), (2, 1)  # A belongs to the even places, and C to the odd ones
Parts = list[list[Array]]
"""A, B and C along rows, of A, B and C along columns."""


def fastest(synapse: Conv2d, sides: tuple[int, int], batch: int, dtype: np.dtype[np.floating]) -> "Patches | Karatsuba":
    """`Karatsuba` for wide convolutions with large kernels, otherwise `Patches`; the arguments are theirs."""
    wide = min(synapse.shape_in[0], synapse.channels) >= WIDE and synapse.kernel >= LARGE
    method = Karatsuba if wide and synapse.stride == 1 and synapse.kernel % 2 else Patches
    return method(synapse, sides, batch, dtype)


class Karatsuba:
    """`Patches` for stride 1 and a kernel of side 3, 5, 7, ..., with the same arguments."""

    def __init__(self, synapse: Conv2d, sides: tuple[int, int], batch: int, dtype: np.dtype[np.floating]) -> None:
        channels, *sides_in = synapse.shape_in
        n, odd, self.padding, self.sides = synapse.channels, synapse.kernel // 2, synapse.padding, sides
        tiles = (sides[0] + 1) // 2, (sides[1] + 1) // 2
        height, width = (side + odd for side in tiles)  # of the even inputs, and of the odd ones
        self.image = np.zeros((channels, 2 * height, 2 * width, batch), dtype)
        places = zip(sides_in, self.image.shape[1:3], strict=True)
        self.height, self.width = (max(0, min(side, padded - self.padding)) for side, padded in places)
        self.rows = [np.empty((channels, rows, 2 * width, batch), dtype) for rows in (height, height - 1)]
        self.scratch = np.empty((channels, height, width, batch), dtype)
        halves = odd + 1, odd + 1, odd  # places of the kernel in A, B and C

        def part(r: int, s: int) -> Patches:
            image = channels, tiles[0] + r - 1, tiles[1] + s - 1
            return Patches(Geometry(image, n, (r, s)), tiles, batch, dtype)

        self.parts = [[part(r, s) for s in halves] for r in halves]
        self.U: Parts = [[np.zeros((n, *tiles, batch), dtype) for _ in halves] for _ in halves]

    def load(self, P: Array) -> None:
        """Write the patches of P (channels_in, height, width, batch)."""
        pad, height, width = self.padding, self.height, self.width
        self.image[:, pad : pad + height, pad : pad + width] = P[:, :height, :width]
        even, odd = self.image[:, ::2], self.image[:, 1::2]
        below = np.subtract(odd[:, :-1], even[:, 1:], out=self.rows[1])
        for rows, (A, B, C) in zip((np.subtract(even, odd, out=self.rows[0]), odd, below), self.parts, strict=True):
            left, right, scratch = rows[:, :, ::2], rows[:, :, 1::2], self.scratch[:, : rows.shape[1]]
            A.load(np.subtract(left, right, out=scratch))
            B.load(right)
            C.load(np.subtract(right[:, :, :-1], left[:, :, 1:], out=scratch[:, :, :-1]))

    def drive(self, weights: Weights, U: Array) -> None:
        """`Conv2d.drive` into U (channels, rows x columns x batch)."""
        H = [[part.weights() for part in row] for row in self.parts]
        for a, y in PHASES:
            for b, x in PHASES:
                H[a][b][...] = weights.W.swapaxes(1, 2)[:, y::2, :, x::2]
        _add_middle(H)
        for a, b in np.ndindex(3, 3):
            self.parts[a][b].multiply(self.U[a][b].reshape(len(U), -1))
        _combine(self.U)
        for part, u in self._phases(U):
            np.add(_corner(part, u), weights.b[:, None, None, None], out=u)

    def gradient(self, dU: Array, result: Weights) -> None:
        """`Conv2d.gradient` of dU (channels, rows x columns x batch) into `result`."""
        for part, error in self._phases(dU):
            part[...] = 0
            _corner(part, error)[...] = error
        _add_middle(self.U)
        dH = [[self.parts[a][b].correlation(self.U[a][b].reshape(len(dU), -1)) for b in range(3)] for a in range(3)]
        _combine(dH)
        for a, y in PHASES:
            for b, x in PHASES:
                result.W.transpose(2, 1, 3, 0)[y::2, :, x::2] = dH[a][b]
        np.sum(dU, axis=1, out=result.b)

    def _phases(self, U: Array) -> list[tuple[Array, Array]]:
        """The parts A and C of U, and the even and the odd rows and columns of U that they belong to."""
        images = U.reshape(len(U), *self.sides, -1)
        return [(self.U[a][b], images[:, y::2, x::2]) for a, y in PHASES for b, x in PHASES]


def _add_middle(parts: Parts) -> None:
    """B = A + C, along columns and then along rows; C may be shorter than A."""
    for A, B, C in (parts[0], parts[2], *zip(*parts, strict=True)):
        B[...] = A
        corner = _corner(B, C)
        corner += C


def _combine(parts: Parts) -> None:
    """A + B in place of A and B - C in place of C, along rows and then along columns."""
    for A, B, C in (*zip(*parts, strict=True), parts[0], parts[2]):
        A += B
        np.subtract(_corner(B, C), C, out=C)


def _corner(x: Array, like: Array) -> Array:
    """The first entries of x along every axis, as many as `like` has."""
    return x[tuple(map(slice, like.shape))]
