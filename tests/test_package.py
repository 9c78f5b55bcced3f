"""What the package promises as a whole."""

import ast
import re
import sys
from pathlib import Path

import pytest

import decolle_ref

PACKAGE = Path(decolle_ref.__file__).parent
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))
EXTRAS = {
    "matplotlib": "plots",
    "cycler": "plots",
    "tqdm": "experiments",
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
