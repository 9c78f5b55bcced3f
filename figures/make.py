"""Make the figures:  python figures/make.py [NAME ...] [--quick] [--out FOLDER] [--runs RUN ...]

Without NAME all figures are made, which takes about a quarter of an hour, or with --quick about a minute.  Most come
from a fresh run of the experiment with the same name, whose results are stored as NAME.json beside the figure.  The
figures of the long experiments, poisson_mnist, spikegrad_mnist, spikegrad_cifar10, nmnist and dvsgesture, come from the
numbers that are stored there.  `--runs` draws finished runs (made by `decolle-ref NAME --out RUN`) and stores their
numbers.
"""

import argparse
import importlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sources  # the module beside this file

from decolle_ref import experiments
from decolle_ref._util import store
from decolle_ref._util.check import InputError, printable
from decolle_ref.cli.command import OneLineParser
from decolle_ref.cli.process import guarded
from decolle_ref.plots import style

FOLDER = Path(__file__).resolve().parent

Make = Callable[[Path, bool, Sequence[Path]], list[Path]]  # of (folder, quick, finished runs); returns what it wrote


class Figure(NamedTuple):
    """One entry of the registry."""

    about: str
    files: tuple[str, ...]  # what belongs to the entry in its folder
    make: Make

    @property
    def stores_numbers(self) -> bool:
        """Whether it can be drawn from finished runs, and stores their numbers as JSON."""
        return any(file.endswith(".json") for file in self.files)


def from_run(name: str, **settings: Any) -> Make:
    """Make the figures of a fresh run, or of one that is finished, and store its results."""

    def make(folder: Path, quick: bool, runs: Sequence[Path]) -> list[Path]:
        with tempfile.TemporaryDirectory() as temporary:
            out = runs[0] if runs else Path(temporary)
            if not runs:
                experiment = experiments.experiment(name)
                chosen = experiments.settings_of(experiment.settings, quick=quick, **settings)
                experiments.run(experiment, chosen, temporary, quiet=True)
            results = sources.results(out)
            paths = importlib.import_module(f"decolle_ref.plots.{name}").save_figures(out, results)
            written = [Path(shutil.copy(path, folder)) for path in paths]
        store.write_json(folder / f"{name}.json", results)
        return [*written, folder / f"{name}.json"]

    return make


def from_numbers(
    name: str, collect: Callable[[Sequence[Path]], Any], arguments: Callable[[Any], Sequence[Any]]
) -> Make:
    """Make the figure of the numbers in NAME.json, after storing those of finished runs there if some are given."""

    def make(folder: Path, quick: bool, runs: Sequence[Path]) -> list[Path]:
        stored = (folder if runs else FOLDER) / f"{name}.json"
        if runs:
            store.write_json(stored, collect(runs))
        picture = draw(folder, name, "plot", arguments(json.loads(stored.read_text())))
        return [picture, stored] if runs else [picture]

    return make


def from_arrays(name: str, compute: Callable[[bool], Sequence[Any]]) -> Make:
    """Make the figure of arrays that are computed without a run."""
    return lambda folder, quick, runs: [draw(folder, name, "plot", compute(quick))]


def schematics(name: str, **plots: str) -> Make:
    """Make one drawing, or several: the end of each file's name, and the function that draws it."""
    return lambda folder, quick, runs: [draw(folder, name, plot, (), end) for end, plot in plots.items()]


def draw(folder: Path, name: str, plot: str, arguments: Sequence[Any], end: str = "") -> Path:
    """Save what a function of the module decolle_ref.plots.NAME draws."""
    figure = getattr(importlib.import_module(f"decolle_ref.plots.{name}"), plot)(*arguments)
    return style.save(figure, folder / f"{'_'.join(filter(None, (name, end)))}.png")


def one_run(name: str, about: str, **settings: Any) -> Figure:
    """An entry with one picture that a fresh run makes."""
    return Figure(about, (f"{name}.png", f"{name}.json"), from_run(name, **settings))


def one_drawing(name: str, about: str, compute: Callable[[bool], Sequence[Any]] = lambda quick: ()) -> Figure:
    """An entry with one picture that needs no run."""
    return Figure(about, (f"{name}.png",), from_arrays(name, compute))


def stored_runs(
    name: str, about: str, collect: Callable[[Sequence[Path]], Any], arguments: Callable[[Any], Sequence[Any]]
) -> Figure:
    """An entry with one picture of stored numbers."""
    return Figure(about, (f"{name}.png", f"{name}.json"), from_numbers(name, collect, arguments))


