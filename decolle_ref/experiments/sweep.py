"""Several runs of one experiment: one for every seed and every combination of settings.

    sweep.run(EXPERIMENT, Settings(), {"alpha": (10.0, 50.0), "seed": (0, 1, 2)}, "runs/alpha", jobs=2)

Every run has a folder of its own, such as runs/alpha/alpha-10/seed-0, with the files that a single run would write.
A run whose results.json is there, with equal settings, is finished and is not run again.  `work` is one run: it takes
plain data and returns a line of text, so that any `concurrent.futures.Executor` can call it, on this machine or on
another one that has the same folder.  Whatever becomes of one run, the others go on.

The runs look for the file STOP in the folder of the sweep: Ctrl-C creates it, and then each run saves its checkpoint.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import closing, nullcontext
from dataclasses import asdict, fields, replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

from decolle_ref import experiments
from decolle_ref._util import reading, store
from decolle_ref._util.check import InputError, count, file_name, first_line, validate_choice
from decolle_ref._util.progress import Progress
from decolle_ref.experiments import harness, run_folder, summary
from decolle_ref.experiments.environment import cores, stop_requests, versions
from decolle_ref.experiments.executors import Processes
from decolle_ref.experiments.harness import Experiment, Interrupted, Results
from decolle_ref.experiments.options import plain

STOP = ".decolle_ref.stop"
NAME = "sweep"  # of its table, and of its module and figure in `plots`
POLL = 0.2  # seconds between two looks for Ctrl-C
Values = dict[str, tuple[Any, ...]]  # of the settings that vary, by name
Draw = Callable[[str, Path, Results], object]  # of the module of a plot, the folder and the results


class Job(NamedTuple):
    """One run as plain data.  `work` continues from a checkpoint in the folder, if there is one."""

    experiment: str
    settings: dict[str, Any]
    folder: str
    stop: str
    threads: int
    draw: Draw | None


def run(
    experiment: Experiment,
    settings: Any,
    varied: Mapping[str, Sequence[Any]],
    out: str | Path,
    resume: bool = False,
    quiet: bool = False,
    jobs: int = 1,
    threads: int | None = None,
    executor: Executor | None = None,
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
    resume
        If true, unfinished runs continue from their checkpoints; otherwise they start again.
    quiet
        If true, show no progress bar.
    jobs
        Number of processes at a time, without an executor.
    threads
        Number of threads of each run; by default the processes share the cores, and with an executor it is 1.
    executor
        Calls `work` in place of processes on this machine.  It must reach the same folder.
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
    count("jobs", jobs)
    values = parse_values(settings, varied)
    runs = plan(settings, values)
    folder = store.output_folder(out)
    share = max(1, cores() // jobs) if executor is None else 1
    with store.locked(folder):
        (folder / STOP).unlink(missing_ok=True)
        to_do = {
            name: Job(experiment.name, asdict(one), str(folder / name), str(folder / STOP), threads or share, draw)
            for name, one in runs.items()
            if finished(experiment, one, folder / name) is None
        }
        for name in to_do:
            _prepare(experiment, folder / name, resume)
        problems = _work_all(experiment, to_do, len(runs), folder / STOP, jobs, executor, quiet)
        results = collect(experiment, settings, values, runs, folder, problems)
        _write(folder, results)
        if draw is not None:
            draw(NAME, folder, results)
    return results


def parse_values(settings: Any, varied: Mapping[str, Sequence[Any]]) -> Values:
    """The values of every setting that varies, the seed last.

    Raises InputError for settings that do not exist, and for values that stand twice or cannot name a folder.
    """
    values: Values = {name: tuple(several) for name, several in varied.items() if name != "seed"}
    values["seed"] = tuple(varied.get("seed", (settings.seed,)))
    for name, several in values.items():
        validate_choice("sweep", name, [f.name for f in fields(settings) if f.name != "quick"])
        count(f"number of values of {name}", len(several))
        if len({folder_name(name, value) for value in several}) < len(several):
            raise InputError(f"{name}: expected values that differ, got {' '.join(map(summary.text, several))}")
    return values


def folder_name(name: str, value: Any) -> str:
    """The name of the folder for one value of a setting, such as alpha-10."""
    return file_name(f"value of {name}", f"{name}-{summary.text(value).replace(',', '_')}")


def plan(settings: Any, values: Values) -> dict[str, Any]:
    """The settings of every run, by its folder.  Raises InputError where they make no sense, or share seeds."""
    runs = {}
    for combination in product(*values.values()):
        point = dict(zip(values, combination, strict=True))
        runs["/".join(folder_name(name, value) for name, value in point.items())] = replace(settings, **point)
    _validate_seeds(list(runs.values()), values["seed"])
    return runs


def _validate_seeds(runs: Sequence[Any], seeds: Sequence[int]) -> None:
    """Raise InputError where two runs would count the same network twice, which makes the spread too small."""
    length = max(len(one.seeds) for one in runs)
    for low, high in pairwise(sorted(seeds)):
        if high - low < length:
            raise InputError(f"seeds: expected steps of at least {length}, the seeds of one run, got {low} and {high}")


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


def _prepare(experiment: Experiment, folder: Path, resume: bool) -> None:
    """Create the folder of a run, and put an earlier run in it aside unless that one is resumed."""
    with store.locked(store.output_folder(folder)):
        if not resume:
            run_folder.put_aside(folder, experiment.module)


def _work_all(
    experiment: Experiment,
    to_do: Mapping[str, Job],
    total: int,
    stop: Path,
    jobs: int,
    executor: Executor | None,
    quiet: bool,
) -> dict[str, str]:
    """Do all jobs; returns the problems by the names of the runs.  Raises Interrupted after Ctrl-C."""
    problems: dict[str, str] = {}
    bar = Progress(experiment.name, total, total - len(to_do), quiet, "run")
    own_pool = Processes(jobs) if executor is None else nullcontext(executor)
    with closing(bar), stop_requests() as stopped, own_pool as pool:
        names = {pool.submit(work, job): name for name, job in to_do.items()}
        left = set(names)
        while left:
            done, left = wait(left, POLL, FIRST_COMPLETED)
            for future in done:
                problems[names[future]] = _problem(future)
                bar.advance(f"{names[future]}: {problems[names[future]] or 'finished'}")
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
    values: Values,
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


def _write(folder: Path, results: Results) -> None:
    """Write results.json and sweep.md; other results in the folder are put aside."""
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
