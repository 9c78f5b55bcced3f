"""Student copies are what the source gives, and nothing else."""

import json

import nbformat
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.cli.main import main
from decolle_ref.teach import student_copy

SOLVED = '''def double(x):
    """Twice x."""
    if x is None:
        ### BEGIN SOLUTION
        secret = 2

        ### END SOLUTION
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

teach.check("double", double)'''
STUB = '''def double(x):
    """Twice x."""
    if x is None:
        raise NotImplementedError  # your code replaces this line
    raise NotImplementedError  # your code replaces this line

teach.check("double", double)'''


@pytest.fixture
def source(tmp_path):
    """A folder with one notebook that has been run."""
    folder = tmp_path / "source"
    folder.mkdir()
    notebook = nbformat.v4.new_notebook()
    output = nbformat.v4.new_output("stream", text="pass: double\n")
    code = nbformat.v4.new_code_cell(SOLVED, id="code", outputs=[output], execution_count=1)
    notebook.cells = [nbformat.v4.new_markdown_cell("Double α.\n\nHint", id="text"), code]
    nbformat.write(notebook, folder / "06_one_layer.ipynb")
    return folder


def test_solutions_become_stubs_and_all_else_stays(source, tmp_path):
    student_copy.write(source, tmp_path / "student")
    original, made = (nbformat.read(f / "06_one_layer.ipynb", 4) for f in (source, tmp_path / "student"))
    nbformat.validate(made)
    assert [cell.source for cell in made.cells] == [original.cells[0].source, STUB]
    assert [cell.id for cell in made.cells] == ["text", "code"]
    assert made.cells[1].outputs == [] and made.cells[1].execution_count is None
    assert made.metadata.decolle_ref.notebook == "06_one_layer"


def test_the_file_is_as_nbformat_writes_it(source, tmp_path):
    """So opening and saving a copy changes only what the student changed."""
    student_copy.write(source, tmp_path)
    path = tmp_path / "06_one_layer.ipynb"
    assert nbformat.writes(nbformat.read(path, 4)) + "\n" == path.read_text()


def test_drift_is_reported_and_mended(source, tmp_path):
    target = tmp_path / "student"
    assert student_copy.drift(source, target) == ["06_one_layer.ipynb: has no student copy"]
    student_copy.write(source, target)
    assert student_copy.drift(source, target) == []
    path = target / "06_one_layer.ipynb"
    path.write_text(path.read_text().replace("Twice", "Thrice"))
    (target / "old.ipynb").write_text("{}")
    lines = ["06_one_layer.ipynb: the student copy is out of date", "old.ipynb: the student copy has no source"]
    assert student_copy.drift(source, target) == lines == student_copy.write(source, target)
    assert student_copy.drift(source, target) == [] and not (target / "old.ipynb").exists()


def test_the_command_fails_on_drift_only_with_check(source, tmp_path, capsys):
    words = ["student-copies", str(source), str(tmp_path / "student")]
    assert main([*words, "--check"]) == 1 and "has no student copy" in capsys.readouterr().out
    assert main(words) == 0 and main([*words, "--check"]) == 0


@pytest.mark.parametrize("text", ["### BEGIN SOLUTION\nx = 1", "x = 1\n### END SOLUTION"])
def test_a_mark_without_a_partner_is_refused(text):
    with pytest.raises(InputError, match="in pairs"):
        student_copy.student_source(text)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"cells": [1]}', '{"cells": 1}', '{"cells": [{"source": 1}]}', "[" * 10**5]
)
def test_a_file_that_is_no_notebook_gets_one_line(content, tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(InputError, match="expected a notebook"):
        student_copy.read(path)
    with pytest.raises(InputError, match="expected a folder with notebooks"):
        student_copy.copies(tmp_path / "nowhere")


def test_the_source_may_be_one_string_or_lines(tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ["a\n", "b"]}], "metadata": {}}))
    assert student_copy.read(path)["cells"][0]["source"] == "a\nb"
