"""Other implementations: Python callables, installed entry points, and programs that read and write folders."""

import importlib
import os
import shutil
import signal
import subprocess
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
from decolle_ref.cases import schema
from decolle_ref.oracle import profile as profiles
from decolle_ref.oracle.check import residual
from decolle_ref.oracle.profile import Profile

GROUP = "decolle_ref.backends"
TIMEOUT = 120.0  # seconds for one case

UNSUPPORTED = 3  # exit code of a program that does not do what a case asks for


class Unsupported(Exception):
    """A backend says that it does not do what a case asks for: NotImplementedError, or exit code 3."""


Call = Callable[[dict[str, Any], dict[str, Array]], Mapping[str, Array]]


class Backend(NamedTuple):
    """An implementation: what runs a case, and what it says of its arithmetic."""

    name: str
    call: Call  # (contents of case.json, arrays by name) -> arrays of the trace by name
    profile: Profile


def load(name: str, profile: Profile | None = None) -> Backend:
    """A callable given as MODULE:OBJECT, FILE.py:OBJECT, or by the name of an installed entry point.

    Its profile is `profile`, else its own attribute, else float32.  Raises InputError if there is no such callable.
    """
    found = _entry_point(name) if ":" not in name else _object(*name.rsplit(":", 1))
    if not callable(found):
        raise InputError(f"backend {name}: expected a callable, got {type(found).__name__}")
    return Backend(name, found, profile or profiles.of(getattr(found, "profile", "float32")))


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
        found: Any = importlib.import_module(path.stem if path.suffix == ".py" else module)
        for part in name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as problem:  # what a module raises while it is imported may be anything
        raise InputError(f"backend {module}:{name}: expected an object, got {first_line(problem)}") from None
    finally:
        sys.path.remove(folder)
    return found


def program(command: Sequence[str], profile: Profile, timeout: float = TIMEOUT) -> Backend:
    """A program that reads the case folder IN and writes the trace folder OUT.

    The words IN and OUT of the command become the names of the two folders; without them they are put at its end.
    """
    if shutil.which(command[0]) is None:
        raise InputError(f"{command[0]}: expected a program, got none")
    words = [*command] if {"IN", "OUT"} <= set(command) else [*command, "IN", "OUT"]

    def call(about: dict[str, Any], arrays: dict[str, Array]) -> Mapping[str, Array]:
        with tempfile.TemporaryDirectory() as scratch:
            case, trace = Path(scratch) / "in", Path(scratch) / "out"
            cases.write(case, about, arrays)
            _execute([{"IN": str(case), "OUT": str(trace)}.get(word, word) for word in words], timeout)
            return read_trace(trace, about)

    return Backend(" ".join(command), call, profile)


def _execute(command: list[str], timeout: float) -> None:
    name = command[0]
    try:
        pipe = subprocess.PIPE
        running = subprocess.Popen(command, stdout=pipe, stderr=pipe, start_new_session=True)
    except OSError as problem:
        raise InputError(f"{name}: expected a program, got none ({problem.strerror})") from None
    try:
        _, stderr = running.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)  # its children too
        running.communicate()
        raise InputError(f"{name}: expected an answer within {timeout:g} s, got none") from None
    if running.returncode:
        said = [*stderr.decode(errors="replace").strip().splitlines(), "no message"][:-1] or ["no message"]
        if running.returncode == UNSUPPORTED:
            raise Unsupported(said[-1])
        raise InputError(f"{name}: expected exit code 0, got {running.returncode} ({said[-1]})")


def read_trace(folder: Path, about: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays of a trace folder that a case of this description asks for, as far as they are there.

    Raises InputError, in one line, for a folder that is missing or not of this case, and for arrays that are not plain,
    or of another shape or type, or not finite.
    """
    described = schema.read(folder / "trace.json", "trace")
    sizes = [(layer["n_in"], layer["n"], layer["n_out"]) for layer in about["layers"]]
    ours = about["steps"], about["batch"], sizes
    theirs = (
        described["steps"],
        described["batch"],
        [(layer["n_in"], layer["n"], layer["n_out"]) for layer in described["layers"]],
    )
    if ours != theirs:
        raise InputError(f"{folder}/trace.json: expected (steps, batch, layers) {ours}, got {theirs}")
    found = {}
    for name, shape in residual.shapes(about).items():
        path = folder / f"{name}.npy"
        if path.exists():
            kinds = (*npy.FLOATS, *npy.COUNTS) if name.endswith("_S") else npy.FLOATS
            found[name] = npy.read(path, shape, kinds)
    return found


def answer(backend: Backend, about: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """What the backend shows of a case; it gets copies, so that it cannot change what is checked.

    Raises InputError, in one line, for whatever it raises, and for anything but named arrays; Unsupported where it says
    so.
    """
    try:
        with np.errstate(all="ignore"):
            shown = backend.call(dict(about), {name: x.copy() for name, x in arrays.items()})
    except (InputError, Unsupported):
        raise
    except NotImplementedError as problem:
        raise Unsupported(first_line(problem)) from None
    except (Exception, SystemExit) as problem:
        reason = f"{type(problem).__name__}: {first_line(problem)}{_where(problem)}"
        raise InputError(f"backend {backend.name}: expected arrays, got {reason}") from None
    if not isinstance(shown, Mapping):
        raise InputError(f"backend {backend.name}: expected a mapping of arrays by name, got {type(shown).__name__}")
    return {str(name): _array(backend, str(name), x) for name, x in shown.items()}


def _where(problem: BaseException) -> str:
    """The file and line that raised."""
    frames = traceback.extract_tb(problem.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _array(backend: Backend, name: str, x: Any) -> Array:
    try:
        array = np.asarray(x)
    except Exception as problem:
        raise InputError(f"backend {backend.name} {name}: expected an array, got {first_line(problem)}") from None
    return array
