"""What figures/make.py draws: numbers collected from folders of finished runs, and arrays that are computed here.

`collect_NAME(folders)` gives the numbers that are stored in NAME.json; every other function gives the arguments of a
`plot`, the fewer computations the better if `quick`.
"""

import json
import re
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from decolle_ref.data import authors, dvsgesture, nmnist
from decolle_ref.experiments import dvsgesture as dvsgesture_clips
from decolle_ref.experiments import event_network, harness, lif_dynamics
from decolle_ref.experiments.environment import cores
from decolle_ref.experiments.event_votes import votes_over_time
from decolle_ref.fast import worker_pool

FOLDER = Path(__file__).resolve().parent
KILL_MATRIX = FOLDER.parent / "docs" / "kill_matrix.md"


def results(run: Path) -> Any:
    """What a finished run left in its folder."""
    return json.loads((run / "results.json").read_text())


def collect_poisson_mnist(folders: Sequence[Path]) -> Any:
    """The results of finished runs, and the authors' curves from the data folder."""
    runs = [results(folder) for folder in folders]
    for run in runs:
        del run["learning"]
    return {"runs": runs, "authors": {name: curve.round(6).tolist() for name, curve in authors.curves().items()}}


def collect_spikegrad(folders: Sequence[Path]) -> Any:
    """The results of finished runs, with the curves that are drawn."""
    runs = [results(folder) for folder in folders]
    for run in runs:
        curves = ("loss", "accuracy", "backward", "backward_by_layer")
        run["epochs"] = {name: run["epochs"][name] for name in curves}
    return runs


def events_runs(folders: Sequence[Path]) -> list[Any]:
    """The results of finished runs on camera events, without what is not drawn."""
    runs = [results(folder) for folder in folders]
    for run in runs:
        for name in ("learning", "epochs"):
            run.pop(name, None)
    return runs


def collect_nmnist(folders: Sequence[Path]) -> Any:
    """The runs of nmnist and of nmnist-convnet on the published test set and on folds."""
    sets = {("nmnist", False): "runs", ("nmnist", True): "folds"}
    sets |= {("nmnist-convnet", False): "convnets", ("nmnist-convnet", True): "convnet_folds"}
    runs: dict[str, list[Any]] = {name: [] for name in sets.values()}
    for run in events_runs(folders):
        runs[sets[run["experiment"], run["settings"]["fold"] > 0]].append(run)
    return runs


def collect_dvsgesture(folders: Sequence[Path]) -> Any:
    """The results of finished runs, and the authors' curves from the data folder."""
    return {"runs": events_runs(folders), "authors": authors.dvsgesture_curve().round(6).tolist()}


def collect_benchmarks(folders: Sequence[Path]) -> Any:
    """What `python -m benchmarks --out FOLDER/results.json` stored in one folder."""
    (folder,) = folders
    return results(folder)


def some_recordings(quick: bool) -> Sequence[Any]:
    """A digit of N-MNIST and three clips of DvsGesture from the data folder."""
    names, digit = dvsgesture.class_names(), nmnist.recordings("train")[0]
    clips = [clip for clip in dvsgesture.clips() if clip.label in (1, 4, 8)]
    gestures = [(names[clip.label - 1].replace("_", " "), clip.events, dvsgesture.SIDE) for clip in clips]
    return ([(f"the digit {digit.label}", nmnist.load(digit), nmnist.SIDE), *gestures],)


def network_for_events(quick: bool) -> Sequence[Any]:
    """The network of [K20 Table 2], and a clip of DvsGesture from the data folder."""
    clip = next(clip for clip in dvsgesture.clips() if clip.label == 4)
    return event_network.build(event_network.EventSettings(), dvsgesture.CLASSES).network, clip.events, dvsgesture.SIDE


def votes_on_a_clip(quick: bool) -> Sequence[Any]:
    """The end of a clip, and how a network votes on it that learned from the beginnings of all clips."""
    width, mini_batches = (0.125, 1) if quick else (0.25, 8)
    clip = next(clip for clip in dvsgesture.clips() if clip.label == 7)
    settings = dvsgesture_clips.Settings(clips=True, width=width, batch=10, mini_batches=mini_batches)
    with worker_pool(cores()) as workers:
        training = dvsgesture_clips.make(settings, workers)
        state = training.begin()
        while training.done(state) < training.steps:
            state = training.step(state, harness.silent())
        end = training.data.test_recordings[list(training.data.test_labels).index(clip.label - 1)]
        votes = votes_over_time(training, state.carry.weights, end)
    start, stop = dvsgesture_clips.TEST_US
    events = clip.events[(start <= clip.events["t"]) & (clip.events["t"] < stop)]
    events["t"] -= start
    names = [name.replace("_", " ") for name in training.data.classes]
    return events, dvsgesture.SIDE, votes, names, clip.label - 1


def one_neuron(quick: bool) -> Sequence[Any]:
    """A LIF neuron with four inputs."""
    return (lif_dynamics.simulate(np.random.default_rng(0)),)


def kill_matrix(quick: bool) -> Sequence[Any]:
    """The profiles and the rows of the table in docs/kill_matrix.md."""
    lines = [line for line in KILL_MATRIX.read_text().splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    return head[3:-1], [(row[0].replace("\\|", "|"), row[1], [ratio(cell) for cell in row[3:-1]]) for row in rows]


def ratio(cell: str) -> float:
    """The number of a cell: 2.5e+06, (0.8) where the mistake is not found for certain, or infinite for "exact"."""
    return inf if cell == "exact" else float(cell.strip("()"))
