"""The command line: `decolle-ref COMMAND`.  Bad input ends with one line and exit code 2, Ctrl-C with 130."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, TypeVar

from decolle_ref import __version__, cases, dialects, identify, simulate
from decolle_ref.check import InputError
from decolle_ref.data import authors, convert, location
from decolle_ref.experiments import regression, replay
from decolle_ref.experiments.longrun import Interrupted

T = TypeVar("T")


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose complaints fit in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message alone and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = OneLineParser(prog="decolle-ref", description="The reference implementation of DECOLLE and its relatives.")
    top.add_argument("--version", action="version", version=f"decolle_ref {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    defaults = regression.Settings()

    p = commands.add_parser("regression", help="learn three functions of time [K20 Sec. 4.1, Fig. 1]")
    _experiment_options(p, "regression")
    p.add_argument("--epochs", type=int, help=f"showings of the sequence (default {defaults.epochs})")
    p.add_argument("--layers", type=int, nargs="+", metavar="N", help="neurons per layer (default 512 512 512)")
    p.add_argument(
        "--input", choices=("poisson", "authors"), default=defaults.input, help="spikes: our own, or recorded"
    )
    p.add_argument("--dtype", choices=("float32", "float64"), default=defaults.dtype)
    p.add_argument("--dialect", choices=tuple(dialects.DIALECTS), default=defaults.dialect)
    p.add_argument("--learning-rate", type=float, default=defaults.learning_rate, help="per unit of normalised trace")
    p.add_argument("--beta2", type=float, default=defaults.beta2, help="memory of Adamax; the paper has 0.95")
    p.set_defaults(run=run_regression)

    p = commands.add_parser("dialects", help="the variants of DECOLLE, or what differs between two of them")
    p.add_argument("names", nargs="*", metavar="DIALECT", help="none: the table; two: their differences")
    p.set_defaults(run=run_dialects)

    p = commands.add_parser("simulate", help="run a case folder and write every state as a trace folder")
    p.add_argument("case", type=Path, metavar="CASE")
    p.add_argument("--out", type=Path, required=True, metavar="TRACE", help="a new or empty folder")
    p.add_argument("--gradients", action="store_true", help="also dW and db at every step, which are large")
    p.set_defaults(run=run_simulate)

    p = commands.add_parser("identify", help="name the dialect that made a trace")
    p.add_argument("case", type=Path, metavar="CASE", help="weights, constants and inputs; its dialect is ignored")
    p.add_argument("trace", type=Path, metavar="TRACE", help="any of Q, P, R, U, S")
    p.set_defaults(run=run_identify)

    p = commands.add_parser("replay", help="replay the authors' own recording, step for step")
    p.add_argument("experiment", choices=("regression",))
    p.add_argument("--out", type=Path, default=Path("runs/replay"), help="folder for results (default runs/replay)")
    p.set_defaults(run=run_replay)

    p = commands.add_parser("convert", help="make the recording from a clone of the authors' repository nmi-lab/dcll")
    p.add_argument("clone", type=Path, metavar="CLONE")
    p.set_defaults(run=run_convert)
    return top


def _experiment_options(p: argparse.ArgumentParser, name: str) -> None:
    p.add_argument("--out", type=Path, default=Path("runs") / name, help=f"folder for results (default runs/{name})")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--quick", action="store_true", help="same code and network, fewer epochs; not comparable")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    p.add_argument("--quiet", action="store_true", help="no progress bar")


def run_regression(args: argparse.Namespace) -> None:
    """`decolle-ref regression`."""
    defaults = regression.Settings()
    settings = replace(
        defaults,
        epochs=_given(args.epochs, regression.QUICK_EPOCHS if args.quick else defaults.epochs),
        layers=tuple(_given(args.layers, defaults.layers)),
        seed=args.seed,
        input=args.input,
        dtype=args.dtype,
        dialect=args.dialect,
        learning_rate=args.learning_rate,
        beta2=args.beta2,
        quick=args.quick,
    )
    results = regression.train(settings, args.out, args.resume, args.quiet)
    if _can_draw():
        from decolle_ref.plots.regression import draw_run

        draw_run(args.out, results)
    print(f"{regression.one_line(results)}; see {args.out}")


def run_dialects(args: argparse.Namespace) -> None:
    """`decolle-ref dialects [A B]`."""
    if not args.names:
        print(dialects.table())
        return
    if len(args.names) != 2:
        raise InputError(f"dialects: expected none or two names, got {len(args.names)}")
    a, b = (dialects.named(name) for name in args.names)
    for axis, of_a, of_b in dialects.differences(a, b):
        print(f"{axis.replace('_', ' ')}\n  {a.name}: {of_a}\n  {b.name}: {of_b}")
    print(f"{a.name} and {b.name} differ on {len(dialects.differences(a, b))} axes")


def run_simulate(args: argparse.Namespace) -> None:
    """`decolle-ref simulate CASE --out TRACE`."""
    case = cases.read(args.case)
    simulate.run(case, args.out, args.gradients)
    print(f"simulated {case.about['steps']} steps of {case.about['name']!r}; see {args.out}")


def run_identify(args: argparse.Namespace) -> int:
    """`decolle-ref identify CASE TRACE`: exit code 0 if a dialect or other axes reproduce the trace, else 1."""
    verdict = identify.identify(cases.read(args.case), *simulate.read_states(args.trace))
    print(verdict)
    return 0 if verdict.matches else 1


def run_replay(args: argparse.Namespace) -> None:
    """`decolle-ref replay regression`."""
    results = replay.run(args.out)
    if _can_draw():
        from decolle_ref.plots.replay import draw_run

        draw_run(args.out, results)
    print(f"{replay.one_line(results)}; see {args.out}")


def run_convert(args: argparse.Namespace) -> None:
    """`decolle-ref convert CLONE`."""
    target = location.folder() / authors.REGRESSION
    convert.convert(args.clone, target)
    print(f"wrote {target}")


def _can_draw() -> bool:
    if importlib.util.find_spec("matplotlib") is None:
        print("figures not drawn: matplotlib is not installed", file=sys.stderr)
        return False
    return True


def _given(value: T | None, default: T) -> T:
    return default if value is None else value


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = parser().parse_args(argv)
    try:
        return args.run(args) or 0
    except InputError as problem:
        print(f"decolle-ref: error: {problem}", file=sys.stderr)
        return 2
    except OSError as problem:
        place = f"{problem.filename}: " if problem.filename else ""
        print(f"decolle-ref: error: {place}{problem.strerror or problem}", file=sys.stderr)
        return 2
    except MemoryError as problem:
        print(f"decolle-ref: error: out of memory ({problem})", file=sys.stderr)
        return 2
    except Interrupted as reason:
        print(f"decolle-ref: {reason}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        goes_on = "; --resume goes on from the last checkpoint" if hasattr(args, "resume") else ""
        print(f"decolle-ref: stopped at once{goes_on}", file=sys.stderr)
        return 130
