"""Votes over time: counted at every step after burn-in, at each layer, from the outputs of that step."""

from types import SimpleNamespace

import numpy as np

from decolle_ref.experiments import nmnist
from decolle_ref.experiments.event_votes import votes_over_time
from decolle_ref.experiments.nmnist import Settings
from decolle_ref.fast import worker_pool
from tests.support.quadrants import SIDE, quadrants

SMALL = Settings(mini_batches=1, batch=4, width=1 / 32, size=SIDE, steps=8, burn_in=3, test_steps=9)


def test_each_layer_votes_for_its_largest_output_at_every_step_after_burn_in():
    data, rng = quadrants(0, 4, 2), np.random.default_rng(1)
    recording = data.test_recordings[0]
    with worker_pool(1) as workers:
        run = nmnist.make(SMALL, workers, data)
        Y = rng.normal(size=(recording.steps, len(run.network), 1, len(data.classes)))
        given = iter(Y[SMALL.burn_in :])
        run.outputs = lambda stepper: next(given)[None]
        votes = votes_over_time(run, run.start.weights, recording)
    expected = np.zeros_like(votes)
    for n in range(SMALL.burn_in, recording.steps):
        expected[n] = expected[n - 1]
        for layer, y in enumerate(Y[n, :, 0]):
            expected[n, layer, int(np.argmax(y))] += 1
    np.testing.assert_array_equal(votes, expected)
    assert votes[-1].sum() > 0


def test_the_recording_is_shown_from_its_start_step_by_step(monkeypatch):
    """The stepper sees the frames of the recording in their order, and the weights that were given."""
    data, seen = quadrants(0, 4, 2), []
    recording = data.test_recordings[1]
    with worker_pool(1) as workers:
        run = nmnist.make(SMALL, workers, data)
        stepper = SimpleNamespace(step=lambda weights, x: seen.append((weights, x[0, 0])))
        monkeypatch.setattr("decolle_ref.experiments.event_votes.NetworkStepper", lambda *arguments: stepper)
        run.outputs = lambda stepper: np.zeros((1, len(run.network), 1, len(data.classes)))
        votes_over_time(run, run.start.weights, recording)
    frames = np.zeros((recording.steps, recording.n))
    for n in range(recording.steps):
        for place in recording.at(n):
            frames[n, place] += 1
    np.testing.assert_array_equal([x for _, x in seen], frames)
    assert all(weights is run.start.weights for weights, _ in seen)
