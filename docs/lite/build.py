"""Build the classroom in a browser, a JupyterLite site:  python docs/lite/build.py SITE [--pyodide FOLDER]

The site has the students' notebooks, the same notebooks with solutions, this package as a wheel, a landing page, and
static pages of the notebooks with solutions and pictures.
It needs no server but one for static files, such as `python -m http.server --directory SITE`.  Python itself, compiled
to WebAssembly, comes from the address that JupyterLite names, or from FOLDER, an unpacked Pyodide distribution, so that
nothing outside the site is needed.  Needs the extra `docs`.  `docs/build.py` makes it a part of the documentation site.
"""

import argparse
import hashlib
import html
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import nbformat

LITE = Path(__file__).resolve().parent
PROJECT = LITE.parent.parent
SETUP = "%pip install -q decolle_ref matplotlib"  # without ipywidgets: teach.explore draws small multiples instead
WHEELS = ("comm",)  # pure Python; the kernel needs it, and Pyodide does not bring it
EXTENSION = Path(sys.prefix, "share", "jupyter", "labextensions", "@jupyterlite", "pyodide-kernel-extension")
OPTIONS = (
    "--apps",
    "lab",
    "--no-sourcemaps",
    "--no-unused-shared-packages",
    "--no-libarchive",
)  # what nobody opens is left out
MATHJAX = "sphinx-mathjax-offline==0.0.2"  # MathJax 3.2.2 in files that load no others
CHECKSUM = "d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882"
LINKS = {
    "open": "lab/index.html?path={stem}.ipynb",
    "solution": "lab/index.html?path=solutions/{stem}.ipynb",
    "read": "static-notebooks/{stem}.html",
}


def notebooks(source: Path, target: Path) -> None:
    """Copy the notebooks of a folder, each with a first cell that installs this package in the browser."""
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(SETUP, id="setup"))
        nbformat.write(notebook, target / path.name)


def pip(*words: str | Path) -> None:
    """Run pip."""
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *words], check=True)


def fetch(folder: Path, *packages: str) -> None:
    """Fetch wheels into a folder."""
    pip("download", "-q", "--no-deps", "--dest", folder, *packages)


def wheels(folder: Path) -> None:
    """Build the wheel of this package, and fetch those that Pyodide does not bring."""
    pip("wheel", "-q", "--no-deps", "--wheel-dir", folder, PROJECT)
    fetch(folder, *WHEELS)


def landing(folder: Path, home: str) -> str:
    """The landing page: a table of the notebooks by their titles, and the way to a page above it, if there is one."""
    rows = []
    for path in sorted(folder.glob("*.ipynb")):
        title = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].lstrip("# ")
        links = (f'<td><a href="{link.format(stem=path.stem)}">{text}</a>' for text, link in LINKS.items())
        rows.append(f"  <tr><td>{html.escape(title)}{''.join(links)}")
    page = (LITE / "landing.html").read_text().replace("ROWS", "\n".join(rows))
    return page.replace("HOME", f'<p><a href="{home}">Documentation</a></p>' if home else "")


def mathjax(folder: Path) -> None:
    """Write MathJax, which sets the formulas, from a wheel that carries it; its checksum is that of npm's package."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        fetch(Path(scratch), MATHJAX)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("/tex-svg.js"))
            content = archive.read(name)
    if hashlib.sha256(content).hexdigest() != CHECKSUM:
        raise SystemExit(f"{name} of {MATHJAX}: expected sha256 {CHECKSUM}, got another")
    (folder / "tex-svg.js").write_bytes(content)
    shutil.copy(LITE / "formulas.js", folder)


def pages(source: Path, folder: Path, execute: bool) -> None:
    """Write the notebooks as static pages, with their outputs if they are to be run."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", folder, "--template", "page"]
    command += [
        f"--TemplateExporter.extra_template_basedirs={LITE / 'templates'}",
        *["--execute"] * execute,
        "--log-level",
        "ERROR",
    ]
    subprocess.run([*command, *sorted(source.glob("*.ipynb"))], check=True)


def build(site: Path, pyodide: Path | None, execute: bool = True, home: str = "") -> None:
    """Build the site into the folder `site`; `home` is the address of the documentation that it belongs to."""
    students = PROJECT / "tutorials" / "student"
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        for name in ("jupyter-lite.json", "overrides.json"):
            shutil.copy(LITE / name, work)
        notebooks(students, work / "files")
        notebooks(PROJECT / "tutorials", work / "files" / "solutions")
        wheels(work / "pypi")
        options: list[str | Path] = ["--ignore-sys-prefix", f"--LiteBuildConfig.federated_extensions={EXTENSION}"]
        if pyodide is not None:
            with tarfile.open(work / "pyodide.tar.bz2", "w:bz2", compresslevel=1) as archive:
                archive.add(pyodide, "pyodide")
            options += ["--pyodide", work / "pyodide.tar.bz2"]
        command = [sys.executable, "-m", "jupyter", "lite", "build", "--lite-dir", work, "--output-dir", site]
        subprocess.run([*command, *OPTIONS, *options], check=True, cwd=work)
    mathjax(site / "mathjax")
    pages(PROJECT / "tutorials", site / "static-notebooks", execute)
    shutil.copy(site / "lab" / "favicon.ico", site)
    (site / "index.html").write_text(landing(students, home))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the classroom in a browser.")
    parser.add_argument("site", type=Path, metavar="SITE", help="folder of the site")
    parser.add_argument("--pyodide", type=Path, metavar="FOLDER", help="an unpacked Pyodide distribution")
    args = parser.parse_args()
    build(args.site.resolve(), args.pyodide and args.pyodide.resolve())
