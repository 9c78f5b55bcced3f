"""Make the figures of this folder:  python figures/make.py [NAME ...] [--quick] [--out FOLDER] [--runs RUN ...]

Without NAME all figures are made, which takes about a quarter of an hour.  Most figures come from a fresh run of the
experiment with the same name, in a temporary folder.  The figures of the long experiments, poisson_mnist,
spikegrad_mnist, nmnist and dvsgesture, come from the numbers stored beside them; `--runs` first collects these numbers
anew from the folders of finished runs (made by `decolle-ref NAME --out RUN`).
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

import numpy as np

from decolle_ref import experiments
from decolle_ref._util import store
from decolle_ref._util.check import InputError, printable
from decolle_ref.cli.command import OneLineParser
from decolle_ref.cli.process import guarded
from decolle_ref.data import authors, dvsgesture, nmnist
from decolle_ref.experiments import dvsgesture as dvsgesture_clips
from decolle_ref.experiments import event_network, harness, lif_dynamics
from decolle_ref.experiments.environment import cores
from decolle_ref.experiments.event_votes import votes_over_time
from decolle_ref.fast import worker_pool
from decolle_ref.plots import style

FOLDER = Path(__file__).resolve().parent


class Figure(NamedTuple):
    """One entry of the registry."""

    about: str
    files: tuple[str, ...]  # what `make` writes into its folder
    make: Callable[[Path, bool], None]  # of (folder, quick)
    collect: Callable[[Sequence[Path]], Any] | None = None  # from folders of runs to the numbers stored in NAME.json


def from_run(name: str, **settings: Any) -> Callable[[Path, bool], None]:
    """Make the figures of a fresh run."""

    def make(folder: Path, quick: bool) -> None:
        experiment = experiments.experiment(name)
        chosen = experiments.settings_of(experiment.settings, quick=quick, **settings)
        with tempfile.TemporaryDirectory() as out:
            results = experiments.run(experiment, chosen, out, quiet=True)
            for path in importlib.import_module(f"decolle_ref.plots.{name}").save_figures(Path(out), results):
                shutil.copy(path, folder)

    return make


def from_arrays(name: str, compute: Callable[[], Sequence[Any]]) -> Callable[[Path, bool], None]:
    """Make the figure of arrays that are computed without a run folder."""

    def make(folder: Path, quick: bool) -> None:
        style.save(importlib.import_module(f"decolle_ref.plots.{name}").plot(*compute()), folder / f"{name}.png")

    return make


def from_numbers(name: str, arguments: Callable[[Any], Sequence[Any]]) -> Callable[[Path, bool], None]:
    """Make the figure of the numbers stored in NAME.json."""

    def compute() -> Sequence[Any]:
        return arguments(json.loads((FOLDER / f"{name}.json").read_text()))

    return from_arrays(name, compute)


def collect_poisson_mnist(folders: Sequence[Path]) -> Any:
    """The results of finished runs, and the authors' curves from the data folder."""
    runs = [json.loads((folder / "results.json").read_text()) for folder in folders]
    for results in runs:
        del results["learning"]
    return {"runs": runs, "authors": {name: curve.round(6).tolist() for name, curve in authors.curves().items()}}


def collect_spikegrad_mnist(folders: Sequence[Path]) -> Any:
    """The results of finished runs, with the curves that are drawn."""
    runs = [json.loads((folder / "results.json").read_text()) for folder in folders]
    for results in runs:
        curves = ("loss", "accuracy", "backward", "backward_by_layer")
        results["epochs"] = {name: results["epochs"][name] for name in curves}
    return runs


def events_runs(folders: Sequence[Path]) -> list[Any]:
    """The results of finished runs on camera events, without what is not drawn."""
    runs = [json.loads((folder / "results.json").read_text()) for folder in folders]
    for results in runs:
        for name in ("learning", "epochs"):
            results.pop(name, None)
    return runs


def collect_nmnist(folders: Sequence[Path]) -> Any:
    """The runs of nmnist and of nmnist-convnet on the published test set and on folds."""
    sets = {("nmnist", False): "runs", ("nmnist", True): "folds"}
    sets |= {("nmnist-convnet", False): "convnets", ("nmnist-convnet", True): "convnet_folds"}
    runs: dict[str, list[Any]] = {name: [] for name in sets.values()}
    for results in events_runs(folders):
        runs[sets[results["experiment"], results["settings"]["fold"] > 0]].append(results)
    return runs


def collect_dvsgesture(folders: Sequence[Path]) -> Any:
    """The results of finished runs, and the authors' curves from the data folder."""
    return {"runs": events_runs(folders), "authors": authors.dvsgesture_curve().round(6).tolist()}


def some_recordings() -> Sequence[Any]:
    """A digit of N-MNIST and three clips of DvsGesture from the data folder."""
    names, digit = dvsgesture.class_names(), nmnist.recordings("train")[0]
    clips = [clip for clip in dvsgesture.clips() if clip.label in (1, 4, 8)]
    shown = [(names[clip.label - 1].replace("_", " "), clip.events, dvsgesture.SIDE) for clip in clips]
    return ([(f"the digit {digit.label}", nmnist.load(digit), nmnist.SIDE), *shown],)


def network_for_events() -> Sequence[Any]:
    """The network of [K20 Table 2], and a clip of DvsGesture from the data folder."""
    clip = next(clip for clip in dvsgesture.clips() if clip.label == 4)
    return event_network.build(event_network.EventSettings(), dvsgesture.CLASSES).network, clip.events, dvsgesture.SIDE


