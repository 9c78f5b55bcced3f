"""The command line: `decolle-ref COMMAND`.  Bad input ends with one line and exit code 2, Ctrl-C with 130."""

import argparse
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar

import numpy as np

from decolle_ref import __version__, cases, errata
from decolle_ref._util.check import InputError, count
from decolle_ref.cli import oracle
from decolle_ref.credit.audit import derivation, dropped
from decolle_ref.credit.neuron import spiking
from decolle_ref.data import authors, convert, location, mnist
from decolle_ref.decolle import dialects
from decolle_ref.experiments import (
    alignment,
    convnet,
    credit,
    landscape,
    patterns,
    poisson_mnist,
    regression,
    replay,
    scaling,
    spikegrad_mnist,
    superspike,
    xor,
)
from decolle_ref.experiments.longrun import Interrupted
from decolle_ref.experiments.poisson_mnist_network import Settings as MnistSettings
from decolle_ref.spikegrad import ann

T = TypeVar("T")

STUDIES = {  # experiments of one shape: run(out, seed, quick, quiet), one_line(results), and a figure
    "landscape": (landscape, "the loss along a line, its plateaus, and the surrogate gradient [N19 Fig. 4]"),
    "alignment": (alignment, "angles of random feedback to backpropagation over training [N19 Fig. 5]"),
    "superspike": (superspike, "learn a train of spikes by forward traces [N19 Eq. 9-13]"),
    "patterns": (patterns, "tell random spike patterns apart by backpropagation through time [N19 Eq. 7]"),
    "xor": (xor, "temporal exclusive or by gradients of spike times [N19 Fig. 7]"),
    "scaling": (scaling, "measured memory and time of every method against N and T [N19 Sec. III-B]"),
}


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
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
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

    _add_credit(commands.add_parser("credit", help="what every method of credit assignment drops, term by term [N19]"))

    p = commands.add_parser("gradcheck", help="is this derivation of dL/dW right, and if not, which slip is it?")
    p.add_argument("derivation", nargs="?", metavar="FILE:FUNCTION", help="your function; see --template")
    p.add_argument("--template", action="store_true", help="print a file to fill in")
    p.add_argument("--loss", choices=derivation.LOSSES, default="top", help="read at the top, or in every layer")
    p.add_argument("--tolerance", type=float, default=derivation.TOLERANCE, help="relative (default 1e-7)")
    p.add_argument("--seed", type=int, default=0)
    p.set_defaults(run=run_gradcheck)

    oracle.add(commands.add_parser("oracle", help="does another implementation compute DECOLLE, equation by equation?"))

    p = commands.add_parser("errata", help="every misprint and open point of the three papers, checked")
    p.set_defaults(run=run_errata)

    _add_mnist(commands.add_parser("mnist", help="convolutional DECOLLE learns Poisson MNIST [K20 Sec. 4.2, Fig. 3]"))
    _add_analog(commands.add_parser("analog", help="the conventional network on MNIST, conventionally [K20 Sec. 4.2]"))
    _add_spikegrad(commands.add_parser("spikegrad-mnist", help="MNIST by backpropagation with spikes [T19 Sec. 4]"))

    for name, (_, about) in STUDIES.items():
        p = commands.add_parser(name, help=about)
        _experiment_options(p, name)
        p.set_defaults(run=run_study)
    return top


def _experiment_options(p: argparse.ArgumentParser, name: str) -> None:
    p.add_argument("--out", type=Path, default=Path("runs") / name, help=f"folder for results (default runs/{name})")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--quick", action="store_true", help="same code and network on less data; not comparable")
    p.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_credit(p: argparse.ArgumentParser) -> None:
    defaults, names = credit.Settings(), ", ".join(dropped.RULES)
    p.add_argument("methods", nargs="*", metavar="METHOD", help=f"none: all; one or more: in detail ({names})")
    p.add_argument("--reference", choices=tuple(dropped.RULES), default=defaults.reference)
    p.add_argument("--layers", type=int, nargs="+", metavar="N", default=defaults.sizes, help="n_in, n_1, ..., n_L")
    p.add_argument("--steps", type=int, help=f"default {defaults.steps}")
    p.add_argument("--activity", choices=spiking.ACTIVITIES, default=defaults.activity, help="primitive: smooth twin")
    p.add_argument("--reset", choices=spiking.RESETS, default=defaults.reset)
    p.add_argument("--cost", choices=credit.COSTS, default=defaults.cost)
    p.add_argument("--feedback", choices=tuple(credit.FEEDBACK), default=defaults.feedback)
    _experiment_options(p, "credit")
    p.set_defaults(run=run_credit)


