"""Outcomes: call a function that may do anything, and compare what it returns.

>>> outcome(lambda a: [a, 2], (1,), np.zeros(2))
Outcome(parts={'': array([1, 2])}, problem='', to_do=False)
>>> outcome(lambda a: a / "2", (1,), 0.5).problem  # doctest: +ELLIPSIS
"raised TypeError in line 1 of the function: unsupported operand ... (arguments: a number)"
"""

import copy
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, first_line
from decolle_ref.teach.task import Function


class Outcome(NamedTuple):
    """What a call gave: arrays by name ("" if there is only one), or a problem in one line."""

    parts: dict[str, Array]
    problem: str = ""
    to_do: bool = False


def outcome(function: Function, arguments: tuple[Any, ...], like: Any) -> Outcome:
    """Call the function on copies of the arguments.

    Parameters
    ----------
    function : a student's
    arguments : its arguments
    like : an answer of the right kind: an array, a number, a tuple or a dictionary of them

    Returns
    -------
    Outcome
        With a problem if the function raises, changes its arguments, or returns something that is not made of numbers.
    """
    copies = copy.deepcopy(arguments)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            returned = function(*copies)
    except NotImplementedError:
        return Outcome({}, to_do=True)
    except (Exception, SystemExit) as raised:  # a student's function may raise anything
        kind = f"raised {type(raised).__name__}{_line(raised, function)}: {first_line(raised)}"
        return Outcome({}, f"{kind} (arguments: {_described(arguments)})")
    if returned is None:
        return Outcome({}, "the function returned None; is the return statement missing?")
    if not _unchanged(copies, arguments):
        return Outcome({}, "the function changes its arguments; write P = P + Q rather than P += Q, or work on a copy")
    return _parsed(returned, like)


def _parsed(returned: Any, like: Any) -> Outcome:
    """The arrays in an answer; the answer is a tuple or a dictionary if `like` is one."""
    if isinstance(like, Mapping):
        if not isinstance(returned, Mapping) or set(returned) != set(like):
            got = f"the keys {sorted(map(str, returned))}" if isinstance(returned, Mapping) else _kind(returned)
            return Outcome({}, f"expected a dictionary with the keys {sorted(like)}, got {got}")
    elif isinstance(like, tuple):
        several = isinstance(returned, Sequence) or (isinstance(returned, np.ndarray) and returned.ndim > 0)
        if not several or len(returned) != len(like):
            return Outcome({}, f"expected {len(like)} results, got {_kind(returned)}")
        returned = tuple(returned)
    else:
        returned = {"": returned}
    parts = parts_of(returned)
    arrays = {}
    for name in parts_of(like):
        try:
            arrays[name] = np.array(parts[name])
        except Exception as raised:  # whatever the conversion of a foreign object may raise
            return Outcome({}, f"{_at(name)}expected numbers, got {_kind(parts[name])} ({first_line(raised)})")
        if arrays[name].dtype.kind not in "biuf":
            dtype = arrays[name].dtype
            return Outcome({}, f"{_at(name)}expected numbers, got {_kind(parts[name])} (dtype {dtype})")
    return Outcome(arrays)


def parts_of(answer: Any) -> dict[str, Any]:
    """The parts of an answer by name.

    Parameters
    ----------
    answer : an array, a number, a tuple or a dictionary of them

    Returns
    -------
    dict
        With the one name "" for an array or a number, and the names "result 1", "result 2" for a tuple.
    """
    if isinstance(answer, Mapping):
        return dict(answer)
    if isinstance(answer, tuple):
        return {f"result {k + 1}": part for k, part in enumerate(answer)}
    return {"": answer}


def difference(got: Outcome, expected: Outcome, tolerance: float) -> str:
    """The first place at which an answer is wrong.

    Parameters
    ----------
    got, expected : of the same call
    tolerance : relative to the largest expected value of each part

    Returns
    -------
    str
        One line, or "" if the answer is right.
    """
    if got.problem:
        return got.problem
    for name, right in expected.parts.items():
        answer = got.parts[name]
        if answer.shape != right.shape:
            return f"{_at(name)}expected shape {right.shape}, got shape {answer.shape}"
        wrong = ~close(answer, right, tolerance)
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            place = f"{_at(name)}at index {list(index)} " if index else _at(name)
            return f"{place}expected {_numbers(right[index], answer[index])}"
    return ""


def close(a: Array, b: Array, tolerance: float) -> Array:
    """Entry by entry, is |a - b| at most the tolerance times the largest finite |b|?

    Parameters
    ----------
    a, b : arrays of equal shape
    tolerance : relative

    Returns
    -------
    array of bool
        NaN is close to NaN, and an infinity to itself.
    """
    a, b = a.astype(float), b.astype(float)
    scale = np.abs(b[np.isfinite(b)]).max(initial=0) or 1.0
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(a - b) <= tolerance * scale) | (a == b) | (np.isnan(a) & np.isnan(b)))


def alike(a: Outcome, b: Outcome, tolerance: float) -> bool:
    """Do two functions give the same, be it the same numbers or the same exception?

    Parameters
    ----------
    a, b : of the same call
    tolerance : relative to the largest value of b

    Returns
    -------
    bool
    """
    if a.problem or b.problem:
        return _without_line(a.problem) == _without_line(b.problem)
    return all(
        a.parts[name].shape == right.shape and bool(close(a.parts[name], right, tolerance).all())
        for name, right in b.parts.items()
    )


def _without_line(problem: str) -> str:
    head, separator, tail = problem.partition(": ")
    return head.partition(" in line")[0] + separator + tail


def _line(raised: BaseException, function: Function) -> str:
    """The line of the student's function at which the exception came up."""
    file = getattr(getattr(function, "__code__", None), "co_filename", "")
    lines = [frame.lineno for frame in traceback.extract_tb(raised.__traceback__) if frame.filename == file]
    first = getattr(getattr(function, "__code__", None), "co_firstlineno", 1)
    inside = [line - first + 1 for line in lines if line is not None and line >= first]
    return f" in line {inside[0]} of the function" if inside else ""


def _unchanged(a: Any, b: Any) -> bool:
    """Are the arrays in two (nested) values equal?"""
    if isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and a.shape == b.shape and bool(close(a, b, 0).all())
    if isinstance(b, Mapping):
        return list(a) == list(b) and all(_unchanged(a[key], b[key]) for key in b)
    if isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_unchanged, a, b))
    if is_dataclass(b):
        return all(_unchanged(getattr(a, f.name), getattr(b, f.name)) for f in fields(b))
    return True


def _described(arguments: tuple[Any, ...]) -> str:
    """The shapes of the arguments."""
    return ", ".join(map(_kind, arguments))


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of length {len(value)}"
    if isinstance(value, int | float | np.number):
        return "a number"
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _at(name: str) -> str:
    return f"{name}: " if name else ""


def _numbers(expected: Any, got: Any) -> str:
    """Both numbers with so many digits that they differ."""
    short, long = ([f"{float(number):.{digits}g}" for number in (expected, got)] for digits in (6, 17))
    return ", got ".join(short if short[0] != short[1] else long)