def votes_on_a_clip() -> Sequence[Any]:
    """The end of a clip, and how a network votes on it that learned from the beginnings of all clips."""
    clip = next(clip for clip in dvsgesture.clips() if clip.label == 7)
    settings = dvsgesture_clips.Settings(clips=True, width=0.25, batch=10, mini_batches=8)
    with worker_pool(cores()) as workers:
        training = dvsgesture_clips.make(settings, workers)
        state = training.begin()
        while training.done(state) < training.steps:
            state = training.step(state, harness.silent())
        shown = list(training.data.test_labels).index(clip.label - 1)
        votes = votes_over_time(training, state.carry.weights, training.data.test_recordings[shown])
    start, stop = dvsgesture_clips.TEST_US
    events = clip.events[(start <= clip.events["t"]) & (clip.events["t"] < stop)]
    events["t"] -= start
    names = [name.replace("_", " ") for name in training.data.classes]
    return events, dvsgesture.SIDE, votes, names, clip.label - 1


def one_run(name: str, about: str, **settings: Any) -> Figure:
    """An entry with one file that a fresh run makes."""
    return Figure(about, (f"{name}.png",), from_run(name, **settings))


FIGURES = {
    "regression": Figure(
        "three layers learn three functions of time [K20 Fig. 1] (3 minutes)",
        ("regression_states.png", "regression_outputs.png", "regression_learning_curve.png"),
        from_run("regression"),
    ),
    "poisson_mnist": Figure(
        "convolutional DECOLLE on Poisson MNIST [K20 Fig. 3]",
        ("poisson_mnist.png",),
        from_numbers("poisson_mnist", lambda numbers: (numbers["runs"], numbers["authors"])),
        collect_poisson_mnist,
    ),
    "spikegrad_mnist": Figure(
        "SpikeGrad on MNIST [T19 Fig. 1a, 2a]",
        ("spikegrad_mnist.png",),
        from_numbers("spikegrad_mnist", lambda numbers: (numbers,)),
        collect_spikegrad_mnist,
    ),
    "nmnist": Figure(
        "convolutional DECOLLE on N-MNIST [K20 Fig. 4]",
        ("nmnist.png",),
        from_numbers("nmnist", lambda numbers: (numbers["runs"], numbers["folds"], numbers["convnets"])),
        collect_nmnist,
    ),
    "dvsgesture": Figure(
        "ten clips of DvsGesture, beside the authors' curves [K20 Fig. 4]",
        ("dvsgesture.png",),
        from_numbers("dvsgesture", lambda numbers: (numbers["runs"], numbers["authors"])),
        collect_dvsgesture,
    ),
    "event_clouds": Figure(
        "recordings of event cameras as clouds and frames; needs their files",
        ("event_clouds.png",),
        from_arrays("event_clouds", some_recordings),
    ),
    "event_network": Figure(
        "the network that learns from an event camera [K20 Fig. 4, left]; needs the clips of DvsGesture",
        ("event_network.png",),
        from_arrays("event_network", network_for_events),
    ),
    "clip_votes": Figure(
        "a clip of DvsGesture and the votes of every layer; needs the clips (3 minutes)",
        ("clip_votes.png",),
        from_arrays("clip_votes", votes_on_a_clip),
    ),
    "dialect_comparison": one_run("dialect_comparison", "one network in all five dialects of DECOLLE"),
    "lif_dynamics": Figure(
        "a LIF neuron with four inputs [N19 Fig. 1]",
        ("lif_dynamics.png",),
        from_arrays("lif_dynamics", lambda: (lif_dynamics.simulate(np.random.default_rng(0)),)),
    ),
    "surrogates": Figure("surrogate derivatives [N19 Fig. 3]", ("surrogates.png",), from_arrays("surrogates", tuple)),
    "landscape": one_run("landscape", "the loss along a line between weights [N19 Fig. 4] (seconds)"),
    "alignment": one_run("alignment", "angles of random feedback to backpropagation [N19 Fig. 5] (a minute)"),
    "credit": one_run("credit", "the terms that each method leaves out [N19 Sec. III-V] (seconds)", feedback="direct"),
    "superspike": one_run("superspike", "SuperSpike learns five spikes [N19 Eq. 9-13] (3 minutes)"),
    "patterns": one_run("patterns", "random spike patterns are classified [N19 Eq. 7] (2 minutes)"),
    "xor": one_run("xor", "the temporal exclusive or, by spike times [N19 Fig. 7] (seconds)"),
    "scaling": one_run("scaling", "memory and time of all methods [N19 Sec. III-B] (half a minute)"),
    "replay": one_run("replay", "the authors' recorded run and its replay; needs their recording"),
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
        "--runs", nargs="+", type=Path, metavar="RUN", help="folders of finished runs of the one NAME, for NAME.json"
    )
    return parser.parse_args(argv)


def validate(names: Sequence[str], runs: Sequence[Path] | None) -> None:
    """Raise InputError for an unknown figure, or for runs of a figure that stores no numbers."""
    for name in names:
        if name not in FIGURES:
            raise InputError(f"unknown figure {name!r}, expected one of {', '.join(FIGURES)}")
    if runs and (len(names) != 1 or FIGURES[names[0]].collect is None):
        stored = ", ".join(name for name, figure in FIGURES.items() if figure.collect)
        raise InputError(f"--runs: expected exactly one NAME with stored numbers ({stored})")


def main(argv: Sequence[str] | None = None) -> int:
    """Make the figures; returns the exit code."""
    return guarded("make.py", lambda: make_figures(parse(argv)))


def make_figures(options: argparse.Namespace) -> None:
    """Make the figures, and print the names of their files."""
    validate(options.names, options.runs)
    folder = store.output_folder(options.out)
    for name in options.names or FIGURES:
        figure = FIGURES[name]
        if options.runs and figure.collect:
            store.write_json(FOLDER / f"{name}.json", figure.collect(options.runs))
        figure.make(folder, options.quick)
        print(*(printable(folder / file) for file in figure.files), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
