"""The run that `nmnist` and `dvsgesture` share: convolutional DECOLLE on the events of a camera.  [K20 Sec. 4.3]

Every mini-batch shows `steps` ms of some recordings once, each from a random moment.  All layers learn from it at every
step after burn-in.  Test recordings are shown from their start and classified by counting: at every step after burn-in
each layer's readout votes, with dropout left active.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.data import frames
from decolle_ref.data.frames import Recording
from decolle_ref.decolle.network import Carry, width
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.environment import forecast, peak_memory
from decolle_ref.experiments.event_network import EventSettings, build
from decolle_ref.experiments.harness import Headline, Monitor, Results, Run, silent
from decolle_ref.experiments.poisson_mnist_network import TEST, TRAIN, masks, mini_batches, one_hot
from decolle_ref.experiments.votes import Votes, poll
from decolle_ref.fast import NetworkStepper
from decolle_ref.fast.workers import CHUNK
from decolle_ref.spikegrad.operations import count_fans

BLOCK = 2  # steps that are computed together at test
TRIAL_STEPS = 4  # steps of training and of testing that are timed for the forecast


class Data(NamedTuple):
    """The recordings, their labels 0, 1, ..., and the names of the classes."""

    recordings: list[Recording]
    labels: Array
    test_recordings: list[Recording]
    test_labels: Array
    classes: tuple[str, ...]


class State(NamedTuple):
    """The state of a run between two mini-batches; the tests are after the mini-batches of `milestones`."""

    carry: Carry
    learning: Array  # (mini-batches, layers): errors on the training recordings, by vote while learning
    tested: Array  # (tests, layers): errors on the test recordings
    activity: Array  # (tests, 1 + 2 layers): means per step: events per input, spikes per neuron, synaptic operations


def milestones(settings: EventSettings) -> list[int]:
    """The mini-batches after which the test recordings are classified; the last is among them."""
    return sorted({*range(settings.test_every, settings.mini_batches, settings.test_every), settings.mini_batches})


def validate_recordings(data: Data, size: int) -> None:
    """Raise InputError unless there are recordings for training and testing, with frames of one size, and labels."""
    pairs = ("training", data.recordings, data.labels), ("test", data.test_recordings, data.test_labels)
    for name, recordings, labels in pairs:
        if len(recordings) != len(labels):
            raise InputError(f"{name} labels: expected {len(recordings)}, one per recording, got {len(labels)}")
        if not len(labels):
            raise InputError(f"{name} recordings: expected at least one, got none")
        if labels.min() < 0 or labels.max() >= len(data.classes):
            expected, got = f"0..{len(data.classes) - 1}", f"{labels.min()}..{labels.max()}"
            raise InputError(f"{name} labels: expected integers {expected}, got {got}")
        for recording in recordings:
            if recording.shape != (2, size, size):
                raise InputError(f"{name} recordings: expected frames of side {size}, got {recording.shape}")


class EventRun(Run[State]):
    """The run: each step learns from one mini-batch.  [K20 Sec. 4.3]"""

    step_name, tick_name = "mini-batch", "ms"

    def __init__(self, settings: EventSettings, workers: ThreadPoolExecutor, data: Data, chunk: int = CHUNK) -> None:
        self.settings, self.steps, self.workers, self.data = settings, settings.mini_batches, workers, data
        validate_recordings(data, settings.size)
        longest = max(recording.steps for recording in data.test_recordings)
        if longest <= settings.burn_in:
            raise InputError(f"test recordings: expected one longer than the burn-in, got at most {longest} ms")
        self.test_steps = min(settings.test_steps, longest)
        self.network, self.learner, self.start = build(settings, len(data.classes))
        n = settings.mini_batches * settings.batch
        self.order = mini_batches(settings.seed, n, settings.batch, len(data.recordings))
        self.stepper = NetworkStepper(self.network, settings.batch, workers, chunk=chunk)
        self.fans = [count_fans(layer) for layer in self.network]

    def begin(self) -> State:
        """The initial weights, sampled with the seed."""
        layers = len(self.network)
        return State(self.start, np.zeros((0, layers)), np.zeros((0, layers)), np.zeros((0, 1 + 2 * layers)))

    def done(self, state: State) -> int:
        """The number of mini-batches so far."""
        return len(state.learning)

    def ticks(self, step: int) -> int:
        """The milliseconds of input in `step` mini-batches."""
        return step * self.settings.steps

    def status(self, state: State) -> str:
        """The number of mini-batches, the last test error of every layer, and the memory."""
        text = f"{len(state.learning)} mini-batches"
        if len(state.tested):
            text += ", test error " + ", ".join(f"{100 * error:.1f}" for error in state.tested[-1]) + " %"
        return f"{text}, {peak_memory() / 2**20:.0f} MiB"

    def forecast(self, done: int) -> str:
        """The duration and the memory of the rest of the run, from a few steps of training and of testing."""
        settings, start = self.settings, build(self.settings, len(self.data.classes)).start
        some, tests = slice(0, settings.batch), sum(k > done for k in milestones(settings))
        training = _seconds(lambda: self.learn(start, 0, silent(), range(TRIAL_STEPS)))
        testing = _seconds(lambda: self.test_batch(start, some, TRIAL_STEPS))
        seconds = (self.steps - done) * settings.steps * training
        seconds += tests * -(-len(self.data.test_recordings) // settings.batch) * self.test_steps * testing
        return forecast(seconds, peak_memory())

    def step(self, state: State, monitor: Monitor) -> State:
        """Learn from one mini-batch, and classify the test recordings after some of them."""
        k = len(state.learning)
        carry, errors = self.learn(state.carry, k, monitor, range(self.settings.burn_in, self.settings.steps))
        tested, activity = state.tested, state.activity
        if k + 1 in milestones(self.settings):
            mistakes, active = self.test(carry, monitor)
            tested, activity = np.vstack([tested, mistakes]), np.vstack([activity, active])
        return State(carry, np.vstack([state.learning, errors]), tested, activity)

    def learn(self, start: Carry, k: int, monitor: Monitor, learning: range) -> tuple[Carry, Array]:
        """Learn from mini-batch k at the steps of `learning`; returns (carry, errors by vote).

        Overwrites the weights and optimiser states of `start`.
        """
        settings, stepper, data = self.settings, self.stepper, self.data
        rng, picked = settings.rng(TRAIN, k), self.order[k]
        labels, recordings = data.labels[picked], [data.recordings[i] for i in picked]
        stream = frames.stream(recordings, frames.random_starts(rng, recordings, settings.steps), learning.stop)
        target, opt_state, updates = one_hot(labels, len(data.classes)), start.opt_state, start.updates
        votes = Votes(len(self.network), settings.batch, len(data.classes))
        stepper.rest()
        for n, x in enumerate(stream):
            mask = masks(settings.dropout, self.network, rng, settings.batch)
            stepper.step(start.weights, x[None], target if n in learning else None, mask)
            if n in learning:
                votes.add(self.outputs(stepper))
                opt_state, updates = stepper.update(self.learner, start.weights, opt_state, updates), updates + 1
            monitor.tick()
        return Carry(start.weights, (), opt_state, updates=updates), votes.wrong(labels) / settings.batch

    def outputs(self, stepper: NetworkStepper) -> Array:
        """Y of all readouts, (steps, layers, samples, classes)."""
        return np.stack([stepper.outputs(k) for k in range(len(self.network))], axis=1)

    def test(self, carry: Carry, monitor: Monitor) -> tuple[Array, Array]:
        """Errors of every layer on all test recordings, and the mean activity."""
        n, batch = len(self.data.test_recordings), self.settings.batch
        mistakes: Array = np.zeros(len(self.network))
        activity: Array = np.zeros(1 + 2 * len(self.network))
        for first in range(0, n, batch):
            monitor.say(f"testing on recording {first} of {n}")
            some = slice(first, min(n, first + batch))
            more_mistakes, more_activity = self.test_batch(carry, some, self.test_steps)
            mistakes, activity = mistakes + more_mistakes, activity + more_activity
        return mistakes / n, activity / n

    def test_batch(self, carry: Carry, some: slice, steps: int) -> tuple[Array, Array]:
        """The number of wrong answers of every layer on some test recordings, and the sum of their activities."""
        settings, labels, recordings = self.settings, self.data.test_labels[some], self.data.test_recordings[some]
        rng, length = settings.rng(TEST, some.start), -(-steps // BLOCK) * BLOCK
        stepper = NetworkStepper(self.network, len(labels), self.workers, BLOCK)
        counts = [_events(recordings, length), *(np.zeros(width(layer)) for layer in self.network)]

        def outputs() -> Array:
            for layers in stepper.buffers:
                for count, layer in zip(counts[1:], layers, strict=True):
                    count += layer.S.sum(axis=1)
            return self.outputs(stepper)

        votes = poll(
            Votes(len(self.network), len(labels), len(self.data.classes)),
            stepper,
            carry.weights,
            frames.stream(recordings, [0] * len(labels), length),
            range(settings.burn_in, steps),
            outputs,
            lambda: masks(settings.test_dropout * settings.dropout, self.network, rng, BLOCK, len(labels)),
        )
        operations = [count @ fans.fan_out for count, fans in zip(counts, self.fans, strict=False)]
        rates = [count.mean() for count in counts]
        return votes.wrong(labels), np.array([*rates, *operations]) / length

    def pack(self, state: State) -> dict[str, Array]:
        """The weights, the optimiser states and all histories, as named arrays."""
        histories = {"learning": state.learning, "tested": state.tested, "activity": state.activity}
        return checkpoint.pack(state.carry) | histories

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> State:
        """The state from a checkpoint."""
        settings, layers = self.settings, len(self.network)
        carry = checkpoint.unpack(path, arrays, [layer.synapse for layer in self.network], np.float32)
        learning = checkpoint.history(path, arrays, "learning", Field((layers,), 0, 1), settings.mini_batches)
        tests = sum(k <= len(learning) for k in milestones(settings))
        tested = checkpoint.parse(path, arrays, "tested", Field((tests, layers), 0, 1))
        activity = checkpoint.parse(path, arrays, "activity", Field((tests, 1 + 2 * layers), 0))
        checkpoint.validate_updates(path, carry, len(learning) * settings.updates_per_batch)
        return State(carry, learning, tested, activity)

    def report(self, state: State) -> tuple[Results, dict[str, Array]]:
        """The error curves of all layers, and how active the layers were in the last test."""
        layers = len(self.network)
        rates, operations = np.split(state.activity[-1], [1 + layers])
        return {
            "mini_batches": milestones(self.settings),
            "error": _by_layer(state.tested.T),
            "learning": _by_layer(state.learning.T),
            "input_rate": rates[0],
            "spike_rate": _by_layer(rates[1:]),
            "synaptic_operations": _by_layer(operations),
            "multiplications_of_a_dense_frame": _by_layer(np.array([fans.total for fans in self.fans])),
            "recordings": {"training": len(self.data.recordings), "test": len(self.data.test_recordings)},
        }, {}


def _seconds(phase: Callable[[], object]) -> float:
    """Seconds per step of a phase of TRIAL_STEPS steps; the first call allocates memory."""
    phase()
    begin = time.perf_counter()
    phase()
    return (time.perf_counter() - begin) / TRIAL_STEPS


def _events(recordings: Sequence[Recording], steps: int) -> Array:
    """The number of events by place in the first steps of all recordings."""
    n = recordings[0].n
    places = [recording.place[: recording.ends[min(steps, recording.steps)]] for recording in recordings]
    return np.bincount(np.concatenate(places), minlength=n).astype(float)


def _by_layer(columns: Array) -> dict[str, Any]:
    """Values or lists by the names of the layers."""
    return {f"layer {k + 1}": column for k, column in enumerate(columns.tolist())}


def headline(results: Results) -> Headline:
    """The last test error of every layer."""
    return Headline("test error", "%", {name: 100 * error[-1] for name, error in results["error"].items()})


def one_line(results: Results) -> str:
    """The result in one line."""
    errors = ", ".join(f"{name} {error:.1f} %" for name, error in headline(results).numbers.items())
    n, seed = results["recordings"]["test"], results["settings"]["seed"]
    end = f"on {n} recordings after {results['mini_batches'][-1]} mini-batches, seed {seed}"
    return f"{results['experiment']}: test error {errors}, {end}"
