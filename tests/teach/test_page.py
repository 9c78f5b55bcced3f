"""The teachers' page is true to the notebooks, the tasks and the table of grades."""

import json
import re
from pathlib import Path

import pytest

from decolle_ref.teach import autograde, registry

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
ROW = r"^\| \[`(\w+)`\]\(\.\./tutorials/student/\w+\.ipynb\) \| (\d+) \| (\w+) \| ([^|]+) \| (\d+) \| (\d+) \|$"
ROWS = re.findall(ROW, PAGE, re.MULTILINE)


def first_cell(name):
    """The first cell of a notebook as text."""
    notebook = json.loads((ROOT / "tutorials" / f"{name}.ipynb").read_text(encoding="utf-8"))
    return "".join(notebook["cells"][0]["source"])


def sections(name):
    """The sections of a notebook: "1.1" -> (minutes or "open", "core" or "optional")."""
    found = re.findall(r"\| (\d+\.\d) [^|]+\| (\d+|open) \| (core|optional)(?= \|)", first_cell(name))
    return {number: (int(minutes) if minutes.isdigit() else minutes, kind) for number, minutes, kind in found}


def chapters(title):
    """The text below a heading of the page."""
    return PAGE.split(f"## {title}")[1].split("\n## ")[0]


def test_the_table_has_every_notebook_in_order():
    assert [name for name, *_ in ROWS] == registry.notebooks()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_minutes_and_points_of_the_table_are_those_of_the_notebook(row):
    name, core, optional, needs, exercises, points = row
    minutes = {kind: [m for m, k in sections(name).values() if k == kind] for kind in ("core", "optional")}
    assert int(core) == sum(minutes["core"])
    assert optional == ("open" if "open" in minutes["optional"] else str(sum(minutes["optional"])))
    tasks = registry.of_notebook(name)
    assert (int(exercises), int(points)) == (len(tasks), sum(task.points for task in tasks))
    (line,) = re.findall(r"^\*\*(?:Prerequisites\.|You need)\*\* .+$", first_cell(name), re.MULTILINE)
    needed = re.split("Nothing|;", line)[0]
    assert re.findall(r"\d+", needs) == re.findall(r"\d+", needed)


def test_the_sessions_of_the_core_path_last_90_minutes_and_every_part_as_long_as_its_sections():
    rows = re.findall(r"^\| (\d?) ?\| (\d+) \| (.+) \|$", chapters("Two sessions"), re.MULTILINE)
    lengths, parts = [], 0
    for session, minutes, content in rows:
        if session:
            lengths.append(0)
        lengths[-1] += int(minutes)
        if found := re.match(r"notebook (\d+), sections? ([\d., andto]+)[:,]", content):
            (name,) = (name for name in registry.notebooks() if int(name[:2]) == int(found[1]))
            assert sum(sections(name)[number][0] for number in numbers(found[2])) == int(minutes), content
            parts += 1
    assert lengths == [90, 90] and parts == 5


def numbers(text):
    """The sections that a text such as "1.1 to 1.5" or "7.1, 7.6 and 7.7" names."""
    if " to " in text:
        (chapter, first), (_, last) = (map(int, end.split(".")) for end in text.split(" to "))
        return [f"{chapter}.{k}" for k in range(first, last + 1)]
    return re.findall(r"\d+\.\d+", text)


def test_every_mistake_of_the_table_is_one_that_its_notebooks_know():
    rows = re.findall(r"^\| ([^|]*`[^|]+) \| ([\d, ]+) \| ([^|]+) \|$", chapters("Where students err"), re.MULTILINE)
    for mistake, notebooks, _ in rows:
        names = re.findall(r"`([^`]+)`", mistake)
        for number in notebooks.split(", "):
            (notebook,) = (name for name in registry.notebooks() if int(name[:2]) == int(number))
            known = [slip.name for task in registry.of_notebook(notebook) for slip in task.slips]
            assert any(name in slip for name in names for slip in known), (mistake, number)
    assert len(rows) == chapters("Where students err").count("\n| ") - 2


def test_the_columns_of_the_table_of_grades_are_all_explained():
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", chapters("Grading"), re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", " ".join(rows))) == autograde.Grade._fields
