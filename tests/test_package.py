"""What the package promises as a whole."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

import decolle_ref

PACKAGE = Path(decolle_ref.__file__).parent
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))
EXTRAS = {
    "matplotlib": "plots",
    "cycler": "plots",
    "tqdm": "_util",
    "threadpoolctl": "fast",
    "pytest": "oracle",
    "ipywidgets": "teach",
}  # which folder may use which optional package


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_runtime_needs_only_numpy_and_scipy(path):
    roots = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
    allowed = {"numpy", "scipy", "decolle_ref"}
    allowed |= {extra for extra, folder in EXTRAS.items() if path.parent.name == folder}
    assert roots <= allowed


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_pickle_and_no_global_random_state(path):
    text = path.read_text()
    assert not re.search(r"allow_pickle\s*=\s*True|\bimport pickle", text)
    assert not re.search(r"np\.random\.(?!default_rng|Generator)", text)


ROOMS = (
    "_util",
    "decolle",
    "gradcheck",
    "credit",
    "spikegrad",
    "fast",
    "cases",
    "errata",
    "data",
    "oracle",
    "experiments",
    "plots",
    "teach",
    "cli",
)
"""The order in which the rooms are read, which is the only direction that imports may take."""


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def uses(name):
    """The modules of the package that a module imports, lazily or at once."""
    nodes = [node for node in ast.walk(ast.parse(NAMES[name].read_text())) if isinstance(node, ast.ImportFrom)]
    inner = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names} & NAMES.keys()
    outer = {node.module for node in nodes if any(f"{node.module}.{a.name}" not in NAMES for a in node.names)}
    return (inner | (outer & NAMES.keys())) - {name, "decolle_ref"}


def room(name):
    return ROOMS.index(name.split(".")[1])


@pytest.mark.parametrize("name", sorted(NAMES.keys() - {"decolle_ref"}))
def test_imports_only_point_back_in_the_reading_order(name):
    """Whoever reads the rooms in their order has met every name before it is used."""
    later = sorted(other for other in uses(name) if room(other) > room(name))
    assert not later


@pytest.mark.parametrize("name", sorted(NAMES.keys() - {"decolle_ref"}))
def test_no_module_leads_back_to_itself(name):
    reached, todo = set(), set(uses(name))
    while todo:
        reached |= todo
        todo = set().union(*(uses(other) for other in todo)) - reached
    assert name not in reached


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 50, node.name


def test_the_front_page_of_the_package_lists_at_most_fifteen_entries():
    """Rooms and modules count; py.typed has nothing to read in it: it tells type checkers that there are types."""
    assert len([path for path in PACKAGE.iterdir() if path.name not in ("__pycache__", "py.typed")]) <= 15


def test_all_places_name_the_same_version():
    root = PACKAGE.parent
    (cited,) = re.findall(r"^version: (\S+)$", (root / "CITATION.cff").read_text(), re.MULTILINE)
    newest = re.findall(r"^## \[(\d\S*)\]", (root / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    declared = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert cited == newest == declared == decolle_ref.__version__
