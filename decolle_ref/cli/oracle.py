"""The command `decolle-ref oracle`: run a backend on vectors, check a trace, export or list the vectors."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from decolle_ref import cases
from decolle_ref._util import store
from decolle_ref._util.check import InputError, count, file_name
from decolle_ref.oracle import backends, coverage_page, html, junit, matrix, profile, runner, verdict
from decolle_ref.oracle.backends import Backend
from decolle_ref.oracle.diagnose.mutants.matrix import PAGE, PAIRS, page
from decolle_ref.oracle.trace import parse_trace
from decolle_ref.oracle.vectors import catalogue
from decolle_ref.oracle.vectors import export as vector_export
from decolle_ref.oracle.vectors.properties import Vector
from decolle_ref.oracle.verdict import Run

ONE_STEP = "one-step"  # the folder of one-step cases in --out


def add(p: argparse.ArgumentParser) -> None:
    """Add the commands and their options."""
    commands = p.add_subparsers(dest="oracle", required=True, metavar="COMMAND")

    q = commands.add_parser("run", help="run a backend on all vectors and on random ones")
    q.add_argument("backend", nargs="*", metavar="BACKEND", help="MODULE:OBJECT, FILE.py:OBJECT, or an installed name")
    q.add_argument("--profile", type=Path, help="a name (float32, Q8.16, ...) or a JSON file")
    q.add_argument("--seed", type=int, help="seed of the random vectors (default: a new one each time)")
    q.add_argument("--only", default="", metavar="PART", help="run only the vectors whose id contains PART")
    q.add_argument("--case", type=Path, metavar="FOLDER", help="run this case only, such as a one-step case from --out")
    q.add_argument("--expected", type=Path, metavar="TOML", help="vectors that must fail, with reasons")
    q.add_argument("--timeout", type=float, metavar="SECONDS", help="for each answer of a program (default 120)")
    q.add_argument("-x", action="store_true", dest="stop", help="stop at the first vector that fails")
    q.add_argument("--out", type=Path, help="a folder for report.json and one-step cases of the failures")
    q.add_argument("--junit", type=Path, metavar="FILE", help="write the outcomes as JUnit XML, for a CI service")
    q.add_argument("--html", type=Path, metavar="FILE", help="write one page with plots of the failures")
    q.set_defaults(run=run)

    q = commands.add_parser("matrix", help="run several backends; write a table, their reports and their badges")
    q.add_argument("file", type=Path, metavar="TOML", help="one table [backends.NAME] per backend")
    q.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    q.add_argument("--seed", type=int, help="seed of the random vectors (default: a new one each time)")
    q.add_argument("--only", default="", metavar="PART", help="run only the vectors whose id contains PART")
    q.set_defaults(run=run_matrix)

    q = commands.add_parser("check", help="check a trace folder against its case folder")
    q.add_argument("case", type=Path, metavar="CASE")
    q.add_argument("trace", type=Path, metavar="TRACE")
    q.add_argument("--profile", type=Path, default=Path("float32"), help="a name or a JSON file (default float32)")
    q.set_defaults(run=check)

    q = commands.add_parser("export", help="write all vectors as case folders")
    q.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    q.add_argument("--dtype", choices=("float32", "float64"), help="of all arrays (default float32)")
    q.add_argument("--profile", type=Path, help="round to this number format (a name or a JSON file); adds bounds")
    q.add_argument("--hex", action="store_true", help="also write memory files for $readmemh; needs fixed point")
    q.set_defaults(run=export)

    q = commands.add_parser("coverage", help="print docs/coverage.md: which two features meet in which vector")
    q.set_defaults(run=coverage)

    q = commands.add_parser("mutants", help="plant mistakes in a right implementation: which are found and named")
    q.add_argument("--profile", type=Path, action="append", help="a name; may be given several times (default: four)")
    q.add_argument("--pairs", type=int, default=PAIRS, help=f"pairs of mistakes to plant together (default {PAIRS})")
    q.add_argument("--out", type=Path, help="a file for the page (default: print it)")
    q.set_defaults(run=list_mutants)

    q = commands.add_parser("list", help="list the vectors, each with the mistake that it would catch")
    q.set_defaults(run=list_vectors)


def run(args: argparse.Namespace) -> int:
    """`decolle-ref oracle run BACKEND` or `... run [options] -- PROGRAM`: exit code 0 if it has passed, else 1."""
    expected = runner.read_expected(args.expected) if args.expected else {}
    given = [_vector(args.case)] if args.case else None
    if given and args.out:
        file_name("case: name", given[0].id)  # it becomes the name of a folder in --out
    backend = _backend(args)
    written = [path for path in (args.out, *(x.parent for x in (args.junit, args.html) if x)) if path]
    for folder in written:
        store.output_folder(folder)
    seed = runner.random_seed() if args.seed is None else args.seed
    vectors = given or catalogue.select(backend.profile, seed, args.only)
    result, say = Run(backend, (), seed, bool(given or args.only)), _Printer(goes_on=bool(written))
    for outcome in runner.run(backend, vectors, expected):
        say(str(outcome))
        result = replace(result, outcomes=(*result.outcomes, outcome))
        if args.stop and result.failed(outcome):
            result = replace(result, selected=True)
            break
    _write(args, result, say)
    say(f"\n{verdict.summary(result)}")
    say.end()
    return 0 if result.good else 1


class _Printer:
    """Prints lines.  Where stdout cannot be written, as in `| head`, a run that writes files goes on to its end."""

    def __init__(self, goes_on: bool) -> None:
        self.goes_on = goes_on
        self.problem: OSError | None = None

    def __call__(self, text: str) -> None:
        try:
            print(text, flush=True)
        except OSError as problem:
            if not self.goes_on:
                raise
            self.problem = problem

    def end(self) -> None:
        """Raise what could not be written, now that the files are there."""
        if self.problem is not None:
            raise self.problem


def _vector(folder: Path) -> Vector:
    """A case folder as a vector."""
    case = cases.read(folder)
    return Vector(
        case.about["name"], case.about, case.arrays, case.about.get("why", "one case"), lambda vector, trace: None
    )


def _backend(args: argparse.Namespace) -> Backend:
    declared = profile.read(args.profile) if args.profile else None
    if not args.backend:
        raise InputError("backend: expected MODULE:OBJECT, an installed name, or -- PROGRAM, got none")
    if args.program:
        return backends.program(args.backend, declared, args.timeout)
    if args.timeout is not None:
        raise InputError("timeout: expected a program after --, got a Python object, which cannot be stopped")
    if len(args.backend) > 1:
        raise InputError(f"backend: expected one, or a program after --, got {len(args.backend)}")
    return backends.load(args.backend[0], declared)


def _write(args: argparse.Namespace, result: Run, say: Callable[[str], None]) -> None:
    """Write the files that the options ask for."""
    if args.junit:
        store.write_text(args.junit, junit.text(result))
    if args.html:
        store.write_text(args.html, html.text(result))
    if args.out:
        _write_folder(args, result, say)


def _write_folder(args: argparse.Namespace, result: Run, say: Callable[[str], None]) -> None:
    """Write report.json, and for every failure a case of one or two steps; print the command that runs it again."""
    folder = store.output_folder(args.out)
    store.write_json(folder / "report.json", verdict.content(result))
    for outcome in result.outcomes:
        if outcome.excerpt is not None:
            target = folder / ONE_STEP / file_name("id of a vector", outcome.id)
            cases.write(target, outcome.excerpt.about, outcome.excerpt.arrays)
            option = f" --profile {args.profile}" if args.profile else ""
            name = f"-- {result.backend.name}" if args.program else result.backend.name
            say(f"one step of {outcome.id}: decolle-ref oracle run{option} --case {target} {name}")


def run_matrix(args: argparse.Namespace) -> int:
    """`decolle-ref oracle matrix TOML --out DIR`: exit code 0 if all passed, 1 if not, 2 if one could not be run."""
    table, rows = matrix.read(args.file), []
    seed = runner.random_seed() if args.seed is None else args.seed
    with store.new_folder(args.out) as folder:
        for row in matrix.run(table, seed, args.only):
            print(f"{row.name}: {row.verdict}", flush=True)
            rows.append(row)
            matrix.write_row(folder, row)
        store.write_text(folder / "matrix.md", matrix.markdown(rows))
        store.write_text(folder / "matrix.html", matrix.page(rows))
    print(f"wrote {args.out}; seed {seed}")
    return 2 if any(row.run is None for row in rows) else int(not all(row.verdict == "passed" for row in rows))


def check(args: argparse.Namespace) -> int:
    """`decolle-ref oracle check CASE TRACE`: exit code 0 if it passes, else 1."""
    case, declared = cases.read(args.case), profile.read(args.profile)
    trace = parse_trace(case, backends.read_trace(args.trace, case.about), declared)
    outcome = runner.check(trace, case.about["name"], case.about.get("why", ""))
    print(outcome)
    return 0 if outcome.good else 1


def export(args: argparse.Namespace) -> int:
    """`decolle-ref oracle export --out DIR`."""
    if args.profile and args.dtype:
        raise InputError("dtype: expected none beside --profile, which has its own, got one")
    declared = profile.read(args.profile) if args.profile else None
    vector_export.export(args.out, args.dtype or "float32", declared, args.hex)
    print(f"wrote {args.out}")
    return 0


def list_vectors(args: argparse.Namespace) -> int:
    """`decolle-ref oracle list`."""
    for vector in catalogue.catalogue("float32"):
        print(f"{vector.id}: {vector.why}")
    return 0


def coverage(args: argparse.Namespace) -> int:
    """`decolle-ref oracle coverage`."""
    print(coverage_page.page(), end="")
    return 0


def list_mutants(args: argparse.Namespace) -> int:
    """`decolle-ref oracle mutants`: the kill matrix as a page."""
    profiles = [profile.read(path) for path in args.profile] if args.profile else PAGE
    text = page(profiles, count("pairs", args.pairs, 0))
    if args.out:
        store.write_text(args.out, text)
        print(f"wrote {args.out}")
    else:
        print(text, end="")
    return 0