def _mnist_options(p: argparse.ArgumentParser, name: str) -> None:
    p.add_argument("--download", action="store_true", help="fetch the four files first, where they are missing")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    _experiment_options(p, name)


def _add_mnist(p: argparse.ArgumentParser) -> None:
    defaults = MnistSettings()
    p.add_argument(
        "--samples",
        type=int,
        help=f"training images shown, in mini-batches of {defaults.batch} (default {defaults.samples})",
    )
    p.add_argument("--dialect", choices=tuple(dialects.DIALECTS), default=defaults.dialect)
    p.add_argument("--no-output", action="store_true", help="without the trained output layer")
    p.add_argument("--learning-rate", type=float, default=defaults.learning_rate, help="per unit of normalised trace")
    p.add_argument("--halvings", type=int, default=defaults.halvings, help="of the learning rates over the run")
    p.add_argument(
        "--w", type=float, default=defaults.w, help="refractory strength (default 0, as in the authors' code)"
    )
    p.add_argument("--dropout", type=float, default=defaults.dropout)
    p.add_argument("--test-dropout", action="store_true", help="leave dropout active at test")
    p.add_argument("--test-images", type=int, help=f"default {defaults.test_images}")
    p.add_argument("--test-steps", type=int, default=defaults.test_steps, help="ms (the paper has 1000)")
    p.add_argument("--analog", action="store_true", help="train the analog network beside it, on the same mini-batches")
    p.add_argument("--rate", type=float, default=defaults.rate, help="Hz, of a white pixel")
    _mnist_options(p, "mnist")
    p.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="changes the speed, not the result")
    p.set_defaults(run=run_mnist)


def _add_analog(p: argparse.ArgumentParser) -> None:
    defaults = convnet.Settings()
    p.add_argument("--epochs", type=int, help=f"default {defaults.epochs}")
    p.add_argument("--learning-rate", type=float, default=defaults.learning_rate, help="falls linearly to 0")
    _mnist_options(p, "analog")
    p.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="changes the speed, not the result")
    p.set_defaults(run=run_analog)


def _add_spikegrad(p: argparse.ArgumentParser) -> None:
    defaults = spikegrad_mnist.Settings()
    p.add_argument("--alpha", type=float, default=defaults.alpha, help="error scale; too small starves lower layers")
    p.add_argument("--gradient", choices=ann.GRADIENTS, default=defaults.gradient, help="errors in spikes, or not")
    p.add_argument("--epochs", type=int, help=f"default {defaults.epochs}")
    p.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    p.add_argument("--weight-decay", type=float, default=defaults.weight_decay)
    p.add_argument("--theta-ff", type=float, default=defaults.theta_ff, help="threshold of the forward phase")
    p.add_argument("--theta-bp", type=float, default=defaults.theta_bp, help="threshold of the backward phase")
    _mnist_options(p, "spikegrad-mnist")
    p.set_defaults(run=run_spikegrad)


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
    _draw("regression", args.out, results)
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
    cases.write_trace(case, args.out, args.gradients)
    print(f"simulated {case.about['steps']} steps of {case.about['name']!r}; see {args.out}")


def run_identify(args: argparse.Namespace) -> int:
    """`decolle-ref identify CASE TRACE`: exit code 0 if a dialect or other axes reproduce the trace, else 1."""
    verdict = cases.identify(cases.read(args.case), *cases.read_states(args.trace))
    print(verdict)
    return 0 if verdict.matches else 1


def run_replay(args: argparse.Namespace) -> None:
    """`decolle-ref replay regression`."""
    results = replay.run(args.out)
    _draw("replay", args.out, results)
    print(f"{replay.one_line(results)}; see {args.out}")


def run_convert(args: argparse.Namespace) -> None:
    """`decolle-ref convert CLONE`."""
    target = location.folder() / authors.REGRESSION
    convert.convert(args.clone, target)
    print(f"wrote {target}")


def run_credit(args: argparse.Namespace) -> None:
    """`decolle-ref credit [METHOD ...]`."""
    settings = credit.Settings(
        methods=tuple(args.methods),
        reference=args.reference,
        sizes=tuple(args.layers),
        steps=_given(args.steps, credit.QUICK_STEPS if args.quick else credit.Settings().steps),
        activity=args.activity,
        reset=args.reset,
        cost=args.cost,
        feedback=args.feedback,
        seed=args.seed,
        quick=args.quick,
    )
    results = credit.run(settings, args.out, args.quiet)
    _draw("credit", args.out, results)
    print(f"{credit.text(results)}\n\n{credit.one_line(results)}; see {args.out}")


