"""Bugs planted by hand in the example backends: the lists in tests/oracle/planted, and copies with one bug each."""

import importlib.util
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from decolle_ref.oracle import backends, profile
from tests.support.c_programs import CC, EXAMPLES

LISTS = Path(__file__).parents[1] / "oracle" / "planted"


@dataclass(frozen=True)
class Bug:
    """One replacement in one file of an example backend."""

    id: str
    backend: str  # numpy_backend.py, ..., or the program c/decolle or c/decolle_fixed
    file: str
    group: str
    at: tuple[str, ...]  # the equations at which it may show first
    cause: str
    old: str
    new: str
    by: str = ""  # a vector that kills it


def read():
    """All bugs, in the order of the lists."""
    for path in sorted(LISTS.glob("*.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        backend = content["backend"]
        shared = {"backend": backend, "file": content.get("file", backend)}
        for entry in content["bug"]:
            yield Bug(**(shared | entry | {"at": tuple(entry["at"])}))


def plant(bug, folder):
    """Copy the examples into `folder`, with the bug; returns the file of the backend, which is built if it is in C."""
    copy = Path(folder) / bug.id
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("verilog", "third_party", "__pycache__"))
    file = copy / bug.file
    text = file.read_text(encoding="utf-8")
    assert text.count(bug.old) == 1, f"{bug.id}: expected its text once, got it {text.count(bug.old)} times"
    file.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    program = copy / bug.backend
    if program.suffix != ".py":
        build = [CC, "-O2", "-std=c99", "-o", program, f"{program.name}.c", "-lm"]
        subprocess.run(build, cwd=program.parent, check=True, timeout=60)
    return program


def backend(bug, folder):
    """The backend with the bug, under the profile that it declares."""
    program = plant(bug, folder)
    if program.suffix == ".py":
        call = _callable(program)
        return backends.Backend(bug.id, call, profile.parse(call.profile))
    return backends.program([str(program)], profile.PROFILES["Q8.16" if "fixed" in program.name else "float32"])


def _callable(file):
    """The object `backend` of a Python file, from a module of its own."""
    spec = importlib.util.spec_from_file_location(f"planted_{file.parent.name}_{file.stem}".replace("-", "_"), file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(file.parent))
    return module.backend
