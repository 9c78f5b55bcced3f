"""The README keeps its word."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ROWS = re.findall(r"^\| (\[\w+ [^\]]+\])[^|]*\| `([\w.]+)` \| `(\w+)` \|$", README, re.MULTILINE)
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))


def find(name):
    """The object called `name` within the package."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module("decolle_ref." + ".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"no {name}")


def test_the_table_has_rows_for_every_equation_of_the_paper():
    tags = {tag for tag, _, _ in ROWS}
    assert {f"[K20 Eq. {n}]" for n in (1, 2, 3, 4)} <= tags


@pytest.mark.parametrize(("tag", "function", "test"), ROWS)
def test_every_row_names_a_function_that_carries_its_tag_and_a_test_that_exists(tag, function, test):
    assert tag.strip("[]") in (find(function).__doc__ or "")
    assert f"def {test}(" in TESTS


def test_studies_are_marked_as_such():
    """A test that the default run leaves out says so in the table."""
    for tag, function, test in ROWS:
        study = re.search(rf"@pytest.mark.study\n(@.*\n|    .*\n|\)\n)*def {test}\(", TESTS)
        row = next(line for line in README.splitlines() if f"`{test}`" in line and f"`{function}`" in line)
        assert ("study" in row) == bool(study), (tag, row)


def test_every_linked_file_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_code_examples_run():
    blocks = re.findall(
        r"```python\nimport(.*?)```.*?```python\n(from decolle_ref import gradcheck.*?)```", README, re.DOTALL
    )
    ((first, second),) = blocks
    names = {}
    exec("import" + first + second, names)
    assert 0 < names["snapshot"].loss < 1


def test_no_placeholder_is_left():
    assert not re.search(r"\b(RESULTS|TODO|TBD|XXX|[A-Z]+_NUMBERS)\b", README)
