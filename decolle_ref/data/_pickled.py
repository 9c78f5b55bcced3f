"""Reads pickles of arrays, as NumPy and the PyTorch of 2018 wrote them, without trust.

A pickle can run any program.  Therefore an Unpickler reads these that knows a few names; it refuses every other name
without importing it.  A pickle of a few bytes can also fill the memory, or take for ever to compare tuples that hold
each other twice.  Therefore its operations are counted before they are executed.
"""

import math
from collections import OrderedDict
from io import BytesIO
from pickle import Unpickler
from pickletools import genops, markobject, pydict, pylist, pyset
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from decolle_ref._util.check import Array, InputError, count
from decolle_ref._util.reading import READERS

MOST_OPERATIONS, MOST_PARTS = 1 << 18, 1000  # of a pickle, and of a tuple; the authors' files have 60000 and 20
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
        storage = reader.storages[_checked(key, str)]
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
        """The view.  Raises InputError if it reaches outside its storage or is larger than it."""
        (numbers,) = self.storage.numbers
        _validate_integers(self.offset, *self.size, *self.stride)
        last = self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        if not 0 <= self.offset <= last < numbers.size >= math.prod(self.size) or min((*self.stride, *self.size)) < 0:
            raise InputError(f"expected a tensor within its storage, got size {self.size} at {self.offset}")
        strides = [step * numbers.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.size, strides, writeable=False)


class _Dtype:
    """Stands in for numpy.dtype; `plain` is the dtype of numbers, and None for objects."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = _checked(code, str)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = _checked(state[1], str).replace("|", "<")
        if self.code not in ("f4", "f8", "i4", "i8", "u1", "b1", "O4", "O8") or order not in ("<", ">"):
            raise InputError(f"expected arrays of numbers, got dtype {order}{self.code}")
        self.plain = None if self.code[0] == "O" else np.dtype(order + self.code)


class _Rebuilt:
    """Stands in for a pickled numpy.ndarray: `items` is an array, or a flat list where the elements are objects."""

    items: Array | list[object]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        plain = _checked(dtype, _Dtype).plain
        self.items = _checked(content, list) if plain is None else _numbers(content, plain, shape, fortran)


def _scalar(dtype: object, content: bytes) -> Array:
    plain = _checked(dtype, _Dtype).plain
    if plain is None:
        raise InputError("expected a number, got an object")
    return _numbers(content, plain, ())


def _numbers(content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool = False) -> Array:
    """An array from its bytes, which must be exactly as many as the shape needs."""
    _validate_integers(*_checked(shape, tuple))
    if len(_checked(content, bytes)) != math.prod(shape) * dtype.itemsize:
        raise InputError(f"expected {math.prod(shape) * dtype.itemsize} bytes for shape {shape}, got {len(content)}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _checked(value: object, expected: type[T]) -> T:
    """`value`, which must be of this type.  The message does not show it, because its text may be endless."""
    if not isinstance(value, expected):
        raise InputError(f"expected a pickled {expected.__name__.lstrip('_')}, got {type(value).__name__}")
    return value


def _validate_integers(*numbers: object) -> None:
    for number in numbers:
        _checked(number, int)


def _validate_operations(stream: BytesIO) -> None:
    """Raise InputError for a pickle that would need much more memory or time than its length lets expect.

    The stack holds the size of each object: the number of its parts, of the parts of these, and so on, as comparing or
    hashing it would count them; 1 for a list or a dictionary, which is neither.
    """
    stack: list[int] = []
    marks: list[int] = []  # places in the stack
    memo: dict[Any, int] = {}
    for done, (operation, argument, _) in enumerate(genops(stream)):
        if done >= MOST_OPERATIONS or (isinstance(argument, int) and "PUT" in operation.name and argument > done):
            raise InputError(f"expected at most {MOST_OPERATIONS} operations, numbered in order, got others")
        if operation.name == "MARK":
            marks.append(len(stack))
        elif "PUT" in operation.name or operation.name == "MEMOIZE":
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif "GET" in operation.name:
            stack.append(memo[argument])
        elif operation.name == "DUP":
            stack.append(stack[-1])
        else:
            before, after = operation.stack_before, operation.stack_after
            marked = markobject in before
            first = marks.pop() - before.index(markobject) if marked else len(stack) - len(before)
            parts = 1 if {pylist, pydict, pyset} & {*after} else 1 + sum(stack[first:])
            stack[first:] = [parts] if after else []
            if parts > MOST_PARTS:
                raise InputError(f"expected tuples of at most {MOST_PARTS} parts, got a larger one")


STORAGES = {("torch", "FloatStorage"): "<f4", ("torch", "DoubleStorage"): "<f8", ("torch", "LongStorage"): "<i8"}
NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,  # a type written in C, which a pickle cannot alter
    ("argparse", "Namespace"): SimpleNamespace,  # likewise
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),  # bytes, in the older protocols
    ("numpy", "ndarray"): "ndarray",  # only used as an argument of _reconstruct
    ("numpy", "dtype"): lambda *state: _Dtype(*state),  # a function, because a pickle can alter a class
    **{(f"numpy.{x}.multiarray", "_reconstruct"): lambda *_: _Rebuilt() for x in ("core", "_core")},
    **{(f"numpy.{x}.multiarray", "scalar"): lambda *state: _scalar(*state) for x in ("core", "_core")},
    **STORAGES,
    ("torch._utils", "_rebuild_tensor"): lambda *view: _Tensor(*view),
    ("torch._utils", "_rebuild_tensor_v2"): lambda *view: _Tensor(*view[:4]),
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
}


class Arrays(Unpickler):
    """Reads one pickle in which nothing but NAMES may occur."""

    def __init__(self, stream: BytesIO) -> None:
        super().__init__(stream)
        self._stream = stream
        self.storages: dict[str, _Storage] = {}  # by key

    def find_class(self, module: str, name: str) -> Any:
        """Our stand-in for module.name, never the original."""
        if (module, name) not in NAMES:
            raise InputError(f"expected a pickle of arrays, got one that calls for {module}.{name}")
        return NAMES[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """A tensor's storage, by its key."""
        kind, dtype, key, _, numel, view = _checked(pid, tuple)
        if _checked(kind, str) != "storage" or _checked(dtype, str) not in STORAGES.values() or view is not None:
            raise InputError("expected a storage of its own, got another thing")
        numbers = count("storage size", _checked(numel, int), 0)
        return self.storages.setdefault(_checked(key, str), _Storage(np.dtype(dtype), numbers, []))

    def parse(self, expected: type[T]) -> T:
        """The pickled object, which must be of this type."""
        start = self._stream.tell()
        _validate_operations(self._stream)
        self._stream.seek(start)
        return _checked(self.load(), expected)
