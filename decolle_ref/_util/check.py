"""One clear line for every bad input: what was wrong, what was expected, what came.

Checks run where data enters (constructors, the start of a run, the command line), never inside the equations.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class InputError(ValueError):
    """What the user gave cannot be used; the message is one line fit to be shown as it stands."""


def first_line(problem: BaseException) -> str:
    """The first line of what an exception says, or its type where it says nothing."""
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__


def _numbers(name: str, value: npt.ArrayLike, expected: str) -> Array:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        raise InputError(f"{name}: expected {expected}, got rows of different lengths") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: expected {expected}, got dtype {array.dtype}")
    return array


def _refuse(name: str, array: Array, bad: Array, expected: str) -> None:
    """Raise for the first entry of `array` where `bad` is true."""
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        place = f" at index {index}" if index else ""
        raise InputError(f"{name}: expected {expected}, got {array[index]}{place}")


def finite(name: str, value: npt.ArrayLike) -> Array:
    """Return `value` as an array of finite real numbers."""
    array = _numbers(name, value, "finite numbers")
    _refuse(name, array, ~np.isfinite(array), "finite numbers")
    return array


def positive(name: str, value: npt.ArrayLike, unit: str = "") -> Array:
    """Return `value` as an array of finite numbers > 0."""
    expected = f"finite numbers > 0{unit and ' ' + unit}"
    array = _numbers(name, value, expected)
    _refuse(name, array, ~((array > 0) & np.isfinite(array)), expected)
    return array


def not_negative(name: str, value: npt.ArrayLike) -> Array:
    """Return `value` as an array of finite numbers >= 0."""
    array = _numbers(name, value, "finite numbers >= 0")
    _refuse(name, array, ~((array >= 0) & np.isfinite(array)), "finite numbers >= 0")
    return array


def fraction(name: str, value: npt.ArrayLike) -> Array:
    """Return `value` as an array of numbers in [0, 1)."""
    array = _numbers(name, value, "numbers in [0, 1)")
    _refuse(name, array, ~((array >= 0) & (array < 1)), "numbers in [0, 1)")
    return array


def count(name: str, value: object, least: int = 1) -> int:
    """Return `value` as an integer >= `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name}: expected an integer >= {least}, got {value!r}")
    return int(value)


def choice(name: str, value: object, allowed: object) -> None:
    """Require `value` to be one of `allowed`."""
    names = list(allowed)  # type: ignore[call-overload]
    if value not in names:
        raise InputError(f"{name}: expected one of {', '.join(map(str, names))}, got {value!r}")


def exact_shape(name: str, array: Array, expected: tuple[int, ...]) -> None:
    """Require `array.shape == expected`."""
    if array.shape != expected:
        raise InputError(f"{name}: expected shape {expected}, got {array.shape}")


def same_dtype(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    """No silent casts: float32 and float64 do not meet in one layer."""
    if array.dtype != dtype:
        raise InputError(f"{name}: expected {dtype}, as the neuron has it, got {array.dtype}")


def float_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64 as a numpy dtype."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise InputError(f"dtype: expected float32 or float64, got {dtype!r}") from None
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise InputError(f"dtype: expected float32 or float64, got {found}")
    return found
