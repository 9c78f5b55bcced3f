"""Poisson MNIST with convolutional DECOLLE.  [K20 Sec. 4.2, Fig. 3]

Every mini-batch of 64 digits is turned into 500 ms of Poisson spikes, shown once, and learned from at every step after
burn-in, in all layers at once, while it runs.  Test images never seen are judged by majority vote over steps.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decolle_ref import fast
from decolle_ref._util import store
from decolle_ref._util.check import Array, InputError, validate_shape
from decolle_ref.data import mnist
from decolle_ref.decolle.network import Carry
from decolle_ref.experiments import checkpoint
from decolle_ref.experiments.longrun import Interrupted, Progress, peak_memory, stop_requests, versions
from decolle_ref.experiments.poisson_mnist_network import (
    TEST,
    TRAIN,
    Data,
    Model,
    Settings,
    Votes,
    answers,
    build,
    grey,
    masks,
    mini_batches,
    one_hot,
    spikes,
    update_analog,
    update_top,
)
from decolle_ref.fast.run import Stepper, worker_pool

CHECKPOINT = "checkpoint.npz"
KIND = "decolle_ref mnist checkpoint"
QUICK_SAMPLES, QUICK_TEST_IMAGES = 128, 64
EARLY = (64, 256, 640, 1408, 2048, 2688, 3328, 3968)  # samples after which an early curve is measured
LONG = 3840  # then after every so many
BLOCK = 2  # steps at a time at test


class Problem(NamedTuple):
    """What a run works on, made from its settings and data alone."""

    settings: Settings
    model: Model
    data: Data
    order: Array  # (mini-batches, batch), indices of training images


class Tools(NamedTuple):
    """What works on one mini-batch, with all the memory that takes."""

    stepper: Stepper
    analog: fast.convnet.Stepper | None


class State(NamedTuple):
    """Where a run stands between two mini-batches."""

    carry: Carry
    learning: Array  # (mini-batches, spiking readouts): errors on the samples being learned, by vote while learning
    tested: Array  # (tests, 1 + readouts): samples seen, errors on the test images


def read(settings: Settings) -> Data:
    """MNIST as published; the test images are a random choice, the same for all runs."""
    (x, labels), (x_test, labels_test) = (mnist.load(split) for split in ("train", "test"))
    if settings.test_images > len(x_test):
        raise InputError(f"test_images: expected at most {len(x_test)}, got {settings.test_images}")
    chosen = np.random.default_rng(TEST).permutation(len(x_test))[: settings.test_images]
    return Data(x, labels, x_test[chosen], labels_test[chosen])


def milestones(settings: Settings) -> list[int]:
    """Mini-batches after which the test images are judged: those that reach the samples wanted, and the last."""
    wanted = [*EARLY, *range(EARLY[-1] + LONG, settings.samples, LONG)]
    reached = {-(-samples // settings.batch) for samples in wanted}
    return sorted({k for k in reached if k <= settings.batches} | {settings.batches})


def train(
    settings: Settings,
    out: Path,
    resume: bool = False,
    quiet: bool = False,
    threads: int = 1,
    data: Data | None = None,
) -> dict[str, Any]:
    """Run [K20 Sec. 4.2] into the folder `out`: checkpoint.npz after every mini-batch, results.json at the end.

    Returns the results.  The number of threads changes no result.  Raises InputError for an `out` that cannot be
    written, data that are missing or damaged, or a checkpoint of other settings, and Interrupted after Ctrl-C, with a
    checkpoint left behind.
    """
    folder = store.output_folder(out)
    given = read(settings) if data is None else data
    mnist.validate(given.x, given.labels, "training")
    mnist.validate(given.x_test, given.labels_test, "test")
    model, start = build(settings)
    problem = Problem(
        settings, model, given, mini_batches(settings.seed, settings.samples, settings.batch, len(given.x))
    )
    state = begin(problem, start, folder, resume)
    with worker_pool(threads) as workers:
        state = batches(problem, state, folder, workers, quiet)
    results = report(problem, state)
    store.write_json(folder / "results.json", results)
    return results


def begin(problem: Problem, start: Carry, folder: Path, resume: bool) -> State:
    """The start of a run, or the place where it was left."""
    settings, readouts = problem.settings, len(problem.model.readouts)
    if not (resume and (folder / CHECKPOINT).exists()):
        checkpoint.put_aside(folder, CHECKPOINT)
        state = State(start, np.zeros((0, readouts - settings.analog)), np.zeros((0, 1 + readouts)))
        save(problem, state, folder)
        return state
    path = folder / CHECKPOINT
    synapses, names = problem.model.synapses, ["learning", "tested"]
    carry, (learning, tested) = checkpoint.load(path, KIND, synapses, np.float32, asdict(settings), names)
    done = len(learning)
    validate_shape(f"{path} learning", learning, (min(done, settings.batches), readouts - settings.analog))
    validate_shape(f"{path} tested", tested, (sum(k <= done for k in milestones(settings)), 1 + readouts))
    checkpoint.require_updates(path, carry, done * settings.updates_per_batch)
    return State(carry, learning, tested)


def save(problem: Problem, state: State, folder: Path) -> None:
    """Write the checkpoint."""
    arrays = {"learning": state.learning, "tested": state.tested}
    checkpoint.save(folder / CHECKPOINT, KIND, state.carry, arrays, asdict(problem.settings))


def batches(problem: Problem, state: State, folder: Path, workers: ThreadPoolExecutor, quiet: bool) -> State:
    """Learn mini-batch after mini-batch until all are done or the user asks to stop."""
    settings, tests = problem.settings, milestones(problem.settings)
    tools = equip(problem, workers)
    done = len(state.learning)
    bar = Progress("mnist", settings.batches * settings.steps, done * settings.steps, quiet, unit="ms")
    try:
        with stop_requests() as stopped:
            while done < settings.batches:
                tick = partial(bar.advance, told(problem, state))
                after = learn(problem, tools, state.carry, done, stopped, tick)
                if after is None:
                    raise Interrupted(f"stopped in mini-batch {done + 1} of {settings.batches}; --resume repeats it")
                carry, errors = after
                done += 1
                state = State(carry, np.vstack([state.learning, errors]), state.tested)
                if done in tests:
                    bar.advance(f"{done * settings.batch} samples, testing on {len(problem.data.labels_test)}", by=0)
                    wrong = test(problem, carry, workers, stopped)
                    state = state._replace(tested=np.vstack([state.tested, [done * settings.batch, *wrong]]))
                save(problem, state, folder)
                bar.advance(told(problem, state), by=0)
    finally:
        bar.close()
    return state


def equip(problem: Problem, workers: ThreadPoolExecutor) -> Tools:
    """The tools for mini-batches of the settings' size."""
    model, batch = problem.model, problem.settings.batch
    reference = fast.convnet.Stepper(model.analog, batch, workers) if model.analog else None
    return Tools(Stepper(model.network, batch, workers), reference)


