"""Poisson MNIST with convolutional DECOLLE.  [K20 Sec. 4.2, Fig. 3]

Every mini-batch of 64 digits becomes 500 ms of Poisson spikes, and is the network's input once.  All layers learn from
it at every step after burn-in.  Test images are classified by majority vote over the steps.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from decolle_ref import fast
from decolle_ref._util.check import Array, InputError, validate_shape
from decolle_ref.data import mnist
from decolle_ref.decolle.network import Carry
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.checkpoint import Field
from decolle_ref.experiments.environment import peak_memory
from decolle_ref.experiments.harness import Experiment, Headline, Monitor, Results, Run
from decolle_ref.experiments.poisson_mnist_network import (
    TEST,
    TRAIN,
    Data,
    Settings,
    answers,
    build,
    grey,
    masks,
    mini_batches,
    one_hot,
    spikes,
    update_reference,
    update_top,
)
from decolle_ref.experiments.votes import Votes, poll
from decolle_ref.fast import NetworkStepper

EARLY = (64, 256, 640, 1408, 2048, 2688, 3328, 3968)  # the test images are classified after so many samples,
LONG = 3840  # and then after every so many more
FINAL_STEPS = 1000  # ms per image in the final test
BLOCK = 2  # steps that are computed together at test


class State(NamedTuple):
    """The state of a run between two mini-batches."""

    carry: Carry
    learning: Array  # (mini-batches, spiking readouts): errors on the training samples, by vote while learning
    tested: Array  # (tests, 1 + readouts): training samples so far, errors on the test images
    final: Array  # (readouts,): errors in the final test; (0,) before it


def read(settings: Settings) -> Data:
    """MNIST as published; the test images are in a random order, the same in all runs."""
    (x, labels), (x_test, labels_test) = (mnist.load(split) for split in ("train", "test"))
    if settings.test_images > len(x_test):
        raise InputError(f"test_images: expected at most {len(x_test)}, got {settings.test_images}")
    order = np.random.default_rng(TEST).permutation(len(x_test))
    return Data(x, labels, x_test[order], labels_test[order])


def milestones(settings: Settings) -> list[int]:
    """The mini-batches after which the test images are classified; the last is among them."""
    sample_counts = [*EARLY, *range(EARLY[-1] + LONG, settings.samples, LONG)]
    reached = {-(-samples // settings.batch) for samples in sample_counts}
    return sorted({k for k in reached if k <= settings.batches} | {settings.batches})


class PoissonMnist(Run[State]):
    """The run: each step learns from one mini-batch.  [K20 Sec. 4.2]"""

    step_name, tick_name = "mini-batch", "ms"

    def __init__(self, settings: Settings, workers: ThreadPoolExecutor, data: Data | None = None) -> None:
        self.settings, self.steps, self.workers = settings, settings.batches + settings.final_test, workers
        self.data = read(settings) if data is None else data
        mnist.validate(self.data.x, self.data.labels, "training")
        mnist.validate(self.data.x_test, self.data.labels_test, "test")
        self.model, self.start = build(settings)
        self.order = mini_batches(settings.seed, settings.samples, settings.batch, len(self.data.x))
        self.stepper = NetworkStepper(self.model.network, settings.batch, workers)
        net = self.model.reference
        self.reference = fast.ConvnetStepper(net, settings.batch, workers) if net else None
        self.spiking = len(self.model.readouts) - settings.convnet

    def begin(self) -> State:
        """The initial weights, sampled with the seed."""
        readouts = len(self.model.readouts)
        return State(self.start, np.zeros((0, self.spiking)), np.zeros((0, 1 + readouts)), np.zeros(0))

    def done(self, state: State) -> int:
        """The number of mini-batches so far; the final test counts as one more."""
        return len(state.learning) + (len(state.final) > 0)

    def ticks(self, step: int) -> int:
        """The milliseconds of input in `step` mini-batches."""
        return min(step, self.settings.batches) * self.settings.steps

    def status(self, state: State) -> str:
        """The number of samples, the last test error of every readout, and the memory."""
        text = f"{len(state.learning) * self.settings.batch} samples"
        if len(state.tested):
            errors = zip(self.model.readouts, state.tested[-1, 1:], strict=True)
            text += ", test error " + ", ".join(f"{name} {100 * error:.1f}" for name, error in errors) + " %"
        return f"{text}, {peak_memory() / 2**20:.0f} MiB"

    def step(self, state: State, monitor: Monitor) -> State:
        """Learn from one mini-batch, and classify the test images after some of them; or the final test."""
        settings, batches = self.settings, len(state.learning) + 1
        if batches > settings.batches:
            return state._replace(final=self.test(state.carry, monitor, len(self.data.x_test), FINAL_STEPS))
        carry, errors = self.learn(state.carry, batches - 1, monitor)
        tested = state.tested
        if batches in milestones(settings):
            mistakes = self.test(carry, monitor, settings.test_images, settings.test_steps)
            tested = np.vstack([tested, [batches * settings.batch, *mistakes]])
        return State(carry, np.vstack([state.learning, errors]), tested, state.final)

    def learn(self, start: Carry, k: int, monitor: Monitor) -> tuple[Carry, Array]:
        """Learn from mini-batch k at every step after burn-in; returns (carry, errors by vote).

        Overwrites the weights and optimiser states of `start`.
        """
        settings, model, stepper = self.settings, self.model, self.stepper
        weights, opt_state, updates = start.weights, start.opt_state, start.updates
        rng, images, labels = settings.rng(TRAIN, k), self.data.x[self.order[k]], self.data.labels[self.order[k]]
        target, inputs, stream = one_hot(labels), grey(images), spikes(settings, rng, images)
        votes = Votes(self.spiking, settings.batch)
        stepper.rest()
        for n in range(settings.steps):
            learns, mask = n >= settings.burn_in, masks(settings.dropout, model.network, rng, settings.batch)
            stepper.step(model.split(weights)[0], next(stream)[None], target if learns else None, mask)
            if learns:
                votes.add(answers(model, weights, stepper))
                (w, w_top, w_ref), (m, m_top, m_ref) = model.split(weights), model.split(opt_state)
                m = stepper.update(model.learner, w, m, updates)
                m_top = update_top(settings, model, w_top, m_top, stepper, target, updates, rng)
                w_ref, m_ref = update_reference(settings, model, w_ref, m_ref, self.reference, inputs, target, updates)
                weights, opt_state, updates = w + w_top + w_ref, m + m_top + m_ref, updates + 1
            monitor.tick()
        return Carry(weights, (), opt_state, updates=updates), votes.wrong(labels) / settings.batch

    def test(self, carry: Carry, monitor: Monitor, n: int, steps: int) -> Array:
        """Errors of every readout on the first n test images, by vote over `steps` steps."""
        settings, model, data = self.settings, self.model, self.data
        mistakes: Array = np.zeros(len(model.readouts), int)
        for first in range(0, n, settings.batch):
            batch = slice(first, min(n, first + settings.batch))
            images, labels = data.x_test[batch], data.labels_test[batch]
            monitor.say(f"testing on image {first} of {n}")
            stepper = NetworkStepper(model.network, len(labels), self.workers, BLOCK)
            batch_mistakes = self.vote(carry, stepper, images, settings.rng(TEST, first), steps).wrong(labels)
            if model.reference is not None:
                Y = fast.convnet.outputs(model.reference, model.split(carry.weights)[2], grey(images), self.workers)
                batch_mistakes = np.append(batch_mistakes, (Y.argmax(axis=1) != labels).sum())
            mistakes += batch_mistakes
        return mistakes / n

    def vote(self, carry: Carry, stepper: NetworkStepper, images: Array, rng: np.random.Generator, steps: int) -> Votes:
        """Classify images with fixed weights, several steps at a time; every step after burn-in has one vote."""
        settings, model = self.settings, self.model
        return poll(
            Votes(self.spiking, len(images)),
            stepper,
            model.split(carry.weights)[0],
            spikes(settings, rng, images),
            range(settings.burn_in, steps),
            lambda: answers(model, carry.weights, stepper),
            lambda: masks(settings.test_dropout * settings.dropout, model.network, rng, stepper.steps, len(images)),
        )

    def pack(self, state: State) -> dict[str, Array]:
        """The weights, the optimiser states and both histories, as named arrays."""
        histories = {"learning": state.learning, "tested": state.tested, "final": state.final}
        return checkpoint.pack(state.carry) | histories

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> State:
        """The state from a checkpoint.  Where the run became longer, the tests at its former end are left out."""
        settings, readouts = self.settings, len(self.model.readouts)
        carry = checkpoint.unpack(path, arrays, self.model.synapses, np.float32)
        learning = checkpoint.history(path, arrays, "learning", Field((self.spiking,), 0, 1), settings.batches)
        batches, ends = len(learning), milestones(settings)
        rows = checkpoint.history(path, arrays, "tested", Field((1 + readouts,), 0), len(ends) + 1)
        final = checkpoint.history(path, arrays, "final", Field((), 0, 1), readouts)
        if batches < settings.batches:
            rows, final = rows[np.isin(rows[:, 0] // settings.batch, ends)], final[:0]
        samples = np.array([k * settings.batch for k in ends if k <= batches], float)
        low, high = (np.insert(np.full((len(samples), readouts), x), 0, samples, axis=1) for x in (0.0, 1.0))
        tested = checkpoint.parse(path, {"tested": rows}, "tested", Field(low.shape, low, high))
        checkpoint.validate_updates(path, carry, batches * settings.updates_per_batch)
        validate_shape(f"{path} final", final, (readouts if len(final) else 0,))
        return State(carry, learning, tested, final)

    def report(self, state: State) -> tuple[Results, dict[str, Array]]:
        """The error curves of all readouts."""
        names = self.model.readouts
        final = dict(zip(names, state.final.tolist(), strict=True)) if len(state.final) else None
        return {
            "readouts": names,
            "learning": {
                name: column.tolist() for name, column in zip(names[: self.spiking], state.learning.T, strict=True)
            },
            "samples": state.tested[:, 0].astype(int).tolist(),
            "error": {name: column.tolist() for name, column in zip(names, state.tested[:, 1:].T, strict=True)},
            "final": final,
        }, {}


def headline(results: Results) -> Headline:
    """The test error of every readout at the end."""
    last = results["final"] or {name: error[-1] for name, error in results["error"].items()}
    return Headline("test error", "%", {name: 100 * error for name, error in last.items()})


def one_line(results: Results) -> str:
    """The result in one line."""
    errors = ", ".join(f"{name} {error:.2f} %" for name, error in headline(results).numbers.items())
    seed = results["settings"]["seed"]
    return f"poisson-mnist: test error {errors} after {results['samples'][-1]} samples, seed {seed}"


EXPERIMENT = Experiment(
    name="poisson-mnist",
    summary="convolutional DECOLLE learns Poisson MNIST [K20 Sec. 4.2, Fig. 3]",
    settings=Settings,
    make=PoissonMnist,
    one_line=one_line,
    headline=headline,
    example="--samples 640 --threads 2",
    download=mnist.download,
    cuts_batches=True,
)
