"""The commands that run experiments: their options are the fields of the experiments' `Settings`."""

import argparse
import sys
from contextlib import nullcontext
from dataclasses import MISSING, Field, fields
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

from decolle_ref import experiments
from decolle_ref._util.check import InputError, printable, validate_choice
from decolle_ref.cli.command import Command, save_figures
from decolle_ref.experiments import Experiment, executors, plan, summary, sweep
from decolle_ref.experiments.environment import one_line_warnings

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
    text = f"folder for results (default {out}); the files of an earlier run in it are renamed to old.*"
    parser.add_argument("--out", type=Path, default=out, help=text)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of a run (default: all runs share the cores)")
    _add_sweep(parser)
    if experiment.download:
        parser.add_argument("--download", action="store_true", help="fetch the data first, where they are missing")


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    p = parser.add_argument_group("several runs", "one in each folder of --out, and mean and spread over the seeds")
    p.add_argument("--seeds", type=int, nargs="+", metavar="N", help="run once with each seed")
    text = "run with each value of any option: alpha 10 50; lists as 64,64,64; several --sweep make all combinations"
    p.add_argument("--sweep", nargs="+", action="append", default=[], metavar=("OPTION", "VALUE"), help=text)
    p.add_argument("--jobs", type=int, metavar="N", help="runs at a time on this machine (default 1)")
    p.add_argument("--dask", metavar="ADDRESS", help="the scheduler of a Dask cluster whose workers do the runs")


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


def varied(experiment: Experiment, args: argparse.Namespace) -> plan.Values:
    """The values of --sweep and --seeds by the names of the settings, in their types."""
    kinds = get_type_hints(experiment.settings)
    options = {f.name for f in fields(experiment.settings) if not f.metadata["positional"]}
    values: plan.Values = {}
    for word, *texts in [*args.sweep, *([["seed", *map(str, args.seeds)]] if args.seeds else [])]:
        name = word.replace("-", "_")
        validate_choice("sweep", name, [f.name for f in fields(experiment.settings) if f.name != "quick"])
        if name in values or (name in options and hasattr(args, name)):
            raise InputError(f"{word}: expected its values in one place, got two")
        values[name] = tuple(_parse(word, kinds[name], text) for text in texts)
    return values


def _parse(name: str, kind: Any, text: str) -> Any:
    """A value from a word of the command line; lists have commas."""
    if get_args(kind):
        return tuple(_parse(name, get_args(kind)[0], part) for part in text.split(",") if part)
    if kind is bool:
        validate_choice(name, text, ("true", "false"))
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{name}: expected a value of type {kind.__name__}, got {text!r}") from None


def _run(experiment: Experiment, args: argparse.Namespace) -> None:
    run_settings = settings(experiment, args)
    several = varied(experiment, args)
    if not several and (args.jobs is not None or args.dask is not None):
        raise InputError("jobs, dask: expected --seeds or --sweep beside them")
    if experiment.download and args.download:
        experiment.download(quiet=args.quiet)
    if several:
        _run_several(experiment, run_settings, several, args)
    else:
        _run_one(experiment, run_settings, args)


def _run_several(experiment: Experiment, base: Any, values: plan.Values, args: argparse.Namespace) -> None:
    if args.jobs is not None and args.dask is not None:
        raise InputError("jobs: expected none beside --dask, whose workers say how many there are")
    jobs = 1 if args.jobs is None else args.jobs
    with executors.dask(args.dask) if args.dask is not None else nullcontext() as executor, one_line_warnings():
        workers = sweep.Workers(jobs, args.threads, executor)
        results = sweep.run(experiment, base, values, args.out, args.resume, args.quiet, workers, save_figures)
    print(summary.table(results), end="\n\n")
    print(f"{summary.sweep_line(results)}; see {printable(args.out)}")
    failed = [row for row in results["runs"] if row["problem"]]
    for row in failed[1:]:
        print(printable(f"decolle-ref: {row['folder']}: {row['problem']}"), file=sys.stderr)
    if failed:
        count = f"{len(failed)} of {len(results['runs'])} runs failed"
        raise InputError(f"{count}; {failed[0]['folder']}: {failed[0]['problem']}")


def _run_one(experiment: Experiment, run_settings: Any, args: argparse.Namespace) -> None:
    draw = partial(save_figures, experiment.module, args.out)
    with one_line_warnings():
        results = experiments.run(experiment, run_settings, args.out, args.resume, args.quiet, args.threads, draw=draw)
    if experiment.table is not None:
        print(experiment.table(results), end="\n\n")
    print(f"{experiments.one_line(experiment, results)}; see {printable(args.out)}")
