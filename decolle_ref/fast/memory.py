"""Memory that is used again at every step, so that no step waits for new pages, and blocks that fit into the cache.

>>> memory = Memory()
>>> for _ in range(2):
...     memory.clear()
...     x = memory.empty((2, 3), np.dtype(float))
>>> x.shape, x.base is memory.bytes
((2, 3), True)
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

from decolle_ref._util.check import Array

__all__ = ["Empty", "Memory", "blocks", "take"]

Empty = Callable[[tuple[int, ...], np.dtype[Any]], Array]
"""`np.empty`, or `Memory.empty`."""
ALIGNMENT = 64  # bytes
BLOCK = 1 << 15  # numbers worked on at a time, so that they stay in cache through all passes


class Memory:
    """A stack of arrays.

    Where it is too small, `empty` is `np.empty`, and `clear` makes it large enough for next time.
    """

    def __init__(self) -> None:
        self.bytes: Array = np.empty(0, np.uint8)
        self.used = self.needed = 0

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array on top of the stack."""
        size = prod(shape) * np.dtype(dtype).itemsize
        start, self.used = self.used, self.used + -(-size // ALIGNMENT) * ALIGNMENT
        self.needed = max(self.needed, self.used)
        if self.used > len(self.bytes):
            return np.empty(shape, dtype)
        return self.bytes[start : start + size].view(dtype).reshape(shape)

    def release(self, used: int) -> None:
        """Take away all arrays above a former value of `used`."""
        self.used = used

    def clear(self) -> None:
        """Take away all arrays."""
        if self.needed > len(self.bytes):
            self.bytes = np.empty(0, np.uint8)  # the old ones go first
            self.bytes = np.empty(self.needed, np.uint8)
        self.used = 0


def take(memories: list[Memory]) -> Memory:
    """A memory without arrays, out of a list that several threads share; a new one if the list is empty."""
    try:
        memory = memories.pop()
    except IndexError:
        memory = Memory()
    memory.clear()
    return memory


def blocks(x: Array, width: int = 1) -> Iterator[Array]:
    """x as views of some rows each, few enough to stay in cache through all passes.

    Parameters
    ----------
    x
        Any array.
    width
        The factor by which other arrays have longer rows than x.

    Yields
    ------
    array
        At least one row.
    """
    rows = np.atleast_1d(x)
    height = max(1, BLOCK // max(1, width * rows[:1].size))
    for top in range(0, len(rows), height):
        yield rows[top : top + height]
