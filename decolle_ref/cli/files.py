"""The commands that read files and write files: `simulate` and `convert`."""

import argparse
from pathlib import Path

from decolle_ref import cases
from decolle_ref._util.check import printable
from decolle_ref.cli.command import Command
from decolle_ref.data import authors, convert, location


def commands() -> list[Command]:
    """The commands of the group "data"."""
    return [
        Command(
            "simulate",
            "data",
            "run a case folder and write every state as a trace folder",
            "simulate CASE --out TRACE",
            _add_simulate,
            run_simulate,
        ),
        Command(
            "convert",
            "data",
            "make the recording and the trained networks from a clone of the authors' repository nmi-lab/dcll",
            "convert CLONE",
            _add_clone,
            run_convert,
        ),
    ]


def _add_simulate(p: argparse.ArgumentParser) -> None:
    p.add_argument("case", type=Path, metavar="CASE")
    p.add_argument("--out", type=Path, required=True, metavar="TRACE", help="a new or empty folder")
    p.add_argument("--gradients", action="store_true", help="also dW and db at every step, which are large")


def run_simulate(args: argparse.Namespace) -> None:
    """`decolle-ref simulate CASE --out TRACE`."""
    case = cases.read(args.case)
    cases.write_trace(case, args.out, args.gradients)
    print(f"simulated {case.about['steps']} steps of {case.about['name']!r}; see {printable(args.out)}")


def _add_clone(p: argparse.ArgumentParser) -> None:
    p.add_argument("clone", type=Path, metavar="CLONE")


def run_convert(args: argparse.Namespace) -> None:
    """`decolle-ref convert CLONE`."""
    target = location.folder() / authors.REGRESSION
    convert.convert(args.clone, target)
    print(f"wrote {printable(target)}")
    for name in authors.MNIST:
        target = location.folder() / "authors" / f"{name}.npz"
        convert.convert_mnist(args.clone, name, target)
        print(f"wrote {printable(target)}")
    target = location.folder() / authors.CURVES
    convert.convert_curves(args.clone, target)
    print(f"wrote {printable(target)}")
