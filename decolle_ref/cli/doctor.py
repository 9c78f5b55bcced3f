"""What this machine offers to the package: versions, BLAS, data and programs.  `decolle-ref doctor`.

Every function looks at one thing and returns plain data; `text` writes it for a reader.  The home folder is written
as ~, so that a report can be shown to others.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref import __version__
from decolle_ref._util.check import InputError, printable
from decolle_ref._util.extras import EXTRA, advice, import_optional
from decolle_ref.data import location

DATA = {
    "MNIST": "mnist/train-images-idx3-ubyte.gz",
    "CIFAR-10": "cifar-10-batches-bin",
    "N-MNIST": "nmnist/Train",
    "DvsGesture": "dvsgesture/trials_to_train.txt",
    "DvsGesture, ten clips": "dvsgesture/clips",
    "the authors' regression": "authors/regression.npz",
    "the authors' curves": "authors/curves.npz",
}
"""A file or folder of each data set, within the data folder."""

PROGRAMS = {
    "browser": ("chromium", "chromium-browser", "google-chrome"),
    "Icarus Verilog": ("iverilog",),
    "Verilator": ("verilator",),
    "Yosys": ("yosys",),
    "C compiler": ("cc", "gcc", "clang"),
    "Node.js": ("node",),
    "git": ("git",),
}
"""The names that each program may have."""

Report = dict[str, dict[str, Any]]


def add(p: argparse.ArgumentParser) -> None:
    """The options of `decolle-ref doctor`."""
    p.add_argument("--json", action="store_true", help="the same as JSON")


def run(args: argparse.Namespace) -> None:
    """`decolle-ref doctor`: print the report."""
    found = report()
    print(json.dumps(found, indent=2) if args.json else text(found))


def report() -> Report:
    """All that was found, by topic; what is missing is None."""
    return {
        "versions": versions(),
        "optional": {package: version(package) for package in EXTRA},
        "blas": blas(),
        "data": data(),
        "programs": {name: program(names) for name, names in PROGRAMS.items()},
    }


def versions() -> dict[str, str | None]:
    """The versions of what every command needs, the system, and the number of cores."""
    return {
        "decolle_ref": __version__,
        "Python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def version(package: str) -> str | None:
    """The version of an installed package, which is not imported; None if there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def blas() -> dict[str, str | None]:
    """The library with which numpy multiplies matrices, its kernel and its number of threads, as far as known."""
    config: Any = np.show_config(mode="dicts")
    built = config.get("Build Dependencies", {}).get("blas", {})
    library = f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()
    pools = _pools()
    if pools is None:
        return {"library": library, "kernel": None, "threads": None}
    return {
        "library": library,
        "kernel": _one_of(pool.get("architecture") for pool in pools),
        "threads": _one_of(pool.get("num_threads") for pool in pools),
    }


def _pools() -> list[dict[str, Any]] | None:
    """What threadpoolctl says of every BLAS in this process; None without it."""
    try:
        pools = import_optional("threadpoolctl").threadpool_info()
    except InputError:
        return None
    return [pool for pool in pools if pool["user_api"] == "blas"]


def _one_of(values: Iterable[object]) -> str | None:
    """The different values in one string."""
    return ", ".join(dict.fromkeys(str(value) for value in values if value is not None)) or None


def data() -> dict[str, Any]:
    """The data folder, and whether each data set is there."""
    try:
        folder = location.folder()
    except InputError:
        return {"folder": None, **dict.fromkeys(DATA, False)}
    return {"folder": without_home(folder), **{name: (folder / file).exists() for name, file in DATA.items()}}


def program(names: Iterable[str]) -> str | None:
    """Where the first of these programs lies that is installed; None if there is none."""
    return next((without_home(Path(found)) for found in map(shutil.which, names) if found), None)


def without_home(path: Path) -> str:
    """A path, in which the user's home folder is ~."""
    try:
        return str("~" / path.absolute().relative_to(Path.home()))
    except (RuntimeError, ValueError):
        return str(path)


def text(found: Report) -> str:
    """The report for a reader, one line for each entry."""
    sections = [
        "\n".join([f"{topic}:", *(f"  {name:<24}{_shown(topic, name, value)}" for name, value in entries.items())])
        for topic, entries in found.items()
    ]
    return "\n\n".join(sections)


def _shown(topic: str, name: str, value: object) -> str:
    if value is None and topic == "optional":
        return f"not installed: {advice(EXTRA[name])}"
    if value is None and topic == "blas":
        return f"unknown without threadpoolctl: {advice(EXTRA['threadpoolctl'])}"
    if value is None or value is False:
        return "not found"
    return "found" if value is True else printable(value)
