"""From a clone of the authors' repository nmi-lab/dcll to authors/regression.npz, which data.authors reads.

    convert(Path("dcll"), Path("authors/regression.npz"))

Read from Paper_results/synthetic, layers k = 1, 2, 3 (the parameters' files count from 0):

    args.pkl               the script's options: seed, alpha, alphas, alpharp, arp
    slice_state{k-1}.pkl   W, b, G, c, and tau_m/dt, tau_s/dt, as the PyTorch of 2018 wrote them
    do{k}.npy              at each of 500 steps: S, Y, sigma(U), U, loss
    deps.npy               P of layer 3
    target.npy             the three targets

The input spikes were not recorded.  They are drawn again from the seed, as the script drew them: 0 where a binomial
number with p = 0.9 is 1, else 1, of which the first 500 of 1000 steps were shown.

A pickle can run any program; these are read by an Unpickler that knows a few names and refuses all others unimported.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from pickle import Unpickler
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.random import RandomState

from decolle_ref._util import store
from decolle_ref._util.check import Array, InputError, count, exact_shape, finite, first_line
from decolle_ref._util.npy import READERS
from decolle_ref.data.authors import CHANNELS, STEPS, N

FOLDER = Path("Paper_results") / "synthetic"
S, Y, U, CELLS = 0, 1, 3, 5  # places in a row of do{k}.npy
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of torch.save before PyTorch 1.6
T = TypeVar("T")


def convert(clone: Path, target: Path) -> None:
    """Write `target`, whole or not at all, from the repository cloned to `clone`.

    Raises InputError for a file that is missing, truncated, of another shape, or that names anything but arrays.
    """
    arrays = collect(Path(clone) / FOLDER)
    store.output_folder(Path(target).parent)
    store.atomically(Path(target), lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def collect(folder: Path) -> dict[str, Array]:
    """All arrays of regression.npz by name."""
    options = vars(read(folder / "args.pkl", lambda stream: _Arrays(stream).of(SimpleNamespace)))
    arrays = {"input_spikes": input_spikes(options.get("seed"))}
    goals = _exact("target.npy", read(folder / "target.npy", numpy_file), (3, STEPS, 1, 1))
    for k in (1, 2, 3):
        state = read(folder / f"slice_state{k - 1}.pkl", torch_file)
        layer = parameters(state, N if k > 1 else CHANNELS, f"slice_state{k - 1}.pkl") | outputs(folder / f"do{k}.npy")
        layer["target"] = goals[k - 1].reshape(STEPS)
        arrays |= {f"layer{k}_{letter}": array for letter, array in layer.items()}
    arrays["layer3_P"] = _exact("deps.npy", read(folder / "deps.npy", numpy_file), (STEPS, 1, N)).reshape(STEPS, N)
    names = {"alpha": "alpha", "beta": "alphas", "gamma": "alpharp", "w_refractory": "arp"}
    arrays |= {ours: _exact(f"args.pkl {x}", np.asarray(options.get(x)), ()) for ours, x in names.items()}
    for x, decay in (("m", "alpha"), ("s", "beta")):
        tau = _ending(state, f"i2h.tau_{x}__dt", (1 / (1 - arrays[decay])).reshape(1))
        arrays[f"tau_{x}_over_dt"] = _exact(f"tau_{x}__dt", tau, (1,))
    return arrays


def input_spikes(seed: Any) -> Array:
    """The input as the script drew it, with the legacy generator that it used.  (500, 100), 0 or 1"""
    if count("seed", seed, 0) >= 2**32:
        raise InputError(f"seed: expected an integer below 2^32, got {seed}")
    return (1 - RandomState(seed).binomial(1, 0.9, (2 * STEPS, CHANNELS))[:STEPS]).astype(np.uint8)


def parameters(state: dict[str, Array], n_in: int, name: str) -> dict[str, Array]:
    """W, b, G, c of one layer."""
    shapes = {"i2h.weight": (N, n_in), "i2h.bias": (N,), "i2o.weight": (1, N), "i2o.bias": (1,)}
    found = [_exact(f"{name} {key}", _ending(state, key), shape) for key, shape in shapes.items()]
    return dict(zip("WbGc", found, strict=True))


def _ending(state: dict[str, Array], suffix: str, default: Array | None = None) -> Array | None:
    return next((array for key, array in state.items() if key.endswith(suffix)), default)


def outputs(path: Path) -> dict[str, Array]:
    """S, Y, U of one layer, stacked over the steps."""
    cells = getattr(read(path, numpy_file), "items", None)
    if not isinstance(cells, list) or len(cells) != STEPS * CELLS:
        raise InputError(f"{path.name}: expected {STEPS} rows of {CELLS} arrays, got something else")

    def stacked(place: int, width: int) -> Array:
        column = cells[place::CELLS]
        return np.concatenate([_exact(f"{path.name} step {n}", x, (1, width)) for n, x in enumerate(column)])

    spikes = stacked(S, N)
    if not np.isin(spikes, (0, 1)).all():
        raise InputError(f"{path.name}: expected spikes 0 or 1, got other numbers")
    return {"S": spikes.astype(np.uint8), "Y": stacked(Y, 1), "U": stacked(U, N)}


def _exact(name: str, value: object, shape: tuple[int, ...]) -> Array:
    """`value` as a float32 array of finite numbers with exactly this shape."""
    array = getattr(value, "items", value)
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name}: expected an array of shape {shape}, got none")
    exact_shape(name, array, shape)
    return np.array(finite(name, array), np.float32, order="C")


def numpy_file(stream: BytesIO) -> object:
    """The content of an .npy file: an array where it holds numbers, a _Rebuilt where it holds objects."""
    shape, fortran, dtype = READERS[np.lib.format.read_magic(stream)](stream)
    if dtype.hasobject:
        return _Arrays(stream).of(_Rebuilt)
    return _numbers(stream.read(), dtype, shape, fortran)


def torch_file(stream: BytesIO) -> dict[str, Array]:
    """Tensors by name, as PyTorch wrote them before 1.6: five pickles, then each storage's count and raw numbers."""
    if _Arrays(stream).of(int) != MAGIC or _Arrays(stream).of(int) != PROTOCOL:
        raise InputError("expected the stream format of PyTorch before 1.6, got another")
    if not _Arrays(stream).of(dict).get("little_endian", True):
        raise InputError("expected little-endian numbers, got big-endian")
    reader = _Arrays(stream)
    tensors = reader.of(OrderedDict)
    for key in _Arrays(stream).of(list):
        storage = reader.storages[key]
        if int.from_bytes(stream.read(8), "little", signed=True) != storage.numel:
            raise InputError(f"expected a storage of {storage.numel} numbers, got another count")
        content = stream.read(storage.numel * storage.dtype.itemsize)
        storage.numbers.append(_numbers(content, storage.dtype, (storage.numel,)))
    return {name: tensor.read() for name, tensor in tensors.items()}


