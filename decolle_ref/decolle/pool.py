"""Max-pooling: each window of potentials passes on its largest, and the error returns to where that one came from.

>>> import numpy as np
>>> from decolle_ref import MaxPool
>>> pool = MaxPool(shape=(1, 2, 4), size=2)
>>> U = np.array([0.1, 0.7, 0.2, 0.2, 0.3, 0.4, 0.2, 0.1])  # two rows of four
>>> winners = pool.winners(U)
>>> pool.pick(U, winners)
array([0.7, 0.2])
>>> pool.route(np.array([1.0, 2.0]), winners)
array([0., 1., 2., 0., 0., 0., 0., 0.])
"""

from dataclasses import dataclass

import numpy as np

from decolle_ref._util.check import Array, InputError, count, floats, labels
from decolle_ref.decolle.synapse import validate_image


@dataclass(frozen=True)
class MaxPool:
    """Windows side by side over an image; rows and columns that do not fill a window are left out.

    Parameters
    ----------
    shape : (channels, height, width)
        Shape of the image.
    size : int
        Side of a window.

    Raises
    ------
    InputError
        If no window fits into the image.
    """

    shape: tuple[int, int, int]
    size: int

    def __post_init__(self) -> None:
        validate_image("shape", self.shape)
        count("size", self.size)
        if self.size > min(self.shape[1:]):
            raise InputError(f"size: expected at most {min(self.shape[1:])}, the side of the image, got {self.size}")

    @property
    def shape_out(self) -> tuple[int, int, int]:
        """(channels, height, width) of the windows."""
        channels, height, width = self.shape
        return channels, height // self.size, width // self.size

    @property
    def n_in(self) -> int:
        """The number of neurons."""
        return int(np.prod(self.shape))

    @property
    def n(self) -> int:
        """The number of windows."""
        return int(np.prod(self.shape_out))

    def winners(self, x: Array) -> Array:
        """The index of each window's largest entry; ties go to the first in reading order.  (..., n_in) -> (..., n)."""
        windows, x = self.windows(), floats("x", x, ..., self.n_in)
        best = x.real[..., windows].argmax(axis=-1)
        index: Array = windows[np.arange(self.n), best]
        return index

    def pick(self, x: Array, winners: Array) -> Array:
        """The entries of x at the winners.  (..., n_in) -> (..., n)."""
        return np.take_along_axis(floats("x", x, ..., self.n_in), self._parse(winners, np.shape(x)[:-1]), axis=-1)

    def route(self, dU: Array, winners: Array) -> Array:
        """The adjoint of `pick`: dU at the winners, 0 elsewhere.  (..., n) -> (..., n_in)."""
        dU = floats("dU", dU, ..., self.n)
        routed: Array = np.zeros((*dU.shape[:-1], self.n_in), dU.dtype)
        np.put_along_axis(routed, self._parse(winners, dU.shape[:-1]), dU, axis=-1)
        return routed

    def _parse(self, winners: Array, batch: tuple[int, ...]) -> Array:
        """Indices of one entry per window."""
        return labels("winners", winners, self.n_in, (*batch, self.n))

    def windows(self) -> Array:
        """The indices of each window's entries, in reading order: an array of shape (n, size^2)."""
        channels, height, width = self.shape_out
        index = np.arange(self.n_in).reshape(self.shape)[:, : height * self.size, : width * self.size]
        tiles = index.reshape(channels, height, self.size, width, self.size).transpose(0, 1, 3, 2, 4)
        return tiles.reshape(self.n, self.size**2)
