"""The commands that run experiments: their options are the fields of the experiments' `Settings`."""

import argparse
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields
from functools import partial
from pathlib import Path
from typing import Any, TextIO, get_args, get_type_hints

from decolle_ref import experiments
from decolle_ref._util.check import printable
from decolle_ref.cli.command import Command, save_figures
from decolle_ref.experiments import Experiment

SUPPRESS = argparse.SUPPRESS  # an option that is not given is left out, so that its field keeps its default


def commands() -> list[Command]:
    """One command for each experiment."""
    return [
        Command(e.name, e.group, e.summary, f"{e.name} {e.example}", partial(_add, e), partial(_run, e))
        for e in map(experiments.experiment, experiments.NAMES)
    ]


def _add(experiment: Experiment, parser: argparse.ArgumentParser) -> None:
    kinds = get_type_hints(experiment.settings)
    for field in fields(experiment.settings):
        _add_option(parser, field, kinds[field.name])
    out = Path("runs") / experiment.name
    parser.add_argument("--out", type=Path, default=out, help=f"folder for results (default {out})")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="default: one per core")
    if experiment.download:
        parser.add_argument("--download", action="store_true", help="fetch the data first, where they are missing")


def _add_option(parser: argparse.ArgumentParser, field: "Field[Any]", kind: Any) -> None:
    """The option of one field: its name, type, default and help text."""
    metadata, name = field.metadata, field.name.replace("_", "-")
    if kind is bool:
        flag, action = (f"--no-{name}", "store_false") if field.default else (f"--{name}", "store_true")
        text = ("do not " if field.default else "") + metadata["help"]
        parser.add_argument(flag, action=action, dest=field.name, default=SUPPRESS, help=text)
        return
    several = bool(get_args(kind))
    value_type = get_args(kind)[0] if several else kind
    default = " ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    quick = "" if metadata["quick"] is MISSING else f"; {metadata['quick']} with --quick"
    options: dict[str, Any] = {"type": value_type, "default": SUPPRESS, "help": metadata["help"]}
    if default != "":
        options["help"] += f" (default {default}{quick})"
    if metadata["choices"]:
        options["choices"] = metadata["choices"]
    else:
        options["metavar"] = {int: "N", float: "X"}.get(value_type, field.name.rstrip("s").upper())
    if metadata["positional"]:
        if not several:
            options["default"] = field.default  # because argparse up to Python 3.11 compares SUPPRESS with the choices
        parser.add_argument(field.name, nargs="*" if several else "?", **options)
    else:
        parser.add_argument(f"--{name}", dest=field.name, nargs="+" if several else None, **options)


def settings(experiment: Experiment, args: argparse.Namespace) -> Any:
    """The settings from the command line; those that are not given have their default value, or that of a quick run."""
    given = {f.name: getattr(args, f.name) for f in fields(experiment.settings) if hasattr(args, f.name)}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return experiments.settings_of(experiment.settings, **given)


def _run(experiment: Experiment, args: argparse.Namespace) -> None:
    run_settings = settings(experiment, args)
    if experiment.download and args.download:
        experiment.download(quiet=args.quiet)
    draw = partial(save_figures, experiment.module, args.out)
    with _one_line_warnings():
        results = experiments.run(experiment, run_settings, args.out, args.resume, args.quiet, args.threads, draw=draw)
    if experiment.table is not None:
        print(experiment.table(results), end="\n\n")
    print(f"{experiments.one_line(experiment, results)}; see {printable(args.out)}")


@contextmanager
def _one_line_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("ignore", DeprecationWarning)  # among libraries, which no user can mend
        warnings.simplefilter("ignore", RuntimeWarning)  # of numpy, about numbers that diverge: the run says where
        warnings.showwarning = _print_warning
        yield


def _print_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(printable(f"decolle-ref: warning: {message}"), file=sys.stderr)
