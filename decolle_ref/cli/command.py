"""A command as data: its name, its group in `--help`, its options and what it runs."""

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from decolle_ref._util.check import printable
from decolle_ref._util.extras import advice

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


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose error messages have one line, and whose paths are not empty."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register("type", Path, parse_path)

    def error(self, message: str) -> NoReturn:
        """Print the message alone and exit with 2."""
        self.exit(2, printable(f"{self.prog}: error: {message}") + "\n")


def parse_path(text: str) -> Path:
    """An argument that is a path; an empty one would mean the current folder, and no path has a NUL."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"expected a path, got {text!r}")
    return Path(text)


def save_figures(module: str, out: Path, results: dict[str, Any]) -> None:
    """Save the figures of a run with `plots.MODULE`, if matplotlib is installed."""
    if importlib.util.find_spec("matplotlib") is None:
        print(f"figures not drawn: matplotlib is not installed ({advice('figures')})", file=sys.stderr)
        return
    if "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = "agg"  # it writes files; another one may be missing here, or need a screen
    importlib.import_module(f"decolle_ref.plots.{module}").save_figures(out, results)
