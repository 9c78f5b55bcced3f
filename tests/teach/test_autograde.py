"""Submissions of every kind are graded, and a bad one harms none but itself."""

import csv
import json
import os
import time
from pathlib import Path

import pytest

from decolle_ref._util.check import InputError
from decolle_ref.cli.main import main
from decolle_ref.teach import autograde, registry, student_copy, submission
from decolle_ref.teach.task import Verdict

TASK = registry.find("weight_gradient")
RIGHT = """
import numpy as np
def weight_gradient(G, dY, U, P):
    s = 1 / (1 + np.exp(-U))
    return np.outer((G.T @ dY) * s * (1 - s), P)
"""
WRONG = RIGHT.replace("return ", "return -")
STUB = "def weight_gradient(G, dY, U, P):\n    raise NotImplementedError"


def notebook(*cells, name=None):
    metadata = {"decolle_ref": {"notebook": name}} if name else {}
    return json.dumps({"cells": [{"cell_type": "code", "source": c} for c in cells], "metadata": metadata})


def graded(tmp_path, text, label="06_one_layer.ipynb", timeout=60.0, cell_timeout=10.0):
    path = tmp_path / "in" / label
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (grade, *_) = (g for g in autograde.grade(path, label, timeout, cell_timeout) if g.task in (TASK.name, ""))
    return grade


def test_right_wrong_and_stub_get_their_verdicts(tmp_path):
    right, wrong, stub = (graded(tmp_path, notebook(text)) for text in (RIGHT, WRONG, STUB))
    assert (right.state, right.points, right.of) == ("pass", TASK.points, TASK.points)
    assert (wrong.state, wrong.points) == ("not yet", 0) and TASK.slips[0].hint in wrong.message
    assert (stub.state, stub.points) == ("to do", 0)


def test_the_last_definition_counts_and_cells_that_fail_do_not_stop_the_rest(tmp_path):
    text = notebook(STUB, "1 / 0", "%matplotlib inline\n!ls", "exit()", "def broken(:", RIGHT)
    assert graded(tmp_path, text).state == "pass"


def test_what_the_notebook_prints_about_itself_counts_for_nothing(tmp_path):
    fake = "from decolle_ref import teach\nteach.check = lambda *a: print('pass')\nprint('pass: weight_gradient')"
    assert graded(tmp_path, notebook(WRONG, fake)).state == "not yet"


def test_a_cell_that_never_ends_costs_its_time_and_no_more(tmp_path):
    text = notebook("while True:\n    try:\n        pass\n    except Exception:\n        pass", RIGHT)
    assert graded(tmp_path, text, cell_timeout=0.5).state == "pass"


def test_a_function_that_never_ends_is_not_a_pass(tmp_path):
    text = notebook(STUB.replace("raise NotImplementedError", "while True: pass"))
    grade = graded(tmp_path, text, cell_timeout=0.5)
    assert grade.state == "not yet" and "no result after 0.5 s" in grade.message


def test_a_notebook_that_cannot_be_interrupted_is_killed_with_its_children(tmp_path):
    mark = tmp_path / "alive"
    child = f"import time, pathlib\nwhile True:\n    pathlib.Path({str(mark)!r}).touch()\n    time.sleep(0.05)"
    stubborn = "while True:\n    try:\n        time.sleep(9)\n    except BaseException:\n        pass"
    start = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\n{stubborn}"
    began = time.monotonic()
    grade = graded(tmp_path, notebook(start), timeout=5.0, cell_timeout=0.5)
    assert grade.state == "not yet" and "no verdict within 5 s" in grade.message
    assert time.monotonic() - began < 30
    mark.unlink()
    time.sleep(0.5)
    assert not mark.exists()


