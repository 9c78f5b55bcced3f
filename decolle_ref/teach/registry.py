"""The tasks of all notebooks, by name; files are imported one by one, until the name has been found.

>>> [task.name for task in of_notebook("06_one_layer")][:1]
['layer_step']
"""

import difflib
import pkgutil
from collections.abc import Iterator
from importlib import import_module

from decolle_ref._util.check import InputError
from decolle_ref.teach import tasks
from decolle_ref.teach.task import Task


def notebooks() -> list[str]:
    """The notebooks that have tasks, such as "06_one_layer".

    Returns
    -------
    list of str, in order
    """
    names = (module.name for module in pkgutil.iter_modules(tasks.__path__))
    return sorted(name[1:] for name in names if name[0] == "t" and name[1:3].isdigit())


def of_notebook(name: str) -> tuple[Task, ...]:
    """The tasks of a notebook.

    Parameters
    ----------
    name : of the notebook, such as "06_one_layer"

    Returns
    -------
    tuple of Task, in the order of the exercises

    Raises
    ------
    InputError
        If the notebook has no tasks.
    """
    if name not in notebooks():
        raise InputError(f"notebook: expected one of {', '.join(notebooks())}, got {name}")
    module = import_module(f"{tasks.__name__}.t{name}")
    return tuple(module.TASKS)


def every() -> Iterator[Task]:
    """The tasks of all notebooks, in order.

    Yields
    ------
    Task
    """
    for name in notebooks():
        yield from of_notebook(name)


def find(name: str) -> Task:
    """The task with this name.

    Parameters
    ----------
    name : of the task

    Returns
    -------
    Task

    Raises
    ------
    InputError
        If there is none.
    """
    others = []
    for task in every():
        if task.name == name:
            return task
        others.append(task.name)
    near = difflib.get_close_matches(str(name), others, n=3, cutoff=0.4) or others
    raise InputError(f"task: expected the name of an exercise, such as {', '.join(near)}, got {name!r}")
