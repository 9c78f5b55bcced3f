"""Files that are whole or absent: each is written under a temporary name and then renamed.  No pickle anywhere."""

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from decolle_ref._util.check import Array, InputError


def output_folder(path: str | Path) -> Path:
    """The folder at `path`, created if need be.  Raises InputError, in one line, if no file can be written there."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise InputError(f"out: expected a writable folder, got {folder} ({problem.strerror})") from None
    return folder


def atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` write a temporary file and rename it, so that a reader sees the old file or the new one, whole.

    Temporary files that a killed writer left behind are removed.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*"):
        leftover.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder that is renamed to `path` if the block ends without an exception, and removed otherwise.

    Raises InputError if `path` exists and is not an empty folder, or if it cannot be created.
    """
    target = Path(path).resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"out: expected a new or empty folder, got {path}, which has something in it")
    parent = output_folder(target.parent)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    try:
        yield work
        work.chmod(0o755)
        os.replace(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON atomically.  NaN and infinity are refused."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    atomically(path, lambda file: file.write(text.encode()))


def write_arrays(path: Path, kind: str, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write named arrays and `about`, which must fit into JSON, to one npz file, atomically.

    kind: which program part the file belongs to; `reading.read_arrays` refuses files of another kind.
    """
    label = json.dumps({"kind": kind, **about}, allow_nan=False)
    # the ignore is needed because numpy's type of savez takes the names for options
    atomically(path, lambda file: np.savez(file, about=np.array(label), **arrays))  # type: ignore[arg-type]
