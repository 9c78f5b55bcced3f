"""The run that `nmnist` and `dvsgesture` share, on generated recordings."""

import signal
from dataclasses import replace
from functools import partial
from itertools import count

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.data import frames
from decolle_ref.decolle import network
from decolle_ref.decolle.network import Carry
from decolle_ref.decolle.optim import Adamax
from decolle_ref.decolle.readout import KEEP, Mask
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments import checkpoint, event_run, harness, nmnist
from decolle_ref.experiments.event_network import EventSettings, build
from decolle_ref.experiments.event_run import EventRun
from decolle_ref.experiments.harness import Interrupted
from decolle_ref.experiments.nmnist import EXPERIMENT, Settings
from decolle_ref.experiments.poisson_mnist_network import masks
from decolle_ref.fast import NetworkStepper, worker_pool
from tests.support.quadrants import SIDE, quadrants

train = partial(harness.run, EXPERIMENT)
SMALL = Settings(mini_batches=3, batch=4, width=1 / 32, size=SIDE, steps=8, burn_in=3, test_steps=9, test_every=2)


@pytest.fixture(scope="module")
def data():
    return quadrants(0, 8, 5)


def same(a, b):
    """Two checkpoints are equal to the last bit."""
    a, b = np.load(a), np.load(b)
    assert a.files == b.files
    for name in a.files:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_the_network_is_that_of_table_2():
    """Channels, sides before and after pooling, readouts of 11, dropout on the activity that is read, 5 as divisor."""
    settings = EventSettings()
    net, learner, start = build(settings, classes=11)
    assert [layer.synapse.shape for layer in net] == [(64, 30, 30), (128, 13, 13), (128, 11, 11)]
    pooled = [layer.pool.shape_out if layer.pool else layer.synapse.shape for layer in net]
    assert pooled == [(64, 15, 15), (128, 13, 13), (128, 5, 5)]
    assert [layer.synapse.shape_in for layer in net] == [(2, 32, 32), *pooled[:2]]
    assert {(layer.synapse.kernel, layer.synapse.padding) for layer in net} == {(7, 2)}
    assert [layer.readout.G.shape for layer in net] == [(11, np.prod(shape)) for shape in pooled]
    assert {layer.dropout for layer in net} == {"activity"} and settings.dropout == 0.5
    assert {w.W.dtype for w in start.weights} == {np.dtype(np.float32)}
    assert learner.optimiser == Adamax(0.0, 0.95)
    updates = 1000 * settings.updates_per_batch
    np.testing.assert_allclose([learner.schedule(n) for n in (0, updates - 1, updates)], [1, 1, 1 / 5], rtol=1e-15)


def test_a_resumed_run_is_bit_identical_to_one_that_was_not_interrupted(data, tmp_path, monkeypatch):
    """Interrupted within the second mini-batch, by a signal, with other numbers of threads."""
    monkeypatch.setattr("decolle_ref.fast.stepper.NetworkStepper.__init__.__defaults__", (1, 2))  # pieces of two
    whole = train(SMALL, tmp_path / "a", quiet=True, data=data)
    steps, original = count(), NetworkStepper.step

    def interrupting(self, *args, **kwargs):
        if next(steps) == SMALL.steps + 4:
            signal.raise_signal(signal.SIGINT)
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkStepper, "step", interrupting)
        with pytest.raises(Interrupted, match="stopped in mini-batch 2 of 3; --resume repeats it"):
            train(SMALL, tmp_path / "b", quiet=True, data=data, threads=2)
    resumed = train(SMALL, tmp_path / "b", resume=True, quiet=True, data=data, threads=2)
    same(tmp_path / "a/checkpoint.npz", tmp_path / "b/checkpoint.npz")
    assert resumed == whole and whole["mini_batches"] == [2, 3]


