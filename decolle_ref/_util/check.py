"""One clear line for every bad input: what was wrong, what was expected, what came.

`finite`, `positive`, `not_negative`, `fraction`, `count` and `float_dtype` return the checked value; `validate_choice`,
`validate_shape` and `validate_dtype` return nothing.  All raise InputError; `name` says which input was wrong.

Checks run where data enters (constructors, the start of a run, the command line), never inside the equations.

>>> positive("tau", [0.01, 0.02])
array([0.01, 0.02])
>>> count("steps", 0)
Traceback (most recent call last):
decolle_ref._util.check.InputError: steps: expected an integer >= 1, got 0
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class InputError(ValueError):
    """The user's input cannot be used; the message is one line that can be shown as it is."""


def first_line(problem: BaseException) -> str:
    """The first line of an exception's message, or its type if it has no message."""
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__


def printable(text: object) -> str:
    """`text` in one line: line breaks, control characters and half surrogate pairs are escaped, as in "a\\nb"."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def _checked(name: str, value: npt.ArrayLike, expected: str, holds: Callable[[Array], Any]) -> Array:
    """`value` as an array of real numbers for each of which `holds` is true."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        raise InputError(f"{name}: expected {expected}, got rows of different lengths") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: expected {expected}, got dtype {array.dtype}")
    bad = ~holds(array)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        place = f" at index {index}" if index else ""
        raise InputError(f"{name}: expected {expected}, got {array[index]}{place}")
    return array


def finite(name: str, value: npt.ArrayLike) -> Array:
    """`value` as an array of finite real numbers."""
    return _checked(name, value, "finite numbers", np.isfinite)


def positive(name: str, value: npt.ArrayLike, unit: str = "") -> Array:
    """`value` as an array of finite numbers > 0."""
    return _checked(name, value, f"finite numbers > 0 {unit}".rstrip(), lambda x: (x > 0) & np.isfinite(x))


def not_negative(name: str, value: npt.ArrayLike) -> Array:
    """`value` as an array of finite numbers >= 0."""
    return _checked(name, value, "finite numbers >= 0", lambda x: (x >= 0) & np.isfinite(x))


def fraction(name: str, value: npt.ArrayLike) -> Array:
    """`value` as an array of numbers in [0, 1)."""
    return _checked(name, value, "numbers in [0, 1)", lambda x: (x >= 0) & (x < 1))


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


def validate_broadcast(name: str, array: Array, shape: tuple[int, ...]) -> None:
    """Raise InputError unless the array broadcasts to `shape`."""
    sides = zip(array.shape[::-1], shape[::-1], strict=False)
    if array.ndim > len(shape) or any(side not in (1, full) for side, full in sides):
        raise InputError(f"{name}: expected to broadcast to {shape}, got {array.shape}")


def validate_dtype(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    """Raise InputError unless the array has this dtype: float32 and float64 do not meet in one layer."""
    if array.dtype != dtype:
        raise InputError(f"{name}: expected {dtype}, as the neuron has it, got {array.dtype}")


def within(
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
