"""The DvsGesture experiment: which events are shown when, the published numbers, and the figure."""

import json
import os

import numpy as np
import pytest
from matplotlib import pyplot

from decolle_ref._util.check import InputError
from decolle_ref.cli.main import main
from decolle_ref.data import authors, location
from decolle_ref.data.aedat import write_aedat
from decolle_ref.data.dvsgesture import Gesture
from decolle_ref.data.events import EVENT
from decolle_ref.data.frames import dense
from decolle_ref.experiments import dvsgesture, harness, published
from decolle_ref.experiments.dvsgesture import EXPERIMENT, Settings
from decolle_ref.plots.dvsgesture import plot

NAMES = "".join(f"gesture,{k}\n" for k in range(1, 12))
SMALL = ["--width", "0.03125", "--size", "16", "--batch", "2", "--mini-batches", "1", "--quiet", "--threads", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with the names of the classes, and nothing else."""
    monkeypatch.setenv("DECOLLE_REF_DATA", str(tmp_path / "data"))
    path = tmp_path / "data" / "dvsgesture"
    path.mkdir(parents=True)
    (path / "gesture_mapping.csv").write_text("action,label\n" + NAMES)
    return path


def events_at(times):
    """One event at each time, at pixels in blocks of their own."""
    events = np.zeros(len(times), EVENT)
    events["t"], events["x"] = times, 4 * np.arange(len(times))
    return events


def test_a_clip_is_cut_at_the_microsecond_and_its_two_parts_share_nothing(folder):
    events = events_at([0, 899_999, 900_000, 949_999, 950_000, 1_449_999, 1_450_000])
    data = dvsgesture.of_clips([Gesture(4, events), Gesture(2, events)], 32)
    assert data.labels.tolist() == data.test_labels.tolist() == [3, 1] and len(data.classes) == 11
    for parts, first, places in ((data.recordings, 0, {0: 0, 899: 1}), (data.test_recordings, 4, {0: 4, 499: 5})):
        assert parts[0].steps == {0: 900, 4: 500}[first]
        steps, entries = np.nonzero(dense(parts[0]))
        assert dict(zip(steps.tolist(), entries.tolist(), strict=True)) == places


def test_the_official_recordings_are_cut_into_gestures_and_trained_on(folder, tmp_path, capsys):
    """Two recordings of two gestures each, 0.1 s long, in the published layout; the command writes all its files."""
    rng = np.random.default_rng(0)
    for name, split in (("user01_natural", "train"), ("user24_led", "test")):
        write_aedat(folder / f"{name}.aedat", np.sort(events_at(rng.integers(0, 200_000, 30)), order="t"))
        rows = "class,startTime_usec,endTime_usec\n1,0,100000\n11,100000,200000\n"
        (folder / f"{name}_labels.csv").write_text(rows)
        (folder / f"trials_to_{split}.txt").write_text(f"{name}.aedat\n")
    data = dvsgesture.read(Settings())
    assert data.labels.tolist() == data.test_labels.tolist() == [0, 10]
    assert sum(dense(recording).sum() for recording in data.recordings) == 30
    out = tmp_path / "run"
    assert main(["dvsgesture", *SMALL, "--steps", "60", "--out", str(out)]) == 0
    assert {file.name for file in out.iterdir()} == {"checkpoint.npz", "results.json", "dvsgesture.png"}
    assert json.loads((out / "results.json").read_text())["recordings"] == {"training": 2, "test": 2}
    assert capsys.readouterr().out.startswith("dvsgesture: test error layer 1 ")


def test_without_the_recordings_one_line_says_what_is_missing(folder, tmp_path, capsys):
    assert main(["dvsgesture", *SMALL, "--out", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "trials_to_train.txt" in err


def test_table_1_is_that_of_the_paper_and_the_authors_recording_agrees_with_it():
    """Their recorded run ends within twice the published spread of the published error."""
    rows = {row.model: (row.error, row.spread) for row in published.TABLE_1}
    assert rows["DECOLLE"] == (5.82, 0.33) and rows["SLAYER"] == (6.36, 0.49) and rows["C3D"] == (5.46, 1.06)
    assert rows["IBM EEDN"] == (8.23, None) and rows["IBM EEDN, with averaging"] == (5.51, None)
    try:
        curve = authors.dvsgesture_curve()
    except InputError as reason:
        if os.environ.get("DECOLLE_REF_DATA"):
            raise
        pytest.skip(str(reason))
    assert curve.shape == (225, 4) and curve[-1, 0] == 1 + 20 * 224
    assert abs(100 * curve[-20:, 3].mean() - 5.82) < 2 * 0.33
    assert (curve[-20:, 1:].mean(axis=0)[:-1] > curve[-20:, 3].mean()).all()


def test_the_figure_has_the_mean_over_seeds_at_the_common_tests_and_the_authors_curves():
    layers = [f"layer {k}" for k in (1, 2, 3)]
    cost = dict.fromkeys(layers, 10.0)
    runs = [
        {"mini_batches": tests, "error": dict.fromkeys(layers, errors), "input_rate": 0.1, "comparable": True}
        | dict.fromkeys(("spike_rate", "synaptic_operations", "multiplications_of_a_dense_frame"), cost)
        for tests, errors in (([1, 2], [0.5, 0.25]), ([2, 3], [0.75, 0.1]))
    ]
    figure = plot(runs, np.array([[1, 0.6, 0.4, 0.2], [21, 0.5, 0.3, 0.1]]))
    ours, _, theirs = figure.axes
    assert [line.get_xydata().tolist() for line in ours.lines] == [[[2, 50]]] * 3
    assert theirs.lines[2].get_xydata().tolist() == [[1, 20], [21, 10]]
    pyplot.close(figure)


@pytest.mark.study
def test_nine_of_ten_clips_are_right(tmp_path):
    """Trained on 0 to 0.9 s of each clip and tested on 0.95 to 1.45 s; about two minutes."""
    try:
        location.find_folder("dvsgesture/clips")
    except InputError as reason:
        pytest.skip(str(reason))
    settings = Settings(clips=True, width=0.25, batch=10, mini_batches=8)
    results = harness.run(EXPERIMENT, settings, tmp_path, quiet=True)
    assert results["error"]["layer 3"][-1] <= 0.1
