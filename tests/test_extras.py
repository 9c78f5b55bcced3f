"""With numpy and scipy alone the package does its work, and what needs more says which extra to install."""

import ast
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import decolle_ref
from decolle_ref._util.extras import EXTRA, advice, import_optional
from tests.support.derivations import RIGHT

PACKAGE = Path(decolle_ref.__file__).parent
ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = (ROOT / "docs" / "installation.md").read_text()
COMMAND = "from decolle_ref.cli.main import main; sys.exit(main(sys.argv[2:]))"
IMPORTS = """
import importlib, pkgutil, decolle_ref
found = [m.name for m in pkgutil.walk_packages(decolle_ref.__path__, "decolle_ref.")]
for name in found:
    if name != "decolle_ref.oracle.plugin":
        importlib.import_module(name)
print(len(found))
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder with links to numpy and scipy as they are installed, and to the package."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "decolle_ref").symlink_to(PACKAGE)
    for name in ("numpy", "scipy"):
        distribution = importlib.metadata.distribution(name)
        for part in {file.parts[0] for file in distribution.files} - {".."}:
            (folder / part).symlink_to(distribution.locate_file(part))
    return folder


def run(bare, code, *words):
    """Run code in a Python that knows the standard library and this folder alone."""
    alone = [sys.executable, "-I", "-S", "-W", "error", "-c", f"import sys; sys.path.append(sys.argv[1])\n{code}"]
    known = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([*alone, bare, *words], env=known, capture_output=True, text=True, timeout=120, cwd=bare)
    return done.returncode, done.stdout, done.stderr


def command(bare, *words):
    return run(bare, COMMAND, *map(str, words))


def test_none_of_the_optional_packages_is_there(bare):
    code = f"import importlib.util\nprint([name for name in {list(EXTRA)} if importlib.util.find_spec(name)])"
    assert run(bare, code) == (0, "[]\n", "")


def test_every_module_but_the_plugin_of_pytest_is_imported(bare):
    code, out, err = run(bare, IMPORTS)
    assert (code, err) == (0, "") and int(out) > 300


def test_a_run_learns_and_says_which_extra_draws_its_figure(bare, tmp_path):
    words = ("regression", "--quick", "--epochs", "1", "--layers", "8", "8", "8", "--out", tmp_path / "out")
    line = f"figures not drawn: matplotlib is not installed ({advice('figures')})\n"
    code, _, err = command(bare, *words)
    assert (code, err) == (0, line)
    assert [file.name for file in (tmp_path / "out").iterdir() if file.suffix == ".json"] == ["results.json"]


def test_a_derivation_is_checked(bare, tmp_path):
    (tmp_path / "mine.py").write_text(RIGHT)
    code, out, err = command(bare, "check-derivation", f"{tmp_path / 'mine.py'}:gradient")
    assert (code, err) == (0, "") and "exact" in out


def test_a_backend_is_checked_by_the_oracle(bare):
    backend = f"{ROOT / 'examples' / 'numpy_backend.py'}:backend"
    code, out, err = command(bare, "oracle", "run", backend, "--only", "dyadic-paper")
    assert (code, err) == (0, "") and "dyadic-paper: PASS" in out


def test_the_doctor_names_the_extra_of_every_package_that_is_missing(bare):
    code, out, err = command(bare, "doctor")
    assert (code, err) == (0, "")
    for package, extra in EXTRA.items():
        assert f"  {package:<24}not installed: {advice(extra)}\n" in out


def test_a_sweep_on_a_cluster_names_its_extra(bare, tmp_path):
    words = ("credit", "--quick", "--seeds", "0", "1", "--dask", "tcp://127.0.0.1:1", "--out", tmp_path / "out")
    line = f"decolle-ref: error: distributed: expected an installed package, got none ({advice('dask')})\n"
    assert command(bare, *words) == (2, "", line)


def test_a_figure_names_its_extra(bare):
    code = "from decolle_ref.plots import schematics_feedback\nschematics_feedback.plot_strategies()"
    line = f"InputError: matplotlib: expected an installed package, got none ({advice('figures')})\n"
    assert run(bare, code)[2].endswith(line)


def test_a_package_that_is_there_but_broken_is_no_missing_package(monkeypatch, tmp_path):
    (tmp_path / "distributed.py").write_text("import nothing_of_this_name\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "distributed", raising=False)
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        import_optional("distributed")


def bare_name(requirement):
    """decolle_ref[figures] -> figures; jupyter>=1.0 -> jupyter."""
    inner = re.fullmatch(r"decolle_ref\[(\w+)\]", requirement)
    return inner[1] if inner else re.match(r"[\w-]+", requirement)[0]


def table():
    """The rows of the page's table: extra -> cells."""
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    return {row[0].strip("| `"): [re.findall(r"[\w.-]+", cell) for cell in (row[1], row[3])] for row in rows}


def test_the_page_lists_the_extras_and_what_they_install():
    declared = {extra: list(map(bare_name, needs)) for extra, needs in PROJECT["optional-dependencies"].items()}
    assert {extra: cells[0] for extra, cells in table().items()} == declared


def uses(path):
    """The optional packages that a module imports or looks for."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)) if any(package in text for package in EXTRA) else ():
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            if getattr(node.func, "id", getattr(node.func, "attr", "")) in ("import_optional", "find_spec"):
                yield node.args[0].value


def test_the_page_names_every_module_that_uses_an_extra():
    used = {extra: set() for extra in PROJECT["optional-dependencies"]}
    for path in PACKAGE.rglob("*.py"):
        for package in EXTRA.keys() & set(uses(path)):
            used[EXTRA[package]].add(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    assert {extra: set(cells[1]) for extra, cells in table().items()} == used


def test_every_optional_package_comes_with_its_extra():
    for package, extra in EXTRA.items():
        assert any(package in need for need in PROJECT["optional-dependencies"][extra])


def test_the_page_names_the_lowest_versions():
    extras = PROJECT["optional-dependencies"]
    lowest = dict(need.split(">=") for need in [*PROJECT["dependencies"], *extras["figures"]])
    versions = [PROJECT["requires-python"][2:], *(lowest[name] for name in ("numpy", "scipy", "matplotlib"))]
    assert f"| lowest | {' | '.join(versions)} |" in PAGE
