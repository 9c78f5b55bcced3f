"""The command `decolle-ref oracle`: run a backend on vectors, check a trace, export or list the vectors."""

import argparse
from pathlib import Path

from decolle_ref import cases
from decolle_ref._util import store
from decolle_ref._util.check import InputError, count, file_name, positive
from decolle_ref.oracle import backends, coverage_page, profile, runner, verdict
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
    q.add_argument("--out", type=Path, help="a folder for report.json and one-step cases of the failures")
    q.set_defaults(run=run)

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
    seed = runner.random_seed() if args.seed is None else args.seed
    vectors = given or catalogue.select(backend.profile, seed, args.only)
    outcomes = []
    for outcome in runner.run(backend, vectors, expected):
        print(outcome, flush=True)
        outcomes.append(outcome)
    result = Run(backend, tuple(outcomes), seed, bool(given or args.only))
    if args.out:
        _write(args, result)
    print(f"\n{verdict.summary(result)}")
    return 0 if result.good else 1


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
        timeout = backends.TIMEOUT if args.timeout is None else float(positive("timeout", args.timeout))
        return backends.program(args.backend, declared or profile.PROFILES["float32"], timeout)
    if args.timeout is not None:
        raise InputError("timeout: expected a program after --, got a Python object, which cannot be stopped")
    if len(args.backend) > 1:
        raise InputError(f"backend: expected one, or a program after --, got {len(args.backend)}")
    return backends.load(args.backend[0], declared)


def _write(args: argparse.Namespace, result: Run) -> None:
    """Write report.json, and for every failure a case of one or two steps; print the command that runs it again."""
    folder = store.output_folder(args.out)
    store.write_json(folder / "report.json", verdict.content(result))
    for outcome in result.outcomes:
        if outcome.excerpt is not None:
            target = folder / ONE_STEP / file_name("id of a vector", outcome.id)
            cases.write(target, outcome.excerpt.about, outcome.excerpt.arrays)
            option = f" --profile {args.profile}" if args.profile else ""
            name = f"-- {result.backend.name}" if args.program else result.backend.name
            print(f"one step of {outcome.id}: decolle-ref oracle run{option} --case {target} {name}")


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
        store.atomically(args.out, lambda file: file.write(text.encode()))
        print(f"wrote {args.out}")
    else:
        print(text, end="")
    return 0