@pytest.mark.parametrize(
    "text",
    ["import os; os._exit(0)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "x = 'x' * 10**13"],
    ids=["exit", "kill", "memory"],
)
def test_the_end_of_the_process_is_not_a_pass(tmp_path, text):
    grade = graded(tmp_path, notebook(RIGHT, text))
    assert grade.state == ("pass" if "10**13" in text else "not yet")


def test_output_without_end_is_thrown_away(tmp_path):
    assert graded(tmp_path, notebook("while True: print('x' * 10**6)", RIGHT), cell_timeout=1.0).state == "pass"


def test_a_notebook_sees_few_variables_and_writes_into_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET", "1")
    look = "import os\nassert 'A_SECRET' not in os.environ\nopen('left.txt', 'w').write('x')\n"
    assert graded(tmp_path, notebook(look + RIGHT)).state == "pass"
    assert not list(tmp_path.rglob("left.txt")) and not os.path.exists("left.txt")


def test_a_module_beside_the_submission_does_not_replace_one_of_ours(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "numpy.py").write_text("raise SystemExit")
    assert graded(tmp_path, notebook(RIGHT)).state == "pass"


def test_a_notebook_is_known_by_its_metadata_or_its_file_name(tmp_path):
    assert graded(tmp_path, notebook(RIGHT, name="06_one_layer"), "Anna (final).ipynb").state == "pass"
    assert graded(tmp_path, notebook(RIGHT), "anna_06_one_layer_v2.ipynb").state == "pass"
    unknown = graded(tmp_path, notebook(RIGHT), "homework.ipynb")
    assert (unknown.task, unknown.points, unknown.of) == ("", 0, 0) and "06_one_layer" in unknown.message


def test_a_file_that_is_no_notebook_gets_a_line(tmp_path):
    assert "expected a notebook" in graded(tmp_path, "no").message


def test_a_notebook_that_mentions_the_solutions_is_marked(tmp_path):
    cheat = "from decolle_ref.teach import registry\nweight_gradient = registry.find('weight_gradient').solution"
    assert "read this notebook" in graded(tmp_path, notebook(cheat)).note
    assert graded(tmp_path, notebook("from decolle_ref import teach\n" + RIGHT)).note == ""


def test_a_student_copy_is_not_marked_unless_an_answer_takes_the_functions_of_the_package():
    copies = sorted((Path(__file__).parent.parent.parent / "tutorials" / "student").glob("*.ipynb"))
    sources = {path.stem: "\n".join(c["source"] for c in student_copy.read(path)["cells"]) for path in copies}
    assert len(sources) == 12 and not any(map(autograde.SOLUTIONS.search, sources.values()))
    stub = "raise NotImplementedError  # your code replaces this line"
    for answer in (
        "return MENDED['error'](Y, target)",
        "return mended('error')['error'](Y, target)",
        "x = right_backend",
    ):
        assert autograde.SOLUTIONS.search(sources["12_check_your_backend"].replace(stub, answer, 1))


def test_a_verdict_that_raises_is_not_a_pass():
    def judgement(task, function):
        raise MemoryError

    assert submission.verdict_on(TASK, {TASK.name: len}, 1.0, judgement) == Verdict(
        TASK.name, "not yet", "MemoryError: MemoryError"
    )


def test_the_command_writes_a_table_that_no_spreadsheet_takes_for_formulas(tmp_path, capsys):
    for name, text in (("=anna", RIGHT), ("ben", WRONG)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "06_one_layer.ipynb").write_text(notebook(text))
    out = tmp_path / "new" / "grades.csv"
    assert main(["autograde", str(tmp_path), "--out", str(out)]) == 0
    with out.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["task"] == TASK.name]
    assert [(row["submission"], row["state"], row["points"]) for row in rows] == [
        ("'=anna/06_one_layer.ipynb", "pass", str(TASK.points)),
        ("ben/06_one_layer.ipynb", "not yet", "0"),
    ]
    assert "ben/06_one_layer.ipynb: 0 of" in capsys.readouterr().out


def test_a_folder_without_notebooks_and_a_limit_of_zero_are_refused(tmp_path, capsys):
    with pytest.raises(InputError, match="expected a folder with notebooks"):
        list(autograde.grade_folder(tmp_path))
    assert main(["autograde", str(tmp_path), "--timeout", "0"]) == 2
    assert "timeout: expected" in capsys.readouterr().err
