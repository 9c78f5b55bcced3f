"""One clear line for every bad input: what was wrong, what was expected, what came.

`finite`, `positive`, `not_negative`, `fraction`, `count`, `labels` and `float_dtype` return the checked value;
`validate_choice`, `validate_shape` and `validate_dtype` return nothing.  All raise InputError; `name` says which input
was wrong.

Checks of values run where data enters (constructors, the start of a run, the command line).  The equations themselves
call `floats` alone, which costs a tenth of a microsecond: it looks at type and shape, and lets NaN through to the
result.

>>> positive("tau", [0.01, 0.02])
array([0.01, 0.02])
>>> count("steps", 0)
Traceback (most recent call last):
decolle_ref._util.check.InputError: steps: expected an integer >= 1, got 0
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class InputError(ValueError):
    """The user's input cannot be used; the message is one line that can be shown as it is."""


def first_line(problem: BaseException) -> str:
    """The first line of an exception's message, or its type if it has no message or `str` of it fails."""
    try:
        lines = str(problem).splitlines()
    except KeyboardInterrupt:
        raise
    except BaseException:  # the class of a user's exception may raise anything here
        lines = []
    return printable(lines[0], 500) if lines else type(problem).__name__


def printable(text: object, longest: int = 2000) -> str:
    """`text` in one line of bounded length: line breaks, control characters and half surrogate pairs are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)[:longest])


def as_array(name: str, value: npt.ArrayLike, expected: str = "an array") -> Array:
    """`value` as an array; a masked one is refused, because its mask would be lost."""
    if isinstance(value, np.ma.MaskedArray):
        raise InputError(f"{name}: expected {expected}, got a masked array (fill it first)")
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        raise InputError(f"{name}: expected {expected}, got rows of different lengths") from None


def floats(name: str, x: npt.ArrayLike, *shape: Any, dtype: np.dtype[Any] | None = None) -> Array:
    """`x` as an array of floats or complex numbers, of this shape if one is named: floats("P", P, ..., n_in).

    Integers and booleans become float64; with `dtype`, real numbers of every kind become `dtype`.
    """
    if type(x) is not np.ndarray or x.dtype.kind not in "fc":
        x = _to_floats(name, x)
    if shape and x.shape != shape and (shape[0] is not ... or x.shape[1 - len(shape) :] != shape[1:]):
        raise InputError(f"{name}: expected shape {_pattern(shape)}, got {x.shape}")
    return x if dtype is None or x.dtype == dtype or x.dtype.kind == "c" else x.astype(dtype)


def _to_floats(name: str, x: npt.ArrayLike) -> Array:
    if isinstance(x, np.floating):
        return np.asarray(x)
    array = as_array(name, x, "an array of numbers")
    if array.dtype.kind not in "biufc":
        raise InputError(f"{name}: expected an array of numbers, got dtype {array.dtype}")
    return array if array.dtype.kind in "fc" else array.astype(np.float64)


def _pattern(shape: tuple[Any, ...]) -> str:
    """A shape as it is printed; the ellipsis stands for any batch."""
    sides = ["..." if side is ... else str(side) for side in shape]
    return f"({', '.join(sides)}{',' if len(sides) == 1 else ''})"


def matrices(name: str, arrays: Sequence[npt.ArrayLike], shapes: Sequence[tuple[int, ...]]) -> tuple[Array, ...]:
    """`arrays` as floats, one of each of these shapes."""
    if len(arrays) != len(shapes):
        raise InputError(f"{name}: expected {len(shapes)} arrays, one per layer, got {len(arrays)}")
    return tuple(floats(f"{name} {k}", x, *shape) for k, (x, shape) in enumerate(zip(arrays, shapes, strict=True), 1))


def labels(name: str, value: npt.ArrayLike, classes: int, shape: tuple[int, ...]) -> Array:
    """`value` as class labels: integers from 0 to classes - 1, one for each sample of a batch of this shape."""
    array = as_array(name, value, f"integers from 0 to {classes - 1}")
    if array.dtype.kind not in "iu":
        raise InputError(f"{name}: expected integers from 0 to {classes - 1}, got dtype {array.dtype}")
    validate_shape(name, array, shape)
    bad = (array < 0) | (array >= classes)
    if bad.any():
        raise InputError(f"{name}: expected integers from 0 to {classes - 1}, got {array[bad][0]}")
    return array


def _checked(name: str, value: npt.ArrayLike, expected: str, holds: Callable[[Array], Any]) -> Array:
    """`value` as an array of real numbers for each of which `holds` is true."""
    array = as_array(name, value, expected)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: expected {expected}, got dtype {array.dtype}")
    bad = ~holds(array)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        place = f" at index {index}" if index else ""
        raise InputError(f"{name}: expected {expected}, got {array[index]}{place}")
    return array


def finite(
    name: str, value: npt.ArrayLike, dtype: np.dtype[Any] | None = None, shape: tuple[int, ...] | None = None
) -> Array:
    """`value` as an array of finite real numbers, in `dtype` and of this shape if they are named.

    The numbers must be finite after the cast, too.
    """
    array = value if type(value) is np.ndarray else as_array(name, value, "finite numbers")
    cast = array
    if array.dtype.kind in "biuf" and dtype is not None and array.dtype != dtype:
        cast = _cast(array, dtype)
    if array.dtype.kind not in "biuf" or not np.isfinite(cast).all():
        array = _checked(name, array, "finite numbers", np.isfinite)
        cast = _checked(f"{name} as {dtype}", cast, "finite numbers", np.isfinite)
    if shape is not None:
        validate_shape(name, cast, shape)
    return cast


def _cast(array: Array, dtype: np.dtype[Any] | None) -> Array:
    if array.dtype.kind != "f":
        return array.astype(dtype)
    with np.errstate(over="ignore"):  # what overflows is found by the caller
        return array.astype(dtype)


def positive(name: str, value: npt.ArrayLike, unit: str = "") -> Array:
    """`value` as an array of finite numbers > 0."""
    return _checked(name, value, f"finite numbers > 0 {unit}".rstrip(), lambda x: (x > 0) & np.isfinite(x))


def not_negative(name: str, value: npt.ArrayLike) -> Array:
    """`value` as an array of finite numbers >= 0."""
    return _checked(name, value, "finite numbers >= 0", lambda x: (x >= 0) & np.isfinite(x))


def fraction(name: str, value: npt.ArrayLike, dtype: np.dtype[Any] | None = None) -> Array:
    """`value` as an array of numbers in [0, 1), also after a cast to `dtype`: a number just below 1 may round to 1."""
    array = _checked(name, value, "numbers in [0, 1)", lambda x: (x >= 0) & (x < 1))
    if dtype is not None:
        fraction(f"{name} as {dtype}", array.astype(dtype))
    return array


def count(name: str, value: object, least: int = 1) -> int:
    """`value` as an integer >= `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name}: expected an integer >= {least}, got {value!r}")
    return int(value)


def file_name(name: str, value: object) -> str:
    """`value` as the name of a file or a folder, which lies where it is written and is the same on every system."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise InputError(
            f"{name}: expected a name of at most 100 letters, digits, '.', '_' or '-', got {ascii(value)[:60]}"
        )
    return value


def float_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """`dtype` as a numpy dtype, float32 or float64."""
    try:
        parsed = np.dtype(dtype)
    except TypeError:
        raise InputError(f"dtype: expected float32 or float64, got {dtype!r}") from None
    if parsed not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise InputError(f"dtype: expected float32 or float64, got {parsed}")
    return parsed


def validate_choice(name: str, value: object, allowed: Iterable[object]) -> None:
    """Raise InputError unless `value` is one of `allowed`."""
    options = list(allowed)
    if value not in options:
        raise InputError(f"{name}: expected one of {', '.join(map(str, options))}, got {value!r}")


def validate_shape(name: str, array: Array, expected: tuple[int, ...]) -> None:
    """Raise InputError unless `array.shape == expected`."""
    if array.shape != expected:
        raise InputError(f"{name}: expected shape {expected}, got {array.shape}")


def validate_one_per_layer(name: str, entries: Sequence[object], layers: int) -> None:
    """Raise InputError unless there is one entry for each layer, and at least one layer."""
    if not layers or len(entries) != layers:
        raise InputError(f"{name}: expected one per layer ({layers}), got {len(entries)}")


def validate_one_length(constants: dict[str, Array]) -> None:
    """Raise InputError unless each is one number, or has one value for each of the same inputs or neurons."""
    vectors = {name: x.shape for name, x in constants.items() if x.shape not in ((), (1,))}
    if any(len(shape) != 1 or shape == (0,) for shape in vectors.values()) or len(set(vectors.values())) > 1:
        got = ", ".join(f"{name} {shape}" for name, shape in vectors.items())
        raise InputError(f"{', '.join(constants)}: expected numbers or vectors of one length, got {got}")


def validate_broadcast(name: str, array: Array, shape: tuple[int, ...]) -> None:
    """Raise InputError unless the array broadcasts to `shape`."""
    sides = zip(array.shape[::-1], shape[::-1], strict=False)
    if array.ndim > len(shape) or any(side not in (1, full) for side, full in sides):
        raise InputError(f"{name}: expected to broadcast to {shape}, got {array.shape}")


def validate_dtype(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    """Raise InputError unless the array has this dtype: float32 and float64 do not meet in one layer."""
    if array.dtype != dtype:
        raise InputError(f"{name}: expected {dtype}, as the neuron has it, got {array.dtype}")


def between(
    name: str, value: npt.ArrayLike, low: Array | float = -np.inf, high: Array | float = np.inf, whole: bool = False
) -> Array:
    """`value` as an array of finite numbers from `low` to `high`, which broadcast to it; `whole`: without fraction."""
    array = finite(name, value)
    lows, highs = (np.broadcast_to(limit, array.shape) for limit in (low, high))
    bad = (array < lows) | (array > highs) | (array != np.trunc(array) if whole else False)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        limits = f"a {'whole ' if whole else ''}number from {lows[index]:g} to {highs[index]:g}"
        raise InputError(f"{name}: expected {limits}, got {array[index]}{f' at index {index}' if index else ''}")
    return array