FIGURES = {
    "regression": Figure(
        "three layers learn three functions of time [K20 Fig. 1] (1 minute)",
        ("regression_states.png", "regression_outputs.png", "regression_learning_curve.png", "regression.json"),
        from_run("regression"),
    ),
    "graph_decolle": one_drawing("graph_decolle", "the computational graph of DECOLLE [K20 Fig. 2]"),
    "poisson_mnist": stored_runs(
        "poisson_mnist",
        "convolutional DECOLLE on Poisson MNIST [K20 Fig. 3]",
        sources.collect_poisson_mnist,
        lambda numbers: (numbers["runs"], numbers["authors"]),
    ),
    "nmnist": stored_runs(
        "nmnist",
        "convolutional DECOLLE on N-MNIST [K20 Fig. 4]",
        sources.collect_nmnist,
        lambda numbers: (numbers["runs"], numbers["folds"], numbers["convnets"]),
    ),
    "dvsgesture": stored_runs(
        "dvsgesture",
        "ten clips of DvsGesture, beside the authors' curves [K20 Fig. 4]",
        sources.collect_dvsgesture,
        lambda numbers: (numbers["runs"], numbers["authors"]),
    ),
    "event_clouds": one_drawing(
        "event_clouds", "recordings of event cameras as clouds and frames; needs their files", sources.some_recordings
    ),
    "event_network": one_drawing(
        "event_network",
        "the network that learns from an event camera [K20 Fig. 4, left]; needs the clips of DvsGesture",
        sources.network_for_events,
    ),
    "clip_votes": one_drawing(
        "clip_votes",
        "a clip of DvsGesture and the votes of every layer; needs the clips (3 minutes)",
        sources.votes_on_a_clip,
    ),
    "replay": one_run("replay", "the authors' recorded run and its replay; needs their recording"),
    "schematics_neuron": Figure(
        "a spiking neuron and its inputs [N19 Fig. 1a]",
        ("schematics_neuron_inputs.png",),
        schematics("schematics_neuron", inputs="plot_neuron"),
    ),
    "lif_dynamics": one_drawing("lif_dynamics", "a LIF neuron with four inputs [N19 Fig. 1b]", sources.one_neuron),
    "graph": one_drawing("graph", "the computational graph of a spiking network [N19 Fig. 2]"),
    "surrogates": one_drawing("surrogates", "surrogate derivatives [N19 Fig. 3]"),
    "landscape": one_run("landscape", "the loss along a line between weights [N19 Fig. 4] (seconds)"),
    "schematics_feedback": Figure(
        "four ways of an error to the hidden layers, and local errors in a spiking network [N19 Fig. 5, 6]",
        ("schematics_feedback_strategies.png", "schematics_feedback_local_learning.png"),
        schematics("schematics_feedback", strategies="plot_strategies", local_learning="plot_local_learning"),
    ),
    "alignment": one_run("alignment", "angles of random feedback to backpropagation [N19 Fig. 5] (a minute)"),
    "schematics_xor": one_drawing("schematics_xor", "the network and patterns of exclusive or [N19 Fig. 7a]"),
    "xor": one_run("xor", "the temporal exclusive or, by spike times [N19 Fig. 7b] (seconds)"),
    "credit": one_run("credit", "the terms that each method leaves out [N19 Sec. III-V] (seconds)", feedback="direct"),
    "superspike": one_run("superspike", "SuperSpike learns five spikes [N19 Eq. 9-13] (3 minutes)"),
    "patterns": one_run("patterns", "random spike patterns are classified [N19 Eq. 7] (2 minutes)"),
    "scaling": one_run("scaling", "memory and time of all methods [N19 Sec. III-B] (half a minute)"),
    "spikegrad_mnist": stored_runs(
        "spikegrad_mnist",
        "SpikeGrad on MNIST [T19 Fig. 1a, 2a]",
        sources.collect_spikegrad,
        lambda numbers: (numbers,),
    ),
    "spikegrad_cifar10": stored_runs(
        "spikegrad_cifar10",
        "SpikeGrad on CIFAR-10 [T19 Fig. 1b, 2b]",
        sources.collect_spikegrad,
        lambda numbers: (numbers,),
    ),
    "dialect_comparison": one_run("dialect_comparison", "one network in all five dialects of DECOLLE"),
    "benchmarks": stored_runs(
        "benchmarks",
        "speed beside PyTorch and JAX, and memory, from the numbers of `python -m benchmarks`",
        sources.collect_benchmarks,
        lambda numbers: (numbers,),
    ),
    "kill_matrix": one_drawing("kill_matrix", "how far the oracle finds each planted mistake", sources.kill_matrix),
}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    names = "\n".join(f"  {name:20s}{figure.about}" for name, figure in FIGURES.items())
    parser = OneLineParser(
        description=__doc__.split("\n")[0].split(":")[0] + ".",
        epilog=f"names:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures to make (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="draw short runs, which are not comparable; use with --out"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="default: the folder of this file")
    parser.add_argument(
        "--runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="folders of finished runs of the one NAME, to draw and to store in NAME.json",
    )
    return parser.parse_args(argv)


def validate(names: Sequence[str], runs: Sequence[Path] | None) -> None:
    """Raise InputError for an unknown figure, or for runs of a figure that stores no numbers."""
    for name in names:
        if name not in FIGURES:
            raise InputError(f"unknown figure {name!r}, expected one of {', '.join(FIGURES)}")
    if runs and (len(names) != 1 or not FIGURES[names[0]].stores_numbers):
        stored = ", ".join(name for name, figure in FIGURES.items() if figure.stores_numbers)
        raise InputError(f"--runs: expected exactly one NAME with stored numbers ({stored})")


def main(argv: Sequence[str] | None = None) -> int:
    """Make the figures; returns the exit code."""
    return guarded("make.py", lambda: make_figures(parse(argv)))


def make_figures(options: argparse.Namespace) -> None:
    """Make the figures, and print the names of their files."""
    validate(options.names, options.runs)
    folder = store.output_folder(options.out)
    for name in options.names or FIGURES:
        written = FIGURES[name].make(folder, options.quick, options.runs or ())
        print(*map(printable, written), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
