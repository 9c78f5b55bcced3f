"""The commands that check a derivation, a trace, a dialect or a paper."""

import argparse
from pathlib import Path

import numpy as np

from decolle_ref import cases, errata
from decolle_ref._util.check import InputError, count
from decolle_ref.cli import doctor, oracle
from decolle_ref.cli.command import Command
from decolle_ref.credit.audit import derivation
from decolle_ref.decolle import dialects


def commands() -> list[Command]:
    """The commands of the group "check"."""
    return [
        Command(
            "check-derivation",
            "check",
            "is this derivation of dL/dW right, and if not, which mistake is it?",
            "check-derivation mine.py:gradient",
            _add_check_derivation,
            check_derivation,
        ),
        Command(
            "oracle",
            "check",
            "does another implementation compute DECOLLE, equation by equation?",
            "oracle run examples/wrong_backend.py:backend",
            oracle.add,
        ),
        Command(
            "identify", "check", "name the dialect that made a trace", "identify CASE TRACE", _add_identify, name_it
        ),
        Command(
            "dialects",
            "check",
            "the variants of DECOLLE, or the differences between two of them",
            "dialects paper dcll",
            _add_dialects,
            show_dialects,
        ),
        Command(
            "errata",
            "check",
            "the misprints and open points found in the three papers",
            "errata",
            lambda p: None,
            show_errata,
        ),
        Command(
            "doctor",
            "check",
            "what is installed here: versions, optional packages, BLAS, data, programs",
            "doctor",
            doctor.add,
            doctor.run,
        ),
    ]


def _add_check_derivation(p: argparse.ArgumentParser) -> None:
    p.add_argument("derivation", nargs="?", metavar="FILE:FUNCTION", help="your function; see --template")
    p.add_argument("--template", action="store_true", help="print a file to fill in")
    p.add_argument("--loss", choices=derivation.LOSSES, default="top", help="read at the top, or in every layer")
    p.add_argument("--tolerance", type=float, default=derivation.TOLERANCE, help="relative (default 1e-7)")
    p.add_argument("--seed", type=int, default=0)


def check_derivation(args: argparse.Namespace) -> int:
    """`decolle-ref check-derivation FILE:FUNCTION`: exit code 0 if the derivation is exact, else 1."""
    if args.template:
        print(derivation.template(), end="")
        return 0
    if args.derivation is None:
        raise InputError("derivation: expected FILE:FUNCTION or --template, got neither")
    function, name = derivation.load(args.derivation)
    count("seed", args.seed, 0)
    report = derivation.check(function, np.random.default_rng(args.seed), args.loss, name, args.tolerance)
    print(report)
    return 0 if report else 1


def _add_identify(p: argparse.ArgumentParser) -> None:
    p.add_argument("case", type=Path, metavar="CASE", help="weights, constants and inputs; its dialect is ignored")
    p.add_argument("trace", type=Path, metavar="TRACE", help="any of Q, P, R, U, S")


def name_it(args: argparse.Namespace) -> int:
    """`decolle-ref identify CASE TRACE`: exit code 0 if a dialect or other axes reproduce the trace, else 1."""
    identification = cases.identify(cases.read(args.case), *cases.read_states(args.trace))
    print(identification)
    return 0 if identification.matches else 1


def _add_dialects(p: argparse.ArgumentParser) -> None:
    p.add_argument("names", nargs="*", metavar="DIALECT", help="none: the table; two: their differences")


def show_dialects(args: argparse.Namespace) -> None:
    """`decolle-ref dialects [A B]`."""
    if not args.names:
        print(dialects.table())
        return
    if len(args.names) != 2:
        raise InputError(f"dialects: expected none or two names, got {len(args.names)}")
    a, b = (dialects.named(name) for name in args.names)
    differences = dialects.differences(a, b)
    for axis, equation_a, equation_b in differences:
        print(f"{axis.replace('_', ' ')}\n  {a.name}: {equation_a}\n  {b.name}: {equation_b}")
    print(f"{a.name} and {b.name} differ on {len(differences)} axes")


def show_errata(args: argparse.Namespace) -> int:
    """`decolle-ref errata`; the exit code is 1 if the check of an entry does not tell its two forms apart."""
    print(errata.table())
    failing = [entry.tag for entry in errata.ERRATA if not entry.holds()]
    if failing:
        print(f"errata: NOT PROVEN HERE: {', '.join(failing)}")
    return int(bool(failing))
