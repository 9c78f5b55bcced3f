"""How the votes of a trained network grow while a recording is shown: what `event_run` counts, step by step.

>>> from decolle_ref.data.frames import bin_events
>>> from decolle_ref.experiments.event_network import EventSettings
>>> from decolle_ref.experiments.event_run import Data
>>> from decolle_ref.fast import worker_pool
>>> events = np.array([(0, 0, 1, 900), (15, 3, 0, 5100)], [(c, "<i8") for c in "xypt"])
>>> recording, label = bin_events(events, sensor=16, crop=16, size=16), np.array([0])
>>> settings = EventSettings(quick=True, width=1 / 64, size=16, steps=6, test_steps=6, burn_in=2)
>>> with worker_pool(1) as workers:
...     run = EventRun(settings, workers, Data([recording], label, [recording], label, ("still", "moving")))
...     votes = votes_over_time(run, run.start.weights, recording)
>>> votes.shape, votes.sum(axis=2).tolist()  # each layer votes once per step, after two steps of burn-in
((6, 3, 2), [[0, 0, 0], [0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]])
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.data import frames
from decolle_ref.data.frames import Recording
from decolle_ref.decolle.synapse import Weights
from decolle_ref.experiments.event_run import EventRun
from decolle_ref.experiments.votes import Votes
from decolle_ref.fast import NetworkStepper


def votes_over_time(run: EventRun, weights: tuple[Weights, ...], recording: Recording) -> Array:
    """The votes that every layer has given to every class so far, after each step, without dropout.

        votes[n, l, k] = number of steps m, burn_in <= m <= n, at which Y_k is the largest output of layer l

    Parameters
    ----------
    run : EventRun
        It has the network and the burn-in.
    weights : tuple of Weights
        One per layer.
    recording : Recording
        It is shown from its start to its end.

    Returns
    -------
    array of int64, (steps, layers, classes)
    """
    stepper = NetworkStepper(run.network, 1, run.workers)
    votes = Votes(len(run.network), 1, len(run.data.classes))
    counts = np.empty((recording.steps, *votes.counts[:, 0].shape), int)
    for n, x in enumerate(frames.stream([recording], [0], recording.steps)):
        stepper.step(weights, x[None])
        if n >= run.settings.burn_in:
            votes.add(run.outputs(stepper))
        counts[n] = votes.counts[:, 0]
    return counts