@pytest.mark.parametrize("dropout", [False, True])
def test_errors_and_activity_are_those_of_the_readable_network(dropout, data):
    """Two steps and all samples at a time, against votes and connections counted over network.run."""
    settings = replace(SMALL, test_dropout=dropout)
    net, _, start = build(settings, len(data.classes))
    n, length = len(data.test_labels), 10  # nine steps are shown in whole pairs
    with worker_pool(1) as workers:
        wrong, activity = EventRun(settings, workers, data).test_batch(start, slice(0, n), settings.test_steps)
    rng, dropped = settings.rng(3, 0), []
    for _ in range(length // 2):
        mask = masks(settings.dropout, net, rng, 2, n) if dropout else [KEEP] * 3
        dropped += [[Mask(*(x[i] if isinstance(x, np.ndarray) else x for x in m)) for m in mask] for i in range(2)]
    stream = frames.stream(data.test_recordings, [0] * n, length)
    counts, spikes, operations = np.zeros((3, n, 4), int), np.zeros(4), np.zeros(3)
    ones = [Weights(np.ones(layer.synapse.shape_W), np.zeros(layer.synapse.channels)) for layer in net]
    for (after, shown), x in zip(
        network.run(net, Carry(start.weights, network.rest(net, (n,))), stream, masks=dropped),
        frames.stream(data.test_recordings, [0] * n, length),
        strict=True,
    ):
        sources = [x, *(snapshot.S for snapshot in shown)]
        spikes += [source.mean() * n for source in sources]
        operations += [layer.synapse.drive(w, s).sum() for layer, w, s in zip(net, ones, sources, strict=False)]
        if settings.burn_in < after.n <= settings.test_steps:
            for k, snapshot in enumerate(shown):
                counts[k, np.arange(n), snapshot.Y.argmax(axis=1)] += 1
    assert wrong.tolist() == (counts.argmax(axis=-1) != data.test_labels).sum(axis=-1).tolist()
    np.testing.assert_allclose(activity * length, [*spikes, *operations], rtol=1e-6)


def test_the_quadrant_with_more_events_is_learned(tmp_path):
    """By chance three in four would be wrong."""
    settings = Settings(
        mini_batches=5, batch=8, width=1 / 8, size=SIDE, steps=60, burn_in=20, test_steps=60, dropout=0.0
    )
    results = train(settings, tmp_path, quiet=True, data=quadrants(1, 40, 20, 60))
    assert max(error[-1] for error in results["error"].values()) < 0.3


def test_the_forecast_changes_no_result(data, tmp_path, capsys):
    quiet, loud = (train(SMALL, tmp_path / name, quiet=name == "a", data=data) for name in "ab")
    same(tmp_path / "a/checkpoint.npz", tmp_path / "b/checkpoint.npz")
    assert quiet == loud
    assert "nmnist: about 0 minutes on this machine" in capsys.readouterr().err


def test_the_forecast_adds_all_steps_of_training_and_testing_that_remain(data, monkeypatch):
    """A second per step: 8 steps for each mini-batch that remains, and 9 for both batches of every test."""
    clock = count(0, event_run.TRIAL_STEPS)
    monkeypatch.setattr(event_run.time, "perf_counter", lambda: next(clock))
    settings = replace(SMALL, mini_batches=100, test_every=30)
    with worker_pool(1) as workers:
        run = EventRun(settings, workers, data)
        for done, tests in ((0, 4), (30, 3), (99, 1)):
            seconds = 8 * (100 - done) + tests * 2 * 9
            assert run.forecast(done).startswith(f"about {seconds / 60:.0f} minutes on this machine")
        clock = count(0, 3600 * event_run.TRIAL_STEPS)
        assert run.forecast(0).startswith("about 872.0 hours")


def test_test_sequences_end_with_the_longest_recording(data):
    with worker_pool(1) as workers:
        assert EventRun(replace(SMALL, test_steps=1800), workers, data).test_steps == 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: {"tested": arrays["tested"][:1]}, r"tested: expected shape \(2, 3\), got \(1, 3\)"),
        (lambda arrays: {"tested": arrays["tested"] + 1}, "tested: expected a number from 0 to 1"),
        (lambda arrays: {"activity": arrays["activity"] - 99}, "activity: expected a number from 0 to inf"),
        (lambda arrays: {"learning": arrays["learning"][:2], "tested": arrays["tested"][:1]}, "activity: expected sha"),
        (lambda arrays: {"updates": arrays["updates"] + 1}, "expected 15 updates, got 16"),
        (lambda arrays: {"W2": arrays["W2"][1:]}, "layer 3 W: expected shape"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(change, message, data, tmp_path):
    train(SMALL, tmp_path, quiet=True, data=data)
    kind, settings = EXPERIMENT.checkpoint_kind, harness.plain(SMALL)
    arrays = checkpoint.load(tmp_path / "checkpoint.npz", kind, settings)
    checkpoint.save(tmp_path / "checkpoint.npz", kind, arrays | change(arrays), settings)
    with pytest.raises(InputError, match=message):
        train(SMALL, tmp_path, resume=True, quiet=True, data=data)


def test_settings_and_data_that_make_no_sense_are_refused_in_one_line(data, tmp_path):
    for change, message in (
        ({"burn_in": 8}, "burn_in: expected fewer steps than the 8 shown, got 8"),
        ({"dropout": 0.999}, "dropout: expected at most 255/256, got 0.999"),
        ({"width": 0.0}, "width: expected finite numbers > 0, got 0.0"),
        ({"fold": 6}, "fold: expected at most the number of folds, 5, got 6"),
    ):
        with pytest.raises(InputError) as problem:
            replace(SMALL, **change)
        assert str(problem.value) == message
    for change, message in (
        (data._replace(labels=data.labels[1:]), "training labels: expected 8, one per recording, got 7"),
        (data._replace(labels=data.labels + 1), r"training labels: expected integers 0\.\.3, got 1\.\.4"),
        (data._replace(test_recordings=[], test_labels=data.labels[:0]), "test recordings: expected at least one"),
        (quadrants(0, 8, 5, duration=2), "test recordings: expected one longer than the burn-in, got at most 2 ms"),
    ):
        with pytest.raises(InputError, match=message):
            train(SMALL, tmp_path, data=change)
    with pytest.raises(InputError, match=r"training recordings: expected frames of side 18, got \(2, 16, 16\)"):
        train(replace(SMALL, size=18), tmp_path, data=data)


def test_every_recording_is_tested_in_exactly_one_fold():
    recordings, labels = quadrants(0, 11, 0).recordings, np.arange(11) % 10
    tested = []
    for fold in (1, 2, 3, 4):
        split = nmnist.with_fold(recordings, labels, fold, 4)
        assert len(split.recordings) + len(split.test_recordings) == 11
        assert not {map(id, split.recordings)} & {map(id, split.test_recordings)}
        tested += [id(recording) for recording in split.test_recordings]
    assert sorted(tested) == sorted(map(id, recordings))
