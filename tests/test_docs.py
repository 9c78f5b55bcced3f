"""The README and the pages of docs/ keep their word: code runs, links lead to files, tables are true."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from decolle_ref import cases
from decolle_ref.cli.command import GROUPS
from decolle_ref.cli.main import commands, parser
from decolle_ref.decolle.dialects import AXES, DIALECTS
from tests.support.cases import make

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = [*sorted(ROOT.glob("[!R]*.md")), *sorted((ROOT / "examples").rglob("README.md"))]
README = (ROOT / "README.md").read_text()
EQUATIONS = (ROOT / "docs" / "equations.md").read_text()
ROWS = re.findall(r"^\| (\[\w+ [^\]]+\])[^|]*\| `([\w.]+)` \| `(\w+)` \|$", EQUATIONS, re.MULTILINE)
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
CODE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def name_of(path):
    return str(path.relative_to(ROOT))


def resolve(name):
    """The object called `name` within the package."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value = importlib.import_module("decolle_ref." + ".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            value = getattr(value, part)
        return value
    raise AssertionError(f"no {name}")


def test_the_table_has_rows_for_every_equation_of_the_paper():
    tags = {tag for tag, _, _ in ROWS}
    assert {f"[K20 Eq. {n}]" for n in (1, 2, 3, 4)} <= tags


def test_every_row_of_the_table_is_checked():
    assert len(ROWS) == sum(line.startswith("| [") for line in EQUATIONS.splitlines())


@pytest.mark.parametrize(("tag", "function", "test"), ROWS)
def test_every_row_names_a_function_that_carries_its_tag_and_a_test_that_exists(tag, function, test):
    assert tag.strip("[]") in (resolve(function).__doc__ or "")
    assert f"def {test}(" in TESTS


def test_studies_are_marked_as_such():
    """A test that the default run leaves out says so in the table."""
    for tag, function, test in ROWS:
        study = re.search(rf"@pytest.mark.study\n(@.*\n|    .*\n|\)\n)*def {test}\(", TESTS)
        row = next(line for line in EQUATIONS.splitlines() if f"`{test}`" in line and f"`{function}`" in line)
        assert ("study" in row) == bool(study), (tag, row)


def test_the_format_names_the_options_of_every_dialect():
    page = (ROOT / "docs" / "case_format.md").read_text()
    for axis in AXES:
        options = " | ".join(getattr(dialect, axis) for dialect in DIALECTS.values())
        assert f"| `{axis}` | {options} |" in page


@pytest.mark.parametrize("page", PAGES + OTHERS, ids=name_of)
def test_every_linked_file_exists(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_examples_run_and_print_what_the_page_shows(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cases.write(tmp_path / "CASE", *make(steps=12))  # a page may read a case of this name
    names, examples = {}, CODE.findall(page.read_text())
    assert len(examples) == page.read_text().count("```py")  # none is overlooked for its form
    for code, output in examples:
        exec(code, names)
        printed = capsys.readouterr().out
        assert printed == output
    if page.name == "README.md":
        assert 0 < names["snapshot"].loss < 1
        _assert_alive(names)


def _assert_alive(names):
    """Rates between 1 and 30 %, and sigma' above a tenth of its maximum in at least half of the steps."""
    layers, rest = names["layers"], names["network"].rest(names["layers"])
    carry = names["Carry"](names["weights"], rest, names["learner"].init(names["weights"]))
    run = names["network"].run(layers, carry, names["spikes"], names["targets"], names["learner"])
    snapshots = [snapshot for _, (snapshot,) in run]
    S, U = np.array([s.S for s in snapshots]), np.array([s.U for s in snapshots])
    top = layers[0].surrogate.derivative(np.zeros(()))
    assert 0.01 <= S.mean() <= 0.30
    assert (layers[0].surrogate.derivative(U) > top / 10).mean() >= 0.5


def test_the_example_of_the_readme_needs_one_import_line_of_ours():
    (code,) = (code for code, _ in CODE.findall(README))
    (line,) = (line for line in code.splitlines() if "decolle_ref" in line)
    assert line.startswith("from decolle_ref import ")


def test_the_two_commands_are_one_line_each():
    first, second = (line for line in README.splitlines() if line.startswith("python3 -m venv .venv && "))
    assert first.endswith(" && .venv/bin/decolle-ref regression") and second.endswith(
        " && .venv/bin/pytest -n 2 --dist worksteal"
    )


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES + OTHERS, ids=name_of)
def test_no_placeholder_is_left(page):
    assert not re.search(r"\b(RESULTS|TODO|TBD|XXX|[A-Z]+_NUMBERS)\b", page.read_text())


def test_the_page_of_commands_names_every_command_in_its_group():
    page = (ROOT / "docs" / "commands.md").read_text()
    sections = {part.split()[0].strip(":").lower(): part for part in page.split("\n## ")[1:]}
    for group in GROUPS:
        named = set(re.findall(r"^\| `([a-z0-9-]+)", sections[group], re.MULTILINE))
        assert named == {command.name for command in commands() if command.group == group}


def test_every_command_line_on_the_page_of_commands_can_be_parsed():
    lines = re.findall(r"^decolle-ref (.+)$", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE)
    assert len(lines) >= len(commands())
    for line in lines:
        words = line.partition(" > ")[0].split()
        assert parser().parse_args(words[: words.index("--")] if "--" in words else words).command == words[0]
