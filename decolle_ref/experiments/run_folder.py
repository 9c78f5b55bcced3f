"""The folder of a run: the names of its files, and an earlier run in it, which is put aside and never overwritten."""

import json
from itertools import count
from pathlib import Path

from decolle_ref.experiments import checkpoint

RESULTS = "results.json"


def put_aside(folder: Path, module: str) -> None:
    """Rename all files of an earlier run to old.*, or to old.2.* and so on, before a new run begins.

    module: the new run's experiment, from which the names of figures and arrays begin.
    """
    files = earlier_files(folder, {module, _earlier_module(folder)})
    marks = ("old." if n == 1 else f"old.{n}." for n in count(1))
    mark = next(mark for mark in marks if not any(folder.glob(f"{mark}[!0-9]*")))
    for file in files:
        file.rename(folder / f"{mark}{file.name}")


def earlier_files(folder: Path, modules: set[str]) -> list[Path]:
    """The files in the folder that a run of one of these experiments left: the results last."""
    arrays_and_figures = (
        path for name in modules for pattern in ("{}.npz", "{}.png", "{}_*.png") for path in folder.glob(pattern.format(name))
    )
    return [
        path
        for path in (folder / checkpoint.NAME, *sorted(set(arrays_and_figures)), folder / RESULTS)
        if path.exists()
    ]


def _earlier_module(folder: Path) -> str:
    """The experiment that left results in the folder; empty if there are none."""
    try:
        name = json.loads((folder / RESULTS).read_text())["experiment"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return str(name).replace("-", "_")
