"""Several runs of one experiment: one for every seed and every combination of settings.

    sweep.run(EXPERIMENT, Settings(), {"alpha": (10.0, 50.0), "seed": (0, 1, 2)}, "runs/alpha")

Every run has a folder of its own, such as runs/alpha/alpha-10/seed-0, with the files that a single run would write.
A run whose results.json is there, with equal settings, is finished and is not run again.  `work` is one run: it takes
plain data and returns a line of text, so that any `concurrent.futures.Executor` can call it, on this machine or on
another one that has the same folder.  Whatever becomes of one run, the others go on.

The runs look for the file STOP in the folder of the sweep: Ctrl-C creates it, and then each run saves its checkpoint.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from decolle_ref import experiments
from decolle_ref._util import reading, store
from decolle_ref._util.check import InputError, count, first_line
from decolle_ref._util.progress import Progress
from decolle_ref.experiments import harness, plan, run_folder, summary
from decolle_ref.experiments.environment import cores, stop_requests, versions
from decolle_ref.experiments.executors import Processes
from decolle_ref.experiments.harness import Experiment, Interrupted, Results
from decolle_ref.experiments.options import plain

STOP = ".decolle_ref.stop"
NAME = "sweep"  # of its table, and of its module and figure in `plots`
POLL = 0.2  # seconds between two looks for Ctrl-C
Draw = Callable[[str, Path, Results], object]  # of the module of a plot, the folder and the results


class Job(NamedTuple):
    """One run as plain data.  `work` continues from a checkpoint in the folder, if there is one."""

    experiment: str
    settings: dict[str, Any]
    folder: str
    stop: str
    threads: int
    draw: Draw | None


@dataclass(frozen=True)
class Workers:
    """What does the runs.  Raises InputError for a number below 1.

    Attributes
    ----------
    jobs : int
        Number of processes at a time on this machine, where there is no executor.
    threads : int or None
        Number of threads of each run; None: the processes share the cores, and with an executor it is one.
    executor : concurrent.futures.Executor or None
        Calls `work`, in processes that reach the same folder; with `draw`, they have one thread each, as figures need.
    """

    jobs: int = 1
    threads: int | None = None
    executor: Executor | None = None

    def __post_init__(self) -> None:
        count("jobs", self.jobs)
        count("threads", self.threads_of_a_run)

    @property
    def threads_of_a_run(self) -> int:
        """`threads`, or the share of one process."""
        share = max(1, cores() // self.jobs) if self.executor is None else 1
        return share if self.threads is None else self.threads


HERE = Workers()  # one process at a time, with all cores


def run(
    experiment: Experiment,
    settings: Any,
    varied: Mapping[str, Sequence[Any]],
    out: str | Path,
    resume: bool = False,
    quiet: bool = False,
    workers: Workers = HERE,
    draw: Draw | None = None,
) -> Results:
    """Run an experiment once for every combination of the varied settings, into folders in `out`.

    Parameters
    ----------
    experiment, settings
        The experiment, and the settings that all runs share.
    varied
        The values of every setting that varies, by its name; without "seed", that of `settings` is the only one.
    out
        The folder for results.json, sweep.md and the folders of the runs.
    resume, quiet
        If true, unfinished runs continue from their checkpoints; if true, there is no progress bar.
    workers
        What does the runs: processes on this machine, or an executor.
    draw
        Called with a module of `plots`, a folder and its results, for each run and at last for the sweep.

    Returns
    -------
    dict
        The contents of results.json: mean and spread over the seeds, and all runs, those that failed with the reason.

    Raises
    ------
    InputError
        For settings or a folder that cannot be used, and where no run finished.
    Interrupted
        After Ctrl-C; the runs can be resumed.
    """
    values = plan.parse_values(settings, varied)
    runs = plan.combinations(settings, values)
    folder = store.output_folder(out)
    with store.locked(folder):
        to_do = _prepare(experiment, runs, folder, workers, draw, resume)
        bar = Progress(experiment.name, len(runs), len(runs) - len(to_do), quiet, "run")
        problems = _work_all(to_do, len(runs), folder / STOP, workers, bar)
        results = collect(experiment, settings, values, runs, folder, problems)
        _write(folder, results, draw)
    return results


def finished(experiment: Experiment, settings: Any, folder: Path) -> Results | None:
    """The results of a finished run of these settings in the folder; None if there are none."""
    try:
        results = reading.read_json(folder / run_folder.RESULTS)
    except InputError:
        return None
    of_this_run = {"experiment": experiment.name, "settings": plain(settings)}
    same = isinstance(results, dict) and of_this_run.items() <= results.items()
    return results if same else None


def work(job: Job) -> str:
    """Do one run, or the rest of it.  Returns what prevented it in one line; an empty text says that it is finished."""
    stopped = Path(job.stop).exists
    if stopped():
        return "not begun"
    experiment = experiments.experiment(job.experiment)
    draw = partial(job.draw, experiment.module, Path(job.folder)) if job.draw else lambda results: None
    try:
        settings = experiment.settings(**job.settings)
        harness.run(experiment, settings, job.folder, True, quiet=True, threads=job.threads, draw=draw, stopped=stopped)
    except (InputError, OSError, MemoryError, Interrupted) as problem:
        return first_line(problem)
    return ""


def _prepare(
    experiment: Experiment, runs: Mapping[str, Any], folder: Path, workers: Workers, draw: Draw | None, resume: bool
) -> dict[str, Job]:
    """The jobs of all unfinished runs, by name, and their folders.  Without `resume`, earlier runs are put aside."""
    to_do = {}
    for name, settings in runs.items():
        path = folder / name
        if finished(experiment, settings, path) is None:
            with store.locked(store.output_folder(path)):
                if not resume:
                    run_folder.put_aside(path, experiment.module)
            threads, place = workers.threads_of_a_run, folder.absolute()  # a worker may be in another folder
            to_do[name] = Job(experiment.name, asdict(settings), str(place / name), str(place / STOP), threads, draw)
    return to_do


def _work_all(to_do: Mapping[str, Job], total: int, stop: Path, workers: Workers, bar: Progress) -> dict[str, str]:
    """Do all jobs; returns the problems by the names of the runs.  Raises Interrupted after Ctrl-C."""
    problems: dict[str, str] = {}
    stop.unlink(missing_ok=True)
    executor = workers.executor
    own_pool = Processes(workers.jobs) if executor is None else nullcontext(executor)
    with closing(bar), stop_requests() as stopped, own_pool as pool:
        names = {pool.submit(work, job): name for name, job in to_do.items()}
        left = set(names)
        while left:
            done, left = wait(left, POLL, FIRST_COMPLETED)
            for future in done:
                name, problem = names[future], _problem(future)
                problems[name] = problem
                bar.advance(f"{name}: {problem or 'finished'}", by=0 if problem else 1)
            if stopped() and not stop.exists():
                stop.touch()
                for future in left if executor is None else ():
                    future.cancel()
        stop.unlink(missing_ok=True)
        if stopped() and any(problems.values()):
            n = total - sum(map(bool, problems.values()))
            raise Interrupted(f"stopped with {n} of {total} runs finished; --resume goes on from there")
    return problems


def _problem(future: "Future[str]") -> str:
    """What `work` returned; where it did not return, why."""
    try:
        return future.result()
    except CancelledError:
        return "not begun"
    except Exception as problem:  # of the executor, such as the death of a process
        return f"{type(problem).__name__}: {first_line(problem)}"


def collect(
    experiment: Experiment,
    settings: Any,
    values: plan.Values,
    runs: Mapping[str, Any],
    folder: Path,
    problems: Mapping[str, str],
) -> Results:
    """The contents of the results.json of a sweep.  Raises InputError where no run is finished."""
    points: dict[str, list[Results]] = {}
    rows = []
    for name, one in runs.items():
        results = finished(experiment, one, folder / name)
        problem = None if results else problems.get(name) or f"found no {run_folder.RESULTS} of it"
        rows.append({"folder": name, "problem": problem})
        if results:
            points.setdefault(str(Path(name).parent), []).append(results)
    if not points:
        raise InputError(f"no run finished; {rows[0]['folder']}: {rows[0]['problem']}")
    first = summary.headline(experiment, next(iter(points.values()))[0])
    names = [name for name in values if name != "seed"]
    return {
        "experiment": experiment.name,
        "comparable": not settings.quick,
        "settings": plain(settings),
        "versions": versions(),
        "varied": {name: [list(x) if isinstance(x, tuple) else x for x in several] for name, several in values.items()},
        "what": first.what,
        "unit": first.unit,
        "runs": rows,
        "points": [
            {"settings": {name: several[0]["settings"][name] for name in names}, **summary.point(experiment, several)}
            for several in points.values()
        ],
    }


def _write(folder: Path, results: Results, draw: Draw | None) -> None:
    """Write results.json and sweep.md, and draw the figure; other results in the folder are put aside."""
    path = folder / run_folder.RESULTS
    store.validate_json(run_folder.RESULTS, results)
    try:
        same = reading.read_json(path) == results
    except InputError:
        same = False
    if not same:
        run_folder.put_aside(folder, NAME)
    table = summary.table(results) + "\n"
    store.atomically(folder / f"{NAME}.md", lambda file: file.write(table.encode()))
    store.write_json(path, results)
    if draw is not None:
        draw(NAME, folder, results)
