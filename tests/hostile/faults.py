"""Hostile arrays: how one array argument of a valid call is damaged, and how the outcome is judged."""

import contextlib
import dataclasses
import itertools
import warnings
from collections.abc import Iterator

import numpy as np

from decolle_ref import InputError
from decolle_ref.credit.audit.hypotheses import BackwardInputs
from decolle_ref.credit.cost import Kernel
from decolle_ref.credit.neuron.spiking import Neuron
from decolle_ref.decolle.convnet import Net
from decolle_ref.decolle.layer import Layer
from decolle_ref.decolle.lif import LIF

WHOLE = (Layer, LIF, Neuron, Net, Kernel, BackwardInputs)  # made by constructors that have rows of their own


def first(a, value):
    a = a.astype(float)
    a.flat[0] = value
    return a


def strided(a):
    return np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a


def swapped(a):
    return a.astype(a.dtype.newbyteorder(">"))


def whole(a):
    """The same shape, with small whole numbers >= 0."""
    return np.abs(np.round(3 * a.astype(float))) % 4


FAULTS = {
    "nan": lambda a: first(a, np.nan),
    "inf": lambda a: first(a, np.inf),
    "longer": lambda a: np.concatenate([a, a[:1]]),
    "one": lambda a: a[:1],
    "empty": lambda a: a[:0],
    "0-d": lambda a: np.asarray(a.flat[0]),
    "uint8": lambda a: whole(a).astype(np.uint8),
    "bool": lambda a: whole(a) > 0,
    "float32": lambda a: a.astype(np.float32),
    "strided": strided,
    "masked": lambda a: np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) == 0),
    "big-endian": swapped,
}
"""Name: how it changes one array."""

REFERENCE = {
    "inf": lambda a: first(a, 1e12),
    "uint8": whole,
    "bool": lambda a: (whole(a) > 0).astype(float),
}
"""The same call in plain floats, where the numbers themselves are changed too; for inf, a number near the limit."""


SPREAD = {
    "one": lambda a: np.broadcast_to(a[:1], a.shape).copy(),
    "0-d": lambda a: np.full(a.shape, a.flat[0]),
}
"""The array that is meant where one value, or one row, stands for all."""


def leaves(tree, path=()) -> Iterator[tuple]:
    """The places of all arrays in the arguments; of a list only the first."""
    if isinstance(tree, np.ndarray):
        yield path
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, tuple | list) and not isinstance(tree, WHOLE):
        several = range(len(tree)) if hasattr(tree, "_fields") else range(min(1, len(tree)))
        for k in several:
            yield from leaves(tree[k], (*path, k))


def at(tree, path):
    return at(tree[path[0]], path[1:]) if path else tree


def changed(tree, path, change):
    """The arguments with one array changed."""
    if not path:
        return change(tree)
    if isinstance(tree, dict):
        return {k: changed(v, path[1:], change) if k == path[0] else v for k, v in tree.items()}
    new = [changed(v, path[1:], change) if k == path[0] else v for k, v in enumerate(tree)]
    return tree._make(new) if hasattr(tree, "_fields") else type(tree)(new)


def label(arguments, path) -> str:
    """Such as weights[0].W."""
    name, tree = path[0], arguments[path[0]]
    for k in path[1:]:
        name += f".{tree._fields[k]}" if hasattr(tree, "_fields") else f"[{k}]"
        tree = tree[k]
    return name


def numbers(result) -> list[np.ndarray]:
    """All numbers of a result, as arrays."""
    if result is None or isinstance(result, str) or callable(result):
        return []
    if isinstance(result, np.ndarray | np.generic | int | float | complex):
        return [np.asarray(result)]
    if isinstance(result, dict):
        return [x for value in result.values() for x in numbers(value)]
    if dataclasses.is_dataclass(result):
        return [x for field in dataclasses.fields(result) for x in numbers(getattr(result, field.name))]
    items = itertools.islice(result, 4) if isinstance(result, Iterator) else result
    return [x for item in items for x in numbers(item)]