def run_gradcheck(args: argparse.Namespace) -> int:
    """`decolle-ref gradcheck FILE:FUNCTION`: exit code 0 if the derivation is exact, else 1."""
    if args.template:
        print(derivation.template(), end="")
        return 0
    if args.derivation is None:
        raise InputError("derivation: expected FILE:FUNCTION or --template, got neither")
    function, name = derivation.load(args.derivation)
    count("seed", args.seed, 0)
    verdict = derivation.check(function, np.random.default_rng(args.seed), args.loss, name, args.tolerance)
    print(verdict)
    return 0 if verdict else 1


def run_mnist(args: argparse.Namespace) -> None:
    """`decolle-ref mnist`."""
    defaults, quick = MnistSettings(), args.quick
    settings = replace(
        defaults,
        samples=_given(args.samples, poisson_mnist.QUICK_SAMPLES if quick else defaults.samples),
        seed=args.seed,
        dialect=args.dialect,
        output=not args.no_output,
        analog=args.analog,
        learning_rate=args.learning_rate,
        halvings=args.halvings,
        w=args.w,
        dropout=args.dropout,
        test_dropout=args.test_dropout,
        rate=args.rate,
        test_images=_given(args.test_images, poisson_mnist.QUICK_TEST_IMAGES if quick else defaults.test_images),
        test_steps=args.test_steps,
        quick=quick,
    )
    _train(args, poisson_mnist, settings, args.threads)


def run_analog(args: argparse.Namespace) -> None:
    """`decolle-ref analog`."""
    defaults = convnet.Settings()
    settings = replace(
        defaults,
        epochs=_given(args.epochs, convnet.QUICK_EPOCHS if args.quick else defaults.epochs),
        seed=args.seed,
        learning_rate=args.learning_rate,
        quick=args.quick,
    )
    _train(args, convnet, settings, args.threads)


def run_spikegrad(args: argparse.Namespace) -> None:
    """`decolle-ref spikegrad-mnist`."""
    defaults = spikegrad_mnist.Settings()
    settings = spikegrad_mnist.Settings(
        alpha=args.alpha,
        gradient=args.gradient,
        epochs=_given(args.epochs, spikegrad_mnist.QUICK_EPOCHS if args.quick else defaults.epochs),
        seed=args.seed,
        theta_ff=args.theta_ff,
        theta_bp=args.theta_bp,
        learning_rate=args.learning_rate,
        weight_decay=args.weight_decay,
        quick=args.quick,
    )
    _train(args, spikegrad_mnist, settings)


def _train(args: argparse.Namespace, experiment: Any, settings: Any, *more: Any) -> None:
    """Run an experiment on MNIST, draw its figure, print its result."""
    if args.download:
        mnist.download(quiet=args.quiet)
    with _one_line_warnings():
        results = experiment.train(settings, args.out, args.resume, args.quiet, *more)
    _draw(_name(experiment), args.out, results)
    print(f"{experiment.one_line(results)}; see {args.out}")


def _name(experiment: Any) -> str:
    return str(experiment.__name__.rpartition(".")[2])


@contextmanager
def _one_line_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _one_line_warning
        yield


def _one_line_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"decolle-ref: warning: {message}", file=sys.stderr)


def run_errata(args: argparse.Namespace) -> None:
    """`decolle-ref errata`."""
    print(errata.table())


def run_study(args: argparse.Namespace) -> None:
    """`decolle-ref landscape`, `alignment`, ...: any of STUDIES."""
    study, _ = STUDIES[args.command]
    count("seed", args.seed, 0)
    results = study.run(args.out, args.seed, args.quick, args.quiet)
    _draw(_name(study), args.out, results)
    if hasattr(study, "table"):
        print(study.table(results), end="\n\n")
    print(f"{study.one_line(results)}; see {args.out}")


def _draw(name: str, out: Path, results: dict[str, Any]) -> None:
    """Draw the run with plots.NAME, where matplotlib is at hand."""
    if importlib.util.find_spec("matplotlib") is None:
        print("figures not drawn: matplotlib is not installed", file=sys.stderr)
    else:
        importlib.import_module(f"decolle_ref.plots.{name}").save_figures(out, results)


def _given(value: T | None, default: T) -> T:
    return default if value is None else value


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    args = parser().parse_args(words)
    args.program = "--" in words  # argparse drops it, and with it what follows it is
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
