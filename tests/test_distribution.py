"""The files that users install: the same bytes each time, with all that they must hold and nothing else."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MISSING = [name for name in ("build", "flit_core") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
FILES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff")


def copy(folder):
    """A copy of what is packed; its files are new."""
    shutil.copytree(ROOT / "decolle_ref", folder / "decolle_ref", copy_function=shutil.copyfile)
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def build(source, out):
    known = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    words = [sys.executable, "-P", "-m", "build", "--no-isolation", "--outdir", out, source]
    done = subprocess.run(words, env=known, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(out.iterdir())  # the wheel, the sdist


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two builds in two folders, one after the other."""
    folders = [tmp_path_factory.mktemp("build") for _ in range(2)]
    return [build(copy(folder / "source"), folder / "dist") for folder in folders]


def test_two_builds_give_the_same_bytes(built):
    first, second = built
    assert [path.suffix for path in first] == [".whl", ".gz"]
    for one, other in zip(first, second, strict=True):
        assert one.name == other.name and one.read_bytes() == other.read_bytes()


def test_the_wheel_holds_the_package_its_licence_and_nothing_else(built):
    with zipfile.ZipFile(built[0][0]) as wheel:
        names = set(wheel.namelist())
    files = {path for path in (ROOT / "decolle_ref").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    held = {path.relative_to(ROOT).as_posix() for path in files}
    extra = {name.partition(".dist-info/")[2] for name in names - held}
    assert held <= names and extra == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    schemas = {f"decolle_ref/cases/schemas/{name}.schema.json" for name in ("case", "trace")}
    assert {"decolle_ref/py.typed", "decolle_ref/oracle/vectors/released.json", *schemas} <= names


def test_the_sdist_holds_the_files_that_introduce_the_package(built):
    with tarfile.open(built[0][1]) as sdist:
        names = {Path(name).parts[1] for name in sdist.getnames()}
    assert names == {"PKG-INFO", "decolle_ref", *FILES}
