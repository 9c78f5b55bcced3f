"""Backends, the other implementations: Python callables, installed entry points, and programs that use folders.

>>> backend = Backend("empty", lambda about, arrays: {}, profiles.parse("float32"))
>>> answer(backend, {"steps": 1}, {})
{}
"""

import importlib
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref import cases
from decolle_ref._util import npy
from decolle_ref._util.check import Array, InputError, first_line
from decolle_ref._util.user_code import guarded
from decolle_ref.cases import schema
from decolle_ref.oracle import process
from decolle_ref.oracle import profile as profiles
from decolle_ref.oracle.profile import Profile
from decolle_ref.oracle.trace import optional, shapes

GROUP = "decolle_ref.backends"  # of entry points
TIMEOUT = 120.0  # seconds for one case

UNSUPPORTED = 3  # exit code of a program that does not do what a case asks for


class Unsupported(Exception):
    """A backend says that it does not do what a case asks for: NotImplementedError, or exit code 3."""


Call = Callable[[dict[str, Any], dict[str, Array]], Mapping[str, Array]]


class Backend(NamedTuple):
    """An implementation.

    Parameters
    ----------
    name : as reports name it
    call : (contents of case.json, arrays of the case by name) -> arrays of the trace by name
    profile : the arithmetic that it declares
    """

    name: str
    call: Call
    profile: Profile


def load(name: str, profile: Profile | None = None) -> Backend:
    """Load a backend that is a Python callable.

    Parameters
    ----------
    name : MODULE:OBJECT, FILE.py:OBJECT, or the name of an installed entry point
    profile : its arithmetic; None for the callable's attribute `profile`, or float32 if it has none

    Returns
    -------
    Backend

    Raises
    ------
    InputError
        If there is no such callable, or if its module raises an exception while it is imported.
    """
    with guarded(lambda raised: f"backend {name}: expected an object, got {first_line(raised)}", InputError):
        call = _entry_point(name) if ":" not in name else _object(*name.rsplit(":", 1))
        if not callable(call):
            raise InputError(f"backend {name}: expected a callable, got {type(call).__name__}")
        return Backend(name, call, profile or profiles.parse(getattr(call, "profile", "float32")))


def _entry_point(name: str) -> Any:
    installed = {point.name: point for point in entry_points(group=GROUP)}
    if name not in installed:
        known = ", ".join(sorted(installed)) or "none"
        raise InputError(f"backend: expected MODULE:OBJECT or an installed name ({known}), got {name!r}")
    return installed[name].load()


def _object(module: str, name: str) -> Any:
    path = Path(module)
    folder = str(path.parent.resolve()) if path.suffix == ".py" else str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        loaded: Any = importlib.import_module(path.stem if path.suffix == ".py" else module)
        for part in name.split("."):
            loaded = getattr(loaded, part)
    finally:
        sys.path.remove(folder)
    return loaded


def program(command: Sequence[str], profile: Profile, timeout: float = TIMEOUT) -> Backend:
    """A backend that is a program: it reads the case folder IN and writes the trace folder OUT.

    Parameters
    ----------
    command : the program and its arguments; the words IN and OUT become the names of the two folders, which are the
        last two arguments if the command does not have both words
    profile : the program's arithmetic
    timeout : seconds for one case

    Returns
    -------
    Backend

    Raises
    ------
    InputError
        If there is no such program.
    """
    if shutil.which(command[0]) is None:
        raise InputError(f"{command[0]}: expected a program, got none")
    words = [*command] if {"IN", "OUT"} <= set(command) else [*command, "IN", "OUT"]

    def call(about: dict[str, Any], arrays: dict[str, Array]) -> Mapping[str, Array]:
        with process.stoppable() as raise_noted, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            case, trace = Path(scratch) / "in", Path(scratch) / "out"
            cases.write(case, about, arrays)
            names = {"IN": str(case), "OUT": str(trace)}
            ended = process.run([names.get(word, word) for word in words], timeout, raise_noted)
            _validate_end(command[0], ended)
            return read_trace(trace, about)

    return Backend(" ".join(command), call, profile)


def _validate_end(name: str, ended: process.Ended) -> None:
    """Raise Unsupported or InputError for an exit code other than 0."""
    message = ended.said or "no message"
    if ended.code == UNSUPPORTED:
        raise Unsupported(message)
    if ended.code:
        raise InputError(f"{name}: expected exit code 0, got {ended.code} ({message})")


def read_trace(folder: Path, about: Mapping[str, Any]) -> dict[str, Array]:
    """Read those arrays of a trace folder that the oracle checks.

    Parameters
    ----------
    folder : trace.json, and one .npy file per array
    about : the contents of case.json

    Returns
    -------
    dict of str to array
        The arrays that the folder has.

    Raises
    ------
    InputError
        In one line, for a folder that is missing or belongs to another case, and for an array that is not plain, of
        another shape or type, or not finite.
    """
    described = schema.read(folder / "trace.json", "trace")
    expected, got = _sizes(about), _sizes(described)
    if expected != got:
        raise InputError(f"{folder}/trace.json: expected (steps, batch, layers) {expected}, got {got}")
    arrays = {}
    for name, shape in (shapes(about) | optional(about)).items():
        path = folder / f"{name}.npy"
        if path.exists():
            kinds = (*npy.FLOATS, *npy.COUNTS) if name.endswith("_S") else npy.FLOATS
            arrays[name] = npy.read(path, shape, kinds)
    return arrays


def _sizes(about: Mapping[str, Any]) -> tuple[Any, ...]:
    layers = [(layer["n_in"], layer["n"], layer["n_out"]) for layer in about["layers"]]
    return about["steps"], about["batch"], layers


def answer(backend: Backend, about: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Run a backend on a case.

    Parameters
    ----------
    backend : the implementation; it gets copies, so that it cannot change the case
    about : the contents of case.json
    arrays : the arrays of the case by name

    Returns
    -------
    dict of str to array
        The arrays of its trace by name, not yet parsed.

    Raises
    ------
    InputError
        In one line, if the backend raises an exception or returns anything but named arrays.
    Unsupported
        If it raises NotImplementedError.
    """
    with guarded(lambda raised: _raised(backend, raised), InputError, Unsupported), np.errstate(all="ignore"):
        try:
            trace: Any = backend.call(dict(about), {name: x.copy() for name, x in arrays.items()})
        except NotImplementedError as problem:
            raise Unsupported(first_line(problem)) from None
        if not isinstance(trace, Mapping):
            expected = "expected a mapping of arrays by name"
            raise InputError(f"backend {backend.name}: {expected}, got {type(trace).__name__}")
        return {str(name): _array(backend, str(name), x) for name, x in trace.items()}


def _raised(backend: Backend, raised: BaseException) -> str:
    reason = f"{type(raised).__name__}: {first_line(raised)}{_where(raised)}"
    return f"backend {backend.name}: expected arrays, got {reason}"


def _where(problem: BaseException) -> str:
    """The file and line that raised the exception."""
    frames = traceback.extract_tb(problem.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _array(backend: Backend, name: str, x: Any) -> Array:
    with guarded(lambda raised: f"backend {backend.name} {name}: expected an array, got {first_line(raised)}"):
        return np.asarray(x)
