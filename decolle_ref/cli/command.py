"""A command as data: its name, its group in `--help`, its options and what it runs."""

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GROUPS = {
    "learn": "networks learn a task; each run writes results and figures into --out",
    "experiments": "methods and dialects side by side; each run writes results and figures into --out",
    "check": "is this right?",
    "data": "files in, files out",
    "teach": "notebooks for a class",
}


@dataclass(frozen=True)
class Command:
    """One command of `decolle-ref`.  `run` returns the exit code, None for 0; if there is no `run`, `add` sets it."""

    name: str
    group: str
    summary: str
    example: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None] | None = None


def save_figures(module: str, out: Path, results: dict[str, Any]) -> None:
    """Save the figures of a run with `plots.MODULE`, if matplotlib is installed."""
    if importlib.util.find_spec("matplotlib") is None:
        print("figures not drawn: matplotlib is not installed (extra: figures)", file=sys.stderr)
    else:
        importlib.import_module(f"decolle_ref.plots.{module}").save_figures(out, results)
