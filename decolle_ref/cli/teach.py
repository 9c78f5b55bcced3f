"""The commands for a class: `student-copies` and `autograde`."""

import argparse
from collections import defaultdict
from pathlib import Path

from decolle_ref._util.check import positive
from decolle_ref.cli.command import Command
from decolle_ref.teach import autograde, student_copy


def commands() -> list[Command]:
    """The commands of the group "teach"."""
    return [
        Command(
            "autograde",
            "teach",
            "run a folder of students' notebooks, and write a table of points",
            "autograde submissions --out grades.csv",
            _add_autograde,
            run_autograde,
        ),
        Command(
            "student-copies",
            "teach",
            "make the students' notebooks from those with solutions",
            "student-copies tutorials tutorials/student",
            _add_copies,
            run_copies,
        ),
    ]


def _add_autograde(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", type=Path, metavar="FOLDER", help="with notebooks, also in folders below")
    p.add_argument("--out", type=Path, default=Path("grades.csv"), metavar="CSV", help="(default grades.csv)")
    p.add_argument("--timeout", type=float, default=120.0, metavar="S", help="for one notebook (default 120)")
    p.add_argument("--cell-timeout", type=float, default=20.0, metavar="S", help="for one cell or task (default 20)")


def run_autograde(args: argparse.Namespace) -> None:
    """`decolle-ref autograde FOLDER --out CSV`."""
    limits = [float(positive(name, getattr(args, name), "(seconds)")) for name in ("timeout", "cell_timeout")]
    grades, totals = [], defaultdict(list)
    for grade in autograde.grade_folder(args.folder, *limits):
        grades.append(grade)
        totals[grade.submission].append(grade)
    autograde.write_csv(grades, args.out)
    for submission, lines in totals.items():
        print(f"{submission}: {sum(g.points for g in lines)} of {sum(g.of for g in lines)} points")
    print(f"wrote {args.out}")


def _add_copies(p: argparse.ArgumentParser) -> None:
    p.add_argument("source", type=Path, metavar="SOURCE", help="folder of the notebooks with solutions")
    p.add_argument("target", type=Path, metavar="TARGET", help="folder of the copies")
    p.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a copy is out of date")


def run_copies(args: argparse.Namespace) -> int:
    """`decolle-ref student-copies SOURCE TARGET [--check]`."""
    stale = (student_copy.drift if args.check else student_copy.write)(args.source, args.target)
    for line in stale:
        print(line if args.check else f"{line} (mended)")
    print(f"{args.target}: {'out of date' if stale and args.check else 'up to date'}")
    return int(bool(stale) and args.check)
