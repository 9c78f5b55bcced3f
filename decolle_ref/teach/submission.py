"""One submission, in a process of its own: run the notebook, then judge the functions that it defines.

    python -m decolle_ref.teach.submission NOTEBOOK NAME VERDICTS SECONDS

`autograde` starts it.  The checks within the notebook are skipped; each task is judged at the end, on the last function
that has its name.  Every verdict is one line of JSON in the file VERDICTS, so those already written survive the end of
the process.  A cell, or a judgement, that takes longer than SECONDS is interrupted, and the next one follows.
"""

import ast
import io
import json
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from decolle_ref import teach
from decolle_ref._util.check import first_line
from decolle_ref.teach import registry, student_copy
from decolle_ref.teach.checking import judge
from decolle_ref.teach.task import Task, Verdict

FILE_SIZE = 64 * 2**20  # bytes that a submission may write into one file
MEMORY = 8 * 2**30  # bytes of address space, of which libraries reserve much more than they use


class TooLong(BaseException):
    """A cell has used up its time; no `except Exception` of a student catches it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooLong in the block after some seconds, where the system has such an alarm.

    Parameters
    ----------
    seconds : of wall time
    """
    if not hasattr(signal, "setitimer"):  # Windows: the limit of the whole notebook remains
        yield
        return

    def stop(*_: object) -> None:
        raise TooLong(f"no result after {seconds:g} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run(path: Path, seconds: float) -> dict[str, Any]:
    """Run all code cells; a cell that fails does not keep the next one from running.

    Parameters
    ----------
    path : of the notebook
    seconds : for each cell

    Returns
    -------
    dict
        The names that the notebook has defined.
    """
    names: dict[str, Any] = {"__name__": "__main__", "display": lambda *shown: None}
    for cell in student_copy.read(path)["cells"]:
        if cell["cell_type"] != "code":
            continue
        lines = [line for line in cell["source"].splitlines() if not line.lstrip().startswith(("%", "!"))]
        try:
            with time_limit(seconds):
                exec(compile(ast.parse("\n".join(lines)), "<cell>", "exec"), names)
        except BaseException:  # whatever a student's cell may raise
            continue
    return names


def verdict_on(task: Task, names: dict[str, Any], seconds: float, judgement: Callable[..., Verdict] = judge) -> Verdict:
    """The verdict on one task.

    Parameters
    ----------
    task : the exercise
    names : those that the notebook has defined
    seconds : for the judgement
    judgement : the function that judges

    Returns
    -------
    Verdict
    """
    function = names.get(task.name)
    if not callable(function):
        return Verdict(task.name, "not yet", "the notebook defines no function of this name")
    try:
        with time_limit(seconds):
            return judgement(task, function)
    except BaseException as problem:  # whatever a student's function may raise
        return Verdict(task.name, "not yet", f"{type(problem).__name__}: {first_line(problem)}")


def _limit_resources() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, limit in (("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", FILE_SIZE), ("RLIMIT_AS", MEMORY)):
        with suppress(ValueError, OSError):  # not every system has every limit, or allows this one
            resource.setrlimit(getattr(resource, name), (limit, limit))


def main(notebook: str, name: str, verdicts: str, seconds: str) -> None:
    """Run one notebook, and write its verdicts.

    Parameters
    ----------
    notebook : path of the submission
    name : of the notebook, such as "06_one_layer"
    verdicts : path of the file to write
    seconds : for each cell and each judgement
    """
    _limit_resources()
    warnings.simplefilter("ignore")
    tasks = registry.of_notebook(name)
    setattr(teach, "check", lambda task, function: Verdict(task, "to do"))  # noqa: B010
    sys.argv, sys.stdin = [notebook], io.StringIO()
    with Path(verdicts).open("w", encoding="utf-8") as file:
        names = run(Path(notebook), float(seconds))
        for task in tasks:
            verdict = verdict_on(task, names, float(seconds))
            line = {"task": task.name, "state": verdict.state, "problem": verdict.problem, "hint": verdict.hint}
            print(json.dumps(line), file=file, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
