"""Every notebook runs from top to bottom, shows every picture that it draws, and is stored without outputs."""

import ast
from pathlib import Path

import nbclient
import nbformat
import pytest

TUTORIALS = Path(__file__).parent.parent / "tutorials"
NOTEBOOKS = sorted(TUTORIALS.glob("*.ipynb"))


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_stored_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


def figures_drawn(source):
    """The number of figures that a cell makes: its calls of plt.figure, plt.subplots and the package's plots.

    The notebooks make no figure inside a loop or a function.
    """
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sum(name in ("plt.figure", "plt.subplots", "graph.plot", "plot", "plot_states") for name in calls)


def pictures_shown(cell):
    """The number of pictures below a cell that has run."""
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


@pytest.mark.filterwarnings("ignore:.*")  # of the messaging between jupyter and its kernel
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs_and_its_checks_hold_and_every_picture_appears_once(path, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # as in Jupyter, where the kernel chooses the backend
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    drawn = [figures_drawn(cell.source) for cell in cells]
    assert sum(drawn)
    assert [pictures_shown(cell) for cell in cells] == drawn