def read(path: Path, of: Callable[[BytesIO], T]) -> T:
    """of(contents of the file); whatever goes wrong is an InputError of one line that names the file."""
    try:
        return of(BytesIO(path.read_bytes()))
    except OSError as problem:
        raise InputError(f"{path}: expected a file of the authors' repository, got none ({problem.strerror})") from None
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from None
    except Exception as problem:  # what a damaged pickle raises is not limited to a few types
        raise InputError(
            f"{path}: expected a whole file of arrays, got a damaged one ({first_line(problem)})"
        ) from None


class _Storage(NamedTuple):
    """The numbers that tensors are views of; they come after the tensors, and then fill `numbers`."""

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
        """The view as an array of its own; never outside its storage and never larger."""
        (numbers,) = self.storage.numbers
        last = self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        if not 0 <= self.offset <= last < numbers.size >= math.prod(self.size) or min((*self.stride, *self.size)) < 0:
            raise InputError(f"expected a tensor within its storage, got size {self.size} at {self.offset}")
        strides = [step * numbers.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.size, strides, writeable=False).copy()


class _Dtype:
    """Stands in for numpy.dtype: numbers, or objects for which `plain` is None."""

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
    """An array from its bytes: as many as the shape needs, no more and no fewer."""
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise InputError(f"expected {math.prod(shape) * dtype.itemsize} bytes for shape {shape}, got {len(content)}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,  # a type of C: nothing can be set on it
    ("argparse", "Namespace"): SimpleNamespace,  # likewise
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),  # bytes, in the older protocols
    ("numpy", "ndarray"): "ndarray",  # only ever an argument of _reconstruct
    ("numpy", "dtype"): lambda *state: _Dtype(*state),  # a function, as a pickle can alter a class
    **{(f"numpy.{x}.multiarray", "_reconstruct"): lambda *_: _Rebuilt() for x in ("core", "_core")},
    **{(f"numpy.{x}.multiarray", "scalar"): lambda dtype, x: _numbers(x, dtype.plain, ()) for x in ("core", "_core")},
    ("torch", "FloatStorage"): "<f4",
    ("torch", "DoubleStorage"): "<f8",
    ("torch", "LongStorage"): "<i8",
    ("torch._utils", "_rebuild_tensor"): lambda *view: _Tensor(*view),
    ("torch._utils", "_rebuild_tensor_v2"): lambda *view: _Tensor(*view[:4]),
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
}


class _Arrays(Unpickler):
    """Reads one pickle in which nothing but NAMES may occur."""

    def __init__(self, stream: BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, _Storage] = {}  # by key

    def find_class(self, module: str, name: str) -> Any:
        """Our stand-in for module.name, never the thing itself."""
        if (module, name) not in NAMES:
            raise InputError(f"expected a pickle of arrays, got one that calls for {module}.{name}")
        return NAMES[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """A tensor's storage, by its key."""
        kind, dtype, key, _, numel, view = pid
        if kind != "storage" or view is not None:
            raise InputError(f"expected a storage of its own, got {kind!r}")
        return self.storages.setdefault(key, _Storage(np.dtype(dtype), count("storage size", numel, 0), []))

    def of(self, expected: type[T]) -> T:
        """The pickled object, which must be of this type."""
        found = self.load()
        if not isinstance(found, expected):
            raise InputError(f"expected a pickled {expected.__name__.lstrip('_')}, got {type(found).__name__}")
        return found
