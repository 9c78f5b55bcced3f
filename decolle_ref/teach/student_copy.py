"""Student copies: the notebook of a student is made from the one with the solutions, and from nothing else.

>>> print(student_source('''def f(x):
...     ### BEGIN SOLUTION
...     return 2 * x
...     ### END SOLUTION'''))
def f(x):
    raise NotImplementedError  # your code replaces this line
"""

import copy
import json
import re
from pathlib import Path
from typing import Any

from decolle_ref._util import store
from decolle_ref._util.check import InputError

SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION$", re.MULTILINE | re.DOTALL)
STUB = r"\1raise NotImplementedError  # your code replaces this line"

Notebook = dict[str, Any]


def read(path: Path) -> Notebook:
    """The content of a notebook file.

    Parameters
    ----------
    path : of the .ipynb file, in format 4

    Returns
    -------
    dict
        The file's JSON; the source of every cell is one string.

    Raises
    ------
    InputError
        If the file is not a notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
        for cell in cells:
            cell["source"] = "".join(cell["source"])
            cell["cell_type"] = str(cell["cell_type"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path}: expected a notebook (.ipynb, format 4)") from None
    return dict(notebook)


def student_source(source: str) -> str:
    """A cell in which the solution is left out.

    Parameters
    ----------
    source : of the cell, with the solution between the two marks

    Returns
    -------
    str

    Raises
    ------
    InputError
        If a mark has no partner.
    """
    stub = SOLUTION.sub(STUB, source)
    if "### BEGIN SOLUTION" in stub or "### END SOLUTION" in stub:
        raise InputError(f"solution: expected ### BEGIN SOLUTION and ### END SOLUTION in pairs, got {source!r}")
    return stub


def student_copy(notebook: Notebook, name: str) -> Notebook:
    """The notebook of a student: the same cells with the same ids, without solutions and without outputs.

    Parameters
    ----------
    notebook : with the solutions
    name : of the notebook, such as "06_one_layer"; `autograde` reads it, whatever the student calls the file

    Returns
    -------
    dict
    """
    made = copy.deepcopy(notebook)
    made["metadata"]["decolle_ref"] = {"notebook": name}
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"source": student_source(cell["source"]), "outputs": [], "execution_count": None}
    return made


def _text(notebook: Notebook) -> str:
    """A notebook as a file, in the form that `nbformat` writes."""
    lines = [{**cell, "source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]]
    return json.dumps({**notebook, "cells": lines}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def copies(source: Path) -> dict[str, str]:
    """The student copies of all notebooks in a folder.

    Parameters
    ----------
    source : the folder

    Returns
    -------
    dict
        The text of each copy by file name.

    Raises
    ------
    InputError
        If there is no notebook, or one is not as it should be.
    """
    paths = sorted(source.glob("*.ipynb"))
    if not paths:
        raise InputError(f"{source}: expected a folder with notebooks, got none")
    return {path.name: _text(student_copy(read(path), path.stem)) for path in paths}


def write(source: Path, target: Path) -> list[str]:
    """Write the student copies of all notebooks, and remove notebooks in the target that have no source.

    Parameters
    ----------
    source, target : folders

    Returns
    -------
    list of str
        What was out of date, as `drift` says it.
    """
    made = copies(source)
    stale = _drift(made, target)
    store.output_folder(target)
    for name, text in made.items():
        _write(target / name, text)
    for path in target.glob("*.ipynb"):
        if path.name not in made:
            path.unlink()
    return stale


def _write(path: Path, text: str) -> None:
    store.atomically(path, lambda file: file.write(text.encode()))


def drift(source: Path, target: Path) -> list[str]:
    """Which student copies are not what their source gives?

    Parameters
    ----------
    source, target : folders

    Returns
    -------
    list of str
        One line for each.
    """
    return _drift(copies(source), target)


def _drift(made: dict[str, str], target: Path) -> list[str]:
    """One line for each notebook of the target that is not in `made` as it is there, and for each that is missing."""
    there = {path.name: path.read_text(encoding="utf-8") for path in target.glob("*.ipynb")}
    both = made.keys() & there.keys()
    lines = [f"{name}: has no student copy" for name in made.keys() - there.keys()]
    lines += [f"{name}: the student copy has no source" for name in there.keys() - made.keys()]
    lines += [f"{name}: the student copy is out of date" for name in both if made[name] != there[name]]
    return sorted(lines)
