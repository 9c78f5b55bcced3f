"""The loop of every experiment: begin or resume, run step by step with checkpoints, stop cleanly, report in one line.

    harness.run(regression.EXPERIMENT, regression.Settings(epochs=5), Path("runs/regression"))

An experiment adds its `Settings`, a `Run` (its state and one step of it) and a figure in `plots`.  A run writes into
one folder: checkpoint.npz while it runs; at the end NAME.npz, which the figure reads, and results.json.  A run that was
stopped at any moment can be resumed with `resume`, and its result is the same in every bit.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from decolle_ref._util import store
from decolle_ref._util.check import Array, between
from decolle_ref._util.progress import Progress
from decolle_ref.experiments import checkpoint, run_folder
from decolle_ref.experiments.environment import cores, stop_requests, versions
from decolle_ref.experiments.options import extendable, plain
from decolle_ref.fast import worker_pool

State = TypeVar("State")
Results = dict[str, Any]
Report = tuple[Results, Mapping[str, Array]]

LARGEST = 1e19  # of the numbers of a state: the square of a larger one may overflow in float32


class Interrupted(Exception):
    """The user stopped the run; the message says how to resume it."""


class Stop(Exception):
    """The user stopped the run within a step; the state before that step is still valid."""


class Monitor:
    """The progress bar, and the user's request to stop, for use within a step."""

    def __init__(self, bar: Progress, stopped: Callable[[], bool], status: str = "") -> None:
        self._bar, self._status, self.stopped, self.ticks = bar, status, stopped, 0

    def tick(self, status: str | None = None) -> None:
        """Advance the bar by one; raise Stop if the user has requested it."""
        if self.stopped():
            raise Stop
        self.ticks += 1
        self._bar.advance(self._status if status is None else status)

    def say(self, status: str) -> None:
        """Write a text behind the bar; raise Stop if the user has requested it."""
        if self.stopped():
            raise Stop
        self._bar.advance(status, by=0)


def silent() -> Monitor:
    """A monitor without a progress bar, for a step outside `run`."""
    return Monitor(Progress("", None, quiet=True), lambda: False)


class Run(ABC, Generic[State]):
    """One run of an experiment: its first state, one step, and the report at the end."""

    steps: int = 1
    step_name: str = "epoch"
    checkpoint_every: int = 1  # steps
    tick_name: str | None = None  # of the progress bar, where steps are long; None: one tick per step

    @abstractmethod
    def begin(self) -> State:
        """The state before the first step."""

    @abstractmethod
    def step(self, state: State, monitor: Monitor) -> State:
        """The state after one more step.  May raise `Stop` through the monitor."""

    @abstractmethod
    def report(self, state: State) -> Report:
        """The contents of results.json besides name, settings and versions, and the arrays for the figure."""

    def pack(self, state: State) -> Mapping[str, Array]:
        """The state as named arrays, for a checkpoint; empty if the run is too short for checkpoints."""
        return {}

    def unpack(self, path: Path, arrays: Mapping[str, Array]) -> State:
        """The state from the arrays of a checkpoint.  Raises InputError where they contradict each other."""
        raise NotImplementedError

    @abstractmethod
    def done(self, state: State) -> int:
        """The number of steps so far."""

    def ticks(self, step: int) -> int:
        """The number of ticks of the progress bar after `step` steps."""
        return step

    def status(self, state: State) -> str:
        """The text behind the progress bar."""
        return ""

    def forecast(self, done: int) -> str:
        """The expected duration and memory of a long run after so many steps; empty if it is short."""
        return ""


class SingleStep(Run[Report | None]):
    """A run of one step, without checkpoints: a subclass computes the whole report in it."""

    tick_name = "part"
    parts: int = 1  # ticks of the progress bar

    @abstractmethod
    def compute(self, monitor: Monitor) -> Report:
        """The contents of results.json, and the arrays for the figure; ticks once for every part."""

    def begin(self) -> None:
        """The state before the only step: None."""

    def done(self, state: Report | None) -> int:
        """1 if the report is computed, else 0."""
        return 0 if state is None else 1

    def ticks(self, step: int) -> int:
        """All parts belong to the only step."""
        return step * self.parts

    def step(self, state: Report | None, monitor: Monitor) -> Report:
        """The only step."""
        return self.compute(monitor)

    def report(self, state: Report | None) -> Report:
        """The computed report."""
        assert state is not None
        return state


class Headline(NamedTuple):
    """The numbers of a result that come first where several runs are summarised."""

    what: str
    unit: str  # "" if there is none
    numbers: dict[str, float]  # by name, in this unit


