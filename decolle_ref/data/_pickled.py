"""Reads pickles of arrays, as NumPy and the PyTorch of 2018 wrote them, without trust.

A pickle can run any program.  Therefore an Unpickler reads these that knows a few names; it refuses every other name
without importing it.
"""

import math
from collections import OrderedDict
from io import BytesIO
from pickle import Unpickler
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from decolle_ref._util.check import Array, InputError, count
from decolle_ref._util.reading import READERS

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # the first two numbers in a file of PyTorch before 1.6
T = TypeVar("T")


def numpy_file(stream: BytesIO) -> object:
    """The content of an .npy file: an array if it holds numbers, a _Rebuilt if it holds objects."""
    shape, fortran, dtype = READERS[np.lib.format.read_magic(stream)](stream)
    if dtype.hasobject:
        return Arrays(stream).parse(_Rebuilt)
    return _numbers(stream.read(), dtype, shape, fortran)


def torch_file(stream: BytesIO) -> dict[str, Array]:
    """Tensors by name, as PyTorch wrote them before 1.6: five pickles, then each storage's count and raw numbers."""
    if Arrays(stream).parse(int) != MAGIC or Arrays(stream).parse(int) != PROTOCOL:
        raise InputError("expected the stream format of PyTorch before 1.6, got another")
    if not Arrays(stream).parse(dict).get("little_endian", True):
        raise InputError("expected little-endian numbers, got big-endian")
    reader = Arrays(stream)
    tensors = reader.parse(OrderedDict)
    for key in Arrays(stream).parse(list):
        storage = reader.storages[key]
        if int.from_bytes(stream.read(8), "little", signed=True) != storage.numel:
            raise InputError(f"expected a storage of {storage.numel} numbers, got another count")
        content = stream.read(storage.numel * storage.dtype.itemsize)
        storage.numbers.append(_numbers(content, storage.dtype, (storage.numel,)))
    return {name: tensor.read() for name, tensor in tensors.items()}


class _Storage(NamedTuple):
    """The numbers of which tensors are views.  They follow the tensors in the file and are then put into `numbers`."""

    dtype: np.dtype[Any]
    numel: int
    numbers: list[Array]


class _Tensor(NamedTuple):
    """A view: element (i, j, ...) is number offset + i stride_0 + j stride_1 + ... of the storage."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self) -> Array:
        """A copy of the view.  Raises InputError if it reaches outside its storage or is larger than it."""
        (numbers,) = self.storage.numbers
        last = self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        if not 0 <= self.offset <= last < numbers.size >= math.prod(self.size) or min((*self.stride, *self.size)) < 0:
            raise InputError(f"expected a tensor within its storage, got size {self.size} at {self.offset}")
        strides = [step * numbers.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.size, strides, writeable=False).copy()


class _Dtype:
    """Stands in for numpy.dtype; `plain` is the dtype of numbers, and None for objects."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1].replace("|", "<")
        if self.code not in ("f4", "f8", "i4", "i8", "u1", "b1", "O4", "O8") or order not in ("<", ">"):
            raise InputError(f"expected arrays of numbers, got dtype {order}{self.code}")
        self.plain = None if self.code[0] == "O" else np.dtype(order + self.code)


class _Rebuilt:
    """Stands in for a pickled numpy.ndarray: `items` is an array, or a flat list where the elements are objects."""

    items: Array | list[object]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        self.items = content if dtype.plain is None else _numbers(content, dtype.plain, shape, fortran)


def _numbers(content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool = False) -> Array:
    """An array from its bytes, which must be exactly as many as the shape needs."""
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise InputError(f"expected {math.prod(shape) * dtype.itemsize} bytes for shape {shape}, got {len(content)}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,  # a type written in C, which a pickle cannot alter
    ("argparse", "Namespace"): SimpleNamespace,  # likewise
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),  # bytes, in the older protocols
    ("numpy", "ndarray"): "ndarray",  # only used as an argument of _reconstruct
    ("numpy", "dtype"): lambda *state: _Dtype(*state),  # a function, because a pickle can alter a class
    **{(f"numpy.{x}.multiarray", "_reconstruct"): lambda *_: _Rebuilt() for x in ("core", "_core")},
    **{(f"numpy.{x}.multiarray", "scalar"): lambda dtype, x: _numbers(x, dtype.plain, ()) for x in ("core", "_core")},
    ("torch", "FloatStorage"): "<f4",
    ("torch", "DoubleStorage"): "<f8",
    ("torch", "LongStorage"): "<i8",
    ("torch._utils", "_rebuild_tensor"): lambda *view: _Tensor(*view),
    ("torch._utils", "_rebuild_tensor_v2"): lambda *view: _Tensor(*view[:4]),
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
}


class Arrays(Unpickler):
    """Reads one pickle in which nothing but NAMES may occur."""

    def __init__(self, stream: BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, _Storage] = {}  # by key

    def find_class(self, module: str, name: str) -> Any:
        """Our stand-in for module.name, never the original."""
        if (module, name) not in NAMES:
            raise InputError(f"expected a pickle of arrays, got one that calls for {module}.{name}")
        return NAMES[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """A tensor's storage, by its key."""
        kind, dtype, key, _, numel, view = pid
        if kind != "storage" or view is not None:
            raise InputError(f"expected a storage of its own, got {kind!r}")
        return self.storages.setdefault(key, _Storage(np.dtype(dtype), count("storage size", numel, 0), []))

    def parse(self, expected: type[T]) -> T:
        """The pickled object, which must be of this type."""
        content = self.load()
        if not isinstance(content, expected):
            raise InputError(f"expected a pickled {expected.__name__.lstrip('_')}, got {type(content).__name__}")
        return content