def told(problem: Problem, state: State) -> str:
    """What stands behind the progress bar: samples, errors of every readout so far, memory."""
    text = f"{len(state.learning) * problem.settings.batch} samples"
    if len(state.tested):
        errors = zip(problem.model.readouts, state.tested[-1, 1:], strict=True)
        text += ", test error " + ", ".join(f"{name} {100 * error:.1f}" for name, error in errors) + " %"
    return f"{text}, {peak_memory() / 2**20:.0f} MiB"


def learn(
    problem: Problem, tools: Tools, start: Carry, k: int, stopped: Callable[[], bool], tick: Callable[[], None]
) -> tuple[Carry, Array] | None:
    """Show mini-batch k once, learning at every step after burn-in: (carry, errors by vote); None if asked to stop.

    Overwrites the weights and memory of `start`.
    """
    settings, model, data, order = problem
    stepper, weights, memory, updates = tools.stepper, start.weights, start.opt_state, start.updates
    rng, images, labels = settings.rng(TRAIN, k), data.x[order[k]], data.labels[order[k]]
    target, shades, stream = one_hot(labels), grey(images), spikes(settings, rng, images)
    votes = Votes(len(model.readouts) - settings.analog, settings.batch)
    stepper.rest()
    for n in range(settings.steps):
        if stopped():
            return None
        learns, mask = n >= settings.burn_in, masks(settings, model.network, rng, settings.batch)
        stepper.step(weights, next(stream)[None], target if learns else None, mask)
        if learns:
            votes.add(answers(model, weights, stepper))
            (w, w_top, w_analog), (m, m_top, m_analog) = model.split(weights), model.split(memory)
            m = stepper.update(model.learner, w, m, updates)
            m_top = update_top(settings, model, w_top, m_top, stepper, target, updates, rng)
            w_analog, m_analog = update_analog(
                settings, model, w_analog, m_analog, tools.analog, shades, target, updates
            )
            weights, memory, updates = w + w_top + w_analog, m + m_top + m_analog, updates + 1
        tick()
    errors = votes.wrong(labels) / settings.batch
    return Carry(weights, (), memory, updates=updates), errors


