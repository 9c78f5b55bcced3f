"""The command line: `decolle-ref COMMAND`.  Bad input ends with one line and exit code 2, Ctrl-C with 130."""

import argparse
import sys
from collections.abc import Sequence

from decolle_ref import __version__
from decolle_ref.cli import checks, files, learn, teach
from decolle_ref.cli.command import GROUPS, Command, OneLineParser
from decolle_ref.cli.process import guarded
from decolle_ref.experiments.harness import Interrupted

ABOUT = "The reference implementation of DECOLLE and its relatives.  `decolle-ref COMMAND --help` says more."


def commands() -> list[Command]:
    """All commands, group by group."""
    return [*learn.commands(), *checks.commands(), *files.commands(), *teach.commands()]


def parser() -> argparse.ArgumentParser:
    """The argument parser of all commands and their options."""
    every = commands()
    top = OneLineParser(
        prog="decolle-ref",
        usage="decolle-ref COMMAND [options]",
        description=f"{ABOUT}\n\n{_overview(every)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"decolle_ref {__version__}")
    subparsers = top.add_subparsers(
        dest="command", prog="decolle-ref", required=True, metavar="COMMAND", help=argparse.SUPPRESS
    )
    for command in every:
        sub = subparsers.add_parser(
            command.name, description=command.summary, epilog=f"example: decolle-ref {command.example}"
        )
        command.add(sub)
        if command.run is not None:
            sub.set_defaults(run=command.run)
    return top


def _overview(every: Sequence[Command]) -> str:
    """The commands by group, with one example each."""
    lines = []
    for group, about in GROUPS.items():
        lines.append(f"{group}: {about}")
        for command in every:
            if command.group == group:
                lines += [f"  {command.name:<19}{command.summary}", f"{'':<21}decolle-ref {command.example}"]
        lines.append("")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    return guarded("decolle-ref", lambda: _run(sys.argv[1:] if argv is None else argv))


def _run(words: Sequence[str]) -> int | None:
    args = parser().parse_args(words)
    args.program = "--" in words  # argparse drops the --, so it is recorded here that a program follows
    try:
        code: int | None = args.run(args)
    except KeyboardInterrupt:
        advice = "; --resume goes on from the last checkpoint" if hasattr(args, "resume") else ""
        raise Interrupted(f"stopped at once{advice}") from None
    return code