@dataclass(frozen=True)
class Experiment:
    """The description of an experiment, for the command line and the figures.

    `make(settings, workers, data)` returns its `Run`; data replace the files on disk unless they are None.
    """

    name: str  # of the command; its module, plot and figure are called alike, with _ for -
    summary: str
    settings: type
    make: Callable[[Any, ThreadPoolExecutor, Any], Run[Any]]
    one_line: Callable[[Results], str]
    table: Callable[[Results], str] | None = None
    headline: Callable[[Results], Headline] | None = None
    group: str = "learn"  # of commands: "learn" or "experiments"
    example: str = "--quick"
    download: Callable[..., object] | None = None  # fetches its data: download(quiet=...)
    cuts_batches: bool = False  # threads share the batch, with one BLAS thread each; else BLAS has the threads

    @property
    def module(self) -> str:
        """The name of its module in `experiments` and in `plots`."""
        return self.name.replace("-", "_")

    @property
    def checkpoint_kind(self) -> str:
        """The kind that marks its checkpoints."""
        return f"decolle_ref {self.name} checkpoint"

    @property
    def arrays_kind(self) -> str:
        """The kind that marks its NAME.npz."""
        return f"decolle_ref {self.module}"


def run(
    experiment: Experiment,
    settings: Any,
    out: str | Path,
    resume: bool = False,
    quiet: bool = False,
    threads: int | None = None,
    data: Any = None,
    draw: Callable[[Results], object] = lambda results: None,
    stopped: Callable[[], bool] | None = None,
) -> Results:
    """Run an experiment into the folder `out`.

    Parameters
    ----------
    experiment, settings
        The experiment, and an instance of its `settings`.
    out
        The folder for checkpoint.npz, NAME.npz and results.json.  The files of an earlier run in it are renamed to
        old.*, and nothing reads them again.
    resume, quiet
        If true, continue from the checkpoint in `out`, if there is one; if true, show no progress bar.
    threads
        The number of threads, by default one per core.  It changes no result of an experiment that cuts its batches.
    data
        Data to use in place of the files on disk.
    draw
        Called with the results, to draw the figures before another process may write into the folder.
    stopped
        Says whether the run has to stop, in place of Ctrl-C, which only the main thread of a process can receive.

    Returns
    -------
    dict
        The contents of results.json.

    Raises
    ------
    InputError
        For a folder that cannot be written or is in use, missing data, another run's checkpoint, a run that diverges.
    Interrupted
        After Ctrl-C; the run can be resumed from its checkpoint.
    """
    folder = store.output_folder(out)
    with store.locked(folder):
        all_steps = partial(_all_steps, experiment, settings, folder, resume, quiet, stopped)
        results, arrays = _compute(experiment, settings, threads, data, all_steps)
        run_folder.write(folder, experiment.module, experiment.arrays_kind, results, arrays)
        draw(results)
    return results


def _compute(
    experiment: Experiment, settings: Any, threads: int | None, data: Any, all_steps: Callable[[Run[Any]], Any]
) -> Report:
    """The contents of results.json, with all on which a result depends, and the arrays for the figure."""
    count = cores() if threads is None else threads
    workers, blas_threads = (count, 1) if experiment.cuts_batches else (1, count)
    with worker_pool(workers, blas_threads) as pool:
        job = experiment.make(settings, pool, data)
        numbers, arrays = job.report(all_steps(job))
    about = {"experiment": experiment.name, "comparable": not settings.quick, "settings": plain(settings)}
    return {**about, "versions": versions(), **numbers}, arrays


def _all_steps(
    experiment: Experiment,
    settings: Any,
    folder: Path,
    resume: bool,
    quiet: bool,
    stopped_by: Callable[[], bool] | None,
    job: Run[State],
) -> State:
    """Run all remaining steps, or until the user stops the run; save checkpoints on the way."""
    path, kind = folder / checkpoint.NAME, experiment.checkpoint_kind

    def save(state: State) -> None:
        if arrays := job.pack(state):
            checkpoint.save(path, kind, arrays, plain(settings))

    if resume and path.exists():
        state = job.unpack(path, checkpoint.load(path, kind, plain(settings), extendable(settings)))
    else:
        run_folder.put_aside(folder, experiment.module)
        save(state := job.begin())
    if not quiet and (forecast := job.forecast(job.done(state))):
        print(f"{experiment.name}: {forecast}", file=sys.stderr)
    unit = job.tick_name or job.step_name
    progress = Progress(experiment.name, job.ticks(job.steps), job.ticks(job.done(state)), quiet, unit)
    with closing(progress) as bar, stop_requests(stopped_by) as stopped:
        while (done := job.done(state)) < job.steps:
            state = _one_step(job, state, done, bar, stopped)
            done += 1
            if stopped() or done % job.checkpoint_every == 0 or done == job.steps:
                save(state)
            if stopped() and done < job.steps:
                raise Interrupted(f"stopped after {job.step_name} {done} of {job.steps}; --resume goes on from there")
    return state


def _one_step(job: Run[State], state: State, done: int, bar: Progress, stopped: Callable[[], bool]) -> State:
    monitor, place = Monitor(bar, stopped, job.status(state)), f"in {job.step_name} {done + 1} of {job.steps}"
    try:
        after = job.step(state, monitor)
    except Stop:
        raise Interrupted(f"stopped {place}; --resume repeats it") from None
    for name, array in job.pack(after).items():
        if array.dtype.kind == "f":
            between(f"diverged {place}, {name}", array, -LARGEST, LARGEST)
    bar.advance(job.status(after), by=job.ticks(done + 1) - job.ticks(done) - monitor.ticks)
    return after