def test(problem: Problem, carry: Carry, workers: ThreadPoolExecutor, stopped: Callable[[], bool]) -> Array:
    """Errors of every readout on the test images, by vote.  Raises Interrupted if asked to stop."""
    settings, model, data = problem.settings, problem.model, problem.data
    wrong: Array = np.zeros(len(model.readouts), int)
    for first in range(0, len(data.x_test), settings.batch):
        if stopped():
            raise Interrupted("stopped while testing; --resume repeats the last mini-batch")
        now = slice(first, first + settings.batch)
        images, labels = data.x_test[now], data.labels_test[now]
        stepper = Stepper(model.network, len(labels), workers, BLOCK)
        found = judge(problem, carry, stepper, images, settings.rng(TEST, first)).wrong(labels)
        if model.analog is not None:
            Y = fast.convnet.outputs(model.analog, model.split(carry.weights)[2], grey(images), workers)
            found = np.append(found, (Y.argmax(axis=1) != labels).sum())
        wrong += found
    return wrong / len(data.x_test)


def judge(problem: Problem, carry: Carry, stepper: Stepper, images: Array, rng: np.random.Generator) -> Votes:
    """Show images with fixed weights, several steps at a time, and let every step after burn-in vote."""
    settings, model = problem.settings, problem.model
    stream, votes = spikes(settings, rng, images), Votes(len(model.readouts) - settings.analog, len(images))
    for n in range(0, settings.test_steps, stepper.steps):
        mask = masks(settings, model.network, rng, stepper.steps, len(images)) if settings.test_dropout else None
        stepper.step(carry.weights, np.stack([next(stream) for _ in range(stepper.steps)]), masks=mask)
        counts = np.arange(n, n + stepper.steps)
        valid = (counts >= settings.burn_in) & (counts < settings.test_steps)
        votes.add(answers(model, carry.weights, stepper)[valid])
    return votes


def report(problem: Problem, state: State) -> dict[str, Any]:
    """The contents of results.json."""
    settings, names = problem.settings, problem.model.readouts
    spiking = names[: state.learning.shape[1]]
    return {
        "experiment": "mnist",
        "comparable": not settings.quick,
        "settings": asdict(settings),
        "versions": versions(),
        "readouts": names,
        "learning": {name: column.tolist() for name, column in zip(spiking, state.learning.T, strict=True)},
        "samples": state.tested[:, 0].astype(int).tolist(),
        "error": {name: column.tolist() for name, column in zip(names, state.tested[:, 1:].T, strict=True)},
    }


def one_line(results: dict[str, Any]) -> str:
    """The result in one line."""
    settings = results["settings"]
    errors = ", ".join(f"{name} {100 * error[-1]:.2f} %" for name, error in results["error"].items())
    mark = "" if results["comparable"] else " (quick: not comparable)"
    return f"mnist: test error {errors} after {results['samples'][-1]} samples, seed {settings['seed']}{mark}"