def called(build, path=None, change=None):
    """The numbers of a fresh valid call, with one of its arrays changed."""
    f, arguments = build()
    if path is not None:
        arguments = changed(arguments, path, change)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return numbers(f(**arguments))


def same(got, expected, rtol=1e-9) -> bool:
    if len(got) != len(expected):
        return False
    pairs = list(zip(got, expected, strict=True))
    return all(a.shape == b.shape and np.allclose(a, b, rtol=rtol, atol=rtol, equal_nan=True) for a, b in pairs)


def spread(got, full) -> bool:
    """Do the results agree with those of an array that is filled with the one value?"""
    with contextlib.suppress(ValueError):
        return len(got) == len(full) and all(np.allclose(a, b) for a, b in zip(got, full, strict=True))
    return False


def consistent(got, base, fault) -> bool:
    """Every output is that of a batch of another size: one row more, one row, none, or one entry."""
    if fault == "0-d":
        return same(got, [np.asarray(b.flat[0]) for b in base])
    length = {"longer": lambda n: n + 1, "one": lambda n: 1, "empty": lambda n: 0}[fault]
    return len(got) == len(base) and all(resized(x, b, length) for x, b in zip(got, base, strict=True))


def resized(x, b, length) -> bool:
    """x has another length along one axis of b, and the same numbers where both have some."""
    for axis, n in enumerate(b.shape):
        if x.shape == (*b.shape[:axis], length(n), *b.shape[axis + 1 :]):
            common = range(min(n, length(n)))
            if np.allclose(x.take(common, axis), b.take(common, axis)):
                return True
    return False


def judge(name, build, path, fault) -> str:
    """E: refused in one line.  =: right.  N: NaN or inf reaches the result.  ~: a valid call of another size.
    S: inf stands for a neuron that does not spike.  B: one value stands for all, as the docstring says.

    -: the fault does not exist for this array.  Everything else is a defect, and comes with its reason.
    """
    arguments = build()[1]
    array = at(arguments, path)
    alone = sum(at(arguments, place).ndim > 0 for place in leaves(arguments)) == 1
    if (array.ndim == 0 and fault in ("longer", "one", "empty", "0-d")) or (fault == "one" and len(array) == 1):
        return "-"
    if array.dtype.kind in "bi" and fault in ("float32", "uint8", "bool", "inf", "nan"):
        fault_array = {"float32": lambda a: a.astype(np.float32) + 0.5, "uint8": lambda a: a.astype(np.uint8)}
        change = fault_array.get(fault, FAULTS[fault])
        if fault == "bool" and array.dtype.kind == "b":
            return "-"
    else:
        change = FAULTS[fault]
    try:
        got = called(build, path, change)
    except InputError as problem:
        return "E" if "\n" not in str(problem) else f"several lines: {problem}"
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"
    if fault in ("nan", "inf") and any(x.dtype.kind in "fc" and not np.isfinite(x).all() for x in got):
        return "N"
    if fault == "masked":
        return "the mask is lost"
    if fault in ("longer", "one", "empty", "0-d"):
        base = called(build)
        if consistent(got, base, fault):
            return "="
        if fault in ("one", "0-d") and not alone and spread(got, called(build, path, SPREAD[fault])):
            return "B"
        finite = all(np.isfinite(x).all() for x in got if x.dtype.kind in "fc")
        return "~" if alone and finite else "another size is taken without a word"
    if fault == "nan" and not all(same(called(build, path, lambda a, x=x: first(a, x)), got) for x in (-0.7, 0.7)):
        return "NaN is swallowed"
    if fault == "inf" and name.startswith("credit.spike_time") and path[0] in ("z", "t", "w"):
        return "S"
    try:
        known = fault in REFERENCE and array.dtype.kind == "f"
        base = called(build, path, REFERENCE[fault]) if known else called(build)
    except Exception as problem:
        return f"the reference raises {problem}"
    if same(got, base, {"float32": 1e-3, "inf": 1e-6}.get(fault, 1e-9)):
        return "="
    return "wrong numbers"
