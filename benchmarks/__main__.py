"""The command `python -m benchmarks`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import page, runner
from decolle_ref._util import store
from decolle_ref.cli.command import OneLineParser
from decolle_ref.cli.process import guarded


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = OneLineParser(
        prog="python -m benchmarks",
        description="Time this package beside PyTorch and JAX, and measure memory.  About ten minutes.",
        epilog=f"names: {', '.join(runner.NAMES)}",
    )
    parser.add_argument("--quick", action="store_true", help="a few steps on one thread, which are not comparable")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="measure only these")
    parser.add_argument("--out", type=Path, metavar="FILE", help="store the numbers as JSON")
    parser.add_argument("--page", action="store_true", help=f"only write the tables of {page.PAGE.name} again")
    return parser.parse_args(argv)


def work(options: argparse.Namespace) -> None:
    """Measure, or write the page."""
    if options.page:
        store.write_text(page.PAGE, page.updated(page.PAGE.read_text(), page.stored()))
        return
    if options.out is not None:
        store.output_folder(options.out.parent)
    results = runner.run(options.only, options.quick, lambda text: print(text, flush=True))
    if options.out is not None:
        store.write_json(options.out, results)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return guarded("benchmarks", lambda: work(parse(argv)))


if __name__ == "__main__":
    sys.exit(main())
