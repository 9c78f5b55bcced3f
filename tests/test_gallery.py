"""The gallery shows every figure and table of the papers, and every picture and number that is stored."""

import re
import shlex
from pathlib import Path

import pytest

from decolle_ref.cli.main import parser
from tests.test_figures import FOLDER, make

PAGE = (Path(__file__).parent.parent / "docs" / "gallery.md").read_text()
SECTIONS = dict(part.split("\n", 1) for part in PAGE.split("\n### ")[1:])
PAPERS = {"K20": (4, 2), "N19": (7, 0), "T19": (2, 2)}  # numbers of figures and tables
ITEMS = [
    f"{paper} {kind} {n}"
    for paper, counts in PAPERS.items()
    for kind, count in zip(("Figure", "Table"), counts, strict=True)
    for n in range(1, count + 1)
]
COMMANDS = [command.replace("\n", " ") for command in re.findall(r"`((?:decolle-ref|python) [^`]+)`", PAGE)]


@pytest.mark.parametrize("item", ITEMS)
def test_every_figure_and_table_of_the_papers_has_a_row_and_a_section(item):
    assert re.search(rf"^\| \[{item}\]\(#{item.lower().replace(' ', '-')}\) \|", PAGE, re.MULTILINE)
    for word in ("The paper", "Agrees", "Differs", "Command"):
        assert f"- **{word}** " in SECTIONS[item], word


def test_the_gallery_has_no_row_for_a_figure_that_no_paper_has():
    assert re.findall(r"^\| \[(\w+ \w+ \d)\]", PAGE, re.MULTILINE) == ITEMS


def test_every_link_within_the_page_leads_to_a_section():
    names = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in SECTIONS}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= names


def test_every_stored_picture_is_shown_once_and_all_stored_numbers_are_linked():
    assert sorted(re.findall(r"^!\[[^\]]+\]\(\.\./figures/(\w+\.png)\)$", PAGE, re.MULTILINE)) == sorted(
        path.name for path in FOLDER.glob("*.png")
    )
    assert set(re.findall(r"\(\.\./figures/(\w+\.json)\)", PAGE)) == {path.name for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_can_be_parsed(command):
    program, *words = shlex.split(command)
    if program == "decolle-ref":
        assert parser().parse_args(words).command == words[0]
    else:
        script, *words = words
        assert script == "figures/make.py"
        options = make.parse(words)
        make.validate(options.names, options.runs)


def test_every_entry_of_the_figures_is_named_in_a_command():
    named = {word for command in COMMANDS if command.startswith("python") for word in shlex.split(command)[2:]}
    assert set(make.FIGURES) <= named
