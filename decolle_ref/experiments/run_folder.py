"""The folder of a run: the names of its files, and an earlier run in it, which is put aside and never overwritten."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from decolle_ref._util import reading, store
from decolle_ref._util.check import Array, InputError
from decolle_ref.experiments import checkpoint

RESULTS = "results.json"
FILES = ("{}.npz", "{}.png", "{}_*.png", "sweep.md", "sweep.png")  # of an experiment or of a sweep


def write(folder: Path, module: str, kind: str, results: dict[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write MODULE.npz, if there are arrays, and then results.json, which says that the run is finished."""
    store.validate_json(RESULTS, results)
    if arrays:
        store.write_arrays(folder / f"{module}.npz", kind, arrays, {})
    store.write_json(folder / RESULTS, results)


def put_aside(folder: Path, module: str) -> None:
    """Rename all files of an earlier run to old.*, or to old.2.* and so on, before one of this experiment begins."""
    if not ((folder / checkpoint.NAME).exists() or (folder / RESULTS).exists()):
        return
    patterns = [pattern.format(name) for name in {module, _earlier_module(folder)} for pattern in FILES]
    files = {path for pattern in (checkpoint.NAME, *patterns) for path in folder.glob(pattern)}
    marks = ("old." if n == 1 else f"old.{n}." for n in count(1))
    mark = next(mark for mark in marks if not any(folder.glob(f"{mark}[!0-9]*")))
    for path in (*sorted(files), folder / RESULTS):  # the results last, because they say which files are theirs
        if path.exists():
            path.rename(path.with_name(f"{mark}{path.name}"))


def _earlier_module(folder: Path) -> str:
    """The module of the experiment that left results in the folder; a name without files if there are none."""
    try:
        name = str(reading.read_json(folder / RESULTS)["experiment"]).replace("-", "_")
    except (InputError, KeyError, TypeError):
        return "old"
    return name if name.isidentifier() else "old"
