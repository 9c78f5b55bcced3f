"""Every notebook runs twice: with its solutions, where all checks pass, and as a student gets it, with all still to do.

The first run is that of a kernel of Jupyter, which shows whether every picture appears.  The second takes place in this
process, where a warning is an error, and draws nothing.
"""

import ast
import io
import re
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import nbclient
import nbformat
import numpy as np
import pytest

from decolle_ref.teach import registry, student_copy

TUTORIALS = Path(__file__).parent.parent / "tutorials"
NOTEBOOKS = sorted(TUTORIALS.glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)

CHECK = re.compile(r'^teach\.check\("(\w+)", (\w+)\)$', re.MULTILINE)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def exercises(path):
    """The names of the tasks that a notebook checks, in order."""
    return [task for cell in code_cells(path) for task, _ in CHECK.findall(cell.source)]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_every_student_copy_is_what_its_source_gives():
    """To mend this: decolle-ref student-copies tutorials tutorials/student"""
    assert student_copy.drift(TUTORIALS, TUTORIALS / "student") == []


@every_notebook
def test_notebook_is_stored_without_outputs_and_is_not_long(path):
    assert len(nbformat.read(path, as_version=4).cells) <= 25
    for cell in code_cells(path):
        assert cell.outputs == [] and cell.execution_count is None


@every_notebook
def test_every_exercise_has_a_task_of_the_same_name_and_every_task_an_exercise(path):
    pairs = [pair for cell in code_cells(path) for pair in CHECK.findall(cell.source)]
    assert all(task == function for task, function in pairs)
    assert [task for task, _ in pairs] == [task.name for task in registry.of_notebook(path.stem)]
    assert 3 <= len(pairs) <= 6


@every_notebook
def test_only_the_student_defines_the_function_of_an_exercise(path):
    """Else `autograde`, which takes the last function with the name, would grade another one."""
    defined = re.findall(
        r"^(?:def )?(\w+)(?=\(.*\):$| = )", "\n".join(c.source for c in code_cells(path)), re.MULTILINE
    )
    for task in exercises(path):
        assert defined.count(task) == 1, task


@every_notebook
def test_the_first_cell_says_what_is_needed_and_how_long_it_takes(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    assert "minutes" in first.source


@every_notebook
def test_random_numbers_have_seeds_and_assertions_none_of_the_student(path):
    source = "\n".join(cell.source for cell in code_cells(path))
    assert not re.search(r"default_rng\(\)|np\.random\.(?!default_rng|Generator)", source)
    assert not re.search(r"^[%!]", source, re.MULTILINE)


def figures_drawn(source, plots=("plot", "plot_states")):
    """The number of figures that a cell makes: its calls of plt.figure, plt.subplots, teach.explore and our plots.

    The notebooks make no figure inside a loop or a function.
    """
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sum(
        name in ("plt.figure", "plt.subplots", "plt.subplot_mosaic", "teach.explore", *plots)
        or name.startswith("schematics")
        or name in ("graph.plot", "event_clouds.plot", "clip_votes.plot")
        for name in calls
    )


def pictures_shown(cell):
    """The number of pictures below a cell that has run."""
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def printed(cell, stream="stdout"):
    return "".join(output.text for output in cell.outputs if output.get("name") == stream)


VERDICT = re.compile(r"^(pass|to do|not yet): (\w+)$", re.MULTILINE)


@cache
def student_run(path):
    """Run the student copy in this process, without drawing; returns the names that it defines and what it prints."""
    names, out = {"__name__": "__main__", "display": lambda *shown: None}, io.StringIO()
    try:
        with redirect_stdout(out), plt.rc_context():
            for cell in student_copy.student_copy(student_copy.read(path), path.stem)["cells"]:
                if cell["cell_type"] == "code":
                    exec(compile(cell["source"], f"{path.name}, cell {cell['id']}", "exec"), names)
                    plt.close("all")
    finally:
        plt.close("all")
    return names, out.getvalue()


@every_notebook
def test_student_copy_runs_to_its_end_with_every_exercise_still_to_do(path):
    _, text = student_run(path)
    assert VERDICT.findall(text) == [("to do", task) for task in exercises(path)]


@pytest.mark.filterwarnings("ignore:.*")  # of the messaging between jupyter and its kernel
@every_notebook
def test_notebook_with_solutions_passes_its_checks_and_shows_every_picture_once(path, tmp_path, monkeypatch):
    """All else that it prints is what the student copy prints: results are repeated, and use no student's function."""
    monkeypatch.delenv("MPLBACKEND", raising=False)  # as in Jupyter, where the kernel chooses the backend
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)  # nobody moves a slider here
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=where).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    drawn = [figures_drawn(cell.source) for cell in cells]
    assert sum(drawn) and max(drawn) == 1
    assert [pictures_shown(cell) for cell in cells] == drawn
    text = "".join(map(printed, cells))
    assert VERDICT.findall(text) == [("pass", task) for task in exercises(path)]
    assert VERDICT.sub("", text).split() == VERDICT.sub("", student_run(path)[1]).split()
    assert not [cell.id for cell in cells if "Warning" in printed(cell, "stderr")]


@pytest.mark.parametrize("stem", ["06_one_layer", "07_deep_decolle"])
def test_networks_that_show_credit_assignment_live(stem):
    """1 to 30 % of the steps have a spike, and in half of them sigma' exceeds a tenth of its maximum."""
    names, _ = student_run(TUTORIALS / f"{stem}.ipynb")
    assert np.all((0.01 <= names["rate"]) & (names["rate"] <= 0.3)) and np.all(names["live"] >= 0.5)


def test_layers_above_the_first_learn_the_direction_of_a_bar():
    """As the text of section 8.7 says: layer 1 errs often, and the layers above hardly ever."""
    names, _ = student_run(TUTORIALS / "08_images_and_events.ipynb")
    first, *above = names["state"].tested[-1]
    assert first > 0.2 and max(above) <= 0.1
