"""Grade a folder of notebooks: each is run in a process of its own, with a time limit, and gets points for its tasks.

A submission may loop for ever, fill the memory, print without end, exit, or leave processes behind; the others are
graded all the same.  It runs with the rights of the person who grades: for students whom you do not trust, grade in a
container.
"""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import decolle_ref
from decolle_ref._util import store
from decolle_ref._util.check import InputError
from decolle_ref.teach import registry, student_copy
from decolle_ref.teach.task import Task

LARGEST = 20 * 2**20  # bytes of a notebook; a larger one is not read
MESSAGE = 300  # characters of a message; the rest is cut off
STATES = ("pass", "to do", "not yet")
ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "DECOLLE_REF_DATA", "VIRTUAL_ENV", "TMPDIR", "MPLCONFIGDIR"),
    *("SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP"),
)
"""The variables that a submission may see."""
SOLUTIONS = re.compile(
    r"teach\.tasks|teach import .*(registry|judge|tasks)|teach\.(registry|judge)|\.solution\b"
    r"|(?:return|=)\s*(?:MENDED\b|mended\(|right_backend\b)"  # notebook 12 has these names, but returns none of them
)


class Grade(NamedTuple):
    """One line of the table.

    Parameters
    ----------
    submission : path of the notebook below the folder
    notebook : "06_one_layer", or "" if it is not known
    task : name of the exercise
    state : "pass", "to do" or "not yet"
    points, of : reached, and possible
    message : what is wrong
    note : what a person should look at
    """

    submission: str
    notebook: str
    task: str
    state: str
    points: int
    of: int
    message: str
    note: str = ""


def grade_folder(folder: Path, timeout: float = 120.0, cell_timeout: float = 20.0) -> Iterator[Grade]:
    """Grade every notebook in a folder and below.

    Parameters
    ----------
    folder : of the submissions
    timeout, cell_timeout : seconds for one notebook, and for one cell or one exercise of it

    Yields
    ------
    Grade
        One for each exercise of each notebook.

    Raises
    ------
    InputError
        If there is no notebook.
    """
    paths = [path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
    if not paths:
        raise InputError(f"{folder}: expected a folder with notebooks, got none")
    for path in paths:
        yield from grade(path, path.relative_to(folder).as_posix(), timeout, cell_timeout)


def grade(path: Path, label: str, timeout: float, cell_timeout: float) -> Iterator[Grade]:
    """Grade one notebook.

    Parameters
    ----------
    path : of the notebook
    label : how the table names it
    timeout, cell_timeout : seconds for the notebook, and for one cell or one exercise of it

    Yields
    ------
    Grade
        One for each exercise; a single one if the file is no known notebook.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"expected a notebook of at most {LARGEST // 2**20} MB")
        notebook = student_copy.read(path)
        name = notebook_name(notebook, path.stem)
    except (InputError, OSError) as problem:
        yield Grade(label, "", "", "not yet", 0, 0, _short(str(problem)))
        return
    code = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    note = "mentions the package's solutions: read this notebook" if SOLUTIONS.search(code) else ""
    verdicts, end = _run(path.resolve(), name, timeout, cell_timeout)
    for task in registry.of_notebook(name):
        yield _grade(task, label, name, verdicts.get(task.name, {}), end, note)


def _grade(task: Task, label: str, name: str, verdict: dict[str, Any], end: str, note: str) -> Grade:
    state = verdict.get("state") if verdict.get("state") in STATES else "not yet"
    words = [str(verdict.get(key, "")) for key in ("problem", "hint")] if verdict else [end]
    message = _short(" ".join(word for word in words if word))
    return Grade(label, name, task.name, str(state), task.points * (state == "pass"), task.points, message, note)


def notebook_name(notebook: student_copy.Notebook, stem: str) -> str:
    """Which notebook is this?

    Parameters
    ----------
    notebook : content of the file; a student copy has its name in its metadata
    stem : of the file's name, where the metadata have been lost

    Returns
    -------
    str

    Raises
    ------
    InputError
        If neither names a notebook with exercises.
    """
    stored = (notebook.get("metadata") or {}).get("decolle_ref") or {}
    known = registry.notebooks()
    for name in known:
        if stored.get("notebook") == name or name in stem:
            return name
    raise InputError(f"notebook: expected a file name or metadata with one of {', '.join(known)}, got {stem}")


def _run(path: Path, name: str, timeout: float, cell_timeout: float) -> tuple[dict[str, dict[str, Any]], str]:
    """The verdicts that the process has written, by task, and how it ended."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, tempfile.TemporaryDirectory() as answers:
        written = Path(answers) / "verdicts"
        module = "decolle_ref.teach.submission"
        command = [sys.executable, "-m", module, str(path), name, str(written), str(cell_timeout)]
        process = subprocess.Popen(
            command,
            cwd=scratch,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
            end = f"the notebook ended the process (exit code {code})"
        except subprocess.TimeoutExpired:
            end = f"no verdict within {timeout:g} s"
        finally:
            _end(process)
        return _read(written), end


def _environment() -> dict[str, str]:
    """A few variables of ours; this package, and no module that lies beside a submission; one thread for products."""
    package = str(Path(decolle_ref.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    own = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "MPLBACKEND": "Agg"}
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**{key: os.environ[key] for key in ENVIRONMENT if key in os.environ}, **own, **threads}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it has started in its group."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The verdicts in a file, which a submission may have tampered with."""
    verdicts: dict[str, dict[str, Any]] = {}
    with suppress(OSError), path.open("rb") as file:
        for line in io.BytesIO(file.read(2**20)):
            with suppress(ValueError, RecursionError):
                verdict = json.loads(line)
                if isinstance(verdict, dict):
                    verdicts.setdefault(str(verdict.get("task")), verdict)
    return verdicts


def _short(message: str) -> str:
    """One line of at most MESSAGE characters."""
    words = " ".join(message.split())
    return words if len(words) <= MESSAGE else words[: MESSAGE - 1] + "…"


def _cell(value: object) -> object:
    """A value for a spreadsheet, which would take a text that begins like this for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def write_csv(grades: list[Grade], path: Path) -> None:
    """Write the table.

    Parameters
    ----------
    grades : its lines
    path : of the CSV file, which appears whole or not at all
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([Grade._fields, *([_cell(value) for value in grade] for grade in grades)])
    store.output_folder(path.parent)
    store.atomically(path, lambda file: file.write(text.getvalue().encode()))
