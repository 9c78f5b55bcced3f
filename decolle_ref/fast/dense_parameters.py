"""The parameters of all dense layers in one array, and its blocks.

Each layer is a matrix (n, n_in + 1) of its weights and, in the last column, its biases.  A block is a few rows, small
enough to stay in cache through all passes of an update.

>>> parameters = Parameters([Weights(np.ones((2, 3)), np.zeros(2)), Weights(np.ones((1, 2)), np.zeros(1))])
>>> parameters.flat.size, parameters.matrices[0]
(11, array([[1., 1., 1., 0.],
       [1., 1., 1., 0.]]))
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Weights
from decolle_ref.fast.update import BLOCK

__all__ = ["Block", "Parameters", "Rows", "blocks_of", "one_number_if_equal", "spans"]


def spans(sizes: Iterable[int]) -> list[slice]:
    """Slices of these lengths, one after the other.

    Parameters
    ----------
    sizes
        Their lengths.

    Returns
    -------
    list of slice
    """
    ends = np.cumsum([0, *sizes]).tolist()
    return [slice(start, stop) for start, stop in pairwise(ends)]


def one_number_if_equal(x: Array) -> Array:
    """An array of shape () if all entries are equal, which NumPy multiplies by sooner; else x.

    Parameters
    ----------
    x
        At least one number.

    Returns
    -------
    array
    """
    return np.array(x.flat[0]) if (x == x.flat[0]).all() else x


class Parameters:
    """Copies of the weights and biases of all layers, or of anything of the same shapes, in one array.

    Parameters
    ----------
    layers
        Weights, or what broadcasts to their shapes.
    shapes
        (n, n_in) of each layer; None for those of `layers`.
    dtype
        None for that of `layers`.
    """

    def __init__(
        self,
        layers: Sequence[Weights],
        shapes: Sequence[tuple[int, ...]] | None = None,
        dtype: np.dtype[Any] | None = None,
    ) -> None:
        self.shapes = [w.W.shape for w in layers] if shapes is None else shapes
        parts = spans(n * (n_in + 1) for n, n_in in self.shapes)
        self.flat = np.empty(parts[-1].stop, layers[0].W.dtype if dtype is None else dtype)
        pairs = zip(parts, self.shapes, strict=True)
        self.matrices = [self.flat[part].reshape(n, n_in + 1) for part, (n, n_in) in pairs]
        for matrix, (W, b) in zip(self.matrices, layers, strict=True):
            matrix[:, :-1], matrix[:, -1] = W, b

    def split(self) -> tuple[Weights, ...]:
        """Copies, one per layer, in the shapes of the definition."""
        return tuple(Weights(matrix[:, :-1].copy(), matrix[:, -1].copy()) for matrix in self.matrices)


class Rows(NamedTuple):
    """Some rows of one layer within a block.

    Attributes
    ----------
    layer : int
    rows : slice
    span : slice of the block
    """

    layer: int
    rows: slice
    span: slice


class Block(NamedTuple):
    """A span of the flat parameters, and the rows of layers that lie in it."""

    span: slice
    pieces: list[Rows]


def blocks_of(shapes: Sequence[tuple[int, ...]], longest: int = BLOCK) -> list[Block]:
    """The flat parameters cut at the ends of rows into blocks of at most `longest` numbers, or of one row.

    Parameters
    ----------
    shapes
        (n, n_in) of each layer.
    longest
        Numbers in a block.

    Returns
    -------
    list of Block
    """
    blocks: list[Block] = []
    pieces: list[Rows] = []
    start = size = 0
    for k, (n, n_in) in enumerate(shapes):
        row = 0
        while row < n:
            some = min(n - row, (longest - size) // (n_in + 1))
            if some <= 0 and size:
                blocks.append(Block(slice(start, start + size), pieces))
                pieces, start, size = [], start + size, 0
                continue
            some = max(some, 1)
            pieces.append(Rows(k, slice(row, row + some), slice(size, size + some * (n_in + 1))))
            row, size = row + some, size + some * (n_in + 1)
    return [*blocks, Block(slice(start, start + size), pieces)]
