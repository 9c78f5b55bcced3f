"""The class notebooks under Node and Pyodide, and in a real browser that can reach nothing outside.

`DECOLLE_REF_PYODIDE` names the folder that `python tests/browser/pyodide.py FOLDER` fills; `DECOLLE_REF_SITE` names the
site that `python docs/build.py SITE --pyodide FOLDER` builds, in which the classroom is `lite`.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.built_site import BROWSER as HERE
from tests.support.built_site import PROJECT, chromium, folder, lines

CLASS = [f"tutorials/{path.name}" for path in sorted((PROJECT / "tutorials").glob("*.ipynb"))]
CLASS = [name for name in CLASS if name[10:12] in ("01", "02", "03", "04", "05", "06", "07", "08", "10", "11")]
BROWSER = ("solutions/01_neuron.ipynb", "solutions/06_one_layer.ipynb", "solutions/07_deep_decolle.ipynb")
STUDENT = "01_neuron.ipynb"


def exercises(name):
    """The number of checks in a notebook of the class."""
    cells = json.loads((PROJECT / "tutorials" / Path(name).name).read_text())["cells"]
    return sum("".join(cell["source"]).count("teach.check(") for cell in cells if cell["cell_type"] == "code")


def test_the_class_has_ten_notebooks_with_exercises():
    assert len(CLASS) == 10 and all(exercises(name) >= 3 for name in CLASS)


def test_all_class_notebooks_run_in_webassembly_and_their_checks_pass():
    assets = folder("DECOLLE_REF_PYODIDE")
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    results = lines(["node", HERE / "run_notebooks.mjs", assets, PROJECT, *CLASS])
    assert [result["notebook"] for result in results] == CLASS
    for result in results:
        assert result["problem"] is None, result
        assert result["verdicts"] == ["pass"] * exercises(result["notebook"]), result
        assert result["figures"] > 0


def test_notebooks_1_6_and_7_run_to_their_last_check_in_a_browser_without_the_internet():
    site = folder("DECOLLE_REF_SITE")
    chromium()
    *solved, fresh = lines([sys.executable, HERE / "chromium.py", site / "lite", *BROWSER, STUDENT])
    for name, result in zip(BROWSER, solved, strict=True):
        assert result["errors"] == [] and result["pictures"] > 0, result
        assert result["verdicts"] == {"pass": exercises(name), "to do": 0, "not yet": 0}, result
    assert fresh["errors"] == [] and fresh["verdicts"]["to do"] == exercises(STUDENT), fresh
    assert [result["console"] for result in (*solved, fresh)] == [[], [], [], []]
