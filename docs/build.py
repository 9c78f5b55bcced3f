"""Build the documentation site:  python docs/build.py SITE [--pyodide FOLDER] [--no-notebooks]

MkDocs makes the pages from docs/ and from the docstrings, and stops at any warning; the classroom in a browser
(`docs/lite/build.py`) follows in `SITE/lite`.  The site needs no other server; Python for the classroom is a part of it
with FOLDER, an unpacked Pyodide distribution.  `python -m http.server --directory SITE` shows the site.  Needs the
extra `docs`.
"""

import argparse
import os
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).resolve().parent


def classroom() -> ModuleType:
    """The module docs/lite/build.py."""
    spec = spec_from_file_location("classroom", DOCS / "lite" / "build.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages(site: Path) -> None:
    """Run MkDocs; the hooks find each other on Python's path."""
    environment = os.environ | {"PYTHONPATH": str(DOCS / "site"), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean", "--site-dir", site]
    subprocess.run(command, check=True, cwd=DOCS.parent, env=environment)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("site", type=Path, metavar="SITE", help="folder of the site; what is in it is replaced")
    parser.add_argument("--pyodide", type=Path, metavar="FOLDER", help="an unpacked Pyodide distribution")
    parser.add_argument("--no-notebooks", action="store_true", help="do not run the notebooks: pages without pictures")
    args = parser.parse_args()
    pages(args.site.resolve())
    pyodide = args.pyodide and args.pyodide.resolve()
    classroom().build(args.site.resolve() / "lite", pyodide, execute=not args.no_notebooks, home="../index.html")
    shutil.copy(args.site / "lite" / "favicon.ico", args.site)  # browsers ask for it there
